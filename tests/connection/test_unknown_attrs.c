/* Tests connections and groups together: for every dimension of `By` and every
 * kind of message that lacks its attribute, the connection is counted in the
 * member `other`, not in the member of an attribute of zero. */
#include "connection/connection.h"
#include "support/build_selector.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INFO_SIZE = 280 };

struct fixture {
  struct group_settings settings;
  struct name_lookup *names;
  struct group *group;
  struct listeners listeners;
  struct connections *connections;
};

static void start_with(struct fixture *f, struct selector *selector,
                       enum dimension by, enum metric_id metric) {
  memset(f, 0, sizeof(*f));
  f->settings = (struct group_settings){.name = (char *)"g",
                                        .selector = selector,
                                        .by = {by},
                                        .by_count = 1,
                                        .max_members = 10,
                                        .member_timeout = 10};
  const enum metric_id id[] = {METRIC_OPENED, metric};
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(metric_list_add(&f->settings.metrics, id[i], NULL), 0);
  f->names = name_lookup_new();
  f->group = group_new(&f->settings, f->names);
  assert_non_null(f->group);
  const struct connections_options options = {
      .group = &f->group,
      .group_count = 1,
      .states = TCP_STATES_TRAFFIC | TCP_STATES_REST,
      .attributes = group_attrs(f->group),
      .info = true,
      .interval_ms = 1000,
      .listeners = &f->listeners,
  };
  f->connections = connections_new(&options);
  assert_non_null(f->connections);
  connections_receive_events(f->connections, true);
}

static void start(struct fixture *f, enum dimension by, enum metric_id metric) {
  start_with(f, selector_new(SELECTOR_AND), by, metric);
}

static void stop(struct fixture *f) {
  connections_free(f->connections);
  group_free(f->group);
  name_lookup_free(f->names);
  selector_free(f->settings.selector);
  metric_list_clear(&f->settings.metrics);
}

/* Makes one dump with one socket, or with none if `s` is NULL. */
static void dump(struct fixture *f, uint64_t now_ms, const struct sample *s) {
  group_begin(f->group);
  connections_begin(f->connections, now_ms);
  if (s != NULL)
    assert_int_equal(connections_socket(f->connections, s), 0);
  connections_complete(f->connections, now_ms + 1);
}

/* The series that count the connection, as open or as opened. */
struct counted {
  bool total, other, member;
};

static void on_value(const struct accumulator_value *v, void *data) {
  *(bool *)data |= v->derive ? v->counter > 0 : v->gauge > 0;
}

static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  struct counted *c = data;
  bool *counted = member == NULL                 ? &c->total
                  : strcmp(member, "other") == 0 ? &c->other
                                                 : &c->member;
  accumulator_emit(accumulator, INFO_SIZE,
                   chosen ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL, on_value,
                   counted);
}

/* Counts a connection by one message of that kind; no dump has shown it before.
 */
static struct counted counted_by(enum dimension by, enum attrs_source source) {
  struct fixture f;
  uint8_t info[INFO_SIZE] = {0};
  info_put(info, FIELD_LAST_ACK_RECV, 10);
  info_put(info, FIELD_SEGS_IN, 10);
  info_put(info, FIELD_BYTES_ACKED, 10);
  info_put(info, FIELD_SND_WND, 10);
  struct sample s = {
      .cookie = 7,
      .state = TCP_STATE_ESTABLISHED,
      .full = source != ATTRS_OF_MINI,
      .held = source == ATTRS_OF_FULL,
      .attrs = {.local = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}},
                .remote = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}},
                .local_port = 443,
                .remote_port = source == ATTRS_OF_DISCONNECT ? 0 : 50000}};
  if (source == ATTRS_OF_MINI)
    s.state = TCP_STATE_FIN_WAIT2;
  else
    s.block[BLOCK_INFO] = (struct block){info, sizeof(info)};
  bool by_event = source == ATTRS_OF_CLOSE || source == ATTRS_OF_DISCONNECT;
  start(&f, by, METRIC_CONNECTIONS);
  dump(&f, 1000, NULL);
  if (by_event)
    connections_destroyed(f.connections, &s, 5000);
  dump(&f, 6000, by_event ? NULL : &s);
  struct counted counted = {0};
  group_settle(f.group);
  group_each(f.group, on_series, &counted);
  group_commit(f.group);
  stop(&f);
  return counted;
}

/* Sockets in TIME_WAIT, in the total, in `other` and in members. */
struct time_wait {
  double total, other, member;
};

static void on_time_wait_value(const struct accumulator_value *v, void *data) {
  if (strcmp(v->instance, "TIME_WAIT") == 0)
    *(double *)data += v->gauge;
}

static void on_time_wait(const char *member, struct accumulator *accumulator,
                         bool chosen, void *data) {
  struct time_wait *counted = data;
  double *count = member == NULL                 ? &counted->total
                  : strcmp(member, "other") == 0 ? &counted->other
                                                 : &counted->member;
  if (!chosen)
    accumulator_emit(accumulator, INFO_SIZE, ACCUMULATOR_ALL,
                     on_time_wait_value, count);
}

/* The values of the dump that is complete. */
static struct time_wait time_wait_settle(struct fixture *f) {
  struct time_wait counted = {0, 0, 0};
  group_settle(f->group);
  group_each(f->group, on_time_wait, &counted);
  group_commit(f->group);
  return counted;
}

static void
connection_of_an_unknown_attribute_is_counted_in_other(void **state) {
  (void)state;
  size_t in_other = 0;
  for (int d = 0; d < DIMENSION_COUNT; d++)
    for (int source = 0; source < ATTRS_SOURCE_COUNT; source++) {
      const struct dimension_row *row = &dimension_table[d];
      bool known = (socket_attr_table[row->attr].sources & 1u << source) != 0;
      struct counted c =
          counted_by((enum dimension)d, (enum attrs_source)source);
      if (!c.total || c.member != known || c.other != !known)
        fail_msg("by %s, source %d: total %d, other %d, a member %d", row->name,
                 source, c.total, c.other, c.member);
      in_other += !known;
    }
  assert_true(in_other >= 12); /* uid: 4; cgroup, congestion: 3; two ends: 1 */
}

/* A mini socket in TIME_WAIT has no uid: it must not count as root's. */
static void time_wait_of_an_unknown_user_is_counted_in_other(void **state) {
  (void)state;
  struct fixture f;
  uint8_t info[INFO_SIZE] = {0};
  struct sample root = {.cookie = 7,
                        .state = TCP_STATE_ESTABLISHED,
                        .full = true,
                        .held = true,
                        .attrs = {.local_port = 443, .remote_port = 50000}};
  root.block[BLOCK_INFO] = (struct block){info, sizeof(info)};
  const struct sample mini = {
      .cookie = 8,
      .state = TCP_STATE_TIME_WAIT,
      .attrs = {.local_port = 443, .remote_port = 50001}};
  start(&f, DIMENSION_UID, METRIC_STATES);
  for (uint64_t now_ms = 1000; now_ms < 4000; now_ms += 1000) {
    group_begin(f.group);
    connections_begin(f.connections, now_ms);
    assert_int_equal(connections_socket(f.connections, &root), 0);
    assert_int_equal(connections_socket(f.connections, &mini), 0);
    connections_complete(f.connections, now_ms + 1);
    struct time_wait counted = time_wait_settle(&f);
    assert_true(counted.total == 1);
    assert_true(counted.other == 1);
    assert_true(counted.member == 0);
  }
  stop(&f);
}

/* A filter counts sockets in TIME_WAIT as `ss` does: in no cgroup, without mark
 * and device, whether or not a dimension is unknown. */
static void filter_sees_time_wait_as_ss_does(void **state) {
  (void)state;
  static const enum selector_op condition[] = {SELECTOR_INTERFACE,
                                               SELECTOR_CGROUP, SELECTOR_MARK};
  const struct sample mini = {
      .cookie = 8,
      .state = TCP_STATE_TIME_WAIT,
      .attrs = {.local_port = 443, .remote_port = 50001}};
  for (size_t i = 0; i < sizeof(condition) / sizeof(condition[0]); i++)
    for (int d = 0; d < DIMENSION_COUNT; d++)
      for (int negated = 0; negated < 2; negated++) {
        struct fixture f;
        struct selector *s = build_values(condition[i], 1, 5u);
        if (negated)
          s = selector_wrap(SELECTOR_NOT, s);
        start_with(&f, s, (enum dimension)d, METRIC_STATES);
        dump(&f, 1000, &mini);
        struct time_wait counted = time_wait_settle(&f);
        if (counted.total != negated)
          fail_msg("by %s: %g in TIME_WAIT, not %d",
                   dimension_name((enum dimension)d), counted.total, negated);
        stop(&f);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(connection_of_an_unknown_attribute_is_counted_in_other),
      cmocka_unit_test(time_wait_of_an_unknown_user_is_counted_in_other),
      cmocka_unit_test(filter_sees_time_wait_as_ss_does),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
