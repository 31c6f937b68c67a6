/* Records that are found by a key of bytes and named by a small number for as
 * long as they are there: an array with a hash beside it. */
#ifndef TCPINFO_UTIL_KEY_TABLE_H
#define TCPINFO_UTIL_KEY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_table;

enum { KEY_TABLE_NONE = UINT32_MAX };

/* NULL where memory ran out. Sizes in bytes; records are aligned to 8. The hash
 * is seeded by chance: keys may come from outside. */
struct key_table *key_table_new(size_t key_size, size_t record_size);
void key_table_free(struct key_table *r);

/* The number of the record with that key, or KEY_TABLE_NONE. */
uint32_t key_table_find(const struct key_table *r, const uint8_t *key);

/* Adds a zeroed record; the key must not be there yet. KEY_TABLE_NONE: out of
 * memory. Pointers to records are good until the next call of this. */
uint32_t key_table_add(struct key_table *r, const uint8_t *key);
void key_table_remove(struct key_table *r, uint32_t i);

void *key_table_at(const struct key_table *r, uint32_t i);
const uint8_t *key_table_key(const struct key_table *r, uint32_t i);

/* For walks: numbers are below the end; not each of them is used. */
uint32_t key_table_end(const struct key_table *r);
bool key_table_used(const struct key_table *r, uint32_t i);

/* Gives memory back after many records went; the others keep their numbers. */
void key_table_trim(struct key_table *r);

#endif
