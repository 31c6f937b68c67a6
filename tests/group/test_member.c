/* member: which members get a series and keep it, and that no counter is lost
 * or falls on the way. */
#include "group/member.h"
#include "group/name_registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NAMES_MAX = 256 };

struct fixture {
  struct group_settings settings;
  struct plan *plan;
  struct name_lookup *names;
  struct members *members;
};

/* The series that members_each() gave in a read. */
struct shown {
  size_t count; /* without `other` */
  char name[NAMES_MAX][128];
  bool counters_only[NAMES_MAX];
  int64_t opened[NAMES_MAX];
  int64_t other;
};

static void start(struct fixture *f, unsigned max, unsigned timeout,
                  enum dimension by) {
  *f = (struct fixture){.settings = {.name = (char *)"group"}};
  f->settings.by[f->settings.by_count++] = by;
  f->settings.max_members = max;
  f->settings.member_timeout = timeout;
  assert_int_equal(metric_list_add(&f->settings.metrics, METRIC_OPENED, NULL),
                   0);
  f->plan = plan_new(&f->settings.metrics);
  f->names = name_lookup_new();
  f->members = members_new(&f->settings, f->plan, f->names);
  assert_non_null(f->members);
}

static void stop(struct fixture *f) {
  members_free(f->members);
  name_lookup_free(f->names);
  plan_free(f->plan);
  metric_list_clear(&f->settings.metrics);
}

static struct socket_attrs port(unsigned n) {
  struct socket_attrs t = {.remote_port = (uint16_t)n};
  return t;
}

static void on_value(const struct accumulator_value *v, void *data) {
  *(int64_t *)data = v->counter;
}

static void on_series(const char *name, struct accumulator *accumulator,
                      bool counters_only, void *data) {
  struct shown *s = data;
  int64_t opened = -1;
  accumulator_emit(accumulator, 0,
                   counters_only ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL,
                   on_value, &opened);
  if (strcmp(name, "other") == 0) {
    s->other = opened;
    return;
  }
  assert_true(s->count < NAMES_MAX);
  snprintf(s->name[s->count], sizeof(s->name[0]), "%s", name);
  s->opened[s->count] = opened;
  s->counters_only[s->count++] = counters_only;
}

static struct shown settle(struct fixture *f) {
  struct shown s = {0};
  members_settle(f->members);
  members_each(f->members, on_series, &s);
  members_commit(f->members);
  return s;
}

static int find(const struct shown *s, const char *name) {
  for (size_t i = 0; i < s->count; i++)
    if (strcmp(s->name[i], name) == 0)
      return (int)i;
  return -1;
}

/* Adds a socket of the member in this dump, with traffic of so many bytes. */
static void move(struct fixture *f, uint32_t member, uint64_t bytes) {
  static const uint64_t delta[FIELD_COUNT];
  struct sample sample = {.state = TCP_STATE_ESTABLISHED};
  struct observation r = {.sample = &sample, .delta = delta, .changed = true};
  accumulator_add(members_accumulator(f->members, member), &r);
  members_add_bytes(f->members, member, bytes);
}

static void one(struct fixture *f, const struct socket_attrs *t, int opened) {
  uint32_t i = members_join(f->members, t);
  for (int k = 0; k < opened; k++)
    accumulator_count(members_accumulator(f->members, i), ACCUMULATOR_OPENED);
  move(f, i, 0);
}

/* While no series is free a member is counted in `other`. When it is chosen,
 * its series first dispatches its counters only, as they were. */
static void a_chosen_series_starts_with_its_counters(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 1, 2, DIMENSION_REMOTE_PORT);
  struct socket_attrs t = port(80), u = port(81);
  members_begin(f.members);
  uint32_t a = members_join(f.members, &t);
  uint32_t b = members_join(f.members, &u);
  accumulator_count(members_accumulator(f.members, b), ACCUMULATOR_OPENED);
  move(&f, a, 0);
  move(&f, b, 1000);
  struct shown s = settle(&f); /* b takes over, from the next read on */
  assert_int_equal(s.count, 2);
  int i = find(&s, "81");
  assert_false(s.counters_only[find(&s, "80")]);
  assert_true(s.counters_only[i]);
  assert_int_equal(s.opened[i], 0);
  assert_int_equal(s.other, 1);
  members_begin(f.members);
  accumulator_count(members_accumulator(f.members, b), ACCUMULATOR_OPENED);
  move(&f, a, 0);
  move(&f, b, 1000);
  s = settle(&f);
  assert_int_equal(s.count, 1);
  assert_string_equal(s.name[0], "81");
  assert_false(s.counters_only[0]);
  assert_int_equal(s.opened[0], 1);
  assert_int_equal(s.other, 1);
  stop(&f);
}

static void a_member_gets_a_free_series_at_once(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 10, 2, DIMENSION_REMOTE_PORT);
  struct socket_attrs t = port(80);
  members_begin(f.members);
  uint32_t a = members_join(f.members, &t);
  accumulator_count(members_accumulator(f.members, a), ACCUMULATOR_OPENED);
  move(&f, a, 0);
  struct shown s = settle(&f);
  assert_int_equal(s.count, 1);
  assert_string_equal(s.name[0], "80");
  assert_false(s.counters_only[0]); /* at once: a series is free */
  assert_int_equal(s.opened[0], 1);
  assert_int_equal(s.other, 0);
  assert_int_equal(members_count(f.members), 1);
  assert_int_equal(members_in_other(f.members), 0);

  members_begin(f.members);
  accumulator_count(members_accumulator(f.members, a), ACCUMULATOR_OPENED);
  move(&f, a, 0);
  s = settle(&f);
  assert_false(s.counters_only[0]);
  assert_int_equal(s.opened[0], 2);
  assert_int_equal(s.other, 0);
  assert_int_equal(members_in_other(f.members), 0);
  stop(&f);
}

/* A series leaves after two reads without a socket. A member that comes back
 * goes on with its counters. */
static void a_member_that_comes_back_goes_on_with_its_counters(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 10, 2, DIMENSION_REMOTE_PORT);
  struct socket_attrs t = port(80);
  for (int round = 0; round < 3; round++) {
    members_begin(f.members);
    uint32_t a = members_join(f.members, &t);
    move(&f, a, 0);
    struct shown s = settle(&f);
    assert_false(s.counters_only[0]);
    assert_int_equal(s.opened[0], 5 * round);
    members_begin(f.members);
    for (int i = 0; i < 5; i++)
      accumulator_count(members_accumulator(f.members, a), ACCUMULATOR_OPENED);
    move(&f, a, 0);
    s = settle(&f);
    assert_int_equal(s.opened[0], 5 * round + 5);
    members_leave(f.members, a, false);
    for (int idle = 0; idle < 2; idle++) {
      members_begin(f.members);
      s = settle(&f);
      assert_int_equal(s.count, 1);
      assert_int_equal(s.opened[0], 5 * round + 5);
    }
    members_begin(f.members);
    assert_int_equal(settle(&f).count, 0);
    assert_int_equal(members_count(f.members), 0);
  }
  stop(&f);
}

/* However many members came between, a member that comes back goes on where it
 * ended. */
static void counters_hold_only_what_the_member_did(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 4, 1, DIMENSION_REMOTE_PORT);
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned n = 1; n <= 60; n++) {
      struct socket_attrs t = port(n);
      char name[16];
      snprintf(name, sizeof(name), "%u", n);
      members_begin(f.members);
      uint32_t a = members_join(f.members, &t);
      for (unsigned k = 0; k < n; k++)
        accumulator_count(members_accumulator(f.members, a),
                          ACCUMULATOR_OPENED);
      move(&f, a, 0);
      struct shown s = settle(&f);
      assert_int_equal(s.opened[find(&s, name)], n * (round + 1));
      members_leave(f.members, a, false);
      for (int i = 0; i < 2; i++) {
        members_begin(f.members);
        settle(&f);
      }
    }
  }
  stop(&f);
}

/* When no new name can come into being, members are counted in `other`; those
 * that had a name still get it. */
static void members_beyond_all_names_are_counted_in_other(void **state) {
  (void)state;
  enum { MANY = NAME_REGISTRY_MOST };
  static uint32_t member[MANY];
  struct fixture f;
  start(&f, MANY, 1, DIMENSION_REMOTE_PORT);
  f.settings.by[f.settings.by_count++] = DIMENSION_LOCAL_PORT;
  members_free(f.members);
  f.members = members_new(&f.settings, f.plan, f.names);
  struct socket_attrs t;
  members_begin(f.members);
  for (unsigned i = 0; i < MANY; i++) {
    t = port(i);
    member[i] = members_join(f.members, &t);
  }
  members_settle(f.members);
  members_commit(f.members);
  assert_true(members_are_full(f.members));
  for (unsigned i = 0; i < MANY; i++)
    members_leave(f.members, member[i], false);
  for (int i = 0; i < 3; i++) {
    members_begin(f.members);
    members_settle(f.members);
    members_commit(f.members);
  }
  f.settings.max_members = 4;
  for (int round = 0; round < 2; round++) {
    members_begin(f.members);
    t = port(7);
    one(&f, &t, round == 0 ? 2 : 0);
    t.local_port = 1; /* new */
    one(&f, &t, round == 0 ? 3 : 0);
    struct shown s = settle(&f);
    assert_int_equal(s.count, 1);
    assert_string_equal(s.name[0], "7-0");
    assert_int_equal(s.other, 5); /* the first read chose the series */
  }
  stop(&f);
}

enum { PEERS = 40, MAX = 8 };

static struct shown traffic(struct fixture *f, const uint32_t *member,
                            const uint64_t *bytes) {
  members_begin(f->members);
  for (unsigned i = 0; i < PEERS; i++)
    move(f, member[i], bytes[i]);
  return settle(f);
}

/* The most active members get the series, and keep them while others are about
 * as active. */
static void the_most_active_members_get_series_and_keep_them(void **state) {
  (void)state;
  struct fixture f;
  uint32_t member[PEERS];
  uint64_t bytes[PEERS];
  char name[16];
  srand(3);
  start(&f, MAX, 6, DIMENSION_REMOTE_PORT);
  for (unsigned i = 0; i < PEERS; i++) {
    struct socket_attrs t = port(1000 + i);
    member[i] = members_join(f.members, &t);
    bytes[i] = 0;
  }
  struct shown s = traffic(&f, member, bytes);
  assert_int_equal(s.count, MAX);

  /* Members 20 to 27 have ten times the traffic of the others. */
  for (int read = 0; read < 12; read++) {
    for (unsigned i = 0; i < PEERS; i++)
      bytes[i] = (i >= 20 && i < 28 ? 100000u : 10000u) + (unsigned)rand() % 99;
    s = traffic(&f, member, bytes);
    assert_true(s.count <= MAX + MAX / 4 + 1);
  }
  assert_int_equal(s.count, MAX);
  for (unsigned i = 20; i < 28; i++) {
    snprintf(name, sizeof(name), "%u", 1000 + i);
    assert_true(find(&s, name) >= 0);
  }
  assert_int_equal(members_in_other(f.members), PEERS - MAX);

  /* All members have similar traffic, up to half of it more or less by chance:
   * no series changes hands. */
  for (int read = 0; read < 50; read++) {
    for (unsigned i = 0; i < PEERS; i++)
      bytes[i] = 75000 + (unsigned)rand() % 50000;
    struct shown next = traffic(&f, member, bytes);
    assert_int_equal(next.count, MAX);
    for (size_t i = 0; i < next.count; i++)
      assert_true(find(&s, next.name[i]) >= 0);
  }
  stop(&f);
}

/* Many members come and go: each socket finds its member. */
static void each_of_many_sockets_finds_its_member(void **state) {
  (void)state;
  enum { MANY = 60000 };
  static uint32_t member[MANY];
  struct fixture f;
  start(&f, 5, 6, DIMENSION_LOCAL_PORT);
  for (int round = 0; round < 3; round++) {
    for (unsigned i = 0; i < MANY; i++) {
      struct socket_attrs t = {.local_port = (uint16_t)i};
      member[i] = members_join(f.members, &t);
      assert_int_equal(members_join(f.members, &t), member[i]);
    }
    members_begin(f.members);
    settle(&f);
    assert_int_equal(members_count(f.members), MANY);
    for (unsigned i = 0; i < MANY; i++) {
      unsigned k = (i * 7919u) % MANY;
      members_leave(f.members, member[k], false);
      members_leave(f.members, member[k], false);
    }
    members_begin(f.members);
    settle(&f);
    assert_int_equal(members_count(f.members), 0);
  }
  stop(&f);
}

/* Two members have names that become one (here: of congestion control
 * algorithms): the name stays that of the first one, also when it is gone. */
static void members_of_one_name_never_share_a_series(void **state) {
  (void)state;
  struct socket_attrs a = {.congestion = "a b"}, b = {.congestion = "a_b"};
  for (int idle = 0; idle < 5; idle++) {
    struct fixture f;
    start(&f, 10, 2, DIMENSION_CONGESTION);
    members_begin(f.members);
    uint32_t old = members_join(f.members, &a);
    accumulator_count(members_accumulator(f.members, old), ACCUMULATOR_OPENED);
    move(&f, old, 0);
    if (idle > 0) {
      settle(&f);
      members_leave(f.members, old, false);
    }
    for (int i = 1; i < idle; i++) {
      members_begin(f.members);
      settle(&f);
    }
    if (idle > 0)
      members_begin(f.members);
    one(&f, &b, 2);
    struct shown s = settle(&f);
    int first = find(&s, "a_b");
    int second = first == 0 ? 1 : 0;
    assert_int_equal(s.count, idle < 3 ? 2 : 1);
    assert_int_equal(first >= 0, idle < 3);
    if (first >= 0)
      assert_int_equal(s.opened[first], 1);
    assert_true(strncmp(s.name[second], "a_b_", 4) == 0);
    assert_int_equal(s.opened[second], 2);
    stop(&f);
  }
}

/* A member that happens to be called `other` is not counted in `other`. */
static void a_member_called_other_gets_another_name(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 10, 6, DIMENSION_CONGESTION);
  struct socket_attrs t = {.congestion = "other"};
  members_begin(f.members);
  move(&f, members_join(f.members, &t), 0);
  struct shown s = settle(&f);
  assert_int_equal(s.count, 1);
  assert_string_equal(s.name[0], "_other");
  stop(&f);
}

/* The only socket of a member is no longer in dumps, but has not left: the
 * member's series leaves after MemberTimeout and is free for another member,
 * and the number stays the member's until the socket leaves. */
static void retained_sockets_keep_the_number_but_not_the_series(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 1, 2, DIMENSION_REMOTE_PORT);
  members_begin(f.members);
  struct socket_attrs a = port(1), b = port(2);
  uint32_t gone = members_join(f.members, &a);
  uint32_t lives = members_join(f.members, &b);
  move(&f, gone, 1000000);
  move(&f, lives, 1);
  struct shown s = settle(&f);
  assert_true(find(&s, "1") >= 0);
  members_retain(f.members, gone);
  for (int read = 0; read < 10; read++) {
    members_begin(f.members);
    move(&f, lives, 1);
    s = settle(&f);
    assert_int_equal(members_count(f.members), 1);
    if (read < 3)
      continue;
    assert_int_equal(members_in_other(f.members), 0);
    assert_true(s.count == 1 && find(&s, "2") >= 0);
  }
  members_leave(f.members, gone, true);
  members_leave(f.members, lives, false);
  for (int read = 0; read < 6; read++) {
    members_begin(f.members);
    s = settle(&f);
  }
  assert_int_equal(s.count, 0);
  stop(&f);
}

/* Sockets come and go between two reads. A member that has only such sockets,
 * but in every read, gets a series and keeps it. Members that have them once
 * take no memory for long. */
static void short_lived_members_take_no_memory_for_long(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 2, 3, DIMENSION_REMOTE_PORT);
  for (unsigned read = 0; read < 60; read++) {
    members_begin(f.members);
    for (unsigned n = 1; n <= 300; n++) {
      struct socket_attrs t = port(n == 300 ? 5000 : n + 300 * read);
      uint32_t member = members_join(f.members, &t);
      assert_true(member < 700); /* numbers of two reads */
      accumulator_count(members_accumulator(f.members, member),
                        ACCUMULATOR_OPENED);
      members_add_bytes(f.members, member, n == 300 ? 1000000 : 1);
      members_leave(f.members, member, false);
    }
    struct shown s = settle(&f);
    assert_true(s.count <= 4); /* two may be leaving */
    if (read > 3)
      assert_true(find(&s, "5000") >= 0);
  }
  members_begin(f.members);
  for (int i = 0; i < 12; i++) {
    struct shown s = settle(&f);
    if (i >= 4)
      assert_int_equal(s.count, 0); /* all series have left */
  }
  assert_int_equal(members_count(f.members), 0);
  stop(&f);
}

/* --- The worst members ---------------------------------------------------- */

static void start_worst(struct fixture *f, unsigned max, unsigned worst) {
  start(f, max, 6, DIMENSION_REMOTE_PORT);
  members_free(f->members);
  f->settings.worst = worst;
  f->members = members_new(&f->settings, f->plan, f->names);
  assert_non_null(f->members);
}

static void observe_close(struct fixture *f, uint32_t member, uint64_t segments,
                          uint64_t retrans) {
  uint64_t delta[FIELD_COUNT] = {
      [FIELD_DATA_SEGS_OUT] = segments, [FIELD_DATA_RETRANS] = retrans};
  members_observe_close(f->members, member, delta);
}

static void worst_is(const struct fixture *f, size_t rank, const char *name,
                     double value) {
  struct outlier w;
  assert_true(members_worst(f->members, OUTLIER_BY_RETRANS, rank, &w));
  assert_string_equal(w.name, name);
  assert_true(w.value == value);
}

static void worst_ends(const struct fixture *f, size_t rank) {
  struct outlier w;
  assert_false(members_worst(f->members, OUTLIER_BY_RETRANS, rank, &w));
}

/* All members are compared, with or without a series. */
static void the_worst_members_are_ranked_with_or_without_series(void **state) {
  (void)state;
  struct fixture f;
  start_worst(&f, 1, 2);
  members_begin(f.members);
  for (unsigned n = 1; n <= 9; n++) {
    struct socket_attrs t = port(n);
    uint32_t member = members_join(f.members, &t);
    observe_close(&f, member, 100, n == 6 ? 40 : n == 8 ? 30 : n == 2 ? 20 : 0);
  }
  members_settle(f.members);
  worst_is(&f, 0, "6", 40);
  worst_is(&f, 1, "8", 30);
  worst_ends(&f, 2);
  assert_int_equal(members_outliers(f.members), 3);
  members_commit(f.members);
  members_begin(f.members);
  members_settle(f.members);
  worst_ends(&f, 0);
  assert_int_equal(members_outliers(f.members), -1);
  members_commit(f.members);
  stop(&f);
}

/* A member that is gone before the next read is ranked under its own name:
 * until then no other member gets its number, and with it its values. */
static void a_member_that_is_gone_is_ranked_under_its_own_name(void **state) {
  (void)state;
  struct fixture f;
  start_worst(&f, 1, 3);
  members_begin(f.members);
  struct socket_attrs first = port(1), bad = port(2), next = port(3);
  members_join(f.members, &first);
  uint32_t member = members_join(f.members, &bad); /* no series is free */
  settle(&f);
  observe_close(&f, member, 100, 50); /* its socket closes */
  members_leave(f.members, member, false);
  uint32_t other = members_join(f.members, &next);
  observe_close(&f, other, 200, 4);
  members_begin(f.members);
  members_settle(f.members);
  worst_is(&f, 0, "2", 50);
  worst_is(&f, 1, "3", 2);
  worst_ends(&f, 2);
  assert_int_equal(members_count(f.members), 2);
  members_commit(f.members);
  members_begin(f.members);
  settle(&f);
  /* The number is free. */
  assert_int_equal(members_join(f.members, &bad), member);
  stop(&f);
}

/* More members are gone than are kept until the settling: those beyond are not
 * ranked, rather than under a wrong name. */
static void too_many_members_that_are_gone_are_not_ranked(void **state) {
  (void)state;
  enum { MANY = 66000 };
  struct fixture f;
  start_worst(&f, 1, 3);
  f.settings.by[f.settings.by_count++] = DIMENSION_LOCAL_PORT;
  members_free(f.members);
  f.members = members_new(&f.settings, f.plan, f.names);
  members_begin(f.members);
  for (unsigned n = 0; n < MANY; n++) {
    struct socket_attrs t = port(n % 65536);
    t.local_port = (uint16_t)(n / 65536);
    uint32_t member = members_join(f.members, &t);
    observe_close(&f, member, 60, n == 1234 ? 30 : n > 65600 ? 6 : 0);
    members_leave(f.members, member, false);
  }
  members_settle(f.members);
  worst_is(&f, 0, "1234-0", 50);
  worst_is(&f, 1, "", 0);
  members_commit(f.members);
  stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(retained_sockets_keep_the_number_but_not_the_series),
      cmocka_unit_test(short_lived_members_take_no_memory_for_long),
      cmocka_unit_test(a_chosen_series_starts_with_its_counters),
      cmocka_unit_test(a_member_gets_a_free_series_at_once),
      cmocka_unit_test(a_member_that_comes_back_goes_on_with_its_counters),
      cmocka_unit_test(counters_hold_only_what_the_member_did),
      cmocka_unit_test(members_beyond_all_names_are_counted_in_other),
      cmocka_unit_test(the_most_active_members_get_series_and_keep_them),
      cmocka_unit_test(each_of_many_sockets_finds_its_member),
      cmocka_unit_test(members_of_one_name_never_share_a_series),
      cmocka_unit_test(a_member_called_other_gets_another_name),
      cmocka_unit_test(the_worst_members_are_ranked_with_or_without_series),
      cmocka_unit_test(a_member_that_is_gone_is_ranked_under_its_own_name),
      cmocka_unit_test(too_many_members_that_are_gone_are_not_ranked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
