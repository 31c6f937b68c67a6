/* A long array is counted into buckets by the leading bits of its values. The
 * values in the bucket of the wanted rank move to the front and are counted by
 * their next bits, until few are left; quickselect searches those. Each step
 * reads memory in order, and the first count serves later ranks.
 *
 * The functions serve values of both widths: `width` is a constant wherever
 * they are inlined. */
#include "util/quantile.h"

#include <stdbool.h>
#include <string.h>

enum { FEW = 1024 };

static inline uint64_t get(const void *values, size_t i, unsigned width) {
  if (width == 4)
    return ((const uint32_t *)values)[i];
  return ((const uint64_t *)values)[i];
}

static inline void swap(void *values, size_t i, size_t k, unsigned width) {
  if (width == 4) {
    uint32_t *v = values, t = v[i];
    v[i] = v[k];
    v[k] = t;
  } else {
    uint64_t *v = values, t = v[i];
    v[i] = v[k];
    v[k] = t;
  }
}

static uint64_t median_of_3(uint64_t a, uint64_t b, uint64_t c) {
  if (a < b)
    return b < c ? b : (a < c ? c : a);
  return a < c ? a : (b < c ? c : b);
}

/* Quickselect with three-way partition, because it must not become quadratic if
 * many sockets share one value (cwnd 10). */
static inline uint64_t select_few(void *v, size_t n, size_t rank,
                                  unsigned width) {
  size_t low = 0, high = n; /* rank is in [low, high) */
  while (high - low > 1) {
    uint64_t pivot =
        median_of_3(get(v, low, width), get(v, low + (high - low) / 2, width),
                    get(v, high - 1, width));
    size_t less = low, at = low, more = high;
    while (at < more) {
      uint64_t value = get(v, at, width);
      if (value < pivot)
        swap(v, less++, at++, width);
      else if (value > pivot)
        swap(v, at, --more, width);
      else
        at++;
    }
    if (rank < less)
      high = less;
    else if (rank >= more)
      low = more;
    else
      return pivot;
  }
  return get(v, low, width);
}

/* Returns the shift that makes the range fit into the buckets. */
static unsigned shift_for(uint64_t range) {
  unsigned shift = 0;
  while (range >> shift >= QUANTILE_BUCKETS)
    shift++;
  return shift;
}

static inline void index_make(struct quantile_index *x, const void *values,
                              size_t count, uint64_t min, uint64_t max,
                              unsigned width) {
  memset(x->bucket, 0, sizeof(x->bucket));
  x->values = values;
  x->shift = shift_for(max - min);
  for (size_t i = 0; i < count; i++)
    x->bucket[(get(values, i, width) - min) >> x->shift]++;
}

/* Moves the values of a bucket to the front and returns their number. */
static inline size_t gather(void *values, size_t count, uint64_t min,
                            uint64_t bucket, unsigned shift, unsigned width) {
  size_t found = 0;
  for (size_t i = 0; i < count; i++)
    if ((get(values, i, width) - min) >> shift == bucket)
      swap(values, i, found++, width);
  return found;
}

static inline uint64_t rank_get(void *values, size_t count, size_t rank,
                                uint64_t min, uint64_t max,
                                struct quantile_index *index, unsigned width) {
  struct quantile_index inner, *x = index;
  bool made = x->values == values;
  while (count > FEW && min < max) {
    if (!made)
      index_make(x, values, count, min, max, width);
    uint64_t bucket = 0;
    for (; rank >= x->bucket[bucket]; bucket++)
      rank -= x->bucket[bucket];
    unsigned shift = x->shift;
    min += bucket << shift;
    if (shift == 0)
      return min;
    count =
        gather(values, count, min - (bucket << shift), bucket, shift, width);
    uint64_t range = ((uint64_t)1 << shift) - 1;
    max = range < max - min ? min + range : max;
    x = &inner;
    made = false;
  }
  return min < max ? select_few(values, count, rank, width) : min;
}

uint32_t quantile_select_32(uint32_t *values, size_t count, size_t rank,
                            uint32_t min, uint32_t max,
                            struct quantile_index *index) {
  return (uint32_t)rank_get(values, count, rank, min, max, index, 4);
}

uint64_t quantile_select_64(uint64_t *values, size_t count, size_t rank,
                            uint64_t min, uint64_t max,
                            struct quantile_index *index) {
  return rank_get(values, count, rank, min, max, index, 8);
}
