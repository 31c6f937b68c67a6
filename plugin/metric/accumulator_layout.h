/* A accumulator from the inside: for accumulator.c, which gathers, and
 * accumulator_emit.c, which tells.
 */
#ifndef TCPINFO_METRIC_ACCUMULATOR_LAYOUT_H
#define TCPINFO_METRIC_ACCUMULATOR_LAYOUT_H

#include "metric/accumulator.h"
#include "metric/socket_value.h"

/* Time of the sockets in this interval, microseconds, and what limited it. */
struct limits {
  uint64_t time, network, receiver, sender;
};

/* What is not touched for each socket. */
struct accumulator_rest {
  /* Of one dump. */
  uint64_t listeners;
  int outliers; /* -1: not known */
  uint64_t state[TCP_STATE_COUNT];
  uint64_t ca_state[SOCKET_VALUE_CA_STATES];
  uint64_t option[SOCKET_VALUE_OPTION_BITS];
  uint64_t algorithm[PLAN_ALGORITHMS_MAX];
  /* For ever. */
  uint64_t life[ACCUMULATOR_LIFE_COUNT];
  /* What the totals were at the last commit, as report.counter; then, of one
   * dump, the buckets as the distributions' edges say. */
  uint64_t number[];
};

/* In few lines of the processor's cache, because the accumulators of many
 * members are touched in any order: this, and behind it the distributions
 * (struct stat_values, as report.distribution), each in a line of its own. */
struct accumulator {
  struct plan *plan;
  struct accumulator_rest *rest;
  uint64_t connections; /* of one dump */
  struct limits limits; /* since the last commit */
  /* Of one dump, as report.condition; then the totals, for ever, as
   * report.counter. */
  uint64_t number[];
};

enum { LINE = 64 };
_Static_assert(sizeof(struct distribution) == LINE, "one line each");

static inline uint64_t *condition_of(const struct accumulator *c) {
  return (uint64_t *)c->number;
}

static inline uint64_t *total_of(const struct accumulator *c) {
  return (uint64_t *)c->number + c->plan->condition_count;
}

static inline uint64_t *committed_of(const struct accumulator *c) {
  return c->rest->number;
}

static inline uint64_t *bucket_of(const struct accumulator *c) {
  return c->rest->number + c->plan->counter_count;
}

/* Bytes in front of the distributions. */
static inline size_t head_size(const struct plan *r) {
  size_t numbers = r->condition_count + r->counter_count;
  size_t size = sizeof(struct accumulator) + numbers * sizeof(uint64_t);
  return (size + LINE - 1) / LINE * LINE;
}

static inline struct distribution *values_of(const struct accumulator *c) {
  return (struct distribution *)((uint8_t *)c + head_size(c->plan));
}

#endif
