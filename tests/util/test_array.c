/* array: growing, shrinking, and sizes that cannot be. */
#include "util/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct item {
  uint64_t number;
  char more[13];
};

static void items_stay_while_an_array_grows_and_shrinks(void **state) {
  (void)state;
  struct item *item = NULL;
  size_t count = 0;
  while (count < 1000) {
    assert_true(ARRAY_RESIZE(item, count + 1));
    item[count] = (struct item){.number = count};
    count++;
  }
  assert_true(ARRAY_RESIZE(item, 10));
  for (size_t i = 0; i < 10; i++)
    assert_int_equal(item[i].number, i);
  free(item);
}

static void impossible_sizes_leave_the_array_as_it_was(void **state) {
  (void)state;
  static const size_t impossible[] = {0, SIZE_MAX, SIZE_MAX / 2,
                                      SIZE_MAX / sizeof(struct item) +
                                          1, /* a few bytes if it wrapped */
                                      SIZE_MAX / sizeof(struct item) + 2};
  struct item *item = NULL;
  for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++)
    assert_false(ARRAY_RESIZE(item, impossible[i]));
  assert_null(item);
  assert_true(ARRAY_RESIZE(item, 1));
  struct item *before = item;
  item->number = 7;
  for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++)
    assert_false(ARRAY_RESIZE(item, impossible[i]));
  assert_ptr_equal(item, before);
  assert_int_equal(item->number, 7);
  free(item);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(items_stay_while_an_array_grows_and_shrinks),
      cmocka_unit_test(impossible_sizes_leave_the_array_as_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
