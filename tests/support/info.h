/* Writes fields of struct tcp_info and of the other blocks, for tests. */
#ifndef TEST_INFO_H
#define TEST_INFO_H

#include "tcp/tcp_info.h"

/* Stores the field in its block, in the width and byte order of the kernel; a
 * bit-field is combined with the other bits of its byte. The block must be long
 * enough. */
void info_put(uint8_t *block, enum field_id id, uint64_t value);

#endif
