/* The value of a rank among many, without sorting them. */
#ifndef TCPINFO_RANK_H
#define TCPINFO_RANK_H

#include <stddef.h>
#include <stdint.h>

enum { RANK_BUCKETS = 2048 };

/* How the values of an array are spread: made by the first rank that is asked
 * for, and of use to the next ones of the same array. */
struct rank_index {
  const void *values; /* of which array; NULL: not made yet */
  unsigned shift;
  uint32_t bucket[RANK_BUCKETS];
};

/* The value that would stand at `rank` (from 0, below `count`) if they were
 * sorted. All are from `min` to `max`. Changes their order; `count` is at most
 * UINT32_MAX. */
uint32_t rank_get_32(uint32_t *values, size_t count, size_t rank, uint32_t min,
                     uint32_t max, struct rank_index *index);
uint64_t rank_get_64(uint64_t *values, size_t count, size_t rank, uint64_t min,
                     uint64_t max, struct rank_index *index);

#endif
