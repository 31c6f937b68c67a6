/* group: who enters, in which member a connection is counted, and that members
 * and `other` add up to the total. */
#include "group/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SERIES_MAX = 16 };

struct fixture {
  struct group_settings settings;
  struct name_lookup *names;
  struct group *group;
};

/* The values that group_each() gave: connections and opened, by name; the total
 * is "". */
struct series {
  size_t count;
  struct one {
    char name[MEMBER_KEY_NAME_MAX];
    double connections; /* -1: not reported */
    int64_t opened;
  } one[SERIES_MAX];
};

/* A group of all sockets; `by` DIMENSION_COUNT: without members. */
static void start_with(struct fixture *f, struct selector *selector,
                       enum dimension by) {
  *f = (struct fixture){.settings = {.name = (char *)"g",
                                     .selector = selector,
                                     .prefix_ipv4 = 24,
                                     .prefix_ipv6 = 64,
                                     .max_members = 10,
                                     .member_timeout = 2}};
  if (by != DIMENSION_COUNT)
    f->settings.by[f->settings.by_count++] = by;
  const enum metric_id id[] = {METRIC_CONNECTIONS, METRIC_OPENED, METRIC_CLOSED,
                               METRIC_ACCEPT_QUEUE};
  for (size_t i = 0; i < 4; i++) {
    const struct statistic max = {.kind = STATISTIC_MAX};
    assert_int_equal(
        metric_list_add(&f->settings.metrics, id[i],
                        id[i] == METRIC_ACCEPT_QUEUE ? &max : NULL),
        0);
  }
  f->names = name_lookup_new();
  f->group = group_new(&f->settings, f->names);
  assert_non_null(f->group);
}

static void start(struct fixture *f, enum dimension by) {
  start_with(f, selector_new(SELECTOR_AND), by);
}

static void stop(struct fixture *f) {
  group_free(f->group);
  name_lookup_free(f->names);
  selector_free(f->settings.selector);
  metric_list_clear(&f->settings.metrics);
}

static void on_value(const struct accumulator_value *v, void *data) {
  struct one *one = data;
  if (strcmp(v->instance, "connections") == 0)
    one->connections = v->gauge;
  if (strcmp(v->instance, "opened") == 0)
    one->opened = v->counter;
}

static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  struct series *s = data;
  assert_true(s->count < SERIES_MAX);
  struct one *one = &s->one[s->count++];
  *one = (struct one){.connections = -1};
  if (member != NULL)
    strcpy(one->name, member);
  accumulator_emit(accumulator, 0,
                   chosen ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL, on_value,
                   one);
}

/* The dump is complete: its values. */
static struct series settle(struct fixture *f) {
  struct series s = {0};
  group_settle(f->group);
  group_each(f->group, on_series, &s);
  group_commit(f->group);
  return s;
}

static const struct one *find(const struct series *s, const char *name) {
  for (size_t i = 0; i < s->count; i++)
    if (strcmp(s->one[i].name, name) == 0)
      return &s->one[i];
  return NULL;
}

static void series_is(const struct series *s, const char *name,
                      double connections, int64_t opened) {
  const struct one *one = find(s, name);
  if (one == NULL)
    fail_msg("no series \"%s\"", name);
  if (one->connections != connections || one->opened != opened)
    fail_msg("\"%s\": %g connections, %lld opened", name, one->connections,
             (long long)one->opened);
}

static struct socket_attrs attrs(void) {
  static const struct address local = {
      {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}};
  static const struct address remote = {
      {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 9, [15] = 2}};
  return (struct socket_attrs){.local = local,
                               .remote = remote,
                               .local_port = 443,
                               .remote_port = 50000,
                               .uid = 4123456789u,
                               .congestion = "cubic"};
}

/* One connection with this membership, as a dump shows it. */
static void show(struct fixture *f, uint32_t membership) {
  static const uint64_t delta[FIELD_COUNT];
  struct sample sample = {.state = TCP_STATE_ESTABLISHED};
  const struct observation r = {.sample = &sample, .delta = delta};
  group_add(f->group, membership, &r);
}

/* A connection that opens in this dump. */
static uint32_t open_one(struct fixture *f, const struct socket_attrs *s) {
  uint32_t membership = group_enter(f->group, s);
  assert_int_not_equal(membership, MEMBERSHIP_NONE);
  assert_int_not_equal(membership, MEMBERSHIP_NONE);
  group_count(f->group, membership, ACCUMULATOR_OPENED);
  show(f, membership);
  return membership;
}

/* --- who enters ----------------------------------------------------------- */

static void only_what_matches_enters(void **state) {
  (void)state;
  struct fixture f;
  struct selector *s = selector_new(SELECTOR_LOCAL_PORT);
  assert_int_equal(selector_add_port(s, (struct port_range){443, 443}), 0);
  start_with(&f, s, DIMENSION_COUNT);
  struct socket_attrs t = attrs();
  assert_int_not_equal(group_enter(f.group, &t), MEMBERSHIP_NONE);
  t.local_port = 80;
  assert_int_equal(group_enter(f.group, &t), MEMBERSHIP_NONE);
  stop(&f);
}

static void group_without_members_has_a_total_alone(void **state) {
  (void)state;
  struct fixture f;
  start(&f, DIMENSION_COUNT);
  struct socket_attrs t = attrs();
  t.unknown = (1u << ATTR_COUNT) - 1; /* nothing depends on it */
  group_begin(f.group);
  uint32_t membership = open_one(&f, &t);
  struct series s = settle(&f);
  assert_false(group_has_members(f.group));
  assert_int_equal(s.count, 1);
  series_is(&s, "", 1, 1);
  group_leave(f.group, membership, false);
  group_begin(f.group);
  s = settle(&f);
  series_is(&s, "", 0, 1);
  stop(&f);
}

static void attributes_are_those_of_conditions_and_dimensions(void **state) {
  (void)state;
  for (int d = 0; d <= DIMENSION_COUNT; d++)
    for (int op = 0; op < SELECTOR_OP_COUNT; op++) {
      const struct selector_row *row = &selector_table[op];
      if (row->list == SELECTOR_CHILDREN)
        continue;
      struct fixture f;
      uint32_t expected = ATTR_BIT(row->attr);
      if (d < DIMENSION_COUNT)
        expected |= ATTR_BIT(dimension_table[d].attr);
      start_with(
          &f, selector_wrap(SELECTOR_NOT, selector_new((enum selector_op)op)),
          (enum dimension)d);
      assert_int_equal(group_attrs(f.group), expected);
      stop(&f);
    }
}

/* --- what is unknown ------------------------------------------------------ */

/* A connection with these attributes is counted, and shown, in `other`, or in a
 * member of its own. */
static void counted_in_other(enum dimension d, uint32_t unknown, bool other) {
  struct fixture f;
  start(&f, d);
  struct socket_attrs t = attrs();
  t.unknown = unknown;
  group_begin(f.group);
  uint32_t membership = open_one(&f, &t);
  group_count(f.group, membership, ACCUMULATOR_CLOSED);
  struct series s = settle(&f);
  const struct one *in_other = find(&s, "other");
  assert_non_null(in_other);
  if (in_other->opened != other || s.count != (other ? 2u : 3u))
    fail_msg("by %s, unknown %#x: %zu series, %lld opened in other",
             dimension_name(d), unknown, s.count, (long long)in_other->opened);
  assert_int_equal(group_members(f.group), other ? 0 : 1);
  series_is(&s, "", 1, 1);
  group_leave(f.group, membership, false);
  stop(&f);
}

static void connection_of_unknown_dimension_is_counted_in_other(void **state) {
  (void)state;
  for (int d = 0; d < DIMENSION_COUNT; d++)
    for (int attr = 0; attr < ATTR_COUNT; attr++)
      counted_in_other((enum dimension)d, ATTR_BIT(attr),
                       attr == (int)dimension_table[d].attr);
}

static void untold_dimension_is_counted_in_other(void **state) {
  (void)state;
  size_t others = 0;
  for (int d = 0; d < DIMENSION_COUNT; d++)
    for (int source = 0; source < ATTRS_SOURCE_COUNT; source++) {
      enum socket_attr attr = dimension_table[d].attr;
      bool told = (socket_attr_table[attr].sources & 1u << source) != 0;
      counted_in_other((enum dimension)d,
                       socket_attrs_unknown((enum attrs_source)source), !told);
      others += !told;
    }
  assert_true(others >= 12); /* uid: 4; cgroup, congestion: 3; two ends: 1 */
}

static void one_unknown_dimension_of_two_is_enough(void **state) {
  (void)state;
  struct fixture f;
  start(&f, DIMENSION_LOCAL_PORT);
  group_free(f.group);
  f.settings.by[f.settings.by_count++] = DIMENSION_UID;
  f.group = group_new(&f.settings, f.names);
  struct socket_attrs t = attrs();
  group_begin(f.group);
  open_one(&f, &t);
  t.unknown = ATTR_BIT(ATTR_UID);
  open_one(&f, &t);
  struct series s = settle(&f);
  assert_int_equal(s.count, 3);
  series_is(&s, "443-4123456789", 1, 1);
  series_is(&s, "other", 1, 1);
  series_is(&s, "", 2, 2);
  stop(&f);
}

/* --- members -------------------------------------------------------------- */

static void members_and_other_add_up_to_the_total(void **state) {
  (void)state;
  struct fixture f;
  start(&f, DIMENSION_LOCAL_PORT);
  group_free(f.group);
  f.settings.max_members = 2;
  f.group = group_new(&f.settings, f.names);
  group_begin(f.group);
  struct socket_attrs t = attrs();
  for (uint16_t port = 1; port <= 4; port++) { /* equally busy: none changes */
    t.local_port = port;
    open_one(&f, &t);
  }
  struct series s = settle(&f);
  assert_int_equal(s.count, 4);
  series_is(&s, "1", 1, 1);
  series_is(&s, "2", 1, 1);
  series_is(&s, "other", 2, 2);
  series_is(&s, "", 4, 4);
  assert_int_equal(group_members(f.group), 4);
  assert_int_equal(group_members_in_other(f.group), 2);
  stop(&f);
}

static void member_is_gone_when_its_connections_left(void **state) {
  (void)state;
  struct fixture f;
  start(&f, DIMENSION_LOCAL_PORT);
  struct socket_attrs t = attrs();
  group_begin(f.group);
  uint32_t a = open_one(&f, &t), b = open_one(&f, &t);
  settle(&f);
  assert_int_equal(group_members(f.group), 1);

  group_leave(f.group, a, false);
  group_retain(f.group, b); /* gone, but remembered for its close event */
  group_begin(f.group);
  settle(&f);
  assert_int_equal(group_members(f.group), 0);

  group_leave(f.group, b, true);
  struct series s = {0};
  for (int read = 0; read < 3; read++) { /* longer than the timeout of 2 */
    group_begin(f.group);
    s = settle(&f);
  }
  assert_null(find(&s, "443"));
  series_is(&s, "other", 0, 0);
  series_is(&s, "", 0, 2); /* counters never fall */
  stop(&f);
}

static void rest_of_a_closed_connection_is_added_to_its_member(void **state) {
  (void)state;
  struct fixture f;
  start(&f, DIMENSION_LOCAL_PORT);
  struct socket_attrs t = attrs();
  uint64_t delta[FIELD_COUNT] = {[FIELD_BYTES_SENT] = 1000};
  group_begin(f.group);
  uint32_t membership = open_one(&f, &t);
  settle(&f);
  group_add_rest(f.group, membership, delta);
  group_count(f.group, membership, ACCUMULATOR_CLOSED);
  group_leave(f.group, membership, false);
  group_begin(f.group);
  struct series s = settle(&f);
  series_is(&s, "443", 0, 1);
  series_is(&s, "", 0, 1);
  stop(&f);
}

/* --- sockets without traffic ---------------------------------------------- */

/* A listening socket is a member if its row allows that, else in `other`. */
static void listener_makes_a_member_if_the_dimension_allows(void **state) {
  (void)state;
  for (int d = 0; d < DIMENSION_COUNT; d++) {
    struct fixture f;
    start(&f, (enum dimension)d);
    struct socket_attrs t = attrs();
    struct sample sample = {.state = TCP_STATE_LISTEN, .recv_queue = 1};
    memset(&t.remote, 0, sizeof(t.remote));
    t.remote_port = 0;
    group_begin(f.group);
    group_add_other(f.group, &sample, &t, 0);
    struct series s = settle(&f);
    bool member = dimension_table[d].listeners;
    if (s.count != (member ? 3u : 2u))
      fail_msg("by %s: %zu series", dimension_name((enum dimension)d), s.count);
    for (size_t i = 0; i < s.count; i++)
      assert_true(s.one[i].connections == 0);
    stop(&f);
  }
}

static void other_states_make_no_member(void **state) {
  (void)state;
  struct fixture f;
  start(&f, DIMENSION_LOCAL_PORT);
  struct socket_attrs t = attrs();
  struct sample sample = {.state = TCP_STATE_TIME_WAIT};
  group_begin(f.group);
  group_add_other(f.group, &sample, &t, 0);
  struct series s = settle(&f);
  assert_int_equal(s.count, 2);
  assert_int_equal(group_members(f.group), 0);
  stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_what_matches_enters),
      cmocka_unit_test(group_without_members_has_a_total_alone),
      cmocka_unit_test(attributes_are_those_of_conditions_and_dimensions),
      cmocka_unit_test(connection_of_unknown_dimension_is_counted_in_other),
      cmocka_unit_test(untold_dimension_is_counted_in_other),
      cmocka_unit_test(one_unknown_dimension_of_two_is_enough),
      cmocka_unit_test(members_and_other_add_up_to_the_total),
      cmocka_unit_test(member_is_gone_when_its_connections_left),
      cmocka_unit_test(rest_of_a_closed_connection_is_added_to_its_member),
      cmocka_unit_test(listener_makes_a_member_if_the_dimension_allows),
      cmocka_unit_test(other_states_make_no_member),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
