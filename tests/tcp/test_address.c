#include "tcp/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct address address(const char *text) {
  struct prefix p;
  if (!prefix_parse(text, &p) || p.bits != 128)
    fail_msg("%s is no address", text);
  return p.address;
}

static void mapped_address_equals_the_ipv4_address(void **state) {
  (void)state;
  uint32_t v4[4] = {htonl(0x0a000001), 0xdead, 0xbeef, 1};
  uint32_t mapped[4] = {0, 0, htonl(0xffff), htonl(0x0a000001)};
  struct address a = address_from_inet(AF_INET, v4);
  struct address b = address_from_inet(AF_INET6, mapped);
  struct address c = address("10.0.0.1");
  assert_memory_equal(&a, &c, sizeof(a));
  assert_memory_equal(&b, &c, sizeof(b));
  mapped[1] = 1;
  b = address_from_inet(AF_INET6, mapped);
  assert_false(address_is_ipv4(&b));
}

static void kind_of_an_address_is_known(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool ipv4, any, loopback;
  } rows[] = {
      {"0.0.0.0", true, true, false},
      {"::", false, true, false},
      {"::ffff:0.0.0.0", true, true, false},
      {"127.0.0.1", true, false, true},
      {"127.255.255.255", true, false, true},
      {"126.255.255.255", true, false, false},
      {"128.0.0.0", true, false, false},
      {"::ffff:127.0.0.2", true, false, true},
      {"::127.0.0.1", false, false, false},
      {"::1", false, false, true},
      {"::2", false, false, false},
      {"1::1", false, false, false},
      {"1::", false, false, false},
      {"10.0.0.0", true, false, false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct address a = address(rows[i].text);
    if (address_is_ipv4(&a) != rows[i].ipv4 ||
        address_is_any(&a) != rows[i].any ||
        address_is_loopback(&a) != rows[i].loopback)
      fail_msg("%s", rows[i].text);
  }
}

static void addresses_are_written_as_rfc_5952_says(void **state) {
  (void)state;
  /* The examples of RFC 5952, sections 4 and 5, are among them. */
  static const char *const rows[][2] = {
      {"10.1.2.3", "10.1.2.3"},
      {"255.255.255.255", "255.255.255.255"},
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"::1:2", "::1:2"},
      {"2001:0db8::0001", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:DB8::ABCD", "2001:db8::abcd"},
      {"0:1::", "0:1::"},
      {"0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
      {"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
      {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char text[ADDRESS_TEXT_MAX];
    struct address a = address(rows[i][0]);
    assert_ptr_equal(address_format(&a, text), text);
    assert_string_equal(text, rows[i][1]);
  }
}

/* inet_pton(3) reads back whatever was written. */
static void written_addresses_are_read_back(void **state) {
  (void)state;
  srandom(1);
  for (int i = 0; i < 100000; i++) {
    struct address a, b;
    char text[ADDRESS_TEXT_MAX];
    for (int j = 0; j < 16; j += 2) {
      a.bytes[j] = random() % 2 ? 0 : (uint8_t)random();
      a.bytes[j + 1] = random() % 2 ? 0 : (uint8_t)random();
    }
    if (address_is_ipv4(&a))
      continue;
    assert_int_equal(inet_pton(AF_INET6, address_format(&a, text), &b), 1);
    assert_true(address_equal(&a, &b));
  }
}

static void prefixes_are_parsed(void **state) {
  (void)state;
  static const struct {
    const char *text, *address;
    unsigned bits;
  } rows[] = {
      {"10.0.0.1", "10.0.0.1", 128},
      {"10.0.0.0/8", "10.0.0.0", 104},
      {"10.255.3.4/9", "10.128.0.0", 105},
      {"0.0.0.0/0", "0.0.0.0", 96},
      {"1.2.3.4/0", "0.0.0.0", 96},
      {"1.2.3.4/32", "1.2.3.4", 128},
      {"::/0", "::", 0},
      {"::1", "::1", 128},
      {"2001:db8::/32", "2001:db8::", 32},
      {"2001:db8:ffff::/33", "2001:db8:8000::", 33},
      {"fe80::1/128", "fe80::1", 128},
      {"::ffff:10.0.0.0/104", "10.0.0.0", 104},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct prefix p;
    struct address a = address(rows[i].address);
    if (!prefix_parse(rows[i].text, &p) || p.bits != rows[i].bits ||
        !address_equal(&p.address, &a))
      fail_msg("%s", rows[i].text);
  }

  static const char *const wrong[] = {
      "",
      "/",
      "/8",
      "10.0.0",
      "10.0.0.0/",
      "10.0.0.0/33",
      "10.0.0.0/-1",
      "10.0.0.0/+8",
      "10.0.0.0/ 8",
      "10.0.0.0/8x",
      "10.0.0.0/08",
      "10.0.0.0/8/8",
      "10.0.0.256",
      "10.0.0.1:80",
      " 10.0.0.1",
      "10.0.0.1 ",
      "::/129",
      "::1::",
      "[::1]",
      "fe80::1%lo",
      "localhost",
      "2001:db8::/4294967296",
      "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/8"};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct prefix p, before;
    memset(&p, 0x5a, sizeof(p));
    before = p;
    if (prefix_parse(wrong[i], &p))
      fail_msg("\"%s\" was taken", wrong[i]);
    assert_memory_equal(&p, &before, sizeof(p));
  }
}

static void prefixes_match_their_addresses(void **state) {
  (void)state;
  static const struct {
    const char *prefix, *address;
    bool match;
  } rows[] = {
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.0.0.0/8", "::ffff:10.0.0.9", true},
      {"10.128.0.0/9", "10.127.255.255", false},
      {"10.128.0.0/9", "10.128.0.0", true},
      {"10.0.0.1", "10.0.0.1", true},
      {"10.0.0.1", "10.0.0.0", false},
      {"0.0.0.0/0", "255.1.2.3", true},
      {"0.0.0.0/0", "::", false},
      {"0.0.0.0/0", "::1.2.3.4", false},
      {"::ffff:0:0/96", "1.2.3.4", true},
      {"::/0", "2001:db8::1", true},
      {"::/0", "::", true},
      {"::/0", "1.2.3.4", false},
      {"::/64", "1.2.3.4", false},
      {"::ffff:0:0/95", "1.2.3.4", false},
      {"::fffe:0:0/95", "::fffe:0:1", true},
      {"2001:db8::/32", "2001:db8:ffff::", true},
      {"2001:db8::/32", "2001:db9::", false},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::1", "::1", true},
      {"::1", "::2", false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct prefix p;
    struct address a = address(rows[i].address);
    assert_true(prefix_parse(rows[i].prefix, &p));
    if (prefix_match(&p, &a) != rows[i].match)
      fail_msg("%s, %s", rows[i].prefix, rows[i].address);
  }
}

static void port_ranges_are_parsed(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint16_t low, high;
  } rows[] = {{"1", 1, 1},
              {"443", 443, 443},
              {"65535", 65535, 65535},
              {"8000-8099", 8000, 8099},
              {"7-7", 7, 7},
              {"1-65535", 1, 65535}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct port_range r;
    if (!port_range_parse(rows[i].text, &r) || r.low != rows[i].low ||
        r.high != rows[i].high)
      fail_msg("%s", rows[i].text);
  }

  static const char *const wrong[] = {
      "",      "0",     "65536", "99999", "100000",  "4294967739",
      "-",     "-1",    "1-",    "2-1",   "0-1",     "1-65536",
      "1-2-3", "1--2",  "+1",    " 1",    "1 ",      "1 - 2",
      "0443",  "0x1BB", "1.5",   "https", "1-https", "111111111111111111111"};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct port_range r = {.low = 11, .high = 22};
    if (port_range_parse(wrong[i], &r))
      fail_msg("\"%s\" was taken", wrong[i]);
    assert_int_equal(r.low, 11);
    assert_int_equal(r.high, 22);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mapped_address_equals_the_ipv4_address),
      cmocka_unit_test(kind_of_an_address_is_known),
      cmocka_unit_test(addresses_are_written_as_rfc_5952_says),
      cmocka_unit_test(written_addresses_are_read_back),
      cmocka_unit_test(prefixes_are_parsed),
      cmocka_unit_test(prefixes_match_their_addresses),
      cmocka_unit_test(port_ranges_are_parsed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
