/* buffer: the content of a piece of memory while it grows and shrinks, below
 * and above the size from which it is mapped. */
#include "util/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LARGEST = 1 << 20 };

static void check(const struct buffer *p, const uint8_t *model) {
  if (p->size > 0)
    assert_memory_equal(p->at, model, p->size);
  else
    assert_null(p->at);
}

/* Against an array that is zeroed wherever it is cut. */
static void bytes_stay_and_new_bytes_are_zero(void **state) {
  (void)state;
  struct buffer p = {.at = NULL};
  uint8_t *model = calloc(1, LARGEST);
  srand(3);
  for (int i = 0; i < 3000; i++) {
    size_t size = (size_t)rand() % (i % 3 == 0 ? 4000 : LARGEST);
    if (i % 5 == 0)
      size = p.size + (size_t)rand() % 100;
    size = size < LARGEST ? size : LARGEST;
    assert_true(buffer_resize(&p, size));
    assert_int_equal(p.size, size);
    memset(model + size, 0, LARGEST - size);
    check(&p, model);
    for (int k = 0; k < 20 && size > 0; k++) {
      size_t at = (size_t)rand() % size;
      ((uint8_t *)p.at)[at] = model[at] = (uint8_t)rand();
    }
    if (size > 0)
      ((uint8_t *)p.at)[size - 1] = model[size - 1] = 1;
  }
  assert_true(buffer_resize(&p, 0));
  check(&p, model);
  free(model);
}

/* More than there can be: it stays as it was, small or large. */
static void failed_growth_changes_nothing(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 100, 500000};
  for (size_t i = 0; i < 3; i++) {
    struct buffer p = {.at = NULL};
    assert_true(buffer_resize(&p, sizes[i]));
    if (sizes[i] > 0)
      memset(p.at, 7, sizes[i]);
    assert_false(buffer_resize(&p, SIZE_MAX / 4));
    assert_int_equal(p.size, sizes[i]);
    for (size_t k = 0; k < sizes[i]; k++)
      assert_int_equal(((uint8_t *)p.at)[k], 7);
    buffer_resize(&p, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_stay_and_new_bytes_are_zero),
      cmocka_unit_test(failed_growth_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
