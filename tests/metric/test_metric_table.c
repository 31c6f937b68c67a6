/* The metric table: each row has all that its kind needs and nothing of another
 * kind, and each row's getter yields a value of sockets that have everything,
 * and none of sockets that lack the row's field. All tests go over all rows, so
 * that a new row is tested without a new test. */
#include "metric/accumulator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct metric *const first_row = metric_table;
static const struct metric *const end_row = metric_table + METRIC_COUNT;

static void row_holds(const struct metric *m, bool holds, const char *what) {
  if (!holds)
    fail_msg("%s: %s", m->name, what);
}
#define ROW_HOLDS(m, condition) row_holds(m, condition, #condition)

static enum metric_id id_of(const struct metric *m) {
  return (enum metric_id)(m - metric_table);
}

static bool is_of(enum field_id field, enum field_nature nature) {
  return field != METRIC_NO_FIELD && field_table[field].nature == nature;
}

/* --- Columns -------------------------------------------------------------- */

/* The types of collectd's types.db that the table may use, and if they are of
 * data source type DERIVE. */
static const struct {
  const char *name;
  bool derive;
} stock_type[] = {
    {"bytes", false},           {"count", false},
    {"latency", false},         {"memory", false},
    {"percent", false},         {"queue_length", false},
    {"tcp_connections", false}, {"packets", true},
    {"total_bytes", true},      {"total_connections", true},
    {"total_events", true},     {"total_time_in_ms", true},
};

static void texts_and_types_are_there(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++) {
    assert_non_null(m->name);
    ROW_HOLDS(m, metric_find(m->name) == (int)id_of(m)); /* no name twice */
    ROW_HOLDS(m, strlen(m->name) > 0 && strlen(m->name) < 24);
    ROW_HOLDS(m, m->unit != NULL && *m->unit != '\0');
    ROW_HOLDS(m, m->help != NULL && *m->help != '\0');
    ROW_HOLDS(m, strchr(m->help, '\n') == NULL);
    bool known = false;
    for (size_t i = 0; i < sizeof(stock_type) / sizeof(stock_type[0]); i++)
      if (strcmp(m->type, stock_type[i].name) == 0) {
        known = true;
        ROW_HOLDS(m, stock_type[i].derive == (m->kind == METRIC_KIND_COUNTER ||
                                              m->kind == METRIC_KIND_LIFE));
      }
    ROW_HOLDS(m, known);
    ROW_HOLDS(m,
              (strcmp(m->type, "percent") == 0) == (strcmp(m->unit, "%") == 0));
  }
  assert_int_equal(metric_find("no_such"), -1);
  assert_int_equal(metric_find(""), -1);
}

/* The kinds of which the row has columns, as bits. COUNTER has none of its own.
 */
static unsigned kinds_of_columns(const struct metric *m) {
  unsigned kinds = 0;
  if (m->gauge != NULL)
    kinds |= 1u << METRIC_KIND_GAUGE;
  if (m->holds != NULL)
    kinds |= 1u << METRIC_KIND_SOCKETS;
  if (m->codes != NULL || m->code_name != NULL || m->code_count != 0 ||
      m->code_name_alone)
    kinds |= 1u << METRIC_KIND_SET;
  if (m->value != NULL || m->population != 0 || m->histogram != NULL ||
      m->default_statistic != NULL)
    kinds |= 1u << METRIC_KIND_DISTRIBUTION;
  if (m->life != NULL)
    kinds |= 1u << METRIC_KIND_LIFE;
  if (is_of(m->whole, FIELD_COUNTER))
    kinds |= 1u << METRIC_KIND_PERCENT;
  if (m->shares != NULL || m->share_name != NULL)
    kinds |= 1u << METRIC_KIND_LIMITED;
  return kinds;
}

static void row_has_its_getter(const struct metric *m) {
  switch (m->kind) {
  case METRIC_KIND_GAUGE:
    ROW_HOLDS(m, m->gauge != NULL);
    return;
  case METRIC_KIND_SOCKETS:
    ROW_HOLDS(m, m->holds != NULL);
    return;
  case METRIC_KIND_SET:
    ROW_HOLDS(m, m->codes != NULL);
    ROW_HOLDS(m, m->code_name != NULL);
    ROW_HOLDS(m, m->code_count > 0 && m->code_count <= 64);
    return;
  case METRIC_KIND_DISTRIBUTION:
    ROW_HOLDS(m, m->value != NULL || is_of(m->field, FIELD_GAUGE));
    ROW_HOLDS(m, m->histogram != NULL);
    ROW_HOLDS(m, m->scale > 0);
    return;
  case METRIC_KIND_LIFE:
    ROW_HOLDS(m, m->life != NULL);
    return;
  case METRIC_KIND_COUNTER:
    ROW_HOLDS(m, is_of(m->field, FIELD_COUNTER));
    ROW_HOLDS(m, m->scale > 0);
    return;
  case METRIC_KIND_PERCENT:
    ROW_HOLDS(m, is_of(m->field, FIELD_COUNTER));
    ROW_HOLDS(m, is_of(m->whole, FIELD_COUNTER));
    return;
  case METRIC_KIND_LIMITED:
    ROW_HOLDS(m, m->shares != NULL);
    ROW_HOLDS(m, m->share_name != NULL);
    return;
  }
  fail_msg("%s: unknown kind", m->name);
}

static void each_row_has_the_getter_of_its_kind_and_no_other(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++) {
    row_has_its_getter(m);
    unsigned kinds = m->kind == METRIC_KIND_COUNTER ? 0 : 1u << m->kind;
    ROW_HOLDS(m, kinds_of_columns(m) == kinds);
    ROW_HOLDS(m, (m->scale != 0) == (m->kind == METRIC_KIND_DISTRIBUTION ||
                                     m->kind == METRIC_KIND_COUNTER));
  }
}

static bool same_getter(const struct metric *a, const struct metric *b) {
  if (a->kind != b->kind)
    return false;
  switch (a->kind) {
  case METRIC_KIND_GAUGE:
    return a->gauge == b->gauge;
  case METRIC_KIND_SOCKETS:
    return a->holds == b->holds;
  case METRIC_KIND_SET:
    return a->codes == b->codes;
  case METRIC_KIND_DISTRIBUTION:
    return a->value == b->value && a->population == b->population &&
           (a->value != NULL || a->field == b->field);
  case METRIC_KIND_LIFE:
    return a->life == b->life;
  case METRIC_KIND_COUNTER:
    return a->field == b->field;
  case METRIC_KIND_PERCENT:
    return a->field == b->field && a->whole == b->whole;
  case METRIC_KIND_LIMITED:
    return a->shares == b->shares;
  }
  return false;
}

/* A row that was copied and not finished would report another row's value. */
static void no_two_rows_have_the_same_getter(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++)
    for (const struct metric *other = metric_table; other < m; other++)
      if (same_getter(m, other))
        fail_msg("%s has the getter of %s", m->name, other->name);
}

static void asks_cover_the_block_of_the_field(void **state) {
  (void)state;
  static const unsigned block_asks[BLOCK_COUNT] = {
      [BLOCK_INFO] = ASK_INFO,
      [BLOCK_SKMEM] = ASK_INFO | ASK_SKMEM,
      [BLOCK_BBR] = ASK_INFO | ASK_ALGORITHM_INFO,
      [BLOCK_DCTCP] = ASK_INFO | ASK_ALGORITHM_INFO};
  for (const struct metric *m = first_row; m < end_row; m++) {
    if (m->field != METRIC_NO_FIELD)
      ROW_HOLDS(m, m->asks == block_asks[field_table[m->field].block]);
    if (m->kind == METRIC_KIND_DISTRIBUTION)
      ROW_HOLDS(m, (m->population == METRIC_OF_LISTENERS) ==
                       ((m->asks & ASK_LISTENERS) != 0));
    if ((m->asks & ASK_ALL_STATES) != 0)
      ROW_HOLDS(m, m->kind == METRIC_KIND_SET);
  }
}

static void latencies_are_seconds_of_active_connections(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++)
    if (strcmp(m->type, "latency") == 0) {
      ROW_HOLDS(m, strcmp(m->unit, "s") == 0);
      ROW_HOLDS(m, field_table[m->field].unit == UNIT_US);
      ROW_HOLDS(m, m->scale == 1e-6);
      ROW_HOLDS(m, m->population == METRIC_OF_ACTIVE);
    }
}

/* Few edges, so that the number of series stays small. */
static void histograms_have_few_rising_edges(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++) {
    if (m->kind != METRIC_KIND_DISTRIBUTION)
      continue;
    const struct histogram *h = m->histogram;
    ROW_HOLDS(m, h->count >= 5 && h->count <= 20);
    for (size_t i = 1; i < h->count; i++)
      ROW_HOLDS(m, h->edge[i] > h->edge[i - 1]);
    double last = (double)h->edge[h->count - 1] * m->scale;
    if (strcmp(m->type, "percent") == 0)
      ROW_HOLDS(m, last == 100);
    if (strcmp(m->type, "latency") == 0)
      ROW_HOLDS(m, last > 9.99 && last < 10.01);
  }
}

/* --- Values --------------------------------------------------------------- */

static const size_t block_size[BLOCK_COUNT] = {[BLOCK_INFO] = 280,
                                               [BLOCK_SKMEM] = 36,
                                               [BLOCK_BBR] = 20,
                                               [BLOCK_DCTCP] = 16};

/* Sockets that, put together, have a value of everything. */
enum socket_role {
  BUSY,    /* waits for a retransmission; limited by the application */
  PROBING, /* probes a closed window; not limited by the application */
  LISTENING,
};

/* Writes 1 for most fields, at most `size` bytes. */
static void field_put(enum socket_role role, enum field_id id, uint8_t *bytes,
                      size_t size) {
  const struct field *f = &field_table[id];
  uint64_t value = 1;
  if (id == FIELD_RTT)
    value = 3; /* above min_rtt */
  if (id == FIELD_SND_WND || id == FIELD_APP_LIMITED)
    value = role == BUSY;
  if (!field_present(id, size))
    return;
  if (f->width == 1)
    bytes[f->offset] |= (uint8_t)(value << f->shift);
  else if (f->width == 2)
    memcpy(bytes + f->offset, &(uint16_t){(uint16_t)value}, 2);
  else if (f->width == 4)
    memcpy(bytes + f->offset, &(uint32_t){(uint32_t)value}, 4);
  else
    memcpy(bytes + f->offset, &value, 8);
}

/* The blocks are in memory of exactly their size; sample_free() frees them. */
static struct sample sample_make(enum socket_role role,
                                 const size_t size[BLOCK_COUNT]) {
  struct sample s = {.state = role == PROBING ? TCP_STATE_CLOSE_WAIT
                                              : TCP_STATE_ESTABLISHED,
                     .timer = role == BUSY ? 1 : 4,
                     .full = true,
                     .recv_queue = 1,
                     .send_queue = 2};
  strcpy(s.attrs.congestion, "cubic");
  if (role == LISTENING) {
    s.state = TCP_STATE_LISTEN;
    return s;
  }
  for (int block = 0; block < BLOCK_COUNT; block++) {
    if (size[block] == 0)
      continue;
    uint8_t *bytes = calloc(1, size[block]);
    assert_non_null(bytes);
    for (int id = 0; id < FIELD_COUNT; id++)
      if (field_table[id].block == block)
        field_put(role, (enum field_id)id, bytes, size[block]);
    s.block[block] = (struct block){.bytes = bytes, .size = size[block]};
  }
  return s;
}

static void sample_free(struct sample *s) {
  for (int block = 0; block < BLOCK_COUNT; block++)
    free((void *)s->block[block].bytes);
}

struct emitted {
  const struct metric *metric;
  size_t count;
  double largest;
};

static void on_value(const struct accumulator_value *v, void *data) {
  struct emitted *e = data;
  const struct metric *m = e->metric;
  double value = v->derive ? (double)v->counter : v->gauge;
  ROW_HOLDS(m, strcmp(v->type, m->type) == 0);
  ROW_HOLDS(m, m->code_name_alone ||
                   strncmp(v->instance, m->name, strlen(m->name)) == 0);
  ROW_HOLDS(m, v->derive == (m->kind == METRIC_KIND_COUNTER ||
                             m->kind == METRIC_KIND_LIFE));
  e->count++;
  e->largest = value > e->largest ? value : e->largest;
}

/* Adds the growth that the kernel's blocks of that size can tell. */
static void deltas_make(uint64_t delta[FIELD_COUNT],
                        const size_t size[BLOCK_COUNT]) {
  for (int id = 0; id < FIELD_COUNT; id++)
    delta[id] = field_present((enum field_id)id, size[field_table[id].block])
                    ? 5000
                    : 0;
}

/* Values of one metric, of sockets with blocks of these sizes. */
static struct emitted emit(const struct metric *m,
                           const size_t size[BLOCK_COUNT]) {
  struct metric_list list = {0};
  row_has_its_getter(m);
  assert_int_equal(metric_list_add(&list, id_of(m), NULL), 0);
  assert_int_equal(metric_list_complete(&list), 0);
  struct plan *plan = plan_new(&list);
  struct accumulator *a = accumulator_new(plan);
  assert_non_null(a);
  accumulator_begin(a);
  uint64_t delta[FIELD_COUNT];
  deltas_make(delta, size);
  for (enum socket_role role = BUSY; role <= LISTENING; role++) {
    struct sample s = sample_make(role, size);
    struct observation o = {.sample = &s,
                            .delta = delta,
                            .changed = true,
                            .active = true,
                            .window_us = 1000000};
    if (role == LISTENING)
      accumulator_add_without_traffic(a, &s);
    else
      accumulator_add(a, &o);
    sample_free(&s);
  }
  for (int life = 0; life < ACCUMULATOR_LIFE_COUNT; life++)
    accumulator_count(a, (enum accumulator_life)life);
  accumulator_set_outliers(a, 4);
  struct emitted e = {.metric = m};
  accumulator_emit(a, size[BLOCK_INFO], ACCUMULATOR_ALL, on_value, &e);
  accumulator_free(a);
  plan_free(plan);
  metric_list_clear(&list);
  return e;
}

static void each_row_has_a_value_of_sockets_that_have_everything(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++) {
    struct emitted e = emit(m, block_size);
    ROW_HOLDS(m, e.count > 0);
    ROW_HOLDS(m, e.largest > 0);
  }
}

/* Blocks that end with the field, less `missing` bytes. */
static void cut_after(const struct metric *m, size_t missing,
                      size_t size[BLOCK_COUNT]) {
  const struct field *f = &field_table[m->field];
  memcpy(size, block_size, sizeof(block_size));
  size[f->block] = (size_t)f->offset + f->width - missing;
}

/* The row's field is the last that the getter needs. Percentages are left
 * out: `whole` may stand behind `field`. */
static void each_row_has_a_value_as_soon_as_its_field_is_sent(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++) {
    size_t size[BLOCK_COUNT];
    if (m->field == METRIC_NO_FIELD || m->kind == METRIC_KIND_PERCENT)
      continue;
    cut_after(m, 0, size);
    struct emitted e = emit(m, size);
    ROW_HOLDS(m, e.count > 0);
    ROW_HOLDS(m, e.largest > 0);
  }
}

/* A counter of a block other than tcp_info stays 0 if the block is not sent. */
static void no_row_has_a_value_of_sockets_that_lack_its_field(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++) {
    size_t size[BLOCK_COUNT];
    if (m->field == METRIC_NO_FIELD)
      continue;
    cut_after(m, 1, size);
    struct emitted e = emit(m, size);
    if (m->kind == METRIC_KIND_COUNTER &&
        field_table[m->field].block != BLOCK_INFO)
      ROW_HOLDS(m, e.largest == 0);
    else
      ROW_HOLDS(m, e.count == 0);
  }
}

/* A condition that always holds would report the number of connections. */
static void no_condition_holds_for_an_idle_socket(void **state) {
  (void)state;
  static const uint8_t zero[280];
  struct sample s = {.state = TCP_STATE_ESTABLISHED, .full = true};
  for (int block = 0; block < BLOCK_COUNT; block++)
    s.block[block] = (struct block){.bytes = zero, .size = block_size[block]};
  for (const struct metric *m = first_row; m < end_row; m++)
    if (m->kind == METRIC_KIND_SOCKETS) {
      row_has_its_getter(m);
      ROW_HOLDS(m, !m->holds(&s));
    }
}

/* --- Defaults ------------------------------------------------------------- */

/* A group without the option Metric dispatches these values in this order. */
static void default_values_are_in_order(void **state) {
  (void)state;
  static const char *const expected[] = {
      "connections",     "active",     "opened",         "closed",
      "rtt-p50",         "rtt-p95",    "rtt-max",        "queue_delay-p95",
      "cwnd-p50",        "bytes_sent", "bytes_received", "retrans",
      "retrans_percent", "limited",    "stalled",        "close_wait"};
  size_t count = sizeof(expected) / sizeof(expected[0]);
  struct metric_list list = {0};
  assert_int_equal(metric_list_default(&list), 0);
  struct plan *plan = plan_new(&list);
  assert_non_null(plan);
  assert_int_equal(plan->output_count, count);
  for (size_t i = 0; i < count; i++)
    assert_string_equal(plan->output[i].instance, expected[i]);
  plan_free(plan);
  metric_list_clear(&list);
}

static void only_default_rows_have_a_default_statistic(void **state) {
  (void)state;
  for (const struct metric *m = first_row; m < end_row; m++)
    ROW_HOLDS(m, m->is_default || m->default_statistic == NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_and_types_are_there),
      cmocka_unit_test(each_row_has_the_getter_of_its_kind_and_no_other),
      cmocka_unit_test(no_two_rows_have_the_same_getter),
      cmocka_unit_test(asks_cover_the_block_of_the_field),
      cmocka_unit_test(latencies_are_seconds_of_active_connections),
      cmocka_unit_test(histograms_have_few_rising_edges),
      cmocka_unit_test(each_row_has_a_value_of_sockets_that_have_everything),
      cmocka_unit_test(each_row_has_a_value_as_soon_as_its_field_is_sent),
      cmocka_unit_test(no_row_has_a_value_of_sockets_that_lack_its_field),
      cmocka_unit_test(no_condition_holds_for_an_idle_socket),
      cmocka_unit_test(default_values_are_in_order),
      cmocka_unit_test(only_default_rows_have_a_default_statistic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
