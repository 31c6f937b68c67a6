/* Records of one size, one for each socket, found by the socket's cookie.
 *
 * The kernel dumps its sockets in nearly the same order each time. Therefore
 * the table remembers the order of the last walk and tries the record that
 * came next in that walk before it looks in the hash. Records are thus read in
 * order, and a socket that is new in between costs a look in the hash for
 * itself only.
 *
 * The table knows nothing about connections or counters. */
#ifndef TCPINFO_CONNECTION_SOCKET_TABLE_H
#define TCPINFO_CONNECTION_SOCKET_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct socket_table;

/* Every record begins with this; the rest belongs to the caller. */
struct socket_record {
  uint64_t cookie; /* of a free record: number of the next free one plus one */
  uint32_t mark;   /* the caller's, never 0; 0: the record is free */
  uint32_t order;  /* position in the last walk that met it */
};

/* `size`: bytes of a record, struct socket_record included; a multiple of 8.
 * Returns NULL if memory runs out. The caller frees it with
 * socket_table_free(), which accepts NULL. */
struct socket_table *socket_table_new(size_t size);
void socket_table_free(struct socket_table *t);

/* Begins a walk: a dump of all sockets. */
void socket_table_begin(struct socket_table *t);

/* Returns the record of the socket that comes next in the walk, or NULL if the
 * table has none; socket_table_add() may then add it. */
struct socket_record *socket_table_next(struct socket_table *t,
                                        uint64_t cookie);

/* Adds a record for a cookie that socket_table_next() did not find. Its mark is
 * 1, the caller's part is zeroed. Returns NULL if memory runs out. Pointers to
 * records are valid until the next call of this function or of
 * socket_table_compact(). */
struct socket_record *socket_table_add(struct socket_table *t, uint64_t cookie);

/* Returns the record of the cookie, or NULL; does not count as a step of a
 * walk. */
struct socket_record *socket_table_find(const struct socket_table *t,
                                        uint64_t cookie);

/* Removes the record. It stays readable until the next socket_table_add() or
 * socket_table_compact(). */
void socket_table_remove(struct socket_table *t, struct socket_record *record);

/* Returns the record that the walk probably meets `steps` steps later (1: the
 * next one), or NULL if that is not known. Prefetch hint only: the record may
 * be stale or free. */
const struct socket_record *socket_table_ahead(const struct socket_table *t,
                                               uint32_t steps);

/* For loops over all records: numbers are below socket_table_end();
 * socket_table_at() returns NULL if the record of that number is free. */
uint32_t socket_table_end(const struct socket_table *t);
struct socket_record *socket_table_at(const struct socket_table *t, uint32_t i);

/* Returns the number of records that are not free. */
size_t socket_table_count(const struct socket_table *t);

/* Moves the records together and returns memory to the system if fewer than
 * half of them are in use. */
void socket_table_compact(struct socket_table *t);

/* Removes all records and returns their memory. */
void socket_table_clear(struct socket_table *t);

#endif
