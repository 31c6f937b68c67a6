/* The filter language: what an expression becomes, what that matches, and the
 * one line, with its column, for each that is none. That ss(8) means the same
 * is shown by live/test_filter.py. */
#include "filter/expression.h"
#include "filter/follow.h"
#include "support/selector_text.h"

#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cmocka.h>

/* Names have the meaning that they have on this host. */
static struct selector *parsed(const char *text) {
  struct error error = {.text = ""};
  struct selector *s = expression_parse(text, &error);
  if (s == NULL)
    fail_msg("%s: %s", text, error.text);
  struct follow *f = follow_new(NULL);
  assert_int_equal(follow_add(f, s), 0);
  follow_read(f);
  follow_free(f);
  return s;
}

static int differs(const char *text, const char *expected) {
  char got[4096];
  struct selector *s = parsed(text);
  int differs = strcmp(selector_text(s, got, sizeof(got)), expected) != 0;
  if (differs)
    print_error("%s\nexpected: %s\ngot:      %s\n", text, expected, got);
  selector_free(s);
  return differs;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void conditions_are_read_as_ss_reads_them(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"src 10.0.0.1", "(LocalAddress 10.0.0.1)"},
      {"dst 10.0.0.1", "(RemoteAddress 10.0.0.1)"},
      {"dst = 10.0.0.1", "(RemoteAddress 10.0.0.1)"},
      {"dst == 10.0.0.1", "(RemoteAddress 10.0.0.1)"},
      {"dst eq 10.0.0.1", "(RemoteAddress 10.0.0.1)"},
      {"dst != 10.0.0.1", "(not (RemoteAddress 10.0.0.1))"},
      {"dst ne 10.0.0.1", "(not (RemoteAddress 10.0.0.1))"},
      {"dst neq 10.0.0.1", "(not (RemoteAddress 10.0.0.1))"},
      {"dst 10.1.2.3/8", "(RemoteAddress 10.0.0.0/8)"},
      {"dst 10/8", "(RemoteAddress 10.0.0.0/8)"},
      {"dst 193.233.7/24", "(RemoteAddress 193.233.7.0/24)"},
      {"dst 10.0.0.0/255.128.0.0", "(RemoteAddress 10.0.0.0/9)"},
      {"dst 10.0.0.0/0.0.0.0", "(RemoteAddress 0.0.0.0/0)"},
      {"dst 10.0.0.1/255.255.255.255", "(RemoteAddress 10.0.0.1)"},
      {"dst 0.0.0.0/0", "(RemoteAddress 0.0.0.0/0)"},
      {"dst [::1]", "(RemoteAddress ::1)"},
      {"dst [10.0.0.1]", "(RemoteAddress 10.0.0.1)"},
      {"dst [2001:db8::/32]", "(RemoteAddress 2001:db8::/32)"},
      {"dst [2001:db8::]/32", "(RemoteAddress 2001:db8::/32)"},
      {"dst 2001:db8::/32", "(RemoteAddress 2001:db8::/32)"},
      {"dst [::]/0", "(RemoteAddress ::/0)"},
      {"dst [::ffff:10.0.0.1]", "(RemoteAddress 10.0.0.1)"},
      {"dst 10.0.0.1:443", "(and (RemoteAddress 10.0.0.1) (RemotePort 443))"},
      {"src 10.0.0.0/8:https",
       "(and (LocalAddress 10.0.0.0/8) (LocalPort 443))"},
      {"dst [::1]:443", "(and (RemoteAddress ::1) (RemotePort 443))"},
      {"dst [::]/32:443", "(and (RemoteAddress ::/32) (RemotePort 443))"},
      {"dst [::/32]:443", "(and (RemoteAddress ::/32) (RemotePort 443))"},
      {"dst ::/32:443", "(and (RemoteAddress ::/32) (RemotePort 443))"},
      {"dst != 10.0.0.1:443",
       "(not (and (RemoteAddress 10.0.0.1) (RemotePort 443)))"},
      {"dst 10.0.0.1:*", "(RemoteAddress 10.0.0.1)"},
      {"dst *:443", "(RemotePort 443)"},
      {"dst :443", "(RemotePort 443)"},
      {"dst any:443", "(RemotePort 443)"},
      {"dst *", "(and)"},
      {"dst *:*", "(and)"},
      {"dst any", "(and)"},
      {"dst all", "(and)"},
      {"dst default", "(and)"},
      {"dst != *", "(not (and))"},
      {"dst inet:10.0.0.1", "(RemoteAddress 10.0.0.1)"},
      {"dst inet:10/8:80", "(and (RemoteAddress 10.0.0.0/8) (RemotePort 80))"},
      {"dst inet:*", "(RemoteAddress 0.0.0.0/0)"},
      {"dst inet::80", "(and (RemoteAddress 0.0.0.0/0) (RemotePort 80))"},
      {"dst inet6:*", "(RemoteAddress ::/0)"},
      {"dst inet6:[::1]:80", "(and (RemoteAddress ::1) (RemotePort 80))"},
      {"dst inet6:2001:db8::/32", "(RemoteAddress 2001:db8::/32)"},
      {"sport = :80", "(LocalPort 80)"},
      {"sport = 80", "(LocalPort 80)"},
      {"sport :80", "(LocalPort 80)"},
      {"sport http", "(LocalPort 80)"},
      {"dport == :https", "(RemotePort 443)"},
      {"dport eq 0x1bb", "(RemotePort 443)"},
      {"dport != :443", "(not (RemotePort 443))"},
      {"dport ne :443", "(not (RemotePort 443))"},
      {"dport neq :443", "(not (RemotePort 443))"},
      {"dport >= :443", "(RemotePort 443-65535)"},
      {"dport geq :443", "(RemotePort 443-65535)"},
      {"dport ge :443", "(RemotePort 443-65535)"},
      {"dport > :443", "(RemotePort 444-65535)"},
      {"dport gt https", "(RemotePort 444-65535)"},
      {"dport <= :443", "(RemotePort 0-443)"},
      {"dport leq :443", "(RemotePort 0-443)"},
      {"dport le :443", "(RemotePort 0-443)"},
      {"dport < :443", "(RemotePort 0-442)"},
      {"dport lt 443", "(RemotePort 0-442)"},
      {"dport = :0", "(RemotePort 0)"},
      {"dport >= :0", "(RemotePort 0-65535)"},
      {"dport < :0", "(RemotePort)"},
      {"dport > :65535", "(RemotePort)"},
      {"dport = *", "(and)"},
      {"dport != :*", "(not (and))"},
      {"sport = inet:80", "(and (LocalAddress 0.0.0.0/0) (LocalPort 80))"},
      {"sport > inet6::80", "(and (LocalAddress ::/0) (LocalPort 81-65535))"},
      {"dev lo", "(interface =lo 1)"},
      {"dev = lo", "(interface =lo 1)"},
      {"dev != lo", "(not (interface =lo 1))"},
      {"dev no-such-device", "(interface =no-such-device)"},
      {"dev != no-such-dev", "(not (interface =no-such-dev))"},
      {"dev -1", "(interface =-1)"},
      {"dev 0", "(interface 0)"},
      {"dev 0x10", "(interface 16)"},
      {"dev 4294967295", "(interface 4294967295)"},
      {"fwmark 17", "(mark 17)"},
      {"fwmark = 0x11", "(mark 17)"},
      {"fwmark 0x1/0x3", "(mark 1/3)"},
      {"fwmark != 1/0xffffffff", "(not (mark 1))"},
      {"fwmark 5/1", "(mark 5/1)"}, /* matches nothing, as in ss */
      {"fwmark 0/0", "(mark 0/0)"},
  };
  int failed = 0;
  for (size_t i = 0; i < COUNT(rows); i++)
    failed += differs(rows[i][0], rows[i][1]);
  assert_int_equal(failed, 0);
}

#define A "(LocalPort 1)"
#define B "(RemotePort 2)"
#define C "(LocalAddress ::1)"

static void operators_join_from_the_left(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"sport 1 and dport 2", "(and " A " " B ")"},
      {"sport 1 & dport 2", "(and " A " " B ")"},
      {"sport 1 && dport 2", "(and " A " " B ")"},
      {"sport 1 dport 2", "(and " A " " B ")"},
      {"sport 1 or dport 2", "(or " A " " B ")"},
      {"sport 1 | dport 2", "(or " A " " B ")"},
      {"sport 1 || dport 2", "(or " A " " B ")"},
      {"not sport 1", "(not " A ")"},
      {"! sport 1", "(not " A ")"},
      {"not not sport 1", "(not (not " A "))"},
      {"!!sport 1", "(not (not " A "))"},
      {"( sport 1 )", A},
      {"((sport 1))", A},
      /* From the left, whichever operator it is. */
      {"sport 1 or dport 2 and src [::1]", "(and (or " A " " B ") " C ")"},
      {"sport 1 or dport 2 src [::1]", "(and (or " A " " B ") " C ")"},
      {"sport 1 and dport 2 or src [::1]", "(or (and " A " " B ") " C ")"},
      {"sport 1 dport 2 or src [::1]", "(or (and " A " " B ") " C ")"},
      {"sport 1 or ( dport 2 and src [::1] )", "(or " A " (and " B " " C "))"},
      {"sport 1 and ( dport 2 or src [::1] )", "(and " A " (or " B " " C "))"},
      {"sport 1 dport 2 src [::1]", "(and " A " " B " " C ")"},
      {"sport 1 or dport 2 or src [::1]", "(or " A " " B " " C ")"},
      {"sport 1 or dport 2 and src [::1] or sport 1",
       "(or (and (or " A " " B ") " C ") " A ")"},
      /* `not` takes one condition. */
      {"not sport 1 and dport 2", "(and (not " A ") " B ")"},
      {"not sport 1 or dport 2", "(or (not " A ") " B ")"},
      {"not ( sport 1 or dport 2 )", "(not (or " A " " B "))"},
      {"sport 1 or not dport 2", "(or " A " (not " B "))"},
      /* Spaces of any kind, or none. */
      {" \t\r\n sport \n 1 \t", A},
      {"(sport=:1||dport=:2)&&!src [::1]",
       "(and (or " A " " B ") (not " C "))"},
      {"sport=1&dport=2|src [::1]", "(or (and " A " " B ") " C ")"},
      {"!(sport 1)or(dport 2)", "(or (not " A ") " B ")"},
      {"sport!=1", "(not " A ")"},
      {"sport<=1", "(LocalPort 0-1)"},
      /* Alternatives of a kind are one list. */
      {"sport 1 or sport 2", "(LocalPort 1-2)"},
      {"sport 3 or sport 1 or sport >= 9", "(LocalPort 1 3 9-65535)"},
      {"src [::1] or dst [::1] or src 10/8 or dst 10/8",
       "(or (LocalAddress 10.0.0.0/8 ::1) (RemoteAddress 10.0.0.0/8 ::1))"},
      {"dev 3 or dev 5 or fwmark 1/3 or fwmark 2/2",
       "(or (interface 3 5) (mark 1/3 2/2))"},
      /* A name that is followed has a list of its own. */
      {"dev 3 or dev lo or dev 5 or dev x",
       "(or (interface 3 5) (interface =lo 1) (interface =x))"},
      {"dev lo or dev 3 or dev 5", "(or (interface =lo 1) (interface 3 5))"},
      {"sport 1 or ( sport 2 )", "(LocalPort 1-2)"},
      {"sport 1 or ( sport 2 and dport 2 )",
       "(or " A " (and (LocalPort 2) " B "))"},
      {"sport 1 and sport 2", "(and " A " (LocalPort 2))"},
      {"not sport 1 or not sport 2", "(or (not " A ") (not (LocalPort 2)))"},
      {"sport < 0 or sport 1", A},
      {"dst 10.0.0.1:1 or dst 10.0.0.1:2",
       "(or (and (RemoteAddress 10.0.0.1) (RemotePort 1)) "
       "(and (RemoteAddress 10.0.0.1) (RemotePort 2)))"},
  };
  int failed = 0;
  for (size_t i = 0; i < COUNT(rows); i++)
    failed += differs(rows[i][0], rows[i][1]);
  assert_int_equal(failed, 0);
}

/* --- what is matched ------------------------------------------------------ */

static struct address address(const char *text) {
  struct prefix p;
  if (!prefix_parse(text, &p))
    fail_msg("%s is no address", text);
  return p.address;
}

static void expressions_match_what_ss_matches(void **state) {
  (void)state;
  static const struct {
    const char *local;
    uint16_t local_port;
    const char *remote;
    uint16_t remote_port;
    uint32_t interface, mark;
  } socket[] = {
      {"10.0.0.1", 443, "10.0.0.2", 40000, 0, 0},
      {"10.0.0.1", 40001, "10.9.9.9", 443, 1, 0x11},
      {"127.0.0.1", 80, "127.0.0.1", 50000, 0, 0},
      {"::1", 80, "::1", 50001, 0, 0x12},
      {"2001:db8::1", 22, "2001:db8:0:1::5", 55555, 7, 0},
      {"::ffff:10.0.0.1", 443, "::ffff:10.0.0.3", 0, 0, 0x01},
  };
  enum { SOCKETS = COUNT(socket) };
  static const struct {
    const char *expression, *matched; /* a character a socket */
  } rows[] = {
      {"dst *", "111111"},
      {"dst != *", "000000"},
      {"sport = :443", "100001"},
      {"sport != :443", "011110"},
      {"src 10.0.0.1", "110001"},
      {"src inet:*", "111001"},
      {"src inet6:*", "000110"},
      {"src [::]/0", "000110"},
      {"src 0.0.0.0/0", "111001"},
      {"dst 10/8:443", "010000"},
      {"dst [2001:db8::/64]", "000000"},
      {"dst [2001:db8::/48]", "000010"},
      {"dport = :0", "000001"},
      {"dport > :0", "111110"},
      {"dport >= :50000 dport < :55555", "001100"},
      {"src 127/8 or src [::1]", "001100"},
      {"not ( src 127/8 or src [::1] )", "110011"},
      {"sport = :443 or sport = :80 and src 10/8", "100001"},
      {"sport = :443 or ( sport = :80 and src 127/8 )", "101001"},
      {"src 10/8 sport = :443 or sport = :22", "100011"},
      {"dev 0", "101101"},
      {"dev != 0", "010010"},
      {"dev lo", "010000"},
      {"fwmark 0x11", "010000"},
      {"fwmark 0x1/0xf", "010001"},
      {"fwmark 0x10/0xf0", "010100"},
      {"fwmark != 0x10/0xf0", "101011"},
      {"fwmark 0/0xf", "101010"},
      {"fwmark 0/0", "111111"},
      {"fwmark 5/1", "000000"},
  };
  int failed = 0;
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct selector *s = parsed(rows[i].expression);
    char got[SOCKETS + 1] = "";
    for (size_t k = 0; k < SOCKETS; k++) {
      struct socket_attrs t = {.local = address(socket[k].local),
                               .remote = address(socket[k].remote),
                               .local_port = socket[k].local_port,
                               .remote_port = socket[k].remote_port,
                               .interface = socket[k].interface,
                               .mark = socket[k].mark};
      got[k] = selector_match(s, &t) ? '1' : '0';
    }
    selector_free(s);
    if (strcmp(got, rows[i].matched) != 0) {
      failed++;
      print_error("%s: %s, not %s\n", rows[i].expression, got, rows[i].matched);
    }
  }
  assert_int_equal(failed, 0);
}

/* --- what depends on the host --------------------------------------------- */

static void autobound_is_the_hosts_port_range(void **state) {
  (void)state;
  unsigned low, high;
  char expected[64];
  FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%u %u", &low, &high), 2);
  fclose(f);
  snprintf(expected, sizeof(expected), "(LocalPort = %u-%u)", low, high);
  assert_int_equal(differs("autobound", expected), 0);
}

static void cgroup_is_found_by_its_path(void **state) {
  (void)state;
  static const char *const mount[] = {"/sys/fs/cgroup",
                                      "/sys/fs/cgroup/unified"};
  for (size_t i = 0; i < COUNT(mount); i++) {
    struct stat st;
    struct statfs fs;
    char text[128], expected[64];
    if (statfs(mount[i], &fs) != 0 || fs.f_type != 0x63677270 ||
        stat(mount[i], &st) != 0)
      continue;
    const unsigned long long id = st.st_ino;
    snprintf(expected, sizeof(expected), "(cgroup =%s %llu)", mount[i], id);
    snprintf(text, sizeof(text), "cgroup %s", mount[i]);
    assert_int_equal(differs(text, expected), 0);
    snprintf(expected, sizeof(expected), "(cgroup =%s/ %llu)", mount[i], id);
    assert_int_equal(differs("cgroup /", expected), 0);
    snprintf(expected, sizeof(expected), "(cgroup =%s/. %llu)", mount[i], id);
    assert_int_equal(differs("(cgroup =.)", expected), 0);
    assert_int_equal(differs("cgroup \\.", expected), 0);
    snprintf(expected, sizeof(expected), "(cgroup =%s/no/such)", mount[i]);
    snprintf(text, sizeof(text), "cgroup %s/no/such", mount[i]);
    assert_int_equal(differs(text, expected), 0);
    assert_int_equal(differs("cgroup no/such", expected), 0);
    return;
  }
  skip(); /* no control groups of version 2 here */
}

/* --- long ones ----------------------------------------------------------- */

/* A list of addresses becomes one list, not thousands of conditions. */
static void long_list_of_addresses_is_one_condition(void **state) {
  (void)state;
  static char text[1 << 16];
  char *at = text;
  for (int i = 0; i < 2000; i++)
    at += sprintf(at, "%sdst 10.%d.%d.0/24", i > 0 ? " or " : "", i / 250,
                  i % 250);
  struct selector *s = parsed(text);
  assert_int_equal(s->op, SELECTOR_REMOTE_ADDRESS);
  assert_int_equal(s->count, 2000);
  for (int i = 0; i < 2500; i += 7) {
    char remote[32];
    snprintf(remote, sizeof(remote), "10.%d.%d.77", i / 250, i % 250);
    struct socket_attrs t = {.remote = address(remote)};
    assert_int_equal(selector_match(s, &t), i < 2000);
  }
  selector_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(conditions_are_read_as_ss_reads_them),
      cmocka_unit_test(operators_join_from_the_left),
      cmocka_unit_test(expressions_match_what_ss_matches),
      cmocka_unit_test(autobound_is_the_hosts_port_range),
      cmocka_unit_test(cgroup_is_found_by_its_path),
      cmocka_unit_test(long_list_of_addresses_is_one_condition),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
