/* metric: statistics are parsed and printed; lists of metrics. The table is
 * tested in test_metric_table. */
#include "metric/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void statistics_print_as_they_parse(void **state) {
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

static void lists_hold_each_metric_and_statistic_once(void **state) {
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
  assert_int_equal(list.count, 14);
  metric_list_clear(&list);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statistics_print_as_they_parse),
      cmocka_unit_test(lists_hold_each_metric_and_statistic_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
