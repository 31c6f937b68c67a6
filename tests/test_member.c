/* member: who keeps a series, and that nothing is lost or falls on the way. */
#include "member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NAMES_MAX = 256 };

struct fixture {
  struct group_settings settings;
  struct report *report;
  struct members *members;
};

/* What members_each() gave in a read. */
struct shown {
  size_t count; /* without `other` */
  char name[NAMES_MAX][128];
  bool fresh[NAMES_MAX];
  int64_t opened[NAMES_MAX];
  int64_t other;
};

static void start(struct fixture *f, unsigned max, unsigned timeout,
                  enum dimension by) {
  *f = (struct fixture){0};
  f->settings.by[f->settings.by_count++] = by;
  f->settings.max_members = max;
  f->settings.member_timeout = timeout;
  assert_int_equal(metric_list_add(&f->settings.metrics, METRIC_OPENED, NULL),
                   0);
  f->report = report_new(&f->settings.metrics);
  f->members = members_new(&f->settings, f->report);
  assert_non_null(f->members);
}

static void stop(struct fixture *f) {
  members_free(f->members);
  report_free(f->report);
  metric_list_clear(&f->settings.metrics);
}

static struct tuple port(unsigned n) {
  struct tuple t = {.remote_port = (uint16_t)n};
  return t;
}

static void on_value(const struct cell_value *v, void *data) {
  *(int64_t *)data = v->counter;
}

static void on_series(const char *name, struct cell *cell, bool fresh,
                      void *data) {
  struct shown *s = data;
  int64_t opened = -1;
  cell_emit(cell, 0, fresh, on_value, &opened);
  if (strcmp(name, "other") == 0) {
    s->other = opened;
    return;
  }
  assert_true(s->count < NAMES_MAX);
  snprintf(s->name[s->count], sizeof(s->name[0]), "%s", name);
  s->opened[s->count] = opened;
  s->fresh[s->count++] = fresh;
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

/* One socket of the member in this dump, with so much traffic. */
static void move(struct fixture *f, uint32_t member, uint64_t bytes) {
  static const uint64_t delta[FIELD_COUNT];
  struct sample sample = {.state = TCP_STATE_ESTABLISHED};
  struct reading r = {.sample = &sample, .delta = delta};
  cell_add(members_cell(f->members, member), &r);
  members_busy(f->members, member, bytes);
}

static void test_new_series(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 10, 2, DIMENSION_REMOTE_PORT);
  struct tuple t = port(80);
  members_begin(f.members);
  uint32_t a = members_join(f.members, &t);
  cell_opened(members_cell(f.members, a));
  move(&f, a, 0);
  struct shown s = settle(&f);
  assert_int_equal(s.count, 1);
  assert_string_equal(s.name[0], "80");
  assert_true(s.fresh[0]);
  assert_int_equal(s.opened[0], 0); /* the starting point */
  assert_int_equal(s.other, 1);     /* it was there until now */
  assert_int_equal(members_count(f.members), 1);
  assert_int_equal(members_folded(f.members), 1);

  members_begin(f.members);
  cell_opened(members_cell(f.members, a));
  move(&f, a, 0);
  s = settle(&f);
  assert_false(s.fresh[0]);
  assert_int_equal(s.opened[0], 1);
  assert_int_equal(s.other, 1);
  assert_int_equal(members_folded(f.members), 0);
  stop(&f);
}

/* Two reads without a socket end it; who comes back goes on counting. */
static void test_timeout_and_return(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 10, 2, DIMENSION_REMOTE_PORT);
  struct tuple t = port(80);
  for (int round = 0; round < 3; round++) {
    members_begin(f.members);
    uint32_t a = members_join(f.members, &t);
    move(&f, a, 0);
    struct shown s = settle(&f);
    assert_true(s.fresh[0]);
    assert_int_equal(s.opened[0], 5 * round);
    members_begin(f.members);
    for (int i = 0; i < 5; i++)
      cell_opened(members_cell(f.members, a));
    move(&f, a, 0);
    s = settle(&f);
    assert_int_equal(s.opened[0], 5 * round + 5);
    members_leave(f.members, a);
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

/* Series 4 and 4 x 4 remembered ones: port 1 is forgotten by the time it comes
 * back, and still does not fall. */
static void test_forgotten(void **state) {
  (void)state;
  struct fixture f;
  start(&f, 4, 1, DIMENSION_REMOTE_PORT);
  int64_t last = 0;
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned n = 1; n <= 60; n++) {
      struct tuple t = port(n);
      members_begin(f.members);
      uint32_t a = members_join(f.members, &t);
      move(&f, a, 0);
      struct shown s = settle(&f);
      int i = find(&s, n == 1 ? "1" : "x");
      if (n == 1) {
        assert_true(i >= 0 && s.opened[i] >= last);
        /* Not more than all together ever had. */
        assert_true(s.opened[i] <= 160 * (int64_t)round);
      }
      members_begin(f.members);
      for (int k = 0; k < (n == 1 ? 100 : 1); k++)
        cell_opened(members_cell(f.members, a));
      move(&f, a, 0);
      s = settle(&f);
      if (n == 1) {
        i = find(&s, "1");
        assert_true(s.opened[i] >= last + 100);
        last = s.opened[i];
      }
      members_leave(f.members, a);
      members_begin(f.members);
      settle(&f);
    }
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

/* The busiest get there, and stay while others are about as busy. */
static void test_busiest_and_sticky(void **state) {
  (void)state;
  struct fixture f;
  uint32_t member[PEERS];
  uint64_t bytes[PEERS];
  char name[16];
  srand(3);
  start(&f, MAX, 6, DIMENSION_REMOTE_PORT);
  for (unsigned i = 0; i < PEERS; i++) {
    struct tuple t = port(1000 + i);
    member[i] = members_join(f.members, &t);
    bytes[i] = 0;
  }
  struct shown s = traffic(&f, member, bytes);
  assert_int_equal(s.count, MAX);

  /* 20 to 27 have ten times the traffic of the others. */
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
  assert_int_equal(members_folded(f.members), PEERS - MAX);

  /* All alike, by chance up to half more or less: nobody changes. */
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

/* Many keys, joined and left: each finds its own. */
static void test_many(void **state) {
  (void)state;
  enum { MANY = 60000 };
  static uint32_t member[MANY];
  struct fixture f;
  start(&f, 5, 6, DIMENSION_LOCAL_PORT);
  for (int round = 0; round < 3; round++) {
    for (unsigned i = 0; i < MANY; i++) {
      struct tuple t = {.local_port = (uint16_t)i};
      member[i] = members_join(f.members, &t);
      assert_int_equal(members_join(f.members, &t), member[i]);
    }
    members_begin(f.members);
    settle(&f);
    assert_int_equal(members_count(f.members), MANY);
    for (unsigned i = 0; i < MANY; i++) {
      unsigned k = (i * 7919u) % MANY;
      members_leave(f.members, member[k]);
      members_leave(f.members, member[k]);
    }
    members_begin(f.members);
    settle(&f);
    assert_int_equal(members_count(f.members), 0);
  }
  stop(&f);
}

static void test_names(void **state) {
  (void)state;
  static const struct {
    const char *address, *name;
  } row[] = {{"10.0.0.1", "10.0.0.1"},
             {"2001:db8::1", "2001_db8__1"},
             {"::1", "__1"},
             {"fe80::abcd:0:1", "fe80__abcd_0_1"}};
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    struct fixture f;
    start(&f, 10, 6, DIMENSION_REMOTE_ADDRESS);
    f.settings.by[0] = DIMENSION_LOCAL_PORT;
    f.settings.by[1] = DIMENSION_REMOTE_ADDRESS;
    f.settings.by[2] = DIMENSION_REMOTE_PORT;
    f.settings.by_count = 3;
    members_free(f.members);
    f.members = members_new(&f.settings, f.report);
    struct prefix p;
    assert_true(prefix_parse(row[i].address, &p));
    struct tuple t = {
        .remote = p.address, .local_port = 443, .remote_port = 65535};
    members_begin(f.members);
    move(&f, members_join(f.members, &t), 0);
    struct shown s = settle(&f);
    char expected[128];
    snprintf(expected, sizeof(expected), "443-%s-65535", row[i].name);
    assert_string_equal(s.name[0], expected);
    stop(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new_series),
      cmocka_unit_test(test_timeout_and_return),
      cmocka_unit_test(test_forgotten),
      cmocka_unit_test(test_busiest_and_sticky),
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
