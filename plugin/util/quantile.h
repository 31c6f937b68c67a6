/* Selects the value of a rank in an array without sorting the array. */
#ifndef TCPINFO_UTIL_QUANTILE_H
#define TCPINFO_UTIL_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

enum { QUANTILE_BUCKETS = 2048 };

/* A histogram of an array: made by the first call, and used again by further
 * calls for the same array with the same bounds. */
struct quantile_index {
  const void *values; /* the array; NULL: not made yet */
  unsigned shift;
  uint32_t bucket[QUANTILE_BUCKETS];
};

/* Return the value that would be at `rank` (from 0, below `count`) if the array
 * were sorted. All values are from `min` to `max`; `count` is at most
 * UINT32_MAX. Change the order of the values. */
uint32_t quantile_select_32(uint32_t *values, size_t count, size_t rank,
                            uint32_t min, uint32_t max,
                            struct quantile_index *index);
uint64_t quantile_select_64(uint64_t *values, size_t count, size_t rank,
                            uint64_t min, uint64_t max,
                            struct quantile_index *index);

#endif
