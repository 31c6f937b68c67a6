#include "collectd/config_metric.h"
#include "collectd/config_error.h"

#include <stdio.h>
#include <string.h>

enum { NEAREST_MAX = 6 }; /* metrics that a message proposes */

/* "min, max, avg, sum" and the lowest and the highest percentile, "p1 to
 * p99.9". */
static size_t statistics_text(char *out, size_t size, bool sum,
                              const char *before_percentiles) {
  char low[STATISTIC_TEXT_MAX], high[STATISTIC_TEXT_MAX];
  char name[STATISTIC_TEXT_MAX];
  size_t length = 0;
  for (int kind = STATISTIC_MIN; kind < STATISTIC_PERCENTILE; kind++) {
    if (kind == STATISTIC_SUM && !sum)
      continue;
    const struct statistic s = {.kind = (enum statistic_kind)kind};
    length +=
        (size_t)snprintf(out + length, size - length, "%s%s",
                         length > 0 ? ", " : "", statistic_format(s, name));
  }
  const struct statistic first = {STATISTIC_PERCENTILE, 10};
  const struct statistic last = {STATISTIC_PERCENTILE, 999};
  return length + (size_t)snprintf(out + length, size - length, "%s%s to %s",
                                   before_percentiles,
                                   statistic_format(first, low),
                                   statistic_format(last, high));
}

/* Proposes the metrics whose names read most like the text: there are too many
 * to list them all. */
static int refuse_metric(const struct config_walk *w,
                         const oconfig_value_t *v) {
  char problem[CONFIG_PROBLEM_MAX] = "neither a metric nor a statistic";
  char legal[CONFIG_ERROR_ROOM - CONFIG_PROBLEM_MAX];
  const char *text = v->value.string;
  size_t length = statistics_text(legal, sizeof(legal), true, ", ");
  length += (size_t)snprintf(legal + length, sizeof(legal) - length,
                             " behind a distribution, or a metric "
                             "(collectd-tcpinfo(5)) such as ");
  int named = 0;
  for (unsigned distance = 0; distance < 32; distance++)
    for (int id = 0; id < METRIC_COUNT && named < NEAREST_MAX; id++) {
      const char *name = metric_table[id].name;
      if (config_error_distance(text, name) != distance)
        continue;
      if (named == 0 && config_error_is_slip(text, distance))
        snprintf(problem, sizeof(problem), "not a metric, \"%s\" perhaps",
                 name);
      if (length + strlen(name) + 3 > sizeof(legal))
        continue;
      length +=
          (size_t)sprintf(legal + length, "%s%s", named > 0 ? ", " : "", name);
      named++;
    }
  return config_walk_refuse_with(w, v, problem, legal);
}

static int add_metric(struct config_walk *w, struct metric_list *list,
                      enum metric_id id, const struct statistic *statistic) {
  return metric_list_add(list, id, statistic) == 0
             ? 0
             : config_walk_out_of_memory(w);
}

static int refuse_sum(const struct config_walk *w, const oconfig_value_t *v) {
  char legal[128];
  size_t length = statistics_text(legal, sizeof(legal), false, " and ");
  snprintf(legal + length, sizeof(legal) - length, " of a percentage");
  return config_walk_refuse_with(w, v, "percentages do not add up", legal);
}

static int read_statistic(struct config_walk *w, const oconfig_value_t *v,
                          struct metric_list *list) {
  struct statistic s;
  if (!statistic_parse(v->value.string, &s))
    return refuse_metric(w, v);
  if (w->metric < 0 || metric_table[w->metric].kind != METRIC_KIND_DISTRIBUTION)
    return config_walk_refuse_with(
        w, v, "a statistic without a distribution before it",
        "\"rtt\" \"p50\" \"max\", for example");
  if (s.kind == STATISTIC_SUM &&
      strcmp(metric_table[w->metric].type, "percent") == 0)
    return refuse_sum(w, v);
  return add_metric(w, list, (enum metric_id)w->metric, &s);
}

int config_metric_read(struct config_walk *w, const oconfig_value_t *v) {
  struct metric_list *list =
      w->group != NULL ? &w->group->metrics : &w->settings->metrics;
  const char *text = config_walk_text(w, v);
  if (text == NULL)
    return -1;
  int id = metric_find(text);
  if (id < 0)
    return read_statistic(w, v, list);
  w->metric = id;
  if (id == METRIC_OUTLIERS && w->group != NULL)
    w->outliers = v;
  return add_metric(w, list, (enum metric_id)id, NULL);
}

int config_metric_read_histogram(struct config_walk *w,
                                 const oconfig_value_t *v) {
  static const struct statistic histogram = {.kind = STATISTIC_HISTOGRAM};
  const char *text = config_walk_text(w, v);
  if (text == NULL)
    return -1;
  int id = metric_find(text);
  if (id < 0 || metric_table[id].kind != METRIC_KIND_DISTRIBUTION)
    return config_walk_refuse(w, v, "not a distribution");
  return add_metric(w, &w->group->histograms, (enum metric_id)id, &histogram);
}
