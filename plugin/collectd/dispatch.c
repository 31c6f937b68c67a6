#include "collectd/dispatch.h"

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>
#include <collectd/core/utils/common/common.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What the values of one read have in common, and of one series. */
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

/* The value of a worst member goes by a name that stays; whose it is, its meta
 * data say. */
static void worst_value(struct dispatch *d, const char *type,
                        const char *instance, const struct outlier *w) {
  meta_data_t *meta = w->name[0] != '\0' ? meta_data_create() : NULL;
  if (meta != NULL)
    meta_data_add_string(meta, "tcpinfo:member", w->name);
  d->list.meta = meta;
  dispatch_value(d, type, instance, (value_t){.gauge = w->value});
  d->list.meta = NULL;
  meta_data_destroy(meta);
}

static void dispatch_worst(struct dispatch *d, const struct group *g) {
  struct outlier w;
  for (size_t i = 0;; i++) {
    bool retrans = group_worst(g, OUTLIER_BY_RETRANS, i, &w);
    snprintf(d->list.plugin_instance, sizeof(d->list.plugin_instance),
             "%s-worst%zu", d->group, i + 1);
    if (retrans)
      worst_value(d, "percent", "retrans_percent", &w);
    bool rtt = group_worst(g, OUTLIER_BY_RTT, i, &w);
    if (rtt)
      worst_value(d, "latency", "rtt-p95", &w);
    if (!retrans && !rtt)
      return;
  }
}

/* One line for people, and the same as meta data for programs. */
static void notify(const struct dispatch *d, enum outlier_measure measure,
                   const struct group_alarm *a) {
  static const int severity[] = {[WORST_ALARM_OKAY] = NOTIF_OKAY,
                                 [WORST_ALARM_WARNING] = NOTIF_WARNING,
                                 [WORST_ALARM_FAILURE] = NOTIF_FAILURE};
  bool retrans = measure == OUTLIER_BY_RETRANS;
  double scale = retrans ? 1 : 1000;
  notification_t n = {.severity = severity[a->severity], .time = d->list.time};
  sstrncpy(n.host, hostname_g, sizeof(n.host));
  sstrncpy(n.plugin, "tcpinfo", sizeof(n.plugin));
  snprintf(n.plugin_instance, sizeof(n.plugin_instance), "%s-worst1", d->group);
  sstrncpy(n.type, retrans ? "percent" : "latency", sizeof(n.type));
  sstrncpy(n.type_instance, retrans ? "retrans_percent" : "rtt-p95",
           sizeof(n.type_instance));
  if (a->severity == WORST_ALARM_OKAY)
    snprintf(
        n.message, sizeof(n.message),
        "tcpinfo: group %s: %s: no member with enough traffic to judge is at "
        "or above %g %s any more; %s was the last.",
        d->group, n.type_instance, a->limit * scale, retrans ? "%" : "ms",
        a->member);
  else
    snprintf(n.message, sizeof(n.message),
             "tcpinfo: group %s: %s is the worst member by %s: %.4g %s, at or "
             "above %g.",
             d->group, a->member, n.type_instance, a->value * scale,
             retrans ? "%" : "ms", a->limit * scale);
  plugin_notification_meta_add_string(&n, "tcpinfo:member", a->member);
  plugin_notification_meta_add_double(&n, "CurrentValue", a->value);
  plugin_dispatch_notification(&n);
  plugin_notification_meta_free(n.meta);
}

static void dispatch_alarms(const struct dispatch *d, struct group *g) {
  struct group_alarm a;
  for (int i = 0; i < OUTLIER_MEASURES; i++)
    if (group_alarm(g, (enum outlier_measure)i, CDTIME_T_TO_MS(d->list.time),
                    &a))
      notify(d, (enum outlier_measure)i, &a);
}

static void self_begin(struct dispatch *d) {
  snprintf(d->list.plugin_instance, sizeof(d->list.plugin_instance), "self");
}

static void self_gauge(struct dispatch *d, const char *type,
                       const char *instance, double value) {
  dispatch_value(d, type, instance, (value_t){.gauge = value});
}

static void self_total(struct dispatch *d, const char *type,
                       const char *instance, uint64_t value) {
  dispatch_value(d, type, instance, (value_t){.derive = (derive_t)value});
}

/* What is not known is left out. */
static void self_limits(struct dispatch *d, const struct proc_limits *l) {
  const struct {
    const char *type, *instance;
    double value;
  } row[] = {
      {"count", "host_orphans", l->orphans},
      {"count", "host_orphans_limit", l->orphans_limit},
      {"percent", "host_orphans",
       proc_limits_percent(l->orphans, l->orphans_limit)},
      {"count", "host_time_wait", l->time_wait},
      {"count", "host_time_wait_limit", l->time_wait_limit},
      {"percent", "host_time_wait",
       proc_limits_percent(l->time_wait, l->time_wait_limit)},
      {"memory", "host_tcp_mem", l->tcp_mem},
      {"memory", "host_tcp_mem_pressure", l->tcp_mem_pressure},
      {"memory", "host_tcp_mem_limit", l->tcp_mem_limit},
      {"percent", "host_tcp_mem",
       proc_limits_percent(l->tcp_mem, l->tcp_mem_limit)},
  };
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
    if (!isnan(row[i].value))
      self_gauge(d, row[i].type, row[i].instance, row[i].value);
}

static void self_closes(struct dispatch *d, const struct reader_health *h) {
  self_total(d, "total_events", "close_events",
             h->observer.close_policy.received);
  self_total(d, "total_events", "close_events_lost",
             h->observer.close_policy.lost);
  self_total(d, "total_events", "close_events_aborted", h->observer.aborted);
  self_total(d, "total_events", "close_events_unclear", h->observer.unclear);
  self_total(d, "total_time_in_ms", "close_events_suspended",
             h->observer.close_policy.suspended_ms);
}

static void self_totals(struct dispatch *d, const struct reader_health *h) {
  self_total(d, "total_events", "dump_errors", h->observer.errors);
  self_total(d, "total_events", "malformed", h->observer.malformed);
  if (h->observer.close_policy.state != CLOSE_POLICY_OFF)
    self_closes(d, h);
}

static void dispatch_self(struct dispatch *d, const struct reader_health *h) {
  self_begin(d);
  self_gauge(d, "count", "sockets_dumped", (double)h->observer.dumped);
  self_gauge(d, "count", "sockets_matched", (double)h->observer.matched);
  self_gauge(d, "count", "sockets_tracked", (double)h->observer.tracked);
  self_gauge(d, "latency", "dump_time", h->dump_time);
  self_gauge(d, "latency", "cpu_time", h->cpu_time);
  self_gauge(d, "count", "members", (double)h->members);
  self_gauge(d, "count", "members_in_other", (double)h->members_in_other);
  if (h->observer.info_size > 0)
    self_gauge(d, "bytes", "tcp_info", (double)h->observer.info_size);
  if (h->observer.coverage >= 0)
    self_gauge(d, "percent", "coverage", h->observer.coverage);
  self_limits(d, &h->observer.limits);
  self_totals(d, h);
}

void dispatch_read(struct reader *s) {
  const struct reader_health *h = reader_health(s);
  struct dispatch d;
  dispatch_begin(&d);
  d.info_size = h->observer.info_size;
  for (size_t i = 0; i < reader_group_count(s); i++) {
    d.group = group_name(reader_group(s, i));
    group_each(reader_group(s, i), on_series, &d);
    dispatch_worst(&d, reader_group(s, i));
    dispatch_alarms(&d, reader_group(s, i));
  }
  dispatch_self(&d, h);
}

void dispatch_failure(const struct reader_health *h) {
  struct dispatch d;
  dispatch_begin(&d);
  self_begin(&d);
  self_totals(&d, h);
}
