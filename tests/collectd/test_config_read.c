/* Configurations as text: each one of tests/config/good.txt becomes the
 * settings that are written below it, each one of wrong.txt is refused with the
 * line below it. Further down, configurations that a text file cannot hold. */
#include "collectd/config_read.h"
#include "config/option.h"
#include "support/oconfig_text.h"
#include "support/selector_text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- pairs of text -------------------------------------------------------- */

static char *file_read(const char *name) {
  FILE *f = fopen(name, "r");
  if (f == NULL)
    fail_msg("%s cannot be read", name);
  char *text = calloc(1, 65536);
  assert_non_null(text);
  size_t size = fread(text, 1, 65535, f);
  assert_in_range(size, 1, 65534);
  fclose(f);
  return text;
}

/* Lines up to the next one with "=> ", which begins what is expected. */
struct pair {
  char block[4096];    /* in a <Plugin> */
  char expected[4096]; /* without "=> " */
};

static bool pair_next(char **at, struct pair *p) {
  *p = (struct pair){.block = "<Plugin tcpinfo>\n"};
  while (**at != '\0') {
    char *line = *at, *end = strchr(line, '\n');
    assert_non_null(end);
    *at = end + 1;
    bool expected = strncmp(line, "=> ", 3) == 0;
    char *to = expected ? p->expected : p->block;
    line += expected ? 3 : 0;
    assert_true(strlen(to) + (size_t)(end - line) < sizeof(p->block) - 32);
    strncat(to, line, (size_t)(end + 1 - line));
    if (expected && strncmp(*at, "=> ", 3) != 0) {
      strcat(p->block, "</Plugin>\n");
      return true;
    }
  }
  assert_string_equal(p->expected, "");
  return false;
}

/* Reads as the plugin does: each block, then the end. */
static int read_text(const char *text, struct settings *s,
                     struct error *error) {
  oconfig_item_t *root = oconfig_text_parse(text);
  if (root == NULL)
    fail_msg("not parsed: %s", text);
  int result = 0;
  settings_init(s);
  for (int i = 0; i < root->children_num && result == 0; i++)
    result = config_read(s, &root->children[i], error);
  if (result == 0)
    result = config_finish(s, error);
  oconfig_text_free(root);
  return result;
}

static void
wrong_configurations_are_refused_with_the_line_below_them(void **state) {
  (void)state;
  static struct pair p;
  char *text = file_read("tests/config/wrong.txt"), *at = text;
  int count = 0, failed = 0;
  for (; pair_next(&at, &p); count++) {
    struct settings s;
    struct error error = {.text = "accepted"};
    read_text(p.block, &s, &error);
    settings_free(&s);
    strcat(error.text, "\n");
    if (strcmp(error.text, p.expected) != 0) {
      failed++;
      print_error("%sexpected: %sgot:      %s\n", p.block, p.expected,
                  error.text);
    }
  }
  free(text);
  assert_int_equal(failed, 0);
  assert_in_range(count, 40, 1000);
}

/* --- settings as text ----------------------------------------------------- */

struct out {
  char text[4096];
  size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct out *o,
                                                      const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  o->length += (size_t)vsnprintf(o->text + o->length,
                                 sizeof(o->text) - o->length, format, ap);
  va_end(ap);
  assert_true(o->length < sizeof(o->text));
}

static void add_metrics(struct out *o, const struct metric_list *list) {
  char text[STATISTIC_TEXT_MAX];
  for (size_t i = 0; i < list->count; i++) {
    const struct metric_choice *c = &list->choice[i];
    add(o, "%s%s", i > 0 ? ", " : "", metric_table[c->id].name);
    for (size_t k = 0; k < c->statistic_count; k++)
      add(o, " %s", statistic_format(c->statistic[k], text));
  }
}

/* A line for each setting of the whole plugin that is not the default. */
static void add_whole(struct out *o, const struct settings *s) {
  if (s->count_closed != COUNT_CLOSED_AUTO)
    add(o, "CountClosed %s\n",
        s->count_closed == COUNT_CLOSED_ALWAYS ? "true" : "false");
  if (s->max_close_rate != 5000)
    add(o, "MaxCloseRate %g\n", s->max_close_rate);
  if (s->dump_timeout > 0)
    add(o, "DumpTimeout %g\n", s->dump_timeout);
  for (size_t i = 0; i < s->replay_count; i++)
    add(o, "Replay %s\n", s->replay[i]);
}

/* The settings of the worst members that are not the default. */
static void add_worst(struct out *o, const struct group_settings *g) {
  const struct severity *retrans = &g->worst_retrans, *rtt = &g->worst_rtt;
  if (g->worst > 0)
    add(o, ", %u worst", g->worst);
  if (retrans->warning != 1 || retrans->failure != 5)
    add(o, ", from %g and %g %%", retrans->warning, retrans->failure);
  if (rtt->warning != 0.5 || rtt->failure != 2)
    add(o, ", from %g and %g s", rtt->warning, rtt->failure);
}

/* "web: SELECTOR by DIMENSIONS, 100 members, 6 intervals: METRICS". */
static void add_group(struct out *o, const struct group_settings *g) {
  char selector[2048];
  struct out metrics = {.length = 0}, preset = metrics;
  struct metric_list list = {.count = 0};
  assert_int_equal(metric_list_default(&list), 0);
  add_metrics(&preset, &list);
  add_metrics(&metrics, &g->metrics);
  metric_list_clear(&list);

  add(o, "%s: ", g->name);
  add(o, "%s", selector_text(g->selector, selector, sizeof(selector)));
  for (size_t i = 0; i < g->by_count; i++) {
    add(o, "%s %s", i == 0 ? " by" : "", dimension_name(g->by[i]));
    if (g->by[i] == DIMENSION_REMOTE_NETWORK)
      add(o, " of %u %u", g->prefix_ipv4, g->prefix_ipv6);
  }
  add(o, ", %u members, %u intervals", g->max_members, g->member_timeout);
  add_worst(o, g);
  add(o, ": %s\n",
      strcmp(metrics.text, preset.text) == 0 ? "default metrics"
                                             : metrics.text);
}

static void right_configurations_become_the_settings_below_them(void **state) {
  (void)state;
  static struct pair p;
  char *text = file_read("tests/config/good.txt"), *at = text;
  int count = 0, failed = 0;
  for (; pair_next(&at, &p); count++) {
    static struct out out;
    struct settings s;
    struct error error;
    out = (struct out){.length = 0};
    if (read_text(p.block, &s, &error) != 0)
      add(&out, "%s\n", error.text);
    else
      add_whole(&out, &s);
    for (size_t i = 0; i < s.group_count; i++)
      add_group(&out, &s.group[i]);
    settings_free(&s);
    if (strcmp(out.text, p.expected) != 0) {
      failed++;
      print_error("%sexpected: %sgot:      %s\n", p.block, p.expected,
                  out.text);
    }
  }
  free(text);
  assert_int_equal(failed, 0);
  assert_in_range(count, 20, 1000);
}

/* --- in code -------------------------------------------------------------- */

static struct socket_attrs tuple(const char *local, uint16_t local_port,
                                 const char *remote, uint16_t remote_port) {
  struct prefix l, r;
  assert_true(prefix_parse(local, &l) && prefix_parse(remote, &r));
  return (struct socket_attrs){.local = l.address,
                               .remote = r.address,
                               .local_port = local_port,
                               .remote_port = remote_port};
}

/* Compares all settings, down to the connections that match. */
static void example_is_read_into_the_settings(void **state) {
  (void)state;
  struct settings s;
  struct error error;
  assert_int_equal(read_text("<Plugin tcpinfo>\n"
                             "\t<Group \"postgres\">\n"
                             "\t\tRemotePort 5432\n"
                             "\t</Group>\n"
                             "\t<Group \"web\">\n"
                             "\t\tLocalPort 443 \"8000-8099\"\n"
                             "\t\tBy \"remote-address\"\n"
                             "\t\tMaxMembers 200\n"
                             "\t\tMetric \"rtt\" \"p50\" \"p95\" \"max\"\n"
                             "\t\tMetric \"retrans\" \"retrans_percent\" \n"
                             "\t</Group>\n"
                             "</Plugin>\n",
                             &s, &error),
                   0);
  assert_int_equal(s.group_count, 2);
  assert_int_equal(s.replay_count, 0);
  assert_true(s.dump_timeout == 0);

  const struct group_settings *g = &s.group[0];
  assert_string_equal(g->name, "postgres");
  assert_int_equal(g->by_count, 0);
  assert_int_equal(g->metrics.count, 14);
  struct socket_attrs t = tuple("10.0.0.1", 40000, "10.0.0.2", 5432);
  assert_true(selector_match(g->selector, &t));
  t.remote_port = 5433;
  assert_false(selector_match(g->selector, &t));
  t = tuple("127.0.0.1", 1, "127.0.0.1", 5432); /* without IgnoreLoopback */
  assert_true(selector_match(g->selector, &t));

  g = &s.group[1];
  assert_string_equal(g->name, "web");
  assert_int_equal(g->by_count, 1);
  assert_int_equal(g->by[0], DIMENSION_REMOTE_ADDRESS);
  assert_int_equal(g->max_members, 200);
  assert_int_equal(g->member_timeout, 6);
  assert_int_equal(g->metrics.count, 3);
  const struct metric_choice *c = g->metrics.choice;
  assert_int_equal(c[0].id, METRIC_RTT);
  assert_int_equal(c[0].statistic_count, 3);
  assert_int_equal(c[0].statistic[0].permille, 500);
  assert_int_equal(c[0].statistic[1].permille, 950);
  assert_int_equal(c[0].statistic[2].kind, STATISTIC_MAX);
  assert_int_equal(c[1].id, METRIC_RETRANS);
  assert_int_equal(c[1].statistic_count, 0);
  assert_int_equal(c[2].id, METRIC_RETRANS_PERCENT);
  static const struct {
    uint16_t port;
    bool match;
  } rows[] = {{443, true},  {442, false}, {444, false}, {7999, false},
              {8000, true}, {8099, true}, {8100, false}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    t = tuple("2001:db8::1", rows[i].port, "2001:db8::2", 443);
    assert_int_equal(selector_match(g->selector, &t), rows[i].match);
  }
  settings_free(&s);
}

static void no_configuration_gives_one_group_of_all_but_loopback(void **state) {
  (void)state;
  struct settings s;
  settings_init(&s);
  assert_int_equal(config_finish(&s, NULL), 0);
  assert_int_equal(s.group_count, 1);
  assert_string_equal(s.group[0].name, "all");
  assert_int_equal(s.count_closed, COUNT_CLOSED_AUTO);
  assert_true(s.max_close_rate == 5000);
  struct socket_attrs t = tuple("10.0.0.1", 1, "10.0.0.2", 2);
  assert_true(selector_match(s.group[0].selector, &t));
  t = tuple("10.0.0.1", 1, "10.0.0.1", 2);
  assert_false(selector_match(s.group[0].selector, &t));
  t = tuple("::1", 1, "::1", 2);
  assert_false(selector_match(s.group[0].selector, &t));
  settings_free(&s);
  settings_free(&s); /* is empty now */
}

/* Reads one option in a group "web", with values that no text can give. */
static void assert_refused(const char *key, const oconfig_value_t *value,
                           int values, const char *expected) {
  struct settings s;
  struct error error = {.text = "accepted"};
  oconfig_value_t name = {.value.string = (char *)"web",
                          .type = OCONFIG_TYPE_STRING};
  oconfig_item_t option = {.key = (char *)key,
                           .values = (oconfig_value_t *)value,
                           .values_num = values};
  oconfig_item_t group = {.key = (char *)"Group",
                          .values = &name,
                          .values_num = 1,
                          .children = &option,
                          .children_num = 1};
  oconfig_item_t block = {
      .key = (char *)"Plugin", .children = &group, .children_num = 1};
  settings_init(&s);
  assert_int_equal(config_read(&s, &block, &error), -1);
  assert_string_equal(error.text, expected);
  settings_free(&s);
}

static void values_that_no_text_gives_are_refused(void **state) {
  (void)state;
  assert_refused("LocalPort", NULL, 0,
                 "Group \"web\": LocalPort: no value; legal is 1 to 65535, "
                 "\"low-high\" or the name of a TCP service");
  char unknown[512] = "Group \"web\": LocalPorts: not an option, LocalPort "
                      "perhaps; legal is";
  for (size_t i = 0, listed = 0; i < option_count; i++)
    if ((option_table[i].level & OPTION_IN_GROUP) != 0) {
      strcat(strcat(unknown, listed++ > 0 ? ", " : " "), option_table[i].name);
      assert_true(strlen(unknown) < sizeof(unknown) - 64);
    }
  assert_refused("LocalPorts", NULL, 0, unknown);

  static const struct {
    double number;
    const char *shown, *problem;
  } rows[] = {{NAN, "nan", "out of range"},
              {-NAN, "-nan", "out of range"},
              {INFINITY, "inf", "out of range"},
              {-INFINITY, "-inf", "out of range"},
              {1e300, "1e+300", "out of range"},
              {4294967297.0, "4294967297", "out of range"},
              {0, "0", "out of range"},
              {10000.5, "10000.5", "out of range"},
              {0.5, "0.5", "out of range"},
              {1.5, "1.5", "not a whole number"}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char expected[256];
    oconfig_value_t v = {.type = OCONFIG_TYPE_NUMBER,
                         .value.number = rows[i].number};
    snprintf(expected, sizeof(expected),
             "Group \"web\": MaxMembers \"%s\": %s; legal is one whole number "
             "of members from 1 to 10000",
             rows[i].shown, rows[i].problem);
    assert_refused("MaxMembers", &v, 1, expected);
    snprintf(expected, sizeof(expected),
             "Group \"web\": LocalPort \"%s\": not a port; legal is 1 to "
             "65535, \"low-high\" or the name of a TCP service",
             rows[i].shown);
    assert_refused("LocalPort", &v, 1, expected);
  }
}

static void longest_line_is_not_cut(void **state) {
  (void)state;
  char name[61], value[3000], text[8192];
  memset(name, 'n', 60);
  memset(value, 'v', sizeof(value) - 1);
  name[60] = value[sizeof(value) - 1] = '\0';
  static const char *const option[] = {"CountClosed",
                                       "MaxCloseRate",
                                       "DumpTimeout",
                                       "Replay",
                                       "Group",
                                       "LocalPort",
                                       "RemoteAddress",
                                       "Filter",
                                       "Direction",
                                       "IgnoreLoopback",
                                       "By",
                                       "Prefix",
                                       "MaxMembers",
                                       "MemberTimeout",
                                       "Worst",
                                       "WorstRetrans",
                                       "WorstRtt",
                                       "Histogram",
                                       "Metric",
                                       "v"};
  for (size_t i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
    struct settings s;
    struct error error;
    snprintf(text, sizeof(text),
             "<Plugin tcpinfo>\n<Group %s>\n%s \"%s\"\n</Group>\n</Plugin>\n",
             name, strcmp(option[i], "v") == 0 ? value : option[i], value);
    assert_int_equal(read_text(text, &s, &error), -1);
    assert_non_null(strstr(error.text, name));
    assert_non_null(strstr(error.text, "vvv...\": "));
    assert_non_null(strstr(error.text, "; legal is "));
    assert_in_range(strlen(error.text), 100, sizeof(error.text) - 2);
    settings_free(&s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(right_configurations_become_the_settings_below_them),
      cmocka_unit_test(
          wrong_configurations_are_refused_with_the_line_below_them),
      cmocka_unit_test(example_is_read_into_the_settings),
      cmocka_unit_test(no_configuration_gives_one_group_of_all_but_loopback),
      cmocka_unit_test(values_that_no_text_gives_are_refused),
      cmocka_unit_test(longest_line_is_not_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
