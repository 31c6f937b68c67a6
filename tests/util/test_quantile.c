/* quantile: against a sort, over shapes that leading bits tell apart well,
 * badly or not at all. */
#include "util/quantile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 5000, SHAPES = 8 };

static uint64_t random_64(void) {
  return (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
}

static uint64_t shape(int kind, size_t i) {
  switch (kind) {
  case 0:
    return random_64();
  case 1: /* one far above all others, so that those share a bucket */
    return i == 77 ? UINT64_MAX : (uint64_t)rand() % 5000;
  case 2: /* the same at every step */
    return (uint64_t)1 << i % 64;
  case 3:
    return 42;
  case 4: /* two neighbours */
    return UINT64_MAX - (i & 1);
  case 7: /* up to the last value that there is */
    return UINT64_MAX - (uint64_t)rand() % (1u << 30);
  case 5: /* fewer than there are buckets */
    return 1000 + (uint64_t)rand() % 2000;
  default: /* clusters of clusters */
    return ((uint64_t)rand() % 3 << 60) + ((uint64_t)rand() % 3 << 40) +
           ((uint64_t)rand() % 3 << 20) + (uint64_t)rand() % 3;
  }
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void check(int kind, size_t count, bool narrow) {
  static uint64_t wide[MANY], sorted[MANY];
  static uint32_t small[MANY];
  for (size_t i = 0; i < count; i++) {
    sorted[i] = shape(kind, i);
    if (narrow)
      sorted[i] = (uint32_t)(sorted[i] >> (kind == 0 || kind == 6 ? 32 : 0));
    wide[i] = sorted[i];
    small[i] = (uint32_t)sorted[i];
  }
  qsort(sorted, count, sizeof(sorted[0]), compare);
  uint64_t min = sorted[0], max = sorted[count - 1];
  struct quantile_index index = {.values = NULL};
  for (size_t rank = 0; rank < count; rank += 1 + count / 40)
    assert_int_equal(
        sorted[rank],
        narrow ? quantile_select_32(small, count, rank, (uint32_t)min,
                                    (uint32_t)max, &index)
               : quantile_select_64(wide, count, rank, min, max, &index));
  /* Only their order changed. */
  for (size_t i = 0; narrow && i < count; i++)
    wide[i] = small[i];
  qsort(wide, count, sizeof(wide[0]), compare);
  assert_memory_equal(wide, sorted, count * sizeof(wide[0]));
}

static void every_rank_is_that_of_the_sorted_values(void **state) {
  (void)state;
  static const size_t counts[] = {1, 2, 3, 100, 1023, 1024, 1025, MANY};
  srand(4);
  for (int kind = 0; kind < SHAPES; kind++)
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
      check(kind, counts[i], false);
      check(kind, counts[i], true);
    }
}

/* Bounds that no value reaches are bounds, too. */
static void bounds_may_be_wider_than_the_values(void **state) {
  (void)state;
  static uint32_t v[MANY];
  struct quantile_index index = {.values = NULL};
  for (uint32_t i = 0; i < MANY; i++)
    v[i] = 100 + (i * 7919) % MANY;
  for (size_t rank = 0; rank < MANY; rank += 97)
    assert_int_equal(quantile_select_32(v, MANY, rank, 0, UINT32_MAX, &index),
                     100 + rank);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_rank_is_that_of_the_sorted_values),
      cmocka_unit_test(bounds_may_be_wider_than_the_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
