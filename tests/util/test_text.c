/* text: what stays of a name, and which texts are numbers. */
#include "util/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void only_harmless_characters_stay(void **state) {
  (void)state;
  char clean[TEXT_CLEAN_MAX];
  text_clean("azAZ09_.@-", clean);
  assert_string_equal(clean, "azAZ09_.@-");
  text_clean("a b/c\\x2d\303\244\n\"'%{}", clean);
  assert_string_equal(clean, "a_b_c_x2d________");
  text_clean("", clean);
  assert_string_equal(clean, "");
  for (int c = 1; c < 256; c++) {
    const char name[] = {(char)c, '\0'};
    text_clean(name, clean);
    bool stays = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_.@-",
                        c) != NULL;
    assert_int_equal(clean[0], stays ? (char)c : '_');
  }
}

static void long_name_is_cut(void **state) {
  (void)state;
  char name[2 * TEXT_CLEAN_MAX], clean[TEXT_CLEAN_MAX + 1];
  memset(name, 'x', sizeof(name));
  name[sizeof(name) - 1] = '\0';
  memset(clean, '!', sizeof(clean));
  text_clean(name, clean);
  assert_int_equal(strlen(clean), TEXT_CLEAN_MAX - 1);
  assert_int_equal(clean[TEXT_CLEAN_MAX], '!');
}

enum { NONE = 4711 }; /* no text below is this number */

/* As all three functions read a text; NONE: it is no number. `rest`: what is
 * left behind the digits. */
static const struct {
  const char *text;
  uint64_t max;
  uint64_t digits;
  const char *rest;
  uint64_t decimal, number;
} rows[] = {
    {"0", 0, 0, "", 0, 0},
    {"1", 0, NONE, NULL, NONE, NONE},
    {"65535", 65535, 65535, "", 65535, 65535},
    {"65536", 65535, NONE, NULL, NONE, NONE},
    {"18446744073709551615", UINT64_MAX, UINT64_MAX, "", UINT64_MAX,
     UINT64_MAX},
    {"18446744073709551616", UINT64_MAX, NONE, NULL, NONE, NONE},
    {"184467440737095516150", UINT64_MAX, NONE, NULL, NONE, NONE},
    {"99999999999999999999999999", UINT64_MAX, NONE, NULL, NONE, NONE},
    {"", 9, NONE, NULL, NONE, NONE},
    {"x", 9, NONE, NULL, NONE, NONE},
    {"-1", 9, NONE, NULL, NONE, NONE},
    {"+1", 9, NONE, NULL, NONE, NONE},
    {" 1", 9, NONE, NULL, NONE, NONE},
    {"1 ", 9, 1, " ", NONE, NONE},
    {"1.5", 9, 1, ".5", NONE, NONE},
    {"7 8", 9, 7, " 8", NONE, NONE},
    {"1a", 99, 1, "a", NONE, NONE},
    {"a", 99, NONE, NULL, NONE, NONE},
    {"01", 9, 1, "", NONE, NONE},
    {"00", 9, 0, "", NONE, NONE},
    {"0x10", 99, 0, "x10", NONE, 16},
    {"0Xff", 255, 0, "Xff", NONE, 255},
    {"0xFF", 254, 0, "xFF", NONE, NONE},
    {"0x0010", 99, 0, "x0010", NONE, 16},
    {"0x", 99, 0, "x", NONE, NONE},
    {"0xg", 99, 0, "xg", NONE, NONE},
    {"0x1g", 99, 0, "x1g", NONE, NONE},
    {"0x-1", 99, 0, "x-1", NONE, NONE},
    {"0x0x1", 99, 0, "x0x1", NONE, NONE},
    {"x10", 99, NONE, NULL, NONE, NONE},
    {"0xffffffffffffffff", UINT64_MAX, 0, "xffffffffffffffff", NONE,
     UINT64_MAX},
    {"0x10000000000000000", UINT64_MAX, 0, "x10000000000000000", NONE, NONE},
};

static void numbers_are_what_each_function_promises(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    uint64_t digits = NONE, decimal = NONE, number = NONE;
    const char *rest = text_parse_digits(rows[i].text, rows[i].max, &digits);
    bool is_decimal = text_parse_decimal(rows[i].text, rows[i].max, &decimal);
    bool is_number = text_parse_number(rows[i].text, rows[i].max, &number);
    if (digits != rows[i].digits || decimal != rows[i].decimal ||
        number != rows[i].number)
      fail_msg("\"%s\"", rows[i].text);
    assert_int_equal(is_decimal, decimal != NONE);
    assert_int_equal(is_number, number != NONE);
    assert_int_equal(rest != NULL, rows[i].rest != NULL);
    if (rest != NULL)
      assert_string_equal(rest, rows[i].rest);
  }
}

static void names_may_be_one_in_graphite(void **state) {
  (void)state;
  assert_true(text_equal_in_graphite("a.b_c", "a_b.c"));
  assert_true(text_equal_in_graphite("", ""));
  assert_false(text_equal_in_graphite("a.b", "a-b"));
  assert_false(text_equal_in_graphite("a", "a."));
  assert_false(text_equal_in_graphite("a_", "a"));
  assert_false(text_equal_in_graphite("a", "A"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_harmless_characters_stay),
      cmocka_unit_test(long_name_is_cut),
      cmocka_unit_test(numbers_are_what_each_function_promises),
      cmocka_unit_test(names_may_be_one_in_graphite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
