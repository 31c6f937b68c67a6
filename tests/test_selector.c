#include "selector.h"

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

static struct tuple tuple(const char *local, uint16_t local_port,
                          const char *remote, uint16_t remote_port) {
  return (struct tuple){.local = prefix(local).address,
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

static void test_ports(void **state) {
  (void)state;
  struct selector *s = selector_new(SELECTOR_LOCAL_PORT);
  struct tuple t = tuple("10.0.0.1", 443, "10.0.0.2", 5000);
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

static void test_ports_ordered(void **state) {
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
static void test_ports_random(void **state) {
  (void)state;
  srandom(1);
  for (int round = 0; round < 2000; round++) {
    struct selector *s = selector_new(SELECTOR_REMOTE_PORT);
    bool in[64] = {false};
    struct tuple t = {.local_port = 0};
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

static void test_addresses(void **state) {
  (void)state;
  struct selector *s = selector_new(SELECTOR_REMOTE_ADDRESS);
  struct tuple t = tuple("192.0.2.1", 1, "10.9.8.7", 2);
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

static void test_loopback(void **state) {
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
    struct tuple t = tuple(rows[i].local, 1, rows[i].remote, 2);
    if (selector_match(s, &t) != rows[i].match)
      fail_msg("%s to %s", rows[i].local, rows[i].remote);
  }
  selector_free(s);
}

static void test_tree(void **state) {
  (void)state;
  struct tuple t = tuple("10.0.0.1", 80, "10.0.0.2", 5000);
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
  selector_free(and);
  selector_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ports),        cmocka_unit_test(test_ports_ordered),
      cmocka_unit_test(test_ports_random), cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_loopback),     cmocka_unit_test(test_tree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
