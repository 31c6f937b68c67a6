/* The compiler against selector_match() through an interpreter of our own. */
#include "filter/bytecode.h"
#include "support/build_selector.h"
#include "support/bytecode_machine.h"
#include "support/random_selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

/* --- random ones ---------------------------------------------------------- */

struct tally {
  unsigned filters, exact; /* selectors: became one; of these such as are */
  unsigned passed, rejected, minis_rejected; /* sockets */
};

static void check_socket(const struct selector *s, const struct bytecode *b,
                         bool exact, struct tally *tally) {
  struct socket t = random_socket(), mini = random_mini(&t);
  bool match = selector_match(s, &t.attrs), pass = machine_passes(b, &t);
  if ((match && !pass) || (exact && match != pass))
    fail_msg("filter %u: match %d, pass %d", tally->filters, match, pass);
  bool mini_match = selector_match(s, &mini.attrs);
  bool mini_pass = machine_passes(b, &mini);
  if ((match || mini_match) && !mini_pass)
    fail_msg("filter %u: mini socket, match before %d, now %d, pass %d",
             tally->filters, match, mini_match, mini_pass);
  *(pass ? &tally->passed : &tally->rejected) += 1;
  tally->minis_rejected += !mini_pass;
}

static struct tally check_random(int rounds, int budget) {
  struct tally tally = {0};
  for (int i = 0; i < rounds; i++) {
    struct random r = {.budget = budget,
                       .features = random() % (BYTECODE_ALL + 1),
                       .exact = budget <= BYTECODE_COST_MAX};
    struct selector *s = random_selector(4, &r);
    struct bytecode b;
    assert_int_equal(bytecode_compile(s, r.features, &b), 0);
    assert_int_equal(b.features & ~r.features, 0);
    if (b.size > 0) {
      tally.filters++;
      tally.exact += r.exact;
      assert_in_range(machine_audit(&b), 0, BYTECODE_COST_MAX);
    }
    for (int j = 0; j < 64; j++)
      check_socket(s, &b, r.exact, &tally);
    bytecode_free(&b);
    selector_free(s);
  }
  assert_true(tally.passed > 100000 && tally.rejected > 100000);
  assert_true(tally.minis_rejected > 100000);
  return tally;
}

static void random_selectors_lose_no_match(void **state) {
  (void)state;
  srandom(1);
  struct tally tally = check_random(30000, BYTECODE_COST_MAX);
  assert_in_range(tally.filters, 5000, 30000);
  assert_in_range(tally.exact, 5000, 30000);
}

/* Too long for the kernel: still no match may be lost. */
static void selectors_too_long_for_the_kernel_lose_no_match(void **state) {
  (void)state;
  srandom(2);
  assert_in_range(check_random(20000, 2000).filters, 2000, 20000);
}

/* --- chosen ones ---------------------------------------------------------- */

static bool port_passes(const struct bytecode *b, enum selector_op op,
                        int port) {
  struct socket s = {.family = AF_INET6};
  *(op == SELECTOR_LOCAL_PORT ? &s.attrs.local_port : &s.attrs.remote_port) =
      (uint16_t)port;
  return machine_passes(b, &s);
}

static bool remote_passes(const struct bytecode *b, const char *address) {
  struct socket s = {.attrs.remote = build_prefix(address).address};
  s.family = address_is_ipv4(&s.attrs.remote) ? AF_INET : AF_INET6;
  return machine_passes(b, &s);
}

/* Compiles and frees `s`; what it costs. */
static size_t compile(struct selector *s, struct bytecode *b) {
  assert_int_equal(bytecode_compile(s, BYTECODE_ALL, b), 0);
  selector_free(s);
  return b->size > 0 ? machine_audit(b) : 0;
}

static void constant_selectors_need_one_jump_or_no_code(void **state) {
  (void)state;
  struct selector *every[] = {
      selector_new(SELECTOR_AND),
      selector_new(SELECTOR_LOOPBACK), /* not expressible */
      build_ports(SELECTOR_LOCAL_PORT, 2, 0, 80, 81, 65535),
      build_addresses(SELECTOR_LOCAL_ADDRESS, 3, "::/0", "::1", "0.0.0.0/0"),
      build_tree(SELECTOR_OR, 2, build_ports(SELECTOR_LOCAL_PORT, 1, 80, 80),
                 selector_new(SELECTOR_AND)),
      build_tree(SELECTOR_NOT, 1, selector_new(SELECTOR_OR)),
      build_tree(
          SELECTOR_AND, 2, selector_new(SELECTOR_LOOPBACK),
          build_tree(SELECTOR_NOT, 1, selector_new(SELECTOR_REMOTE_PORT))),
      selector_new(SELECTOR_INBOUND),
      build_tree(SELECTOR_NOT, 1, selector_new(SELECTOR_INBOUND)),
      build_tree(SELECTOR_NOT, 1, selector_new(SELECTOR_INTERFACE)),
  };
  for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++) {
    struct bytecode b;
    compile(every[i], &b);
    assert_int_equal(b.size, 0);
    assert_null(b.code);
  }

  struct selector *none[] = {
      selector_new(SELECTOR_OR),
      selector_new(SELECTOR_LOCAL_PORT),
      selector_new(SELECTOR_REMOTE_ADDRESS),
      build_tree(SELECTOR_NOT, 1, selector_new(SELECTOR_AND)),
      build_tree(SELECTOR_AND, 2, build_ports(SELECTOR_LOCAL_PORT, 1, 80, 80),
                 selector_new(SELECTOR_OR)),
      selector_new(SELECTOR_INTERFACE),
      selector_new(SELECTOR_CGROUP),
      selector_new(SELECTOR_MARK),
  };
  for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
    struct bytecode b;
    assert_int_equal(compile(none[i], &b), 0);
    assert_int_equal(b.size, 4);
    assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 80));
    bytecode_free(&b);
  }
}

/* NOT of what is known in part only: nothing that matches may be lost. */
static void bounds_of_loopback_lose_no_match(void **state) {
  (void)state;
  struct bytecode b;
  compile(build_tree(SELECTOR_NOT, 1, selector_new(SELECTOR_LOOPBACK)), &b);
  assert_true(b.size > 0);
  static const struct {
    const char *local, *remote;
    bool pass;
  } rows[] = {{"10.0.0.1", "10.0.0.2", true},
              {"10.0.0.1", "10.0.0.1", true}, /* user space sorts it out */
              {"127.0.0.1", "10.0.0.2", false},
              {"10.0.0.1", "127.1.2.3", false},
              {"::1", "::1", false},
              {"::1", "2001:db8::1", false},
              {"2001:db8::1", "::1", false},
              {"2001:db8::1", "2001:db8::2", true}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct socket s = {
        .family = AF_INET6,
        .attrs = {.local = build_prefix(rows[i].local).address,
                  .remote = build_prefix(rows[i].remote).address}};
    if (machine_passes(&b, &s) != rows[i].pass)
      fail_msg("%s to %s", rows[i].local, rows[i].remote);
  }
  bytecode_free(&b);
}

/* A full socket and what became of it; before Linux 5.14 without its mark. */
static void mini_sockets_pass_conditions_on_cgroup_and_mark(void **state) {
  (void)state;
  struct selector *device = build_values(SELECTOR_INTERFACE, 2, 3, 4),
                  *cgroup = build_values(SELECTOR_CGROUP, 2, 100, 200),
                  *mark = build_values(SELECTOR_MARK, 1, 7),
                  *unmarked = build_values(SELECTOR_MARK, 1, 0);
  struct selector *is[] = {device, cgroup, mark, unmarked}, *is_not[4];
  for (size_t i = 0; i < 4; i++)
    is_not[i] = build_tree(SELECTOR_NOT, 1, is[i]);
  static const struct {
    uint32_t device, mark;
    uint64_t cgroup;
    bool mini;
    bool pass[4], pass_not[4];
  } rows[] = {
      {4, 7, 200, false, {1, 1, 1, 0}, {0, 0, 0, 1}},
      {0, 0, 1, false, {0, 0, 0, 1}, {1, 1, 1, 0}},
      {4, 7, 0, true, {1, 1, 1, 1}, {0, 1, 1, 1}},
      {4, 0, 0, true, {1, 1, 1, 1}, {0, 1, 1, 1}},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    for (size_t j = 0; j < 4; j++) {
      struct socket s = {.family = AF_INET,
                         .attrs = {.interface = rows[i].device,
                                   .mark = rows[i].mark,
                                   .cgroup = rows[i].cgroup}};
      struct bytecode yes, no;
      assert_int_equal(bytecode_compile(is[j], BYTECODE_ALL, &yes), 0);
      assert_int_equal(bytecode_compile(is_not[j], BYTECODE_ALL, &no), 0);
      machine_audit(&yes);
      machine_audit(&no);
      if (machine_passes(&yes, &s) != rows[i].pass[j] ||
          machine_passes(&no, &s) != rows[i].pass_not[j])
        fail_msg("row %zu, selector %zu", i, j);
      bytecode_free(&yes);
      bytecode_free(&no);
    }
  for (size_t i = 0; i < 4; i++)
    selector_free(is_not[i]);
}

/* Without what it needs a part is left out, and the rest stays. */
static void parts_that_need_missing_features_are_left_out(void **state) {
  (void)state;
  struct selector *s = build_tree(
      SELECTOR_AND, 4, build_ports(SELECTOR_LOCAL_PORT, 1, 80, 80),
      build_values(SELECTOR_INTERFACE, 1, 3),
      build_values(SELECTOR_CGROUP, 1, 100), build_values(SELECTOR_MARK, 1, 7));
  for (unsigned features = 0; features <= BYTECODE_ALL; features++) {
    struct bytecode b;
    assert_int_equal(bytecode_compile(s, features, &b), 0);
    bool marks = features >= (BYTECODE_MARK | BYTECODE_CGROUP);
    assert_int_equal(b.features, marks ? features : features & ~BYTECODE_MARK);
    assert_int_equal(machine_audit(&b),
                     2 + (features & BYTECODE_INTERFACE ? 1 : 0) +
                         (features & BYTECODE_CGROUP ? 2 : 0) +
                         (marks ? 2 : 0));
    struct socket t = {
        .family = AF_INET,
        .attrs = {.local_port = 80, .interface = 3, .cgroup = 100, .mark = 7}};
    assert_true(machine_passes(&b, &t));
    t.attrs.mark = 8;
    assert_int_equal(machine_passes(&b, &t), !marks);
    t.attrs.local_port = 81;
    assert_false(machine_passes(&b, &t));
    bytecode_free(&b);
  }
  selector_free(s);
}

/* Past the bound: ports join over the narrow gaps, addresses to what is common
 * to those that are near. */
static void too_many_ports_join_over_narrow_gaps(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *s =
      build_ports(SELECTOR_REMOTE_PORT, 2, 443, 443, 60000, 60000);
  for (int i = 0; i < 100; i++)
    selector_add_port(s, (struct port_range){(uint16_t)(8000 + 2 * i),
                                             (uint16_t)(8000 + 2 * i)});
  assert_in_range(compile(s, &b), 1, BYTECODE_COST_MAX);
  static const int in[] = {443, 8000, 8100, 8198, 60000},
                   out[] = {442, 444, 7999, 8199, 9000, 59999, 60001};
  for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
    assert_true(port_passes(&b, SELECTOR_REMOTE_PORT, in[i]));
  for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
    assert_false(port_passes(&b, SELECTOR_REMOTE_PORT, out[i]));
  bytecode_free(&b);
}

static void too_many_addresses_join_with_near_ones(void **state) {
  (void)state;
  static const char *const format[] = {"10.1.%d.7",    "10.2.1.%d",
                                       "192.0.2.%d",   "2001:db8:%x::1",
                                       "2001:db8::%x", "fe80::%x"};
  struct bytecode b;
  char text[64];
  struct selector *s = selector_new(SELECTOR_REMOTE_ADDRESS);
  for (int i = 0; i < 600; i++) {
    snprintf(text, sizeof(text), format[i % 6], i / 6 + 1);
    selector_add_prefix(s, build_prefix(text));
  }
  assert_in_range(compile(s, &b), 1, 8 * BYTECODE_COST_ADDRESS);
  for (int i = 0; i < 600; i++) {
    snprintf(text, sizeof(text), format[i % 6], i / 6 + 1);
    assert_true(remote_passes(&b, text));
  }
  static const char *const out[] = {"10.1.128.7",  "10.2.2.1",
                                    "11.0.0.1",    "192.0.3.1",
                                    "127.0.0.1",   "2001:db8:80::1",
                                    "2001:db9::1", "fe80:0:0:1::1",
                                    "fe90::1",     "::1"};
  for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
    if (remote_passes(&b, out[i]))
      fail_msg("%s", out[i]);
  bytecode_free(&b);
}

/* Too many cgroups: they are left out, the rest stays. */
static void too_many_cgroups_are_left_out(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *list = selector_new(SELECTOR_CGROUP);
  for (uint64_t i = 1; i <= 1000; i++)
    selector_add_value(list, (struct selector_value){i, UINT64_MAX});
  struct selector *s =
      build_tree(SELECTOR_AND, 2, list,
                 build_ports(SELECTOR_LOCAL_PORT, 2, 80, 80, 82, 82));
  assert_int_equal(compile(s, &b), 4);
  assert_int_equal(b.features, 0);
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 80));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 81));
  bytecode_free(&b);
}

/* A long list under NOT must not grow: it is given up, the rest stays. */
static void long_list_under_not_is_left_out(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *list = selector_new(SELECTOR_LOCAL_PORT);
  for (uint16_t i = 100; i < 400; i += 2)
    selector_add_port(list, (struct port_range){i, i});
  compile(build_tree(SELECTOR_AND, 2,
                     build_ports(SELECTOR_REMOTE_PORT, 1, 0, 9),
                     build_tree(SELECTOR_NOT, 1, list)),
          &b);
  struct socket s = {.family = AF_INET, .attrs.local_port = 101};
  assert_true(machine_passes(&b, &s));
  s.attrs.remote_port = 10;
  assert_false(machine_passes(&b, &s));
  bytecode_free(&b);

  list = selector_new(SELECTOR_REMOTE_ADDRESS);
  for (int i = 0; i < 40; i++) {
    char text[64];
    snprintf(text, sizeof(text), "10.1.%d.1", i);
    selector_add_prefix(list, build_prefix(text));
  }
  compile(build_tree(SELECTOR_AND, 2,
                     build_ports(SELECTOR_REMOTE_PORT, 1, 0, 9),
                     build_tree(SELECTOR_NOT, 1, list)),
          &b);
  assert_true(b.size > 0);
  assert_true(remote_passes(&b, "10.1.1.2"));
  bytecode_free(&b);
}

/* 3000, 3010 and so on, each from 10.0.0.0/8. */
static struct selector *many_groups(uint16_t count) {
  struct selector *any = selector_new(SELECTOR_OR);
  for (uint16_t i = 0; i < count; i++) {
    uint16_t port = (uint16_t)(3000 + 10 * i);
    selector_add_child(
        any,
        build_tree(SELECTOR_AND, 2,
                   build_ports(SELECTOR_LOCAL_PORT, 1, port, port),
                   build_addresses(SELECTOR_REMOTE_ADDRESS, 1, "10.0.0.0/8")));
  }
  return any;
}

/* Many groups: first the addresses are left out; at last what is left is the
 * range of ports that covers all. */
static void many_groups_end_in_one_range_of_ports(void **state) {
  (void)state;
  struct bytecode b;
  assert_int_equal(compile(many_groups(40), &b), 80);
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 3390));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 3391));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 3001));
  bytecode_free(&b);

  assert_int_equal(compile(many_groups(100), &b), 2);
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 3000));
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 3990));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 2999));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 3991));
  bytecode_free(&b);

  struct selector *any = selector_new(SELECTOR_OR);
  for (uint16_t i = 0; i < 100; i++)
    selector_add_child(
        any, build_ports(i % 2 ? SELECTOR_LOCAL_PORT : SELECTOR_REMOTE_PORT, 1,
                         3000, 3000));
  compile(any, &b);
  assert_int_equal(b.size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_selectors_lose_no_match),
      cmocka_unit_test(selectors_too_long_for_the_kernel_lose_no_match),
      cmocka_unit_test(constant_selectors_need_one_jump_or_no_code),
      cmocka_unit_test(bounds_of_loopback_lose_no_match),
      cmocka_unit_test(mini_sockets_pass_conditions_on_cgroup_and_mark),
      cmocka_unit_test(parts_that_need_missing_features_are_left_out),
      cmocka_unit_test(too_many_ports_join_over_narrow_gaps),
      cmocka_unit_test(too_many_addresses_join_with_near_ones),
      cmocka_unit_test(too_many_cgroups_are_left_out),
      cmocka_unit_test(long_list_under_not_is_left_out),
      cmocka_unit_test(many_groups_end_in_one_range_of_ports),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
