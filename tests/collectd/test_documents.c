/* Compares the documents for users with the code: the options, conditions,
 * metrics and own values in the manual page, and every configuration in the
 * page, in README.md and in the sample. */
#include "collectd/config_read.h"
#include "collectd/dispatch.h"
#include "filter/expression.h"
#include "support/fake_daemon.h"
#include "support/oconfig_text.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define PAGE "doc/collectd-tcpinfo.5"
#define SAMPLE "conf/tcpinfo.conf"
#define GOOD "tests/config/good.txt"

static char *file_read(const char *name) {
  enum { SIZE = 1 << 18 };
  FILE *f = fopen(name, "r");
  if (f == NULL)
    fail_msg("%s cannot be read", name);
  char *text = calloc(1, SIZE);
  assert_non_null(text);
  size_t size = fread(text, 1, SIZE - 1, f);
  assert_in_range(size, 1, SIZE - 2);
  fclose(f);
  return text;
}

/* Returns the text from `from` to before the next `to`, or to the end. The
 * caller frees it. */
static char *part(const char *text, const char *from, const char *to) {
  const char *begin = strstr(text, from);
  if (begin == NULL)
    fail_msg("no line %s", from);
  const char *end = strstr(begin + strlen(from), to);
  char *out = strndup(begin, end != NULL ? (size_t)(end - begin) : SIZE_MAX);
  assert_non_null(out);
  return out;
}

static char *section(const char *page, const char *name) {
  char heading[64];
  snprintf(heading, sizeof(heading), "\n.Sh %s\n", name);
  return part(page, heading, "\n.Sh ");
}

/* --- names ---------------------------------------------------------------- */

enum { NAMES_MAX = 256, NAME_SIZE = 64 };

struct names {
  size_t count;
  char name[NAMES_MAX][NAME_SIZE];
};

static void names_add(struct names *n, const char *name, size_t length) {
  assert_true(n->count < NAMES_MAX && length < NAME_SIZE);
  memcpy(n->name[n->count], name, length);
  n->name[n->count++][length] = '\0';
}

static bool names_contain(const struct names *n, const char *name) {
  for (size_t i = 0; i < n->count; i++)
    if (strcmp(n->name[i], name) == 0)
      return true;
  return false;
}

/* Fails with the first name that only one of the two has; `kind` describes the
 * names. */
static void names_compare(const struct names *page, const struct names *code,
                          const char *kind) {
  for (size_t i = 0; i < code->count; i++)
    if (!names_contain(page, code->name[i]))
      fail_msg("%s %s is missing in %s", kind, code->name[i], PAGE);
  for (size_t i = 0; i < page->count; i++)
    if (!names_contain(code, page->name[i]))
      fail_msg("%s %s in %s does not exist", kind, page->name[i], PAGE);
  assert_int_equal(page->count, code->count); /* no name twice */
}

/* Adds the word after `macro` in each heading of a list item. */
static void names_of_items(const char *text, const char *macro,
                           struct names *out) {
  for (const char *at = text; (at = strstr(at, "\n.It ")) != NULL;) {
    const char *end = strchr(++at, '\n');
    assert_non_null(end);
    const char *word = strstr(at, macro);
    if (word == NULL || word > end)
      continue;
    word += strlen(macro);
    names_add(out, word, strcspn(word, " \n"));
  }
}

/* Adds the words of each line that begins with `macro`, without punctuation. */
static void names_in_text(const char *text, const char *macro,
                          struct names *out) {
  for (const char *at = text; (at = strstr(at, macro)) != NULL;) {
    at += strlen(macro);
    while (*at != '\n') {
      size_t length = strcspn(at, " \n");
      char name[NAME_SIZE] = "";
      assert_true(length > 0 && length < NAME_SIZE);
      memcpy(name, at, length);
      if (isalpha((unsigned char)*name) && !names_contain(out, name))
        names_add(out, name, length);
      at += length + (at[length] == ' ');
    }
  }
}

/* --- options -------------------------------------------------------------- */

/* Reads all blocks of the plugin in a configuration. Returns false with the
 * reason in `error`. */
static bool read_blocks(const char *text, struct settings *s,
                        struct error *error) {
  oconfig_item_t *root = oconfig_text_parse(text);
  bool good = root != NULL;
  if (!good)
    error_set(error, "collectd's parser would reject the text");
  settings_init(s);
  for (int i = 0; good && i < root->children_num; i++) {
    const oconfig_item_t *item = &root->children[i];
    good = strcasecmp(item->key, "Plugin") != 0 ||
           config_read(s, item, error) == 0;
  }
  oconfig_text_free(root);
  return good;
}

/* Adds the options that the error message for an unknown option lists. */
static void options_at(bool group, struct names *out) {
  struct settings s;
  struct error error = {""};
  assert_false(read_blocks(
      group ? "<Plugin tcpinfo>\n<Group g>\n_ 1\n</Group>\n</Plugin>\n"
            : "<Plugin tcpinfo>\n_ 1\n</Plugin>\n",
      &s, &error));
  settings_free(&s);
  const char *at = strstr(error.text, "legal is ");
  assert_non_null(at);
  for (at += strlen("legal is "); *at != '\0'; at += strspn(at, ", ")) {
    size_t length = strcspn(at, ", ");
    names_add(out, at, length);
    at += length;
  }
}

static void options_of_the_manual_exist_and_are_complete(void **state) {
  (void)state;
  char *page = file_read(PAGE), *all = section(page, "OPTIONS");
  static struct names inside;
  static const char *const heading[] = {"\n.Ss Plugin level\n",
                                        "\n.Ss Group level\n"};
  inside.count = 0;
  for (int group = 0; group < 2; group++) {
    static struct names code, documented;
    code.count = documented.count = 0;
    char *level = part(all, heading[group], "\n.Ss ");
    names_of_items(level, " Cm ", &documented);
    free(level);
    options_at(group, &code);
    names_compare(&documented, &code, "option");
    for (size_t i = 0; i < code.count; i++)
      names_add(&inside, code.name[i], strlen(code.name[i]));
  }
  static struct names mentioned;
  mentioned.count = 0;
  names_in_text(page, "\n.Cm ", &mentioned);
  assert_true(mentioned.count > 0);
  for (size_t i = 0; i < mentioned.count; i++)
    if (!names_contain(&inside, mentioned.name[i]))
      fail_msg("option %s in %s does not exist", mentioned.name[i], PAGE);

  free(all);
  free(page);
}

/* Fails with the first dimension that the text does not have between `before`
 * and `after`. */
static void dimensions_are_in(const char *text, const char *before,
                              const char *after, const char *file) {
  for (int d = 0; d < DIMENSION_COUNT; d++) {
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "%s%s%s", before,
             dimension_name((enum dimension)d), after);
    if (strstr(text, quoted) == NULL)
      fail_msg("dimension %s is missing in %s",
               dimension_name((enum dimension)d), file);
  }
}

static void manual_describes_each_dimension(void **state) {
  (void)state;
  char *page = file_read(PAGE), *all = section(page, "OPTIONS");
  dimensions_are_in(all, "\n.It Li \\*q", "\\*q Ta ", PAGE);
  free(all);
  free(page);
}

/* --- the language of Filter ----------------------------------------------- */

/* Adds the conditions that the error message for an unknown condition lists. */
static void conditions(struct names *out) {
  struct error error = {""};
  assert_null(expression_parse("_", &error));
  const char *at = strstr(error.text, "expected ");
  assert_non_null(at);
  for (at += strlen("expected "); strncmp(at, "not ", 4) != 0;) {
    size_t length = strcspn(at, ", ");
    assert_true(length > 0);
    names_add(out, at, length);
    at += length + strspn(at + length, ", ");
  }
}

static void conditions_of_the_manual_exist_and_examples_parse(void **state) {
  (void)state;
  char *page = file_read(PAGE), *filters = section(page, "FILTERS");
  static struct names code, documented;
  code.count = documented.count = 0;
  conditions(&code);
  names_of_items(filters, " Cm ", &documented);
  names_compare(&documented, &code, "condition");

  size_t examples = 0;
  for (char *at = filters; (at = strstr(at, "\nFilter \"")) != NULL;
       examples++) {
    at += strlen("\nFilter \"");
    char *expression = strndup(at, strcspn(at, "\"\n"));
    struct error error;
    assert_non_null(expression);
    struct selector *s = expression_parse(expression, &error);
    if (s == NULL)
      fail_msg("%s: %s: %s", PAGE, expression, error.text);
    selector_free(s);
    free(expression);
  }
  assert_true(examples > 0);
  free(filters);
  free(page);
}

/* --- metrics -------------------------------------------------------------- */

static double kernel_number(const char *kernel) {
  int major = 0, minor = 0;
  assert_int_equal(sscanf(kernel, "%d.%d", &major, &minor), 2);
  return major * 1000 + minor;
}

static const char *later(const char *a, enum field_id id) {
  const char *b = field_table[id].kernel;
  return kernel_number(b) > kernel_number(a) ? b : a;
}

/* Returns the first kernel that sends all fields of the metric. */
static const char *kernel_of(const struct metric *m) {
  if (m == &metric_table[METRIC_FAILED])
    return "4.3"; /* only close events show failed connections */
  const char *kernel = "2.6";
  if (m->field != METRIC_NO_FIELD)
    kernel = later(kernel, m->field);
  if (m->kind == METRIC_KIND_PERCENT)
    kernel = later(kernel, m->whole);
  return kernel;
}

/* Returns "no", "yes" or the statistics that a group without `Metric` reports.
 */
static const char *default_of(const struct metric_list *list, int id) {
  static char text[64];
  strcpy(text, "no");
  for (size_t i = 0; i < list->count; i++) {
    const struct metric_choice *c = &list->choice[i];
    if ((int)c->id != id)
      continue;
    strcpy(text, c->statistic_count == 0 ? "yes" : "");
    for (size_t k = 0; k < c->statistic_count; k++) {
      char one[STATISTIC_TEXT_MAX];
      assert_true(strlen(text) + 1 + sizeof(one) <= sizeof(text));
      strcat(text, k > 0 ? " " : "");
      strcat(text, statistic_format(c->statistic[k], one));
    }
  }
  return text;
}

static const char *const kind_name[] = {
    [METRIC_KIND_GAUGE] = "gauge",
    [METRIC_KIND_SOCKETS] = "gauge",
    [METRIC_KIND_SET] = "gauge",
    [METRIC_KIND_DISTRIBUTION] = "distribution",
    [METRIC_KIND_LIFE] = "counter",
    [METRIC_KIND_COUNTER] = "counter",
    [METRIC_KIND_PERCENT] = "percent",
    [METRIC_KIND_LIMITED] = "percent",
};

/* Compares each line of the table of all metrics. */
static void metric_table_of_the_manual_matches_the_code(void **state) {
  (void)state;
  char *page = file_read(PAGE), *metrics = section(page, "METRICS");
  char *table = part(metrics, "\n.Ss All metrics\n", ".El\n");
  static struct names code, documented;
  code.count = documented.count = 0;
  for (int id = 0; id < METRIC_COUNT; id++)
    names_add(&code, metric_table[id].name, strlen(metric_table[id].name));
  names_of_items(table, ".It Li ", &documented);
  names_compare(&documented, &code, "table line of metric");

  struct metric_list defaults = {0};
  assert_int_equal(metric_list_default(&defaults), 0);
  for (int id = 0; id < METRIC_COUNT; id++) {
    const struct metric *m = &metric_table[id];
    const char *kernel = kernel_of(m);
    char line[160];
    snprintf(line, sizeof(line), ".It Li %s Ta %s Ta %s Ta %s Ta %s", m->name,
             kind_name[m->kind], m->unit, default_of(&defaults, id),
             strcmp(kernel, "2.6") == 0 ? "any" : kernel);
    char item[NAME_SIZE + 16];
    snprintf(item, sizeof(item), "\n.It Li %s ", m->name);
    const char *at = strstr(table, item);
    size_t length = at != NULL ? strcspn(++at, "\n") : 0;
    if (length != strlen(line) || strncmp(at, line, length) != 0)
      fail_msg("%s has \"%.*s\" instead of \"%s\"", PAGE, (int)length,
               length > 0 ? at : "", line);
  }
  metric_list_clear(&defaults);
  free(table);
  free(metrics);
  free(page);
}

static void metric_descriptions_match_the_code(void **state) {
  (void)state;
  char *page = file_read(PAGE), *metrics = section(page, "METRICS");
  static struct names code, documented, mentioned;
  code.count = documented.count = mentioned.count = 0;
  for (int id = 0; id < METRIC_COUNT; id++)
    names_add(&code, metric_table[id].name, strlen(metric_table[id].name));
  names_of_items(metrics, " Va ", &documented);
  names_compare(&documented, &code, "metric");
  names_in_text(page, "\n.Va ", &mentioned);
  assert_true(mentioned.count > 0);
  for (size_t i = 0; i < mentioned.count; i++)
    if (!names_contain(&code, mentioned.name[i]))
      fail_msg("metric %s in %s does not exist", mentioned.name[i], PAGE);

  for (int id = 0; id < METRIC_COUNT; id++) {
    const struct metric *m = &metric_table[id];
    const char *kernel = kernel_of(m);
    bool any = strcmp(kernel, "2.6") == 0;
    char line[160];
    snprintf(line, sizeof(line), "\n.It Va %s Pq %s, %s, %s%s%s\n", m->name,
             kind_name[m->kind], m->type, m->unit, any ? "" : ", Linux ",
             any ? "" : kernel);
    if (strstr(metrics, line) == NULL)
      fail_msg("%s has no line:%s", PAGE, line);
  }
  free(metrics);
  free(page);
}

/* Checks that each section that the page refers to exists. */
static void section_references_lead_to_sections(void **state) {
  (void)state;
  char *page = file_read(PAGE);
  size_t count = 0;
  for (const char *at = page; (at = strstr(at, "Sx ")) != NULL; count++) {
    at += strlen("Sx ");
    bool found = false;
    for (const char *head = page; (head = strstr(head, "\n.S")) != NULL;) {
      head += strlen("\n.S");
      size_t length = strcspn(head + 2, "\n"); /* after "h " or "s " */
      found |= strchr("hs", *head) != NULL && head[1] == ' ' &&
               strncmp(at, head + 2, length) == 0 &&
               strchr(" \n", at[length]) != NULL;
    }
    if (!found)
      fail_msg("no section \"%.*s\" in %s", (int)strcspn(at, "\n"), at, PAGE);
  }
  assert_true(count > 0);
  free(page);
}

/* Compares the plugin's own values, dispatched without any socket. */
static void own_values_of_the_manual_match_the_dispatched(void **state) {
  (void)state;
  struct settings s;
  struct error error;
  settings_init(&s);
  assert_int_equal(config_finish(&s, &error), 0);
  struct reader *reader = reader_new(&s, 1000, NULL, &error);
  assert_non_null(reader);
  struct reader_health *health = (struct reader_health *)reader_health(reader);
  health->observer.close_policy.state = CLOSE_POLICY_RECEIVING;
  health->observer.coverage = 50;
  health->observer.limits = (struct proc_limits){1, 1, 1, 1, 1, 1, 1};
  dispatch_read(reader);

  char *page = file_read(PAGE);
  char *own = section(page, "THE PLUGIN'S OWN VALUES");
  static struct names code, documented;
  code.count = documented.count = 0;
  for (size_t i = 0; i < fake_daemon.count; i++)
    if (strcmp(fake_daemon.value[i].group, "self") == 0)
      names_add(&code, fake_daemon.value[i].instance,
                strlen(fake_daemon.value[i].instance));
  names_of_items(own, " Va ", &documented);
  names_compare(&documented, &code, "value");
  free(own);
  free(page);
  fake_daemon_clear();
  reader_free(reader);
  settings_free(&s);
}

/* --- configurations ------------------------------------------------------- */

/* Checks that two groups report the same metrics in the same order. */
static void metrics_are_the_same(const struct metric_list *a,
                                 const struct metric_list *b) {
  assert_int_equal(a->count, b->count);
  for (size_t i = 0; i < a->count; i++) {
    const struct metric_choice *x = &a->choice[i], *y = &b->choice[i];
    assert_string_equal(metric_table[x->id].name, metric_table[y->id].name);
    assert_int_equal(x->statistic_count, y->statistic_count);
    for (size_t k = 0; k < x->statistic_count; k++) {
      assert_int_equal(x->statistic[k].kind, y->statistic[k].kind);
      assert_int_equal(x->statistic[k].permille, y->statistic[k].permille);
    }
  }
}

/* Removes each "#" that no space follows. */
static void uncomment(char *text) {
  for (char *at = text; at != NULL && *at != '\0';) {
    if (*at == '#' && at[1] != ' ' && at[1] != '\n')
      *at = ' ';
    at = strchr(at, '\n');
    at += at != NULL;
  }
}

static const struct group_settings *group_find(const struct settings *s,
                                               const char *name) {
  for (size_t i = 0; i < s->group_count; i++)
    if (strcmp(s->group[i].name, name) == 0)
      return &s->group[i];
  fail_msg("no group %s in %s", name, SAMPLE);
  return NULL;
}

static bool has_metric(const struct metric_list *list, int id) {
  for (size_t i = 0; i < list->count; i++)
    if ((int)list->choice[i].id == id)
      return true;
  return false;
}

static void sample_is_valid_and_shows_the_defaults(void **state) {
  (void)state;
  char *text = file_read(SAMPLE);
  struct settings defaults, all;
  struct error error;
  if (!read_blocks(text, &defaults, &error))
    fail_msg("%s: %s", SAMPLE, error.text);
  assert_int_equal(defaults.group_count, 0);
  assert_int_equal(config_finish(&defaults, &error), 0);
  uncomment(text);
  if (!read_blocks(text, &all, &error))
    fail_msg("%s with all of its examples: %s", SAMPLE, error.text);

  /* The sample shows the defaults. */
  const struct group_settings *g = group_find(&all, "all");
  metrics_are_the_same(&g->metrics, &defaults.group[0].metrics);
  assert_int_equal(g->max_members, defaults.group[0].max_members);
  assert_int_equal(g->member_timeout, defaults.group[0].member_timeout);
  assert_int_equal(g->selector->count, defaults.group[0].selector->count);
  const struct metric_list *choice = &group_find(&all, "choice")->metrics;
  for (int m = 0; m < METRIC_COUNT; m++)
    if (!has_metric(choice, m))
      fail_msg("metric %s is missing in %s", metric_table[m].name, SAMPLE);
  settings_free(&defaults);
  settings_free(&all);
  free(text);
}

/* Fails with the first option that no line of the text begins with. */
static void options_are_in(const char *text, const char *file) {
  static struct names options;
  options.count = 0;
  options_at(false, &options);
  options_at(true, &options);
  for (size_t i = 0; i < options.count; i++) {
    char word[NAME_SIZE + 8];
    snprintf(word, sizeof(word), "%s ", options.name[i]);
    const char *at = strstr(text + 1, word);
    while (at != NULL && strchr("\n\t<", at[-1]) == NULL)
      at = strstr(at + 1, word);
    if (at == NULL)
      fail_msg("option %s is missing in %s", options.name[i], file);
  }
}

static void sample_shows_each_option(void **state) {
  (void)state;
  char *text = file_read(SAMPLE);
  uncomment(text);
  options_are_in(text, SAMPLE);
  free(text);
}

static void sample_shows_each_dimension(void **state) {
  (void)state;
  char *text = file_read(SAMPLE);
  dimensions_are_in(text, " \"", "\"", SAMPLE);
  free(text);
}

static void right_configurations_have_each_option(void **state) {
  (void)state;
  char *text = file_read(GOOD);
  options_are_in(text, GOOD);
  free(text);
}

static void right_configurations_have_each_dimension(void **state) {
  (void)state;
  char *text = file_read(GOOD);
  dimensions_are_in(text, " \"", "\"", GOOD);
  free(text);
}

/* Reads each example of the file from <Plugin tcpinfo> to </Plugin>. */
static void examples_read(const char *file) {
  char *text = file_read(file);
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, "\n<Plugin tcpinfo>\n")) != NULL;
       count++) {
    const char *end = strstr(at, "\n</Plugin>\n");
    assert_non_null(end);
    end += strlen("\n</Plugin>\n");
    char *block = strndup(at, (size_t)(end - at));
    struct settings s;
    struct error error;
    assert_non_null(block);
    if (!read_blocks(block, &s, &error))
      fail_msg("%s: %s\n%s", file, error.text, block);
    assert_true(s.group_count + s.replay_count > 0);
    settings_free(&s);
    free(block);
    at = end - 1;
  }
  assert_true(count > 0);
  free(text);
}

static void examples_of_the_documents_are_valid(void **state) {
  (void)state;
  examples_read(PAGE);
  examples_read("README.md");
}

/* Compares the default metrics, which the page lists as a configuration. */
static void default_metrics_of_the_manual_are_the_defaults(void **state) {
  (void)state;
  char *page = file_read(PAGE);
  char *text = part(page, "\nWithout it, here and at the plugin level", ".Ed");
  const char *lines = strstr(text, "\nMetric ");
  assert_non_null(lines);
  char block[1024];
  snprintf(block, sizeof(block),
           "<Plugin tcpinfo>\n<Group g>%s\n</Group>\n</Plugin>\n", lines);
  struct settings s, defaults;
  struct error error;
  if (!read_blocks(block, &s, &error))
    fail_msg("%s", error.text);
  settings_init(&defaults);
  assert_int_equal(config_finish(&defaults, &error), 0);
  metrics_are_the_same(&s.group[0].metrics, &defaults.group[0].metrics);
  settings_free(&s);
  settings_free(&defaults);
  free(text);
  free(page);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_of_the_manual_exist_and_are_complete),
      cmocka_unit_test(manual_describes_each_dimension),
      cmocka_unit_test(conditions_of_the_manual_exist_and_examples_parse),
      cmocka_unit_test(metric_table_of_the_manual_matches_the_code),
      cmocka_unit_test(metric_descriptions_match_the_code),
      cmocka_unit_test(own_values_of_the_manual_match_the_dispatched),
      cmocka_unit_test(default_metrics_of_the_manual_are_the_defaults),
      cmocka_unit_test(sample_is_valid_and_shows_the_defaults),
      cmocka_unit_test(sample_shows_each_option),
      cmocka_unit_test(sample_shows_each_dimension),
      cmocka_unit_test(right_configurations_have_each_option),
      cmocka_unit_test(right_configurations_have_each_dimension),
      cmocka_unit_test(examples_of_the_documents_are_valid),
      cmocka_unit_test(section_references_lead_to_sections),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
