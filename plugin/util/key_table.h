/* A hash table: records that are found by a key, a fixed number of bytes, and
 * keep one small number, from 0, as long as they are in the table.
 *
 * Records stand in one array in the order of their numbers. The hash is keyed
 * by a secret of the table (util/hash.h), so that a peer who chooses the keys
 * cannot make look-ups slow. */
#ifndef TCPINFO_UTIL_KEY_TABLE_H
#define TCPINFO_UTIL_KEY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_table;

enum { KEY_TABLE_NONE = UINT32_MAX };

/* An empty table. Sizes in bytes; the caller's records are aligned to 8. NULL:
 * out of memory. */
struct key_table *key_table_new(size_t key_size, size_t record_size);
void key_table_free(struct key_table *t); /* NULL is legal */

/* Returns the number of the record with that key, or KEY_TABLE_NONE. */
uint32_t key_table_find(const struct key_table *t, const uint8_t *key);

/* Adds a zeroed record and returns its number, that of a removed record if
 * there is one. The key, which is copied, must not be in the table yet.
 * KEY_TABLE_NONE: out of memory, and the table is as it was. Pointers to
 * records and keys are good until the next call of this function or of
 * key_table_trim(). */
uint32_t key_table_add(struct key_table *t, const uint8_t *key);

/* Removes the record, which must be in the table. */
void key_table_remove(struct key_table *t, uint32_t i);

/* Return record `i` and its key; `i` must be in the table. Borrowed. */
void *key_table_at(const struct key_table *t, uint32_t i);
const uint8_t *key_table_key(const struct key_table *t, uint32_t i);

/* For walks: every number is below the end, but not every number below the end
 * is used. */
uint32_t key_table_end(const struct key_table *t);
bool key_table_used(const struct key_table *t, uint32_t i);

/* Gives memory back after many records were removed; the others keep their
 * numbers. */
void key_table_trim(struct key_table *t);

#endif
