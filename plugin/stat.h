/* One distribution: values of one interval, and exact statistics of them.
 *
 * Values are whole numbers in the kernel's unit, so that sums are exact. */
#ifndef TCPINFO_STAT_H
#define TCPINFO_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values as they came, in any order. */
struct stat_kept {
  void *value;
  size_t count, capacity;
};

struct stat_values {
  uint64_t count;
  uint64_t min, max;      /* undefined where count is 0 */
  uint64_t sum;           /* wraps never in practice: 2^64 bytes/s of a group */
  bool keep;              /* keep each value: what percentiles need */
  bool failed;            /* memory ran out: no percentile of this interval */
  struct stat_kept small; /* uint32_t: nearly all are */
  struct stat_kept large; /* uint64_t: above UINT32_MAX */
};

void stat_init(struct stat_values *s, bool keep);
void stat_free(struct stat_values *s); /* what `s` owns; zeroed is legal */

/* Forgets the values; memory that the last interval did not nearly need is
 * given back. */
void stat_reset(struct stat_values *s);

void stat_add(struct stat_values *s, uint64_t value);

/* The nearest-rank percentile: the smallest value such that at least
 * permille/1000 of the values are not above it. permille: 1 to 1000. False
 * where there is no value, or the values were not kept. Changes their order. */
bool stat_percentile(struct stat_values *s, unsigned permille, uint64_t *out);

/* The same of an array, whose order it changes; count > 0. */
uint32_t stat_select(uint32_t *value, size_t count, unsigned permille);

#endif
