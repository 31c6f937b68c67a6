/* Tests connection/growth.h by what connections add: a table of how a socket
 * was seen before, and by which message it is now. The history of one socket is
 * a text; each character is one step:
 *
 *   s e o f t n  a complete dump shows the socket in SYN_SENT, ESTABLISHED, as
 *                an orphan in FIN_WAIT1, as a mini socket in FIN_WAIT2,
 *                TIME_WAIT or SYN_RECV
 *   r            a complete dump shows its cookie with another remote address
 *   -            a complete dump without it
 *   x y          a failed dump without it, or with it, ESTABLISHED
 *   C L R        its close event, sent after the last dump; sent while that
 *                dump was under way; with another remote address
 *
 * The counters are 0 until the last step. */
#include "connection/connection.h"
#include "connection/track.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
  COOKIE = 77,
  INFO_SIZE = 280,
  START_MS = 1000000,
  INTERVAL_MS = 1000, /* from the begin of a dump to that of the next */
  DUMP_MS = 50,       /* a dump takes this long */
  EVENT_MS = 100,     /* from the end of a dump to an event */
  GRAIN_MS = 10,      /* a jiffy */
  LONG_MS = 100000,   /* more than any history */
};

static const enum metric_id metrics[] = {
    METRIC_BUSY_TIME, METRIC_RWND_LIMITED,   METRIC_SNDBUF_LIMITED,
    METRIC_RTO_TIME,  METRIC_RETRANS,        METRIC_TOTAL_RTO,
    METRIC_OPENED,    METRIC_RTO_RECOVERIES,
};
enum { METRICS = sizeof(metrics) / sizeof(metrics[0]) };

struct counters {
  uint64_t time_ms; /* each counter of time */
  uint64_t retrans, rto, recoveries;
};

struct world {
  struct group_settings settings;
  struct name_lookup *names;
  struct group *group;
  struct connections *connections;
  struct listeners listeners;
  struct counters now; /* of the socket */
  uint64_t now_ms;
  uint64_t clock_ms; /* what the clock shows */
  uint64_t total[METRIC_COUNT], members[METRIC_COUNT];
};

static uint64_t clock_now(void *data) {
  struct world *w = data;
  return w->clock_ms;
}

static void world_make(struct world *w) {
  memset(w, 0, sizeof(*w));
  w->settings = (struct group_settings){.name = (char *)"g",
                                        .selector = selector_new(SELECTOR_AND),
                                        .by = {DIMENSION_REMOTE_ADDRESS},
                                        .by_count = 1,
                                        .max_members = 10,
                                        .member_timeout = 100};
  for (size_t i = 0; i < METRICS; i++)
    assert_int_equal(metric_list_add(&w->settings.metrics, metrics[i], NULL),
                     0);
  w->names = name_lookup_new();
  w->group = group_new(&w->settings, w->names);
  assert_non_null(w->group);
  const struct connections_options options = {
      .group = &w->group,
      .group_count = 1,
      .states = TCP_STATES_TRAFFIC | TCP_STATES_REST,
      .attributes = group_attrs(w->group),
      .info = true,
      .interval_ms = INTERVAL_MS,
      .now = clock_now,
      .now_data = w,
      .listeners = &w->listeners,
  };
  w->connections = connections_new(&options);
  assert_non_null(w->connections);
  connections_receive_events(w->connections, true);
  w->now_ms = START_MS;
}

static void world_free(struct world *w) {
  connections_free(w->connections);
  group_free(w->group);
  name_lookup_free(w->names);
  selector_free(w->settings.selector);
  metric_list_clear(&w->settings.metrics);
}

static struct sample sample_of(const struct world *w, uint8_t state, bool full,
                               uint8_t *info) {
  struct sample s = {.cookie = COOKIE,
                     .attrs = {.local_port = 443, .remote_port = 50000},
                     .state = state,
                     .full = full,
                     .held = full && state != TCP_STATE_FIN_WAIT1};
  s.attrs.remote.bytes[15] = 1;
  memset(info, 0, INFO_SIZE);
  if (!full)
    return s;
  s.info = info;
  s.info_size = INFO_SIZE;
  info_put(info, FIELD_SEGS_IN, 10);
  info_put(info, FIELD_SEGS_OUT, 10);
  info_put(info, FIELD_BYTES_ACKED, 10);
  info_put(info, FIELD_SND_WND, 65536);
  info_put(info, FIELD_BUSY_TIME, w->now.time_ms * 1000);
  info_put(info, FIELD_RWND_LIMITED, w->now.time_ms * 1000);
  info_put(info, FIELD_SNDBUF_LIMITED, w->now.time_ms * 1000);
  info_put(info, FIELD_TOTAL_RTO_TIME, w->now.time_ms);
  info_put(info, FIELD_TOTAL_RETRANS, w->now.retrans);
  info_put(info, FIELD_TOTAL_RTO, w->now.rto);
  info_put(info, FIELD_TOTAL_RTO_RECOVERIES, w->now.recoveries);
  return s;
}

static struct sample shown_as(const struct world *w, char step, uint8_t *info) {
  static const struct {
    char step;
    uint8_t state;
    bool full;
  } as[] = {{'s', TCP_STATE_SYN_SENT, true},
            {'o', TCP_STATE_FIN_WAIT1, true},
            {'f', TCP_STATE_FIN_WAIT2, false},
            {'t', TCP_STATE_TIME_WAIT, false},
            {'n', TCP_STATE_SYN_RECV, false}};
  for (size_t i = 0; i < sizeof(as) / sizeof(as[0]); i++)
    if (as[i].step == step)
      return sample_of(w, as[i].state, as[i].full, info);
  struct sample s = sample_of(w, TCP_STATE_ESTABLISHED, true, info);
  if (step == 'r')
    s.attrs.remote.bytes[15] = 2;
  return s;
}

static void on_value(const struct accumulator_value *v, void *data) {
  for (size_t i = 0; i < METRICS; i++)
    if (strcmp(v->instance, metric_table[metrics[i]].name) == 0)
      ((uint64_t *)data)[metrics[i]] += (uint64_t)v->counter;
}

static void on_series(const char *member, struct accumulator *a, bool chosen,
                      void *data) {
  struct world *w = data;
  (void)chosen;
  accumulator_emit(a, INFO_SIZE, ACCUMULATOR_COUNTERS, on_value,
                   member == NULL ? w->total : w->members);
}

static void settle(struct world *w) {
  memset(w->total, 0, sizeof(w->total));
  memset(w->members, 0, sizeof(w->members));
  group_settle(w->group);
  group_each(w->group, on_series, w);
  group_commit(w->group);
}

static void dump(struct world *w, char step) {
  uint8_t info[INFO_SIZE];
  struct sample s = shown_as(w, step, info);
  w->now_ms += INTERVAL_MS - w->now_ms % INTERVAL_MS;
  w->clock_ms = w->now_ms;
  group_begin(w->group);
  connections_begin(w->connections, w->now_ms);
  if (step != '-' && step != 'x')
    assert_int_equal(connections_socket(w->connections, &s), 0);
  w->now_ms += DUMP_MS;
  if (step == 'x' || step == 'y') {
    connections_failed(w->connections);
    return;
  }
  connections_complete(w->connections, w->now_ms);
  settle(w);
}

static void event(struct world *w, char step) {
  uint8_t info[INFO_SIZE];
  struct sample s = sample_of(w, TCP_STATE_CLOSE, true, info);
  if (step == 'R')
    s.attrs.remote.bytes[15] = 2;
  if (step != 'L')
    w->now_ms += EVENT_MS;
  w->clock_ms = w->now_ms;
  connections_destroyed(w->connections, &s,
                        step == 'L' ? w->now_ms - 10 : w->now_ms);
}

/* The last step has the counters `last`. Its growth is in `total`. */
static void run(struct world *w, const char *steps, struct counters last) {
  for (; *steps != '\0'; steps++) {
    if (steps[1] == '\0')
      w->now = last;
    if (strchr("CLR", *steps) != NULL)
      event(w, *steps);
    else
      dump(w, *steps);
  }
  dump(w, '-');
}

/* --- Time --------------------------------------------------------------- */

/* `ms`: what each counter of time grows by in the last step, in which it jumps
 * to LONG_MS. */
static const struct {
  const char *name, *steps;
  uint64_t ms;
} time_table[] = {
    /* By no dump; a dump. */
    {"shown by the first dump: the past does not count", "e", 0},
    {"new: since the last complete dump", "-e", 1000 + GRAIN_MS},
    {"new after a failed dump: since the last complete one", "-xe",
     2000 + GRAIN_MS},
    {"new, an orphan", "-o", 1000 + GRAIN_MS},
    {"new, after its SYN_RECV was shown", "-n-e", 2000 + 1050 + GRAIN_MS},

    /* By a dump; a dump. */
    {"shown by the dump before", "-ee", 1000 + GRAIN_MS},
    {"shown by the first dump", "ee", 1000 + GRAIN_MS},
    {"shown by a failed dump", "-eye", 1000 + GRAIN_MS},
    {"not shown by a failed dump", "-exe", 2000 + GRAIN_MS},
    {"not shown by the last complete dump", "-e-e", 2000 + GRAIN_MS},
    {"not shown by the last two", "-e--e", 3000 + GRAIN_MS},
    {"an orphan", "-eo", 1000 + GRAIN_MS},
    {"in TIME_WAIT and back", "-ete", 1000 + 1050 + GRAIN_MS},
    {"another connection on the socket", "-er", 1000 + GRAIN_MS},

    /* By no dump; its close event. */
    {"unseen: the time between two dumps", "--C", 1050 + GRAIN_MS},
    {"unseen, with one dump so far: since that", "-C", 150 + GRAIN_MS},
    {"unseen: the longest time between two complete dumps", "-xx---C",
     3050 + GRAIN_MS},
    {"unseen, failed dumps since: since the complete one", "--xxxC",
     3150 + GRAIN_MS},
    {"unseen, closed during the dump", "--L", 1050 + GRAIN_MS},
    {"only its mini socket was shown", "--fC", 150 + 1050 + GRAIN_MS},
    {"only its SYN_RECV was shown", "--nC", 150 + 1050 + GRAIN_MS},
    {"only in TIME_WAIT", "--tC", 150 + 1050 + GRAIN_MS},
    {"another connection on a socket that was shown", "-eR", 150 + GRAIN_MS},

    /* By the last complete dump, with traffic; its close event. */
    {"shown by the last dump", "-eC", 150 + GRAIN_MS},
    {"shown by the first dump", "eC", 150 + GRAIN_MS},
    {"an orphan, shown by the last dump", "-oC", 150 + GRAIN_MS},
    {"SYN_SENT, shown by the last dump", "-sC", 150 + GRAIN_MS},
    {"then its mini socket", "-efC", 150 + 1050 + GRAIN_MS},
    {"failed dumps since", "-exxC", 2150 + GRAIN_MS},
    {"closed during the dump that showed it", "-eeL", 50 + GRAIN_MS},
    {"closed during the dump that did not show it", "-e-L", 1050 + GRAIN_MS},
    {"closed during the dump that showed its TIME_WAIT", "-etL",
     50 + 1050 + GRAIN_MS},

    /* Before that, or without traffic; its close event. */
    {"not shown by the last complete dump", "-e-C", 0},
    {"nor by a failed one", "-e-xC", 0},
    {"not shown by the last two: MISSING", "-e--C", 0},
    {"not shown for long", "-e----------------C", 0},
    {"MISSING, closed during a dump", "-e--L", 0},
    {"in TIME_WAIT: OVER", "-etC", 0},
    {"OVER, closed during the next dump", "-et-L", 0},
    {"in TIME_WAIT twice: COUNTED", "-ettC", 0},
    {"COUNTED, closed during that dump", "-ettL", 0},
    {"open in the first dump, held long after", "e-----C", 0},
};

static void connection_adds_no_more_time_than_it_lived(void **state) {
  (void)state;
  static const enum metric_id times[] = {METRIC_BUSY_TIME, METRIC_RWND_LIMITED,
                                         METRIC_SNDBUF_LIMITED,
                                         METRIC_RTO_TIME};
  for (size_t i = 0; i < sizeof(time_table) / sizeof(time_table[0]); i++)
    for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
      struct world w;
      world_make(&w);
      run(&w, time_table[i].steps,
          (struct counters){.time_ms = LONG_MS, .retrans = 5});
      uint64_t total = w.total[times[k]], members = w.members[times[k]];
      if (total != time_table[i].ms || members != time_table[i].ms ||
          w.total[METRIC_RETRANS] != (i > 0 ? 5 : 0))
        fail_msg("%s (%s): %s is %u, of members %u, not %u; retrans %u",
                 time_table[i].name, time_table[i].steps,
                 metric_table[times[k]].name, (unsigned)total,
                 (unsigned)members, (unsigned)time_table[i].ms,
                 (unsigned)w.total[METRIC_RETRANS]);
      world_free(&w);
    }
}

/* A busy socket may be early in one dump and late in the next. The clock is
 * read only for a socket whose growth the last known time does not explain. */
static void busy_socket_loses_no_time_in_a_long_dump(void **state) {
  (void)state;
  enum { SOCKETS = 1000 };
  struct world w;
  uint8_t info[INFO_SIZE];
  world_make(&w);
  for (int pass = 0; pass < 3; pass++) {
    group_begin(w.group);
    connections_begin(w.connections, w.now_ms);
    for (uint64_t i = 0; i < SOCKETS; i++) {
      /* The second dump walks them in half a second, in the other order. */
      uint64_t cookie = pass == 1 ? SOCKETS - i : i + 1;
      w.clock_ms = w.now_ms + (pass == 0 ? 0 : i / 2);
      w.now.time_ms = w.clock_ms - START_MS;
      struct sample s = sample_of(&w, TCP_STATE_ESTABLISHED, true, info);
      s.cookie = cookie;
      assert_int_equal(connections_socket(w.connections, &s), 0);
    }
    w.now_ms += DUMP_MS;
    connections_complete(w.connections, w.now_ms);
    settle(&w);
    w.now_ms += INTERVAL_MS - DUMP_MS;
    uint64_t sum = 0; /* what all sockets show */
    for (uint64_t i = 0; i < SOCKETS; i++)
      sum += pass == 0 ? 0 : (uint64_t)pass * INTERVAL_MS + i / 2;
    assert_int_equal(w.total[METRIC_BUSY_TIME], sum);
    assert_int_equal(w.total[METRIC_RTO_TIME], sum);
  }
  world_free(&w);
}

/* More dumps fail than are remembered. */
static void live_socket_loses_no_time_over_many_failed_dumps(void **state) {
  (void)state;
  static const struct {
    const char *steps;
    uint64_t ms; /* busy since shortly after the last message, or new */
  } table[] = {{"-e", 70900}, {"-e-", 71900}, {"-", 70900}, {"e", 70900}};
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    struct world w;
    world_make(&w);
    for (const char *s = table[i].steps; *s != '\0'; s++)
      dump(&w, *s);
    for (int failed = 0; failed < 70; failed++)
      dump(&w, 'x');
    w.now.time_ms = table[i].ms;
    dump(&w, 'e');
    assert_int_equal(w.total[METRIC_BUSY_TIME], table[i].ms);
    world_free(&w);
  }
}

/* --- Timeouts of the request -----------------------------------------------
 */

static const struct {
  const char *name;
  struct counters shown, counted;
} timeout_table[] = {
    {"TCP_DEFER_ACCEPT: timeouts that retransmitted nothing",
     {3000, 0, 2, 1},
     {0, 0, 0, 0}},
    {"SYN-ACKs were lost", {100, 3, 3, 1}, {100, 3, 3, 1}},
    {"retransmissions without timeouts", {0, 7, 0, 0}, {0, 7, 0, 0}},
};

static void check_timeouts(size_t row, const char *steps,
                           const struct counters *want, bool with_time) {
  struct world w;
  world_make(&w);
  run(&w, steps, timeout_table[row].shown);
  if ((with_time && w.total[METRIC_RTO_TIME] != want->time_ms) ||
      w.total[METRIC_TOTAL_RTO] != want->rto ||
      w.total[METRIC_RTO_RECOVERIES] != want->recoveries ||
      w.total[METRIC_RETRANS] != want->retrans)
    fail_msg("%s (%s): time %u, timeouts %u, recoveries %u",
             timeout_table[row].name, steps, (unsigned)w.total[METRIC_RTO_TIME],
             (unsigned)w.total[METRIC_TOTAL_RTO],
             (unsigned)w.total[METRIC_RTO_RECOVERIES]);
  world_free(&w);
}

/* The first message with counters brings the timeouts of the request, even if a
 * dump has shown the request, or a mini socket, before. Later ones count. */
static void timeouts_of_the_request_are_in_the_first_counters(void **state) {
  (void)state;
  static const char *const first[] = {"-e",  "-s",   "-ne", "-nn-e",
                                      "--C", "--fC", "-nC", "-er"};
  static const char *const later[] = {"-ee", "-se", "-eC", "-e-e",
                                      "ee",  "eC",  "-efC"};
  for (size_t i = 0; i < sizeof(timeout_table) / sizeof(timeout_table[0]);
       i++) {
    for (size_t k = 0; k < sizeof(first) / sizeof(first[0]); k++)
      check_timeouts(i, first[k], &timeout_table[i].counted, true);
    for (size_t k = 0; k < sizeof(later) / sizeof(later[0]); k++)
      check_timeouts(i, later[k], &timeout_table[i].shown, false);
  }
}

/* --- Data --------------------------------------------------------------- */

/* `size`: of struct tcp_info; 224 is that of Linux 4.19. */
static const struct {
  const char *name;
  size_t size;
  uint8_t state;
  bool established;
  uint64_t bytes_retrans;
  bool of_data;
} data_table[] = {
    {"no byte of payload", 280, TCP_STATE_ESTABLISHED, true, 0, false},
    {"some payload", 280, TCP_STATE_ESTABLISHED, true, 1, true},
    {"a lot of payload", 280, TCP_STATE_ESTABLISHED, true, 1ull << 40, true},
    {"no payload, Linux 4.19", 224, TCP_STATE_ESTABLISHED, true, 0, false},
    {"payload, Linux 4.19", 224, TCP_STATE_LAST_ACK, true, 9, true},
    {"not known, Linux 4.18", 200, TCP_STATE_ESTABLISHED, true, 0, true},
    {"not known, Linux 2.6", 104, TCP_STATE_FIN_WAIT1, true, 0, true},
    {"a SYN", 280, TCP_STATE_SYN_SENT, false, 0, false},
    {"a SYN with data", 280, TCP_STATE_SYN_SENT, false, 500, false},
    {"a SYN, Linux 4.18", 200, TCP_STATE_SYN_SENT, false, 0, false},
    {"close event", 280, TCP_STATE_CLOSE, true, 700, true},
    {"close event without payload", 280, TCP_STATE_CLOSE, true, 0, false},
    {"close event, Linux 4.18", 200, TCP_STATE_CLOSE, true, 0, true},
    {"close event of a failed connect, Linux 4.18", 200, TCP_STATE_CLOSE, false,
     0, false},
};

static struct sample data_sample(size_t row, uint64_t retrans, uint8_t *info) {
  struct sample s = {.cookie = COOKIE,
                     .state = data_table[row].state,
                     .full = true,
                     .attrs = {.local_port = 1, .remote_port = 2},
                     .info = info,
                     .info_size = data_table[row].size};
  memset(info, 0, INFO_SIZE);
  info_put(info, FIELD_TOTAL_RETRANS, retrans);
  info_put(info, FIELD_BYTES_RETRANS, data_table[row].bytes_retrans);
  info_put(info, FIELD_BYTES_ACKED, data_table[row].established ? 900 : 0);
  info_put(info, FIELD_SEGS_IN, data_table[row].established ? 9 : 0);
  return s;
}

static bool on_gone(uint64_t cookie, void *owner, void *data) {
  (void)cookie, (void)owner, (void)data;
  return false;
}

static void retransmissions_before_any_payload_are_no_data(void **state) {
  (void)state;
  static const enum field_id fields[] = {FIELD_TOTAL_RETRANS, FIELD_BYTES_ACKED,
                                         FIELD_DATA_RETRANS};
  for (size_t i = 0; i < sizeof(data_table) / sizeof(data_table[0]); i++) {
    uint8_t info[INFO_SIZE];
    struct track_seen seen;
    struct track *t = track_new(fields, 3, 4);
    struct sample s = data_sample(i, 3, info);
    bool is_event = s.state == TCP_STATE_CLOSE;
    uint64_t all[2], data[2];
    track_begin(t);
    track_end(t, on_gone, NULL);
    for (int sight = 0; sight < 2; sight++) { /* the first, and a later one */
      s = data_sample(i, sight == 0 ? 3 : 5, info);
      if (is_event && sight == 0)
        s.state = TCP_STATE_ESTABLISHED;
      track_begin(t);
      if (is_event && sight == 1)
        track_close(t, &s, false, &seen);
      else
        track_see(t, &s, &seen);
      all[sight] = seen.delta[FIELD_TOTAL_RETRANS];
      data[sight] = seen.delta[FIELD_DATA_RETRANS];
      track_end(t, on_gone, NULL);
    }
    assert_int_equal(all[0], 3);
    assert_int_equal(all[1], 2);
    if (data[1] != (data_table[i].of_data ? 2 : 0) ||
        (!is_event && data[0] != (data_table[i].of_data ? 3 : 0)))
      fail_msg("%s: %u, then %u of data", data_table[i].name, (unsigned)data[0],
               (unsigned)data[1]);
    track_free(t);
  }
}

/* The growth of one socket is not reported for the next one, which did nothing.
 */
static void data_of_one_socket_are_not_those_of_another(void **state) {
  (void)state;
  static const enum field_id fields[] = {FIELD_TOTAL_RETRANS, FIELD_BYTES_ACKED,
                                         FIELD_DATA_RETRANS};
  uint8_t info[INFO_SIZE];
  struct track_seen seen;
  struct track *t = track_new(fields, 3, 4);
  for (uint64_t dump = 0; dump < 3; dump++) {
    track_begin(t);
    for (uint64_t cookie = 1; cookie <= 2; cookie++) {
      struct sample s = data_sample(1, cookie == 1 ? dump : 0, info);
      s.cookie = cookie;
      track_see(t, &s, &seen);
      assert_int_equal(seen.delta[FIELD_DATA_RETRANS], cookie == 1 && dump > 0);
    }
    track_end(t, on_gone, NULL);
  }
  struct sample s = data_sample(1, 7, info);
  s.cookie = 1;
  track_close(t, &s, false, &seen);
  assert_int_equal(seen.delta[FIELD_DATA_RETRANS], 5);
  s.cookie = 3; /* no dump showed it */
  track_close(t, &s, false, &seen);
  assert_int_equal(seen.delta[FIELD_DATA_RETRANS], 7);
  s.cookie = 2;
  track_close(t, &s, true, &seen);
  assert_int_equal(seen.delta[FIELD_DATA_RETRANS], 0);
  track_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(connection_adds_no_more_time_than_it_lived),
      cmocka_unit_test(busy_socket_loses_no_time_in_a_long_dump),
      cmocka_unit_test(live_socket_loses_no_time_over_many_failed_dumps),
      cmocka_unit_test(timeouts_of_the_request_are_in_the_first_counters),
      cmocka_unit_test(retransmissions_before_any_payload_are_no_data),
      cmocka_unit_test(data_of_one_socket_are_not_those_of_another),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
