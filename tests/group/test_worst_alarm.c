/* alarm: when the worst member is worth a notification, step by step. */
#include "group/worst_alarm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WARNING = 1, FAILURE = 5, LATER = WORST_ALARM_PAUSE_MS };

struct step {
  uint64_t ms; /* since the step before */
  const char *name;
  double value;
  bool says;
  enum worst_alarm_severity severity; /* then */
  const char *of;
};

static void run(const struct step *step, size_t count) {
  struct worst_alarm a = {.name = ""};
  uint64_t now = 5;
  for (size_t i = 0; i < count; i++) {
    const struct step *s = &step[i];
    now += s->ms;
    /* In two reads: one alone says nothing of another member. */
    bool says = worst_alarm_enter(&a, now, s->name, s->value, WARNING, FAILURE);
    says |= worst_alarm_enter(&a, now, s->name, s->value, WARNING, FAILURE);
    if (says != s->says)
      fail_msg("step %zu: %s", i, says ? "says it" : "says nothing");
    if (!says)
      continue;
    assert_int_equal(a.severity, s->severity);
    assert_string_equal(a.name, s->of);
  }
}
#define RUN(steps) run(steps, sizeof(steps) / sizeof((steps)[0]))

static void test_thresholds(void **state) {
  (void)state;
  static const struct step quiet[] = {
      {0, NULL, 0, false, WORST_ALARM_OKAY, ""},
      {LATER, "a", 0.999, false, WORST_ALARM_OKAY, ""},
      {LATER, NULL, 100, false, WORST_ALARM_OKAY, ""},
  };
  static const struct step warning[] = {
      {0, "a", 1, true, WORST_ALARM_WARNING, "a"},
  };
  static const struct step failure[] = {
      {0, "a", 5, true, WORST_ALARM_FAILURE, "a"},
  };
  RUN(quiet);
  RUN(warning);
  RUN(failure);
}

static void test_same_member(void **state) {
  (void)state;
  static const struct step step[] = {
      {0, "a", 2, true, WORST_ALARM_WARNING, "a"},
      {LATER, "a", 4.9, false, WORST_ALARM_OKAY, ""}, /* bad as before */
      {LATER, "a", 7, true, WORST_ALARM_FAILURE, "a"},
      {LATER, "a", 2, false, WORST_ALARM_OKAY, ""}, /* better, not good */
      {LATER, "a", 9, false, WORST_ALARM_OKAY, ""}, /* that was said */
      {LATER, "a", 0, true, WORST_ALARM_OKAY, "a"},
      {LATER, "a", 0, false, WORST_ALARM_OKAY, ""},
      {LATER, "a", 1, true, WORST_ALARM_WARNING, "a"}, /* it is back */
  };
  RUN(step);
}

static void test_another_member(void **state) {
  (void)state;
  static const struct step step[] = {
      {0, "a", 9, true, WORST_ALARM_FAILURE, "a"},
      {LATER, "b", 2, true, WORST_ALARM_WARNING, "b"},
      {LATER, "a", 2, true, WORST_ALARM_WARNING, "a"},
      {LATER, "b", 0.5, true, WORST_ALARM_OKAY, "a"}, /* not of b */
      {LATER, "b", 1.5, true, WORST_ALARM_WARNING, "b"},
      {LATER, NULL, 0, true, WORST_ALARM_OKAY, "b"}, /* nobody is judged */
  };
  RUN(step);
}

/* Not more than one in WORST_ALARM_PAUSE_MS; what is then still so is said. */
static void test_pause(void **state) {
  (void)state;
  static const struct step step[] = {
      {0, "a", 2, true, WORST_ALARM_WARNING, "a"},
      {1, "a", 9, false, WORST_ALARM_OKAY, ""},
      {1, "b", 9, false, WORST_ALARM_OKAY, ""},
      {1, NULL, 0, false, WORST_ALARM_OKAY, ""},
      {LATER - 4, "b", 2, false, WORST_ALARM_OKAY, ""},
      {1, "b", 2, true, WORST_ALARM_WARNING, "b"},
      {LATER - 1, NULL, 0, false, WORST_ALARM_OKAY, ""},
      {1, NULL, 0, true, WORST_ALARM_OKAY, "b"},
      {LATER - 1, "c", 9, false, WORST_ALARM_OKAY, ""},
      {1, "c", 9, true, WORST_ALARM_FAILURE, "c"},
  };
  RUN(step);
}

/* The longest name is known again. */
static void test_long_name(void **state) {
  (void)state;
  char name[WORST_ALARM_NAME_MAX];
  struct worst_alarm a = {.name = ""};
  memset(name, 'n', sizeof(name) - 1);
  name[sizeof(name) - 1] = '\0';
  assert_false(worst_alarm_enter(&a, 0, name, 2, WARNING, FAILURE));
  assert_true(worst_alarm_enter(&a, 0, name, 2, WARNING, FAILURE));
  assert_string_equal(a.name, name);
  assert_false(worst_alarm_enter(&a, LATER, name, 2, WARNING, FAILURE));
}

/* Another one in each read, as visitors are: nobody is told. */
static void test_visitors(void **state) {
  (void)state;
  struct worst_alarm a = {.name = ""};
  for (unsigned i = 0; i < 1000; i++) {
    char name[16];
    snprintf(name, sizeof(name), "v%u", i);
    assert_false(worst_alarm_enter(&a, i * 10000, name, 9, WARNING, FAILURE));
  }
}

/* Around the threshold: told once, and once that it is over. */
static void test_around(void **state) {
  (void)state;
  struct worst_alarm a = {.name = ""};
  unsigned told = 0;
  for (unsigned i = 0; i < 1000; i++)
    told += worst_alarm_enter(&a, i * 10000, "a", i % 3 ? 1.1 : 0.9, WARNING,
                              FAILURE);
  assert_int_equal(told, 1);
  for (unsigned i = 1000; i < 1100; i++)
    told += worst_alarm_enter(&a, i * 10000, "a", 0.9, WARNING, FAILURE);
  assert_int_equal(told, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_visitors),       cmocka_unit_test(test_around),
      cmocka_unit_test(test_thresholds),     cmocka_unit_test(test_same_member),
      cmocka_unit_test(test_another_member), cmocka_unit_test(test_pause),
      cmocka_unit_test(test_long_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
