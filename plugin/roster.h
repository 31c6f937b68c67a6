/* Records that are found by a key of bytes and named by a small number for as
 * long as they are there: an array with a hash beside it. */
#ifndef TCPINFO_ROSTER_H
#define TCPINFO_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct roster;

enum { ROSTER_NONE = UINT32_MAX };

/* NULL where memory ran out. Sizes in bytes; records are aligned to 8. The hash
 * is seeded by chance: keys may come from outside. */
struct roster *roster_new(size_t key_size, size_t record_size);
void roster_free(struct roster *r);

/* The number of the record with that key, or ROSTER_NONE. */
uint32_t roster_find(const struct roster *r, const uint8_t *key);

/* Adds a zeroed record; the key must not be there yet. ROSTER_NONE: out of
 * memory. Pointers to records are good until the next call of this. */
uint32_t roster_add(struct roster *r, const uint8_t *key);
void roster_remove(struct roster *r, uint32_t i);

void *roster_at(const struct roster *r, uint32_t i);
const uint8_t *roster_key(const struct roster *r, uint32_t i);

/* For walks: numbers are below the end; not each of them is used. */
uint32_t roster_end(const struct roster *r);
bool roster_used(const struct roster *r, uint32_t i);

/* Gives memory back after many records went; the others keep their numbers. */
void roster_trim(struct roster *r);

#endif
