#include "metric/accumulator_layout.h"

#include <stdlib.h>
#include <string.h>

struct accumulator *accumulator_new(struct plan *plan) {
  size_t head = head_size(plan);
  struct accumulator *a =
      calloc(1, head + plan->distribution_count * sizeof(*a->distribution));
  if (a == NULL)
    return NULL;
  a->plan = plan;
  a->distribution = (struct distribution *)((uint8_t *)a + head);
  size_t numbers = plan->counter_count + plan->bucket_count + plan->code_count;
  a->cold = calloc(1, sizeof(*a->cold) + numbers * sizeof(uint64_t));
  if (a->cold == NULL) {
    free(a);
    return NULL;
  }
  a->cold->outliers = -1;
  for (size_t i = 0; i < plan->distribution_count; i++)
    distribution_init(&a->distribution[i],
                      plan->distribution[i].has_percentile);
  return a;
}

void accumulator_free(struct accumulator *a) {
  if (a == NULL)
    return;
  for (size_t i = 0; i < a->plan->distribution_count; i++)
    distribution_free(&a->distribution[i]);
  free(a->cold);
  free(a);
}

void accumulator_begin(struct accumulator *a) {
  const struct plan *plan = a->plan;
  a->connections = 0;
  a->active = 0;
  a->cold->listeners = 0;
  a->cold->outliers = -1;
  memset(condition_of(a), 0, plan->condition_count * sizeof(uint64_t));
  memset(bucket_of(a), 0,
         (plan->bucket_count + plan->code_count) * sizeof(uint64_t));
  for (size_t i = 0; i < plan->distribution_count; i++)
    distribution_reset(&a->distribution[i]);
}

/* Distributions: the processor cannot fetch more cache lines at once. */
enum { PREFETCH_MAX = 6 };

/* Distributions of active connections are left out: most connections are idle.
 * The address of the others is computed, because a->distribution itself is not
 * in the cache yet. */
void accumulator_prefetch(const struct accumulator *a,
                          const struct plan *plan) {
  const struct distribution *d =
      (const void *)((const uint8_t *)a + head_size(plan));
  size_t count = plan->population_end[METRIC_OF_CONNECTIONS];
  __builtin_prefetch(a, 1);
  for (size_t i = 0; i < count && i < PREFETCH_MAX; i++)
    __builtin_prefetch(&d[i], 1);
}

/* --- Adding a socket ------------------------------------------------------ */

/* A connection that is not established yet cannot be limited. busy_time holds
 * the two limited times (linux: net/ipv4/tcp.c, tcp_get_info_chrono_stats()).
 */
static void limits_add(struct limits *l, const struct observation *o) {
  if (o->window_us == 0 || o->sample->state == TCP_STATE_SYN_SENT ||
      !field_present(FIELD_SNDBUF_LIMITED, o->sample->info_size))
    return;
  if (!o->changed) {
    l->time += o->window_us;
    return;
  }
  uint64_t busy = o->delta[FIELD_BUSY_TIME];
  uint64_t receiver = o->delta[FIELD_RWND_LIMITED];
  uint64_t sender = o->delta[FIELD_SNDBUF_LIMITED];
  if (busy < receiver + sender)
    busy = receiver + sender;
  /* The kernel counts in jiffies, so a busy socket's time may exceed the
   * window. */
  l->time += busy > o->window_us ? busy : o->window_us;
  l->network += busy - receiver - sender;
  l->receiver += receiver;
  l->sender += sender;
}

void accumulator_add_growth(struct accumulator *a, const uint64_t *delta) {
  const struct plan *plan = a->plan;
  uint64_t *total = total_of(a);
  for (size_t i = 0; i < plan->counter_count; i++)
    total[i] += delta[plan->counter[i]];
}

/* The last bucket takes the values above all edges. */
static void bucket_add(struct accumulator *a, const struct plan_distribution *d,
                       uint64_t value) {
  size_t i = 0;
  while (i < d->histogram.count && value > d->histogram.edge[i])
    i++;
  bucket_of(a)[d->bucket + i]++;
}

/* sample_get() of a field of 32 bits, which most distributions are made of. */
static inline bool u32_get(const struct plan_distribution *d,
                           const struct sample *s, uint64_t *out) {
  const struct block *b = &s->block[d->block];
  uint32_t value;
  if (d->offset + sizeof(value) > b->size)
    return false;
  memcpy(&value, b->bytes + d->offset, sizeof(value));
  *out = value;
  return value != d->unset;
}

static inline bool value_get(const struct plan_distribution *d,
                             const struct sample *s, uint64_t *out) {
  if (d->is_u32)
    return u32_get(d, s, out);
  return d->value != NULL ? d->value(s, out) : sample_get(s, d->field, out);
}

/* Adds the socket to the plan's distributions from `first` to `end` - 1. */
static inline void distributions_add(struct accumulator *a,
                                     const struct sample *s, size_t first,
                                     size_t end) {
  const struct plan_distribution *d = a->plan->distribution + first;
  const struct plan_distribution *last = a->plan->distribution + end;
  struct distribution *values = a->distribution + first;
  for (; d < last; d++, values++) {
    uint64_t value;
    if (!value_get(d, s, &value))
      continue;
    distribution_add(values, value);
    if (d->histogram.count > 0)
      bucket_add(a, d, value);
  }
}

static void set_add(struct accumulator *a, const struct plan_set *set,
                    const struct sample *s) {
  uint64_t *count = code_of(a) + set->first;
  for (uint64_t codes = set->codes(a->plan, s); codes != 0; codes &= codes - 1)
    count[__builtin_ctzll(codes)]++;
}

void accumulator_add(struct accumulator *a, const struct observation *o) {
  const struct plan *plan = a->plan;
  a->connections++;
  a->active += o->active;
  for (size_t i = 0; i < plan->set_count; i++)
    set_add(a, &plan->set[i], o->sample);
  for (size_t i = 0; i < plan->condition_count; i++)
    condition_of(a)[i] += plan->condition[i](o->sample);
  if (o->sample->info == NULL)
    return;
  if (o->changed)
    accumulator_add_growth(a, o->delta);
  if (plan->has_limits)
    limits_add(&a->limits, o);
  distributions_add(a, o->sample, 0,
                    plan->population_end[o->active ? METRIC_OF_ACTIVE
                                                   : METRIC_OF_CONNECTIONS]);
}

void accumulator_add_without_traffic(struct accumulator *a,
                                     const struct sample *s) {
  const struct plan *plan = a->plan;
  for (size_t i = 0; i < plan->set_count; i++)
    if (plan->set[i].all_states)
      set_add(a, &plan->set[i], s);
  if (s->state != TCP_STATE_LISTEN)
    return;
  a->cold->listeners++;
  distributions_add(a, s, plan->population_end[METRIC_OF_ACTIVE],
                    plan->population_end[METRIC_OF_LISTENERS]);
}

/* --- Several accumulators ------------------------------------------------- */

static void numbers_sum(uint64_t *to, const uint64_t *part, size_t count) {
  for (size_t i = 0; i < count; i++)
    to[i] += part[i];
}

void accumulator_sum(struct accumulator *a, const struct accumulator *part) {
  const struct plan *plan = a->plan;
  a->connections += part->connections;
  a->active += part->active;
  a->cold->listeners += part->cold->listeners;
  a->limits.time += part->limits.time;
  a->limits.network += part->limits.network;
  a->limits.receiver += part->limits.receiver;
  a->limits.sender += part->limits.sender;
  numbers_sum(condition_of(a), condition_of(part), plan->condition_count);
  numbers_sum(bucket_of(a), bucket_of(part),
              plan->bucket_count + plan->code_count);
  for (size_t i = 0; i < plan->counter_count; i++)
    total_of(a)[i] += total_of(part)[i] - total_at_commit_of(part)[i];
  for (size_t i = 0; i < plan->distribution_count; i++)
    distribution_merge(&a->distribution[i], &part->distribution[i]);
}

void accumulator_commit(struct accumulator *a) {
  for (size_t i = 0; i < a->plan->counter_count; i++)
    total_at_commit_of(a)[i] = total_of(a)[i];
  a->limits = (struct limits){0};
}

void accumulator_absorb(struct accumulator *a, const struct accumulator *part) {
  accumulator_sum(a, part);
  numbers_sum(a->cold->life, part->cold->life, ACCUMULATOR_LIFE_COUNT);
}

size_t accumulator_saved_count(const struct plan *plan) {
  return ACCUMULATOR_LIFE_COUNT + plan->counter_count;
}

void accumulator_save(const struct accumulator *a, uint64_t *saved) {
  memcpy(saved, a->cold->life, sizeof(a->cold->life));
  memcpy(saved + ACCUMULATOR_LIFE_COUNT, total_of(a),
         a->plan->counter_count * sizeof(uint64_t));
}

void accumulator_resume(struct accumulator *a, const uint64_t *saved) {
  numbers_sum(a->cold->life, saved, ACCUMULATOR_LIFE_COUNT);
  saved += ACCUMULATOR_LIFE_COUNT;
  numbers_sum(total_of(a), saved, a->plan->counter_count);
  numbers_sum(total_at_commit_of(a), saved, a->plan->counter_count);
}

/* --- Single numbers ------------------------------------------------------- */

void accumulator_count(struct accumulator *a, enum accumulator_life life) {
  a->cold->life[life]++;
}

void accumulator_set_outliers(struct accumulator *a, int count) {
  a->cold->outliers = count;
}

bool accumulator_is_used(const struct accumulator *a) {
  return a->connections > 0 || a->cold->listeners > 0;
}

uint64_t accumulator_connections(const struct accumulator *a) {
  return a->connections;
}
