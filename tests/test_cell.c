/* cell: the corners of what is computed; the plain cases are in test_pipe. */
#include "cell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INFO_SIZE = 280, VALUES_MAX = 32 };

struct fixture {
  struct metric_list list;
  struct report *report;
  struct cell *cell;
  uint8_t info[INFO_SIZE];
  uint64_t delta[FIELD_COUNT];
  struct sample sample;
};

struct values {
  size_t count;
  char name[VALUES_MAX][64];
  double value[VALUES_MAX];
};

static void on_value(const struct cell_value *v, void *data) {
  struct values *all = data;
  assert_true(all->count < VALUES_MAX);
  strncpy(all->name[all->count], v->instance, 63);
  all->value[all->count++] = v->derive ? (double)v->counter : v->gauge;
}

static struct values emit(struct fixture *f) {
  struct values all = {0};
  cell_emit(f->cell, INFO_SIZE, CELL_ALL, on_value, &all);
  return all;
}

static double value_of(const struct values *all, const char *name) {
  for (size_t i = 0; i < all->count; i++)
    if (strcmp(all->name[i], name) == 0)
      return all->value[i];
  fail_msg("%s is not there", name);
  return 0;
}

static struct fixture *start(enum metric_id id) {
  struct fixture *f = calloc(1, sizeof(*f));
  assert_int_equal(metric_list_add(&f->list, id, NULL), 0);
  assert_int_equal(metric_list_complete(&f->list), 0);
  f->report = report_new(&f->list);
  f->cell = cell_new(f->report);
  assert_non_null(f->cell);
  f->sample = (struct sample){
      .state = TCP_STATE_ESTABLISHED, .info = f->info, .info_size = INFO_SIZE};
  return f;
}

static void stop(struct fixture *f) {
  cell_free(f->cell);
  report_free(f->report);
  metric_list_clear(&f->list);
  free(f);
}

static void add(struct fixture *f, uint64_t window_us) {
  struct reading r = {.sample = &f->sample,
                      .delta = f->delta,
                      .active = true,
                      .window_us = window_us};
  cell_add(f->cell, &r);
}

/* Times in jiffies may exceed the window: the shares stay shares. */
static void test_limited_adds_up(void **state) {
  (void)state;
  static const uint64_t busy[] = {0, 500000, 1004000, 5000000};
  static const uint64_t part[] = {0, 250000, 1004000};
  for (size_t i = 0; i < 4; i++)
    for (size_t k = 0; k < 3; k++)
      for (size_t j = 0; j < 3; j++) {
        struct fixture *f = start(METRIC_LIMITED);
        f->delta[FIELD_BUSY_TIME] = busy[i];
        f->delta[FIELD_RWND_LIMITED] = part[k];
        f->delta[FIELD_SNDBUF_LIMITED] = part[j];
        cell_begin(f->cell);
        add(f, 1000000);
        struct values all = emit(f);
        double sum = 0;
        assert_int_equal(all.count, 4);
        for (size_t n = 0; n < 4; n++) {
          assert_true(all.value[n] >= 0 && all.value[n] <= 100);
          sum += all.value[n];
        }
        assert_true(sum > 99.999 && sum < 100.001);
        stop(f);
      }
}

/* No share of a time that is not known, or that the kernel does not tell. */
static void test_limited_unknown(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_LIMITED);
  cell_begin(f->cell);
  add(f, 0);
  assert_int_equal(emit(f).count, 0);
  f->sample.info_size = 168; /* Linux 4.9 */
  add(f, 1000000);
  assert_int_equal(emit(f).count, 0);
  stop(f);
}

static void test_percent_is_capped(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_RETRANS_PERCENT);
  cell_begin(f->cell);
  f->delta[FIELD_TOTAL_RETRANS] = 5; /* of SYNs too */
  f->delta[FIELD_DATA_SEGS_OUT] = 2;
  add(f, 0);
  struct values all = emit(f);
  assert_true(value_of(&all, "retrans_percent") == 100);
  cell_commit(f->cell);
  assert_int_equal(emit(f).count, 0); /* of nothing */
  f->delta[FIELD_TOTAL_RETRANS] = 1;
  f->delta[FIELD_DATA_SEGS_OUT] = 4;
  add(f, 0);
  all = emit(f);
  assert_true(value_of(&all, "retrans_percent") == 25);
  stop(f);
}

/* What an interval brought survives a dump that failed after it. */
static void test_begin_keeps_growth(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_RETRANS_PERCENT);
  f->delta[FIELD_TOTAL_RETRANS] = 1;
  f->delta[FIELD_DATA_SEGS_OUT] = 4;
  cell_begin(f->cell);
  add(f, 0);
  cell_begin(f->cell);
  f->delta[FIELD_TOTAL_RETRANS] = 0;
  add(f, 0);
  struct values all = emit(f);
  assert_true(value_of(&all, "retrans_percent") == 12.5);
  stop(f);
}

static void test_raise(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_RETRANS);
  struct cell *low = cell_new(f->report);
  f->delta[FIELD_TOTAL_RETRANS] = 7;
  cell_begin(f->cell);
  add(f, 0);
  cell_raise(f->cell, low); /* lower: nothing changes */
  struct values all = emit(f);
  assert_true(value_of(&all, "retrans") == 7);
  cell_raise(low, f->cell);
  add(f, 0);
  all = emit(f);
  assert_true(value_of(&all, "retrans") == 14);
  cell_free(f->cell);
  f->cell = low;
  all = emit(f);
  assert_true(value_of(&all, "retrans") == 7);
  stop(f);
}

/* A recording may hold anything. */
static void test_throughput_bounds(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_THROUGHPUT);
  memset(f->info, 0xff, sizeof(f->info));
  memset(f->info + field_table[FIELD_RTT].offset, 0, 4);
  cell_begin(f->cell);
  add(f, 0);
  assert_int_equal(emit(f).count, 0); /* no rtt, no rate */
  f->info[field_table[FIELD_RTT].offset] = 1;
  add(f, 0);
  struct values all = emit(f);
  assert_true(value_of(&all, "throughput-max") == 0x1p62);
  stop(f);
}

/* Smoothing may put rtt below min_rtt; no value without either. */
static void test_queue_delay(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_QUEUE_DELAY);
  uint32_t none = UINT32_MAX, min = 100, rtt = 90;
  cell_begin(f->cell);
  memcpy(f->info + field_table[FIELD_RTT].offset, &rtt, 4);
  memcpy(f->info + field_table[FIELD_MIN_RTT].offset, &none, 4);
  add(f, 0);
  assert_int_equal(emit(f).count, 0);
  memcpy(f->info + field_table[FIELD_MIN_RTT].offset, &min, 4);
  add(f, 0);
  struct values all = emit(f);
  assert_true(value_of(&all, "queue_delay-max") == 0);
  stop(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_limited_adds_up),
      cmocka_unit_test(test_limited_unknown),
      cmocka_unit_test(test_percent_is_capped),
      cmocka_unit_test(test_begin_keeps_growth),
      cmocka_unit_test(test_raise),
      cmocka_unit_test(test_throughput_bounds),
      cmocka_unit_test(test_queue_delay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
