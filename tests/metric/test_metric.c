/* metric: the table is whole and of stock types, statistics parse and print. */
#include "metric/metric.h"

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
      assert_int_equal(m->listeners,
                       metric_asks((enum metric_id)id) == ASK_LISTENERS);
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
  assert_int_equal(list.count, 13);
  metric_list_clear(&list);
}

/* Edges rise, and the number of series stays small. */
static void test_histograms(void **state) {
  (void)state;
  for (int id = 0; id < METRIC_COUNT; id++) {
    if (metric_table[id].kind != METRIC_KIND_DISTRIBUTION)
      continue;
    struct histogram h = metric_histogram((enum metric_id)id);
    assert_in_range(h.count, 5, 20);
    for (size_t i = 1; i < h.count; i++)
      assert_true(h.edge[i] > h.edge[i - 1]);
    double last = (double)h.edge[h.count - 1] * metric_table[id].scale;
    if (strcmp(metric_table[id].type, "percent") == 0)
      assert_true(last == 100);
    if (strcmp(metric_table[id].type, "latency") == 0)
      assert_true(last > 9.99 && last < 10.01);
  }
}

static void test_asks(void **state) {
  (void)state;
  assert_int_equal(metric_asks(METRIC_CONNECTIONS), 0);
  assert_int_equal(metric_asks(METRIC_STATES), ASK_ALL_STATES);
  assert_int_equal(metric_asks(METRIC_OPENED), 0);
  assert_int_equal(metric_asks(METRIC_ACTIVE), ASK_INFO);
  assert_int_equal(metric_asks(METRIC_RTT), ASK_INFO);
  assert_int_equal(metric_asks(METRIC_LIMITED), ASK_INFO);
  assert_int_equal(metric_asks(METRIC_STALLED), ASK_INFO);
  assert_int_equal(metric_asks(METRIC_UNREAD), 0);
  assert_int_equal(metric_asks(METRIC_RMEM), ASK_INFO | ASK_SKMEM);
  assert_int_equal(metric_asks(METRIC_DROPS), ASK_INFO | ASK_SKMEM);
  assert_int_equal(metric_asks(METRIC_DCTCP_ALPHA),
                   ASK_INFO | ASK_ALGORITHM_INFO);
  assert_int_equal(metric_asks(METRIC_CONGESTION), ASK_CONGESTION);
  assert_int_equal(metric_asks(METRIC_ACCEPT_PERCENT), ASK_LISTENERS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table), cmocka_unit_test(test_statistics),
      cmocka_unit_test(test_lists), cmocka_unit_test(test_histograms),
      cmocka_unit_test(test_asks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
