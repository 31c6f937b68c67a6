/* busiest: random members against a sort of them all. */
#include "busiest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int busier_first(const void *a, const void *b) {
  const struct busy *x = a, *y = b;
  return busy_less(*x, *y) - busy_less(*y, *x);
}

static void check(struct busiest *b, size_t limit, struct busy *all, size_t n) {
  size_t count = 4711;
  busiest_clear(b);
  for (size_t i = 0; i < n; i++)
    busiest_offer(b, all[i]);
  qsort(all, n, sizeof(*all), busier_first);
  const struct busy *got = busiest_get(b, &count);
  assert_int_equal(count, n < limit ? n : limit);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(got[i].member, all[i].member);
    assert_true(got[i].busy == all[i].busy);
  }
}

static void test_random(void **state) {
  (void)state;
  enum { MANY = 500 };
  static const size_t limits[] = {1, 2, 3, 10, 100, MANY, MANY + 1};
  struct busy all[MANY];
  srand(1);
  for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
    struct busiest *b = busiest_new(limits[k]);
    assert_non_null(b);
    for (int round = 0; round < 60; round++) {
      size_t n = (size_t)rand() % (MANY + 1);
      int kinds = round % 3 == 0 ? 4 : 100000; /* many are equally busy */
      for (uint32_t i = 0; i < n; i++)
        all[i] = (struct busy){.member = i, .busy = rand() % kinds};
      check(b, limits[k], all, n);
    }
    busiest_free(b);
  }
  busiest_free(NULL);
}

/* Rising and falling: each one of the many replaces one, or none does. */
static void test_order(void **state) {
  (void)state;
  enum { MANY = 1000 };
  struct busy all[MANY];
  struct busiest *b = busiest_new(7);
  for (int falls = 0; falls < 2; falls++) {
    for (uint32_t i = 0; i < MANY; i++)
      all[i] = (struct busy){.member = i, .busy = falls ? MANY - i : i};
    check(b, 7, all, MANY);
  }
  busiest_free(b);
}

/* Who is equally busy comes in the order of the numbers. */
static void test_equal(void **state) {
  (void)state;
  struct busiest *b = busiest_new(3);
  size_t count;
  for (uint32_t i = 20; i-- > 0;)
    busiest_offer(b, (struct busy){.member = i, .busy = 5});
  const struct busy *got = busiest_get(b, &count);
  assert_int_equal(count, 3);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(got[i].member, i);
  busiest_clear(b);
  busiest_get(b, &count);
  assert_int_equal(count, 0);
  busiest_free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_equal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
