/* Tests which destroy events of connections that no dump has shown count: each
 * row is a short history, then the event of a cookie that is not known. One
 * character of a history is one step:
 *
 *   -     a complete dump without sockets
 *   e     a complete dump that shows another connection
 *   x     a failed dump
 *   + !   destroy events are received from now on, or no longer
 *
 * A dump begins every 1000 ms and takes 5 ms. */
#include "connection/connection.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { INFO_SIZE = 280, INTERVAL_MS = 1000, DUMP_MS = 5 };

struct world {
  struct group_settings settings;
  struct group *group;
  struct connections *connections;
  struct listeners listeners;
  uint64_t now_ms, ended_ms; /* ended_ms: the last dump */
  uint64_t opened, closed, failed, sent;
};

static void world_make(struct world *w) {
  static const enum metric_id metrics[] = {METRIC_OPENED, METRIC_CLOSED,
                                           METRIC_FAILED, METRIC_BYTES_SENT};
  memset(w, 0, sizeof(*w));
  w->settings.name = (char *)"all";
  w->settings.selector = selector_new(SELECTOR_AND);
  for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
    metric_list_add(&w->settings.metrics, metrics[i], NULL);
  w->group = group_new(&w->settings, NULL);
  assert_non_null(w->group);
  const struct connections_options options = {
      .group = &w->group,
      .group_count = 1,
      .states = TCP_STATES_TRAFFIC,
      .info = true,
      .interval_ms = INTERVAL_MS,
      .listeners = &w->listeners,
  };
  w->connections = connections_new(&options);
  assert_non_null(w->connections);
  w->now_ms = 1000000000;
}

static void world_free(struct world *w) {
  connections_free(w->connections);
  group_free(w->group);
  selector_free(w->settings.selector);
  metric_list_clear(&w->settings.metrics);
}

enum { FAILED = 1, DISCONNECTED = 2, NO_TIME = 4 };

static struct sample sample_of(uint64_t cookie, uint32_t last_ack_ms, int kind,
                               uint8_t *info) {
  struct sample s = {.cookie = cookie,
                     .attrs = {.local_port = 5000, .remote_port = 443},
                     .state = TCP_STATE_ESTABLISHED,
                     .full = true,
                     .held = true,
                     .info = info,
                     .info_size = INFO_SIZE};
  s.attrs.remote.bytes[15] = 1;
  memset(info, 0, INFO_SIZE);
  info_put(info, FIELD_LAST_ACK_RECV, last_ack_ms);
  info_put(info, FIELD_SEGS_OUT, 3);
  if (kind == NO_TIME)
    s.info_size = 40;
  if (kind == FAILED)
    return s;
  info_put(info, FIELD_SND_WND, 65536);
  if (kind == DISCONNECTED) { /* linux: tcp_disconnect() */
    info_put(info, FIELD_SEGS_OUT, 0);
    s.attrs.remote_port = 0;
    return s;
  }
  info_put(info, FIELD_BYTES_SENT, 1000);
  info_put(info, FIELD_BYTES_ACKED, 1001);
  info_put(info, FIELD_SEGS_IN, 10);
  return s;
}

static void dump(struct world *w, char step) {
  uint8_t info[INFO_SIZE];
  struct sample other = sample_of(1, 0, 0, info);
  w->now_ms += INTERVAL_MS;
  group_begin(w->group);
  connections_begin(w->connections, w->now_ms);
  if (step == 'e')
    assert_int_equal(connections_socket(w->connections, &other), 0);
  w->ended_ms = w->now_ms + DUMP_MS;
  if (step == 'x') {
    connections_failed(w->connections);
    return;
  }
  connections_complete(w->connections, w->ended_ms);
  group_settle(w->group);
  group_commit(w->group);
}

static void steps_run(struct world *w, const char *steps) {
  for (; *steps != '\0'; steps++)
    if (*steps == '+' || *steps == '!')
      connections_receive_events(w->connections, *steps == '+');
    else
      dump(w, *steps);
}

static void on_value(const struct accumulator_value *v, void *data) {
  struct world *w = data;
  uint64_t *to = strcmp(v->instance, "opened") == 0   ? &w->opened
                 : strcmp(v->instance, "closed") == 0 ? &w->closed
                 : strcmp(v->instance, "failed") == 0 ? &w->failed
                                                      : &w->sent;
  *to = (uint64_t)v->counter;
}

static void on_series(const char *member, struct accumulator *a, bool chosen,
                      void *data) {
  (void)member, (void)chosen;
  accumulator_emit(a, INFO_SIZE, ACCUMULATOR_COUNTERS, on_value, data);
}

static struct world values_of(const struct world *w) {
  struct world values = {0};
  group_each(w->group, on_series, &values);
  return values;
}

/* Another connection was forgotten without its event: shown once, missing in
 * two dumps, remembered for 30 more. */
#define FORGOTTEN "+-e---------------------------------"

/* `after_ms`: from the end of the last dump to the event, at least. */
static const struct row {
  const char *name, *steps;
  uint32_t last_ack_ms, after_ms;
  int kind;
  enum { COUNTED, UNCLEAR, IGNORED } result;
} table[] = {
    {"10 ms after the first dump", "+-", 0, 10, 0, COUNTED},
    {"9 ms: the ACK may be older than the dump", "+-", 0, 9, 0, UNCLEAR},
    {"silent for 100 ms, by a fresh bound", "+-", 100, 110, 0, COUNTED},
    {"silent for 100 ms, by an older bound", "+-", 100, 109, 0, UNCLEAR},
    {"over before the first dump, sent late by a work queue", "+-", 500, 300, 0,
     UNCLEAR},
    {"dead and held since before the start", "+-", 5000000, 900, 0, UNCLEAR},
    {"before the first complete dump", "+", 0, 900, 0, IGNORED},
    {"after a failed first dump", "+x", 0, 900, 0, IGNORED},
    {"the first complete dump is the second one", "+x-", 0, 9, 0, UNCLEAR},
    {"10 ms after the first complete dump", "+x-", 0, 10, 0, COUNTED},
    {"after the second dump", "+--", 0, 0, 0, COUNTED},
    {"silent since just after the first dump", "+--", 990, 0, 0, COUNTED},
    {"silent since the first dump", "+--", 991, 0, 0, UNCLEAR},
    {"a failed dump moves nothing", "+-x", 990, 0, 0, COUNTED},
    {"the kernel does not send the time of the last ACK", "+---", 0, 900,
     NO_TIME, UNCLEAR},
    {"cleared counters, certainly new", "+-", 0, 10, DISCONNECTED, COUNTED},
    {"cleared counters, maybe old", "+-", 0, 9, DISCONNECTED, UNCLEAR},
    {"never established: never counted before", "+-", 5000000, 0, FAILED,
     COUNTED},
    {"another one ended without events, two dumps ago", "-e---+-", 1990, 0, 0,
     COUNTED},
    {"it may be the one that ended without events", "-e---+-", 1991, 0, 0,
     UNCLEAR},
    {"a suspension in which nothing ended", "+-!--+-", 2990, 0, 0, COUNTED},
    {"another one was forgotten after 30 dumps", FORGOTTEN, 20000, 0, 0,
     COUNTED},
    {"it may be the one that was forgotten", FORGOTTEN, 40000, 0, 0, UNCLEAR},
};

static void unseen_connection_counts_if_it_is_certainly_new(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    const struct row *r = &table[i];
    uint8_t info[INFO_SIZE];
    struct world w;
    world_make(&w);
    steps_run(&w, r->steps);
    struct world before = values_of(&w);
    struct sample s = sample_of(2, r->last_ack_ms, r->kind, info);
    s.state = TCP_STATE_CLOSE;
    connections_destroyed(w.connections, &s, w.ended_ms + r->after_ms);
    struct world now = values_of(&w);
    bool failed = r->kind == FAILED, counted = r->result == COUNTED;
    uint64_t unclear = connections_sums(w.connections)->unclear;
    if (now.opened - before.opened != (counted && !failed) ||
        now.closed - before.closed != (counted && !failed) ||
        now.failed != (counted && failed) ||
        now.sent - before.sent != (counted && r->kind == 0 ? 1000u : 0u) ||
        unclear != (r->result == UNCLEAR))
      fail_msg("%s (%s): opened %d, closed %d, failed %d, sent %d, unclear %d",
               r->name, r->steps, (int)(now.opened - before.opened),
               (int)(now.closed - before.closed), (int)now.failed,
               (int)(now.sent - before.sent), (int)unclear);
    world_free(&w);
  }
}

/* The bound has to be fresh for three dumps after each one up to which
 * connections may have been counted. */
static void events_need_exact_times_for_three_dumps(void **state) {
  (void)state;
  static const struct {
    const char *steps;
    bool exact;
  } rows[] = {
      {"+", false},       {"+x", false},       {"+-", true},
      {"+x-", true},      {"+--", true},       {"+---", true},
      {"+----", false},   {"+--x-x", true},    {"+-e-----", false},
      {"-e---+-", true},  {"-e---+--", false}, {"+-!--+-", false},
      {FORGOTTEN, false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct world w;
    world_make(&w);
    steps_run(&w, rows[i].steps);
    if (connections_need_exact_events(w.connections) != rows[i].exact)
      fail_msg("%s: %d", rows[i].steps, !rows[i].exact);
    world_free(&w);
  }
}

/* Only the first complete dump is one before which no event counts. */
static void first_complete_dump_is_told(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  steps_run(&w, "+x");
  connections_begin(w.connections, w.now_ms + 1);
  assert_true(connections_complete(w.connections, w.now_ms + 2));
  connections_begin(w.connections, w.now_ms + 3);
  assert_false(connections_complete(w.connections, w.now_ms + 4));
  world_free(&w);
}

/* After many failed dumps tracking begins anew, and so does the past that does
 * not count. */
static void restart_of_tracking_is_a_new_start(void **state) {
  (void)state;
  uint8_t info[INFO_SIZE];
  struct world w;
  world_make(&w);
  steps_run(&w, "+----");
  for (int failed = 0; failed < 8; failed++) {
    connections_begin(w.connections, w.now_ms += INTERVAL_MS);
    for (uint32_t i = 0; i < 70000; i++) {
      struct sample s = {.cookie = 1000 + i,
                         .attrs = {.local_port = 80},
                         .state = TCP_STATE_FIN_WAIT2};
      assert_int_equal(connections_socket(w.connections, &s), 0);
    }
    connections_failed(w.connections);
  }
  assert_int_equal(connections_tracked(w.connections), 0);
  assert_false(connections_need_exact_events(w.connections));
  struct sample s = sample_of(2, 0, 0, info);
  connections_destroyed(w.connections, &s, w.now_ms + 900);
  assert_int_equal(values_of(&w).opened, 0);
  steps_run(&w, "-");
  assert_true(connections_need_exact_events(w.connections));
  connections_destroyed(w.connections, &s, w.ended_ms + 9);
  assert_int_equal(values_of(&w).opened, 0);
  assert_int_equal(connections_sums(w.connections)->unclear, 1);
  connections_destroyed(w.connections, &s, w.ended_ms + 10);
  assert_int_equal(values_of(&w).opened, 1);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unseen_connection_counts_if_it_is_certainly_new),
      cmocka_unit_test(events_need_exact_times_for_three_dumps),
      cmocka_unit_test(first_complete_dump_is_told),
      cmocka_unit_test(restart_of_tracking_is_a_new_start),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
