/* Covers by themselves: what is joined, what is kept apart. */
#include "filter/cover.h"
#include "support/build_selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_ports(const struct selector *s, size_t limit, size_t count,
                         ...) {
  struct port_cover c;
  va_list ap;
  cover_ports(s, limit, &c);
  assert_int_equal(c.count, count);
  va_start(ap, count);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(c.range[i].low, va_arg(ap, int));
    assert_int_equal(c.range[i].high, va_arg(ap, int));
  }
  va_end(ap);
}

/* Gaps: 10, 300, 20, 1000, 100. */
static void ports_join_over_the_narrowest_gaps(void **state) {
  (void)state;
  struct selector *s = build_ports(SELECTOR_LOCAL_PORT, 6, 0, 90, 100, 100, 400,
                                   480, 500, 600, 1600, 1700, 1800, 65535);
  assert_ports(s, COVER_ALL, 6, 0, 90, 100, 100, 400, 480, 500, 600, 1600, 1700,
               1800, 65535);
  assert_ports(s, 4, 4, 0, 100, 400, 600, 1600, 1700, 1800, 65535);
  assert_ports(s, 3, 3, 0, 100, 400, 600, 1600, 65535);
  assert_ports(s, 2, 2, 0, 600, 1600, 65535);
  assert_ports(s, 1, 1, 0, 65535);
  selector_free(s);

  s = selector_new(SELECTOR_LOCAL_PORT);
  assert_ports(s, 1, 0);
  selector_free(s);
}

/* A list that is no longer than the limit is the selector's own. */
static void list_within_the_limit_is_the_selectors_own(void **state) {
  (void)state;
  struct selector *s =
      build_ports(SELECTOR_LOCAL_PORT, 4, 1, 1, 3, 3, 5, 5, 7, 7);
  struct port_cover ports;
  cover_ports(s, COVER_PORTS_MAX, &ports);
  assert_ptr_equal(ports.range, s->port);
  assert_int_equal(ports.count, 4);
  selector_free(s);

  s = build_addresses(SELECTOR_LOCAL_ADDRESS, 2, "10.0.0.1", "10.0.0.2");
  struct prefix_cover prefixes;
  cover_prefixes(s, 2, &prefixes);
  assert_ptr_equal(prefixes.prefix, s->prefix);
  assert_int_equal(prefixes.count, 2);
  selector_free(s);
}

/* Tells if the cover of `s` is just these prefixes, in any order. */
static void assert_prefixes(const struct selector *s, size_t limit,
                            size_t count, ...) {
  struct prefix_cover c;
  va_list ap;
  cover_prefixes(s, limit, &c);
  assert_int_equal(c.count, count);
  va_start(ap, count);
  for (size_t i = 0; i < count; i++) {
    const char *text = va_arg(ap, const char *);
    struct prefix p = build_prefix(text);
    size_t found = 0;
    for (size_t j = 0; j < c.count; j++) {
      struct address a = address_network(&c.prefix[j].address, p.bits);
      found += c.prefix[j].bits == p.bits && address_equal(&a, &p.address);
    }
    if (found != 1)
      fail_msg("%zu of %s", found, text);
  }
  va_end(ap);
}

static void prefixes_join_with_the_nearest(void **state) {
  (void)state;
  struct selector *s =
      build_addresses(SELECTOR_REMOTE_ADDRESS, 6, "10.1.1.0/24", "10.1.2.0/24",
                      "10.128.0.1", "192.0.2.1", "2001:db8::1", "fe80::1");
  assert_prefixes(s, 5, 5, "10.1.0.0/22", "10.128.0.1", "192.0.2.1",
                  "2001:db8::1", "fe80::1");
  assert_prefixes(s, 4, 4, "10.0.0.0/8", "192.0.2.1", "2001:db8::1", "fe80::1");
  /* Both have nothing in common; the first is joined. */
  assert_prefixes(s, 3, 3, "0.0.0.0/0", "2001:db8::1", "fe80::1");
  assert_prefixes(s, 2, 2, "0.0.0.0/0", "::/0");
  selector_free(s);
}

/* 20 bits of IPv4 are worth 40 of IPv6. */
static void prefixes_of_two_families_do_not_join(void **state) {
  (void)state;
  struct selector *s =
      build_addresses(SELECTOR_REMOTE_ADDRESS, 4, "10.0.0.1", "10.0.8.1",
                      "2001:db8::1", "2001:db8:100::1");
  assert_prefixes(s, 3, 3, "10.0.0.0/20", "2001:db8::1", "2001:db8:100::1");
  selector_free(s);
  s = build_addresses(SELECTOR_REMOTE_ADDRESS, 4, "10.0.0.1", "10.0.8.1",
                      "2001:db8::1", "2001:db8:1::1");
  assert_prefixes(s, 3, 3, "10.0.0.1", "10.0.8.1", "2001:db8::/47");
  selector_free(s);

  /* As bytes, ::1 is nearer to IPv4 than to any other here. */
  s = build_addresses(SELECTOR_REMOTE_ADDRESS, 5, "10.0.0.1", "10.0.0.2",
                      "192.0.2.1", "::1", "fe80::1");
  assert_prefixes(s, 3, 3, "0.0.0.0/0", "::1", "fe80::1");
  selector_free(s);

  struct prefix p = build_prefix("0.0.0.0/0");
  assert_true(prefix_is_ipv4(&p));
  p = build_prefix("::ffff:0:0/95");
  assert_false(prefix_is_ipv4(&p));
}

/* COVER_ALL is no number that a list could pass. */
static void no_list_is_longer_than_cover_all(void **state) {
  (void)state;
  enum { MANY = 70000 };
  struct selector s = {.op = SELECTOR_LOCAL_ADDRESS,
                       .count = MANY,
                       .prefix = calloc(MANY, sizeof(*s.prefix))};
  assert_non_null(s.prefix);
  for (uint32_t i = 0; i < MANY; i++)
    s.prefix[i] = (struct prefix){.address = {{[10] = 0xff,
                                               0xff,
                                               10,
                                               (uint8_t)(i >> 16),
                                               (uint8_t)(i >> 8),
                                               (uint8_t)i}},
                                  .bits = 128};
  struct prefix_cover c;
  cover_prefixes(&s, COVER_ALL, &c);
  assert_int_equal(c.count, MANY);
  assert_ptr_equal(c.prefix, s.prefix);
  assert_prefixes(&s, 2, 2, "10.0.0.0/16", "10.1.0.0/19");
  free(s.prefix);
}

/* Frees `s`. */
static void assert_hull(struct selector *s, enum selector_op side, int low,
                        int high) {
  struct port_range r = cover_hull(s, side);
  assert_int_equal(r.low, low);
  assert_int_equal(r.high, high);
  selector_free(s);
}

static struct selector *local(int low, int high) {
  return build_ports(SELECTOR_LOCAL_PORT, 1, low, high);
}

static void hull_covers_all_ports_that_can_match(void **state) {
  (void)state;
  enum selector_op side = SELECTOR_LOCAL_PORT;
  assert_hull(build_ports(side, 3, 10, 19, 30, 39, 50, 59), side, 10, 59);
  assert_hull(local(10, 19), SELECTOR_REMOTE_PORT, 0, 65535);
  assert_hull(build_tree(SELECTOR_OR, 2, local(10, 19), local(5, 7)), side, 5,
              19);
  assert_hull(build_tree(SELECTOR_AND, 2, local(10, 19), local(15, 30)), side,
              15, 19);
  assert_hull(build_tree(SELECTOR_AND, 2, local(10, 19),
                         selector_new(SELECTOR_LOOPBACK)),
              side, 10, 19);
  assert_hull(build_tree(SELECTOR_OR, 2, local(10, 19),
                         selector_new(SELECTOR_LOOPBACK)),
              side, 0, 65535);
  assert_hull(build_tree(SELECTOR_NOT, 1, local(10, 19)), side, 0, 65535);
  assert_hull(selector_new(SELECTOR_AND), side, 0, 65535);
  assert_hull(selector_new(SELECTOR_OR), side, 65535, 0);
  assert_hull(selector_new(side), side, 65535, 0);
  assert_hull(build_tree(SELECTOR_AND, 2, local(10, 19), local(30, 39)), side,
              30, 19);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ports_join_over_the_narrowest_gaps),
      cmocka_unit_test(list_within_the_limit_is_the_selectors_own),
      cmocka_unit_test(prefixes_join_with_the_nearest),
      cmocka_unit_test(prefixes_of_two_families_do_not_join),
      cmocka_unit_test(no_list_is_longer_than_cover_all),
      cmocka_unit_test(hull_covers_all_ports_that_can_match),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
