/* The values of one interval, and exact statistics of them.
 *
 * Values are whole numbers in the kernel's unit, so that sums are exact. */
#ifndef TCPINFO_UTIL_DISTRIBUTION_H
#define TCPINFO_UTIL_DISTRIBUTION_H

#include "util/buffer.h"
#include "util/quantile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct distribution_large; /* values above UINT32_MAX, which are few */

/* Fits in one cache line. */
struct distribution {
  _Alignas(64) uint64_t sum; /* 2^64 is never reached in practice */
  uint64_t min, max;         /* undefined if count is 0 */
  struct buffer small;       /* uint32_t: the kept values, in any order */
  struct distribution_large *large; /* NULL: none */
  uint32_t small_count;
  uint32_t count; /* of all values; no host has 2^32 sockets */
  /* The most common value of the last interval, if there was one; else any. It
   * is not kept but counted: it came as often as `count` exceeds the number of
   * kept values. */
  uint32_t usual;
  bool keep;   /* keep each value, for percentiles */
  bool failed; /* memory ran out: no percentile of this interval */
};

/* `keep`: percentiles are wanted. Allocates nothing. */
void distribution_init(struct distribution *s, bool keep);

/* Frees the memory that `s` owns; a zeroed `s` is legal. */
void distribution_free(struct distribution *s);

/* Forgets the values, and gives memory back that was far larger than the last
 * interval needed. */
void distribution_reset(struct distribution *s);

/* Adds all values of `part`, which must keep its values if `s` does. */
void distribution_merge(struct distribution *s,
                        const struct distribution *part);

/* For distribution_add() only: keeps a value for which there is no room yet, or
 * that is above UINT32_MAX. */
void distribution_keep_other(struct distribution *s, uint64_t value);

/* Adds one value. If memory runs out, the interval has no percentiles; all
 * other statistics stay exact. */
static inline void distribution_add(struct distribution *s, uint64_t value) {
  if (s->keep && value != s->usual) {
    if (value <= UINT32_MAX && s->small_count < s->small.size / 4)
      ((uint32_t *)s->small.at)[s->small_count++] = (uint32_t)value;
    else
      distribution_keep_other(s, value);
  }
  s->min = s->count == 0 || value < s->min ? value : s->min;
  s->max = s->count == 0 || value > s->max ? value : s->max;
  s->sum += value;
  s->count++;
}

/* Stores the nearest-rank percentile: the smallest value such that at least
 * permille/1000 of the values are not above it. permille: 1 to 1000. False if
 * there is no value, or the values were not kept. Changes their order. `index`:
 * the same for all percentiles of these values, see util/quantile.h. */
bool distribution_percentile(struct distribution *s, unsigned permille,
                             struct quantile_index *index, uint64_t *out);

/* Returns the same of an array, whose order it changes; count > 0. */
uint32_t distribution_select(uint32_t *value, size_t count, unsigned permille);

#endif
