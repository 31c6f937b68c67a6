/* Rows of one size, one a socket, found by the socket's cookie.
 *
 * A dump comes in nearly the same order each time. So the order of the last
 * walk is remembered, and the row that should come next is looked at before the
 * hash: rows are fetched before they are needed, and a socket that came in
 * between costs a look at the hash only for itself. */
#ifndef TCPINFO_CONNECTION_SOCKET_TABLE_H
#define TCPINFO_CONNECTION_SOCKET_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct socket_table;

/* What each row begins with; the rest is the owner's. */
struct socket_row {
  uint64_t cookie; /* of a free row: the next free one, plus one */
  uint32_t mark;   /* the owner's, and not 0; 0: the row is free */
  uint32_t place;  /* in the order of the walk that met it last */
};

/* Rows of `size` bytes, with all that they begin with; a multiple of 8. NULL:
 * out of memory. */
struct socket_table *socket_table_new(size_t size);
void socket_table_free(struct socket_table *r);

/* A walk begins. */
void socket_table_begin(struct socket_table *r);

/* The next of the walk: its row, or NULL, where socket_table_add() may add it.
 */
struct socket_row *socket_table_next(struct socket_table *r, uint64_t cookie);

/* A row for the cookie that socket_table_next() just did not know, zeroed but
 * for what it begins with; its mark is 1. NULL: out of memory. Pointers to rows
 * are good until the next call of this or of socket_table_compact(). */
struct socket_row *socket_table_add(struct socket_table *r, uint64_t cookie);

/* The row of the cookie, or NULL; no part of a walk. */
struct socket_row *socket_table_find(const struct socket_table *r,
                                     uint64_t cookie);

/* The row stays readable until it is used again. */
void socket_table_remove(struct socket_table *r, struct socket_row *row);

/* The row that should come so many steps later in the walk, from 1; NULL: not
 * known. It may not come, and may even be free. */
const struct socket_row *socket_table_ahead(const struct socket_table *r,
                                            uint32_t steps);

/* For walks over all: numbers are below the end; the row, or NULL where none is
 * used. */
uint32_t socket_table_end(const struct socket_table *r);
struct socket_row *socket_table_at(const struct socket_table *r, uint32_t i);

size_t socket_table_count(const struct socket_table *r); /* used ones */

/* After many were removed: rows move together, memory is given back. */
void socket_table_compact(struct socket_table *r);

/* Removes all of them. */
void socket_table_clear(struct socket_table *r);

#endif
