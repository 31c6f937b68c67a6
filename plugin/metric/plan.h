/* A group's metrics laid out: which accumulators its accumulators have, and
 * which values are made of them. Made once, shared by all accumulators of the
 * group. */
#ifndef TCPINFO_METRIC_PLAN_H
#define TCPINFO_METRIC_PLAN_H

#include "metric/metric.h"

enum {
  PLAN_INSTANCE_MAX = 40,
  /* Names of congestion control algorithms that a report tells apart. Linux
   * has some 20; a further one is not counted. */
  PLAN_ALGORITHMS_MAX = 24,
  PLAN_ALGORITHM_NAME_MAX = 16, /* TCP_CA_NAME_MAX, with the final NUL */
};

/* One value, or one of several codes or buckets. */
struct output {
  enum metric_id metric;
  size_t index;       /* of the counter, distribution, condition or set */
  size_t whole_index; /* of a percentage: the counter it is a part of */
  struct statistic statistic;
  char instance[PLAN_INSTANCE_MAX];
};

/* Which sockets a distribution is over. */
enum plan_over {
  PLAN_ALL,    /* connections, active or not */
  PLAN_ACTIVE, /* active ones */
  PLAN_LISTENERS,
  PLAN_OVER_COUNT,
};

struct plan_distribution {
  enum metric_id metric;
  bool keep;     /* a percentile is asked for */
  bool plain;    /* its value is a field of 32 bits as it stands: */
  uint8_t block; /* what the table of fields says of it */
  uint16_t offset;
  uint64_t unset;
  size_t bucket;          /* the first of its buckets in a accumulator */
  struct histogram edges; /* of none, without a histogram */
};

struct plan {
  size_t output_count;
  struct output *output;
  size_t counter_count;
  enum field_id counter[FIELD_COUNT];
  size_t distribution_count;
  struct plan_distribution distribution[METRIC_COUNT];
  size_t end[PLAN_OVER_COUNT]; /* they are in this order */
  size_t bucket_count;         /* of all distributions */
  size_t condition_count;
  enum metric_id condition[METRIC_COUNT]; /* METRIC_KIND_SOCKETS */
  bool states, ca_state, options, congestion, limited;
  bool sets;     /* any of the first four */
  unsigned asks; /* enum metric_ask */

  /* Grows as algorithms are seen, so that a name keeps its number. */
  size_t algorithm_count;
  char algorithm[PLAN_ALGORITHMS_MAX][PLAN_ALGORITHM_NAME_MAX];
  char shown[PLAN_ALGORITHMS_MAX][PLAN_ALGORITHM_NAME_MAX]; /* cleaned */
};

/* NULL where memory ran out. */
struct plan *plan_new(const struct metric_list *list);
void plan_free(struct plan *r);

/* Sets to true, by field id, which counters the report is made from. */
void plan_fields(const struct plan *r, bool wanted[FIELD_COUNT]);

/* The algorithm's number, or PLAN_ALGORITHMS_MAX: one too many, or none. */
size_t plan_algorithm(struct plan *r, const char *name);

#endif
