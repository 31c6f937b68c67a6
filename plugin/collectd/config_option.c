/* collectd's scanner limits text without quotes: it accepts
 * letters, digits, "_", numbers and addresses, and leaves out other characters;
 * 8000-8099 is two numbers, remote-address is two words (collectd:
 * src/liboconfig/scanner.l). */
#include "collectd/config_option.h"
#include "collectd/config_error.h"
#include "collectd/config_metric.h"
#include "filter/expression.h"
#include "kernel/id_lookup.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- options whose row says all ------------------------------------------- */

static void store(struct config_walk *w, int i, double n) {
  const struct option_value *value = &w->option->value[i];
  if (w->group != NULL)
    option_store(value->in_group, w->group, n);
  else
    option_store(value->in_plugin, w->settings, n);
}

/* Position of the value in its line. */
static int index_of(const struct config_walk *w, const oconfig_value_t *v) {
  return (int)(v - w->item->values);
}

static int read_number(struct config_walk *w, const oconfig_value_t *v,
                       bool whole) {
  int i = index_of(w, v);
  if (v->type == OCONFIG_TYPE_STRING)
    return config_walk_refuse(w, v, "text, not a number");
  if (v->type != OCONFIG_TYPE_NUMBER)
    return config_walk_refuse(w, v, "not a number");
  if (!option_in_range(w->option, i, v->value.number))
    return config_walk_refuse(w, v, "out of range");
  if (whole && v->value.number != floor(v->value.number))
    return config_walk_refuse(w, v, "not a whole number");
  store(w, i, v->value.number);
  return 0;
}

static int read_severity(struct config_walk *w, const oconfig_value_t *v) {
  if (read_number(w, v, false) != 0)
    return -1;
  return index_of(w, v) == 0 || v->value.number >= v[-1].value.number
             ? 0
             : config_walk_refuse(w, v, "less than the warning before it");
}

/* A boolean in quotes, or not in lower case, arrives as text. */
static bool boolean_of(const oconfig_value_t *v, bool *out) {
  static const char *const name[2][3] = {{"false", "no", "off"},
                                         {"true", "yes", "on"}};
  if (v->type == OCONFIG_TYPE_BOOLEAN) {
    *out = v->value.boolean != 0;
    return true;
  }
  for (size_t i = 0; v->type == OCONFIG_TYPE_STRING && i < 6; i++)
    if (strcasecmp(v->value.string, name[i / 3][i % 3]) == 0) {
      *out = i >= 3;
      return true;
    }
  return false;
}

static int read_boolean(struct config_walk *w, const oconfig_value_t *v) {
  bool value = false;
  if (!boolean_of(v, &value))
    return config_walk_refuse(w, v, "not a boolean");
  store(w, index_of(w, v), value);
  return 0;
}

static int read_count_closed(struct config_walk *w, const oconfig_value_t *v) {
  bool always = false;
  if (boolean_of(v, &always))
    w->settings->count_closed =
        always ? COUNT_CLOSED_ALWAYS : COUNT_CLOSED_NEVER;
  else if (v->type == OCONFIG_TYPE_STRING &&
           strcasecmp(v->value.string, "auto") == 0)
    w->settings->count_closed = COUNT_CLOSED_AUTO;
  else
    return config_walk_refuse(w, v, "none of these");
  return 0;
}

static int read_path(struct config_walk *w, const oconfig_value_t *v) {
  struct settings *s = w->settings;
  const char *file = config_walk_text(w, v);
  if (file == NULL)
    return -1;
  if (*file != '/') /* the daemon changes its folder before it reads */
    return config_walk_refuse(w, v, "not a whole path");
  char **grown = realloc(s->replay, (s->replay_count + 1) * sizeof(*grown));
  if (grown == NULL)
    return config_walk_out_of_memory(w);
  s->replay = grown;
  s->replay[s->replay_count] = strdup(file);
  if (s->replay[s->replay_count] == NULL)
    return config_walk_out_of_memory(w);
  s->replay_count++;
  return 0;
}

/* --- connections of a group ----------------------------------------------- */

/* Returns the list that all values of one option belong to, however often the
 * option is given. NULL: out of memory. */
static struct selector *list_of(struct config_walk *w, enum selector_op op) {
  if (w->list[op] == NULL) {
    struct selector *s = selector_new(op);
    if (selector_add_child(w->group->selector, s) == 0)
      w->list[op] = s;
  }
  return w->list[op];
}

/* 8000-8099 without quotes. */
static int refuse_split_range(const struct config_walk *w,
                              const oconfig_value_t *v) {
  char problem[CONFIG_PROBLEM_MAX];
  int low = (int)v[-1].value.number, high = (int)-v->value.number;
  snprintf(problem, sizeof(problem),
           "without quotes, %d-%d is read as two numbers: \"%d-%d\"", low, high,
           low, high);
  return config_walk_refuse(w, v, problem);
}

static bool is_port(const struct config_walk *w, const oconfig_value_t *v,
                    int sign) {
  if (v->type != OCONFIG_TYPE_NUMBER)
    return false;
  double n = v->value.number * sign;
  return option_in_range(w->option, 0, n) && n == floor(n);
}

/* Adds a condition to those of which one has to match: the option's list, and
 * others. Owns the condition; NULL: out of memory. */
static int list_join(struct config_walk *w, struct selector *condition) {
  enum selector_op op = w->option->op;
  if (w->either[op] != NULL)
    return selector_add_child(w->either[op], condition);
  struct selector *either = selector_wrap(SELECTOR_OR, condition);
  struct selector *list = list_of(w, op), *all = w->group->selector;
  if (either == NULL || list == NULL) {
    selector_free(either);
    return -1;
  }
  size_t i = 0;
  while (all->child[i] != list)
    i++;
  all->child[i] = w->either[op] = either; /* takes the place of the list */
  return selector_add_child(either, list);
}

/* If no source of services can be asked now, the condition follows the name. */
static int read_service(struct config_walk *w, const oconfig_value_t *v) {
  uint64_t port;
  char *name = v->value.string;
  struct selector *list;
  switch (id_lookup_service(name, &port)) {
  case ID_FOUND:
    list = list_of(w, w->option->op);
    if (list != NULL &&
        selector_add_port(
            list, (struct port_range){(uint16_t)port, (uint16_t)port}) == 0)
      return 0;
    break;
  case ID_ABSENT:
    return config_walk_refuse(w, v, "not a port");
  case ID_FAILED:
    if (list_join(w, selector_new_name(
                         w->option->op,
                         &(struct selector_name){.kind = SELECTOR_NAME_SERVICE,
                                                 .option = w->option->name,
                                                 .text = name,
                                                 .target = name})) == 0)
      return 0;
    break;
  }
  return config_walk_out_of_memory(w);
}

/* Text that is no number and no range is the name of a service. */
static bool is_service(const oconfig_value_t *v) {
  return v->type == OCONFIG_TYPE_STRING &&
         v->value.string[strspn(v->value.string, "0123456789-")] != '\0';
}

static int read_port(struct config_walk *w, const oconfig_value_t *v) {
  struct port_range range;
  if (is_port(w, v, 1))
    range.low = range.high = (uint16_t)v->value.number;
  else if (is_port(w, v, -1) && index_of(w, v) > 0 && is_port(w, v - 1, 1))
    return refuse_split_range(w, v);
  else if (is_service(v))
    return read_service(w, v);
  else if (v->type != OCONFIG_TYPE_STRING ||
           !port_range_parse(v->value.string, &range))
    return config_walk_refuse(w, v, "not a port");
  struct selector *list = list_of(w, w->option->op);
  if (list == NULL || selector_add_port(list, range) != 0)
    return config_walk_out_of_memory(w);
  return 0;
}

static int read_address(struct config_walk *w, const oconfig_value_t *v) {
  struct prefix prefix;
  if (v->type != OCONFIG_TYPE_STRING || !prefix_parse(v->value.string, &prefix))
    return config_walk_refuse(w, v, "not an address");
  struct selector *list = list_of(w, w->option->op);
  if (list == NULL || selector_add_prefix(list, prefix) != 0)
    return config_walk_out_of_memory(w);
  return 0;
}

static int read_filter(struct config_walk *w, const oconfig_value_t *v) {
  struct error error;
  const char *text = config_walk_text(w, v);
  if (text == NULL)
    return -1;
  struct selector *filter = expression_parse(text, &error);
  if (filter == NULL)
    return config_walk_refuse(w, v, error.text);
  struct selector *list = list_of(w, SELECTOR_OR);
  if (list == NULL) {
    selector_free(filter);
    return config_walk_out_of_memory(w);
  }
  return selector_add_child(list, filter) == 0 ? 0
                                               : config_walk_out_of_memory(w);
}

enum direction_bit { DIRECTION_INBOUND = 1, DIRECTION_OUTBOUND = 2 };

static int read_direction(struct config_walk *w, const oconfig_value_t *v) {
  const char *text = config_walk_text(w, v);
  if (text == NULL)
    return -1;
  if (strcmp(text, "inbound") == 0)
    w->directions |= DIRECTION_INBOUND;
  else if (strcmp(text, "outbound") == 0)
    w->directions |= DIRECTION_OUTBOUND;
  else
    return config_walk_refuse(w, v, "not a direction");
  return 0;
}

static int read_dimension(struct config_walk *w, const oconfig_value_t *v) {
  struct group_settings *g = w->group;
  const char *text = config_walk_text(w, v);
  if (text == NULL)
    return -1;
  int d = 0;
  while (d < DIMENSION_COUNT &&
         strcmp(text, dimension_name((enum dimension)d)) != 0)
    d++;
  if (d == DIMENSION_COUNT)
    return config_walk_refuse(w, v, "not a dimension");
  for (size_t i = 0; i < g->by_count; i++)
    if ((int)g->by[i] == d)
      return config_walk_refuse(w, v, "given twice");
  g->by[g->by_count++] = (enum dimension)d;
  return 0;
}

/* --- all options ---------------------------------------------------------- */

int config_option_read(struct config_walk *w, const oconfig_value_t *v) {
  switch (w->option->type) {
  case OPTION_COUNT:
  case OPTION_PREFIX_LENGTHS:
    return read_number(w, v, true);
  case OPTION_NUMBER:
    return read_number(w, v, false);
  case OPTION_BOOLEAN:
    return read_boolean(w, v);
  case OPTION_SEVERITY:
    return read_severity(w, v);
  case OPTION_COUNT_CLOSED:
    return read_count_closed(w, v);
  case OPTION_PATHS:
    return read_path(w, v);
  case OPTION_PORTS:
    return read_port(w, v);
  case OPTION_ADDRESSES:
    return read_address(w, v);
  case OPTION_FILTER:
    return read_filter(w, v);
  case OPTION_DIRECTIONS:
    return read_direction(w, v);
  case OPTION_DIMENSIONS:
    return read_dimension(w, v);
  case OPTION_DISTRIBUTIONS:
    return config_metric_read_histogram(w, v);
  case OPTION_METRICS:
    return config_metric_read(w, v);
  case OPTION_GROUP: /* config_read.c walks the block */
  case OPTION_TYPE_COUNT:
    break;
  }
  return -1;
}

/* --- the end of a group --------------------------------------------------- */

static bool has_dimension(const struct group_settings *g, enum dimension d) {
  for (size_t i = 0; i < g->by_count; i++)
    if (g->by[i] == d)
      return true;
  return false;
}

static bool has_need(const struct group_settings *g, enum option_need need) {
  switch (need) {
  case OPTION_NEEDS_NOTHING:
    break;
  case OPTION_NEEDS_REMOTE_NETWORK:
    return has_dimension(g, DIMENSION_REMOTE_NETWORK);
  case OPTION_NEEDS_BY:
    return g->by_count > 0;
  case OPTION_NEEDS_WORST:
    return g->by_count > 0 && g->worst > 0;
  }
  return true;
}

static int check_need(struct config_walk *w, enum option_need need,
                      const oconfig_value_t *v) {
  if (has_need(w->group, need))
    return 0;
  char problem[CONFIG_PROBLEM_MAX];
  snprintf(problem, sizeof(problem), "of use only in a group with %s",
           option_need_text(need));
  return config_walk_refuse(w, v, problem);
}

static int complete_selector(const struct config_walk *w) {
  struct selector *all = w->group->selector;
  if (w->group->ignore_loopback &&
      selector_add_child(
          all, selector_wrap(SELECTOR_NOT, selector_new(SELECTOR_LOOPBACK))))
    return -1;
  if (w->directions == DIRECTION_INBOUND)
    return selector_add_child(all, selector_new(SELECTOR_INBOUND));
  if (w->directions == DIRECTION_OUTBOUND)
    return selector_add_child(
        all, selector_wrap(SELECTOR_NOT, selector_new(SELECTOR_INBOUND)));
  return 0;
}

int config_option_end_group(struct config_walk *w,
                            const oconfig_item_t *block) {
  for (int i = 0; i < block->children_num; i++) {
    w->option = option_find(block->children[i].key);
    if (check_need(w, w->option->need, block->children[i].values) != 0)
      return -1;
    if (w->option->type == OPTION_METRICS && w->outliers != NULL &&
        check_need(w, OPTION_NEEDS_BY, w->outliers) != 0)
      return -1;
  }
  return complete_selector(w) == 0 ? 0 : config_walk_out_of_memory(w);
}
