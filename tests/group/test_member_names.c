/* A property of names, over random histories of members that join, leave, are
 * restarted, renamed, pushed out of their series and return:
 *
 *   - no counter of a name ever falls;
 *   - what a name's counters grow by, between any two of its values, one thing
 *     did in that time, the same thing for good;
 *   - in each read the names and `other` together grow by what all did.
 *
 * A thing is what a user means: a service, whose cgroup is made anew at each
 * restart, or a device, whose index changes. Each thing moves a counter of its
 * own, so the counters of a name tell which thing it belongs to. */
#include "group/member.h"
#include "support/fake_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
  THINGS = 8,
  NUMBERS = 600, /* cgroups or devices of a history */
  READS = 60,
  HISTORIES = 1500,
  NAMES_MOST = 256,
};

/* Names become one in four ways: the last part of a path, cleaned characters,
 * Graphite's '.', and a name that the group uses itself. */
static const char *const path[THINGS] = {
    "system.slice/a.service",
    "shop.slice/a.service",
    "system.slice/a_service",
    "machine.slice/libpod-1.scope/container",
    "x y",
    "x_y",
    "other",
    "worst1"};
static const char *const device[THINGS] = {"eth0", "eth.1", "eth_1", "e y",
                                           "e+y",  "lan",   "other", "worst1"};

static const enum metric_id metric[THINGS] = {
    METRIC_BYTES_SENT,    METRIC_BYTES_ACKED, METRIC_BYTES_RECEIVED,
    METRIC_BYTES_RETRANS, METRIC_SEGS_OUT,    METRIC_SEGS_IN,
    METRIC_DATA_SEGS_OUT, METRIC_DATA_SEGS_IN};

/* A name, since it was dispatched first. */
struct name {
  char text[MEMBER_KEY_NAME_MAX];
  int owner; /* -1: nothing has grown yet */
  int read;  /* the last in which it had values */
  int64_t value[THINGS];
};

/* The sockets of a thing under one number; a restart leaves some behind. */
struct number {
  int thing;
  unsigned sockets;
  uint32_t member;
};

struct world {
  unsigned seed;
  struct group_settings settings;
  struct plan *plan;
  struct name_lookup *names;
  struct members *members;
  struct number number[NUMBERS]; /* from 1 */
  int numbers;
  int current[THINGS];             /* the number that the thing has now */
  int64_t done[THINGS][READS + 1]; /* until the end of each read */
  int read;
  struct name name[NAMES_MOST];
  size_t name_count;
  int64_t other[THINGS];
  int64_t grown[THINGS]; /* in this read, by names and other */
};

static unsigned dice(struct world *w, unsigned sides) {
  return (unsigned)rand_r(&w->seed) % sides;
}

static bool by_cgroup(const struct world *w) {
  return w->settings.by[0] == DIMENSION_CGROUP;
}

static int number_new(struct world *w, int thing) {
  int n = ++w->numbers;
  assert_true(n < NUMBERS);
  w->number[n] = (struct number){.thing = thing};
  w->current[thing] = n;
  if (by_cgroup(w))
    fake_names.cgroup[n] = path[thing];
  else
    fake_names.device[n] = device[thing];
  return n;
}

static void world_make(struct world *w, unsigned seed) {
  memset(w, 0, sizeof(*w));
  w->seed = seed;
  w->settings.name = (char *)"group";
  w->settings.by[w->settings.by_count++] =
      dice(w, 2) == 0 ? DIMENSION_CGROUP : DIMENSION_INTERFACE;
  w->settings.max_members = 1 + dice(w, 4);
  w->settings.member_timeout = 1 + dice(w, 3);
  w->settings.worst = dice(w, 2);
  for (int i = 0; i < THINGS; i++)
    assert_int_equal(metric_list_add(&w->settings.metrics, metric[i], NULL), 0);
  w->plan = plan_new(&w->settings.metrics);
  w->names = name_lookup_new();
  w->members = members_new(&w->settings, w->plan, w->names);
  assert_non_null(w->members);
  memset(&fake_names, 0, sizeof(fake_names));
  for (int i = 0; i < THINGS; i++)
    number_new(w, i);
}

static void world_free(struct world *w) {
  members_free(w->members);
  name_lookup_free(w->names);
  plan_free(w->plan);
  metric_list_clear(&w->settings.metrics);
}

/* --- What happens --------------------------------------------------------- */

static void join(struct world *w, int n) {
  uint32_t id = (uint32_t)n;
  const struct socket_attrs attrs = {.cgroup = id, .interface = id};
  uint32_t member = members_join(w->members, &attrs);
  assert_true(w->number[n].sockets == 0 || w->number[n].member == member);
  w->number[n].member = member;
  w->number[n].sockets++;
}

static void leave(struct world *w, int n) {
  if (w->number[n].sockets == 0)
    return;
  members_leave(w->members, w->number[n].member, false);
  w->number[n].sockets--;
}

/* The sockets of the number send, or receive, so much. */
static void move(struct world *w, int n, uint64_t amount) {
  const struct number *number = &w->number[n];
  uint64_t delta[FIELD_COUNT] = {0};
  if (number->sockets == 0)
    return;
  delta[metric_table[metric[number->thing]].field] = amount;
  accumulator_add_growth(members_accumulator(w->members, number->member),
                         delta);
  members_add_bytes(w->members, number->member, amount);
  w->done[number->thing][w->read] += (int64_t)amount;
}

static void sockets_show(struct world *w) {
  static const uint64_t delta[FIELD_COUNT];
  const struct sample sample = {.state = TCP_STATE_ESTABLISHED};
  const struct observation o = {.sample = &sample, .delta = delta};
  for (int n = 1; n <= w->numbers; n++)
    for (unsigned i = 0; i < w->number[n].sockets; i++)
      accumulator_add(members_accumulator(w->members, w->number[n].member), &o);
}

/* The thing gets another number; the old one is gone, and some of its sockets
 * may live on. */
static void restart(struct world *w, int thing) {
  int old = w->current[thing];
  fake_names.cgroup[old] = fake_names.device[old] = fake_names_gone;
  if (dice(w, 2) == 0)
    while (w->number[old].sockets > 0)
      leave(w, old);
  number_new(w, thing);
}

/* Two devices change their names. */
static void swap(struct world *w, int a, int b) {
  int m = w->current[a], n = w->current[b];
  w->current[a] = n;
  w->current[b] = m;
  w->number[m].thing = b;
  w->number[n].thing = a;
  fake_names.device[m] = device[b];
  fake_names.device[n] = device[a];
}

static void happen(struct world *w) {
  int thing = (int)dice(w, THINGS), n = w->current[thing];
  switch (dice(w, 8)) {
  case 0:
  case 1:
    join(w, n);
    break;
  case 2:
    leave(w, n);
    break;
  case 3: /* one connection between two reads */
    join(w, n);
    move(w, n, 1 + dice(w, 100));
    leave(w, n);
    break;
  case 4:
    move(w, 1 + (int)dice(w, (unsigned)w->numbers), 1 + dice(w, 1000));
    break;
  case 5:
    move(w, n, 1 + dice(w, 1000000));
    break;
  case 6:
    move(w, n, 1 + dice(w, 1000));
    break;
  case 7:
    if (dice(w, 4) == 0 && w->numbers < NUMBERS - 1)
      restart(w, thing);
    break;
  }
}

/* --- What is dispatched --------------------------------------------------- */

static struct name *name_find(struct world *w, const char *text) {
  for (size_t i = 0; i < w->name_count; i++)
    if (strcmp(w->name[i].text, text) == 0)
      return &w->name[i];
  assert_true(w->name_count < NAMES_MOST);
  struct name *n = &w->name[w->name_count++];
  *n = (struct name){.owner = -1};
  strcpy(n->text, text);
  return n;
}

struct values {
  size_t count;
  int64_t value[THINGS];
};

static void on_value(const struct accumulator_value *v, void *data) {
  struct values *values = data;
  assert_true(v->derive && values->count < THINGS);
  values->value[values->count++] = v->counter; /* in the order of the metrics */
}

static void grows(struct world *w, struct name *n, int thing, int64_t growth) {
  if (growth == 0)
    return;
  if (n->owner < 0)
    n->owner = thing;
  int64_t did = w->done[thing][w->read] - w->done[thing][n->read];
  if (growth < 0 || n->owner != thing || growth > did)
    fail_msg("%s, of %d, in read %d: thing %d grew by %lld since read %d, in "
             "which it did %lld",
             n->text, n->owner, w->read, thing, (long long)growth, n->read,
             (long long)did);
  w->grown[thing] += growth;
}

static void on_series(const char *text, struct accumulator *a,
                      bool counters_only, void *data) {
  struct world *w = data;
  struct values v = {0};
  (void)counters_only;
  accumulator_emit(a, SIZE_MAX, ACCUMULATOR_COUNTERS, on_value, &v);
  assert_int_equal(v.count, THINGS);
  if (strcmp(text, "other") == 0) {
    for (int i = 0; i < THINGS; i++) {
      assert_true(v.value[i] >= w->other[i]);
      w->grown[i] += v.value[i] - w->other[i];
      w->other[i] = v.value[i];
    }
    return;
  }
  struct name *n = name_find(w, text);
  for (int i = 0; i < THINGS; i++) {
    grows(w, n, i, v.value[i] - n->value[i]);
    n->value[i] = v.value[i];
  }
  n->read = w->read;
}

static void read_run(struct world *w) {
  w->read++;
  for (int i = 0; i < THINGS; i++)
    w->done[i][w->read] = w->done[i][w->read - 1];
  memset(w->grown, 0, sizeof(w->grown));
  members_begin(w->members);
  /* What is done in a read in which the name changes has either name. */
  bool swaps = !by_cgroup(w) && dice(w, 4) == 0;
  for (unsigned i = swaps ? 0 : dice(w, 12); i > 0; i--)
    happen(w);
  sockets_show(w);
  if (swaps)
    swap(w, (int)dice(w, THINGS / 2), THINGS / 2 + (int)dice(w, THINGS / 2));
  name_lookup_renew(w->names);
  members_settle(w->members);
  members_each(w->members, on_series, w);
  members_commit(w->members);
  for (int i = 0; i < THINGS; i++)
    assert_int_equal(w->grown[i],
                     w->done[i][w->read] - w->done[i][w->read - 1]);
}

static void each_growth_of_a_name_is_what_its_owner_did(void **state) {
  (void)state;
  static struct world w;
  size_t names = 0;
  for (unsigned i = 0; i < HISTORIES; i++) {
    world_make(&w, 1 + i);
    for (int read = 0; read < READS; read++)
      read_run(&w);
    names += w.name_count;
    world_free(&w);
  }
  assert_true(names > 4 * HISTORIES); /* histories have members with names */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_growth_of_a_name_is_what_its_owner_did),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
