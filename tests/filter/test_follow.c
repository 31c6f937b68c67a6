/* Tests filter/follow.c with a host of this test's own: what a name means at
 * each read; and, for random selectors, that they match as selectors made of
 * the present ids, and that the kernel's filter hides nothing that matters. */
#include "filter/follow.h"
#include "support/build_selector.h"
#include "support/random_selector.h"
#include "support/selector_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the host ------------------------------------------------------------- */

enum { NAMES = 3 };

/* What each name has now, by kind. */
static struct thing {
  enum id_lookup answer;
  uint64_t id;
  unsigned calls;
} host[SELECTOR_NAME_KIND_COUNT][NAMES];

static const char *const name_text[NAMES] = {"a", "b", "c"};

static enum id_lookup answer(enum selector_name_kind kind, const char *name,
                             uint64_t *id) {
  struct thing *t = &host[kind][name[0] - 'a'];
  t->calls++;
  if (t->answer == ID_FOUND)
    *id = t->id;
  return t->answer;
}

static enum id_lookup look_device(const char *name, uint64_t *id) {
  return answer(SELECTOR_NAME_DEVICE, name, id);
}

static enum id_lookup look_cgroup(const char *name, uint64_t *id) {
  return answer(SELECTOR_NAME_CGROUP, name, id);
}

static enum id_lookup look_local_ports(const char *name, uint64_t *id) {
  return answer(SELECTOR_NAME_LOCAL_PORTS, name, id);
}

/* Called by a thread: does not change with the host. */
static enum id_lookup look_service(const char *name, uint64_t *id) {
  *id = strcmp(name, "a") == 0 ? 443 : 65535;
  return strcmp(name, "c") == 0 ? ID_ABSENT : ID_FOUND;
}

static const struct follow_host our_host = {
    .look = {[SELECTOR_NAME_DEVICE] = look_device,
             [SELECTOR_NAME_CGROUP] = look_cgroup,
             [SELECTOR_NAME_LOCAL_PORTS] = look_local_ports,
             [SELECTOR_NAME_SERVICE] = look_service},
    .retry_ms = 1,
};

static void set(enum selector_name_kind kind, size_t name, enum id_lookup what,
                uint64_t id) {
  host[kind][name] = (struct thing){.answer = what, .id = id};
}

static struct selector *named_range(enum selector_op op,
                                    enum selector_name_kind kind, size_t name,
                                    int low, int high) {
  struct selector *s = selector_new_name(
      op, &(struct selector_name){.kind = kind,
                                  .option = "Filter",
                                  .text = (char *)"as written",
                                  .target = (char *)name_text[name],
                                  .low = low,
                                  .high = high});
  assert_non_null(s);
  return s;
}

static struct selector *named(enum selector_op op, enum selector_name_kind kind,
                              size_t name) {
  return named_range(op, kind, name, 0, 0);
}

static struct selector *cgroup(size_t name) {
  return named(SELECTOR_CGROUP, SELECTOR_NAME_CGROUP, name);
}

static struct selector *device(size_t name) {
  return named(SELECTOR_INTERFACE, SELECTOR_NAME_DEVICE, name);
}

static struct follow *follow(struct selector *s) {
  struct follow *f = follow_new(&our_host);
  assert_non_null(f);
  assert_int_equal(follow_add(f, s), 0);
  return f;
}

/* Reads; checks if the lists changed, and what they are then. */
static void read_gives(struct follow *f, const struct selector *s, bool changed,
                       const char *expected) {
  char text[1024];
  assert_int_equal(follow_read(f), changed);
  assert_string_equal(selector_text(s, text, sizeof(text)), expected);
}

static void end(struct follow *f, struct selector *s) {
  follow_free(f);
  selector_free(s);
}

/* --- what a name means ---------------------------------------------------- */

static void
cgroup_made_anew_has_its_new_id_and_the_last_one_until_then(void **state) {
  (void)state;
  struct selector *s = cgroup(0);
  struct follow *f = follow(s);
  set(SELECTOR_NAME_CGROUP, 0, ID_ABSENT, 0);
  read_gives(f, s, false, "(cgroup =a)");
  set(SELECTOR_NAME_CGROUP, 0, ID_FOUND, 100);
  read_gives(f, s, true, "(cgroup =a 100)");
  read_gives(f, s, false, "(cgroup =a 100)");
  set(SELECTOR_NAME_CGROUP, 0, ID_ABSENT, 0);
  read_gives(f, s, false, "(cgroup =a 100)");
  set(SELECTOR_NAME_CGROUP, 0, ID_FAILED, 0);
  read_gives(f, s, false, "(cgroup =a 100)");
  set(SELECTOR_NAME_CGROUP, 0, ID_FOUND, 200);
  read_gives(f, s, true, "(cgroup =a 200)");
  set(SELECTOR_NAME_CGROUP, 0, ID_FOUND, 300);
  read_gives(f, s, true, "(cgroup =a 300)");
  end(f, s);
}

static void device_condition_matches_what_has_the_name_now(void **state) {
  (void)state;
  struct selector *s = build_tree(SELECTOR_OR, 2, device(0), device(1));
  struct follow *f = follow(s);
  set(SELECTOR_NAME_DEVICE, 0, ID_FOUND, 2);
  set(SELECTOR_NAME_DEVICE, 1, ID_ABSENT, 0);
  read_gives(f, s, true, "(or (interface =a 2) (interface =b))");
  set(SELECTOR_NAME_DEVICE, 0, ID_ABSENT, 0); /* renamed to b */
  set(SELECTOR_NAME_DEVICE, 1, ID_FOUND, 2);
  read_gives(f, s, true, "(or (interface =a) (interface =b 2))");
  set(SELECTOR_NAME_DEVICE, 0, ID_FAILED, 0);
  set(SELECTOR_NAME_DEVICE, 1, ID_FAILED, 0);
  read_gives(f, s, false, "(or (interface =a) (interface =b 2))");
  set(SELECTOR_NAME_DEVICE, 1, ID_FOUND, 7); /* removed and added */
  read_gives(f, s, true, "(or (interface =a) (interface =b 7))");
  set(SELECTOR_NAME_DEVICE, 1, ID_ABSENT, 0);
  read_gives(f, s, true, "(or (interface =a) (interface =b))");
  read_gives(f, s, false, "(or (interface =a) (interface =b))");
  end(f, s);
}

static void range_of_local_ports_is_the_present_one(void **state) {
  (void)state;
  struct selector *s = named(SELECTOR_LOCAL_PORT, SELECTOR_NAME_LOCAL_PORTS, 0);
  struct follow *f = follow(s);
  set(SELECTOR_NAME_LOCAL_PORTS, 0, ID_FAILED, 0);
  read_gives(f, s, false, "(LocalPort =a)");
  set(SELECTOR_NAME_LOCAL_PORTS, 0, ID_FOUND, UINT64_C(32768) << 16 | 60999);
  read_gives(f, s, true, "(LocalPort =a 32768-60999)");
  set(SELECTOR_NAME_LOCAL_PORTS, 0, ID_FOUND, 1024 << 16 | 60999);
  read_gives(f, s, true, "(LocalPort =a 1024-60999)");
  read_gives(f, s, false, "(LocalPort =a 1024-60999)");
  set(SELECTOR_NAME_LOCAL_PORTS, 0, ID_FAILED, 0);
  read_gives(f, s, false, "(LocalPort =a 1024-60999)");
  end(f, s);
}

/* A service that the start could not look up; c is never found. */
static void service_is_taken_over_when_it_is_found(void **state) {
  (void)state;
  static const struct {
    size_t name;
    int low, high;
    const char *expected;
  } rows[] = {{0, 0, 0, "(RemotePort =a 443)"},
              {0, 0, 65535, "(RemotePort =a 443-65535)"},
              {0, -65535, 0, "(RemotePort =a 0-443)"},
              {0, 1, 65535, "(RemotePort =a 444-65535)"},
              {0, -65535, -1, "(RemotePort =a 0-442)"},
              {1, 0, 65535, "(RemotePort =b 65535)"},
              {1, -65535, 0, "(RemotePort =b 0-65535)"}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct selector *s =
        build_tree(SELECTOR_OR, 2,
                   named_range(SELECTOR_REMOTE_PORT, SELECTOR_NAME_SERVICE,
                               rows[i].name, rows[i].low, rows[i].high),
                   named(SELECTOR_LOCAL_PORT, SELECTOR_NAME_SERVICE, 2));
    struct follow *f = follow(s);
    char text[256], expected[256];
    while (!follow_read(f)) /* ctest ends what takes too long */
      usleep(1000);
    snprintf(expected, sizeof(expected), "(or %s (LocalPort =c))",
             rows[i].expected);
    assert_string_equal(selector_text(s, text, sizeof(text)), expected);
    assert_false(follow_read(f));
    end(f, s);
  }
}

static void each_distinct_name_is_looked_up_once_a_read(void **state) {
  (void)state;
  struct selector *s =
      build_tree(SELECTOR_OR, 5, cgroup(0),
                 build_tree(SELECTOR_NOT, 1,
                            build_tree(SELECTOR_AND, 2, cgroup(0), device(0))),
                 device(0), cgroup(1), build_values(SELECTOR_CGROUP, 1, 5u));
  struct selector *other = cgroup(0);
  struct follow *f = follow(s);
  assert_int_equal(follow_add(f, other), 0);
  assert_true(follow_any(f));
  set(SELECTOR_NAME_CGROUP, 0, ID_FOUND, 1);
  set(SELECTOR_NAME_CGROUP, 1, ID_FOUND, 2);
  set(SELECTOR_NAME_DEVICE, 0, ID_FOUND, 3);
  for (unsigned reads = 1; reads <= 3; reads++) {
    assert_int_equal(follow_read(f), reads == 1);
    assert_int_equal(host[SELECTOR_NAME_CGROUP][0].calls, reads);
    assert_int_equal(host[SELECTOR_NAME_CGROUP][1].calls, reads);
    assert_int_equal(host[SELECTOR_NAME_DEVICE][0].calls, reads);
  }
  char text[256];
  assert_string_equal(selector_text(s, text, sizeof(text)),
                      "(or (cgroup =a 1) (not (and (cgroup =a 1) (interface "
                      "=a 3))) (interface =a 3) (cgroup =b 2) (cgroup 5))");
  assert_string_equal(selector_text(other, text, sizeof(text)),
                      "(cgroup =a 1)");
  selector_free(other);
  end(f, s);

  s = build_values(SELECTOR_CGROUP, 1, 5u);
  f = follow(s);
  assert_false(follow_any(f));
  assert_false(follow_read(f));
  end(f, s);
}

/* Also for an event, which does not have the cgroup. */
static void name_that_nothing_has_matches_nothing_and_not_it_all(void **state) {
  (void)state;
  struct selector *s = cgroup(0);
  struct follow *f = follow(s);
  struct selector *negated = build_tree(SELECTOR_NOT, 1, cgroup(0));
  assert_int_equal(follow_add(f, negated), 0);
  struct socket_attrs full = {.cgroup = 100},
                      event = {.unknown = ATTR_BIT(ATTR_CGROUP)};
  set(SELECTOR_NAME_CGROUP, 0, ID_ABSENT, 0);
  follow_read(f);
  assert_false(selector_match(s, &full) || selector_match(s, &event));
  assert_true(selector_match(negated, &full) &&
              selector_match(negated, &event));
  set(SELECTOR_NAME_CGROUP, 0, ID_FOUND, 100);
  follow_read(f);
  assert_true(selector_match(s, &full) && !selector_match(s, &event));
  assert_false(selector_match(negated, &full) ||
               selector_match(negated, &event));
  selector_free(negated);
  end(f, s);
}

/* --- the kernel's filter -------------------------------------------------- */

static bool kernel_passes(const struct selector *s, uint64_t id) {
  struct bytecode b;
  const struct socket t = {.attrs = {.cgroup = id}};
  assert_int_equal(bytecode_compile(s, BYTECODE_ALL, &b), 0);
  if (b.size > 0)
    machine_audit(&b);
  bool pass = machine_passes(&b, &t);
  bytecode_free(&b);
  return pass;
}

static void
kernel_passes_former_cgroups_until_a_dump_is_complete(void **state) {
  (void)state;
  struct selector *s = cgroup(0);
  struct follow *f = follow(s);
  set(SELECTOR_NAME_CGROUP, 0, ID_ABSENT, 0);
  follow_read(f);
  assert_false(kernel_passes(s, 1));
  for (uint64_t id = 1; id <= 3; id++) { /* no dump succeeds between these */
    set(SELECTOR_NAME_CGROUP, 0, ID_FOUND, id);
    assert_true(follow_read(f));
    for (uint64_t other = 1; other <= 4; other++)
      assert_int_equal(kernel_passes(s, other), other <= id);
    const struct socket_attrs t = {.cgroup = id - 1};
    assert_false(selector_match(s, &t)); /* for the kernel alone */
  }
  assert_true(follow_settle(f));
  for (uint64_t other = 1; other <= 4; other++)
    assert_int_equal(kernel_passes(s, other), other == 3);
  assert_false(follow_settle(f));
  assert_false(follow_read(f));
  end(f, s);
}

/* A selector so long that of all its ports one range is left. */
static void kernel_passes_the_ports_of_a_range_that_changes(void **state) {
  (void)state;
  struct selector *many = selector_new(SELECTOR_OR);
  for (int i = 0; i < 100; i++)
    assert_int_equal(
        selector_add_child(
            many, build_tree(SELECTOR_AND, 2,
                             build_ports(SELECTOR_LOCAL_PORT, 1, 1000 + 2 * i,
                                         1000 + 2 * i),
                             build_ports(SELECTOR_REMOTE_PORT, 1, i, i))),
        0);
  struct selector *s = build_tree(
      SELECTOR_AND, 2, named(SELECTOR_LOCAL_PORT, SELECTOR_NAME_LOCAL_PORTS, 0),
      many);
  struct follow *f = follow(s);
  set(SELECTOR_NAME_LOCAL_PORTS, 0, ID_FOUND, UINT64_C(1000) << 16 | 1010);
  follow_read(f);
  struct bytecode b;
  assert_int_equal(bytecode_compile(s, BYTECODE_ALL, &b), 0);
  assert_in_range(machine_audit(&b), 1, 8); /* it is so coarse */
  struct socket t = {.attrs = {.local_port = 1100, .remote_port = 50}};
  assert_false(selector_match(s, &t.attrs));
  assert_true(machine_passes(&b, &t));
  bytecode_free(&b);
  end(f, s);
}

/* --- random selectors ----------------------------------------------------- */

/* What each name means; found by this test, not by follow_read(). */
struct meaning {
  bool known;
  uint64_t id;
};
typedef struct meaning meanings[SELECTOR_NAME_KIND_COUNT][NAMES];

static size_t random_name(void) { return (size_t)random() % NAMES; }

/* Makes some conditions of the tree follow a name. */
static void name_some(struct selector *s) {
  for (size_t i = 0; s->child != NULL && i < s->count; i++)
    name_some(s->child[i]);
  struct selector *n = NULL;
  if (s->op == SELECTOR_CGROUP && random() % 8)
    n = cgroup(random_name());
  else if (s->op == SELECTOR_INTERFACE && random() % 4)
    n = device(random_name());
  else if (s->op == SELECTOR_LOCAL_PORT && random() % 2)
    n = named(s->op, SELECTOR_NAME_LOCAL_PORTS, random_name());
  if (n == NULL)
    return;
  struct selector old = *s;
  *s = *n;
  *n = old;
  selector_free(n);
}

/* The same tree made of what names mean, without names. */
static struct selector *fresh(const struct selector *s, meanings m) {
  struct selector *copy = selector_new(s->op);
  if (s->name != NULL) {
    const struct meaning *is = &m[s->name->kind][s->name->target[0] - 'a'];
    struct port_range ports = {(uint16_t)(is->id >> 16), (uint16_t)is->id};
    if (is->known && selector_table[s->op].list == SELECTOR_PORTS)
      assert_int_equal(selector_add_port(copy, ports), 0);
    else if (is->known)
      assert_int_equal(
          selector_add_value(copy, (struct selector_value){is->id, UINT64_MAX}),
          0);
    return copy;
  }
  for (size_t i = 0; i < s->count; i++)
    switch (selector_table[s->op].list) {
    case SELECTOR_CHILDREN:
      assert_int_equal(selector_add_child(copy, fresh(s->child[i], m)), 0);
      break;
    case SELECTOR_PORTS:
      assert_int_equal(selector_add_port(copy, s->port[i]), 0);
      break;
    case SELECTOR_PREFIXES:
      assert_int_equal(selector_add_prefix(copy, s->prefix[i]), 0);
      break;
    case SELECTOR_VALUES:
      assert_int_equal(selector_add_value(copy, s->value[i]), 0);
      break;
    case SELECTOR_NO_LIST:
      break;
    }
  return copy;
}

static uint64_t random_id(enum selector_name_kind kind) {
  if (kind == SELECTOR_NAME_LOCAL_PORTS) {
    uint64_t low = random_socket().attrs.local_port;
    return low << 16 | (low + (uint64_t)random() % (65536 - low));
  }
  return kind == SELECTOR_NAME_DEVICE ? random_socket().attrs.interface
                                      : random_socket().attrs.cgroup;
}

/* Things come, go and change; and what their names mean then. */
static void host_changes(meanings m) {
  for (int kind = 0; kind < SELECTOR_NAME_SERVICE; kind++)
    for (size_t i = 0; i < NAMES; i++) {
      enum id_lookup what = (enum id_lookup)(random() % 3);
      if (random() % 3)
        continue;
      set((enum selector_name_kind)kind, i, what,
          random_id((enum selector_name_kind)kind));
      struct meaning *is = &m[kind][i];
      if (what == ID_FOUND)
        *is = (struct meaning){true, host[kind][i].id};
      else if (what == ID_ABSENT && kind != SELECTOR_NAME_CGROUP)
        is->known = false;
    }
}

struct checked {
  unsigned matched, passed, rejected, entered, left;
};

/* `later`: the selector of other devices and ports, `before`: that of the last
 * complete dump. */
static void check_socket(const struct selector *s, const struct bytecode *b,
                         const struct selector *now,
                         const struct selector *later,
                         const struct selector *before, struct checked *sum) {
  struct socket t = random_socket();
  bool match = selector_match(now, &t.attrs), pass = machine_passes(b, &t);
  assert_int_equal(selector_match(s, &t.attrs), match);
  if (!pass && (match || selector_match(later, &t.attrs) ||
                selector_match(before, &t.attrs)))
    fail_msg("hidden: matches now %d, later %d, before %d", match,
             selector_match(later, &t.attrs), selector_match(before, &t.attrs));
  sum->matched += match;
  *(pass ? &sum->passed : &sum->rejected) += 1;
  sum->entered += match && !selector_match(before, &t.attrs);
  sum->left += !match && selector_match(before, &t.attrs);
  t.attrs.unknown = (uint32_t)random() & ((1 << ATTR_COUNT) - 1);
  assert_int_equal(selector_match(s, &t.attrs), selector_match(now, &t.attrs));
}

/* One selector over some reads, of which some are complete. */
static void check_selector(struct selector *s, unsigned features,
                           struct checked *sum) {
  meanings m = {{{false, 0}}}, other;
  struct follow *f = follow(s);
  struct selector *before = fresh(s, m);
  memset(host, 0, sizeof(host));
  for (int kind = 0; kind < SELECTOR_NAME_KIND_COUNT; kind++)
    for (size_t i = 0; i < NAMES; i++)
      set((enum selector_name_kind)kind, i, ID_ABSENT, 0);
  for (int read = 0; read < 8; read++) {
    struct bytecode b;
    host_changes(m);
    follow_read(f);
    assert_false(follow_read(f));
    memcpy(other, m, sizeof(other));
    for (size_t i = 0; i < NAMES; i++) {
      other[SELECTOR_NAME_DEVICE][i] =
          (struct meaning){random() % 2, random_id(SELECTOR_NAME_DEVICE)};
      other[SELECTOR_NAME_LOCAL_PORTS][i] =
          (struct meaning){random() % 2, random_id(SELECTOR_NAME_LOCAL_PORTS)};
    }
    struct selector *now = fresh(s, m), *later = fresh(s, other);
    assert_int_equal(bytecode_compile(s, features, &b), 0);
    if (b.size > 0)
      machine_audit(&b);
    for (int i = 0; i < 16; i++)
      check_socket(s, &b, now, later, before, sum);
    bytecode_free(&b);
    selector_free(later);
    if (random() % 3 == 0) {
      selector_free(now);
      continue; /* the dump has failed */
    }
    follow_settle(f);
    selector_free(before);
    before = now;
  }
  selector_free(before);
  follow_free(f);
}

static void
random_selectors_match_as_made_anew_and_the_kernel_hides_nothing(void **state) {
  (void)state;
  struct checked sum = {0};
  srandom(5);
  for (int i = 0; i < 20000; i++) {
    struct random r = {.budget = i % 3 ? BYTECODE_COST_MAX : 2000,
                       .features = random() % (BYTECODE_ALL + 1)};
    struct selector *s = random_selector(4, &r);
    name_some(s);
    check_selector(s, r.features, &sum);
    selector_free(s);
  }
  print_message("%u matched, %u passed, %u rejected, %u entered, %u left\n",
                sum.matched, sum.passed, sum.rejected, sum.entered, sum.left);
  assert_true(sum.matched > 50000 && sum.rejected > 50000);
  assert_true(sum.entered > 10000 && sum.left > 5000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          cgroup_made_anew_has_its_new_id_and_the_last_one_until_then),
      cmocka_unit_test(device_condition_matches_what_has_the_name_now),
      cmocka_unit_test(range_of_local_ports_is_the_present_one),
      cmocka_unit_test(service_is_taken_over_when_it_is_found),
      cmocka_unit_test(each_distinct_name_is_looked_up_once_a_read),
      cmocka_unit_test(name_that_nothing_has_matches_nothing_and_not_it_all),
      cmocka_unit_test(kernel_passes_former_cgroups_until_a_dump_is_complete),
      cmocka_unit_test(kernel_passes_the_ports_of_a_range_that_changes),
      cmocka_unit_test(
          random_selectors_match_as_made_anew_and_the_kernel_hides_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
