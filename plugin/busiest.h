/* The busiest few of many members, found in one pass over all of them. */
#ifndef TCPINFO_BUSIEST_H
#define TCPINFO_BUSIEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct busy {
  uint32_t member;
  double busy;
};

/* Who comes after whom: the less busy one, and of equals the one with the
 * higher number. */
bool busy_less(struct busy a, struct busy b);

struct busiest;

/* `limit`: how many are kept, at least 1. NULL: out of memory. */
struct busiest *busiest_new(size_t limit);
void busiest_free(struct busiest *b);

/* Forgets them all. */
void busiest_clear(struct busiest *b);

/* One of the many. */
void busiest_offer(struct busiest *b, struct busy who);

/* The `limit` busiest of all that were offered since the last clearing, or
 * fewer where fewer were offered, the busiest first. Borrowed, until the next
 * call. */
const struct busy *busiest_get(struct busiest *b, size_t *count);

#endif
