#include "support/history_groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const enum metric_id value_metric[VALUES] = {
    METRIC_BYTES_SENT,    METRIC_BYTES_RECEIVED, METRIC_RETRANS,
    METRIC_DATA_SEGS_OUT, METRIC_TOTAL_RTO,      METRIC_BUSY_TIME,
    METRIC_OPENED,        METRIC_CLOSED,         METRIC_FAILED};

static struct group_settings with_info[GROUPS], without_info[GROUP_PORT + 1];
static struct name_lookup *names; /* shared by all groups */

const char *value_name(int value) {
  return metric_table[value_metric[value]].name;
}

/* --- Settings ------------------------------------------------------------- */

const char *groups_name(size_t group) { return with_info[group].name; }

static void metric_add(struct group_settings *g, enum metric_id id) {
  assert_int_equal(metric_list_add(&g->metrics, id, NULL), 0);
}

static void settings_make(struct group_settings *g, size_t group, bool info) {
  static const char *const name[GROUPS] = {"all", "port", "peer", "cgroup"};
  *g = (struct group_settings){.name = (char *)name[group],
                               .max_members = group == GROUP_PEER ? 2 : 100,
                               .member_timeout = group == GROUP_PEER ? 2 : 1000,
                               .selector = selector_new(SELECTOR_AND)};
  assert_non_null(g->selector);
  for (int v = info ? 0 : LIFE_COUNTERS; v < VALUES; v++)
    metric_add(g, value_metric[v]);
  metric_add(g, METRIC_CONNECTIONS);
  metric_add(g, METRIC_STATES);
  if (group == GROUP_PORT) {
    struct selector *port = selector_new(SELECTOR_REMOTE_PORT);
    struct port_range range = {LIVES_OTHER_PORT, LIVES_OTHER_PORT};
    assert_int_equal(selector_add_port(port, range), 0);
    struct selector *not = selector_wrap(SELECTOR_NOT, port);
    assert_int_equal(selector_add_child(g->selector, not ), 0);
  } else if (group != GROUP_ALL) {
    g->by[g->by_count++] =
        group == GROUP_PEER ? DIMENSION_REMOTE_ADDRESS : DIMENSION_CGROUP;
  }
}

int groups_setup(void **state) {
  (void)state;
  names = name_lookup_new();
  assert_non_null(names);
  for (size_t i = 0; i < GROUPS; i++)
    settings_make(&with_info[i], i, true);
  for (size_t i = 0; i <= GROUP_PORT; i++)
    settings_make(&without_info[i], i, false);
  return 0;
}

static void settings_clear(struct group_settings *g) {
  selector_free(g->selector);
  metric_list_clear(&g->metrics);
}

int groups_teardown(void **state) {
  (void)state;
  for (size_t i = 0; i < GROUPS; i++)
    settings_clear(&with_info[i]);
  for (size_t i = 0; i <= GROUP_PORT; i++)
    settings_clear(&without_info[i]);
  name_lookup_free(names);
  return 0;
}

void groups_new(struct groups *g, bool info) {
  const struct group_settings *settings = info ? with_info : without_info;
  g->count = info ? GROUPS : GROUP_PORT + 1;
  for (size_t i = 0; i < g->count; i++) {
    g->group[i] = group_new(&settings[i], names);
    assert_non_null(g->group[i]);
  }
}

void groups_free(struct groups *g) {
  for (size_t i = 0; i < g->count; i++)
    group_free(g->group[i]);
}

uint32_t groups_attrs(const struct groups *g) {
  uint32_t attrs = 0;
  for (size_t i = 0; i < g->count; i++)
    attrs |= group_attrs(g->group[i]);
  return attrs;
}

/* --- Reading the values --------------------------------------------------- */

struct series_reader {
  struct complaint *complaint;
  struct series *series;
  const char *group, *member;
  uint64_t *value, *connections;
};

static void on_value(const struct accumulator_value *v, void *data) {
  struct series_reader *r = data;
  if (strcmp(v->instance, "connections") == 0)
    *r->connections += (uint64_t)v->gauge;
  if (!v->derive)
    return;
  for (int i = 0; i < VALUES; i++) {
    if (strcmp(value_name(i), v->instance) != 0)
      continue;
    uint64_t now = (uint64_t)v->counter;
    if (now < r->value[i])
      complain(r->complaint, "group %s, member %s: %s fell from %llu to %llu",
               r->group, r->member != NULL ? r->member : "-", v->instance,
               (unsigned long long)r->value[i], (unsigned long long)now);
    r->value[i] = now;
  }
}

static struct member_counters *member_of(struct series *s, const char *name) {
  for (size_t i = 0; i < s->member_count; i++)
    if (strcmp(s->member[i].name, name) == 0)
      return &s->member[i];
  assert_true(s->member_count < MEMBERS_MAX);
  struct member_counters *m = &s->member[s->member_count++];
  memset(m, 0, sizeof(*m));
  snprintf(m->name, sizeof(m->name), "%s", name);
  return m;
}

static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  struct series_reader *r = data;
  struct series *s = r->series;
  r->member = member;
  r->value = member != NULL ? member_of(s, member)->value : s->total;
  r->connections = member != NULL ? &s->members_connections : &s->connections;
  accumulator_emit(accumulator, LIVES_INFO_MAX,
                   chosen ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL, on_value,
                   r);
}

/* A member that loses its series keeps its counters: the few members of these
 * histories are never freed. */
static void sums_check(const struct series_reader *r) {
  const struct series *s = r->series;
  if (s->connections != s->members_connections)
    complain(r->complaint, "group %s: %llu connections, of members %llu",
             r->group, (unsigned long long)s->connections,
             (unsigned long long)s->members_connections);
  for (int v = 0; v < VALUES; v++) {
    uint64_t sum = 0;
    for (size_t i = 0; i < s->member_count; i++)
      sum += s->member[i].value[v];
    /* Each member's busy time is rounded to ms. */
    uint64_t slack = v == LIFE_BUSY ? s->member_count : 0;
    if (sum + slack < s->total[v] || sum > s->total[v] + slack)
      complain(r->complaint, "group %s: %s is %llu, of members %llu", r->group,
               value_name(v), (unsigned long long)s->total[v],
               (unsigned long long)sum);
  }
}

void groups_read(struct groups *g) {
  for (size_t i = 0; i < g->count; i++) {
    struct series *s = &g->series[i];
    struct series_reader r = {
        .complaint = g->complaint, .series = s, .group = groups_name(i)};
    s->connections = s->members_connections = 0;
    group_settle(g->group[i]);
    group_each(g->group[i], on_series, &r);
    if (i == GROUP_PEER || i == GROUP_CGROUP)
      sums_check(&r);
    group_commit(g->group[i]);
  }
}

uint64_t groups_member(struct groups *g, size_t group, const char *member,
                       int value) {
  return member_of(&g->series[group], member)->value[value];
}
