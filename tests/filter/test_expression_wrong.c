/* The filter language: the one line, with its column, for each text that is no
 * expression, some of which are one for ss(8); and what is too deep or too
 * long. */
#include "filter/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONDITION                                                              \
  "src, dst, sport, dport, dev, fwmark, cgroup, autobound, not or ("
#define PORT "a port: 0 to 65535 or a TCP service's name"
#define ADDRESS "an address, or one with \"/\" and a length"
#define WHOLE "a whole address, one with a length, or \":\" before a port"
#define NAMES "an address (host names are not looked up)"
#define BRACKETS "an IPv6 address in brackets"
#define DEVICE                                                                 \
  "the name of a network device, at most 15 characters, or the index of one"
#define CGROUP "the path of a control group, not above the topmost"

static void errors_give_the_column_and_what_was_expected(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int column;
    const char *expected, *found; /* NULL: the end */
  } rows[] = {
      {"", 1, CONDITION, NULL},
      {"  ", 3, CONDITION, NULL},
      {"web", 1, CONDITION, "web"},
      {"state established", 1, CONDITION, "state"},
      {"SPORT = :80", 1, CONDITION, "SPORT"},
      {"sport = :80 AND dport = :80", 13, CONDITION, "AND"},
      {"10.0.0.1", 1, CONDITION, "10.0.0.1"},
      {"and", 1, CONDITION, "and"},
      {"or sport = :80", 1, CONDITION, "or"},
      {"sport = :80 or", 15, CONDITION, NULL},
      {"sport = :80 and and dport = :1", 17, CONDITION, "and"},
      {"not", 4, CONDITION, NULL},
      {"sport = :80 not", 16, CONDITION, NULL},
      {"( )", 3, CONDITION, ")"},
      {"(", 2, CONDITION, NULL},
      {"= :80", 1, CONDITION, "="},
      {"dst 10.0.0.1 10.0.0.2", 14, CONDITION, "10.0.0.2"},
      {"autobound = 1", 11, CONDITION, "="},
      {"( sport = :80", 14, "another condition or )", NULL},
      {"((sport = :80) or dport = :80", 30, "another condition or )", NULL},
      {"sport = :80 )", 13, "another condition or the end", ")"},
      {"(sport = :80)) dport = :1", 14, "another condition or the end", ")"},
      {"sport", 6, "a port", NULL},
      {"sport =", 8, "a port", NULL},
      {"(sport =)", 9, "a port", ")"},
      {"sport = or dport = :80", 9, PORT ", or *", "or"},
      {"sport = = :80", 9, "a port", "="},
      {"sport === :80", 9, "a port", "="},
      {"sport <> :80", 8, "a port", ">"},
      {"sport = :", 10, PORT ", or *", NULL},
      {"sport = :httpx", 10, PORT ", or *", "httpx"},
      {"sport = httpx", 9, PORT ", or *", "httpx"},
      {"sport = :80-90", 10, PORT ", or *", "80-90"},
      {"sport = :65536", 10, PORT ", or *", "65536"},
      {"sport = :99999999999999999999", 10, PORT ", or *",
       "99999999999999999999"},
      {"sport = -1", 9, PORT ", or *", "-1"},
      {"sport = +1", 9, PORT ", or *", "+1"},
      {"sport = :0x", 10, PORT ", or *", "0x"},
      {"sport = 10.0.0.1:22", 9, PORT ", or *", "10.0.0.1:22"},
      {"sport = inet:x", 14, PORT ", or *", "x"},
      {"sport >= *", 10, PORT, "*"},
      {"sport > :x", 10, PORT, "x"},
      /* Octal for ss. */
      {"sport = :022", 10, PORT ", or *", "022"},
      {"dst", 4, "an address", NULL},
      {"dst =", 6, "an address", NULL},
      {"dst >= 10.0.0.1", 5, "= or !=", ">="},
      {"dst lt 10.0.0.1", 5, "= or !=", "lt"},
      {"dst localhost", 5, NAMES, "localhost"},
      {"dst db.example.org:443", 5, NAMES, "db.example.org:443"},
      {"dst unix:x", 5, NAMES, "unix:x"},
      {"dst *80", 5, NAMES, "*80"},
      /* 10.0.0.0 and 10.1.0.0 for ss, 10.0.0.1 for ping. */
      {"dst 10", 5, WHOLE, "10"},
      {"dst 10.1", 5, WHOLE, "10.1"},
      {"dst 443", 5, WHOLE, "443"},
      {"dst 10.0.0.256", 5, WHOLE, "10.0.0.256"},
      {"dst 010.0.0.1", 5, WHOLE, "010.0.0.1"},
      {"dst 10.0.0.0/33", 5, ADDRESS, "10.0.0.0/33"},
      {"dst 10.0.0.0/", 5, ADDRESS, "10.0.0.0/"},
      {"dst 10.0.0.0/255.0.255.0", 5, ADDRESS, "10.0.0.0/255.0.255.0"},
      {"dst 10.0.0.0/8/8", 5, ADDRESS, "10.0.0.0/8/8"},
      {"dst /8", 5, ADDRESS, "/8"},
      {"dst [2001:db8::/129]", 5, ADDRESS, "[2001:db8::/129]"},
      {"dst [2001:db8::]/129", 5, ADDRESS, "[2001:db8::]/129"},
      {"dst [::/64]/64", 5, ADDRESS, "[::/64]/64"},
      {"dst []", 5, ADDRESS, "[]"},
      {"dst [::1", 5, BRACKETS, "[::1"},
      {"dst [::1]]", 5, ADDRESS, "[::1]]"},
      {"dst [[::1]]", 5, ADDRESS, "[[::1]]"},
      {"dst x[::1]", 5, BRACKETS, "x[::1]"},
      {"dst [::1]80", 5, ADDRESS, "[::1]80"},
      {"dst ::1", 5, BRACKETS, "::1"},
      /* fe80::1 and port 80 for ss. */
      {"dst fe80::1:80", 5, BRACKETS, "fe80::1:80"},
      {"dst 10.0.0.1:80:90", 5, BRACKETS, "10.0.0.1:80:90"},
      {"dst [fe80::1%lo]", 5, NAMES, "[fe80::1%lo]"},
      {"dst 10.0.0.1:", 14, PORT ", or *", NULL},
      {"dst *:", 7, PORT ", or *", NULL},
      {"dst 10.0.0.1:70000", 14, PORT ", or *", "70000"},
      {"dst [::1]:x", 11, PORT ", or *", "x"},
      {"dst inet6:[::1]:x", 17, PORT ", or *", "x"},
      {"dst inet:", 10, ADDRESS, NULL},
      {"dst inet:[::1]", 10, "an IPv4 address behind inet:", "[::1]"},
      {"dst inet6:10.0.0.1", 11, "an IPv6 address behind inet6:", "10.0.0.1"},
      {"dev", 4, "a network device", NULL},
      {"dev no-such-device-0", 5, DEVICE, "no-such-device-0"},
      {"dev a/b", 5, DEVICE, "a/b"},
      {"dev eth0:1", 5, DEVICE, "eth0:1"},
      {"dev eth\\ 0", 5, DEVICE, "eth\\"},
      {"dev .", 5, DEVICE, "."},
      {"dev ..", 5, DEVICE, ".."},
      {"dev 4294967296", 5, DEVICE, "4294967296"},
      {"dev > lo", 5, "= or !=", ">"},
      {"(dev )", 6, "a network device", ")"},
      {"fwmark", 7, "a mark", NULL},
      {"fwmark x", 8, "a mark, such as 0x10 or 0x1/0xff", "x"},
      {"fwmark -1", 8, "a mark, such as 0x10 or 0x1/0xff", "-1"},
      {"fwmark 1x", 8, "a mark, such as 0x10 or 0x1/0xff", "1x"},
      {"fwmark 0x100000000", 8, "a mark, such as 0x10 or 0x1/0xff",
       "0x100000000"},
      {"fwmark 1/", 10, "a mask of 32 bits, such as 0xff", NULL},
      {"fwmark 1/z", 10, "a mask of 32 bits, such as 0xff", "z"},
      {"fwmark >= 1", 8, "= or !=", ">="},
      {"cgroup", 7, "the path of a control group", NULL},
      {"cgroup ../../../proc", 8, CGROUP, "../../../proc"},
      {"cgroup = /a/../..", 10, CGROUP, "/a/../.."},
      {"cgroup a/.././../b", 8, CGROUP, "a/.././../b"},
      {"cgroup <= x", 8, "= or !=", "<="},
      /* Columns are characters; what is shown is cut, and one line. */
      {"dev /\xc3\xa9\xc3\xa9 x", 5, DEVICE, "/\xc3\xa9\xc3\xa9"},
      {"(cgroup \xc3\xa9 or ) x", 14, CONDITION, ")"},
      {"sport = :1 \xe2\x82\xac\xe2\x82\xac \xc3\xa9", 12, CONDITION,
       "\xe2\x82\xac\xe2\x82\xac"},
      {"a\x01\x7f\x1b[0m", 1, CONDITION, "a???[0m"},
      {"aaaaaaaaaaaaaaaaaaaaaaaaa", 1, CONDITION,
       "aaaaaaaaaaaaaaaaaaaaaaaa..."},
      {"aaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9", 1, CONDITION,
       "aaaaaaaaaaaaaaaaaaaaaaa..."},
      {"sport = :1\nand\nx", 16, CONDITION, "x"},
  };
  int failed = 0;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char expected[256];
    struct error error = {.text = "accepted"};
    if (rows[i].found != NULL)
      snprintf(expected, sizeof(expected),
               "column %d: expected %s, found \"%s\"", rows[i].column,
               rows[i].expected, rows[i].found);
    else
      snprintf(expected, sizeof(expected),
               "column %d: expected %s, found the end", rows[i].column,
               rows[i].expected);
    struct selector *s = expression_parse(rows[i].text, &error);
    if (s != NULL || strcmp(error.text, expected) != 0) {
      failed++;
      print_error("%s\nexpected: %s\ngot:      %s\n", rows[i].text, expected,
                  error.text);
    }
    selector_free(s);
  }
  assert_int_equal(failed, 0);
  assert_null(expression_parse("x", NULL));
}

/* --- bounds --------------------------------------------------------------- */

static void repeat(char *out, const char *text, int count) {
  for (int i = 0; i < count; i++)
    out += sprintf(out, "%s", text);
}

static bool is_accepted(const char *text, struct error *error) {
  struct selector *s = expression_parse(text, error);
  struct socket_attrs t = {.local_port = 1};
  if (s != NULL)
    selector_match(s, &t);
  selector_free(s);
  return s != NULL;
}

#define DEPTH "expected at most 64 levels, found "

static void at_most_64_levels_are_accepted(void **state) {
  (void)state;
  static char text[1 << 16], tail[1 << 16];
  struct error error;

  repeat(text, "(", 64);
  repeat(tail, ")", 64);
  strcat(strcat(text, "sport 1"), tail);
  assert_true(is_accepted(text, &error));
  repeat(text, "( ", 65);
  assert_false(is_accepted(text, &error));
  assert_string_equal(error.text, "column 129: " DEPTH "\"(\"");
  repeat(text, "(", 30000);
  assert_false(is_accepted(text, &error));
  assert_string_equal(error.text,
                      "column 65: " DEPTH "\"((((((((((((((((((((((((...\"");

  repeat(text, "not ", 61); /* of something with three levels */
  strcat(text, "sport 1");
  assert_true(is_accepted(text, &error));
  repeat(text, "not ", 62);
  strcat(text, "sport 1");
  assert_false(is_accepted(text, &error));
  assert_string_equal(error.text, "column 1: " DEPTH "\"not\"");
  repeat(text, "!", 60000);
  assert_false(is_accepted(text, &error));

  /* Without parentheses: each change of the operator is one level more. */
  strcpy(text, "sport 1");
  repeat(text + 7, " or dport 2 and src [::1]", 30);
  assert_true(is_accepted(text, &error));
  repeat(text + 7, " or dport 2 and src [::1]", 2000);
  assert_false(is_accepted(text, &error));
  assert_string_equal(error.text, "column 770: " DEPTH "\"and\"");

  /* The same operator is none. */
  strcpy(text, "sport 1");
  repeat(text + 7, " and dport 2 and src [::1]", 2000);
  assert_true(is_accepted(text, &error));
}

static void at_most_65535_characters_are_accepted(void **state) {
  (void)state;
  static char text[1 << 17];
  struct error error;
  memset(text, ' ', sizeof(text) - 1);
  memcpy(text, "sport 1", 7);
  text[65535] = '\0';
  assert_true(is_accepted(text, &error));
  text[65535] = ' ';
  assert_false(is_accepted(text, &error));
  assert_string_equal(error.text, "column 65536: expected the end after 65535 "
                                  "characters, found the end");
  memset(text, 'x', sizeof(text) - 1);
  assert_false(is_accepted(text, &error));
}

static void cgroup_paths_that_no_file_system_has_are_refused(void **state) {
  (void)state;
  static char text[8192];
  struct error error;
  char *path = text + sprintf(text, "cgroup /");
  memset(path, 'x', 255);
  assert_true(is_accepted(text, &error));
  path[255] = 'x';
  assert_false(is_accepted(text, &error));
  for (int i = 255; i < 4094; i += 256)
    path[i] = '/', memset(path + i + 1, 'x', 255);
  path[4094] = '\0';
  assert_true(is_accepted(text, &error));
  strcpy(path + 4094, "x");
  assert_false(is_accepted(text, &error));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(errors_give_the_column_and_what_was_expected),
      cmocka_unit_test(at_most_64_levels_are_accepted),
      cmocka_unit_test(at_most_65535_characters_are_accepted),
      cmocka_unit_test(cgroup_paths_that_no_file_system_has_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
