#include "cell.h"

#include <stdio.h>
#include <stdlib.h>

enum { INSTANCE_MAX = 40 };

/* One value that a report gives. */
struct output {
  enum metric_id metric;
  size_t index;       /* of the counter or distribution */
  size_t whole_index; /* of a percentage: the counter it is a part of */
  struct statistic statistic;
  char instance[INSTANCE_MAX];
};

struct distribution {
  enum metric_id metric;
  bool keep; /* a percentile is asked for */
};

struct report {
  size_t output_count;
  struct output *output;
  size_t counter_count;
  enum field_id counter[FIELD_COUNT];
  size_t distribution_count;
  struct distribution distribution[METRIC_COUNT];
  bool states, limited;
};

/* Time of the sockets in this interval, microseconds, and what limited it. */
struct limits {
  uint64_t time, network, receiver, sender;
};

struct cell {
  const struct report *report;
  /* Of one dump. */
  uint64_t connections, active;
  uint64_t state[TCP_STATE_COUNT];
  struct stat_values *values; /* as report.distribution */
  /* Since the last commit. */
  struct limits limits;
  /* For ever. */
  uint64_t life[CELL_LIFE_COUNT];
  uint64_t *total;     /* as report.counter */
  uint64_t *committed; /* what total was at the last commit */
};

static size_t report_counter(struct report *r, enum field_id field) {
  for (size_t i = 0; i < r->counter_count; i++)
    if (r->counter[i] == field)
      return i;
  r->counter[r->counter_count] = field;
  return r->counter_count++;
}

static void report_outputs(struct report *r, const struct metric_choice *c) {
  const struct metric *m = &metric_table[c->id];
  struct output *o = &r->output[r->output_count];
  *o = (struct output){.metric = c->id};
  snprintf(o->instance, sizeof(o->instance), "%s", m->name);

  switch (m->kind) {
  case METRIC_KIND_DISTRIBUTION:
    for (size_t i = 0; i < c->statistic_count; i++) {
      char text[STATISTIC_TEXT_MAX];
      o[i] = (struct output){.metric = c->id,
                             .index = r->distribution_count,
                             .statistic = c->statistic[i]};
      snprintf(o[i].instance, sizeof(o[i].instance), "%s-%s", m->name,
               statistic_format(c->statistic[i], text));
      r->distribution[r->distribution_count].keep |=
          c->statistic[i].kind == STATISTIC_PERCENTILE;
    }
    r->distribution[r->distribution_count++].metric = c->id;
    r->output_count += c->statistic_count;
    return;
  case METRIC_KIND_PERCENT:
    o->whole_index = report_counter(r, m->whole);
    o->index = report_counter(r, m->field);
    break;
  case METRIC_KIND_COUNTER:
    o->index = report_counter(r, m->field);
    break;
  case METRIC_KIND_STATES:
    r->states = true;
    break;
  case METRIC_KIND_LIMITED:
    r->limited = true;
    break;
  case METRIC_KIND_GAUGE:
  case METRIC_KIND_LIFE:
    break;
  }
  r->output_count++;
}

struct report *report_new(const struct metric_list *list) {
  struct report *r = calloc(1, sizeof(*r));
  if (r == NULL)
    return NULL;
  size_t outputs = 0;
  for (size_t i = 0; i < list->count; i++)
    outputs += 1 + list->choice[i].statistic_count;
  r->output = calloc(outputs + 1, sizeof(*r->output));
  if (r->output == NULL) {
    free(r);
    return NULL;
  }
  for (size_t i = 0; i < list->count; i++)
    report_outputs(r, &list->choice[i]);
  return r;
}

void report_free(struct report *r) {
  if (r == NULL)
    return;
  free(r->output);
  free(r);
}

void report_fields(const struct report *r, bool wanted[FIELD_COUNT]) {
  for (size_t i = 0; i < r->counter_count; i++)
    wanted[r->counter[i]] = true;
  if (r->limited) {
    wanted[FIELD_BUSY_TIME] = true;
    wanted[FIELD_RWND_LIMITED] = true;
    wanted[FIELD_SNDBUF_LIMITED] = true;
  }
}

bool report_has_states(const struct report *r) { return r->states; }

struct cell *cell_new(const struct report *r) {
  struct cell *c = calloc(1, sizeof(*c));
  if (c == NULL)
    return NULL;
  c->report = r;
  c->total = calloc(2 * r->counter_count + 1, sizeof(*c->total));
  c->values = calloc(r->distribution_count + 1, sizeof(*c->values));
  if (c->total == NULL || c->values == NULL) {
    cell_free(c);
    return NULL;
  }
  c->committed = c->total + r->counter_count;
  for (size_t i = 0; i < r->distribution_count; i++)
    stat_init(&c->values[i], r->distribution[i].keep);
  return c;
}

void cell_free(struct cell *c) {
  if (c == NULL)
    return;
  for (size_t i = 0; c->values != NULL && i < c->report->distribution_count;
       i++)
    stat_free(&c->values[i]);
  free(c->values);
  free(c->total);
  free(c);
}

void cell_begin(struct cell *c) {
  c->connections = 0;
  c->active = 0;
  if (c->report->states)
    for (size_t i = 0; i < TCP_STATE_COUNT; i++)
      c->state[i] = 0;
  for (size_t i = 0; i < c->report->distribution_count; i++)
    stat_reset(&c->values[i]);
}

/* What one socket adds to a distribution; false where it has no such value. */
static bool value_of(const struct metric *m, const struct sample *s,
                     uint64_t *out) {
  uint64_t a, b, c;
  double rate;
  switch (m->rule) {
  case METRIC_RULE_RECV_QUEUE:
    *out = s->recv_queue;
    return true;
  case METRIC_RULE_SEND_QUEUE:
    *out = s->send_queue;
    return true;
  case METRIC_RULE_QUEUE_DELAY:
    if (!field_get(FIELD_RTT, s->info, s->info_size, &a) ||
        !field_get(FIELD_MIN_RTT, s->info, s->info_size, &b))
      return false;
    *out = a > b ? a - b : 0; /* smoothing may fall below the minimum */
    return true;
  case METRIC_RULE_THROUGHPUT:
    if (!field_get(FIELD_SND_CWND, s->info, s->info_size, &a) ||
        !field_get(FIELD_SND_MSS, s->info, s->info_size, &b) ||
        !field_get(FIELD_RTT, s->info, s->info_size, &c))
      return false;
    rate = (double)a * (double)b * 1e6 / (double)c;
    *out = rate < 0x1p62 ? (uint64_t)rate : (uint64_t)1 << 62;
    return true;
  case METRIC_RULE_DELIVERY_RATE:
    if (field_get(FIELD_APP_LIMITED, s->info, s->info_size, &a) && a != 0)
      return false;
    break;
  case METRIC_RULE_RTTVAR:
    if (!field_get(FIELD_RTT, s->info, s->info_size, &a))
      return false;
    break;
  case METRIC_RULE_FIELD:
    break;
  }
  return field_get(m->field, s->info, s->info_size, out);
}

/* What is not established yet has nothing to be limited in. busy_time holds the
 * two limits (linux: tcp_get_info_chrono_stats()). */
static void limits_add(struct limits *l, const struct reading *r) {
  if (r->window_us == 0 || r->sample->state == TCP_STATE_SYN_SENT ||
      !field_present(FIELD_SNDBUF_LIMITED, r->sample->info_size))
    return;
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
  for (size_t i = 0; i < rep->counter_count; i++)
    c->total[i] += delta[rep->counter[i]];
}

void cell_add(struct cell *c, const struct reading *r) {
  const struct report *rep = c->report;
  c->connections++;
  c->active += r->active;
  if (rep->states)
    c->state[r->sample->state]++;
  if (r->sample->info == NULL)
    return;
  cell_add_rest(c, r->delta);
  if (rep->limited)
    limits_add(&c->limits, r);
  for (size_t i = 0; i < rep->distribution_count; i++) {
    const struct metric *m = &metric_table[rep->distribution[i].metric];
    uint64_t value;
    if (m->active_only && !r->active)
      continue;
    if (value_of(m, r->sample, &value))
      stat_add(&c->values[i], value);
  }
}

void cell_add_state(struct cell *c, enum tcp_state state) { c->state[state]++; }

void cell_count(struct cell *c, enum cell_life life) { c->life[life]++; }

void cell_commit(struct cell *c) {
  for (size_t i = 0; i < c->report->counter_count; i++)
    c->committed[i] = c->total[i];
  c->limits = (struct limits){0};
}

static void raise_to(uint64_t *value, uint64_t least) {
  if (*value < least)
    *value = least;
}

void cell_raise(struct cell *c, const struct cell *from) {
  for (size_t i = 0; i < CELL_LIFE_COUNT; i++)
    raise_to(&c->life[i], from->life[i]);
  for (size_t i = 0; i < c->report->counter_count; i++) {
    raise_to(&c->total[i], from->total[i]);
    c->committed[i] = c->total[i];
  }
}

void cell_inherit(struct cell *c, const struct cell *from) {
  for (size_t i = 0; i < CELL_LIFE_COUNT; i++)
    c->life[i] += from->life[i];
  for (size_t i = 0; i < c->report->counter_count; i++) {
    c->total[i] += from->total[i];
    c->committed[i] += from->total[i];
  }
}

uint64_t cell_connections(const struct cell *c) { return c->connections; }

/* The states as collectd's tcpconns plugin writes them. */
static const char *const state_name[TCP_STATE_COUNT] = {
    [TCP_STATE_ESTABLISHED] = "ESTABLISHED",
    [TCP_STATE_SYN_SENT] = "SYN_SENT",
    [TCP_STATE_SYN_RECV] = "SYN_RECV",
    [TCP_STATE_FIN_WAIT1] = "FIN_WAIT1",
    [TCP_STATE_FIN_WAIT2] = "FIN_WAIT2",
    [TCP_STATE_TIME_WAIT] = "TIME_WAIT",
    [TCP_STATE_CLOSE_WAIT] = "CLOSE_WAIT",
    [TCP_STATE_LAST_ACK] = "LAST_ACK",
    [TCP_STATE_LISTEN] = "LISTEN",
    [TCP_STATE_CLOSING] = "CLOSING",
};

struct emission {
  struct cell *cell;
  size_t info_size;
  struct cell_value value;
  cell_value_cb *cb;
  void *data;
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

static void emit_statistic(struct emission *e, const struct output *o,
                           struct stat_values *s, double scale) {
  uint64_t value;
  if (s->count == 0)
    return;
  switch (o->statistic.kind) {
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
    if (stat_percentile(s, o->statistic.permille, &value))
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

static void emit_states(struct emission *e, const struct cell *c) {
  for (size_t i = 0; i < TCP_STATE_COUNT; i++)
    if (state_name[i] != NULL)
      emit_gauge(e, state_name[i], (double)c->state[i]);
}

static void emit_total(struct emission *e, const struct output *o) {
  const struct metric *m = &metric_table[o->metric];
  uint64_t value = e->cell->total[o->index];
  if (m->scale != 1) /* exact where it is 1: a double holds 53 bits only */
    value = (uint64_t)((double)value * m->scale);
  if (field_present(m->field, e->info_size))
    emit_counter(e, o->instance, value);
}

static void emit_percent(struct emission *e, const struct output *o) {
  const struct cell *c = e->cell;
  uint64_t part = c->total[o->index] - c->committed[o->index];
  uint64_t whole = c->total[o->whole_index] - c->committed[o->whole_index];
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
    emit_gauge(
        e, o->instance,
        (double)(o->metric == METRIC_ACTIVE ? c->active : c->connections));
    return;
  case METRIC_KIND_LIFE:
    emit_counter(e, o->instance, c->life[life_of(o->metric)]);
    return;
  case METRIC_KIND_COUNTER:
    emit_total(e, o);
    return;
  case METRIC_KIND_STATES:
    emit_states(e, c);
    return;
  case METRIC_KIND_LIMITED:
    emit_limited(e, &c->limits);
    return;
  case METRIC_KIND_DISTRIBUTION:
    emit_statistic(e, o, &c->values[o->index], m->scale);
    return;
  case METRIC_KIND_PERCENT:
    emit_percent(e, o);
    return;
  }
}

void cell_emit(struct cell *c, size_t info_size, enum cell_view view,
               cell_value_cb *cb, void *data) {
  struct emission e = {
      .cell = c, .info_size = info_size, .cb = cb, .data = data};
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
