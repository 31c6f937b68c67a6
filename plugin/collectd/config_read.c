/* See config_read.h. One row of `option_table` is one option: where it may
 * stand, how a value is read, and what is legal, as the message of a mistake
 * says it. */
#include "collectd/config_read.h"
#include "collectd/config_error.h"
#include "collectd/config_option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
  TIMEOUT_USUAL = 6, /* intervals */
  PREFIX_IPV4_USUAL = 24,
  PREFIX_IPV6_USUAL = 64,
  GROUP_NAME_MAX = 60,
};

#define COUNT_LEGAL "one whole number from 1 to 10000"
#define PORT_LEGAL "1 to 65535, \"low-high\" or the name of a TCP service"
#define ADDRESS_LEGAL                                                          \
  "an address or a network in quotes, such as \"10.0.0.0/8\" or "              \
  "\"2001:db8::1\""

enum { BOTH = CONFIG_OPTION_IN_PLUGIN | CONFIG_OPTION_IN_GROUP };

static config_option_read_fn read_group;

static const struct config_option option_table[] = {
    {.name = "CountClosed",
     .flags = CONFIG_OPTION_IN_PLUGIN | CONFIG_OPTION_ONCE_IN_ALL,
     .values = 1,
     .read = config_option_read_count_closed,
     .legal = "one true, false or \"auto\""},
    {.name = "MaxCloseRate",
     .flags = CONFIG_OPTION_IN_PLUGIN | CONFIG_OPTION_ONCE_IN_ALL,
     .values = 1,
     .read = config_option_read_max_close_rate,
     .legal = "one number of closes a second, more than 0, at most 10000000"},
    {.name = "DumpTimeout",
     .flags = CONFIG_OPTION_IN_PLUGIN | CONFIG_OPTION_ONCE_IN_ALL,
     .values = 1,
     .read = config_option_read_dump_timeout,
     .legal = "one number of seconds, more than 0, at most 3600"},
    {.name = "Replay",
     .flags = CONFIG_OPTION_IN_PLUGIN,
     .read = config_option_read_replay,
     .legal = "the names of recordings with their whole path, in quotes"},
    {.name = "Group",
     .flags = CONFIG_OPTION_IN_PLUGIN | CONFIG_OPTION_BLOCK,
     .values = 1,
     .read = read_group,
     .legal = "one name in quotes: 1 to 60 letters, digits, \"_\" and \".\", "
              "no other group's and not \"self\""},
    {.name = "LocalPort",
     .flags = CONFIG_OPTION_IN_GROUP,
     .op = SELECTOR_LOCAL_PORT,
     .read = config_option_read_port,
     .legal = PORT_LEGAL},
    {.name = "RemotePort",
     .flags = CONFIG_OPTION_IN_GROUP,
     .op = SELECTOR_REMOTE_PORT,
     .read = config_option_read_port,
     .legal = PORT_LEGAL},
    {.name = "LocalAddress",
     .flags = CONFIG_OPTION_IN_GROUP,
     .op = SELECTOR_LOCAL_ADDRESS,
     .read = config_option_read_address,
     .legal = ADDRESS_LEGAL},
    {.name = "RemoteAddress",
     .flags = CONFIG_OPTION_IN_GROUP,
     .op = SELECTOR_REMOTE_ADDRESS,
     .read = config_option_read_address,
     .legal = ADDRESS_LEGAL},
    {.name = "Filter",
     .flags = CONFIG_OPTION_IN_GROUP,
     .values = 1,
     .read = config_option_read_filter,
     .legal = "an expression of ss(8) in quotes, such as "
              "\"dst 10.0.0.0/8 and not dport = :22\""},
    {.name = "Direction",
     .flags = CONFIG_OPTION_IN_GROUP,
     .read = config_option_read_direction,
     .legal = "\"inbound\", \"outbound\" or both"},
    {.name = "IgnoreLoopback",
     .flags = CONFIG_OPTION_IN_GROUP | CONFIG_OPTION_ONCE,
     .values = 1,
     .read = config_option_read_ignore_loopback,
     .legal = "one true or false"},
    {.name = "By",
     .flags = CONFIG_OPTION_IN_GROUP,
     .read = config_option_read_by,
     .legal = "\"remote-address\", \"remote-network\", \"remote-port\", "
              "\"local-address\", \"local-port\", \"interface\", \"uid\", "
              "\"cgroup\", \"congestion\" and \"direction\", in quotes, each "
              "once"},
    {.name = "Prefix",
     .flags = CONFIG_OPTION_IN_GROUP | CONFIG_OPTION_ONCE,
     .values = 2,
     .read = config_option_read_prefix,
     .legal = "a length of 0 to 32 for IPv4 and one of 0 to 128 for IPv6, such "
              "as 24 64"},
    {.name = "MaxMembers",
     .flags = BOTH | CONFIG_OPTION_ONCE,
     .values = 1,
     .read = config_option_read_max_members,
     .legal = COUNT_LEGAL},
    {.name = "MemberTimeout",
     .flags = CONFIG_OPTION_IN_GROUP | CONFIG_OPTION_ONCE,
     .values = 1,
     .read = config_option_read_member_timeout,
     .legal = COUNT_LEGAL},
    {.name = "Worst",
     .flags = CONFIG_OPTION_IN_GROUP | CONFIG_OPTION_ONCE,
     .values = 1,
     .read = config_option_read_worst,
     .legal = "one whole number from 1 to 100, in a group with By"},
    {.name = "WorstRetrans",
     .flags = CONFIG_OPTION_IN_GROUP | CONFIG_OPTION_ONCE,
     .values = 2,
     .read = config_option_read_worst_retrans,
     .legal = "two percentages, of a warning and of a failure, such as 1 5, in "
              "a group with By and Worst"},
    {.name = "WorstRtt",
     .flags = CONFIG_OPTION_IN_GROUP | CONFIG_OPTION_ONCE,
     .values = 2,
     .read = config_option_read_worst_rtt,
     .legal = "two numbers of seconds, of a warning and of a failure, such as "
              "0.5 2, in a group with By and Worst"},
    {.name = "Histogram",
     .flags = CONFIG_OPTION_IN_GROUP,
     .read = config_option_read_histogram,
     .legal = "names of distributions in quotes, such as \"rtt\""},
    {.name = "Metric",
     .flags = BOTH,
     .read = config_option_read_metric,
     .legal = "names of metrics, each with its statistics behind it, in "
              "quotes: \"rtt\" \"p50\" \"p99.9\" \"retrans\""},
};
enum { OPTION_COUNT = sizeof(option_table) / sizeof(option_table[0]) };
_Static_assert(OPTION_COUNT <= 32, "a bit for each, see reading.seen");

static unsigned level(const struct config_walk *r) {
  return r->group != NULL ? CONFIG_OPTION_IN_GROUP : CONFIG_OPTION_IN_PLUGIN;
}

static const struct config_option *option_find(const char *name) {
  for (size_t i = 0; i < OPTION_COUNT; i++)
    if (strcasecmp(option_table[i].name, name) == 0)
      return &option_table[i];
  return NULL;
}

/* Unknown, or known at the other level only. */
static int refuse_option(const struct config_walk *r,
                         const oconfig_item_t *item) {
  char problem[80] = "not an option",
       legal[CONFIG_ERROR_ROOM - sizeof(problem)];
  unsigned nearest = UINT32_MAX;
  size_t length = 0;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    const struct config_option *o = &option_table[i];
    if ((o->flags & level(r)) == 0)
      continue;
    length += (size_t)snprintf(legal + length, sizeof(legal) - length, "%s%s",
                               length > 0 ? ", " : "", o->name);
    unsigned distance = config_error_distance(item->key, o->name);
    if (distance >= nearest)
      continue;
    nearest = distance;
    if (config_error_is_slip(item->key, distance))
      snprintf(problem, sizeof(problem), "not an option, %s perhaps", o->name);
  }
  if (option_find(item->key) != NULL)
    strcpy(problem, r->group != NULL ? "not an option of a group"
                                     : "an option of groups only");
  const struct config_error m = {
      .group = r->group != NULL ? r->group->name : NULL,
      .option = item->key,
      .value = item->values_num > 0 ? item->values : NULL,
      .problem = problem,
      .legal = legal};
  return config_error_set(r->error, &m);
}

/* Whether an option comes for the first time where it may stand but once. */
static bool is_first(struct config_walk *r, const struct config_option *o) {
  unsigned bit = 1u << (o - option_table);
  unsigned *seen = (o->flags & CONFIG_OPTION_ONCE_IN_ALL) != 0
                       ? &r->settings->given
                       : &r->seen;
  bool first = (*seen & bit) == 0;
  *seen |= bit;
  return first;
}

static int read_item(struct config_walk *r, const oconfig_item_t *item) {
  const struct config_option *o = option_find(item->key);
  if (o == NULL || (o->flags & level(r)) == 0)
    return refuse_option(r, item);
  r->option = o;
  r->item = item;
  r->metric = -1;

  const oconfig_value_t *v = item->values;
  bool first = is_first(r, o);
  if (item->values_num == 0)
    return config_option_refuse(r, NULL, "no value");
  if (item->children_num > 0 && (o->flags & CONFIG_OPTION_BLOCK) == 0)
    return config_option_refuse(r, v, "a block, not an option");
  if (o->values > 0 && item->values_num > o->values)
    return config_option_refuse(
        r, v + o->values, o->values == 1 ? "a second value" : "a third value");
  if (item->values_num < o->values)
    return config_option_refuse(r, v, "one value, not two");
  if ((o->flags & (CONFIG_OPTION_ONCE | CONFIG_OPTION_ONCE_IN_ALL)) != 0 &&
      !first)
    return config_option_refuse(r, v, "given twice");
  /* A block's own defaults take the place of those of a block before. */
  if (o->read == config_option_read_metric && r->group == NULL && first)
    metric_list_clear(&r->settings->metrics);

  for (int i = 0; i < item->values_num; i++)
    if (o->read(r, &v[i]) != 0)
      return -1;
  return 0;
}

/* --- groups --------------------------------------------------------------- */

/* NULL where memory ran out. */
static struct group_settings *group_add(struct settings *s, const char *name) {
  struct group_settings *grown =
      realloc(s->group, (s->group_count + 1) * sizeof(*grown));
  if (grown == NULL)
    return NULL;
  s->group = grown;
  struct group_settings *g = &s->group[s->group_count++];
  *g = (struct group_settings){.name = strdup(name),
                               .selector = selector_new(SELECTOR_AND),
                               .prefix_ipv4 = PREFIX_IPV4_USUAL,
                               .prefix_ipv6 = PREFIX_IPV6_USUAL,
                               .max_members = s->max_members,
                               .worst_retrans = {1, 5},
                               .worst_rtt = {0.5, 2},
                               .member_timeout = TIMEOUT_USUAL};
  return g->name != NULL && g->selector != NULL ? g : NULL;
}

/* Fills in what the block left open. */
static int group_complete(const struct settings *s, struct group_settings *g) {
  int status = 0;
  if (g->metrics.count == 0 && s->metrics.count == 0)
    status = metric_list_default(&g->metrics);
  else if (g->metrics.count == 0)
    status = metric_list_copy(&g->metrics, &s->metrics);
  if (status != 0 || metric_list_complete(&g->metrics) != 0)
    return -1;
  return metric_list_copy(&g->metrics, &g->histograms);
}

static bool name_is_legal(const char *name) {
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
  return length > 0 && length <= GROUP_NAME_MAX && name[length] == '\0';
}

static int read_group(struct config_walk *outer, const oconfig_value_t *v) {
  struct settings *s = outer->settings;
  const char *name = config_option_text(outer, v);
  if (name == NULL)
    return -1;
  if (!name_is_legal(name))
    return config_option_refuse(outer, v, "not a name");
  if (strcmp(name, "self") == 0)
    return config_option_refuse(outer, v,
                                "what the plugin's own values are called");
  for (size_t i = 0; i < s->group_count; i++)
    if (strcmp(s->group[i].name, name) == 0)
      return config_option_refuse(outer, v, "the name of another group");

  struct config_walk r = {
      .settings = s, .group = group_add(s, name), .error = outer->error};
  if (r.group == NULL)
    return config_option_out_of_memory(outer);
  for (int i = 0; i < outer->item->children_num; i++)
    if (read_item(&r, &outer->item->children[i]) != 0)
      return -1;
  if (config_option_end_group(&r) != 0)
    return -1;
  return group_complete(s, r.group) == 0 ? 0
                                         : config_option_out_of_memory(outer);
}

/* --- the whole ------------------------------------------------------------ */

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
  const struct config_error m = {
      .group = group,
      .option = "Metric",
      .value = &value,
      .problem = s->replay_count > 0 ? "cannot be told with Replay"
                                     : "cannot be told with CountClosed false",
      .legal = "any other metric, or this one without Replay and with "
               "CountClosed true or auto"};
  return config_error_set(error, &m);
}

/* Only its destroy event tells that a connection failed: without events the
 * metric would be 0, and seem to say that none does. CountClosed may stand
 * behind the groups, and in a later block. */
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
  struct config_walk r = {.settings = s, .error = error};
  for (int groups = 0; groups < 2; groups++) /* defaults first */
    for (int i = 0; i < block->children_num; i++) {
      const oconfig_item_t *item = &block->children[i];
      if ((strcasecmp(item->key, "Group") == 0) == groups &&
          read_item(&r, item) != 0)
        return -1;
    }
  return check_failed(s, error);
}

int config_finish(struct settings *s, struct error *error) {
  if (s->group_count > 0)
    return 0;
  struct group_settings *g = group_add(s, "all");
  if (g == NULL || config_option_add_not_loopback(g->selector) != 0 ||
      group_complete(s, g) != 0)
    return error_set(error, "out of memory");
  return 0;
}
