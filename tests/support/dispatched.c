#include "support/dispatched.h"
#include "support/fake_daemon.h"
#include "util/hash.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 128, GROUPS_MOST = 16 };
static const int64_t most = INT64_C(1) << 60;

/* One name that was dispatched, or one sum of a group. */
struct entry {
  char name[256]; /* empty: the slot is free */
  int64_t counter;
  unsigned read; /* number of the read that dispatched it last; of a sum, that
                    dispatched the total */
  bool adds_up;  /* the values of members add up to the total */
  bool goes_on;  /* the complete read before this one dispatched it, too */
  /* Of a sum, in the read `parts_read`: the total, and what members and `other`
   * add up to. */
  unsigned parts_read;
  bool derive, rounded;
  double total, parts, part_count;
};

struct table {
  struct entry *slot;
  size_t size, used; /* size: a power of two */
};

struct dispatched {
  const struct settings *settings;
  bool overflows, overflown;
  unsigned read, last; /* this one; the last complete one before it */
  uint64_t time;
  struct table names, sums;
};

static struct entry *table_find(const struct table *t, const char *name) {
  size_t i = hash_fixed(name, strlen(name), 0) & (t->size - 1);
  while (t->slot[i].name[0] != '\0' && strcmp(t->slot[i].name, name) != 0)
    i = (i + 1) & (t->size - 1);
  return &t->slot[i];
}

static void table_resize(struct table *t, size_t size) {
  struct table old = *t;
  *t = (struct table){calloc(size, sizeof(*t->slot)), size, old.used};
  if (t->slot == NULL)
    abort();
  for (size_t i = 0; i < old.size; i++)
    if (old.slot[i].name[0] != '\0')
      *table_find(t, old.slot[i].name) = old.slot[i];
  free(old.slot);
}

/* Returns the entry, which is new if its read is 0. */
static struct entry *table_get(struct table *t, const char *name) {
  if (2 * t->used >= t->size)
    table_resize(t, 2 * t->size);
  struct entry *e = table_find(t, name);
  if (e->name[0] == '\0') {
    snprintf(e->name, sizeof(e->name), "%s", name);
    t->used++;
  }
  return e;
}

struct dispatched *dispatched_new(const struct settings *s, bool overflows) {
  struct dispatched *d = calloc(1, sizeof(*d));
  if (d == NULL)
    abort();
  d->settings = s;
  d->overflows = overflows;
  table_resize(&d->names, SLOTS_FIRST);
  table_resize(&d->sums, SLOTS_FIRST);
  return d;
}

void dispatched_free(struct dispatched *d) {
  if (d == NULL)
    return;
  free(d->names.slot);
  free(d->sums.slot);
  free(d);
}

int64_t dispatched_counter(const struct dispatched *d, const char *name) {
  return table_find(&d->names, name)->counter;
}

/* --- One value ------------------------------------------------------------ */

static void name_check(const struct fake_value *v, struct complaint *c) {
  static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-";
  if (v->group[0] == '\0' || strspn(v->group, legal) != strlen(v->group))
    complain(c, "%s: the plugin instance has an illegal character", v->name);
  for (const char *at = v->instance; *at != '\0'; at++)
    if (strchr(legal, *at) == NULL && *at != '+')
      complain(c, "%s: the type instance has an illegal character", v->name);
}

static void gauge_check(const struct fake_value *v, struct complaint *c) {
  if (!isfinite(v->gauge) || v->gauge < 0)
    complain(c, "%s is %g", v->name, v->gauge);
  if (strncmp(v->instance, "percent-", 8) == 0 && v->gauge > 100)
    complain(c, "%s is %g percent", v->name, v->gauge);
}

/* Returns true if the values of members and `other` add up to the total. */
static bool adds_up(const struct fake_value *v) {
  char name[128];
  size_t type = strcspn(v->instance, "-");
  if (v->derive || strncmp(v->instance, "bucket-", 7) == 0 ||
      strncmp(v->instance, "tcp_connections-", 16) == 0)
    return true;
  const char *metric = v->instance + type + 1;
  snprintf(name, sizeof(name), "%.*s", (int)strcspn(metric, "-"), metric);
  int id = metric_find(name);
  if (id < 0 || id == METRIC_OUTLIERS)
    return false;
  enum metric_kind kind = metric_table[id].kind;
  return kind == METRIC_KIND_GAUGE || kind == METRIC_KIND_SOCKETS ||
         kind == METRIC_KIND_SET;
}

/* Checks the value by itself; returns its growth, 0 for a gauge.
 * `sums`: the values of members add up to the total. */
static int64_t value_check(struct dispatched *d, const struct fake_value *v,
                           bool *sums, struct complaint *c) {
  struct entry *e = table_get(&d->names, v->name);
  if (e->read == d->read)
    complain(c, "%s is dispatched twice in one read", v->name);
  if (e->read == 0) {
    name_check(v, c);
    e->adds_up = adds_up(v);
  }
  e->goes_on = e->read == d->last;
  e->read = d->read;
  *sums = e->adds_up;
  if (v->time <= d->time)
    complain(c, "%s does not have the time of this read", v->name);
  if (v->time != fake_daemon.value[0].time)
    complain(c, "%s and %s have different times", v->name,
             fake_daemon.value[0].name);
  if (!v->derive) {
    gauge_check(v, c);
    return 0;
  }
  if (d->overflows && (v->counter > most || v->counter < 0))
    d->overflown = true;
  if (v->counter < e->counter && !d->overflown)
    complain(c, "%s falls from %" PRId64 " to %" PRId64, v->name, e->counter,
             v->counter);
  int64_t growth = (int64_t)((uint64_t)v->counter - (uint64_t)e->counter);
  e->counter = v->counter;
  return growth;
}

/* --- Sums ----------------------------------------------------------------- */

/* Returns the group that the value belongs to; NULL: tcpinfo-self. `member`:
 * the name of its member, NULL for the total. */
static const struct group_settings *group_of(const struct dispatched *d,
                                             const struct fake_value *v,
                                             const char **member) {
  size_t length = strcspn(v->group, "-");
  *member = v->group[length] == '-' ? v->group + length + 1 : NULL;
  for (size_t i = 0; i < d->settings->group_count; i++) {
    const struct group_settings *g = &d->settings->group[i];
    if (strlen(g->name) == length && strncmp(g->name, v->group, length) == 0)
      return g;
  }
  return NULL;
}

static void sum_enter(struct dispatched *d, const struct fake_value *v,
                      const struct group_settings *g, const char *member,
                      int64_t growth) {
  char name[256];
  snprintf(name, sizeof(name), "%s/%.120s", g->name, v->instance);
  struct entry *e = table_get(&d->sums, name);
  double number = v->derive ? (double)growth : v->gauge;
  if (e->parts_read != d->read)
    e->parts = e->part_count = 0;
  e->parts_read = d->read;
  e->derive = v->derive;
  e->rounded = strncmp(v->instance, "total_time_in_ms-", 17) == 0;
  if (member == NULL) {
    /* What grew while the total was not dispatched, because the messages were
     * too short for the field, may have been that of a member that is gone. */
    e->goes_on = !v->derive || table_find(&d->names, v->name)->goes_on;
    e->total = number;
    e->read = d->read;
    e->counter = v->counter;
  } else {
    e->parts += number;
    e->part_count++;
  }
}

/* Counters of times are rounded down to milliseconds in each series, and large
 * ones to what a double holds. */
static void sums_check(const struct dispatched *d, struct complaint *c) {
  for (size_t i = 0; i < d->sums.size && !d->overflown; i++) {
    const struct entry *e = &d->sums.slot[i];
    double slack =
        e->rounded ? e->part_count + 1 + (double)e->counter * 1e-15 : 0;
    if (e->parts_read != d->read || e->part_count == 0)
      continue;
    if (e->read != d->read)
      complain(c, "%s: members have values, the total has none", e->name);
    else if (e->goes_on && fabs(e->total - e->parts) > slack)
      complain(c, "%s: the total%s is %.17g, members and other add up to %.17g",
               e->name, e->derive ? " grows and" : "", e->total, e->parts);
  }
}

/* --- Members -------------------------------------------------------------- */

static bool is_member(const struct group_settings *g, const char *member) {
  unsigned number;
  int end = 0;
  if (member == NULL || strcmp(member, "other") == 0)
    return false;
  return g->worst == 0 || sscanf(member, "worst%u%n", &number, &end) != 1 ||
         member[end] != '\0';
}

/* The values of a member come one after the other. A quarter of the members,
 * and one, may be replaced in a read; both then have values. */
static void members_check(const struct dispatched *d, struct complaint *c) {
  size_t count[GROUPS_MOST] = {0};
  const char *last = "", *member;
  for (size_t i = 0; i < fake_daemon.count; i++) {
    const struct fake_value *v = &fake_daemon.value[i];
    const struct group_settings *g = group_of(d, v, &member);
    if (g == NULL || !is_member(g, member) || strcmp(v->group, last) == 0)
      continue;
    last = v->group;
    size_t number = (size_t)(g - d->settings->group);
    if (number < GROUPS_MOST &&
        ++count[number] > g->max_members + g->max_members / 4 + 1)
      complain(c, "group %s has %zu members with MaxMembers %u", g->name,
               count[number], g->max_members);
  }
}

void dispatched_check(struct dispatched *d, struct complaint *c) {
  d->read++;
  for (size_t i = 0; i < fake_daemon.count; i++) {
    const struct fake_value *v = &fake_daemon.value[i];
    const char *member;
    bool sums;
    int64_t growth = value_check(d, v, &sums, c);
    const struct group_settings *g = group_of(d, v, &member);
    if (g != NULL && sums &&
        (member == NULL || is_member(g, member) ||
         strcmp(member, "other") == 0))
      sum_enter(d, v, g, member, growth);
  }
  sums_check(d, c);
  members_check(d, c);
  d->last = d->read;
  if (fake_daemon.count > 0)
    d->time = fake_daemon.value[0].time;
}

void dispatched_check_failure(struct dispatched *d, struct complaint *c) {
  d->read++;
  for (size_t i = 0; i < fake_daemon.count; i++) {
    const struct fake_value *v = &fake_daemon.value[i];
    bool sums;
    value_check(d, v, &sums, c);
    if (!v->derive || strcmp(v->group, "self") != 0)
      complain(c, "%s is dispatched after a failed dump", v->name);
  }
  if (fake_daemon.count > 0)
    d->time = fake_daemon.value[0].time;
}
