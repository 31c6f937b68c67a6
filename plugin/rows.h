/* Rows of one size, one a socket, found by the socket's cookie.
 *
 * A dump comes in nearly the same order each time. So the order of the last
 * walk is remembered, and the row that should come next is looked at before the
 * hash: rows are fetched before they are needed, and a socket that came in
 * between costs a look at the hash only for itself. */
#ifndef TCPINFO_ROWS_H
#define TCPINFO_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rows;

/* What each row begins with; the rest is the owner's. */
struct row {
  uint64_t cookie; /* of a free row: the next free one, plus one */
  uint32_t mark;   /* the owner's, and not 0; 0: the row is free */
  uint32_t place;  /* in the order of the walk that met it last */
};

/* Rows of `size` bytes, with all that they begin with; a multiple of 8. NULL:
 * out of memory. */
struct rows *rows_new(size_t size);
void rows_free(struct rows *r);

/* A walk begins. */
void rows_begin(struct rows *r);

/* The next of the walk: its row, or NULL, where rows_add() may add it. */
struct row *rows_next(struct rows *r, uint64_t cookie);

/* A row for the cookie that rows_next() just did not know, zeroed but for what
 * it begins with; its mark is 1. NULL: out of memory. Pointers to rows are good
 * until the next call of this or of rows_compact(). */
struct row *rows_add(struct rows *r, uint64_t cookie);

/* The row of the cookie, or NULL; no part of a walk. */
struct row *rows_find(const struct rows *r, uint64_t cookie);

/* The row stays readable until it is used again. */
void rows_remove(struct rows *r, struct row *row);

/* The row that should come so many steps later in the walk, from 1; NULL: not
 * known. It may not come, and may even be free. */
const struct row *rows_ahead(const struct rows *r, uint32_t steps);

/* For walks over all: numbers are below the end; the row, or NULL where none is
 * used. */
uint32_t rows_end(const struct rows *r);
struct row *rows_at(const struct rows *r, uint32_t i);

size_t rows_count(const struct rows *r); /* used ones */

/* After many were removed: rows move together, memory is given back. */
void rows_compact(struct rows *r);

/* Removes all of them. */
void rows_clear(struct rows *r);

#endif
