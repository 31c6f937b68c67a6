/* selector_match() of what is not fully known: it may only say yes where it
 * would whatever the unknown is. */
#include "support/build_selector.h"
#include "support/random_selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
  ALL_TRAITS = ATTR_INTERFACE | ATTR_UID | ATTR_MARK | ATTR_CGROUP |
               ATTR_CONGESTION | ATTR_DIRECTION | ATTR_REMOTE_PORT |
               ATTR_LOCAL_ADDRESS,
};
_Static_assert(ALL_TRAITS == UINT8_MAX, "attrs.unknown holds all of them");

static struct socket_attrs known(void) {
  return (struct socket_attrs){.local = build_prefix("10.0.0.1").address,
                               .remote = build_prefix("10.0.0.2").address,
                               .local_port = 40000,
                               .remote_port = 443,
                               .interface = 2,
                               .mark = 7,
                               .cgroup = 1234,
                               .inbound = true};
}

/* Whether it matches known(), and the same where `unknown` of it is. */
static void assert_matches(struct selector *s, unsigned unknown, bool full,
                           bool partly) {
  struct socket_attrs t = known();
  assert_int_equal(selector_match(s, &t), full);
  t.unknown = (uint8_t)unknown;
  assert_int_equal(selector_match(s, &t), partly);
  selector_free(s);
}

static struct selector *inverse(struct selector *s) {
  return selector_wrap(SELECTOR_NOT, s);
}

static struct selector *leaf_of(enum selector_op op, bool match) {
  switch (op) {
  case SELECTOR_LOCAL_PORT:
    return build_ports(op, 1, match ? 40000 : 1, match ? 40000 : 1);
  case SELECTOR_REMOTE_PORT:
    return build_ports(op, 1, match ? 443 : 1, match ? 443 : 1);
  case SELECTOR_LOCAL_ADDRESS:
    return build_addresses(op, 1, match ? "10.0.0.1" : "10.0.0.9");
  case SELECTOR_REMOTE_ADDRESS:
    return build_addresses(op, 1, match ? "10.0.0.2" : "10.0.0.9");
  case SELECTOR_INTERFACE:
    return build_values(op, 1, match ? 2u : 9u);
  case SELECTOR_CGROUP:
    return build_values(op, 1, match ? 1234u : 9u);
  case SELECTOR_MARK:
    return build_values(op, 1, match ? 7u : 9u);
  default:
    fail();
    return NULL;
  }
}

/* Each kind of condition by itself, and inverted: neither of them matches what
 * is unknown, and nothing else is touched by that. */
static void test_leaves(void **state) {
  (void)state;
  static const struct {
    enum selector_op op;
    unsigned trait; /* that it asks for; 0: what is always told */
  } rows[] = {
      {SELECTOR_LOCAL_PORT, 0},
      {SELECTOR_REMOTE_ADDRESS, 0},
      {SELECTOR_REMOTE_PORT, ATTR_REMOTE_PORT},
      {SELECTOR_LOCAL_ADDRESS, ATTR_LOCAL_ADDRESS},
      {SELECTOR_INTERFACE, ATTR_INTERFACE},
      {SELECTOR_CGROUP, ATTR_CGROUP},
      {SELECTOR_MARK, ATTR_MARK},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    for (int match = 0; match < 2; match++) {
      enum selector_op op = rows[i].op;
      unsigned trait = rows[i].trait;
      assert_matches(leaf_of(op, match), ALL_TRAITS & ~trait, match, match);
      assert_matches(inverse(leaf_of(op, match)), ALL_TRAITS & ~trait, !match,
                     !match);
      if (trait == 0)
        continue;
      assert_matches(leaf_of(op, match), trait, match, false);
      assert_matches(inverse(leaf_of(op, match)), trait, !match, false);
    }
  assert_matches(selector_new(SELECTOR_INBOUND), ALL_TRAITS & ~ATTR_DIRECTION,
                 true, true);
  assert_matches(selector_new(SELECTOR_INBOUND), ATTR_DIRECTION, true, false);
  assert_matches(inverse(selector_new(SELECTOR_INBOUND)), ATTR_DIRECTION, false,
                 false);
}

/* A condition that matches, on the cgroup, joined in either order with one on
 * the local port. */
static struct selector *joined(enum selector_op op, bool cgroup_first,
                               bool port_matches) {
  struct selector *pair[2] = {leaf_of(SELECTOR_CGROUP, true),
                              leaf_of(SELECTOR_LOCAL_PORT, port_matches)};
  return build_tree(op, 2, pair[!cgroup_first], pair[cgroup_first]);
}

/* What decides without the unknown decides. */
static void test_trees(void **state) {
  (void)state;
  enum { U = ATTR_CGROUP };
  for (int i = 0; i < 4; i++) {
    bool first = i / 2, port = i % 2;
    assert_matches(joined(SELECTOR_AND, first, port), U, port, false);
    assert_matches(joined(SELECTOR_OR, first, port), U, true, port);
    assert_matches(inverse(joined(SELECTOR_AND, first, port)), U, !port, !port);
    assert_matches(inverse(joined(SELECTOR_OR, first, port)), U, false, false);
  }
  assert_matches(selector_new(SELECTOR_AND), ALL_TRAITS, true, true);
  assert_matches(selector_new(SELECTOR_OR), ALL_TRAITS, false, false);
  /* True of everything, but not by one condition: does not match. */
  assert_matches(build_tree(SELECTOR_OR, 2, leaf_of(SELECTOR_CGROUP, true),
                            inverse(leaf_of(SELECTOR_CGROUP, true))),
                 U, true, false);
  assert_matches(inverse(inverse(leaf_of(SELECTOR_CGROUP, true))), U, true,
                 false);
}

/* The remote address alone decides where the local one is unknown. */
static void test_loopback(void **state) {
  (void)state;
  static const struct {
    const char *local, *remote;
    bool full, partly;
  } rows[] = {
      {"127.0.0.1", "127.0.0.1", true, true},
      {"10.0.0.1", "127.0.0.1", true, true},
      {"10.0.0.1", "::1", true, true},
      {"10.0.0.1", "10.0.0.2", false, false},
      {"127.0.0.1", "10.0.0.2", true, false},
      {"10.0.0.1", "10.0.0.1", true, false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct selector *s = selector_new(SELECTOR_LOOPBACK);
    struct socket_attrs t = {.local = build_prefix(rows[i].local).address,
                             .remote = build_prefix(rows[i].remote).address};
    assert_int_equal(selector_match(s, &t), rows[i].full);
    t.unknown = ATTR_LOCAL_ADDRESS;
    assert_int_equal(selector_match(s, &t), rows[i].partly);
    t.unknown = (uint8_t)~ATTR_LOCAL_ADDRESS;
    assert_int_equal(selector_match(s, &t), rows[i].full);
    s = inverse(s);
    t.unknown = ATTR_LOCAL_ADDRESS;
    assert_int_equal(selector_match(s, &t), !rows[i].partly);
    selector_free(s);
  }
}

/* --- by force ------------------------------------------------------------- */

/* `t` with what is unknown taken from `from`. */
static struct socket_attrs completed(const struct socket_attrs *t,
                                     const struct socket_attrs *from) {
  struct socket_attrs c = *t;
  c.unknown = 0;
  if ((t->unknown & ATTR_LOCAL_ADDRESS) != 0)
    c.local = from->local;
  if ((t->unknown & ATTR_REMOTE_PORT) != 0)
    c.remote_port = from->remote_port;
  if ((t->unknown & ATTR_INTERFACE) != 0)
    c.interface = from->interface;
  if ((t->unknown & ATTR_MARK) != 0)
    c.mark = from->mark;
  if ((t->unknown & ATTR_CGROUP) != 0)
    c.cgroup = from->cgroup;
  if ((t->unknown & ATTR_DIRECTION) != 0)
    c.inbound = from->inbound;
  return c;
}

/* Loopback is taken for decided by the remote end: others are not drawn. */
static bool is_loopback_by_remote(const struct socket_attrs *c) {
  struct selector loopback = {.op = SELECTOR_LOOPBACK};
  return selector_match(&loopback, c) == address_is_loopback(&c->remote);
}

static void test_completions(void **state) {
  (void)state;
  enum { SELECTORS = 20000, COMPLETIONS = 200 };
  size_t yes = 0, no = 0, open = 0, drawn = 0;
  srandom(3);
  for (int i = 0; i < SELECTORS; i++) {
    struct random r = {.budget = BYTECODE_COST_MAX};
    struct selector *s = random_selector(4, &r);
    struct socket_attrs t = random_socket().attrs;
    t.unknown = (uint8_t)random();
    bool match = selector_match(s, &t), found[2] = {false, false};
    bool loopback = selector_uses(s, SELECTOR_LOOPBACK);
    for (int k = 0; k < COMPLETIONS; k++) {
      struct socket_attrs from = random_socket().attrs;
      struct socket_attrs c = completed(&t, &from);
      if (loopback && !is_loopback_by_remote(&c))
        continue;
      found[selector_match(s, &c)] = true;
      drawn++;
    }
    if (match && found[false])
      fail_msg("selector %d matches, but not with all completions", i);
    t.unknown = 0;
    bool whole = selector_match(s, &t);
    t.unknown = ATTR_UID | ATTR_CONGESTION; /* none asks for these */
    assert_int_equal(selector_match(s, &t), whole);
    yes += match;
    no += !match && !found[true];
    open += !match && found[true] && found[false];
    selector_free(s);
  }
  print_message("%zu completions; matches: %zu, never: %zu, it depends: %zu\n",
                drawn, yes, no, open);
  assert_true(yes > SELECTORS / 10);
  assert_true(no > SELECTORS / 10);
  assert_true(open > SELECTORS / 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_leaves),
      cmocka_unit_test(test_trees),
      cmocka_unit_test(test_loopback),
      cmocka_unit_test(test_completions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
