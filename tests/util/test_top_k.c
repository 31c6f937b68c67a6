/* top_k: random entries against a sort of all of them. */
#include "util/top_k.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int busier_first(const void *a, const void *b) {
  const struct top_k_entry *x = a, *y = b;
  return top_k_less(*x, *y) - top_k_less(*y, *x);
}

static void check(struct top_k *b, size_t limit, struct top_k_entry *all,
                  size_t n) {
  size_t count = 4711;
  top_k_clear(b);
  for (size_t i = 0; i < n; i++)
    top_k_offer(b, all[i]);
  qsort(all, n, sizeof(*all), busier_first);
  const struct top_k_entry *got = top_k_get(b, &count);
  assert_int_equal(count, n < limit ? n : limit);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(got[i].id, all[i].id);
    assert_true(got[i].weight == all[i].weight);
  }
}

static void kept_entries_are_those_of_a_full_sort(void **state) {
  (void)state;
  enum { MANY = 500 };
  static const size_t limits[] = {1, 2, 3, 10, 100, MANY, MANY + 1};
  struct top_k_entry all[MANY];
  srand(1);
  for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
    struct top_k *b = top_k_new(limits[k]);
    assert_non_null(b);
    for (int round = 0; round < 60; round++) {
      size_t n = (size_t)rand() % (MANY + 1);
      int kinds = round % 3 == 0 ? 4 : 100000; /* many are equally weight */
      for (uint32_t i = 0; i < n; i++)
        all[i] = (struct top_k_entry){.id = i, .weight = rand() % kinds};
      check(b, limits[k], all, n);
    }
    top_k_free(b);
  }
  top_k_free(NULL);
}

/* Rising and falling: each one of the many replaces one, or none does. */
static void rising_and_falling_offers_are_kept_right(void **state) {
  (void)state;
  enum { MANY = 1000 };
  struct top_k_entry all[MANY];
  struct top_k *b = top_k_new(7);
  for (int falls = 0; falls < 2; falls++) {
    for (uint32_t i = 0; i < MANY; i++)
      all[i] = (struct top_k_entry){.id = i, .weight = falls ? MANY - i : i};
    check(b, 7, all, MANY);
  }
  top_k_free(b);
}

static void equal_entries_come_in_the_order_of_their_numbers(void **state) {
  (void)state;
  struct top_k *b = top_k_new(3);
  size_t count;
  for (uint32_t i = 20; i-- > 0;)
    top_k_offer(b, (struct top_k_entry){.id = i, .weight = 5});
  const struct top_k_entry *got = top_k_get(b, &count);
  assert_int_equal(count, 3);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(got[i].id, i);
  top_k_clear(b);
  top_k_get(b, &count);
  assert_int_equal(count, 0);
  top_k_free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kept_entries_are_those_of_a_full_sort),
      cmocka_unit_test(rising_and_falling_offers_are_kept_right),
      cmocka_unit_test(equal_entries_come_in_the_order_of_their_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
