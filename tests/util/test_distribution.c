/* distribution: exact percentiles against a sort, over many shapes of data. */
#include "util/distribution.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Nearest rank, by its definition: the first value such that at least
 * permille/1000 of all are not above it. */
static uint64_t by_sort(const uint64_t *sorted, size_t n, unsigned permille) {
  for (size_t i = 0; i < n; i++)
    if ((i + 1) * 1000 >= (uint64_t)permille * n)
      return sorted[i];
  return sorted[n - 1];
}

enum { KINDS = 10 };

static uint64_t shape(int kind, size_t i, size_t n) {
  switch (kind) {
  case 0:
    return (uint64_t)rand();
  case 1:
    return 10; /* all the same */
  case 2:
    return i; /* rising */
  case 3:
    return n - i; /* falling */
  case 4:
    return (uint64_t)rand() % 3; /* few values */
  case 5:
    return i < n / 2 ? i : n - i; /* up and down */
  case 8:                         /* one that most have, 0 among the others */
    return rand() % 4 ? 10 : (uint64_t)rand() % 40;
  case 9: /* the same, and some beyond 32 bits */
    return rand() % 4 ? 10 : UINT64_C(0xfffffff0) + (uint64_t)rand() % 32;
  case 6: /* around what has 32 bits */
    return (uint64_t)UINT32_MAX - 5 + (uint64_t)rand() % 11;
  default:
    return UINT64_MAX - (uint64_t)rand();
  }
}

/* `s` has forgotten the last interval, but for its usual value. */
static void check_values(struct distribution *s, int kind, size_t n) {
  static const unsigned permille[] = {1,   10,  250, 500, 501,
                                      900, 950, 990, 999, 1000};
  uint64_t *sorted = malloc((n + 1) * sizeof(*sorted));
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i++) {
    sorted[i] = shape(kind, i, n);
    sum += sorted[i];
    distribution_add(s, sorted[i]);
  }
  qsort(sorted, n, sizeof(*sorted), compare);
  assert_int_equal(s->count, n);
  assert_int_equal(s->sum, sum);
  assert_int_equal(s->min, sorted[0]);
  assert_int_equal(s->max, sorted[n - 1]);
  struct quantile_index index = {.values = NULL};
  for (size_t i = 0; i < sizeof(permille) / sizeof(permille[0]); i++) {
    uint64_t value = 0;
    assert_true(distribution_percentile(s, permille[i], &index, &value));
    assert_int_equal(value, by_sort(sorted, n, permille[i]));
  }
  free(sorted);
}

static void check(int kind, size_t n) {
  struct distribution s;
  distribution_init(&s, true);
  for (int interval = 0; interval < 4; interval++) {
    check_values(&s, kind, n);
    distribution_reset(&s);
  }
  distribution_free(&s);
}

static void percentiles_are_exact(void **state) {
  (void)state;
  srand(1);
  for (int kind = 0; kind < KINDS; kind++) {
    for (size_t n = 1; n < 130; n++)
      check(kind, n);
    check(kind, 20000);
  }
}

static void no_value_has_no_percentile(void **state) {
  (void)state;
  struct distribution s;
  struct quantile_index index = {.values = NULL};
  uint64_t value = 42;
  distribution_init(&s, true);
  assert_false(distribution_percentile(&s, 500, &index, &value));
  distribution_add(&s, 7);
  distribution_reset(&s);
  assert_int_equal(s.count, 0);
  assert_int_equal(s.sum, 0);
  assert_false(distribution_percentile(&s, 500, &index, &value));
  assert_int_equal(value, 42);
  distribution_add(&s, 9);
  assert_int_equal(s.min, 9);
  assert_int_equal(s.max, 9);
  distribution_free(&s);
}

static void values_not_kept_have_no_percentile(void **state) {
  (void)state;
  struct distribution s;
  struct quantile_index index = {.values = NULL};
  uint64_t value;
  distribution_init(&s, false);
  for (uint64_t i = 0; i < 1000; i++)
    distribution_add(&s, i);
  assert_null(s.small.at);
  assert_int_equal(s.sum, 999 * 1000 / 2);
  assert_false(distribution_percentile(&s, 500, &index, &value));
  distribution_free(&s);
}

/* One after the other, and put together from parts, is the same. */
static void merged_parts_equal_the_whole(void **state) {
  (void)state;
  srand(2);
  for (int kind = 0; kind < KINDS; kind++) {
    struct distribution whole, part, sum;
    struct quantile_index a = {.values = NULL}, b = {.values = NULL};
    distribution_init(&whole, true);
    distribution_init(&sum, true);
    sum.usual = 10;
    for (int parts = 0; parts < 20; parts++) {
      distribution_init(&part, true);
      part.usual = parts % 3 ? 10 : (uint32_t)parts;
      for (size_t i = 0, n = (size_t)rand() % 300; i < n; i++) {
        uint64_t value = shape(kind, i, n);
        distribution_add(&whole, value);
        distribution_add(&part, value);
      }
      distribution_merge(&sum, &part);
      distribution_free(&part);
    }
    assert_int_equal(sum.count, whole.count);
    assert_int_equal(sum.sum, whole.sum);
    assert_int_equal(sum.min, whole.min);
    assert_int_equal(sum.max, whole.max);
    for (unsigned permille = 1; permille <= 1000; permille += 37) {
      uint64_t x, y;
      assert_true(distribution_percentile(&whole, permille, &a, &x));
      assert_true(distribution_percentile(&sum, permille, &b, &y));
      assert_int_equal(x, y);
    }
    distribution_free(&whole);
    distribution_free(&sum);
  }
}

/* A part that lost values leaves the whole without percentiles. */
static void failed_part_leaves_no_percentile(void **state) {
  (void)state;
  struct distribution sum, part;
  struct quantile_index index = {.values = NULL};
  uint64_t value;
  distribution_init(&sum, true);
  distribution_init(&part, true);
  distribution_add(&sum, 1);
  distribution_add(&part, 2);
  part.failed = true;
  distribution_merge(&sum, &part);
  assert_int_equal(sum.count, 2);
  assert_int_equal(sum.max, 2);
  assert_false(distribution_percentile(&sum, 500, &index, &value));
  distribution_free(&sum);
  distribution_free(&part);
}

/* The most common value takes no memory from the second interval on. */
static void most_common_value_takes_no_memory(void **state) {
  (void)state;
  struct distribution s;
  struct quantile_index index = {.values = NULL};
  uint64_t value;
  distribution_init(&s, true);
  for (int interval = 0; interval < 2; interval++) {
    distribution_reset(&s);
    for (uint64_t i = 0; i < 1000; i++)
      distribution_add(&s, i % 4 ? 10 : i);
  }
  assert_true(s.small_count <= 250);
  assert_true(distribution_percentile(&s, 500, &index, &value));
  assert_int_equal(value, 10);
  distribution_reset(&s);
  distribution_add(&s, 7); /* then nobody has it */
  assert_true(distribution_percentile(&s, 500, &index, &value));
  assert_int_equal(value, 7);
  distribution_free(&s);
}

static void memory_is_given_back(void **state) {
  (void)state;
  struct distribution s;
  distribution_init(&s, true);
  for (uint64_t i = 0; i < 100000; i++)
    distribution_add(&s, i);
  distribution_reset(&s);
  assert_true(s.small.size >= 400000); /* the next interval is alike */
  for (uint64_t i = 0; i < 10; i++)
    distribution_add(&s, i);
  distribution_reset(&s);
  assert_true(s.small.size < 4000);
  distribution_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(percentiles_are_exact),
      cmocka_unit_test(no_value_has_no_percentile),
      cmocka_unit_test(values_not_kept_have_no_percentile),
      cmocka_unit_test(merged_parts_equal_the_whole),
      cmocka_unit_test(failed_part_leaves_no_percentile),
      cmocka_unit_test(most_common_value_takes_no_memory),
      cmocka_unit_test(memory_is_given_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
