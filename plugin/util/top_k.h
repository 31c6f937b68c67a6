/* Finds the few of many entries that have the most weight, in one pass over all
 * of them. */
#ifndef TCPINFO_UTIL_TOP_K_H
#define TCPINFO_UTIL_TOP_K_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct top_k_entry {
  uint32_t id;
  double weight;
};

/* True if `a` ranks below `b`: if it has less weight or, if both weigh the
 * same, has the higher number. */
bool top_k_less(struct top_k_entry a, struct top_k_entry b);

struct top_k;

/* `limit`: the number of entries to find, at least 1. NULL: out of memory. */
struct top_k *top_k_new(size_t limit);
void top_k_free(struct top_k *t); /* NULL is legal */

/* Forgets all entries. */
void top_k_clear(struct top_k *t);

/* Adds one of the many entries. */
void top_k_offer(struct top_k *t, struct top_k_entry entry);

/* Returns the `limit` heaviest entries that were offered since the last
 * top_k_clear(), or fewer if fewer were offered, the heaviest first. Borrowed
 * until the next call. */
const struct top_k_entry *top_k_get(struct top_k *t, size_t *count);

#endif
