/* accumulator: corner cases. The simple cases are in test_pipe and
 * test_metric_table. */
#include "metric/accumulator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { INFO_SIZE = 280, VALUES_MAX = 64 };

struct fixture {
  struct metric_list list;
  struct plan *plan;
  struct accumulator *accumulator;
  uint8_t info[INFO_SIZE];
  uint64_t delta[FIELD_COUNT];
  struct sample sample;
};

struct values {
  size_t count;
  char type[VALUES_MAX][32];
  char name[VALUES_MAX][64];
  double value[VALUES_MAX];
};

static void on_value(const struct accumulator_value *v, void *data) {
  struct values *all = data;
  assert_true(all->count < VALUES_MAX);
  snprintf(all->type[all->count], sizeof(all->type[0]), "%s", v->type);
  strncpy(all->name[all->count], v->instance, 63);
  all->value[all->count++] = v->derive ? (double)v->counter : v->gauge;
}

static struct values emit(struct fixture *f) {
  struct values all = {0};
  accumulator_emit(f->accumulator, INFO_SIZE, ACCUMULATOR_ALL, on_value, &all);
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
  f->plan = plan_new(&f->list);
  f->accumulator = accumulator_new(f->plan);
  assert_non_null(f->accumulator);
  f->sample = (struct sample){
      .state = TCP_STATE_ESTABLISHED, .info = f->info, .info_size = INFO_SIZE};
  return f;
}

static void stop(struct fixture *f) {
  accumulator_free(f->accumulator);
  plan_free(f->plan);
  metric_list_clear(&f->list);
  free(f);
}

static void add(struct fixture *f, uint64_t window_us) {
  struct observation r = {.sample = &f->sample,
                          .changed = true,
                          .delta = f->delta,
                          .active = true,
                          .window_us = window_us};
  accumulator_add(f->accumulator, &r);
}

/* Times in jiffies may exceed the window; the shares still add up to 100. */
static void limited_shares_add_up(void **state) {
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
        accumulator_begin(f->accumulator);
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

/* No shares without a time, or if the kernel does not send the limited times.
 */
static void limited_needs_a_known_time(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_LIMITED);
  accumulator_begin(f->accumulator);
  add(f, 0);
  assert_int_equal(emit(f).count, 0);
  f->sample.info_size = 168; /* Linux 4.9 */
  add(f, 1000000);
  assert_int_equal(emit(f).count, 0);
  stop(f);
}

static void percent_is_at_most_100(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_RETRANS_PERCENT);
  accumulator_begin(f->accumulator);
  f->delta[FIELD_DATA_RETRANS] = 5;
  f->delta[FIELD_DATA_SEGS_OUT] = 2;
  add(f, 0);
  struct values all = emit(f);
  assert_true(value_of(&all, "retrans_percent") == 100);
  accumulator_commit(f->accumulator);
  assert_int_equal(emit(f).count, 0); /* no segment was sent */
  f->delta[FIELD_DATA_RETRANS] = 1;
  f->delta[FIELD_DATA_SEGS_OUT] = 4;
  add(f, 0);
  all = emit(f);
  assert_true(value_of(&all, "retrans_percent") == 25);
  stop(f);
}

/* Growth before a failed dump is not lost. */
static void begin_keeps_growth(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_RETRANS_PERCENT);
  f->delta[FIELD_DATA_RETRANS] = 1;
  f->delta[FIELD_DATA_SEGS_OUT] = 4;
  accumulator_begin(f->accumulator);
  add(f, 0);
  accumulator_begin(f->accumulator);
  f->delta[FIELD_DATA_RETRANS] = 0;
  add(f, 0);
  struct values all = emit(f);
  assert_true(value_of(&all, "retrans_percent") == 12.5);
  stop(f);
}

/* Saved numbers go on in another accumulator, and are no growth there. */
static void saved_numbers_go_on(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_RETRANS);
  struct accumulator *later = accumulator_new(f->plan);
  struct accumulator *sum = accumulator_new(f->plan);
  uint64_t saved[16];
  assert_in_range(accumulator_saved_count(f->plan), 4, 16);
  f->delta[FIELD_TOTAL_RETRANS] = 7;
  accumulator_begin(f->accumulator);
  add(f, 0);
  accumulator_count(f->accumulator, ACCUMULATOR_CLOSED);
  accumulator_save(f->accumulator, saved);
  accumulator_count(later, ACCUMULATOR_CLOSED);
  accumulator_resume(later, saved);
  assert_int_equal(accumulator_get_closed(later), 2);
  accumulator_sum(sum, later); /* what it resumed is no growth */
  accumulator_free(f->accumulator);
  f->accumulator = later;
  add(f, 0);
  struct values all = emit(f);
  assert_true(value_of(&all, "retrans") == 14);
  f->accumulator = sum;
  all = emit(f);
  assert_true(value_of(&all, "retrans") == 0);
  accumulator_free(later);
  stop(f);
}

/* One accumulator takes all that another one has. */
static void absorbed_values_are_not_lost(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_RETRANS);
  struct accumulator *all_of = accumulator_new(f->plan);
  f->delta[FIELD_TOTAL_RETRANS] = 7;
  accumulator_begin(f->accumulator);
  add(f, 0);
  add(f, 0);
  accumulator_count(f->accumulator, ACCUMULATOR_OPENED);
  accumulator_count(all_of, ACCUMULATOR_OPENED);
  accumulator_absorb(all_of, f->accumulator);
  assert_int_equal(accumulator_connections(all_of), 2);
  assert_int_equal(accumulator_get_opened(all_of), 2);
  accumulator_free(f->accumulator);
  f->accumulator = all_of;
  struct values all = emit(f);
  assert_true(value_of(&all, "retrans") == 14);
  stop(f);
}

/* A recording may hold anything. */
static void throughput_is_bounded(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_THROUGHPUT);
  memset(f->info, 0xff, sizeof(f->info));
  memset(f->info + field_table[FIELD_RTT].offset, 0, 4);
  accumulator_begin(f->accumulator);
  add(f, 0);
  assert_int_equal(emit(f).count, 0); /* no rtt, no throughput */
  f->info[field_table[FIELD_RTT].offset] = 1;
  add(f, 0);
  struct values all = emit(f);
  assert_true(value_of(&all, "throughput-max") == 0x1p62);
  stop(f);
}

/* Smoothing may put rtt below min_rtt; without either there is no value. */
static void queue_delay_is_never_negative(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_QUEUE_DELAY);
  uint32_t none = UINT32_MAX, min = 100, rtt = 90;
  accumulator_begin(f->accumulator);
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

static void put(struct fixture *f, enum field_id id, uint32_t value) {
  uint8_t *at = f->info + field_table[id].offset;
  if (field_table[id].width == 1)
    *at = (uint8_t)value;
  else
    memcpy(at, &value, sizeof(value));
}

static void is(struct fixture *f, const char *name, double value) {
  struct values all = emit(f);
  double got = value_of(&all, name);
  if (got < value - 1e-9 || got > value + 1e-9)
    fail_msg("%s is %.12g, not %.12g", name, got, value);
}

/* --- Sets ----------------------------------------------------------------- */

static void ca_states_are_counted(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_CA_STATE);
  accumulator_begin(f->accumulator);
  for (uint32_t code = 0; code < 7; code++) /* two codes are unknown */
    for (uint32_t i = 0; i <= code; i++) {
      put(f, FIELD_CA_STATE, code);
      add(f, 0);
    }
  f->sample.info = NULL; /* a mini socket has no tcp_info */
  f->sample.info_size = 0;
  add(f, 0);
  assert_int_equal(emit(f).count, 5);
  is(f, "ca_state-open", 1);
  is(f, "ca_state-disorder", 2);
  is(f, "ca_state-cwr", 3);
  is(f, "ca_state-recovery", 4);
  is(f, "ca_state-loss", 5);
  accumulator_begin(f->accumulator);
  is(f, "ca_state-loss", 0);
  stop(f);
}

/* A socket counts with each of its options. */
static void sockets_count_with_each_option(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_OPTIONS);
  accumulator_begin(f->accumulator);
  static const uint32_t bits[] = {0, 1, 7, 0x2f, 0xff, 0x10};
  for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
    put(f, FIELD_OPTIONS, bits[i]);
    add(f, 0);
  }
  assert_int_equal(emit(f).count, 5);
  is(f, "options-timestamps", 4);
  is(f, "options-sack", 3);
  is(f, "options-wscale", 3);
  is(f, "options-ecn", 2);
  is(f, "options-fastopen", 2);
  stop(f);
}

static void algorithms_are_counted_by_name(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_CONGESTION);
  char *name = f->sample.attrs.congestion;
  accumulator_begin(f->accumulator);
  add(f, 0); /* the kernel did not send the name */
  assert_int_equal(emit(f).count, 0);
  strcpy(name, "cubic");
  add(f, 0);
  strcpy(name, "bbr");
  add(f, 0);
  add(f, 0);
  strcpy(name, "a/b c"); /* a recording may hold anything */
  add(f, 0);
  strcpy(name, "fifteen-letters");
  add(f, 0);
  assert_int_equal(emit(f).count, 4);
  is(f, "congestion-cubic", 1);
  is(f, "congestion-bbr", 2);
  is(f, "congestion-a_b_c", 1);
  is(f, "congestion-fifteen-letters", 1);
  accumulator_begin(f->accumulator);
  strcpy(name, "bbr");
  add(f, 0);
  is(f, "congestion-bbr", 1);
  is(f, "congestion-cubic", 0); /* the name stays in the plan */
  stop(f);
}

/* An algorithm too many is not counted; known algorithms keep their number, in
 * all accumulators of the plan. */
static void algorithms_beyond_the_maximum_are_not_counted(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_CONGESTION);
  struct accumulator *other = accumulator_new(f->plan);
  accumulator_begin(f->accumulator);
  for (int i = 0; i < 40; i++) {
    snprintf(f->sample.attrs.congestion, CONGESTION_NAME_SIZE, "name%d", i);
    add(f, 0);
    add(f, 0);
  }
  assert_int_equal(emit(f).count, PLAN_ALGORITHMS_MAX);
  is(f, "congestion-name0", 2);
  is(f, "congestion-name23", 2);
  accumulator_free(f->accumulator);
  f->accumulator = other;
  strcpy(f->sample.attrs.congestion, "name23");
  add(f, 0);
  strcpy(f->sample.attrs.congestion, "cubic");
  add(f, 0);
  assert_int_equal(emit(f).count, PLAN_ALGORITHMS_MAX);
  is(f, "congestion-name23", 1);
  is(f, "congestion-name0", 0);
  stop(f);
}

/* --- Conditions ----------------------------------------------------------- */

static void conditions_are_counted_per_dump(void **state) {
  (void)state;
  static const enum metric_id id[] = {METRIC_ACTIVE, METRIC_STALLED,
                                      METRIC_ZERO_WINDOW, METRIC_UNREAD,
                                      METRIC_UNSENT};
  struct fixture *f = start(METRIC_CONNECTIONS);
  for (size_t i = 0; i < sizeof(id) / sizeof(id[0]); i++)
    assert_int_equal(metric_list_add(&f->list, id[i], NULL), 0);
  accumulator_free(f->accumulator);
  plan_free(f->plan);
  f->plan = plan_new(&f->list);
  f->accumulator = accumulator_new(f->plan);
  accumulator_begin(f->accumulator);
  for (uint32_t i = 0; i < 12; i++) {
    struct observation r = {.changed = true,
                            .sample = &f->sample,
                            .delta = f->delta,
                            .active = i % 2 == 0};
    f->sample.timer = i < 3 ? 1 : i < 8 ? 4 : 0;
    f->sample.recv_queue = i < 4;
    put(f, FIELD_RETRANSMITS, i < 2);
    put(f, FIELD_NOTSENT_BYTES, i == 9);
    accumulator_add(f->accumulator, &r);
  }
  is(f, "connections", 12);
  is(f, "active", 6);
  is(f, "stalled", 2);
  is(f, "zero_window", 5);
  is(f, "unread", 4);
  is(f, "unsent", 1);
  accumulator_commit(f->accumulator); /* does not clear what is of one dump */
  is(f, "stalled", 2);
  accumulator_begin(f->accumulator);
  is(f, "stalled", 0);
  assert_int_equal(emit(f).count, 6);
  /* notsent_bytes came with Linux 4.6; the queue is in the header. */
  struct values all = {0};
  accumulator_emit(f->accumulator, 136, ACCUMULATOR_ALL, on_value, &all);
  assert_int_equal(all.count, 5);
  stop(f);
}

/* --- Histograms ----------------------------------------------------------- */

static struct fixture *start_histogram(enum metric_id id) {
  static const struct statistic histogram = {.kind = STATISTIC_HISTOGRAM};
  struct fixture *f = calloc(1, sizeof(*f));
  assert_int_equal(metric_list_add(&f->list, METRIC_CWND, NULL), 0);
  assert_int_equal(metric_list_complete(&f->list), 0);
  assert_int_equal(metric_list_add(&f->list, METRIC_CWND, &histogram), 0);
  assert_int_equal(metric_list_add(&f->list, id, &histogram), 0);
  f->plan = plan_new(&f->list);
  f->accumulator = accumulator_new(f->plan);
  assert_non_null(f->accumulator);
  f->sample = (struct sample){
      .state = TCP_STATE_ESTABLISHED, .info = f->info, .info_size = INFO_SIZE};
  accumulator_begin(f->accumulator);
  return f;
}

/* A bucket counts the sockets whose value is at most the edge; the last bucket
 * counts all. */
static void histogram_buckets_are_cumulative(void **state) {
  (void)state;
  static const uint32_t rtt[] = {1,    100,     101,      200,     201,
                                 5000, 9999999, 10000000, 10000001};
  struct fixture *f = start_histogram(METRIC_RTT);
  for (size_t i = 0; i < sizeof(rtt) / sizeof(rtt[0]); i++) {
    put(f, FIELD_RTT, rtt[i]);
    put(f, FIELD_SND_CWND, 10);
    add(f, 0);
  }
  struct values all = emit(f);
  assert_int_equal(all.count, 3 + 15 + 17); /* cwnd p50 p95 max, and buckets */
  for (size_t i = 0; i < all.count; i++)
    assert_string_equal(all.type[i], i < 3 ? "count" : "bucket");
  is(f, "rtt-0.0001", 2);
  is(f, "rtt-0.0002", 4);
  is(f, "rtt-0.0005", 5);
  is(f, "rtt-0.002", 5);
  is(f, "rtt-0.005", 6);
  is(f, "rtt-5", 6);
  is(f, "rtt-10", 8);
  is(f, "rtt-inf", 9);
  is(f, "cwnd-5", 0);
  is(f, "cwnd-10", 9);
  is(f, "cwnd-inf", 9);
  is(f, "cwnd-p50", 10);
  /* In the next dump, buckets without sockets are 0. */
  accumulator_commit(f->accumulator);
  accumulator_begin(f->accumulator);
  all = emit(f);
  assert_int_equal(all.count, 15 + 17);
  is(f, "rtt-inf", 0);
  stop(f);
}

/* Names of buckets have no exponent. */
static void histogram_edges_are_in_the_dispatched_unit(void **state) {
  (void)state;
  static const struct {
    enum metric_id id;
    const char *first, *second;
  } row[] = {{METRIC_DCTCP_ALPHA, "dctcp_alpha-0", "dctcp_alpha-12.5"},
             {METRIC_ACCEPT_PERCENT, "accept_percent-0", "accept_percent-10"},
             {METRIC_THROUGHPUT, "throughput-0", "throughput-17179869184"},
             {METRIC_RCV_WND, "rcv_wnd-0", "rcv_wnd-1024"}};
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    struct fixture *f = start_histogram(row[i].id);
    is(f, row[i].first, 0);
    is(f, row[i].second, 0);
    stop(f);
  }
}

/* If the kernel does not send the field, there are no buckets. */
static void histogram_needs_its_field(void **state) {
  (void)state;
  struct fixture *f = start_histogram(METRIC_RCV_WND);
  struct values all = {0};
  accumulator_emit(f->accumulator, 232, ACCUMULATOR_ALL, on_value,
                   &all);          /* Linux 5.4 */
  assert_int_equal(all.count, 15); /* buckets of cwnd */
  stop(f);
  f = start_histogram(METRIC_ACCEPT_QUEUE); /* needs no tcp_info */
  memset(&all, 0, sizeof(all));
  accumulator_emit(f->accumulator, 0, ACCUMULATOR_ALL, on_value, &all);
  assert_int_equal(all.count, 15);
  stop(f);
}

/* --- Sockets without traffic ---------------------------------------------- */

/* A listening socket is no connection, and has only the values of its accept
 * queue. */
static void listeners_are_no_connections(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_ACCEPT_QUEUE);
  static const enum metric_id id[] = {METRIC_CONNECTIONS, METRIC_RECV_QUEUE,
                                      METRIC_CWND, METRIC_UNREAD};
  for (size_t i = 0; i < sizeof(id) / sizeof(id[0]); i++)
    assert_int_equal(metric_list_add(&f->list, id[i], NULL), 0);
  assert_int_equal(metric_list_complete(&f->list), 0);
  accumulator_free(f->accumulator);
  plan_free(f->plan);
  f->plan = plan_new(&f->list);
  f->accumulator = accumulator_new(f->plan);
  accumulator_begin(f->accumulator);
  put(f, FIELD_SND_CWND, 10);
  f->sample.recv_queue = 3;
  f->sample.send_queue = 128;
  f->sample.state = TCP_STATE_LISTEN;
  accumulator_add_without_traffic(f->accumulator, &f->sample);
  f->sample.recv_queue = 5;
  accumulator_add_without_traffic(f->accumulator, &f->sample);
  f->sample.recv_queue = 99;
  f->sample.state = TCP_STATE_TIME_WAIT;
  accumulator_add_without_traffic(f->accumulator, &f->sample);
  struct values all = emit(f);
  assert_int_equal(all.count, 5); /* recv_queue and cwnd have no value */
  is(f, "connections", 0);
  is(f, "unread", 0);
  is(f, "accept_queue-p50", 3);
  is(f, "accept_queue-max", 5);
  /* A connection has no accept queue. */
  f->sample.state = TCP_STATE_ESTABLISHED;
  add(f, 0);
  is(f, "accept_queue-max", 5);
  is(f, "recv_queue-max", 99);
  stop(f);
}

static void outliers_are_of_one_dump(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_OUTLIERS);
  accumulator_begin(f->accumulator);
  assert_int_equal(emit(f).count, 0); /* not known */
  accumulator_set_outliers(f->accumulator, 0);
  is(f, "outliers", 0);
  accumulator_set_outliers(f->accumulator, 3);
  is(f, "outliers", 3);
  accumulator_begin(f->accumulator);
  assert_int_equal(emit(f).count, 0);
  stop(f);
}

/* --- Sums ----------------------------------------------------------------- */

struct every {
  size_t count;
  double value[1024];
};

static void on_every(const struct accumulator_value *v, void *data) {
  struct every *all = data;
  assert_true(all->count < 1024);
  all->value[all->count++] = v->derive ? (double)v->counter : v->gauge;
}

static struct every emit_every(struct accumulator *c) {
  struct every all = {0};
  accumulator_emit(c, INFO_SIZE, ACCUMULATOR_ALL, on_every, &all);
  return all;
}

static void random_socket(struct fixture *f, struct observation *r) {
  static const char *const algorithm[] = {"cubic", "bbr", "reno"};
  for (int i = 0; i < INFO_SIZE; i++)
    f->info[i] = (uint8_t)(rand() % 3 == 0 ? rand() : 0);
  for (int id = 0; id < FIELD_COUNT; id++)
    f->delta[id] = (uint64_t)rand() % 5;
  strcpy(f->sample.attrs.congestion, algorithm[rand() % 3]);
  f->sample.recv_queue = (uint32_t)rand() % 3;
  f->sample.send_queue = (uint32_t)rand() % 3;
  f->sample.timer = (uint8_t)(rand() % 5);
  *r = (struct observation){.sample = &f->sample,
                            .delta = f->delta,
                            .changed = true,
                            .active = rand() % 2,
                            .window_us = 1000000};
}

/* With every metric: sockets go to one accumulator, and by turns to two others,
 * over several dumps, some of which are not committed. The sum of the two
 * equals the one. */
static void sum_of_parts_equals_the_whole(void **state) {
  (void)state;
  static const struct statistic histogram = {.kind = STATISTIC_HISTOGRAM};
  struct fixture *f = start(METRIC_CONNECTIONS);
  for (int id = 0; id < METRIC_COUNT; id++) {
    enum metric_id metric = (enum metric_id)id;
    assert_int_equal(metric_list_add(&f->list, metric, NULL), 0);
    if (metric_table[id].kind == METRIC_KIND_DISTRIBUTION)
      assert_int_equal(metric_list_add(&f->list, metric, &histogram), 0);
  }
  assert_int_equal(metric_list_complete(&f->list), 0);
  struct plan *plan = plan_new(&f->list);
  struct accumulator *whole = accumulator_new(plan),
                     *sum = accumulator_new(plan);
  struct accumulator *part[] = {accumulator_new(plan), accumulator_new(plan)};
  srand(8);
  for (int dump = 0; dump < 12; dump++) {
    bool complete = dump % 3 != 1;
    accumulator_begin(whole);
    accumulator_begin(sum);
    accumulator_begin(part[0]);
    accumulator_begin(part[1]);
    for (int i = 0; i < 40; i++) {
      struct observation r;
      random_socket(f, &r);
      accumulator_add(whole, &r);
      accumulator_add(part[i % 2], &r);
      f->sample.state = i % 2 ? TCP_STATE_LISTEN : TCP_STATE_TIME_WAIT;
      accumulator_add_without_traffic(whole, &f->sample);
      accumulator_add_without_traffic(part[i % 3 == 0], &f->sample);
      f->sample.state = TCP_STATE_ESTABLISHED;
    }
    accumulator_add_growth(whole, f->delta);
    accumulator_add_growth(part[1], f->delta);
    if (!complete)
      continue;
    accumulator_sum(sum, part[0]);
    accumulator_sum(sum, part[1]);
    struct every a = emit_every(whole), b = emit_every(sum);
    assert_true(a.count > 100);
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++)
      assert_true(a.value[i] == b.value[i]);
    accumulator_commit(whole);
    accumulator_commit(sum);
    accumulator_commit(part[0]);
    accumulator_commit(part[1]);
  }
  accumulator_free(whole);
  accumulator_free(sum);
  accumulator_free(part[0]);
  accumulator_free(part[1]);
  plan_free(plan);
  stop(f);
}

/* If no counter grew, the time since the last dump counts as idle. */
static void unchanged_sockets_add_their_time(void **state) {
  (void)state;
  struct fixture *f = start(METRIC_LIMITED);
  struct observation r = {
      .sample = &f->sample, .delta = f->delta, .window_us = 1000000};
  accumulator_begin(f->accumulator);
  accumulator_add(f->accumulator, &r);
  is(f, "limited-idle", 100);
  f->delta[FIELD_BUSY_TIME] = 1000000;
  r.changed = true;
  accumulator_add(f->accumulator, &r);
  is(f, "limited-idle", 50);
  is(f, "limited-network", 50);
  stop(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sum_of_parts_equals_the_whole),
      cmocka_unit_test(unchanged_sockets_add_their_time),
      cmocka_unit_test(limited_shares_add_up),
      cmocka_unit_test(limited_needs_a_known_time),
      cmocka_unit_test(percent_is_at_most_100),
      cmocka_unit_test(begin_keeps_growth),
      cmocka_unit_test(saved_numbers_go_on),
      cmocka_unit_test(absorbed_values_are_not_lost),
      cmocka_unit_test(throughput_is_bounded),
      cmocka_unit_test(queue_delay_is_never_negative),
      cmocka_unit_test(ca_states_are_counted),
      cmocka_unit_test(sockets_count_with_each_option),
      cmocka_unit_test(algorithms_are_counted_by_name),
      cmocka_unit_test(algorithms_beyond_the_maximum_are_not_counted),
      cmocka_unit_test(conditions_are_counted_per_dump),
      cmocka_unit_test(histogram_edges_are_in_the_dispatched_unit),
      cmocka_unit_test(histogram_needs_its_field),
      cmocka_unit_test(histogram_buckets_are_cumulative),
      cmocka_unit_test(listeners_are_no_connections),
      cmocka_unit_test(outliers_are_of_one_dump),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
