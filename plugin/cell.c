#include "cell.h"

#include "report.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Time of the sockets in this interval, microseconds, and what limited it. */
struct limits {
  uint64_t time, network, receiver, sender;
};

/* What is not touched for each socket. */
struct cell_rest {
  /* Of one dump. */
  uint64_t listeners;
  int outliers; /* -1: not known */
  uint64_t state[TCP_STATE_COUNT];
  uint64_t ca_state[VALUE_CA_STATES];
  uint64_t option[VALUE_OPTION_BITS];
  uint64_t algorithm[REPORT_ALGORITHMS_MAX];
  /* For ever. */
  uint64_t life[CELL_LIFE_COUNT];
  /* What the totals were at the last commit, as report.counter; then, of one
   * dump, the buckets as the distributions' edges say. */
  uint64_t number[];
};

/* In few lines of the processor's cache, because the cells of many members are
 * touched in any order: this, and behind it the distributions (struct
 * stat_values, as report.distribution), each in a line of its own. */
struct cell {
  struct report *report;
  struct cell_rest *rest;
  uint64_t connections; /* of one dump */
  struct limits limits; /* since the last commit */
  /* Of one dump, as report.condition; then the totals, for ever, as
   * report.counter. */
  uint64_t number[];
};

enum { LINE = 64 };
_Static_assert(sizeof(struct stat_values) == LINE, "one line each");

static uint64_t *condition_of(const struct cell *c) {
  return (uint64_t *)c->number;
}

static uint64_t *total_of(const struct cell *c) {
  return (uint64_t *)c->number + c->report->condition_count;
}

static uint64_t *committed_of(const struct cell *c) { return c->rest->number; }

static uint64_t *bucket_of(const struct cell *c) {
  return c->rest->number + c->report->counter_count;
}

/* Bytes in front of the distributions. */
static size_t head_size(const struct report *r) {
  size_t numbers = r->condition_count + r->counter_count;
  size_t size = sizeof(struct cell) + numbers * sizeof(uint64_t);
  return (size + LINE - 1) / LINE * LINE;
}

static struct stat_values *values_of(const struct cell *c) {
  return (struct stat_values *)((uint8_t *)c + head_size(c->report));
}

struct cell *cell_new(struct report *r) {
  size_t head = head_size(r);
  struct cell *c = aligned_alloc(LINE, head + r->distribution_count * LINE);
  if (c == NULL)
    return NULL;
  memset(c, 0, head);
  c->report = r;
  c->rest = calloc(1, sizeof(*c->rest) + (r->counter_count + r->bucket_count) *
                                             sizeof(uint64_t));
  if (c->rest == NULL) {
    free(c);
    return NULL;
  }
  c->rest->outliers = -1;
  for (size_t i = 0; i < r->distribution_count; i++)
    stat_init(&values_of(c)[i], r->distribution[i].keep);
  return c;
}

void cell_free(struct cell *c) {
  if (c == NULL)
    return;
  for (size_t i = 0; i < c->report->distribution_count; i++)
    stat_free(&values_of(c)[i]);
  free(c->rest);
  free(c);
}

void cell_begin(struct cell *c) {
  const struct report *r = c->report;
  struct cell_rest *rest = c->rest;
  c->connections = 0;
  memset(condition_of(c), 0, r->condition_count * sizeof(uint64_t));
  memset(bucket_of(c), 0, r->bucket_count * sizeof(uint64_t));
  rest->listeners = 0;
  rest->outliers = -1;
  if (r->sets) {
    memset(rest->state, 0, sizeof(rest->state));
    memset(rest->ca_state, 0, sizeof(rest->ca_state));
    memset(rest->option, 0, sizeof(rest->option));
    memset(rest->algorithm, 0, sizeof(rest->algorithm));
  }
  for (size_t i = 0; i < r->distribution_count; i++)
    stat_reset(&values_of(c)[i]);
}

void cell_shrink(struct cell *c) {
  const struct report *r = c->report;
  for (size_t i = 0; i < r->distribution_count; i++) {
    stat_free(&values_of(c)[i]);
    stat_init(&values_of(c)[i], r->distribution[i].keep);
  }
}

/* What an idle connection touches, too, and no more: only so much can be under
 * way at a time. */
void cell_soon(const struct cell *c, const struct report *r,
               enum soon how_soon) {
  const uint8_t *line = (const uint8_t *)c + head_size(r);
  if (how_soon == SOON_VERY)
    __builtin_prefetch(c, 1);
  for (size_t i = 0; i < r->steady_count; i++) {
    const struct stat_values *s = (const void *)(line + r->steady[i] * LINE);
    if (how_soon == SOON_VERY)
      __builtin_prefetch(s, 1);
    else if (s->small.at != NULL)
      __builtin_prefetch((uint32_t *)s->small.at + s->small_count, 1);
  }
}

/* What is not established yet has nothing to be limited in. busy_time holds the
 * two limits (linux: tcp_get_info_chrono_stats()). */
static void limits_add(struct limits *l, const struct reading *r) {
  if (r->window_us == 0 || r->sample->state == TCP_STATE_SYN_SENT ||
      !field_present(FIELD_SNDBUF_LIMITED, r->sample->info_size))
    return;
  if (!r->changed) {
    l->time += r->window_us;
    return;
  }
  uint64_t busy = r->delta[FIELD_BUSY_TIME];
  uint64_t receiver = r->delta[FIELD_RWND_LIMITED];
  uint64_t sender = r->delta[FIELD_SNDBUF_LIMITED];
  if (busy < receiver + sender)
    busy = receiver + sender;
  /* Times come in jiffies, so a busy socket's may exceed the window. */
  l->time += busy > r->window_us ? busy : r->window_us;
  l->network += busy - receiver - sender;
  l->receiver += receiver;
  l->sender += sender;
}

void cell_add_rest(struct cell *c, const uint64_t *delta) {
  const struct report *rep = c->report;
  uint64_t *total = total_of(c);
  for (size_t i = 0; i < rep->counter_count; i++)
    total[i] += delta[rep->counter[i]];
}

/* The last bucket takes what is above all edges. */
static void bucket_add(struct cell *c, const struct report_distribution *d,
                       uint64_t value) {
  size_t i = 0;
  while (i < d->edges.count && value > d->edges.edge[i])
    i++;
  bucket_of(c)[d->bucket + i]++;
}

/* What value_get() says of most distributions, without a look at the tables. */
static inline bool plain_get(const struct report_distribution *d,
                             const struct sample *s, uint64_t *out) {
  const struct block *b = &s->block[d->block];
  uint32_t value;
  if (d->offset + sizeof(value) > b->size)
    return false;
  memcpy(&value, b->bytes + d->offset, sizeof(value));
  *out = value;
  return value != d->unset;
}

static void distributions_add(struct cell *c, const struct sample *s,
                              bool active, bool listener) {
  const struct report *r = c->report;
  const struct report_distribution *d = r->distribution;
  const struct report_distribution *end = d + r->distribution_count;
  struct stat_values *values = values_of(c);
  for (; d < end; d++, values++) {
    uint64_t value;
    if (d->listeners != listener || (d->active_only && !active) ||
        !(d->plain ? plain_get(d, s, &value)
                   : value_get(&metric_table[d->metric], s, &value)))
      continue;
    stat_add(values, value);
    if (d->edges.count > 0)
      bucket_add(c, d, value);
  }
}

static void sets_add(struct cell *c, const struct sample *s) {
  struct report *r = c->report;
  uint64_t code;
  if (r->states)
    c->rest->state[s->state]++;
  if (r->ca_state && sample_get(s, FIELD_CA_STATE, &code) &&
      code < VALUE_CA_STATES)
    c->rest->ca_state[code]++;
  if (r->options && sample_get(s, FIELD_OPTIONS, &code))
    for (unsigned i = 0; i < VALUE_OPTION_BITS; i++)
      c->rest->option[i] += code >> i & 1;
  if (r->congestion) {
    size_t number = report_algorithm(r, s->subject.congestion);
    if (number < REPORT_ALGORITHMS_MAX)
      c->rest->algorithm[number]++;
  }
}

void cell_add(struct cell *c, const struct reading *r) {
  const struct report *rep = c->report;
  c->connections++;
  if (rep->sets)
    sets_add(c, r->sample);
  for (size_t i = 0; i < rep->condition_count; i++)
    if (rep->condition[i] == METRIC_ACTIVE
            ? r->active
            : value_holds(rep->condition[i], r->sample))
      condition_of(c)[i]++;
  if (r->sample->info == NULL)
    return;
  if (r->changed)
    cell_add_rest(c, r->delta);
  if (rep->limited)
    limits_add(&c->limits, r);
  distributions_add(c, r->sample, r->active, false);
}

void cell_add_other(struct cell *c, const struct sample *s) {
  if (c->report->states)
    c->rest->state[s->state]++;
  if (s->state != TCP_STATE_LISTEN)
    return;
  c->rest->listeners++;
  distributions_add(c, s, false, true);
}

static void numbers_sum(uint64_t *to, const uint64_t *part, size_t count) {
  for (size_t i = 0; i < count; i++)
    to[i] += part[i];
}

static void rest_sum(struct cell_rest *to, const struct cell_rest *part) {
  numbers_sum(to->state, part->state, TCP_STATE_COUNT);
  numbers_sum(to->ca_state, part->ca_state, VALUE_CA_STATES);
  numbers_sum(to->option, part->option, VALUE_OPTION_BITS);
  numbers_sum(to->algorithm, part->algorithm, REPORT_ALGORITHMS_MAX);
}

void cell_sum(struct cell *c, const struct cell *part) {
  const struct report *r = c->report;
  c->connections += part->connections;
  c->rest->listeners += part->rest->listeners;
  c->limits.time += part->limits.time;
  c->limits.network += part->limits.network;
  c->limits.receiver += part->limits.receiver;
  c->limits.sender += part->limits.sender;
  numbers_sum(condition_of(c), condition_of(part), r->condition_count);
  numbers_sum(bucket_of(c), bucket_of(part), r->bucket_count);
  for (size_t i = 0; i < r->counter_count; i++)
    total_of(c)[i] += total_of(part)[i] - committed_of(part)[i];
  if (r->sets)
    rest_sum(c->rest, part->rest);
  for (size_t i = 0; i < r->distribution_count; i++)
    stat_merge(&values_of(c)[i], &values_of(part)[i]);
}

bool cell_is_used(const struct cell *c) {
  return c->connections > 0 || c->rest->listeners > 0;
}

void cell_count(struct cell *c, enum cell_life life) { c->rest->life[life]++; }

void cell_commit(struct cell *c) {
  for (size_t i = 0; i < c->report->counter_count; i++)
    committed_of(c)[i] = total_of(c)[i];
  c->limits = (struct limits){0};
}

static void raise_to(uint64_t *value, uint64_t least) {
  if (*value < least)
    *value = least;
}

void cell_raise(struct cell *c, const struct cell *from) {
  for (size_t i = 0; i < CELL_LIFE_COUNT; i++)
    raise_to(&c->rest->life[i], from->rest->life[i]);
  for (size_t i = 0; i < c->report->counter_count; i++) {
    raise_to(&total_of(c)[i], total_of(from)[i]);
    committed_of(c)[i] = total_of(c)[i];
  }
}

void cell_inherit(struct cell *c, const struct cell *from) {
  for (size_t i = 0; i < CELL_LIFE_COUNT; i++)
    c->rest->life[i] += from->rest->life[i];
  for (size_t i = 0; i < c->report->counter_count; i++) {
    total_of(c)[i] += total_of(from)[i];
    committed_of(c)[i] += total_of(from)[i];
  }
}

void cell_set_outliers(struct cell *c, int count) { c->rest->outliers = count; }

uint64_t cell_connections(const struct cell *c) { return c->connections; }

struct emission {
  struct cell *cell;
  size_t info_size;
  struct cell_value value;
  cell_value_cb *cb;
  void *data;
  struct rank_index index; /* of the distribution at hand */
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
  const struct report_distribution *d =
      &e->cell->report->distribution[o->index];
  const char *type = e->value.type;
  uint64_t sum = 0;
  if (!d->listeners && !is_sent(metric_table[o->metric].field, e->info_size))
    return;
  e->value.type = "bucket";
  for (size_t i = 0; i <= d->edges.count; i++) {
    char instance[REPORT_INSTANCE_MAX];
    sum += bucket_of(e->cell)[d->bucket + i];
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
                           struct stat_values *s, double scale) {
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
    if (stat_percentile(s, o->statistic.permille, &e->index, &value))
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
    char instance[2 * REPORT_INSTANCE_MAX];
    if (name[i] == NULL)
      continue;
    snprintf(instance, sizeof(instance), "%s-%s", o->instance, name[i]);
    emit_gauge(e, o->metric == METRIC_STATES ? name[i] : instance,
               (double)count[i]);
  }
}

static void emit_set(struct emission *e, const struct output *o) {
  const struct cell *c = e->cell;
  const char *name[REPORT_ALGORITHMS_MAX];
  if (o->metric != METRIC_STATES && o->metric != METRIC_CONGESTION &&
      e->info_size == 0)
    return;
  switch (o->metric) {
  case METRIC_STATES:
    emit_codes(e, o, value_state_name, c->rest->state, TCP_STATE_COUNT);
    return;
  case METRIC_CA_STATE:
    emit_codes(e, o, value_ca_state_name, c->rest->ca_state, VALUE_CA_STATES);
    return;
  case METRIC_OPTIONS:
    emit_codes(e, o, value_option_name, c->rest->option, VALUE_OPTION_BITS);
    return;
  default:
    for (size_t i = 0; i < c->report->algorithm_count; i++)
      name[i] = c->report->shown[i];
    emit_codes(e, o, name, c->rest->algorithm, c->report->algorithm_count);
  }
}

static void emit_total(struct emission *e, const struct output *o) {
  const struct metric *m = &metric_table[o->metric];
  uint64_t value = total_of(e->cell)[o->index];
  if (m->scale != 1) /* exact where it is 1: a double holds 53 bits only */
    value = (uint64_t)((double)value * m->scale);
  if (is_sent(m->field, e->info_size))
    emit_counter(e, o->instance, value);
}

static void emit_percent(struct emission *e, const struct output *o) {
  const struct cell *c = e->cell;
  uint64_t part = total_of(c)[o->index] - committed_of(c)[o->index];
  uint64_t whole =
      total_of(c)[o->whole_index] - committed_of(c)[o->whole_index];
  if (whole > 0 && field_present(metric_table[o->metric].field, e->info_size))
    emit_gauge(e, o->instance, percent(part, whole));
}

static enum cell_life life_of(enum metric_id metric) {
  switch (metric) {
  case METRIC_OPENED:
    return CELL_OPENED;
  case METRIC_CLOSED:
    return CELL_CLOSED;
  default:
    return CELL_FAILED;
  }
}

static void emit_output(struct emission *e, const struct output *o) {
  const struct metric *m = &metric_table[o->metric];
  struct cell *c = e->cell;
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

void cell_emit(struct cell *c, size_t info_size, enum cell_view view,
               cell_value_cb *cb, void *data) {
  struct emission e; /* its index needs no zeroes */
  e.cell = c;
  e.info_size = info_size;
  e.cb = cb;
  e.data = data;
  e.index.values = NULL;
  for (size_t i = 0; i < c->report->output_count; i++) {
    const struct output *o = &c->report->output[i];
    enum metric_kind kind = metric_table[o->metric].kind;
    if (view == CELL_COUNTERS && kind != METRIC_KIND_COUNTER &&
        kind != METRIC_KIND_LIFE)
      continue;
    e.value.type = metric_table[o->metric].type;
    emit_output(&e, o);
  }
}
