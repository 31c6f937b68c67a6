/* The rows of the option table by themselves: complete, free of contradictions,
 * and the source of the settings' defaults. */
#include "config/option.h"
#include "config/settings.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool is_numeric(const struct config_option *o) {
  return o->type == OPTION_COUNT || o->type == OPTION_NUMBER ||
         o->type == OPTION_SEVERITY || o->type == OPTION_PREFIX_LENGTHS;
}

/* Values that the row has a range and a field for. */
static int stored_values(const struct config_option *o) {
  return is_numeric(o) || o->type == OPTION_BOOLEAN ? o->arity : 0;
}

#define EACH_OPTION(o)                                                         \
  const struct config_option *o = option_table;                                \
  o < option_table + option_count;                                             \
  o++

static void names_are_unique_in_any_case(void **state) {
  (void)state;
  for (EACH_OPTION(o)) {
    char upper[64] = "";
    assert_true(strlen(o->name) < sizeof(upper));
    for (size_t i = 0; o->name[i] != '\0'; i++)
      upper[i] = (char)toupper((unsigned char)o->name[i]);
    assert_ptr_equal(option_find(upper), o);
  }
  assert_null(option_find(""));
  assert_null(option_find("LocalPorts"));
}

static void numbers_have_a_range_a_unit_and_a_field(void **state) {
  (void)state;
  for (EACH_OPTION(o)) {
    assert_in_range(o->arity, 0, OPTION_VALUES_MAX);
    assert_in_range(o->level, OPTION_IN_PLUGIN, OPTION_IN_BOTH);
    if (is_numeric(o))
      assert_non_null(o->unit);
    for (int i = 0; i < stored_values(o); i++) {
      const struct option_value *v = &o->value[i];
      assert_true(v->minimum < v->maximum);
      assert_int_equal(v->in_plugin.store != OPTION_STORE_NONE,
                       (o->level & OPTION_IN_PLUGIN) != 0);
      assert_int_equal(v->in_group.store != OPTION_STORE_NONE,
                       (o->level & OPTION_IN_GROUP) != 0);
    }
  }
}

static void fields_hold_the_whole_range(void **state) {
  (void)state;
  for (EACH_OPTION(o))
    for (int i = 0; i < stored_values(o); i++) {
      const struct option_value *v = &o->value[i];
      struct settings s;
      struct group_settings g;
      for (int end = 0; end < 2; end++) {
        double n = end == 0 ? v->minimum : v->maximum;
        option_store(v->in_plugin, &s, n);
        option_store(v->in_group, &g, n);
        if ((o->level & OPTION_IN_PLUGIN) != 0)
          assert_true(option_load(v->in_plugin, &s) == n);
        if ((o->level & OPTION_IN_GROUP) != 0)
          assert_true(option_load(v->in_group, &g) == n);
      }
    }
}

static void defaults_are_in_the_range_or_0_with_a_meaning(void **state) {
  (void)state;
  for (EACH_OPTION(o))
    for (int i = 0; i < stored_values(o); i++) {
      bool in_range = option_in_range(o, i, o->value[i].preset);
      assert_int_equal(in_range, o->preset_0 == NULL);
      assert_true(in_range || o->value[i].preset == 0);
    }
}

static void warning_is_by_default_not_above_the_failure(void **state) {
  (void)state;
  for (EACH_OPTION(o))
    if (o->type == OPTION_SEVERITY)
      assert_true(o->value[0].preset <= o->value[1].preset);
}

static void legal_text_is_whole_and_has_the_row_s_numbers(void **state) {
  (void)state;
  for (EACH_OPTION(o)) {
    char text[OPTION_LEGAL_MAX], number[32];
    assert_ptr_equal(option_legal(o, text), text);
    assert_in_range(strlen(text), 10, OPTION_LEGAL_MAX - 2);
    for (int i = 0; is_numeric(o) && i < o->arity; i++) {
      snprintf(number, sizeof(number), "%.15g", o->value[i].minimum);
      assert_non_null(strstr(text, number));
      snprintf(number, sizeof(number), "%.15g", o->value[i].maximum);
      assert_non_null(strstr(text, number));
    }
    if (option_need_text(o->need) != NULL)
      assert_non_null(strstr(text, option_need_text(o->need)));
  }
}

static void legal_text_of_by_has_every_dimension(void **state) {
  (void)state;
  char text[OPTION_LEGAL_MAX];
  option_legal(option_find("By"), text);
  for (int d = 0; d < DIMENSION_COUNT; d++) {
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\"",
             dimension_name((enum dimension)d));
    assert_non_null(strstr(text, quoted));
  }
  assert_non_null(strstr(option_need_text(OPTION_NEEDS_REMOTE_NETWORK),
                         dimension_name(DIMENSION_REMOTE_NETWORK)));
}

static void fresh_settings_have_the_defaults_of_the_rows(void **state) {
  (void)state;
  struct settings s;
  settings_init(&s);
  struct group_settings *g = settings_add_group(&s, "g");
  assert_non_null(g);
  assert_string_equal(g->name, "g");
  for (EACH_OPTION(o))
    for (int i = 0; i < stored_values(o); i++) {
      const struct option_value *v = &o->value[i];
      if ((o->level & OPTION_IN_PLUGIN) != 0)
        assert_true(option_load(v->in_plugin, &s) == v->preset);
      if ((o->level & OPTION_IN_GROUP) != 0)
        assert_true(option_load(v->in_group, g) == v->preset);
    }
  /* The numbers that users rely on. */
  assert_true(s.max_close_rate == 5000 && s.dump_timeout == 0);
  assert_int_equal(g->max_members, 100);
  assert_int_equal(g->member_timeout, 6);
  assert_int_equal(g->prefix_ipv4, 24);
  assert_int_equal(g->prefix_ipv6, 64);
  assert_true(g->worst_retrans.warning == 1 && g->worst_retrans.failure == 5);
  assert_true(g->worst_rtt.warning == 0.5 && g->worst_rtt.failure == 2);
  settings_free(&s);
  settings_free(&s); /* is empty now */
}

static void new_group_has_the_plugin_s_value_of_a_common_option(void **state) {
  (void)state;
  struct settings s;
  settings_init(&s);
  s.max_members = 7;
  struct group_settings *g = settings_add_group(&s, "g");
  assert_non_null(g);
  assert_int_equal(g->max_members, 7);
  settings_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_are_unique_in_any_case),
      cmocka_unit_test(numbers_have_a_range_a_unit_and_a_field),
      cmocka_unit_test(fields_hold_the_whole_range),
      cmocka_unit_test(defaults_are_in_the_range_or_0_with_a_meaning),
      cmocka_unit_test(warning_is_by_default_not_above_the_failure),
      cmocka_unit_test(legal_text_is_whole_and_has_the_row_s_numbers),
      cmocka_unit_test(legal_text_of_by_has_every_dimension),
      cmocka_unit_test(fresh_settings_have_the_defaults_of_the_rows),
      cmocka_unit_test(new_group_has_the_plugin_s_value_of_a_common_option),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
