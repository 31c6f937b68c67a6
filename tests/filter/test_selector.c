#include "filter/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct prefix prefix(const char *text) {
  struct prefix p;
  if (!prefix_parse(text, &p))
    fail_msg("%s is no prefix", text);
  return p;
}

static struct socket_attrs tuple(const char *local, uint16_t local_port,
                                 const char *remote, uint16_t remote_port) {
  return (struct socket_attrs){.local = prefix(local).address,
                               .remote = prefix(remote).address,
                               .local_port = local_port,
                               .remote_port = remote_port};
}

static struct selector *ports(enum selector_op op, uint16_t low,
                              uint16_t high) {
  struct selector *s = selector_new(op);
  assert_non_null(s);
  assert_int_equal(selector_add_port(s, (struct port_range){low, high}), 0);
  return s;
}

static void port_matches_its_ranges(void **state) {
  (void)state;
  struct selector *s = selector_new(SELECTOR_LOCAL_PORT);
  struct socket_attrs t = tuple("10.0.0.1", 443, "10.0.0.2", 5000);
  assert_false(selector_match(s, &t)); /* none */
  assert_int_equal(selector_add_port(s, (struct port_range){80, 80}), 0);
  assert_false(selector_match(s, &t));
  assert_int_equal(selector_add_port(s, (struct port_range){440, 443}), 0);
  assert_true(selector_match(s, &t));
  t.local_port = 444;
  assert_false(selector_match(s, &t));
  t.local_port = 80;
  assert_true(selector_match(s, &t));
  s->op = SELECTOR_REMOTE_PORT;
  assert_false(selector_match(s, &t));
  t.remote_port = 440;
  assert_true(selector_match(s, &t));
  selector_free(s);
}

static void assert_ports(const struct selector *s, size_t count, ...) {
  va_list ap;
  va_start(ap, count);
  assert_int_equal(s->count, count);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(s->port[i].low, va_arg(ap, int));
    assert_int_equal(s->port[i].high, va_arg(ap, int));
  }
  va_end(ap);
}

static void port_ranges_are_sorted_and_joined(void **state) {
  (void)state;
  struct selector *s = selector_new(SELECTOR_LOCAL_PORT);
  static const struct port_range add[] = {
      {50, 59}, {10, 19}, {90, 99}, {30, 39}};
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(selector_add_port(s, add[i]), 0);
  assert_ports(s, 4, 10, 19, 30, 39, 50, 59, 90, 99);
  selector_add_port(s, (struct port_range){35, 36}); /* inside */
  assert_ports(s, 4, 10, 19, 30, 39, 50, 59, 90, 99);
  selector_add_port(s, (struct port_range){20, 20}); /* touches one */
  assert_ports(s, 4, 10, 20, 30, 39, 50, 59, 90, 99);
  selector_add_port(s, (struct port_range){22, 28}); /* touches none */
  assert_ports(s, 5, 10, 20, 22, 28, 30, 39, 50, 59, 90, 99);
  selector_add_port(s, (struct port_range){21, 55}); /* joins four */
  assert_ports(s, 2, 10, 59, 90, 99);
  selector_add_port(s, (struct port_range){5, 12}); /* over the start */
  assert_ports(s, 2, 5, 59, 90, 99);
  selector_add_port(s, (struct port_range){65535, 65535});
  assert_ports(s, 3, 5, 59, 90, 99, 65535, 65535);
  selector_add_port(s, (struct port_range){0, 65534});
  assert_ports(s, 1, 0, 65535);
  selector_free(s);
}

/* Adding ranges in any order is the union of them. */
static void random_port_ranges_match_their_union(void **state) {
  (void)state;
  srandom(1);
  for (int round = 0; round < 2000; round++) {
    struct selector *s = selector_new(SELECTOR_REMOTE_PORT);
    bool in[64] = {false};
    struct socket_attrs t = {.local_port = 0};
    for (long i = random() % 12; i >= 0; i--) {
      uint16_t low = (uint16_t)(random() % 64);
      uint16_t high = (uint16_t)(low + random() % 6 % (64 - low));
      assert_int_equal(selector_add_port(s, (struct port_range){low, high}), 0);
      memset(in + low, true, high - low + 1u);
    }
    for (uint16_t port = 0; port < 64; port++) {
      t.remote_port = port;
      assert_int_equal(selector_match(s, &t), in[port]);
    }
    for (size_t i = 1; i < s->count; i++)
      assert_true(s->port[i - 1].high + 1 < s->port[i].low);
    selector_free(s);
  }
}

static void address_matches_its_prefixes(void **state) {
  (void)state;
  struct selector *s = selector_new(SELECTOR_REMOTE_ADDRESS);
  struct socket_attrs t = tuple("192.0.2.1", 1, "10.9.8.7", 2);
  assert_false(selector_match(s, &t));
  assert_int_equal(selector_add_prefix(s, prefix("2001:db8::/32")), 0);
  assert_int_equal(selector_add_prefix(s, prefix("10.0.0.0/8")), 0);
  assert_true(selector_match(s, &t));
  s->op = SELECTOR_LOCAL_ADDRESS;
  assert_false(selector_match(s, &t));
  t.local = prefix("2001:db8::1").address;
  assert_true(selector_match(s, &t));
  selector_free(s);
}

static void assert_prefixes(const struct selector *s, size_t count, ...) {
  va_list ap;
  va_start(ap, count);
  assert_int_equal(s->count, count);
  for (size_t i = 0; i < count; i++) {
    struct prefix p = prefix(va_arg(ap, const char *));
    assert_memory_equal(&s->prefix[i].address, &p.address, sizeof(p.address));
    assert_int_equal(s->prefix[i].bits, p.bits);
  }
  va_end(ap);
}

/* Ascending, IPv4 first, and none that another one covers. */
static void prefixes_are_sorted_and_none_covers_another(void **state) {
  (void)state;
  struct selector *s = selector_new(SELECTOR_REMOTE_ADDRESS);
  static const char *const add[] = {"2001:db8::/32", "10.0.0.0/8", "::1",
                                    "192.0.2.7", "9.0.0.0/8"};
  for (size_t i = 0; i < 5; i++)
    assert_int_equal(selector_add_prefix(s, prefix(add[i])), 0);
  assert_prefixes(s, 5, "9.0.0.0/8", "10.0.0.0/8", "192.0.2.7", "::1",
                  "2001:db8::/32");
  selector_add_prefix(s, prefix("10.0.0.0/24")); /* covered, begins with it */
  selector_add_prefix(s, prefix("10.255.255.255"));
  selector_add_prefix(s, prefix("192.0.2.7"));
  selector_add_prefix(s, prefix("2001:db8:ffff::/48"));
  assert_prefixes(s, 5, "9.0.0.0/8", "10.0.0.0/8", "192.0.2.7", "::1",
                  "2001:db8::/32");
  selector_add_prefix(s, prefix("192.0.2.0/24")); /* covers one in its midst */
  selector_add_prefix(s, prefix("2001::/16")); /* and one that begins there */
  assert_prefixes(s, 5, "9.0.0.0/8", "10.0.0.0/8", "192.0.2.0/24", "::1",
                  "2001::/16");
  selector_add_prefix(s, prefix("8.0.0.0/6")); /* two */
  assert_prefixes(s, 4, "8.0.0.0/6", "192.0.2.0/24", "::1", "2001::/16");
  selector_add_prefix(s, prefix("::/0")); /* all of IPv6, but no IPv4 */
  assert_prefixes(s, 3, "8.0.0.0/6", "192.0.2.0/24", "::/0");
  selector_add_prefix(s, prefix("::ffff:0:0/96"));
  assert_prefixes(s, 2, "0.0.0.0/0", "::/0");
  selector_free(s);

  s = selector_new(SELECTOR_REMOTE_ADDRESS);
  struct prefix loose = {.address = prefix("10.1.2.3").address, .bits = 104};
  assert_int_equal(selector_add_prefix(s, loose), 0);
  assert_prefixes(s, 1, "10.0.0.0/8");
  selector_free(s);
}

static struct address random_address(void) {
  struct address a = {{0}};
  bool ipv4 = random() % 2;
  if (ipv4)
    a.bytes[10] = a.bytes[11] = 0xff;
  for (int i = ipv4 ? 12 : 0; i < 16; i++)
    a.bytes[i] |= (uint8_t)(random() % 2 ? 0 : random() % 2 ? 0x80 : 0x01);
  return a;
}

/* Prefixes added in any order hold what one of them holds. */
static void random_prefixes_match_what_one_of_them_holds(void **state) {
  (void)state;
  enum { PREFIXES = 24, ADDRESSES = 64 };
  srandom(2);
  unsigned matches = 0;
  for (int round = 0; round < 2000; round++) {
    struct selector *s = selector_new(SELECTOR_LOCAL_ADDRESS);
    struct prefix added[PREFIXES];
    long count = 1 + random() % PREFIXES;
    for (long i = 0; i < count; i++) {
      struct address a = random_address();
      uint8_t first = address_is_ipv4(&a) ? 96 : 0;
      added[i].bits = (uint8_t)(first + random() % (129 - first));
      added[i].address = address_network(&a, added[i].bits);
      assert_int_equal(selector_add_prefix(s, added[i]), 0);
    }
    for (size_t i = 1; i < s->count; i++)
      for (size_t k = 0; k < i; k++)
        assert_false(prefix_match(&s->prefix[k], &s->prefix[i].address) ||
                     prefix_match(&s->prefix[i], &s->prefix[k].address));
    for (int i = 0; i < ADDRESSES; i++) {
      struct socket_attrs t = {.local = i < count ? added[i].address
                                                  : random_address()};
      bool one = false;
      for (long k = 0; k < count; k++)
        one |= prefix_match(&added[k], &t.local);
      assert_int_equal(selector_match(s, &t), one);
      matches += one;
    }
    selector_free(s);
  }
  assert_in_range(matches, 2000 * ADDRESSES / 10, 2000 * ADDRESSES * 9 / 10);
}

static void values_match_by_their_mask(void **state) {
  (void)state;
  static const struct {
    enum selector_op op;
    struct selector_value value[2];
    struct socket_attrs match, other;
  } rows[] = {
      {SELECTOR_INTERFACE,
       {{2, UINT64_MAX}, {0, UINT64_MAX}},
       {.interface = 2},
       {.interface = 3}},
      {SELECTOR_INTERFACE,
       {{2, UINT64_MAX}, {0, UINT64_MAX}},
       {.interface = 0},
       {.interface = 1, .mark = 2, .cgroup = 2}},
      {SELECTOR_CGROUP,
       {{1ull << 40, UINT64_MAX}, {7, UINT64_MAX}},
       {.cgroup = 1ull << 40},
       {.cgroup = 1ull << 41, .interface = 7}},
      {SELECTOR_MARK,
       {{0x10, 0xf0}, {3, UINT32_MAX}},
       {.mark = 0x71a},
       {.mark = 0x23}},
      {SELECTOR_MARK,
       {{0x10, 0xf0}, {3, UINT32_MAX}},
       {.mark = 3},
       {.mark = 7}},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct selector *s = selector_new(rows[i].op);
    assert_false(selector_match(s, &rows[i].match)); /* none */
    assert_int_equal(selector_add_value(s, rows[i].value[0]), 0);
    assert_int_equal(selector_add_value(s, rows[i].value[1]), 0);
    assert_true(selector_match(s, &rows[i].match));
    assert_false(selector_match(s, &rows[i].other));
    selector_free(s);
  }
}

static void inbound_matches_the_direction(void **state) {
  (void)state;
  struct selector *s = selector_new(SELECTOR_INBOUND);
  struct socket_attrs t = {.inbound = false};
  assert_false(selector_match(s, &t));
  t.inbound = true;
  assert_true(selector_match(s, &t));
  selector_free(s);
}

static void loopback_matches_either_end_or_equal_ends(void **state) {
  (void)state;
  static const struct {
    const char *local, *remote;
    bool match;
  } rows[] = {
      {"127.0.0.1", "127.0.0.1", true},
      {"127.0.0.1", "10.0.0.1", true},
      {"10.0.0.1", "127.9.9.9", true},
      {"::1", "::1", true},
      {"2001:db8::1", "::1", true},
      {"10.0.0.1", "10.0.0.1", true},
      {"2001:db8::1", "2001:db8::1", true},
      {"10.0.0.1", "10.0.0.2", false},
      {"2001:db8::1", "2001:db8::2", false},
      {"0.0.0.0", "0.0.0.0", false},
      {"::", "::", false},
      {"127.0.0.1", "0.0.0.0", true},
      {"::1", "::", true},
      {"10.0.0.1", "0.0.0.0", false},
  };
  struct selector *s = selector_new(SELECTOR_LOOPBACK);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct socket_attrs t = tuple(rows[i].local, 1, rows[i].remote, 2);
    if (selector_match(s, &t) != rows[i].match)
      fail_msg("%s to %s", rows[i].local, rows[i].remote);
  }
  selector_free(s);
}

static void and_or_and_not_combine_conditions(void **state) {
  (void)state;
  struct socket_attrs t = tuple("10.0.0.1", 80, "10.0.0.2", 5000);
  struct selector *and = selector_new(SELECTOR_AND);
  struct selector * or = selector_new(SELECTOR_OR);
  struct selector *not = selector_new(SELECTOR_NOT);
  assert_true(selector_match(and, &t)); /* without children */
  assert_false(selector_match(or, &t));

  assert_int_equal(selector_add_child(and, or), 0);
  assert_false(selector_match(and, &t));
  struct selector *leaf = ports(SELECTOR_LOCAL_PORT, 81, 81);
  assert_int_equal(selector_add_child(or, leaf), 0);
  assert_int_equal(selector_add_child(or, ports(SELECTOR_LOCAL_PORT, 80, 80)),
                   0);
  assert_true(selector_match(and, &t));
  assert_int_equal(
      selector_add_child(not, ports(SELECTOR_REMOTE_PORT, 5000, 5000)), 0);
  assert_false(selector_match(not, &t));
  assert_int_equal(selector_add_child(and, not ), 0);
  assert_false(selector_match(and, &t));
  t.remote_port = 5001;
  assert_true(selector_match(and, &t));
  t.local_port = 82;
  assert_false(selector_match(and, &t));

  assert_int_equal(selector_add_child(and, NULL), -1);
  assert_int_equal(and->count, 2);
  and = selector_wrap(SELECTOR_NOT, and);
  assert_int_equal(and->op, SELECTOR_NOT);
  assert_int_equal(and->count, 1);
  assert_true(selector_match(and, &t));
  assert_null(selector_wrap(SELECTOR_NOT, NULL));
  selector_free(and);
  selector_free(NULL);
}

static void uses_finds_a_node_anywhere(void **state) {
  (void)state;
  struct selector *and = selector_new(SELECTOR_AND);
  struct selector *negated = selector_new(SELECTOR_NOT);
  assert_int_equal(selector_add_child(and, ports(SELECTOR_LOCAL_PORT, 1, 9)),
                   0);
  assert_int_equal(selector_add_child(and, negated), 0);
  assert_int_equal(selector_add_child(negated, selector_new(SELECTOR_INBOUND)),
                   0);
  for (int op = 0; op < SELECTOR_OP_COUNT; op++)
    assert_int_equal(selector_uses(and, (enum selector_op)op),
                     op == SELECTOR_AND || op == SELECTOR_NOT ||
                         op == SELECTOR_LOCAL_PORT || op == SELECTOR_INBOUND);
  selector_free(and);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(port_matches_its_ranges),
      cmocka_unit_test(port_ranges_are_sorted_and_joined),
      cmocka_unit_test(random_port_ranges_match_their_union),
      cmocka_unit_test(address_matches_its_prefixes),
      cmocka_unit_test(prefixes_are_sorted_and_none_covers_another),
      cmocka_unit_test(random_prefixes_match_what_one_of_them_holds),
      cmocka_unit_test(values_match_by_their_mask),
      cmocka_unit_test(inbound_matches_the_direction),
      cmocka_unit_test(loopback_matches_either_end_or_equal_ends),
      cmocka_unit_test(and_or_and_not_combine_conditions),
      cmocka_unit_test(uses_finds_a_node_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
