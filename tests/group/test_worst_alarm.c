/* worst_alarm: when a notification about the worst member is due, step by step.
 */
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
  bool due;
  enum worst_alarm_severity severity; /* if due */
  const char *notified;
};

static void run(const struct step *step, size_t count) {
  struct worst_alarm a = {.name = ""};
  uint64_t now = 5;
  for (size_t i = 0; i < count; i++) {
    const struct step *s = &step[i];
    now += s->ms;
    /* In two reads: the first one alone says nothing about another member. */
    bool due = worst_alarm_enter(&a, now, s->name, s->value, WARNING, FAILURE);
    due |= worst_alarm_enter(&a, now, s->name, s->value, WARNING, FAILURE);
    if (due != s->due)
      fail_msg("step %zu: %s", i, due ? "due" : "not due");
    if (!due)
      continue;
    assert_int_equal(a.severity, s->severity);
    assert_string_equal(a.name, s->notified);
  }
}
#define RUN(steps) run(steps, sizeof(steps) / sizeof((steps)[0]))

static void a_value_at_a_threshold_is_not_okay(void **state) {
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

static void the_same_member_is_notified_again_if_more_severe(void **state) {
  (void)state;
  static const struct step step[] = {
      {0, "a", 2, true, WORST_ALARM_WARNING, "a"},
      {LATER, "a", 4.9, false, WORST_ALARM_OKAY, ""}, /* as severe as before */
      {LATER, "a", 7, true, WORST_ALARM_FAILURE, "a"},
      {LATER, "a", 2, false, WORST_ALARM_OKAY, ""}, /* less severe, not okay */
      {LATER, "a", 9, false, WORST_ALARM_OKAY, ""}, /* was notified */
      {LATER, "a", 0, true, WORST_ALARM_OKAY, "a"},
      {LATER, "a", 0, false, WORST_ALARM_OKAY, ""},
      {LATER, "a", 1, true, WORST_ALARM_WARNING, "a"}, /* not okay again */
  };
  RUN(step);
}

static void another_member_is_notified(void **state) {
  (void)state;
  static const struct step step[] = {
      {0, "a", 9, true, WORST_ALARM_FAILURE, "a"},
      {LATER, "b", 2, true, WORST_ALARM_WARNING, "b"},
      {LATER, "a", 2, true, WORST_ALARM_WARNING, "a"},
      {LATER, "b", 0.5, true, WORST_ALARM_OKAY, "a"}, /* b was not notified */
      {LATER, "b", 1.5, true, WORST_ALARM_WARNING, "b"},
      {LATER, NULL, 0, true, WORST_ALARM_OKAY, "b"}, /* no member is measured */
  };
  RUN(step);
}

/* At most one notification in WORST_ALARM_PAUSE_MS; what still holds after it
 * is notified then. */
static void notifications_keep_a_pause(void **state) {
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

/* The longest name is recognized in the next read. */
static void the_longest_name_is_recognized(void **state) {
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

/* The worst member is another one in each read: no notification. */
static void short_lived_members_cause_no_notification(void **state) {
  (void)state;
  struct worst_alarm a = {.name = ""};
  for (unsigned i = 0; i < 1000; i++) {
    char name[16];
    snprintf(name, sizeof(name), "v%u", i);
    assert_false(worst_alarm_enter(&a, i * 10000, name, 9, WARNING, FAILURE));
  }
}

/* The value moves around the threshold: one notification, and one when it stays
 * below. */
static void a_value_around_the_threshold_is_notified_once(void **state) {
  (void)state;
  struct worst_alarm a = {.name = ""};
  unsigned notified = 0;
  for (unsigned i = 0; i < 1000; i++)
    notified += worst_alarm_enter(&a, i * 10000, "a", i % 3 ? 1.1 : 0.9,
                                  WARNING, FAILURE);
  assert_int_equal(notified, 1);
  for (unsigned i = 1000; i < 1100; i++)
    notified += worst_alarm_enter(&a, i * 10000, "a", 0.9, WARNING, FAILURE);
  assert_int_equal(notified, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(short_lived_members_cause_no_notification),
      cmocka_unit_test(a_value_around_the_threshold_is_notified_once),
      cmocka_unit_test(a_value_at_a_threshold_is_not_okay),
      cmocka_unit_test(the_same_member_is_notified_again_if_more_severe),
      cmocka_unit_test(another_member_is_notified),
      cmocka_unit_test(notifications_keep_a_pause),
      cmocka_unit_test(the_longest_name_is_recognized),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
