/* Each row of the option table against the reader: both ends of the range are
 * accepted, values just beyond are refused with a line that holds the option's
 * name, the value and the text of what is legal. */
#include "collectd/config_read.h"
#include "config/option.h"
#include "config/settings.h"
#include "support/selector_text.h"

#include <collectd/liboconfig/oconfig.h>

#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int services_error; /* of the source of services; 0: it has https */

int getservbyname_r(const char *name, const char *protocol,
                    struct servent *entry, char *buffer, size_t size,
                    struct servent **result) {
  (void)protocol, (void)buffer, (void)size;
  *entry = (struct servent){.s_port = htons(443)};
  *result = services_error == 0 && strcmp(name, "https") == 0 ? entry : NULL;
  return services_error;
}

#define EACH_OPTION(o)                                                         \
  const struct config_option *o = option_table;                                \
  o < option_table + option_count;                                             \
  o++

static oconfig_value_t text_value(const char *text) {
  oconfig_value_t v = {.type = OCONFIG_TYPE_STRING};
  v.value.string = (char *)text;
  return v;
}

static oconfig_value_t number_value(double number) {
  oconfig_value_t v = {.type = OCONFIG_TYPE_NUMBER};
  v.value.number = number;
  return v;
}

static oconfig_item_t line(const char *key, oconfig_value_t *values,
                           int count) {
  return (oconfig_item_t){
      .key = (char *)key, .values = values, .values_num = count};
}

/* Reads the option at `level`, at the group level behind By and Worst, which
 * other options need. Returns as config_read(). */
static int read_option(const struct config_option *o, enum option_level level,
                       oconfig_value_t *values, int count, struct settings *s,
                       struct error *error) {
  oconfig_value_t name = text_value("web");
  oconfig_value_t by = text_value("remote-network"), worst = number_value(2);
  oconfig_item_t lines[3];
  int used = 0;
  if (o->type != OPTION_DIMENSIONS)
    lines[used++] = line("By", &by, 1);
  if (o->need == OPTION_NEEDS_WORST)
    lines[used++] = line("Worst", &worst, 1);
  lines[used++] = line(o->name, values, count);
  oconfig_item_t group = line("Group", &name, 1);
  group.children = lines;
  group.children_num = used;
  oconfig_item_t block = {.key = (char *)"Plugin", .children_num = 1};
  block.children = level == OPTION_IN_GROUP ? &group : &lines[used - 1];
  settings_init(s);
  *error = (struct error){"accepted"};
  return config_read(s, &block, error);
}

static void accepted(const struct config_option *o, enum option_level level,
                     oconfig_value_t *values, int count, struct settings *s) {
  struct error error;
  if (read_option(o, level, values, count, s, &error) != 0)
    fail_msg("%s: %s", o->name, error.text);
}

static void refused(const struct config_option *o, enum option_level level,
                    oconfig_value_t *values, int count, const char *shown) {
  struct settings s;
  struct error error;
  char begin[256], end[512], legal[OPTION_LEGAL_MAX];
  snprintf(begin, sizeof(begin),
           "%s%s%s%s%s: ", level == OPTION_IN_GROUP ? "Group \"web\": " : "",
           o->name, shown != NULL ? " \"" : "", shown != NULL ? shown : "",
           shown != NULL ? "\"" : "");
  snprintf(end, sizeof(end), "; legal is %s", option_legal(o, legal));
  int status = read_option(o, level, values, count, &s, &error);
  settings_free(&s);
  if (status != -1 || strncmp(error.text, begin, strlen(begin)) != 0 ||
      strlen(error.text) < strlen(begin) + strlen(end) ||
      strcmp(error.text + strlen(error.text) - strlen(end), end) != 0)
    fail_msg("expected: %s...%s\ngot:      %s", begin, end, error.text);
}

static void for_each_level(const struct config_option *o,
                           void run(const struct config_option *o,
                                    enum option_level level)) {
  if ((o->level & OPTION_IN_PLUGIN) != 0)
    run(o, OPTION_IN_PLUGIN);
  if ((o->level & OPTION_IN_GROUP) != 0)
    run(o, OPTION_IN_GROUP);
}

/* --- numbers -------------------------------------------------------------- */

static bool is_numeric(const struct config_option *o) {
  return o->type == OPTION_COUNT || o->type == OPTION_NUMBER ||
         o->type == OPTION_SEVERITY || o->type == OPTION_PREFIX_LENGTHS;
}

static bool is_whole(const struct config_option *o) {
  return o->type == OPTION_COUNT || o->type == OPTION_PREFIX_LENGTHS;
}

/* The lowest legal value, and the nearest below; the nearest above the maximum.
 * Shown with 15 digits, so the steps are not the smallest. */
static double lowest(const struct config_option *o, int i) {
  return o->value[i].minimum + (is_whole(o) ? 0 : 1e-9);
}

static double too_low(const struct config_option *o, int i) {
  return o->value[i].minimum - (is_whole(o) ? 1 : 0);
}

static double too_high(const struct config_option *o, int i) {
  return o->value[i].maximum + (is_whole(o) ? 1 : 1e-5);
}

/* Reads `n` as value `i`, with legal values for the others. */
static void values_with(const struct config_option *o, int i, double n,
                        oconfig_value_t values[OPTION_VALUES_MAX]) {
  for (int k = 0; k < o->arity; k++) /* a failure must not be below a warning */
    values[k] = number_value(k < i ? lowest(o, k) : o->value[k].maximum);
  values[i] = number_value(n);
}

static void number_is_stored(const struct config_option *o,
                             enum option_level level, int i, double n) {
  oconfig_value_t values[OPTION_VALUES_MAX];
  struct settings s;
  values_with(o, i, n, values);
  accepted(o, level, values, o->arity, &s);
  double found = level == OPTION_IN_GROUP
                     ? option_load(o->value[i].in_group, &s.group[0])
                     : option_load(o->value[i].in_plugin, &s);
  if (found != n)
    fail_msg("%s %.15g is stored as %.15g", o->name, n, found);
  settings_free(&s);
}

static void number_is_refused(const struct config_option *o,
                              enum option_level level, int i, double n) {
  oconfig_value_t values[OPTION_VALUES_MAX];
  char shown[32];
  values_with(o, i, n, values);
  snprintf(shown, sizeof(shown), "%.15g", n);
  refused(o, level, values, o->arity, shown);
}

static void ends_of_range(const struct config_option *o,
                          enum option_level level) {
  for (int i = 0; i < o->arity; i++) {
    number_is_stored(o, level, i, lowest(o, i));
    number_is_stored(o, level, i, o->value[i].maximum);
    number_is_refused(o, level, i, too_low(o, i));
    number_is_refused(o, level, i, too_high(o, i));
    number_is_refused(o, level, i, NAN);
    number_is_refused(o, level, i, INFINITY);
    if (is_whole(o))
      number_is_refused(o, level, i, o->value[i].maximum - 0.5);
  }
}

static void both_ends_of_a_range_are_accepted_and_no_more(void **state) {
  (void)state;
  int count = 0;
  for (EACH_OPTION(o))
    if (is_numeric(o)) {
      for_each_level(o, ends_of_range);
      count++;
    }
  assert_in_range(count, 5, 32);
}

static void booleans(const struct config_option *o, enum option_level level) {
  for (int given = 0; given < 2; given++) {
    oconfig_value_t v = {.type = OCONFIG_TYPE_BOOLEAN};
    v.value.boolean = given;
    struct settings s;
    accepted(o, level, &v, 1, &s);
    double found = level == OPTION_IN_GROUP
                       ? option_load(o->value[0].in_group, &s.group[0])
                       : option_load(o->value[0].in_plugin, &s);
    assert_true(found == given);
    settings_free(&s);
  }
}

static void booleans_are_stored(void **state) {
  (void)state;
  for (EACH_OPTION(o))
    if (o->type == OPTION_BOOLEAN)
      for_each_level(o, booleans);
}

/* --- all types ------------------------------------------------------------ */

/* A legal text and an illegal one of each type that takes text. */
struct sample {
  const char *good, *bad;
};

static struct sample sample_of(enum option_type type) {
  switch (type) {
  case OPTION_COUNT:
  case OPTION_NUMBER:
  case OPTION_SEVERITY:
  case OPTION_PREFIX_LENGTHS:
    return (struct sample){NULL, "5"};
  case OPTION_BOOLEAN:
    return (struct sample){"true", "maybe"};
  case OPTION_COUNT_CLOSED:
    return (struct sample){"auto", "maybe"};
  case OPTION_PATHS:
    return (struct sample){"/a.pcap", "a.pcap"};
  case OPTION_GROUP:
    return (struct sample){"db", "d-b"};
  case OPTION_PORTS:
    return (struct sample){"65535", "65536"};
  case OPTION_ADDRESSES:
    return (struct sample){"10.0.0.0/8", "10.0.0.0/33"};
  case OPTION_FILTER:
    return (struct sample){"dst 10.0.0.1", "dst"};
  case OPTION_DIRECTIONS:
    return (struct sample){"inbound", "in"};
  case OPTION_DIMENSIONS:
    return (struct sample){"uid", "user"};
  case OPTION_DISTRIBUTIONS:
    return (struct sample){"rtt", "retrans"};
  case OPTION_METRICS:
    return (struct sample){"rtt", NULL}; /* the line lists similar names */
  case OPTION_TYPE_COUNT:
    break;
  }
  fail_msg("type %d has no sample", (int)type);
  return (struct sample){NULL, NULL};
}

static void samples(const struct config_option *o, enum option_level level) {
  const struct sample sample = sample_of(o->type);
  struct settings s;
  if (sample.good != NULL) {
    oconfig_value_t v = text_value(sample.good);
    accepted(o, level, &v, 1, &s);
    settings_free(&s);
  }
  if (sample.bad != NULL) {
    oconfig_value_t v[] = {text_value(sample.bad), text_value(sample.bad)};
    refused(o, level, v, o->arity == 2 ? 2 : 1, sample.bad);
  }
}

static void each_type_accepts_a_legal_text_and_refuses_another(void **state) {
  (void)state;
  for (EACH_OPTION(o))
    for_each_level(o, samples);
}

static void missing(const struct config_option *o, enum option_level level) {
  refused(o, level, NULL, 0, NULL);
}

static void surplus(const struct config_option *o, enum option_level level) {
  oconfig_value_t values[OPTION_VALUES_MAX + 1];
  for (int i = 0; i <= OPTION_VALUES_MAX; i++)
    values[i] = number_value(3);
  if (o->arity > 0)
    refused(o, level, values, o->arity + 1, "3");
  if (o->arity == 2)
    refused(o, level, values, 1, "3");
}

static void wrong_number_of_values_is_refused(void **state) {
  (void)state;
  for (EACH_OPTION(o)) {
    for_each_level(o, missing);
    for_each_level(o, surplus);
  }
}

/* The option in a group that has neither By nor Worst. */
static void option_without_the_options_it_needs_is_refused(void **state) {
  (void)state;
  for (EACH_OPTION(o)) {
    if (o->need == OPTION_NEEDS_NOTHING)
      continue;
    struct settings s;
    struct error error;
    oconfig_value_t name = text_value("web"), values[OPTION_VALUES_MAX];
    for (int i = 0; i < o->arity; i++)
      values[i] = number_value(o->value[i].maximum);
    oconfig_item_t option = line(o->name, values, o->arity);
    oconfig_item_t group = line("Group", &name, 1);
    group.children = &option;
    group.children_num = 1;
    oconfig_item_t block = {.children = &group, .children_num = 1};
    char problem[128];
    snprintf(problem, sizeof(problem), "of use only in a group with %s;",
             option_need_text(o->need));
    settings_init(&s);
    assert_int_equal(config_read(&s, &block, &error), -1);
    assert_non_null(strstr(error.text, o->name));
    assert_non_null(strstr(error.text, problem));
    settings_free(&s);
  }
}

/* --- services ------------------------------------------------------------- */

static void ports_become(const char *first, const char *second,
                         const char *third, const char *expected) {
  const struct config_option *o = option_find("RemotePort");
  oconfig_value_t v[] = {text_value(first), text_value(second),
                         text_value(third)};
  struct settings s;
  char text[256];
  accepted(o, OPTION_IN_GROUP, v, 3, &s);
  assert_string_equal(selector_text(s.group[0].selector, text, sizeof(text)),
                      expected);
  settings_free(&s);
}

/* A typing error is one only if the source of services says so. */
static void service_is_followed_if_it_cannot_be_looked_up(void **state) {
  (void)state;
  const struct config_option *o = option_find("RemotePort");
  oconfig_value_t wrong = text_value("htps");
  services_error = 0;
  ports_become("80", "https", "8000-8099",
               "(and (RemotePort 80 443 8000-8099))");
  refused(o, OPTION_IN_GROUP, &wrong, 1, "htps");
  services_error = EAGAIN;
  ports_become("https", "80", "htps",
               "(and (or (RemotePort =https) (RemotePort 80) "
               "(RemotePort =htps)))");
  ports_become("80", "8000-8099", "https",
               "(and (or (RemotePort =https) (RemotePort 80 8000-8099)))");
  wrong = text_value("80-"); /* no name, whatever the source says */
  refused(o, OPTION_IN_GROUP, &wrong, 1, "80-");
  services_error = 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_ends_of_a_range_are_accepted_and_no_more),
      cmocka_unit_test(booleans_are_stored),
      cmocka_unit_test(each_type_accepts_a_legal_text_and_refuses_another),
      cmocka_unit_test(wrong_number_of_values_is_refused),
      cmocka_unit_test(option_without_the_options_it_needs_is_refused),
      cmocka_unit_test(service_is_followed_if_it_cannot_be_looked_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
