/* name_registry: to whom names belong, and the counters that go on under them.
 */
#include "group/name_registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { NUMBERS = 2, MOST = 1000 };

static int holder[2];

static enum name_claim ask(const struct name_registry *l, const char *name,
                           uint64_t owner) {
  void *found = NULL;
  enum name_claim claim = name_registry_ask(l, name, owner, &found);
  assert_int_equal(found != NULL, claim == NAME_IN_USE);
  return claim;
}

static void name_belongs_to_its_first_owner_for_good(void **state) {
  (void)state;
  const uint64_t counters[NUMBERS] = {7, 8};
  struct name_registry *l = name_registry_new(NUMBERS, MOST);
  assert_int_equal(ask(l, "a", 1), NAME_FREE);
  const uint64_t *start = name_registry_take(l, "a", 1, &holder[0]);
  assert_int_equal(start[0], 0);
  assert_int_equal(start[1], 0);
  assert_int_equal(ask(l, "a", 1), NAME_IN_USE);
  assert_int_equal(ask(l, "a", 2), NAME_FOREIGN);
  assert_int_equal(ask(l, "b", 1), NAME_FREE);
  name_registry_give_back(l, "a", counters);
  assert_int_equal(ask(l, "a", 1), NAME_FREE);
  assert_int_equal(ask(l, "a", 2), NAME_FOREIGN);
  start = name_registry_take(l, "a", 1, &holder[1]);
  assert_int_equal(start[0], 7);
  assert_int_equal(start[1], 8);
  void *found = NULL;
  name_registry_ask(l, "a", 1, &found);
  assert_ptr_equal(found, &holder[1]);
  name_registry_free(l);
}

/* '.' is '_' in Graphite. */
static void names_that_a_back_end_makes_one_are_one(void **state) {
  (void)state;
  struct name_registry *l = name_registry_new(NUMBERS, MOST);
  name_registry_take(l, "nginx.service", 1, &holder[0]);
  assert_int_equal(ask(l, "nginx_service", 2), NAME_FOREIGN);
  assert_int_equal(ask(l, "nginx-service", 2), NAME_FREE);
  assert_int_equal(ask(l, "nginx@service", 2), NAME_FREE);
  assert_int_equal(ask(l, "NGINX_service", 2), NAME_FREE);
  assert_int_equal(ask(l, "nginx.servic", 2), NAME_FREE);
  name_registry_free(l);
}

static void every_name_is_remembered_until_there_are_too_many(void **state) {
  (void)state;
  struct name_registry *l = name_registry_new(NUMBERS, MOST);
  char name[16];
  for (uint64_t i = 0; i < MOST; i++) {
    assert_int_equal(name_registry_is_scarce(l), i > MOST / 2);
    assert_false(name_registry_is_full(l));
    snprintf(name, sizeof(name), "n%d", (int)i);
    assert_int_equal(ask(l, name, i), NAME_FREE);
    name_registry_take(l, name, i, &holder[0]);
    name_registry_give_back(l, name, (const uint64_t[]){i, 2 * i});
  }
  assert_true(name_registry_is_full(l));
  assert_int_equal(ask(l, "new", 5), NAME_REFUSED);
  for (uint64_t i = 0; i < MOST; i++) {
    snprintf(name, sizeof(name), "n%d", (int)i);
    assert_int_equal(ask(l, name, i), NAME_FREE);
    const uint64_t *start = name_registry_take(l, name, i, &holder[0]);
    assert_int_equal(start[0], i);
    assert_int_equal(start[1], 2 * i);
  }
  name_registry_free(l);
}

static void nothing_can_be_freed(void **state) {
  (void)state;
  name_registry_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(name_belongs_to_its_first_owner_for_good),
      cmocka_unit_test(names_that_a_back_end_makes_one_are_one),
      cmocka_unit_test(every_name_is_remembered_until_there_are_too_many),
      cmocka_unit_test(nothing_can_be_freed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
