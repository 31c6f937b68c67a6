/* The value of a rank among many, without sorting them. */
#ifndef TCPINFO_UTIL_QUANTILE_H
#define TCPINFO_UTIL_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

enum { QUANTILE_BUCKETS = 2048 };

/* How the values of an array are spread: made by the first rank that is asked
 * for, and of use to the next ones of the same array. */
struct quantile_index {
  const void *values; /* of which array; NULL: not made yet */
  unsigned shift;
  uint32_t bucket[QUANTILE_BUCKETS];
};

/* The value that would stand at `rank` (from 0, below `count`) if they were
 * sorted. All are from `min` to `max`. Changes their order; `count` is at most
 * UINT32_MAX. */
uint32_t quantile_select_32(uint32_t *values, size_t count, size_t rank,
                            uint32_t min, uint32_t max,
                            struct quantile_index *index);
uint64_t quantile_select_64(uint64_t *values, size_t count, size_t rank,
                            uint64_t min, uint64_t max,
                            struct quantile_index *index);

#endif
