/* Tests connections, groups and followed names together: if a selection has
 * changed, a connection moves without counting as opened or closed; and random
 * histories give the same values whether or not the kernel's filter hides
 * sockets. */
#include "connection/connection.h"
#include "filter/follow.h"
#include "support/build_selector.h"
#include "support/bytecode_machine.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { INFO_SIZE = 280, INTERVAL_MS = 1000 };

/* --- the host: what its names mean ---------------------------------------- */

static uint64_t cgroup_now, device_now, ports_now; /* 0: absent */

static enum id_lookup answer(uint64_t now, uint64_t *id) {
  if (now != 0)
    *id = now;
  return now != 0 ? ID_FOUND : ID_ABSENT;
}

static enum id_lookup look_cgroup(const char *name, uint64_t *id) {
  (void)name;
  return answer(cgroup_now, id);
}

static enum id_lookup look_device(const char *name, uint64_t *id) {
  (void)name;
  return answer(device_now, id);
}

static enum id_lookup look_ports(const char *name, uint64_t *id) {
  (void)name;
  return answer(ports_now, id);
}

static const struct follow_host our_host = {
    .look = {[SELECTOR_NAME_DEVICE] = look_device,
             [SELECTOR_NAME_CGROUP] = look_cgroup,
             [SELECTOR_NAME_LOCAL_PORTS] = look_ports}};

static struct selector *named(enum selector_op op,
                              enum selector_name_kind kind) {
  struct selector *s =
      selector_new_name(op, &(struct selector_name){.kind = kind,
                                                    .option = "Filter",
                                                    .text = (char *)"n",
                                                    .target = (char *)"n"});
  assert_non_null(s);
  return s;
}

static struct selector *cgroup(void) {
  return named(SELECTOR_CGROUP, SELECTOR_NAME_CGROUP);
}

static struct selector *device(void) {
  return named(SELECTOR_INTERFACE, SELECTOR_NAME_DEVICE);
}

static struct selector *autobound(void) {
  return named(SELECTOR_LOCAL_PORT, SELECTOR_NAME_LOCAL_PORTS);
}

static struct selector *inverse(struct selector *s) {
  return selector_wrap(SELECTOR_NOT, s);
}

/* --- one group and its connections ---------------------------------------- */

struct values {
  double connections;
  int64_t opened, closed, bytes;
};

struct side {
  struct group_settings settings;
  struct name_lookup *names;
  struct group *group;
  struct listeners listeners;
  struct connections *connections;
  struct follow *follow;
  bool filtered; /* the kernel hides what its filter does not pass */
  struct bytecode filter;
  uint64_t now_ms;
  struct values total, members; /* of the last complete dump */
};

static void start(struct side *f, struct selector *selector,
                  enum dimension by) {
  static const enum metric_id id[] = {METRIC_CONNECTIONS, METRIC_OPENED,
                                      METRIC_CLOSED, METRIC_BYTES_SENT};
  memset(f, 0, sizeof(*f));
  f->settings = (struct group_settings){.name = (char *)"g",
                                        .selector = selector,
                                        .by = {by},
                                        .by_count = by != DIMENSION_COUNT,
                                        .max_members = 100,
                                        .member_timeout = 10};
  for (size_t i = 0; i < sizeof(id) / sizeof(id[0]); i++)
    assert_int_equal(metric_list_add(&f->settings.metrics, id[i], NULL), 0);
  f->names = name_lookup_new();
  f->group = group_new(&f->settings, f->names);
  f->follow = follow_new(&our_host);
  assert_non_null(f->group);
  assert_non_null(f->follow);
  assert_int_equal(follow_add(f->follow, selector), 0);
  const struct connections_options options = {
      .group = &f->group,
      .group_count = 1,
      .states = TCP_STATES_TRAFFIC | TCP_STATES_REST,
      .attributes = group_attrs(f->group),
      .selections_change = follow_any(f->follow),
      .info = true,
      .interval_ms = INTERVAL_MS,
      .listeners = &f->listeners,
  };
  f->connections = connections_new(&options);
  assert_non_null(f->connections);
  connections_receive_events(f->connections, true);
  f->now_ms = 1000000;
}

static void stop(struct side *f) {
  follow_free(f->follow);
  connections_free(f->connections);
  group_free(f->group);
  name_lookup_free(f->names);
  selector_free(f->settings.selector);
  metric_list_clear(&f->settings.metrics);
  bytecode_free(&f->filter);
}

static void on_value(const struct accumulator_value *v, void *data) {
  struct values *values = data;
  if (strcmp(v->instance, "connections") == 0)
    values->connections += v->gauge;
  else if (strcmp(v->instance, "opened") == 0)
    values->opened += v->counter;
  else if (strcmp(v->instance, "closed") == 0)
    values->closed += v->counter;
  else
    values->bytes += v->counter;
}

static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  struct side *f = data;
  accumulator_emit(accumulator, INFO_SIZE,
                   chosen ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL, on_value,
                   member == NULL ? &f->total : &f->members);
}

static void dump_begin(struct side *f) {
  if (follow_read(f->follow))
    connections_select_again(f->connections);
  f->now_ms += INTERVAL_MS;
  group_begin(f->group);
  connections_begin(f->connections, f->now_ms);
  bytecode_free(&f->filter);
  if (f->filtered)
    assert_int_equal(
        bytecode_compile(f->settings.selector, BYTECODE_CGROUP, &f->filter), 0);
}

static void dump_end(struct side *f, bool complete) {
  if (!complete) {
    connections_failed(f->connections);
    return;
  }
  connections_complete(f->connections, f->now_ms + 1);
  follow_settle(f->follow);
  group_settle(f->group);
  f->total = f->members = (struct values){0};
  group_each(f->group, on_series, f);
  group_commit(f->group);
}

static bool is_shown(const struct side *f, const struct sample *s) {
  const struct socket t = {
      .family = AF_INET, .attrs = s->attrs, .mini = !s->full};
  return machine_passes(&f->filter, &t);
}

static void show(struct side *f, const struct sample *s) {
  if (is_shown(f, s))
    assert_int_equal(connections_socket(f->connections, s), 0);
}

/* --- sockets -------------------------------------------------------------- */

struct life {
  struct sample sample;
  uint8_t info[INFO_SIZE];
  uint64_t bytes;
};

/* Fills in the counters. Returns the sample. */
static const struct sample *sample_of(struct life *l) {
  memset(l->info, 0, sizeof(l->info));
  info_put(l->info, FIELD_BYTES_SENT, l->bytes);
  info_put(l->info, FIELD_BYTES_ACKED, l->bytes);
  info_put(l->info, FIELD_SEGS_IN, 10);
  info_put(l->info, FIELD_SND_WND, 10);
  info_put(l->info, FIELD_LAST_ACK_RECV, 1);
  l->sample.block[BLOCK_INFO] = l->sample.full
                                    ? (struct block){l->info, sizeof(l->info)}
                                    : (struct block){NULL, 0};
  return &l->sample;
}

static struct life life_of(uint64_t cookie, uint64_t cgroup_id) {
  return (struct life){
      .sample = {.cookie = cookie,
                 .state = TCP_STATE_ESTABLISHED,
                 .full = true,
                 .held = true,
                 .attrs = {.local = build_prefix("10.0.0.1").address,
                           .remote = build_prefix("10.0.0.2").address,
                           .local_port = 40000,
                           .remote_port = 443,
                           .uid = 1000,
                           .cgroup = cgroup_id}},
      .bytes = 1000};
}

/* A read with this one socket, or with none; which has sent 100 bytes more. */
static void read_one(struct side *f, struct life *l, bool complete) {
  dump_begin(f);
  if (l != NULL) {
    l->bytes += 100;
    show(f, sample_of(l));
  }
  dump_end(f, complete);
}

static void values_are(const struct side *f, double connections, int64_t opened,
                       int64_t closed, int64_t bytes) {
  const struct values *v = &f->total;
  if (v->connections != connections || v->opened != opened ||
      v->closed != closed || v->bytes != bytes)
    fail_msg("%g connections, %d opened, %d closed, %d bytes", v->connections,
             (int)v->opened, (int)v->closed, (int)v->bytes);
}

/* --- tests ---------------------------------------------------------------- */

static void host_forgets(void) { cgroup_now = device_now = ports_now = 0; }

/* Three kinds of conditions: of an attribute that changes, of one that does
 * not, so that nothing else makes a connection move, and inverted. */
static void connection_moves_with_a_selection_and_is_not_counted(void **state) {
  (void)state;
  for (int kind = 0; kind < 3; kind++)
    for (int negated = 0; negated < 2; negated++) {
      struct side f;
      struct life l = life_of(7, 100);
      uint64_t *now =
          (uint64_t *[]){&cgroup_now, &device_now, &ports_now}[kind];
      const uint64_t there[] = {100, 5, UINT64_C(40000) << 16 | 40001};
      const uint64_t elsewhere[] = {200, 6, UINT64_C(50000) << 16 | 50001};
      struct selector *s = kind == 0   ? cgroup()
                           : kind == 1 ? device()
                                       : autobound();
      l.sample.attrs.interface = 5;
      host_forgets();
      start(&f, negated ? inverse(s) : s, DIMENSION_COUNT);
      read_one(&f, NULL, true);
      read_one(&f, &l, true);
      values_are(&f, negated, negated, 0, negated ? 1100 : 0);
      *now = there[kind];
      read_one(&f, &l, true);
      values_are(&f, !negated, negated, 0, negated ? 1100 : 100);
      *now = elsewhere[kind];
      read_one(&f, &l, true);
      values_are(&f, negated, negated, 0, negated ? 1200 : 100);
      *now = there[kind];
      read_one(&f, &l, true);
      *now = elsewhere[kind];
      for (int reads = 0; reads < 5; reads++)
        read_one(&f, negated ? &l : NULL, true);
      values_are(&f, negated, negated, !negated, negated ? 1700 : 200);
      stop(&f);
    }
}

/* The change comes with a failed dump, which shows the socket or not. */
static void failed_dump_does_not_lose_a_change(void **state) {
  (void)state;
  for (int held = 0; held < 2; held++)
    for (int shown = 0; shown < 2; shown++) {
      struct side f;
      struct life l = life_of(7, 100);
      host_forgets();
      cgroup_now = 100;
      start(&f, cgroup(), DIMENSION_COUNT);
      read_one(&f, &l, true);
      l.sample.held = held;
      cgroup_now = 200;
      read_one(&f, shown ? &l : NULL, false);
      read_one(&f, &l, true);
      assert_true(f.total.connections == 0);
      assert_int_equal(f.total.closed, 0);
      stop(&f);
    }
}

/* The service has ended, its last sockets still send: they are those of the
 * former cgroup, as ss says. Those of no known cgroup stay where they were. */
static void orphans_move_and_mini_sockets_stay(void **state) {
  (void)state;
  for (int full = 0; full < 2; full++)
    for (int by = 0; by < 2; by++) {
      struct side f;
      struct life l = life_of(7, 100);
      host_forgets();
      cgroup_now = 100;
      start(&f, cgroup(), by ? DIMENSION_UID : DIMENSION_COUNT);
      read_one(&f, NULL, true);
      read_one(&f, &l, true);
      l.sample.held = false;
      l.sample.full = full;
      l.sample.attrs.uid = 0;
      l.sample.state = full ? TCP_STATE_FIN_WAIT1 : TCP_STATE_FIN_WAIT2;
      if (!full)
        l.sample.attrs.cgroup = 0;
      cgroup_now = 0; /* removed, and not yet made anew */
      read_one(&f, &l, true);
      assert_true(f.total.connections == 1);
      cgroup_now = 200;
      for (int reads = 0; reads < 3; reads++) {
        read_one(&f, &l, true);
        assert_true(f.total.connections == !full);
        assert_int_equal(f.total.closed, 0);
      }
      if (full) { /* and back, as with a path that is mounted elsewhere */
        cgroup_now = 100;
        read_one(&f, &l, true);
        assert_true(f.total.connections == 1);
        assert_int_equal(f.total.opened, 1);
      }
      if (by)
        assert_true(f.members.connections == f.total.connections);
      stop(&f);
    }
}

/* A short connection that only its close event shows: the device has its name
 * of now. */
static void unseen_connection_is_judged_by_the_present_name(void **state) {
  (void)state;
  for (int named_so = 0; named_so < 2; named_so++) {
    struct side f;
    struct life l = life_of(7, 0);
    host_forgets();
    device_now = 9;
    start(&f, device(), DIMENSION_COUNT);
    read_one(&f, NULL, true);
    device_now = named_so ? 5 : 0;
    l.sample.attrs.interface = 5;
    dump_begin(&f);
    dump_end(&f, false);
    connections_destroyed(f.connections, sample_of(&l), f.now_ms + 900);
    read_one(&f, NULL, true);
    values_are(&f, 0, named_so, named_so, named_so ? 1000 : 0);
    stop(&f);
  }
}

/* --- random histories ----------------------------------------------------- */

enum { LIVES = 24, STEPS = 60, HISTORIES = 400 };

struct history {
  struct life life[LIVES]; /* cookie 0: none */
  uint64_t cookie, cgroup;
};

static bool one_in(int n) { return random() % n == 0; }

/* Ids of cgroups never come back. */
static void host_changes(struct history *h) {
  if (one_in(6))
    cgroup_now = one_in(3) ? 0 : ++h->cgroup;
  if (one_in(6))
    device_now = (uint64_t)random() % 3;
  if (one_in(10))
    ports_now = (40000 + (uint64_t)random() % 4) << 16 | 40004;
}

static void life_begins(struct history *h, struct life *l) {
  *l = life_of(++h->cookie, one_in(2) ? 1 : h->cgroup);
  l->sample.attrs.local_port = (uint16_t)(40000 + random() % 6);
  l->sample.attrs.remote_port = one_in(2) ? 443 : 22;
  l->sample.attrs.interface = (uint32_t)random() % 3;
  l->bytes = (uint64_t)random() % 100000;
}

static void life_goes_on(struct life *l) {
  l->bytes += (uint64_t)random() % 1000;
  if (!one_in(8))
    return;
  if (l->sample.held) {
    l->sample.held = false;
    l->sample.state = TCP_STATE_FIN_WAIT1;
    l->sample.attrs.uid = 0;
  } else {
    l->sample.full = false;
    l->sample.state = TCP_STATE_FIN_WAIT2;
    l->sample.attrs.cgroup = 0;
  }
}

/* The event has its last counters and no cgroup, user and mark. */
static void life_ends(struct life *l, struct side *side, size_t sides) {
  struct life last = *l;
  last.sample.full = true;
  last.sample.state = TCP_STATE_CLOSE;
  last.sample.attrs.cgroup = 0;
  last.sample.attrs.uid = 0;
  for (size_t i = 0; i < sides; i++)
    connections_destroyed(side[i].connections, sample_of(&last),
                          side[i].now_ms + 900);
  l->sample.cookie = 0;
}

static void lives_change(struct history *h, struct side *side, size_t sides) {
  for (size_t i = 0; i < LIVES; i++) {
    struct life *l = &h->life[i];
    if (l->sample.cookie == 0 && one_in(3))
      life_begins(h, l);
    else if (l->sample.cookie != 0 && one_in(8))
      life_ends(l, side, sides);
    else if (l->sample.cookie != 0)
      life_goes_on(l);
  }
}

/* Random conditions around one or two names. */
static struct selector *random_tree(int depth) {
  if (depth == 0 || one_in(4))
    switch (random() % 5) {
    case 0:
      return device();
    case 1:
      return autobound();
    case 2:
      return build_ports(SELECTOR_REMOTE_PORT, 1, 443, 443);
    default:
      return cgroup();
    }
  if (one_in(3))
    return inverse(random_tree(depth - 1));
  struct selector *left = random_tree(depth - 1);
  return build_tree(one_in(2) ? SELECTOR_AND : SELECTOR_OR, 2, left,
                    random_tree(depth - 1));
}

static void sides_agree(const struct side side[2], int history, int step) {
  const struct values *a = &side[0].total, *b = &side[1].total;
  if (a->connections != b->connections || a->opened != b->opened ||
      a->closed != b->closed || a->bytes != b->bytes)
    fail_msg("history %d, step %d: %g and %g connections, %d and %d opened, "
             "%d and %d closed, %lld and %lld bytes",
             history, step, a->connections, b->connections, (int)a->opened,
             (int)b->opened, (int)a->closed, (int)b->closed,
             (long long)a->bytes, (long long)b->bytes);
  for (int i = 0; i < 2; i++) /* series that end take their counters along */
    if (side[i].settings.by_count > 0)
      assert_true(side[i].members.connections == side[i].total.connections);
}

/* Full sockets that match now, as ss would list them. */
static double listed(const struct history *h, const struct selector *s) {
  double count = 0;
  for (size_t i = 0; i < LIVES; i++)
    count += h->life[i].sample.cookie != 0 && h->life[i].sample.full &&
             selector_match(s, &h->life[i].sample.attrs);
  return count;
}

static double minis(const struct history *h) {
  double count = 0;
  for (size_t i = 0; i < LIVES; i++)
    count += h->life[i].sample.cookie != 0 && !h->life[i].sample.full;
  return count;
}

static void
values_are_the_same_with_and_without_the_kernels_filter(void **state) {
  (void)state;
  size_t hidden = 0, moved = 0;
  for (int i = 0; i < HISTORIES; i++) {
    struct history h = {.cookie = 0, .cgroup = 1};
    struct side side[2];
    host_forgets();
    srandom((unsigned)i);
    for (int k = 0; k < 2; k++) {
      srandom((unsigned)i); /* the same tree */
      struct selector *s = random_tree(3);
      start(&side[k], s,
            i % 3 == 0   ? DIMENSION_INTERFACE
            : i % 3 == 1 ? DIMENSION_CGROUP
                         : DIMENSION_COUNT);
      side[k].filtered = k;
    }
    for (int step = 0; step < STEPS; step++) {
      double before = listed(&h, side[0].settings.selector);
      host_changes(&h);
      bool complete = step == 0 || !one_in(4), whole = complete || one_in(2);
      dump_begin(&side[0]);
      dump_begin(&side[1]);
      moved += listed(&h, side[0].settings.selector) != before;
      for (size_t k = 0; k < LIVES; k++) {
        struct life *l = &h.life[k];
        if (l->sample.cookie == 0 || (!whole && one_in(2)))
          continue;
        show(&side[0], sample_of(l));
        show(&side[1], sample_of(l));
        hidden += !is_shown(&side[1], &l->sample);
      }
      dump_end(&side[0], complete);
      dump_end(&side[1], complete);
      sides_agree(side, i, step);
      if (complete) {
        double full = listed(&h, side[0].settings.selector);
        assert_true(side[0].total.connections >= full);
        assert_true(side[0].total.connections <= full + minis(&h));
      }
      lives_change(&h, side, 2);
    }
    stop(&side[0]);
    stop(&side[1]);
  }
  print_message("%zu times hidden, %zu reads with other matches\n", hidden,
                moved);
  assert_true(hidden > 10000 && moved > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(connection_moves_with_a_selection_and_is_not_counted),
      cmocka_unit_test(failed_dump_does_not_lose_a_change),
      cmocka_unit_test(orphans_move_and_mini_sockets_stay),
      cmocka_unit_test(unseen_connection_is_judged_by_the_present_name),
      cmocka_unit_test(values_are_the_same_with_and_without_the_kernels_filter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
