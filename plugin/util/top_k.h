/* The busiest few of many members, found in one pass over all of them. */
#ifndef TCPINFO_UTIL_TOP_K_H
#define TCPINFO_UTIL_TOP_K_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct top_k_entry {
  uint32_t member;
  double busy;
};

/* Who comes after whom: the less busy one, and of equals the one with the
 * higher number. */
bool top_k_less(struct top_k_entry a, struct top_k_entry b);

struct top_k;

/* `limit`: how many are kept, at least 1. NULL: out of memory. */
struct top_k *top_k_new(size_t limit);
void top_k_free(struct top_k *b);

/* Forgets them all. */
void top_k_clear(struct top_k *b);

/* One of the many. */
void top_k_offer(struct top_k *b, struct top_k_entry who);

/* The `limit` busiest of all that were offered since the last clearing, or
 * fewer where fewer were offered, the busiest first. Borrowed, until the next
 * call. */
const struct top_k_entry *top_k_get(struct top_k *b, size_t *count);

#endif
