/* One distribution: values of one interval, and exact statistics of them.
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

/* All of it in one line of the cache. */
struct distribution {
  _Alignas(64) uint64_t sum; /* wraps never in practice: 2^64 bytes/s */
  uint64_t min, max;         /* undefined where count is 0 */
  struct buffer small; /* uint32_t: the values that were kept, in any order */
  struct distribution_large *large; /* NULL: none */
  uint32_t small_count;
  uint32_t count; /* of all: a host has not so many sockets that it wraps */
  /* A value of the last interval, the one that most had, if one was: it is not
   * kept, but counted, by what count exceeds those that are kept. */
  uint32_t usual;
  bool keep;   /* keep each value: what percentiles need */
  bool failed; /* memory ran out: no percentile of this interval */
};

void distribution_init(struct distribution *s, bool keep);
void distribution_free(
    struct distribution *s); /* what `s` owns; zeroed is legal */

/* Forgets the values; memory that the last interval did not nearly need is
 * given back. */
void distribution_reset(struct distribution *s);

/* Adds all values of another one, which keeps them where this does. */
void distribution_merge(struct distribution *s,
                        const struct distribution *part);

/* For distribution_add(): what does not fit where it nearly always does. */
void distribution_keep_other(struct distribution *s, uint64_t value);

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

/* The nearest-rank percentile: the smallest value such that at least
 * permille/1000 of the values are not above it. permille: 1 to 1000. False
 * where there is no value, or the values were not kept. Changes their order.
 * `index`: one for all percentiles of these values, see rank.h. */
bool distribution_percentile(struct distribution *s, unsigned permille,
                             struct quantile_index *index, uint64_t *out);

/* The same of an array, whose order it changes; count > 0. */
uint32_t distribution_select(uint32_t *value, size_t count, unsigned permille);

#endif
