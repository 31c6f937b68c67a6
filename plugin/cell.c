#include "cell_layout.h"

#include <stdlib.h>
#include <string.h>

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

enum { FETCH_MOST = 6 }; /* distributions: only so much can be under way */

/* What an idle connection touches, too. */
void cell_fetch(const struct cell *c, const struct report *r) {
  const uint8_t *line = (const uint8_t *)c + head_size(r);
  __builtin_prefetch(c, 1);
  for (size_t i = 0; i < r->end[REPORT_ALL] && i < FETCH_MOST; i++)
    __builtin_prefetch(line + i * LINE, 1);
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

/* From one of the report's on, up to another one. */
static inline void distributions_add(struct cell *c, const struct sample *s,
                                     size_t from, size_t to) {
  const struct report *r = c->report;
  const struct report_distribution *d = r->distribution + from;
  const struct report_distribution *end = r->distribution + to;
  struct stat_values *values = values_of(c) + from;
  for (; d < end; d++, values++) {
    uint64_t value;
    if (!(d->plain ? plain_get(d, s, &value)
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
  distributions_add(c, r->sample, 0,
                    rep->end[r->active ? REPORT_ACTIVE : REPORT_ALL]);
}

void cell_add_other(struct cell *c, const struct sample *s) {
  if (c->report->states)
    c->rest->state[s->state]++;
  if (s->state != TCP_STATE_LISTEN)
    return;
  c->rest->listeners++;
  distributions_add(c, s, c->report->end[REPORT_ACTIVE],
                    c->report->end[REPORT_LISTENERS]);
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
