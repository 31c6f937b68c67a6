/* Tests that nothing is lost and nothing counts twice if memory runs out: one
 * history of some hundred connections, once with all the memory that it needs,
 * then with each of its allocations failing, alone or with those after it. When
 * memory is back, all counters of all groups are those of the first run; only
 * the share of `other` may be larger. */
#include "connection/connection.h"
#include "support/failing_memory.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { INFO_SIZE = 280, INTERVAL_MS = 1000, SOCKETS = 240, PEERS = 40 };
enum { GROUP_ALL, GROUP_PEER, GROUP_CGROUP, GROUPS };
enum { OPENED, CLOSED, FAILED, SENT, RECEIVED, RETRANS, VALUES };

static const enum metric_id value_metric[VALUES] = {
    METRIC_OPENED,     METRIC_CLOSED,         METRIC_FAILED,
    METRIC_BYTES_SENT, METRIC_BYTES_RECEIVED, METRIC_RETRANS};

/* The counters of a group: in total, and the sum of members and `other`. */
struct counters {
  uint64_t total[VALUES], parts[VALUES];
};

struct world {
  struct group_settings settings[GROUPS];
  struct name_lookup *names;
  struct group *group[GROUPS];
  struct connections *connections;
  struct listeners listeners;
  uint64_t now_ms;
  unsigned failed_dumps;
};

static void world_make(struct world *w) {
  static const char *const name[GROUPS] = {"all", "peer", "cgroup"};
  memset(w, 0, sizeof(*w));
  w->names = name_lookup_new();
  uint32_t attributes = 0;
  for (int g = 0; g < GROUPS; g++) {
    struct group_settings *s = &w->settings[g];
    *s = (struct group_settings){.name = (char *)name[g],
                                 .selector = selector_new(SELECTOR_AND),
                                 .max_members = 100, /* no series retires */
                                 .member_timeout = 1000,
                                 .worst = g == GROUP_PEER};
    for (int v = 0; v < VALUES; v++)
      assert_int_equal(metric_list_add(&s->metrics, value_metric[v], NULL), 0);
    if (g != GROUP_ALL)
      s->by[s->by_count++] =
          g == GROUP_PEER ? DIMENSION_REMOTE_ADDRESS : DIMENSION_CGROUP;
    w->group[g] = group_new(s, w->names);
    assert_non_null(w->group[g]);
    attributes |= group_attrs(w->group[g]);
  }
  const struct connections_options options = {
      .group = w->group,
      .group_count = GROUPS,
      .states = TCP_STATES_TRAFFIC,
      .attributes = attributes,
      .info = true,
      .interval_ms = INTERVAL_MS,
      .listeners = &w->listeners,
  };
  w->connections = connections_new(&options);
  assert_non_null(w->connections);
  connections_receive_events(w->connections, true);
  w->now_ms = 1000000;
}

static void world_free(struct world *w) {
  connections_free(w->connections);
  for (int g = 0; g < GROUPS; g++) {
    group_free(w->group[g]);
    selector_free(w->settings[g].selector);
    metric_list_clear(&w->settings[g].metrics);
  }
  name_lookup_free(w->names);
}

/* A socket's counters are a function of the step: they grow with each. */
static struct sample sample_of(unsigned socket, unsigned step, uint8_t *info) {
  struct sample s = {.cookie = 100 + socket,
                     .state = TCP_STATE_ESTABLISHED,
                     .full = true,
                     .held = true,
                     .info = info,
                     .info_size = INFO_SIZE};
  s.attrs.local_port = (uint16_t)(1024 + socket);
  s.attrs.remote_port = 443;
  s.attrs.remote.bytes[15] = (uint8_t)(1 + socket % PEERS);
  s.attrs.cgroup = ((uint64_t)1 << 60) + socket % 7 + step / 3;
  memset(info, 0, INFO_SIZE);
  info_put(info, FIELD_BYTES_SENT, 1000 * step + socket);
  info_put(info, FIELD_BYTES_ACKED, 1000 * step + socket + 1);
  info_put(info, FIELD_BYTES_RECEIVED, 700 * step + socket);
  info_put(info, FIELD_TOTAL_RETRANS, step + socket % 3);
  info_put(info, FIELD_DATA_SEGS_OUT, 20 * step);
  info_put(info, FIELD_SEGS_IN, 10 * step + 2);
  info_put(info, FIELD_SEGS_OUT, 20 * step + 2);
  info_put(info, FIELD_SND_WND, 65536);
  info_put(info, FIELD_RTT, 100 * step + socket);
  return s;
}

/* One read: its dump shows the sockets from `first` to `end`. */
static void read_step(struct world *w, unsigned step, unsigned first,
                      unsigned end) {
  uint8_t info[INFO_SIZE];
  bool complete = true;
  for (int g = 0; g < GROUPS; g++)
    group_begin(w->group[g]);
  connections_begin(w->connections, w->now_ms);
  for (unsigned i = first; i < end; i++) {
    const struct sample s = sample_of(i, step, info);
    complete &= connections_socket(w->connections, &s) == 0;
  }
  w->now_ms += 5;
  w->failed_dumps += !complete;
  if (!complete) {
    connections_failed(w->connections);
    return;
  }
  connections_complete(w->connections, w->now_ms);
  for (int g = 0; g < GROUPS; g++)
    group_settle(w->group[g]);
  for (int g = 0; g < GROUPS; g++)
    group_commit(w->group[g]);
}

/* The events of the sockets from `first` to `end` come. */
static void close_step(struct world *w, unsigned step, unsigned first,
                       unsigned end) {
  uint8_t info[INFO_SIZE];
  w->now_ms += INTERVAL_MS;
  for (unsigned i = first; i < end; i++) {
    struct sample s = sample_of(i, step, info);
    s.state = TCP_STATE_CLOSE;
    s.attrs.cgroup = 0;
    connections_destroyed(w->connections, &s, w->now_ms);
  }
}

static void on_value(const struct accumulator_value *v, void *data) {
  uint64_t *value = data;
  for (int i = 0; i < VALUES; i++)
    if (strcmp(v->instance, metric_table[value_metric[i]].name) == 0)
      value[i] += (uint64_t)v->counter;
}

static void on_series(const char *member, struct accumulator *a, bool chosen,
                      void *data) {
  struct counters *c = data;
  (void)chosen;
  accumulator_emit(a, INFO_SIZE, ACCUMULATOR_COUNTERS, on_value,
                   member == NULL ? c->total : c->parts);
}

/* What all runs have in common stands before memory_fail(): a start without
 * memory is an error, and so is the past that the first dump shows. */
static size_t run(size_t first, size_t count, struct counters *out,
                  uint64_t *retrans, unsigned *failed_dumps) {
  struct world w;
  world_make(&w);
  read_step(&w, 1, 0, 10);
  memory_fail(first, count);
  close_step(&w, 2, 200, 210); /* unseen */
  read_step(&w, 2, 0, 120);
  close_step(&w, 3, 0, 30);
  close_step(&w, 3, 210, 220); /* unseen */
  read_step(&w, 3, 30, 160);   /* other cgroups */
  close_step(&w, 4, 100, 140);
  read_step(&w, 4, 30, 100);
  size_t allocations = memory_back();
  close_step(&w, 5, 140, 160);
  read_step(&w, 5, 30, 100);
  close_step(&w, 6, 30, 100);
  read_step(&w, 6, 0, 0);
  assert_int_equal(connections_tracked(w.connections), 0);
  assert_int_equal(connections_sums(w.connections)->unclear, 0);
  memset(out, 0, GROUPS * sizeof(*out));
  for (int g = 0; g < GROUPS; g++) {
    group_each(w.group[g], on_series, &out[g]);
    assert_int_equal(group_members(w.group[g]), 0);
  }
  *retrans = connections_sums(w.connections)->retrans;
  *failed_dumps = w.failed_dumps;
  world_free(&w);
  return allocations;
}

static void counters_are(const struct counters *is,
                         const struct counters *expected, size_t first,
                         size_t count) {
  static const char *const group[GROUPS] = {"all", "peer", "cgroup"};
  for (int g = 0; g < GROUPS; g++)
    for (int v = 0; v < VALUES; v++) {
      uint64_t wanted = expected[g].total[v];
      uint64_t parts = g == GROUP_ALL ? wanted : is[g].parts[v];
      if (is[g].total[v] != wanted || parts != wanted)
        fail_msg("%zu allocations from %zu on fail: group %s: %s is %llu, of "
                 "members %llu, not %llu",
                 count, first, group[g], metric_table[value_metric[v]].name,
                 (unsigned long long)is[g].total[v], (unsigned long long)parts,
                 (unsigned long long)wanted);
    }
}

static void nothing_is_lost_without_memory(void **state) {
  (void)state;
  static const size_t counts[] = {1, 2, 7, 40, SIZE_MAX};
  struct counters expected[GROUPS], is[GROUPS];
  uint64_t expected_retrans, retrans;
  unsigned failed_dumps, all_failed = 0;
  size_t allocations = run(0, 0, expected, &expected_retrans, &failed_dumps);
  assert_int_equal(failed_dumps, 0);
  assert_int_equal(expected[GROUP_ALL].total[OPENED], 150 + 20);
  assert_int_equal(expected[GROUP_ALL].total[CLOSED], 160 + 20);
  counters_are(expected, expected, 0, 0);
  assert_true(allocations > 50);
  for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
    for (size_t first = 0; first < allocations; first++) {
      run(first, counts[i], is, &retrans, &failed_dumps);
      counters_are(is, expected, first, counts[i]);
      assert_int_equal(retrans, expected_retrans);
      all_failed += failed_dumps;
    }
  assert_true(all_failed > 0); /* for want of records, too */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_lost_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
