#include "collectd/dispatch.h"

#include "util/clock.h"

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>
#include <collectd/core/utils/common/common.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The parts that all values of one read share, and those of one series. */
struct dispatch {
  value_list_t list;
  const char *group;
  size_t info_size;
};

static void dispatch_begin(struct dispatch *d) {
  *d = (struct dispatch){.list = VALUE_LIST_INIT};
  d->list.time = cdtime();
  snprintf(d->list.plugin, sizeof(d->list.plugin), "tcpinfo");
}

static void dispatch_value(struct dispatch *d, const char *type,
                           const char *instance, value_t value) {
  d->list.values = &value;
  d->list.values_len = 1;
  snprintf(d->list.type, sizeof(d->list.type), "%s", type);
  snprintf(d->list.type_instance, sizeof(d->list.type_instance), "%s",
           instance);
  plugin_dispatch_values(&d->list);
}

static void on_value(const struct accumulator_value *v, void *data) {
  value_t value = {.gauge = v->gauge};
  if (v->derive)
    value = (value_t){.derive = v->counter};
  dispatch_value(data, v->type, v->instance, value);
}

static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  struct dispatch *d = data;
  snprintf(d->list.plugin_instance, sizeof(d->list.plugin_instance), "%s%s%s",
           d->group, member != NULL ? "-" : "", member != NULL ? member : "");
  accumulator_emit(accumulator, d->info_size,
                   chosen ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL, on_value,
                   d);
}

/* --- worst members -------------------------------------------------------- */

/* The measures that members are compared by, in the order of the values. */
static const struct measure {
  const char *type, *instance;
  const char *unit; /* in notifications */
  double scale;     /* from the value to that unit */
} measure_table[OUTLIER_MEASURES] = {
    [OUTLIER_BY_RETRANS] = {"percent", "retrans_percent", "%", 1},
    [OUTLIER_BY_RTT] = {"latency", "rtt-p95", "ms", 1000},
};

/* The value's name does not depend on the member, so that the series goes on
 * when another member is the worst; the member is in the meta data. */
static void worst_value(struct dispatch *d, const struct measure *m,
                        const struct outlier *w) {
  meta_data_t *meta = w->name[0] != '\0' ? meta_data_create() : NULL;
  if (meta != NULL)
    meta_data_add_string(meta, "tcpinfo:member", w->name);
  d->list.meta = meta;
  dispatch_value(d, m->type, m->instance, (value_t){.gauge = w->value});
  d->list.meta = NULL;
  meta_data_destroy(meta);
}

static void dispatch_worst(struct dispatch *d, const struct group *g) {
  bool any = true;
  for (size_t i = 0; any; i++) {
    any = false;
    snprintf(d->list.plugin_instance, sizeof(d->list.plugin_instance),
             "%s-worst%zu", d->group, i + 1);
    for (int k = 0; k < OUTLIER_MEASURES; k++) {
      struct outlier w;
      if (!group_worst(g, (enum outlier_measure)k, i, &w))
        continue;
      worst_value(d, &measure_table[k], &w);
      any = true;
    }
  }
}

/* Sends one line for a person, and the same as meta data for programs. */
static void notify(const struct dispatch *d, enum outlier_measure measure,
                   const struct group_alarm *a) {
  static const int severity[] = {[WORST_ALARM_OKAY] = NOTIF_OKAY,
                                 [WORST_ALARM_WARNING] = NOTIF_WARNING,
                                 [WORST_ALARM_FAILURE] = NOTIF_FAILURE};
  const struct measure *m = &measure_table[measure];
  notification_t n = {.severity = severity[a->severity], .time = d->list.time};
  sstrncpy(n.host, hostname_g, sizeof(n.host));
  sstrncpy(n.plugin, "tcpinfo", sizeof(n.plugin));
  snprintf(n.plugin_instance, sizeof(n.plugin_instance), "%s-worst1", d->group);
  sstrncpy(n.type, m->type, sizeof(n.type));
  sstrncpy(n.type_instance, m->instance, sizeof(n.type_instance));
  if (a->severity == WORST_ALARM_OKAY)
    snprintf(
        n.message, sizeof(n.message),
        "tcpinfo: group %s: %s: no member with enough traffic to judge is at "
        "or above %g %s any more; %s was the last.",
        d->group, m->instance, a->limit * m->scale, m->unit, a->member);
  else
    snprintf(n.message, sizeof(n.message),
             "tcpinfo: group %s: %s is the worst member by %s: %.4g %s, at or "
             "above %g.",
             d->group, a->member, m->instance, a->value * m->scale, m->unit,
             a->limit * m->scale);
  plugin_notification_meta_add_string(&n, "tcpinfo:member", a->member);
  plugin_notification_meta_add_double(&n, "CurrentValue", a->value);
  plugin_dispatch_notification(&n);
  plugin_notification_meta_free(n.meta);
}

static void dispatch_alarms(const struct dispatch *d, struct group *g) {
  struct group_alarm a;
  for (int i = 0; i < OUTLIER_MEASURES; i++)
    if (group_alarm(g, (enum outlier_measure)i, clock_monotonic_ms(), &a))
      notify(d, (enum outlier_measure)i, &a);
}

/* --- the plugin's own values ---------------------------------------------- */

enum self_source {
  SELF_COUNT,   /* gauge of a uint64_t */
  SELF_SIZE,    /* gauge of a size_t; 0 is unknown */
  SELF_NUMBER,  /* gauge of a double; NAN and negative numbers are unknown */
  SELF_PERCENT, /* gauge of a double in percent of the double `whole` */
  SELF_TOTAL,   /* derive of a uint64_t */
  SELF_CLOSE_TOTAL, /* the same, with CountClosed true or auto */
};

#define OF(field) offsetof(struct reader_health, field)

/* In the order in which they are dispatched. An unknown value is left out. */
static const struct self_value {
  const char *type, *instance;
  enum self_source source;
  size_t field, whole; /* offsets in struct reader_health */
} self_table[] = {
    {"count", "sockets_dumped", SELF_COUNT, OF(observer.dumped), 0},
    {"count", "sockets_matched", SELF_COUNT, OF(observer.matched), 0},
    {"count", "sockets_tracked", SELF_COUNT, OF(observer.tracked), 0},
    {"latency", "dump_time", SELF_NUMBER, OF(dump_time), 0},
    {"latency", "cpu_time", SELF_NUMBER, OF(cpu_time), 0},
    {"count", "members", SELF_COUNT, OF(members), 0},
    {"count", "members_in_other", SELF_COUNT, OF(members_in_other), 0},
    {"bytes", "tcp_info", SELF_SIZE, OF(observer.info_size), 0},
    {"percent", "coverage", SELF_NUMBER, OF(observer.coverage), 0},
    {"count", "host_orphans", SELF_NUMBER, OF(observer.limits.orphans), 0},
    {"count", "host_orphans_limit", SELF_NUMBER,
     OF(observer.limits.orphans_limit), 0},
    {"percent", "host_orphans", SELF_PERCENT, OF(observer.limits.orphans),
     OF(observer.limits.orphans_limit)},
    {"count", "host_time_wait", SELF_NUMBER, OF(observer.limits.time_wait), 0},
    {"count", "host_time_wait_limit", SELF_NUMBER,
     OF(observer.limits.time_wait_limit), 0},
    {"percent", "host_time_wait", SELF_PERCENT, OF(observer.limits.time_wait),
     OF(observer.limits.time_wait_limit)},
    {"memory", "host_tcp_mem", SELF_NUMBER, OF(observer.limits.tcp_mem), 0},
    {"memory", "host_tcp_mem_pressure", SELF_NUMBER,
     OF(observer.limits.tcp_mem_pressure), 0},
    {"memory", "host_tcp_mem_limit", SELF_NUMBER,
     OF(observer.limits.tcp_mem_limit), 0},
    {"percent", "host_tcp_mem", SELF_PERCENT, OF(observer.limits.tcp_mem),
     OF(observer.limits.tcp_mem_limit)},
    {"total_events", "dump_errors", SELF_TOTAL, OF(observer.errors), 0},
    {"total_events", "malformed", SELF_TOTAL, OF(observer.malformed), 0},
    {"total_events", "close_events", SELF_CLOSE_TOTAL,
     OF(observer.close_policy.received), 0},
    {"total_events", "close_events_lost", SELF_CLOSE_TOTAL,
     OF(observer.close_policy.lost), 0},
    {"total_events", "close_events_aborted", SELF_CLOSE_TOTAL,
     OF(observer.aborted), 0},
    {"total_events", "close_events_unclear", SELF_CLOSE_TOTAL,
     OF(observer.unclear), 0},
    {"total_time_in_ms", "close_events_suspended", SELF_CLOSE_TOTAL,
     OF(observer.close_policy.suspended_ms), 0},
};

static bool known(double number, value_t *out) {
  *out = (value_t){.gauge = number};
  return number >= 0; /* false for NAN */
}

/* Returns false if the value is unknown. */
static bool self_get(const struct reader_health *h, const struct self_value *v,
                     value_t *out) {
  const void *field = (const char *)h + v->field;
  const void *whole = (const char *)h + v->whole;
  switch (v->source) {
  case SELF_COUNT:
    return known((double)*(const uint64_t *)field, out);
  case SELF_SIZE:
    return known((double)*(const size_t *)field, out) && out->gauge > 0;
  case SELF_NUMBER:
    return known(*(const double *)field, out);
  case SELF_PERCENT:
    return known(
        proc_limits_percent(*(const double *)field, *(const double *)whole),
        out);
  case SELF_TOTAL:
  case SELF_CLOSE_TOTAL:
    *out = (value_t){.derive = (derive_t) * (const uint64_t *)field};
    return v->source == SELF_TOTAL ||
           h->observer.close_policy.state != CLOSE_POLICY_OFF;
  }
  return false;
}

static bool is_total(const struct self_value *v) {
  return v->source == SELF_TOTAL || v->source == SELF_CLOSE_TOTAL;
}

static void dispatch_self(struct dispatch *d, const struct reader_health *h,
                          bool only_totals) {
  snprintf(d->list.plugin_instance, sizeof(d->list.plugin_instance), "self");
  for (size_t i = 0; i < sizeof(self_table) / sizeof(self_table[0]); i++) {
    const struct self_value *v = &self_table[i];
    value_t value;
    if ((is_total(v) || !only_totals) && self_get(h, v, &value))
      dispatch_value(d, v->type, v->instance, value);
  }
}

/* --- a read --------------------------------------------------------------- */

void dispatch_read(struct reader *reader) {
  const struct reader_health *h = reader_health(reader);
  struct dispatch d;
  dispatch_begin(&d);
  d.info_size = h->observer.info_size;
  for (size_t i = 0; i < reader_group_count(reader); i++) {
    d.group = group_name(reader_group(reader, i));
    group_each(reader_group(reader, i), on_series, &d);
    dispatch_worst(&d, reader_group(reader, i));
    dispatch_alarms(&d, reader_group(reader, i));
  }
  dispatch_self(&d, h, false);
}

void dispatch_failure(const struct reader_health *health) {
  struct dispatch d;
  dispatch_begin(&d);
  dispatch_self(&d, health, true);
}
