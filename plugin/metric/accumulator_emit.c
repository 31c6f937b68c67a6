/* The values of an accumulator, by the names and types of the plan and the
 * metric table. */
#include "metric/accumulator_layout.h"

#include <stdio.h>

/* --- Getters of the metric table ------------------------------------------ */

bool accumulator_get_connections(const struct accumulator *a, double *out) {
  *out = (double)a->connections;
  return true;
}

bool accumulator_get_active(const struct accumulator *a, double *out) {
  *out = (double)a->active;
  return true;
}

bool accumulator_get_outliers(const struct accumulator *a, double *out) {
  *out = a->cold->outliers;
  return a->cold->outliers >= 0;
}

uint64_t accumulator_get_opened(const struct accumulator *a) {
  return a->cold->life[ACCUMULATOR_OPENED];
}

uint64_t accumulator_get_closed(const struct accumulator *a) {
  return a->cold->life[ACCUMULATOR_CLOSED];
}

uint64_t accumulator_get_failed(const struct accumulator *a) {
  return a->cold->life[ACCUMULATOR_FAILED];
}

/* The stock type percent ends at 100.1; thresholds ignore values above. */
static double percent_of(uint64_t part, uint64_t whole) {
  double p = 100.0 * (double)part / (double)whole;
  return p > 100 ? 100 : p;
}

const char *const accumulator_limit_name[METRIC_SHARES] = {
    "network", "receiver", "sender", "idle"};

bool accumulator_get_limits(const struct accumulator *a,
                            double percent[METRIC_SHARES]) {
  const struct limits *l = &a->limits;
  if (l->time == 0)
    return false;
  percent[0] = percent_of(l->network, l->time);
  percent[1] = percent_of(l->receiver, l->time);
  percent[2] = percent_of(l->sender, l->time);
  percent[3] =
      percent_of(l->time - l->network - l->receiver - l->sender, l->time);
  return true;
}

/* --- Emission ------------------------------------------------------------- */

struct emission {
  struct accumulator *accumulator;
  struct accumulator_value value;
  accumulator_value_cb *cb;
  void *data;
  struct quantile_index index; /* made by the last percentile */
};

static void emit_gauge(struct emission *e, const char *instance, double value) {
  e->value.instance = instance;
  e->value.derive = false;
  e->value.gauge = value;
  e->cb(&e->value, e->data);
}

static void emit_derive(struct emission *e, const char *instance,
                        uint64_t value) {
  e->value.instance = instance;
  e->value.derive = true;
  e->value.counter = (int64_t)value;
  e->cb(&e->value, e->data);
}

/* Buckets are cumulative, as Prometheus has them: the number of sockets with at
 * most that value. */
static void emit_histogram(struct emission *e, const struct metric *m,
                           const struct plan_distribution *d) {
  const struct histogram *h = &d->histogram;
  const char *type = e->value.type;
  uint64_t sum = 0;
  e->value.type = "bucket";
  for (size_t i = 0; i <= h->count; i++) {
    char instance[PLAN_INSTANCE_MAX];
    sum += bucket_of(e->accumulator)[d->bucket + i];
    if (i < h->count)
      snprintf(instance, sizeof(instance), "%s-%.12g", m->name,
               (double)h->edge[i] * m->scale);
    else
      snprintf(instance, sizeof(instance), "%s-inf", m->name);
    emit_gauge(e, instance, (double)sum);
  }
  e->value.type = type;
}

static void emit_statistic(struct emission *e, const struct metric *m,
                           const struct plan_output *o) {
  struct distribution *d = &e->accumulator->distribution[o->index];
  uint64_t value;
  if (o->statistic.kind == STATISTIC_HISTOGRAM)
    emit_histogram(e, m, &e->accumulator->plan->distribution[o->index]);
  if (d->count == 0)
    return;
  switch (o->statistic.kind) {
  case STATISTIC_HISTOGRAM:
    return;
  case STATISTIC_MIN:
    emit_gauge(e, o->instance, (double)d->min * m->scale);
    return;
  case STATISTIC_MAX:
    emit_gauge(e, o->instance, (double)d->max * m->scale);
    return;
  case STATISTIC_AVG:
    emit_gauge(e, o->instance, (double)d->sum * m->scale / (double)d->count);
    return;
  case STATISTIC_SUM:
    emit_gauge(e, o->instance, (double)d->sum * m->scale);
    return;
  case STATISTIC_PERCENTILE:
    if (distribution_percentile(d, o->statistic.permille, &e->index, &value))
      emit_gauge(e, o->instance, (double)value * m->scale);
    return;
  }
}

static void emit_set(struct emission *e, const struct metric *m,
                     const struct plan_output *o) {
  const struct plan *plan = e->accumulator->plan;
  const uint64_t *count = code_of(e->accumulator) + plan->set[o->index].first;
  for (size_t code = 0; code < m->code_count; code++) {
    char instance[2 * PLAN_INSTANCE_MAX];
    const char *name = m->code_name(plan, code);
    if (name == NULL)
      continue;
    snprintf(instance, sizeof(instance), "%s-%s", o->instance, name);
    emit_gauge(e, m->code_name_alone ? name : instance, (double)count[code]);
  }
}

static void emit_shares(struct emission *e, const struct metric *m) {
  double percent[METRIC_SHARES];
  if (!m->shares(e->accumulator, percent))
    return;
  for (size_t i = 0; i < METRIC_SHARES; i++) {
    char instance[PLAN_INSTANCE_MAX];
    snprintf(instance, sizeof(instance), "%s-%s", m->name, m->share_name[i]);
    emit_gauge(e, instance, percent[i]);
  }
}

/* A total is exact if its scale is 1: a double holds 53 bits only. */
static void emit_total(struct emission *e, const struct metric *m,
                       const struct plan_output *o) {
  uint64_t value = total_of(e->accumulator)[o->index];
  if (m->scale != 1)
    value = (uint64_t)((double)value * m->scale);
  emit_derive(e, o->instance, value);
}

static uint64_t growth_of(const struct accumulator *a, size_t counter) {
  return total_of(a)[counter] - total_at_commit_of(a)[counter];
}

static void emit_percent(struct emission *e, const struct plan_output *o) {
  uint64_t part = growth_of(e->accumulator, o->index);
  uint64_t whole = growth_of(e->accumulator, o->whole_index);
  if (whole > 0)
    emit_gauge(e, o->instance, percent_of(part, whole));
}

static void emit_output(struct emission *e, const struct metric *m,
                        const struct plan_output *o) {
  struct accumulator *a = e->accumulator;
  double gauge;
  switch (m->kind) {
  case METRIC_KIND_GAUGE:
    if (m->gauge(a, &gauge))
      emit_gauge(e, o->instance, gauge);
    return;
  case METRIC_KIND_SOCKETS:
    emit_gauge(e, o->instance, (double)condition_of(a)[o->index]);
    return;
  case METRIC_KIND_LIFE:
    emit_derive(e, o->instance, m->life(a));
    return;
  case METRIC_KIND_COUNTER:
    emit_total(e, m, o);
    return;
  case METRIC_KIND_SET:
    emit_set(e, m, o);
    return;
  case METRIC_KIND_LIMITED:
    emit_shares(e, m);
    return;
  case METRIC_KIND_DISTRIBUTION:
    emit_statistic(e, m, o);
    return;
  case METRIC_KIND_PERCENT:
    emit_percent(e, o);
    return;
  }
}

static bool only_grows(enum metric_kind kind) {
  return kind == METRIC_KIND_COUNTER || kind == METRIC_KIND_LIFE;
}

void accumulator_emit(struct accumulator *a, size_t info_size,
                      enum accumulator_view view, accumulator_value_cb *cb,
                      void *data) {
  struct emission e; /* not zeroed: the index is large and needs no zeroes */
  e.accumulator = a;
  e.cb = cb;
  e.data = data;
  e.index.values = NULL;
  for (size_t i = 0; i < a->plan->output_count; i++) {
    const struct plan_output *o = &a->plan->output[i];
    const struct metric *m = &metric_table[o->metric];
    if ((view == ACCUMULATOR_COUNTERS && !only_grows(m->kind)) ||
        !metric_is_sent(m, info_size))
      continue;
    e.value.type = m->type;
    emit_output(&e, m, o);
  }
}
