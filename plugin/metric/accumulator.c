#include "metric/accumulator_layout.h"

#include <stdlib.h>
#include <string.h>

struct accumulator *accumulator_new(struct plan *r) {
  size_t head = head_size(r);
  struct accumulator *c =
      aligned_alloc(LINE, head + r->distribution_count * LINE);
  if (c == NULL)
    return NULL;
  memset(c, 0, head);
  c->plan = r;
  c->rest = calloc(1, sizeof(*c->rest) + (r->counter_count + r->bucket_count) *
                                             sizeof(uint64_t));
  if (c->rest == NULL) {
    free(c);
    return NULL;
  }
  c->rest->outliers = -1;
  for (size_t i = 0; i < r->distribution_count; i++)
    distribution_init(&values_of(c)[i], r->distribution[i].keep);
  return c;
}

void accumulator_free(struct accumulator *c) {
  if (c == NULL)
    return;
  for (size_t i = 0; i < c->plan->distribution_count; i++)
    distribution_free(&values_of(c)[i]);
  free(c->rest);
  free(c);
}

void accumulator_begin(struct accumulator *c) {
  const struct plan *r = c->plan;
  struct accumulator_rest *rest = c->rest;
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
    distribution_reset(&values_of(c)[i]);
}

void accumulator_shrink(struct accumulator *c) {
  const struct plan *r = c->plan;
  for (size_t i = 0; i < r->distribution_count; i++) {
    distribution_free(&values_of(c)[i]);
    distribution_init(&values_of(c)[i], r->distribution[i].keep);
  }
}

enum { FETCH_MOST = 6 }; /* distributions: only so much can be under way */

/* What an idle connection touches, too. */
void accumulator_fetch(const struct accumulator *c, const struct plan *r) {
  const uint8_t *line = (const uint8_t *)c + head_size(r);
  __builtin_prefetch(c, 1);
  for (size_t i = 0; i < r->end[PLAN_ALL] && i < FETCH_MOST; i++)
    __builtin_prefetch(line + i * LINE, 1);
}

/* What is not established yet has nothing to be limited in. busy_time holds the
 * two limits (linux: tcp_get_info_chrono_stats()). */
static void limits_add(struct limits *l, const struct observation *r) {
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

void accumulator_add_rest(struct accumulator *c, const uint64_t *delta) {
  const struct plan *rep = c->plan;
  uint64_t *total = total_of(c);
  for (size_t i = 0; i < rep->counter_count; i++)
    total[i] += delta[rep->counter[i]];
}

/* The last bucket takes what is above all edges. */
static void bucket_add(struct accumulator *c, const struct plan_distribution *d,
                       uint64_t value) {
  size_t i = 0;
  while (i < d->edges.count && value > d->edges.edge[i])
    i++;
  bucket_of(c)[d->bucket + i]++;
}

/* What socket_value_get() says of most distributions, without a look at the
 * tables. */
static inline bool plain_get(const struct plan_distribution *d,
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
static inline void distributions_add(struct accumulator *c,
                                     const struct sample *s, size_t from,
                                     size_t to) {
  const struct plan *r = c->plan;
  const struct plan_distribution *d = r->distribution + from;
  const struct plan_distribution *end = r->distribution + to;
  struct distribution *values = values_of(c) + from;
  for (; d < end; d++, values++) {
    uint64_t value;
    if (!(d->plain ? plain_get(d, s, &value)
                   : socket_value_get(&metric_table[d->metric], s, &value)))
      continue;
    distribution_add(values, value);
    if (d->edges.count > 0)
      bucket_add(c, d, value);
  }
}

static void sets_add(struct accumulator *c, const struct sample *s) {
  struct plan *r = c->plan;
  uint64_t code;
  if (r->states)
    c->rest->state[s->state]++;
  if (r->ca_state && sample_get(s, FIELD_CA_STATE, &code) &&
      code < SOCKET_VALUE_CA_STATES)
    c->rest->ca_state[code]++;
  if (r->options && sample_get(s, FIELD_OPTIONS, &code))
    for (unsigned i = 0; i < SOCKET_VALUE_OPTION_BITS; i++)
      c->rest->option[i] += code >> i & 1;
  if (r->congestion) {
    size_t number = plan_algorithm(r, s->attrs.congestion);
    if (number < PLAN_ALGORITHMS_MAX)
      c->rest->algorithm[number]++;
  }
}

void accumulator_add(struct accumulator *c, const struct observation *r) {
  const struct plan *rep = c->plan;
  c->connections++;
  if (rep->sets)
    sets_add(c, r->sample);
  for (size_t i = 0; i < rep->condition_count; i++)
    if (rep->condition[i] == METRIC_ACTIVE
            ? r->active
            : socket_value_holds(rep->condition[i], r->sample))
      condition_of(c)[i]++;
  if (r->sample->info == NULL)
    return;
  if (r->changed)
    accumulator_add_rest(c, r->delta);
  if (rep->limited)
    limits_add(&c->limits, r);
  distributions_add(c, r->sample, 0,
                    rep->end[r->active ? PLAN_ACTIVE : PLAN_ALL]);
}

void accumulator_add_other(struct accumulator *c, const struct sample *s) {
  if (c->plan->states)
    c->rest->state[s->state]++;
  if (s->state != TCP_STATE_LISTEN)
    return;
  c->rest->listeners++;
  distributions_add(c, s, c->plan->end[PLAN_ACTIVE],
                    c->plan->end[PLAN_LISTENERS]);
}

static void numbers_sum(uint64_t *to, const uint64_t *part, size_t count) {
  for (size_t i = 0; i < count; i++)
    to[i] += part[i];
}

static void rest_sum(struct accumulator_rest *to,
                     const struct accumulator_rest *part) {
  numbers_sum(to->state, part->state, TCP_STATE_COUNT);
  numbers_sum(to->ca_state, part->ca_state, SOCKET_VALUE_CA_STATES);
  numbers_sum(to->option, part->option, SOCKET_VALUE_OPTION_BITS);
  numbers_sum(to->algorithm, part->algorithm, PLAN_ALGORITHMS_MAX);
}

void accumulator_sum(struct accumulator *c, const struct accumulator *part) {
  const struct plan *r = c->plan;
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
    distribution_merge(&values_of(c)[i], &values_of(part)[i]);
}

bool accumulator_is_used(const struct accumulator *c) {
  return c->connections > 0 || c->rest->listeners > 0;
}

void accumulator_count(struct accumulator *c, enum accumulator_life life) {
  c->rest->life[life]++;
}

void accumulator_commit(struct accumulator *c) {
  for (size_t i = 0; i < c->plan->counter_count; i++)
    committed_of(c)[i] = total_of(c)[i];
  c->limits = (struct limits){0};
}

static void raise_to(uint64_t *value, uint64_t least) {
  if (*value < least)
    *value = least;
}

void accumulator_raise(struct accumulator *c, const struct accumulator *from) {
  for (size_t i = 0; i < ACCUMULATOR_LIFE_COUNT; i++)
    raise_to(&c->rest->life[i], from->rest->life[i]);
  for (size_t i = 0; i < c->plan->counter_count; i++) {
    raise_to(&total_of(c)[i], total_of(from)[i]);
    committed_of(c)[i] = total_of(c)[i];
  }
}

void accumulator_inherit(struct accumulator *c,
                         const struct accumulator *from) {
  for (size_t i = 0; i < ACCUMULATOR_LIFE_COUNT; i++)
    c->rest->life[i] += from->rest->life[i];
  for (size_t i = 0; i < c->plan->counter_count; i++) {
    total_of(c)[i] += total_of(from)[i];
    committed_of(c)[i] += total_of(from)[i];
  }
}

void accumulator_set_outliers(struct accumulator *c, int count) {
  c->rest->outliers = count;
}

uint64_t accumulator_connections(const struct accumulator *c) {
  return c->connections;
}
