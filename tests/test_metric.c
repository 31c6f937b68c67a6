/* metric: the table is whole and of stock types, statistics parse and print. */
#include "metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What each type is in the stock types.db: derives never get a gauge. */
static bool is_derive(const char *type) {
  static const char *const derive[] = {"total_bytes", "packets",
                                       "total_time_in_ms", "total_events",
                                       "total_connections"};
  for (size_t i = 0; i < sizeof(derive) / sizeof(derive[0]); i++)
    if (strcmp(type, derive[i]) == 0)
      return true;
  return false;
}

static void test_table(void **state) {
  (void)state;
  for (int id = 0; id < METRIC_COUNT; id++) {
    const struct metric *m = &metric_table[id];
    assert_non_null(m->name);
    assert_non_null(m->what);
    assert_non_null(m->unit);
    assert_int_equal(metric_find(m->name), id); /* no name twice */
    bool counts = m->kind == METRIC_KIND_COUNTER || m->kind == METRIC_KIND_LIFE;
    assert_int_equal(is_derive(m->type), counts);
    if (m->kind == METRIC_KIND_COUNTER) {
      assert_int_equal(field_table[m->field].nature, FIELD_COUNTER);
      assert_true(m->scale > 0);
    }
    if (m->kind == METRIC_KIND_PERCENT) {
      assert_int_equal(field_table[m->field].nature, FIELD_COUNTER);
      assert_int_equal(field_table[m->whole].nature, FIELD_COUNTER);
      assert_string_equal(m->type, "percent");
    }
    if (m->kind == METRIC_KIND_DISTRIBUTION) {
      assert_true(m->scale > 0);
      if (m->rule == METRIC_RULE_FIELD)
        assert_int_equal(field_table[m->field].nature, FIELD_GAUGE);
      /* Latencies are seconds, out of microseconds. */
      if (strcmp(m->type, "latency") == 0) {
        assert_int_equal(field_table[m->field].unit, UNIT_US);
        assert_true(m->active_only);
      }
    }
  }
  assert_int_equal(metric_find("no_such"), -1);
  assert_int_equal(metric_find(""), -1);
}

static void test_statistics(void **state) {
  (void)state;
  static const char *const good[] = {"min", "max", "avg",  "sum",
                                     "p1",  "p50", "p2.5", "p99.9"};
  static const char *const bad[] = {
      "",     "p",   "p0",   "p0.9", "p100", "p999", "p99.", "p9.99", "P50",
      "mean", "p-1", "p50 ", "p5x",  "50",   "p.5",  "min ", "p99.95"};
  char text[STATISTIC_TEXT_MAX];
  struct statistic s;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    assert_true(statistic_parse(good[i], &s));
    assert_string_equal(statistic_format(s, text), good[i]);
  }
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_false(statistic_parse(bad[i], &s));
  for (unsigned permille = 10; permille < 1000; permille++) {
    struct statistic p = {STATISTIC_PERCENTILE, (uint16_t)permille};
    assert_true(statistic_parse(statistic_format(p, text), &s));
    assert_int_equal(s.permille, permille);
  }
  assert_true(statistic_parse("p50.0", &s));
  assert_string_equal(statistic_format(s, text), "p50");
}

static void test_lists(void **state) {
  (void)state;
  struct metric_list list = {0}, copy = {0};
  struct statistic p50 = {STATISTIC_PERCENTILE, 500};
  assert_int_equal(metric_list_add(&list, METRIC_RTT, NULL), 0);
  assert_int_equal(metric_list_add(&list, METRIC_RETRANS, NULL), 0);
  assert_int_equal(metric_list_add(&list, METRIC_RTT, &p50), 0);
  assert_int_equal(metric_list_add(&list, METRIC_RTT, &p50), 0);
  assert_int_equal(list.count, 2);
  assert_int_equal(list.choice[0].statistic_count, 1);
  assert_int_equal(metric_list_add(&list, METRIC_CWND, NULL), 0);
  assert_int_equal(metric_list_complete(&list), 0);
  assert_int_equal(list.choice[0].statistic_count, 1);
  assert_int_equal(list.choice[1].statistic_count, 0);
  assert_int_equal(list.choice[2].statistic_count, 3);
  assert_int_equal(metric_list_copy(&copy, &list), 0);
  assert_int_equal(copy.count, 3);
  assert_int_equal(copy.choice[2].statistic_count, 3);
  metric_list_clear(&list);
  metric_list_clear(&copy);
  assert_int_equal(metric_list_default(&list), 0);
  assert_int_equal(list.count, 12);
  metric_list_clear(&list);
}

static void test_needs_info(void **state) {
  (void)state;
  assert_false(metric_needs_info(METRIC_CONNECTIONS));
  assert_false(metric_needs_info(METRIC_STATES));
  assert_false(metric_needs_info(METRIC_OPENED));
  assert_true(metric_needs_info(METRIC_ACTIVE));
  assert_true(metric_needs_info(METRIC_RTT));
  assert_true(metric_needs_info(METRIC_LIMITED));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_statistics),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_needs_info),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
