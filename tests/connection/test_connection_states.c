/* Tests each transition of the table at the head of connection/connection.c
 * with a short history of one socket. One character is one step:
 *
 *   s e f t   a complete dump shows the socket in SYN_SENT, ESTABLISHED, as a
 *             mini socket in FIN_WAIT2, or as one in TIME_WAIT
 *   r         a complete dump shows its cookie with another remote address,
 *             ESTABLISHED
 *   -         a complete dump without it
 *   x         a failed dump without it
 *   C D F     its destroy event: with its counters, without them
 *             (disconnected), or of a connection that was never established
 *   + !       destroy events are received from now on, or no longer
 */
#include "connection/connection.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { COOKIE = 77, INFO_SIZE = 280, INTERVAL_MS = 1000, ENDS_MAX = 64 };

struct world {
  struct group_settings settings;
  struct group *group;
  struct connections *connections;
  struct listeners listeners;
  uint64_t now_ms;
  uint64_t began, ended; /* connections */
  char ends[ENDS_MAX];   /* one letter per end: its reason */
  uint64_t opened, closed, failed;
};

static const char reason_letter[CONNECTION_END_REASON_COUNT] = {
    [CONNECTION_END_CLOSED] = 'C',    [CONNECTION_END_FAILED] = 'F',
    [CONNECTION_END_DISCARDED] = 'D', [CONNECTION_END_VANISHED] = 'V',
    [CONNECTION_END_REPLACED] = 'R',  [CONNECTION_END_RESTARTED] = 'S',
};

static void on_begun(uint64_t cookie, void *data) {
  struct world *w = data;
  assert_int_equal(cookie, COOKIE);
  w->began++;
  assert_int_equal(w->began, w->ended + 1); /* one at a time */
}

static void on_ended(const struct connection_end *end, void *data) {
  struct world *w = data;
  assert_int_equal(end->cookie, COOKIE);
  assert_true(strlen(w->ends) + 1 < ENDS_MAX);
  w->ends[strlen(w->ends)] = reason_letter[end->reason];
  w->ended++;
  assert_int_equal(w->began, w->ended);
  if (end->seen)
    assert_in_range(end->first_seen_ms, 1, w->now_ms);
}

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
  const struct connection_hooks hooks = {on_begun, on_ended, w};
  const struct connections_options options = {
      .group = &w->group,
      .group_count = 1,
      .states = TCP_STATES_TRAFFIC | TCP_STATES_REST,
      .info = true,
      .interval_ms = INTERVAL_MS,
      .listeners = &w->listeners,
      .hooks = &hooks,
  };
  w->connections = connections_new(&options);
  assert_non_null(w->connections);
  w->now_ms = 1000000;
}

static void world_free(struct world *w) {
  connections_free(w->connections);
  group_free(w->group);
  selector_free(w->settings.selector);
  metric_list_clear(&w->settings.metrics);
}

static struct sample sample_of(uint8_t state, bool full, uint8_t *info) {
  struct sample s = {.cookie = COOKIE,
                     .attrs = {.local_port = 5000, .remote_port = 443},
                     .state = state,
                     .full = full,
                     .held = full};
  s.attrs.remote.bytes[15] = 1;
  memset(info, 0, INFO_SIZE);
  if (!full)
    return s;
  bool established = state != TCP_STATE_SYN_SENT;
  info_put(info, FIELD_BYTES_SENT, established ? 1000 : 0);
  info_put(info, FIELD_BYTES_ACKED, established ? 1001 : 0);
  info_put(info, FIELD_SEGS_IN, established ? 10 : 0);
  info_put(info, FIELD_SEGS_OUT, 3);
  info_put(info, FIELD_SND_WND, established ? 65536 : 0);
  s.info = info;
  s.info_size = INFO_SIZE;
  return s;
}

static void dump(struct world *w, char step) {
  uint8_t info[INFO_SIZE];
  struct sample s = sample_of(TCP_STATE_ESTABLISHED, true, info);
  if (step == 's')
    s = sample_of(TCP_STATE_SYN_SENT, true, info);
  else if (step == 'f')
    s = sample_of(TCP_STATE_FIN_WAIT2, false, info);
  else if (step == 't')
    s = sample_of(TCP_STATE_TIME_WAIT, false, info);
  else if (step == 'r')
    s.attrs.remote.bytes[15] = 2;
  w->now_ms += INTERVAL_MS;
  group_begin(w->group);
  connections_begin(w->connections, w->now_ms);
  if (step != '-' && step != 'x')
    assert_int_equal(connections_socket(w->connections, &s), 0);
  if (step == 'x') {
    connections_failed(w->connections);
    return;
  }
  connections_complete(w->connections, w->now_ms);
  group_settle(w->group);
  group_commit(w->group);
}

static void event(struct world *w, char step) {
  uint8_t info[INFO_SIZE];
  struct sample s = sample_of(
      step == 'F' ? TCP_STATE_SYN_SENT : TCP_STATE_ESTABLISHED, true, info);
  s.state = TCP_STATE_CLOSE;
  if (step == 'D') { /* linux: tcp_disconnect() */
    memset(info, 0, sizeof(info));
    info_put(info, FIELD_SND_WND, 65536);
    s.attrs.remote_port = 0;
  }
  w->now_ms += 100; /* the last ACK came after the last dump */
  connections_destroyed(w->connections, &s, w->now_ms);
}

static void on_value(const struct accumulator_value *v, void *data) {
  struct world *w = data;
  if (strcmp(v->instance, "opened") == 0)
    w->opened = (uint64_t)v->counter;
  else if (strcmp(v->instance, "closed") == 0)
    w->closed = (uint64_t)v->counter;
  else if (strcmp(v->instance, "failed") == 0)
    w->failed = (uint64_t)v->counter;
}

static void on_series(const char *member, struct accumulator *a, bool chosen,
                      void *data) {
  (void)member, (void)chosen;
  accumulator_emit(a, INFO_SIZE, ACCUMULATOR_COUNTERS, on_value, data);
}

static void run(struct world *w, const char *steps) {
  for (; *steps != '\0'; steps++)
    if (strchr("CDF", *steps) != NULL)
      event(w, *steps);
    else if (strchr("+!", *steps) != NULL)
      connections_receive_events(w->connections, *steps == '+');
    else
      dump(w, *steps);
  group_each(w->group, on_series, w);
}

/* `ends`: the reasons of all ends, in order. */
static const struct history {
  const char *name, *steps;
  unsigned opened, closed, failed, alive;
  const char *ends;
} table[] = {
    /* Before the first complete dump. */
    {"open in the first dump: not opened", "+e", 0, 0, 0, 1, ""},
    {"open in the first dump, then an event: closed", "+eC", 0, 1, 0, 0, "C"},
    {"SYN_SENT in the first dump, established later: opened", "+se", 1, 0, 0, 1,
     ""},
    {"mini socket in the first dump, absent twice: closed without an event",
     "+f--", 0, 1, 0, 0, "V"},
    {"mini socket in the first dump, TIME_WAIT in one: not closed yet", "+ft",
     0, 0, 0, 1, ""},
    {"mini socket in the first dump, TIME_WAIT in two: closed", "+ftt", 0, 1, 0,
     1, ""},
    {"mini socket after a failed first dump: not counted", "+xf--", 0, 0, 0, 0,
     "V"},
    {"event before the first complete dump: not counted", "+C-", 0, 0, 0, 0,
     ""},

    /* LIVE. */
    {"established, first shown by the second dump: opened", "+-e", 1, 0, 0, 1,
     ""},
    {"SYN_SENT: not opened", "+-s", 0, 0, 0, 1, ""},
    {"SYN_SENT, then established: opened", "+-se", 1, 0, 0, 1, ""},
    {"shown several times: opened once", "+-seee", 1, 0, 0, 1, ""},
    {"SYN_SENT, established, event: opened and closed once", "+-seC", 1, 1, 0,
     0, "C"},
    {"absent once: not closed", "+-e-e", 1, 0, 0, 1, ""},
    {"a failed dump is no absence", "+-exx-", 1, 0, 0, 1, ""},
    {"event: closed", "+-eC", 1, 1, 0, 0, "C"},
    {"event without counters: closed", "+-eD", 1, 1, 0, 0, "D"},
    {"event of a failed connect: failed", "+-sF", 0, 0, 1, 0, "F"},
    {"SYN_SENT, then event: opened and closed", "+-sC", 1, 1, 0, 0, "C"},
    {"another remote address: closed, and a new one opened", "+-er", 2, 1, 0, 1,
     "R"},
    {"absent twice without events: closed", "-e--", 1, 1, 0, 0, "V"},
    {"SYN_SENT, absent twice without events: not counted", "-s--", 0, 0, 0, 0,
     "V"},

    /* OVER and COUNTED. */
    {"TIME_WAIT in one dump: not closed yet", "+-et", 1, 0, 0, 1, ""},
    {"TIME_WAIT, then event: closed", "+-etC", 1, 1, 0, 0, "C"},
    {"TIME_WAIT in two dumps: closed", "+-ett", 1, 1, 0, 1, ""},
    {"TIME_WAIT in two dumps, then event: closed once", "+-ettC", 1, 1, 0, 0,
     "C"},
    {"established after one TIME_WAIT: the same connection", "+-ete", 1, 0, 0,
     1, ""},
    {"established after two TIME_WAIT: a new connection", "+-ette", 2, 1, 0, 1,
     "R"},
    {"TIME_WAIT without events: closed at once", "-et", 1, 1, 0, 1, ""},
    {"only TIME_WAIT: not counted", "+-tt--", 0, 0, 0, 0, ""},
    {"SYN_SENT, TIME_WAIT, event: opened and closed", "+-stC", 1, 1, 0, 0, "C"},

    /* MISSING. */
    {"absent twice: closed and remembered", "+-e--", 1, 1, 0, 1, ""},
    {"absent twice, then event: closed once", "+-e--C", 1, 1, 0, 0, "C"},
    {"remembered for 30 more dumps", "+-e--------------------------------", 1,
     1, 0, 1, ""},
    {"not remembered for 31", "+-e---------------------------------", 1, 1, 0,
     0, "V"},
    {"not remembered if events are no longer received", "+-e--!-", 1, 1, 0, 0,
     "V"},
    {"absent twice, shown again: a new connection", "+-e--e", 2, 1, 0, 1, "R"},
    {"absent twice, TIME_WAIT, event: closed once", "+-e--tC", 1, 1, 0, 0, "C"},
    {"SYN_SENT, absent twice, event: failed", "+-s--F", 0, 0, 1, 0, "F"},

    /* Mini sockets whose destroy event counts the connection. */
    {"only a mini socket: not counted", "+--f--", 0, 0, 0, 0, "V"},
    {"mini socket, then event: opened and closed", "+--fC", 1, 1, 0, 0, "C"},
    {"mini socket without events: opened and closed", "-f--", 1, 1, 0, 0, "V"},
    {"mini socket shortly after events ended: not counted", "+--!f--", 0, 0, 0,
     0, "V"},

    /* Connections that no dump shows. */
    {"no dump, only an event: opened and closed", "+-C", 1, 1, 0, 0, "C"},
    {"no dump, event of a failed connect: failed", "+-F", 0, 0, 1, 0, "F"},
};

static void each_transition_counts_once_and_ends_once(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    const struct history *h = &table[i];
    struct world w;
    world_make(&w);
    run(&w, h->steps);
    if (w.opened != h->opened || w.closed != h->closed ||
        w.failed != h->failed || w.began - w.ended != h->alive ||
        strcmp(w.ends, h->ends) != 0)
      fail_msg("%s (%s): opened %u, closed %u, failed %u, alive %u, ends "
               "\"%s\"",
               h->name, h->steps, (unsigned)w.opened, (unsigned)w.closed,
               (unsigned)w.failed, (unsigned)(w.began - w.ended), w.ends);
    world_free(&w);
  }
}

/* If many dumps fail while new sockets come, tracking restarts and every
 * connection has ended. */
static void restart_ends_every_connection(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  run(&w, "+-e");
  for (int failed = 0; failed < 8; failed++) {
    w.now_ms += INTERVAL_MS;
    connections_begin(w.connections, w.now_ms);
    for (uint32_t i = 0; i < 70000; i++) {
      struct sample s = {.cookie = 1000 + i,
                         .attrs = {.local_port = 80},
                         .state = TCP_STATE_TIME_WAIT};
      assert_int_equal(connections_socket(w.connections, &s), 0);
    }
    connections_failed(w.connections);
  }
  assert_int_equal(w.began, 1);
  assert_int_equal(w.ended, 1);
  assert_string_equal(w.ends, "S");
  assert_int_equal(connections_tracked(w.connections), 0);
  group_each(w.group, on_series, &w);
  assert_int_equal(w.closed, 0);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_transition_counts_once_and_ends_once),
      cmocka_unit_test(restart_ends_every_connection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
