/* See option.h.
 *
 * What collectd's scanner makes of text without quotes matters here: it knows
 * letters, digits, "_", numbers and addresses, and leaves out what else comes;
 * 8000-8099 is two numbers, remote-address two words (collectd:
 * src/liboconfig/scanner.l). */
#include "collectd/config_option.h"
#include "filter/expression.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
  COUNT_MAX = 10000,
  DUMP_SECONDS_MAX = 3600,
  CLOSE_RATE_MAX = 10000000,
  NAMED_MAX = 6, /* metrics in a message */
  WORST_MAX = 100,
  RTT_SECONDS_MAX = 3600,
};

static int refuse_with(const struct config_walk *r, const oconfig_value_t *v,
                       const char *problem, const char *legal) {
  const struct config_error m = {.group =
                                     r->group != NULL ? r->group->name : NULL,
                                 .option = r->option->name,
                                 .value = v,
                                 .problem = problem,
                                 .legal = legal};
  return config_error_set(r->error, &m);
}

int config_option_refuse(const struct config_walk *r, const oconfig_value_t *v,
                         const char *problem) {
  return refuse_with(r, v, problem, r->option->legal);
}

int config_option_out_of_memory(const struct config_walk *r) {
  return error_set(r->error, "out of memory");
}

const char *config_option_text(const struct config_walk *r,
                               const oconfig_value_t *v) {
  if (v->type == OCONFIG_TYPE_STRING)
    return v->value.string;
  config_option_refuse(r, v,
                       v->type == OCONFIG_TYPE_NUMBER ? "a number, not text"
                                                      : "a boolean, not text");
  return NULL;
}

static int number_of(const struct config_walk *r, const oconfig_value_t *v,
                     double max, double *out) {
  if (v->type == OCONFIG_TYPE_STRING)
    return config_option_refuse(r, v, "text, not a number");
  if (v->type != OCONFIG_TYPE_NUMBER)
    return config_option_refuse(r, v, "not a number");
  if (!(v->value.number > 0 && v->value.number <= max))
    return config_option_refuse(r, v, "out of range");
  *out = v->value.number;
  return 0;
}

static int read_count(const struct config_walk *r, const oconfig_value_t *v,
                      unsigned *out) {
  double n = 0;
  if (number_of(r, v, COUNT_MAX, &n) != 0)
    return -1;
  if (n != floor(n))
    return config_option_refuse(r, v, "not a whole number");
  *out = (unsigned)n;
  return 0;
}

int config_option_read_max_members(struct config_walk *r,
                                   const oconfig_value_t *v) {
  return read_count(r, v,
                    r->group != NULL ? &r->group->max_members
                                     : &r->settings->max_members);
}

int config_option_read_member_timeout(struct config_walk *r,
                                      const oconfig_value_t *v) {
  return read_count(r, v, &r->group->member_timeout);
}

int config_option_read_dump_timeout(struct config_walk *r,
                                    const oconfig_value_t *v) {
  return number_of(r, v, DUMP_SECONDS_MAX, &r->settings->dump_timeout);
}

int config_option_read_max_close_rate(struct config_walk *r,
                                      const oconfig_value_t *v) {
  return number_of(r, v, CLOSE_RATE_MAX, &r->settings->max_close_rate);
}

int config_option_read_replay(struct config_walk *r, const oconfig_value_t *v) {
  struct settings *s = r->settings;
  const char *file = config_option_text(r, v);
  if (file == NULL)
    return -1;
  if (*file != '/') /* the daemon changes its folder before it reads */
    return config_option_refuse(r, v, "not a whole path");
  char **grown = realloc(s->replay, (s->replay_count + 1) * sizeof(*grown));
  if (grown == NULL)
    return config_option_out_of_memory(r);
  s->replay = grown;
  s->replay[s->replay_count] = strdup(file);
  if (s->replay[s->replay_count] == NULL)
    return config_option_out_of_memory(r);
  s->replay_count++;
  return 0;
}

/* All values of one option, however often it comes, are one list. */
static struct selector *list_of(struct config_walk *r, enum selector_op op) {
  if (r->list[op] == NULL) {
    struct selector *s = selector_new(op);
    if (selector_add_child(r->group->selector, s) == 0)
      r->list[op] = s;
  }
  return r->list[op];
}

/* 8000-8099 without quotes. */
static int refuse_split_range(const struct config_walk *r,
                              const oconfig_value_t *v) {
  char problem[128];
  int low = (int)v[-1].value.number, high = (int)-v->value.number;
  snprintf(problem, sizeof(problem),
           "without quotes, %d-%d is read as two numbers: \"%d-%d\"", low, high,
           low, high);
  return config_option_refuse(r, v, problem);
}

static bool is_port(const oconfig_value_t *v, int sign) {
  if (v->type != OCONFIG_TYPE_NUMBER)
    return false;
  double n = v->value.number * sign;
  return n >= 1 && n <= UINT16_MAX && n == floor(n);
}

int config_option_read_port(struct config_walk *r, const oconfig_value_t *v) {
  struct port_range range;
  if (is_port(v, 1))
    range.low = range.high = (uint16_t)v->value.number;
  else if (is_port(v, -1) && v > r->item->values && is_port(v - 1, 1))
    return refuse_split_range(r, v);
  else if (v->type != OCONFIG_TYPE_STRING ||
           !port_range_parse(v->value.string, &range))
    return config_option_refuse(r, v, "not a port");
  struct selector *list = list_of(r, r->option->op);
  if (list == NULL || selector_add_port(list, range) != 0)
    return config_option_out_of_memory(r);
  return 0;
}

int config_option_read_address(struct config_walk *r,
                               const oconfig_value_t *v) {
  struct prefix prefix;
  if (v->type != OCONFIG_TYPE_STRING || !prefix_parse(v->value.string, &prefix))
    return config_option_refuse(r, v, "not an address");
  struct selector *list = list_of(r, r->option->op);
  if (list == NULL || selector_add_prefix(list, prefix) != 0)
    return config_option_out_of_memory(r);
  return 0;
}

int config_option_read_filter(struct config_walk *r, const oconfig_value_t *v) {
  struct error error;
  const char *text = config_option_text(r, v);
  if (text == NULL)
    return -1;
  struct selector *filter = expression_parse(text, &error);
  if (filter == NULL)
    return config_option_refuse(r, v, error.text);
  struct selector *list = list_of(r, SELECTOR_OR);
  if (list == NULL) {
    selector_free(filter);
    return config_option_out_of_memory(r);
  }
  return selector_add_child(list, filter) == 0 ? 0
                                               : config_option_out_of_memory(r);
}

enum direction_bit { DIRECTION_INBOUND = 1, DIRECTION_OUTBOUND = 2 };

int config_option_read_direction(struct config_walk *r,
                                 const oconfig_value_t *v) {
  const char *text = config_option_text(r, v);
  if (text == NULL)
    return -1;
  if (strcmp(text, "inbound") == 0)
    r->directions |= DIRECTION_INBOUND;
  else if (strcmp(text, "outbound") == 0)
    r->directions |= DIRECTION_OUTBOUND;
  else
    return config_option_refuse(r, v, "not a direction");
  return 0;
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

int config_option_read_count_closed(struct config_walk *r,
                                    const oconfig_value_t *v) {
  bool always = false;
  if (boolean_of(v, &always))
    r->settings->count_closed =
        always ? COUNT_CLOSED_ALWAYS : COUNT_CLOSED_NEVER;
  else if (v->type == OCONFIG_TYPE_STRING &&
           strcasecmp(v->value.string, "auto") == 0)
    r->settings->count_closed = COUNT_CLOSED_AUTO;
  else
    return config_option_refuse(r, v, "none of these");
  return 0;
}

static int add_not(struct selector *to, enum selector_op op) {
  return selector_add_child(to, selector_wrap(SELECTOR_NOT, selector_new(op)));
}

int config_option_add_not_loopback(struct selector *to) {
  return add_not(to, SELECTOR_LOOPBACK);
}

int config_option_read_ignore_loopback(struct config_walk *r,
                                       const oconfig_value_t *v) {
  bool ignore = false;
  if (!boolean_of(v, &ignore))
    return config_option_refuse(r, v, "not a boolean");
  if (ignore && config_option_add_not_loopback(r->group->selector) != 0)
    return config_option_out_of_memory(r);
  return 0;
}

int config_option_read_by(struct config_walk *r, const oconfig_value_t *v) {
  struct group_settings *g = r->group;
  const char *text = config_option_text(r, v);
  if (text == NULL)
    return -1;
  int d = 0;
  while (d < DIMENSION_COUNT &&
         strcmp(text, dimension_name((enum dimension)d)) != 0)
    d++;
  if (d == DIMENSION_COUNT)
    return config_option_refuse(r, v, "not a dimension");
  for (size_t i = 0; i < g->by_count; i++)
    if ((int)g->by[i] == d)
      return config_option_refuse(r, v, "given twice");
  g->by[g->by_count++] = (enum dimension)d;
  return 0;
}

/* Of IPv4 first, then of IPv6. */
int config_option_read_prefix(struct config_walk *r, const oconfig_value_t *v) {
  bool ipv4 = v == r->item->values;
  double max = ipv4 ? 32 : 128;
  r->prefix = (struct given){r->option, r->item->values};
  if (v->type != OCONFIG_TYPE_NUMBER)
    return config_option_refuse(
        r, v,
        v->type == OCONFIG_TYPE_STRING ? "text, not a number" : "not a number");
  if (!(v->value.number >= 0 && v->value.number <= max))
    return config_option_refuse(r, v, "out of range");
  if (v->value.number != floor(v->value.number))
    return config_option_refuse(r, v, "not a whole number");
  *(ipv4 ? &r->group->prefix_ipv4 : &r->group->prefix_ipv6) =
      (uint8_t)v->value.number;
  return 0;
}

int config_option_read_worst(struct config_walk *r, const oconfig_value_t *v) {
  r->worst = (struct given){r->option, v};
  if (read_count(r, v, &r->group->worst) != 0)
    return -1;
  return r->group->worst <= WORST_MAX
             ? 0
             : config_option_refuse(r, v, "out of range");
}

/* Where a warning is due, and where a failure. */
static int read_severity(struct config_walk *r, const oconfig_value_t *v,
                         double max, struct severity *out) {
  bool second = v != r->item->values;
  if (r->worst.option == NULL)
    r->worst = (struct given){r->option, r->item->values};
  if (number_of(r, v, max, second ? &out->failure : &out->warning) != 0)
    return -1;
  return !second || out->failure >= out->warning
             ? 0
             : config_option_refuse(r, v, "less than the warning before it");
}

int config_option_read_worst_retrans(struct config_walk *r,
                                     const oconfig_value_t *v) {
  return read_severity(r, v, 100, &r->group->worst_retrans);
}

int config_option_read_worst_rtt(struct config_walk *r,
                                 const oconfig_value_t *v) {
  return read_severity(r, v, RTT_SECONDS_MAX, &r->group->worst_rtt);
}

static bool has_dimension(const struct group_settings *g, enum dimension d) {
  for (size_t i = 0; i < g->by_count; i++)
    if (g->by[i] == d)
      return true;
  return false;
}

static int refuse_useless(struct config_walk *r, struct given given,
                          const char *problem) {
  if (given.option == NULL)
    return 0;
  r->option = given.option;
  return config_option_refuse(r, given.value, problem);
}

int config_option_end_group(struct config_walk *r) {
  if (!has_dimension(r->group, DIMENSION_REMOTE_NETWORK) &&
      refuse_useless(r, r->prefix, "of use only with By \"remote-network\"") !=
          0)
    return -1;
  if (r->group->by_count == 0 &&
      (refuse_useless(r, r->worst, "of use only in a group with By") != 0 ||
       refuse_useless(r, r->outliers, "of use only in a group with By") != 0))
    return -1;
  if (r->group->worst == 0 &&
      refuse_useless(r, r->worst, "of use only with Worst") != 0)
    return -1;
  int status = 0;
  if (r->directions == DIRECTION_INBOUND)
    status =
        selector_add_child(r->group->selector, selector_new(SELECTOR_INBOUND));
  if (r->directions == DIRECTION_OUTBOUND)
    status = add_not(r->group->selector, SELECTOR_INBOUND);
  return status == 0 ? 0 : config_option_out_of_memory(r);
}

/* All metrics would not fit: those are named that read most like `text`. */
static int refuse_metric(const struct config_walk *r,
                         const oconfig_value_t *v) {
  char problem[80] = "neither a metric nor a statistic";
  char legal[CONFIG_ERROR_ROOM - sizeof(problem)] =
      "min, max, avg, sum, p1 to p99.9 behind a distribution, or a metric "
      "(collectd-tcpinfo(5)) such as ";
  const char *text = v->value.string;
  size_t length = strlen(legal);
  int named = 0;
  for (unsigned distance = 0; distance < 32; distance++)
    for (int id = 0; id < METRIC_COUNT && named < NAMED_MAX; id++) {
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
  return refuse_with(r, v, problem, legal);
}

int config_option_read_metric(struct config_walk *r, const oconfig_value_t *v) {
  struct metric_list *list =
      r->group != NULL ? &r->group->metrics : &r->settings->metrics;
  struct statistic s;
  const char *text = config_option_text(r, v);
  if (text == NULL)
    return -1;
  int id = metric_find(text);
  if (id >= 0) {
    r->metric = id;
    if (id == METRIC_OUTLIERS && r->group != NULL)
      r->outliers = (struct given){r->option, v};
    return metric_list_add(list, (enum metric_id)id, NULL) == 0
               ? 0
               : config_option_out_of_memory(r);
  }
  if (!statistic_parse(text, &s))
    return refuse_metric(r, v);
  if (r->metric < 0 || metric_table[r->metric].kind != METRIC_KIND_DISTRIBUTION)
    return refuse_with(r, v, "a statistic without a distribution before it",
                       "\"rtt\" \"p50\" \"max\", for example");
  if (s.kind == STATISTIC_SUM &&
      strcmp(metric_table[r->metric].type, "percent") == 0)
    return refuse_with(r, v, "percentages do not add up",
                       "min, max, avg and p1 to p99.9 of a percentage");
  return metric_list_add(list, (enum metric_id)r->metric, &s) == 0
             ? 0
             : config_option_out_of_memory(r);
}

int config_option_read_histogram(struct config_walk *r,
                                 const oconfig_value_t *v) {
  static const struct statistic histogram = {.kind = STATISTIC_HISTOGRAM};
  const char *text = config_option_text(r, v);
  if (text == NULL)
    return -1;
  int id = metric_find(text);
  if (id < 0 || metric_table[id].kind != METRIC_KIND_DISTRIBUTION)
    return config_option_refuse(r, v, "not a distribution");
  return metric_list_add(&r->group->histograms, (enum metric_id)id,
                         &histogram) == 0
             ? 0
             : config_option_out_of_memory(r);
}
