/* Walks the configuration tree: blocks, lines, values. A line is checked here
 * for its option's level, arity and repetition; its values are read by
 * config_option.c. */
#include "collectd/config_read.h"
#include "collectd/config_error.h"
#include "collectd/config_option.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int read_group(struct config_walk *outer, const oconfig_value_t *v);

static bool is_at_level(const struct config_walk *w,
                        const struct config_option *o) {
  return (o->level & (w->group != NULL ? OPTION_IN_GROUP : OPTION_IN_PLUGIN)) !=
         0;
}

/* Lists the options of the level, as many as fit. */
static void options_text(const struct config_walk *w, char *out, size_t size) {
  static const char more[] = ", ...";
  size_t length = 0;
  *out = '\0';
  for (size_t i = 0; i < option_count; i++) {
    const char *name = option_table[i].name;
    if (!is_at_level(w, &option_table[i]))
      continue;
    if (length + strlen(name) + 2 + sizeof(more) > size) {
      strcpy(out + length, more);
      return;
    }
    length +=
        (size_t)sprintf(out + length, "%s%s", length > 0 ? ", " : "", name);
  }
}

static const struct config_option *option_nearest(const struct config_walk *w,
                                                  const char *text) {
  const struct config_option *nearest = NULL;
  unsigned least = UINT32_MAX;
  for (size_t i = 0; i < option_count; i++) {
    const struct config_option *o = &option_table[i];
    unsigned distance = config_error_distance(text, o->name);
    if (!is_at_level(w, o) || distance >= least)
      continue;
    least = distance;
    nearest = o;
  }
  return config_error_is_slip(text, least) ? nearest : NULL;
}

/* For an option that does not exist, or exists at the other level only. */
static int refuse_option(const struct config_walk *w,
                         const oconfig_item_t *item) {
  char problem[CONFIG_PROBLEM_MAX] = "not an option";
  char legal[CONFIG_ERROR_ROOM - CONFIG_PROBLEM_MAX];
  const struct config_option *nearest = option_nearest(w, item->key);
  if (option_find(item->key) != NULL)
    strcpy(problem, w->group != NULL ? "not an option of a group"
                                     : "an option of groups only");
  else if (nearest != NULL)
    snprintf(problem, sizeof(problem), "not an option, %s perhaps",
             nearest->name);
  options_text(w, legal, sizeof(legal));
  const struct config_error e = {
      .group = w->group != NULL ? w->group->name : NULL,
      .option = item->key,
      .value = item->values_num > 0 ? item->values : NULL,
      .problem = problem,
      .legal = legal};
  return config_error_set(w->error, &e);
}

/* Marks the option as given. Tells if it was not given before in the block, or
 * in all blocks if it may be given only once in all. */
static bool is_first(struct config_walk *w, const struct config_option *o) {
  unsigned bit = 1u << (o - option_table);
  unsigned *seen =
      o->repeat == OPTION_ONCE_IN_ALL ? &w->settings->given : &w->seen;
  bool first = (*seen & bit) == 0;
  *seen |= bit;
  return first;
}

static int check_item(const struct config_walk *w, bool first) {
  const struct config_option *o = w->option;
  const oconfig_item_t *item = w->item;
  const oconfig_value_t *v = item->values;
  if (item->values_num == 0)
    return config_walk_refuse(w, NULL, "no value");
  if (item->children_num > 0 && o->type != OPTION_GROUP)
    return config_walk_refuse(w, v, "a block, not an option");
  if (o->arity > 0 && item->values_num > o->arity)
    return config_walk_refuse(
        w, v + o->arity, o->arity == 1 ? "a second value" : "a third value");
  if (item->values_num < o->arity)
    return config_walk_refuse(w, v, "one value, not two");
  if (o->repeat != OPTION_REPEATED && !first)
    return config_walk_refuse(w, v, "given twice");
  return 0;
}

static int read_item(struct config_walk *w, const oconfig_item_t *item) {
  const struct config_option *o = option_find(item->key);
  if (o == NULL || !is_at_level(w, o))
    return refuse_option(w, item);
  w->option = o;
  w->item = item;
  w->metric = -1;
  bool first = is_first(w, o);
  if (check_item(w, first) != 0)
    return -1;
  if (o->type == OPTION_GROUP)
    return read_group(w, item->values);
  /* A block's own defaults replace those of a block before. */
  if (o->type == OPTION_METRICS && w->group == NULL && first)
    metric_list_clear(&w->settings->metrics);
  for (int i = 0; i < item->values_num; i++)
    if (config_option_read(w, &item->values[i]) != 0)
      return -1;
  return 0;
}

/* --- groups --------------------------------------------------------------- */

/* Without Metric, a group reports the plugin's default metrics. */
static int complete_metrics(const struct settings *s,
                            struct group_settings *g) {
  int status = 0;
  if (g->metrics.count == 0 && s->metrics.count == 0)
    status = metric_list_default(&g->metrics);
  else if (g->metrics.count == 0)
    status = metric_list_copy(&g->metrics, &s->metrics);
  if (status != 0 || metric_list_complete(&g->metrics) != 0)
    return -1;
  return metric_list_copy(&g->metrics, &g->histograms);
}

static int end_group(struct config_walk *w, const oconfig_item_t *block) {
  if (config_option_end_group(w, block) != 0)
    return -1;
  return complete_metrics(w->settings, w->group) == 0
             ? 0
             : config_walk_out_of_memory(w);
}

static bool name_is_legal(const struct config_option *o, const char *name) {
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
  return option_in_range(o, 0, (double)length) && name[length] == '\0';
}

static int read_group(struct config_walk *outer, const oconfig_value_t *v) {
  struct settings *s = outer->settings;
  const char *name = config_walk_text(outer, v);
  if (name == NULL)
    return -1;
  if (!name_is_legal(outer->option, name))
    return config_walk_refuse(outer, v, "not a name");
  if (strcmp(name, "self") == 0)
    return config_walk_refuse(outer, v, "the name of the plugin's own values");
  for (size_t i = 0; i < s->group_count; i++)
    if (strcmp(s->group[i].name, name) == 0)
      return config_walk_refuse(outer, v, "the name of another group");
    else if (text_equal_in_graphite(s->group[i].name, name))
      return config_walk_refuse(outer, v,
                                "in Graphite, which writes \"_\" for \".\", "
                                "the name of another group");

  struct config_walk w = {.settings = s,
                          .group = settings_add_group(s, name),
                          .error = outer->error};
  if (w.group == NULL)
    return config_walk_out_of_memory(outer);
  for (int i = 0; i < outer->item->children_num; i++)
    if (read_item(&w, &outer->item->children[i]) != 0)
      return -1;
  return end_group(&w, outer->item);
}

/* --- all blocks ----------------------------------------------------------- */

static bool reports(const struct metric_list *list, enum metric_id id) {
  for (size_t i = 0; i < list->count; i++)
    if (list->choice[i].id == id)
      return true;
  return false;
}

static int refuse_failed(const struct settings *s, const char *group,
                         struct error *error) {
  oconfig_value_t value = {.type = OCONFIG_TYPE_STRING};
  value.value.string = (char *)metric_table[METRIC_FAILED].name;
  const struct config_error e = {
      .group = group,
      .option = "Metric",
      .value = &value,
      .problem = s->replay_count > 0 ? "not available with Replay"
                                     : "not available with CountClosed false",
      .legal = "any other metric, or this one without Replay and with "
               "CountClosed true or auto"};
  return config_error_set(error, &e);
}

/* Only close events show that a connection failed. Without close events the
 * metric would be 0, as if no connection failed. CountClosed may stand behind
 * the groups and in a later block, so this is checked after each block. */
static int check_failed(const struct settings *s, struct error *error) {
  if (s->count_closed != COUNT_CLOSED_NEVER && s->replay_count == 0)
    return 0;
  if (reports(&s->metrics, METRIC_FAILED))
    return refuse_failed(s, NULL, error);
  for (size_t i = 0; i < s->group_count; i++)
    if (reports(&s->group[i].metrics, METRIC_FAILED))
      return refuse_failed(s, s->group[i].name, error);
  return 0;
}

int config_read(struct settings *s, const oconfig_item_t *block,
                struct error *error) {
  struct config_walk w = {.settings = s, .error = error};
  for (int groups = 0; groups < 2; groups++) /* defaults first */
    for (int i = 0; i < block->children_num; i++) {
      const oconfig_item_t *item = &block->children[i];
      if ((strcasecmp(item->key, "Group") == 0) == groups &&
          read_item(&w, item) != 0)
        return -1;
    }
  return check_failed(s, error);
}

int config_finish(struct settings *s, struct error *error) {
  static const oconfig_item_t nothing;
  if (s->group_count > 0)
    return 0;
  struct config_walk w = {
      .settings = s, .group = settings_add_group(s, "all"), .error = error};
  if (w.group == NULL)
    return config_walk_out_of_memory(&w);
  w.group->ignore_loopback = true;
  return end_group(&w, &nothing);
}
