/* What a accumulator has gathered, as values by the names and types that the
 * report gives them. */
#include "metric/accumulator_layout.h"

#include <stdio.h>

struct emission {
  struct accumulator *accumulator;
  size_t info_size;
  struct accumulator_value value;
  accumulator_value_cb *cb;
  void *data;
  struct quantile_index index; /* of the distribution at hand */
};

static void emit_gauge(struct emission *e, const char *instance, double value) {
  e->value.instance = instance;
  e->value.derive = false;
  e->value.gauge = value;
  e->cb(&e->value, e->data);
}

static void emit_counter(struct emission *e, const char *instance,
                         uint64_t value) {
  e->value.instance = instance;
  e->value.derive = true;
  e->value.counter = (int64_t)value;
  e->cb(&e->value, e->data);
}

/* The other blocks come whole, where they come. */
static bool is_sent(enum field_id id, size_t info_size) {
  return field_table[id].block != BLOCK_INFO || field_present(id, info_size);
}

/* Cumulative, as Prometheus has them: sockets with at most that value. */
static void emit_histogram(struct emission *e, const struct output *o) {
  const struct plan_distribution *d =
      &e->accumulator->plan->distribution[o->index];
  const char *type = e->value.type;
  uint64_t sum = 0;
  if (!metric_table[o->metric].listeners &&
      !is_sent(metric_table[o->metric].field, e->info_size))
    return;
  e->value.type = "bucket";
  for (size_t i = 0; i <= d->edges.count; i++) {
    char instance[PLAN_INSTANCE_MAX];
    sum += bucket_of(e->accumulator)[d->bucket + i];
    if (i < d->edges.count)
      snprintf(instance, sizeof(instance), "%s-%.12g",
               metric_table[o->metric].name,
               (double)d->edges.edge[i] * metric_table[o->metric].scale);
    else
      snprintf(instance, sizeof(instance), "%s-inf",
               metric_table[o->metric].name);
    emit_gauge(e, instance, (double)sum);
  }
  e->value.type = type;
}

static void emit_statistic(struct emission *e, const struct output *o,
                           struct distribution *s, double scale) {
  uint64_t value;
  if (o->statistic.kind == STATISTIC_HISTOGRAM)
    emit_histogram(e, o);
  if (s->count == 0)
    return;
  switch (o->statistic.kind) {
  case STATISTIC_HISTOGRAM:
    return;
  case STATISTIC_MIN:
    emit_gauge(e, o->instance, (double)s->min * scale);
    return;
  case STATISTIC_MAX:
    emit_gauge(e, o->instance, (double)s->max * scale);
    return;
  case STATISTIC_AVG:
    emit_gauge(e, o->instance, (double)s->sum * scale / (double)s->count);
    return;
  case STATISTIC_SUM:
    emit_gauge(e, o->instance, (double)s->sum * scale);
    return;
  case STATISTIC_PERCENTILE:
    if (distribution_percentile(s, o->statistic.permille, &e->index, &value))
      emit_gauge(e, o->instance, (double)value * scale);
    return;
  }
}

/* The stock type ends at 100.1, and values above it vanish from thresholds. */
static double percent(uint64_t part, uint64_t whole) {
  double p = 100.0 * (double)part / (double)whole;
  return p > 100 ? 100 : p;
}

static void emit_limited(struct emission *e, const struct limits *l) {
  if (l->time == 0)
    return;
  uint64_t idle = l->time - l->network - l->receiver - l->sender;
  emit_gauge(e, "limited-network", percent(l->network, l->time));
  emit_gauge(e, "limited-receiver", percent(l->receiver, l->time));
  emit_gauge(e, "limited-sender", percent(l->sender, l->time));
  emit_gauge(e, "limited-idle", percent(idle, l->time));
}

/* "METRIC-CODE", or the code alone for `states`, as tcpconns has it. */
static void emit_codes(struct emission *e, const struct output *o,
                       const char *const *name, const uint64_t *count,
                       size_t codes) {
  for (size_t i = 0; i < codes; i++) {
    char instance[2 * PLAN_INSTANCE_MAX];
    if (name[i] == NULL)
      continue;
    snprintf(instance, sizeof(instance), "%s-%s", o->instance, name[i]);
    emit_gauge(e, o->metric == METRIC_STATES ? name[i] : instance,
               (double)count[i]);
  }
}

static void emit_set(struct emission *e, const struct output *o) {
  const struct accumulator *c = e->accumulator;
  const char *name[PLAN_ALGORITHMS_MAX];
  if (o->metric != METRIC_STATES && o->metric != METRIC_CONGESTION &&
      e->info_size == 0)
    return;
  switch (o->metric) {
  case METRIC_STATES:
    emit_codes(e, o, socket_value_state_name, c->rest->state, TCP_STATE_COUNT);
    return;
  case METRIC_CA_STATE:
    emit_codes(e, o, socket_value_ca_state_name, c->rest->ca_state,
               SOCKET_VALUE_CA_STATES);
    return;
  case METRIC_OPTIONS:
    emit_codes(e, o, socket_value_option_name, c->rest->option,
               SOCKET_VALUE_OPTION_BITS);
    return;
  default:
    for (size_t i = 0; i < c->plan->algorithm_count; i++)
      name[i] = c->plan->shown[i];
    emit_codes(e, o, name, c->rest->algorithm, c->plan->algorithm_count);
  }
}

static void emit_total(struct emission *e, const struct output *o) {
  const struct metric *m = &metric_table[o->metric];
  uint64_t value = total_of(e->accumulator)[o->index];
  if (m->scale != 1) /* exact where it is 1: a double holds 53 bits only */
    value = (uint64_t)((double)value * m->scale);
  if (is_sent(m->field, e->info_size))
    emit_counter(e, o->instance, value);
}

static void emit_percent(struct emission *e, const struct output *o) {
  const struct accumulator *c = e->accumulator;
  uint64_t part = total_of(c)[o->index] - committed_of(c)[o->index];
  uint64_t whole =
      total_of(c)[o->whole_index] - committed_of(c)[o->whole_index];
  if (whole > 0 && field_present(metric_table[o->metric].field, e->info_size))
    emit_gauge(e, o->instance, percent(part, whole));
}

static enum accumulator_life life_of(enum metric_id metric) {
  switch (metric) {
  case METRIC_OPENED:
    return ACCUMULATOR_OPENED;
  case METRIC_CLOSED:
    return ACCUMULATOR_CLOSED;
  default:
    return ACCUMULATOR_FAILED;
  }
}

static void emit_output(struct emission *e, const struct output *o) {
  const struct metric *m = &metric_table[o->metric];
  struct accumulator *c = e->accumulator;
  switch (m->kind) {
  case METRIC_KIND_GAUGE:
    if (o->metric == METRIC_CONNECTIONS)
      emit_gauge(e, o->instance, (double)c->connections);
    else if (c->rest->outliers >= 0)
      emit_gauge(e, o->instance, c->rest->outliers);
    return;
  case METRIC_KIND_SOCKETS:
    if (metric_asks(o->metric) == 0 || field_present(m->field, e->info_size))
      emit_gauge(e, o->instance, (double)condition_of(c)[o->index]);
    return;
  case METRIC_KIND_LIFE:
    emit_counter(e, o->instance, c->rest->life[life_of(o->metric)]);
    return;
  case METRIC_KIND_COUNTER:
    emit_total(e, o);
    return;
  case METRIC_KIND_SET:
    emit_set(e, o);
    return;
  case METRIC_KIND_LIMITED:
    emit_limited(e, &c->limits);
    return;
  case METRIC_KIND_DISTRIBUTION:
    emit_statistic(e, o, &values_of(c)[o->index], m->scale);
    return;
  case METRIC_KIND_PERCENT:
    emit_percent(e, o);
    return;
  }
}

void accumulator_emit(struct accumulator *c, size_t info_size,
                      enum accumulator_view view, accumulator_value_cb *cb,
                      void *data) {
  struct emission e; /* its index needs no zeroes */
  e.accumulator = c;
  e.info_size = info_size;
  e.cb = cb;
  e.data = data;
  e.index.values = NULL;
  for (size_t i = 0; i < c->plan->output_count; i++) {
    const struct output *o = &c->plan->output[i];
    enum metric_kind kind = metric_table[o->metric].kind;
    if (view == ACCUMULATOR_COUNTERS && kind != METRIC_KIND_COUNTER &&
        kind != METRIC_KIND_LIFE)
      continue;
    e.value.type = metric_table[o->metric].type;
    emit_output(&e, o);
  }
}
