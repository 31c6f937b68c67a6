/* selector_match() if some attributes are unknown: a socket matches only if it
 * would match whatever their values are. */
#include "support/build_selector.h"
#include "support/random_selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ALL_ATTRS = (1 << ATTR_COUNT) - 1 };

static struct socket_attrs known(void) {
  return (struct socket_attrs){.local = build_prefix("10.0.0.1").address,
                               .remote = build_prefix("10.0.0.2").address,
                               .local_port = 40000,
                               .remote_port = 443,
                               .interface = 2,
                               .uid = 1000,
                               .mark = 7,
                               .cgroup = 1234,
                               .congestion = "cubic",
                               .inbound = true};
}

/* Matches known() if `full`, and with `unknown` of it unknown if `partly`. */
static void assert_matches(struct selector *s, uint32_t unknown, bool full,
                           bool partly) {
  struct socket_attrs t = known();
  assert_int_equal(selector_match(s, &t), full);
  t.unknown = unknown;
  assert_int_equal(selector_match(s, &t), partly);
  selector_free(s);
}

static struct selector *inverse(struct selector *s) {
  return selector_wrap(SELECTOR_NOT, s);
}

/* A condition of that kind, whose list holds the value of known() or another
 * one; without a list `holds` says nothing. */
static struct selector *condition_of(enum selector_op op, bool holds) {
  static const struct prefix elsewhere = {{{[15] = 9}}, 128};
  const struct selector_row *row = &selector_table[op];
  struct socket_attrs t = known();
  struct selector *s = selector_new(op);
  uint64_t number = holds ? socket_attrs_number(&t, row->attr) : 9;
  struct prefix prefix = elsewhere;
  switch (row->list) {
  case SELECTOR_PORTS:
    assert_int_equal(
        selector_add_port(
            s, (struct port_range){(uint16_t)number, (uint16_t)number}),
        0);
    break;
  case SELECTOR_PREFIXES:
    if (holds)
      memcpy(&prefix.address, socket_attrs_at(&t, row->attr),
             sizeof(prefix.address));
    assert_int_equal(selector_add_prefix(s, prefix), 0);
    break;
  case SELECTOR_VALUES:
    assert_int_equal(
        selector_add_value(s, (struct selector_value){number, UINT64_MAX}), 0);
    break;
  case SELECTOR_NO_LIST:
    break;
  case SELECTOR_CHILDREN:
    fail();
  }
  return s;
}

/* A condition of each kind by itself, and inverted: if its attribute is unknown
 * neither of them matches, and no other unknown attribute matters. */
static void
unknown_attribute_matches_neither_condition_nor_negation(void **state) {
  (void)state;
  size_t conditions = 0;
  for (int op = 0; op < SELECTOR_OP_COUNT; op++) {
    const struct selector_row *row = &selector_table[op];
    if (row->list == SELECTOR_CHILDREN)
      continue;
    assert_in_range(row->attr, 0, ATTR_COUNT - 1);
    conditions++;
    for (int holds = 0; holds < 2; holds++) {
      struct selector *s = condition_of((enum selector_op)op, holds);
      struct selector *negated =
          inverse(condition_of((enum selector_op)op, holds));
      struct socket_attrs t = known();
      bool match = selector_match(s, &t);
      if (row->list != SELECTOR_NO_LIST)
        assert_int_equal(match, holds);
      assert_int_equal(selector_match(negated, &t), !match);
      for (int attr = 0; attr < ATTR_COUNT; attr++) {
        t.unknown = ATTR_BIT(attr);
        bool own = attr == (int)row->attr;
        if (selector_match(s, &t) != (match && !own) ||
            selector_match(negated, &t) != (!match && !own))
          fail_msg("%s, unknown: %s", row->name, socket_attr_table[attr].name);
      }
      t.unknown = ALL_ATTRS & ~ATTR_BIT(row->attr);
      assert_int_equal(selector_match(s, &t), match);
      selector_free(s);
      selector_free(negated);
    }
  }
  assert_true(conditions >= 9);
}

/* The same for each kind of message that does not tell the attribute. */
static void
untold_attribute_matches_neither_condition_nor_negation(void **state) {
  (void)state;
  for (int op = 0; op < SELECTOR_OP_COUNT; op++) {
    const struct selector_row *row = &selector_table[op];
    if (row->list == SELECTOR_CHILDREN)
      continue;
    struct selector *s = condition_of((enum selector_op)op, true);
    struct selector *negated =
        inverse(condition_of((enum selector_op)op, true));
    for (int source = 0; source < ATTRS_SOURCE_COUNT; source++) {
      struct socket_attrs t = known();
      t.unknown = socket_attrs_unknown((enum attrs_source)source);
      bool told = (t.unknown & ATTR_BIT(row->attr)) == 0;
      int matches = selector_match(s, &t) + selector_match(negated, &t);
      if (matches != told)
        fail_msg("%s from source %d", row->name, source);
    }
    selector_free(s);
    selector_free(negated);
  }
}

static void every_kind_of_node_has_a_row_with_a_name_of_its_own(void **state) {
  (void)state;
  static const enum attr_type type[][2] = {
      [SELECTOR_PORTS] = {ATTR_TYPE_PORT, ATTR_TYPE_PORT},
      [SELECTOR_PREFIXES] = {ATTR_TYPE_ADDRESS, ATTR_TYPE_ADDRESS},
      [SELECTOR_VALUES] = {ATTR_TYPE_U32, ATTR_TYPE_U64},
      [SELECTOR_NO_LIST] = {ATTR_TYPE_FLAG, ATTR_TYPE_FLAG},
  };
  for (int op = 0; op < SELECTOR_OP_COUNT; op++) {
    const struct selector_row *row = &selector_table[op];
    assert_non_null(row->name);
    for (int other = 0; other < op; other++)
      assert_string_not_equal(row->name, selector_table[other].name);
    assert_int_equal(row->match == NULL, row->list == SELECTOR_CHILDREN);
    assert_int_equal(row->attr == ATTR_COUNT, row->list == SELECTOR_CHILDREN);
    if (row->list == SELECTOR_CHILDREN || op == SELECTOR_LOOPBACK)
      continue;
    enum attr_type of = socket_attr_table[row->attr].type;
    if (of != type[row->list][0] && of != type[row->list][1])
      fail_msg("%s: the list does not fit the attribute", row->name);
  }
}

/* The attributes of a tree are those of its conditions. */
static void attributes_of_a_tree_are_those_of_its_conditions(void **state) {
  (void)state;
  for (int op = 0; op < SELECTOR_OP_COUNT; op++) {
    if (selector_table[op].list == SELECTOR_CHILDREN)
      continue;
    struct selector *s =
        build_tree(SELECTOR_AND, 2, condition_of(SELECTOR_CGROUP, true),
                   inverse(condition_of((enum selector_op)op, true)));
    assert_int_equal(selector_attrs(s),
                     ATTR_BIT(ATTR_CGROUP) | ATTR_BIT(selector_table[op].attr));
    selector_free(s);
  }
  struct selector *all = selector_new(SELECTOR_AND);
  assert_int_equal(selector_attrs(all), 0);
  selector_free(all);
}

/* A condition that matches, on the cgroup, joined in either order with one on
 * the local port. */
static struct selector *joined(enum selector_op op, bool cgroup_first,
                               bool port_matches) {
  struct selector *pair[2] = {condition_of(SELECTOR_CGROUP, true),
                              condition_of(SELECTOR_LOCAL_PORT, port_matches)};
  return build_tree(op, 2, pair[!cgroup_first], pair[cgroup_first]);
}

/* AND and OR match by the conditions that are known, if these decide. */
static void known_conditions_decide_a_tree(void **state) {
  (void)state;
  enum { U = ATTR_BIT(ATTR_CGROUP) };
  for (int i = 0; i < 4; i++) {
    bool first = i / 2, port = i % 2;
    assert_matches(joined(SELECTOR_AND, first, port), U, port, false);
    assert_matches(joined(SELECTOR_OR, first, port), U, true, port);
    assert_matches(inverse(joined(SELECTOR_AND, first, port)), U, !port, !port);
    assert_matches(inverse(joined(SELECTOR_OR, first, port)), U, false, false);
  }
  assert_matches(selector_new(SELECTOR_AND), ALL_ATTRS, true, true);
  assert_matches(selector_new(SELECTOR_OR), ALL_ATTRS, false, false);
  /* True of everything, but by no condition alone: does not match. */
  assert_matches(build_tree(SELECTOR_OR, 2, condition_of(SELECTOR_CGROUP, true),
                            inverse(condition_of(SELECTOR_CGROUP, true))),
                 U, true, false);
  assert_matches(inverse(inverse(condition_of(SELECTOR_CGROUP, true))), U, true,
                 false);
}

static void
remote_address_decides_loopback_if_the_local_is_unknown(void **state) {
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
    t.unknown = ATTR_BIT(ATTR_LOCAL_ADDRESS);
    assert_int_equal(selector_match(s, &t), rows[i].partly);
    t.unknown = ALL_ATTRS & ~ATTR_BIT(ATTR_LOCAL_ADDRESS) &
                ~ATTR_BIT(ATTR_REMOTE_ADDRESS);
    assert_int_equal(selector_match(s, &t), rows[i].full);
    s = inverse(s);
    t.unknown = ATTR_BIT(ATTR_LOCAL_ADDRESS);
    assert_int_equal(selector_match(s, &t), !rows[i].partly);
    selector_free(s);
  }
}

/* --- by force ------------------------------------------------------------- */

/* `t` with the attributes that are unknown taken from `from`. */
static struct socket_attrs completed(const struct socket_attrs *t,
                                     const struct socket_attrs *from) {
  struct socket_attrs c = *t;
  c.unknown = 0;
  for (int attr = 0; attr < ATTR_COUNT; attr++)
    if ((t->unknown & ATTR_BIT(attr)) != 0)
      memcpy((void *)socket_attrs_at(&c, (enum socket_attr)attr),
             socket_attrs_at(from, (enum socket_attr)attr),
             socket_attr_table[attr].size);
  return c;
}

/* The remote address is taken to decide loopback: completions in which it does
 * not are left out. */
static bool is_loopback_by_remote(const struct socket_attrs *c) {
  struct selector loopback = {.op = SELECTOR_LOOPBACK};
  return selector_match(&loopback, c) == address_is_loopback(&c->remote);
}

static void match_holds_for_all_completions(void **state) {
  (void)state;
  enum { SELECTORS = 20000, COMPLETIONS = 200 };
  size_t yes = 0, no = 0, open = 0, drawn = 0;
  srandom(3);
  for (int i = 0; i < SELECTORS; i++) {
    struct random r = {.budget = BYTECODE_COST_MAX};
    struct selector *s = random_selector(4, &r);
    struct socket_attrs t = random_socket().attrs;
    t.unknown = (uint32_t)random() & ALL_ATTRS;
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
    /* No condition looks at these. */
    t.unknown = ATTR_BIT(ATTR_UID) | ATTR_BIT(ATTR_CONGESTION);
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
      cmocka_unit_test(every_kind_of_node_has_a_row_with_a_name_of_its_own),
      cmocka_unit_test(attributes_of_a_tree_are_those_of_its_conditions),
      cmocka_unit_test(
          unknown_attribute_matches_neither_condition_nor_negation),
      cmocka_unit_test(untold_attribute_matches_neither_condition_nor_negation),
      cmocka_unit_test(known_conditions_decide_a_tree),
      cmocka_unit_test(remote_address_decides_loopback_if_the_local_is_unknown),
      cmocka_unit_test(match_holds_for_all_completions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
