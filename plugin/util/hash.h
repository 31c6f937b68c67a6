/* A hash of bytes. */
#ifndef TCPINFO_UTIL_HASH_H
#define TCPINFO_UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A well mixed hash of `size` bytes; `seed` chains several. */
uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);

#endif
