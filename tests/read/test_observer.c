/* Tests read/observer.c: two observers, each with its own recordings, add to
 * the same groups, which report the sum. */
#include "read/observer.h"
#include "support/info.h"
#include "support/messages.h"
#include "support/pcap_writer.h"

#include <linux/inet_diag.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { INFO_SIZE = 280, DUMPS = 4, INTERVAL_MS = 1000 };

struct world {
  struct settings settings;
  struct group_settings group_settings[2];
  struct name_lookup *names;
  struct group *group[2];
  struct read_gate gate;
  struct dump_request request;
};

struct values {
  int64_t bytes_sent, opened, closed;
  double connections, rtt_max;
};

/* Returns the bytes that a socket of namespace `n` has sent by dump `dump`. */
static uint64_t sent_by(unsigned n, unsigned socket, unsigned dump) {
  return 1000 * (n + 1) + 100 * socket + 10 * (dump + 1) * (n + 1);
}

/* Makes the recording of namespace `n`, which has n + 2 sockets; the last one
 * is in the second dump only. The cookies of the namespaces differ, as on one
 * kernel. Dump `fails` ends with an error; -1: none does. */
static struct pcap *recording(unsigned n, int fails) {
  static struct messages m;
  struct pcap *pcap = pcap_writer_new(&pcap_writer_header_good);
  for (unsigned dump = 0; dump < DUMPS; dump++) {
    messages_begin(&m, dump + 1, 0);
    messages_request(&m);
    for (unsigned socket = 0; socket < n + 2; socket++) {
      if (socket == n + 1 && dump != 1)
        continue;
      uint8_t info[INFO_SIZE] = {0};
      info_put(info, FIELD_BYTES_SENT, sent_by(n, socket, dump));
      info_put(info, FIELD_RTT, 1000 * (n + 1) + socket);
      const struct message_socket s = {.cookie = 100 * (n + 1) + socket,
                                       .remote =
                                           n == 0 ? "10.0.0.1" : "10.0.0.2",
                                       .local_port = (uint16_t)(5000 + socket),
                                       .remote_port = 443,
                                       .inode = 1};
      messages_socket(&m, &s);
      messages_info(&m, info, sizeof(info));
    }
    messages_done(&m, (int)dump == fails ? 105 : 0);
    pcap_writer_write(pcap, &m);
    pcap_writer_pause(pcap, INTERVAL_MS);
  }
  return pcap;
}

static void want(struct group_settings *g, const char *name) {
  static const struct statistic max = {.kind = STATISTIC_MAX};
  int id = metric_find(name);
  assert_true(id >= 0);
  bool distribution = metric_table[id].kind == METRIC_KIND_DISTRIBUTION;
  assert_int_equal(metric_list_add(&g->metrics, (enum metric_id)id,
                                   distribution ? &max : NULL),
                   0);
}

static void world_make(struct world *w) {
  static const char *const metrics[] = {"connections", "opened", "closed",
                                        "bytes_sent", "rtt"};
  memset(w, 0, sizeof(*w));
  pthread_mutex_init(&w->gate.lock, NULL);
  w->settings.group = w->group_settings;
  w->settings.group_count = 2;
  w->names = name_lookup_new();
  for (int i = 0; i < 2; i++) {
    struct group_settings *g = &w->group_settings[i];
    g->name = (char *)(i == 0 ? "all" : "peers");
    g->selector = selector_new(SELECTOR_AND);
    g->max_members = 10;
    g->member_timeout = 6;
    for (size_t k = 0; k < sizeof(metrics) / sizeof(metrics[0]); k++)
      want(g, metrics[k]);
  }
  w->group_settings[1].by[0] = DIMENSION_REMOTE_ADDRESS;
  w->group_settings[1].by_count = 1;
  for (int i = 0; i < 2; i++) {
    w->group[i] = group_new(&w->group_settings[i], w->names);
    assert_non_null(w->group[i]);
  }
  assert_int_equal(dump_request_init(&w->request, &w->settings, w->group, 1000),
                   0);
}

static void world_free(struct world *w) {
  for (int i = 0; i < 2; i++) {
    group_free(w->group[i]);
    selector_free(w->group_settings[i].selector);
    metric_list_clear(&w->group_settings[i].metrics);
  }
  dump_request_free(&w->request);
  name_lookup_free(w->names);
  pthread_mutex_destroy(&w->gate.lock);
}

static struct observer *observe(struct world *w, char *const *files,
                                size_t count) {
  const struct observer_options options = {
      .settings = &w->settings,
      .group = w->group,
      .group_count = 2,
      .request = &w->request,
      .gate = &w->gate,
      .interval_ms = INTERVAL_MS,
      .replay = files,
      .replay_count = count,
  };
  struct error error;
  struct observer *o = observer_new(&options, &error);
  assert_non_null(o);
  return o;
}

static void on_value(const struct accumulator_value *v, void *data) {
  struct values *out = data;
  if (strcmp(v->instance, "bytes_sent") == 0)
    out->bytes_sent = v->counter;
  else if (strcmp(v->instance, "opened") == 0)
    out->opened = v->counter;
  else if (strcmp(v->instance, "closed") == 0)
    out->closed = v->counter;
  else if (strcmp(v->instance, "connections") == 0)
    out->connections = v->gauge;
  else if (strcmp(v->instance, "rtt-max") == 0)
    out->rtt_max = v->gauge;
}

struct wanted {
  const char *member; /* NULL: the total */
  struct values *values;
};

static void on_series(const char *member, struct accumulator *a, bool chosen,
                      void *data) {
  const struct wanted *wanted = data;
  (void)chosen;
  if (member == NULL
          ? wanted->member == NULL
          : wanted->member != NULL && strcmp(member, wanted->member) == 0)
    accumulator_emit(a, INFO_SIZE, ACCUMULATOR_ALL, on_value, wanted->values);
}

static struct values values_of(struct group *g, const char *member) {
  struct values values = {0};
  struct wanted wanted = {member, &values};
  group_each(g, on_series, &wanted);
  return values;
}

/* Reads all observers; stores in `complete` if each dump was complete. */
static void read_all(struct world *w, struct observer *const *o, size_t count,
                     bool *complete) {
  struct error error;
  read_gate_close(&w->gate);
  for (size_t i = 0; i < count; i++)
    observer_events(o[i]);
  for (int i = 0; i < 2; i++)
    group_begin(w->group[i]);
  for (size_t i = 0; i < count; i++)
    complete[i] = observer_dump(o[i], &error) == DUMP_COMPLETE;
  for (int i = 0; i < 2; i++)
    group_settle(w->group[i]);
}

static void read_end(struct world *w) {
  for (int i = 0; i < 2; i++)
    group_commit(w->group[i]);
  read_gate_open(&w->gate);
}

static void two_observers_add_up_in_the_same_groups(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  struct pcap *pcap[2] = {recording(0, -1), recording(1, -1)};
  char *file[2] = {pcap_writer_file(pcap[0]), pcap_writer_file(pcap[1])};
  struct observer *o[2] = {observe(&w, &file[0], 1), observe(&w, &file[1], 1)};
  int64_t sent[2] = {0, 0};
  for (unsigned dump = 0; dump < DUMPS; dump++) {
    bool complete[2];
    read_all(&w, o, 2, complete);
    assert_true(complete[0] && complete[1]);
    for (unsigned n = 0; n < 2; n++) {
      for (unsigned socket = 0; socket < n + 1; socket++)
        if (dump > 0)
          sent[n] += (int64_t)(sent_by(n, socket, dump) -
                               sent_by(n, socket, dump - 1));
      if (dump == 1)
        sent[n] += (int64_t)sent_by(n, n + 1, 1); /* new: all of it counts */
    }
    for (int g = 0; g < 2; g++) {
      struct values v = values_of(w.group[g], NULL);
      assert_int_equal(v.bytes_sent, sent[0] + sent[1]);
      assert_true(v.connections == (dump == 1 ? 5 : 3));
      assert_int_equal(v.opened, dump >= 1 ? 2 : 0);
      assert_int_equal(v.closed, dump >= 3 ? 2 : 0);
    }
    struct values first = values_of(w.group[1], "10.0.0.1");
    struct values second = values_of(w.group[1], "10.0.0.2");
    assert_int_equal(first.bytes_sent, sent[0]);
    assert_int_equal(second.bytes_sent, sent[1]);
    assert_true(first.connections == (dump == 1 ? 2 : 1));
    assert_true(second.connections == (dump == 1 ? 3 : 2));
    assert_int_equal(observer_health(o[0])->dumped, dump == 1 ? 2 : 1);
    assert_int_equal(observer_health(o[1])->dumped, dump == 1 ? 3 : 2);
    read_end(&w);
  }
  for (int n = 0; n < 2; n++) {
    observer_free(o[n]);
    pcap_writer_free(pcap[n]);
  }
  world_free(&w);
}

/* The other observer's connections neither vanish nor repeat, and the next
 * complete dump makes up for the failed one. */
static void failed_dump_of_one_observer_leaves_the_other_alone(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  struct pcap *pcap[2] = {recording(0, -1), recording(1, 2)};
  char *file[2] = {pcap_writer_file(pcap[0]), pcap_writer_file(pcap[1])};
  struct observer *o[2] = {observe(&w, &file[0], 1), observe(&w, &file[1], 1)};
  for (unsigned dump = 0; dump < DUMPS; dump++) {
    bool complete[2];
    read_all(&w, o, 2, complete);
    assert_true(complete[0]);
    assert_int_equal(complete[1], dump != 2);
    read_end(&w);
  }
  struct values v = values_of(w.group[0], NULL);
  int64_t sent = 0;
  for (unsigned n = 0; n < 2; n++) {
    sent += (int64_t)sent_by(n, n + 1, 1);
    for (unsigned socket = 0; socket < n + 1; socket++)
      sent += (int64_t)(sent_by(n, socket, DUMPS - 1) - sent_by(n, socket, 0));
  }
  assert_int_equal(v.bytes_sent, sent);
  assert_int_equal(v.opened, 2);
  assert_int_equal(v.closed, 1); /* the other one was absent only once */
  assert_int_equal(observer_health(o[1])->errors, 1);
  assert_int_equal(observer_health(o[0])->errors, 0);
  for (int n = 0; n < 2; n++) {
    observer_free(o[n]);
    pcap_writer_free(pcap[n]);
  }
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_observers_add_up_in_the_same_groups),
      cmocka_unit_test(failed_dump_of_one_observer_leaves_the_other_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
