/* An accumulator's memory: for accumulator.c, which adds, and
 * accumulator_emit.c, which reads. */
#ifndef TCPINFO_METRIC_ACCUMULATOR_LAYOUT_H
#define TCPINFO_METRIC_ACCUMULATOR_LAYOUT_H

#include "metric/accumulator.h"
#include "util/distribution.h"

/* Microseconds since the last commit, summed over the sockets: all time
 * observed, and the parts in which something limited the socket. */
struct limits {
  uint64_t time, network, receiver, sender;
};

/* Numbers that the default configuration does not touch for each socket.
 * Listeners, outliers, buckets and codes are of one dump; the others only grow.
 */
struct accumulator_cold {
  uint64_t listeners;
  int outliers; /* -1: not known */
  uint64_t life[ACCUMULATOR_LIFE_COUNT];
  /* The counters' totals at the last commit, in the order of plan.counter; then
   * the histograms' buckets; then the counts of the sets' codes. */
  uint64_t number[];
};

/* Members' accumulators are touched in any order, so all that is touched for
 * each socket stands together: this struct, and behind its numbers the
 * distributions, in the order of plan.distribution. */
struct accumulator {
  struct plan *plan;
  struct accumulator_cold *cold;
  struct distribution *distribution; /* those behind this struct's numbers */
  uint64_t connections, active;      /* counts of one dump */
  struct limits limits;
  /* Counts of one dump, in the order of plan.condition; then the counters'
   * totals, in the order of plan.counter. */
  uint64_t number[];
};

static inline uint64_t *condition_of(const struct accumulator *a) {
  return (uint64_t *)a->number;
}

static inline uint64_t *total_of(const struct accumulator *a) {
  return (uint64_t *)a->number + a->plan->condition_count;
}

static inline uint64_t *total_at_commit_of(const struct accumulator *a) {
  return a->cold->number;
}

static inline uint64_t *bucket_of(const struct accumulator *a) {
  return a->cold->number + a->plan->counter_count;
}

static inline uint64_t *code_of(const struct accumulator *a) {
  return bucket_of(a) + a->plan->bucket_count;
}

/* Bytes in front of the distributions. */
static inline size_t head_size(const struct plan *plan) {
  size_t numbers = plan->condition_count + plan->counter_count;
  return sizeof(struct accumulator) + numbers * sizeof(uint64_t);
}

#endif
