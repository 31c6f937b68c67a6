/* The line for a wrong setting: its parts, how long text is cut, and the
 * distance of names. */
#include "collectd/config_error.h"

#include <collectd/liboconfig/oconfig.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static oconfig_value_t text_value(const char *text) {
  oconfig_value_t v = {.type = OCONFIG_TYPE_STRING};
  v.value.string = (char *)text;
  return v;
}

static void line_is(const char *group, const oconfig_value_t *value,
                    const char *expected) {
  struct error error = {""};
  const struct config_error e = {.group = group,
                                 .option = "LocalPort",
                                 .value = value,
                                 .problem = "not a port",
                                 .legal = "1 to 9"};
  assert_int_equal(config_error_set(&error, &e), -1);
  assert_string_equal(error.text, expected);
}

static void line_names_group_option_value_and_what_is_legal(void **state) {
  (void)state;
  oconfig_value_t v = text_value("x");
  line_is("web", &v,
          "Group \"web\": LocalPort \"x\": not a port; legal is 1 to 9");
  line_is(NULL, &v, "LocalPort \"x\": not a port; legal is 1 to 9");
  line_is("web", NULL, "Group \"web\": LocalPort: not a port; legal is 1 to 9");
  line_is(NULL, NULL, "LocalPort: not a port; legal is 1 to 9");
}

static void numbers_and_booleans_are_shown_as_a_user_writes_them(void **state) {
  (void)state;
  oconfig_value_t v = {.type = OCONFIG_TYPE_NUMBER};
  static const struct {
    double number;
    const char *shown;
  } pairs[] = {{80, "80"},
               {0.1, "0.1"},
               {-1, "-1"},
               {10000001, "10000001"},
               {123456789012345, "123456789012345"}};
  for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    char expected[128];
    v.value.number = pairs[i].number;
    snprintf(expected, sizeof(expected),
             "LocalPort \"%s\": not a port; legal is 1 to 9", pairs[i].shown);
    line_is(NULL, &v, expected);
  }
  v.type = OCONFIG_TYPE_BOOLEAN;
  v.value.boolean = 1;
  line_is(NULL, &v, "LocalPort \"true\": not a port; legal is 1 to 9");
  v.value.boolean = 0;
  line_is(NULL, &v, "LocalPort \"false\": not a port; legal is 1 to 9");
}

static void control_characters_are_shown_as_question_marks(void **state) {
  (void)state;
  oconfig_value_t v = text_value("a\nb\x7f\x1b[m");
  line_is("w\te", &v,
          "Group \"w?e\": LocalPort \"a?b??[m\": not a port; legal is 1 to 9");
}

/* The value of the line, for a value of `length` characters from `text`. */
static void shown_of(const char *text, size_t length, char out[512]) {
  struct error error;
  char value[512];
  assert_true(length < sizeof(value));
  for (size_t i = 0; i < length; i++)
    value[i] = text[i % strlen(text)];
  value[length] = '\0';
  oconfig_value_t v = text_value(value);
  const struct config_error e = {
      .option = "o", .value = &v, .problem = "p", .legal = "l"};
  config_error_set(&error, &e);
  const char *end = strstr(error.text, "\": p; legal is l");
  assert_non_null(end);
  assert_memory_equal(error.text, "o \"", 3);
  snprintf(out, 512, "%.*s", (int)(end - error.text - 3), error.text + 3);
}

static void text_is_cut_only_if_it_is_too_long(void **state) {
  (void)state;
  char shown[512];
  for (size_t length = 0; length < 200; length++) {
    shown_of("v", length, shown);
    bool cut = length >= CONFIG_ERROR_SHOWN_MAX;
    assert_int_equal(strlen(shown), cut ? CONFIG_ERROR_SHOWN_MAX - 1 : length);
    assert_int_equal(strspn(shown, "v"),
                     cut ? CONFIG_ERROR_SHOWN_MAX - 4 : length);
    assert_string_equal(shown + strspn(shown, "v"), cut ? "..." : "");
  }
}

static void text_is_not_cut_inside_a_character(void **state) {
  (void)state;
  static const char *const character[] = {"\xc3\xa4", "\xe2\x82\xac",
                                          "\xf0\x9f\x98\x80"};
  for (size_t i = 0; i < 3; i++)
    for (size_t before = 0; before < 4; before++) {
      size_t size = strlen(character[i]);
      char text[512] = "", shown[512];
      for (size_t k = 0; k < before; k++)
        strcat(text, "x");
      for (size_t k = 0; k < 60; k++)
        strcat(text, character[i]);
      shown_of(text, strlen(text), shown);
      size_t length = strlen(shown) - 3;
      assert_in_range(length, CONFIG_ERROR_SHOWN_MAX - 7,
                      CONFIG_ERROR_SHOWN_MAX - 4);
      assert_string_equal(shown + length, "...");
      assert_memory_equal(shown, text, length);
      assert_int_equal((length - before) % size, 0);
    }
}

static void longest_line_fits(void **state) {
  (void)state;
  char long_text[2000], problem[CONFIG_PROBLEM_MAX];
  char legal[CONFIG_ERROR_ROOM - CONFIG_PROBLEM_MAX + 1];
  memset(long_text, 'x', sizeof(long_text) - 1);
  memset(problem, 'p', sizeof(problem) - 1);
  memset(legal, 'l', sizeof(legal) - 1);
  long_text[sizeof(long_text) - 1] = '\0';
  problem[sizeof(problem) - 1] = legal[sizeof(legal) - 1] = '\0';
  oconfig_value_t v = text_value(long_text);
  struct error error;
  const struct config_error e = {.group = long_text,
                                 .option = long_text,
                                 .value = &v,
                                 .problem = problem,
                                 .legal = legal};
  config_error_set(&error, &e);
  size_t length = strlen(error.text);
  assert_in_range(length, 400, sizeof(error.text) - 2);
  assert_string_equal(error.text + length - strlen(legal), legal);
}

static void missing_error_buffer_is_accepted(void **state) {
  (void)state;
  const struct config_error e = {.option = "o", .problem = "p", .legal = "l"};
  assert_int_equal(config_error_set(NULL, &e), -1);
}

static void distance_counts_inserted_removed_and_replaced(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    unsigned distance;
  } pairs[] = {{"", "", 0},
               {"rtt", "", 3},
               {"", "rtt", 3},
               {"rtt", "rtt", 0},
               {"rtt", "rto", 1},
               {"rtt", "rtts", 1},
               {"rtt", "tt", 1},
               {"kitten", "sitting", 3},
               {"By", "be", 1},
               {"METRIC", "metric", 0},
               {"LocalPort", "RemotePort", 6}};
  for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    assert_int_equal(config_error_distance(pairs[i].a, pairs[i].b),
                     pairs[i].distance);
    assert_int_equal(config_error_distance(pairs[i].b, pairs[i].a),
                     pairs[i].distance);
  }
}

static void distance_ignores_what_is_behind_31_characters(void **state) {
  (void)state;
  assert_int_equal(config_error_distance("1234567890123456789012345678901",
                                         "1234567890123456789012345678901abc"),
                   0);
  assert_int_equal(config_error_distance("123456789012345678901234567890",
                                         "1234567890123456789012345678901abc"),
                   1);
}

static void slip_grows_with_the_length_of_the_text(void **state) {
  (void)state;
  assert_true(config_error_is_slip("", 1));
  assert_false(config_error_is_slip("", 2));
  assert_true(config_error_is_slip("rtt", 1));
  assert_false(config_error_is_slip("rtt", 2));
  assert_true(config_error_is_slip("rtts", 2));
  assert_true(config_error_is_slip("bytes_re", 3));
  assert_false(config_error_is_slip("bytes_re", 4));
  assert_false(config_error_is_slip("rtt", UINT32_MAX));
}

static void absent_is(enum selector_name_kind kind, const char *option,
                      const char *text, const char *expected) {
  struct error line;
  const struct selector_name name = {
      .kind = kind, .option = option, .text = (char *)text};
  config_error_absent(&line, "web", &name);
  assert_string_equal(line.text, expected);
}

static void line_of_an_absent_name_has_its_group_option_and_value(void **s) {
  (void)s;
  absent_is(SELECTOR_NAME_CGROUP, "Filter", "/a/b",
            "Group \"web\": Filter \"cgroup /a/b\": no such control group yet; "
            "matches nothing until there is one; looked up at every read");
  absent_is(SELECTOR_NAME_DEVICE, "Filter", "eth\t9",
            "Group \"web\": Filter \"dev eth?9\": no such network device yet; "
            "matches nothing until there is one; looked up at every read");
  absent_is(SELECTOR_NAME_LOCAL_PORTS, "Filter", "",
            "Group \"web\": Filter \"autobound\": "
            "net.ipv4.ip_local_port_range cannot be read; matches nothing "
            "until it can; looked up at every read");
  absent_is(SELECTOR_NAME_SERVICE, "LocalPort", "https",
            "Group \"web\": LocalPort \"https\": services cannot be looked up "
            "now; matches nothing until the port is known; looked up every "
            "minute");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(line_names_group_option_value_and_what_is_legal),
      cmocka_unit_test(numbers_and_booleans_are_shown_as_a_user_writes_them),
      cmocka_unit_test(control_characters_are_shown_as_question_marks),
      cmocka_unit_test(text_is_cut_only_if_it_is_too_long),
      cmocka_unit_test(text_is_not_cut_inside_a_character),
      cmocka_unit_test(longest_line_fits),
      cmocka_unit_test(missing_error_buffer_is_accepted),
      cmocka_unit_test(line_of_an_absent_name_has_its_group_option_and_value),
      cmocka_unit_test(distance_counts_inserted_removed_and_replaced),
      cmocka_unit_test(distance_ignores_what_is_behind_31_characters),
      cmocka_unit_test(slip_grows_with_the_length_of_the_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
