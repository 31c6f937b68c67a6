#include "dispatch.h"

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>

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

static void on_value(const struct cell_value *v, void *data) {
  value_t value = {.gauge = v->gauge};
  if (v->derive)
    value = (value_t){.derive = v->counter};
  dispatch_value(data, v->type, v->instance, value);
}

static void on_series(const char *member, struct cell *cell, bool chosen,
                      void *data) {
  struct dispatch *d = data;
  snprintf(d->list.plugin_instance, sizeof(d->list.plugin_instance), "%s%s%s",
           d->group, member != NULL ? "-" : "", member != NULL ? member : "");
  cell_emit(cell, d->info_size, chosen ? CELL_COUNTERS : CELL_ALL, on_value, d);
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

static void self_closes(struct dispatch *d, const struct scan_health *h) {
  self_total(d, "total_events", "close_events", h->closes.received);
  self_total(d, "total_events", "close_events_lost", h->closes.lost);
  self_total(d, "total_events", "close_events_unclear", h->unclear);
  self_total(d, "total_time_in_ms", "close_events_suspended",
             h->closes.suspended_ms);
}

static void self_totals(struct dispatch *d, const struct scan_health *h) {
  self_total(d, "total_events", "dump_errors", h->errors);
  self_total(d, "total_events", "malformed", h->malformed);
  if (h->closes.state != CLOSES_OFF)
    self_closes(d, h);
}

static void dispatch_self(struct dispatch *d, const struct scan_health *h) {
  self_begin(d);
  self_gauge(d, "count", "sockets_dumped", (double)h->dumped);
  self_gauge(d, "count", "sockets_matched", (double)h->matched);
  self_gauge(d, "count", "sockets_tracked", (double)h->tracked);
  self_gauge(d, "latency", "dump_time", h->dump_time);
  self_gauge(d, "latency", "cpu_time", h->cpu_time);
  self_gauge(d, "count", "members", (double)h->members);
  self_gauge(d, "count", "members_folded", (double)h->folded);
  if (h->info_size > 0)
    self_gauge(d, "bytes", "tcp_info", (double)h->info_size);
  if (h->coverage >= 0)
    self_gauge(d, "percent", "coverage", h->coverage);
  self_totals(d, h);
}

void dispatch_read(struct scan *s) {
  const struct scan_health *h = scan_health(s);
  struct dispatch d;
  dispatch_begin(&d);
  d.info_size = h->info_size;
  for (size_t i = 0; i < scan_group_count(s); i++) {
    d.group = group_name(scan_group(s, i));
    group_each(scan_group(s, i), on_series, &d);
  }
  dispatch_self(&d, h);
}

void dispatch_failure(const struct scan_health *h) {
  struct dispatch d;
  dispatch_begin(&d);
  self_begin(&d);
  self_totals(&d, h);
}
