/* A group's metrics laid out: which accumulators its cells have, and which
 * values are made of them. Made once, shared by all cells of the group. */
#ifndef TCPINFO_REPORT_H
#define TCPINFO_REPORT_H

#include "metric.h"

enum {
  REPORT_INSTANCE_MAX = 40,
  /* Names of congestion control algorithms that a report tells apart. Linux
   * has some 20; a further one is not counted. */
  REPORT_ALGORITHMS_MAX = 24,
  REPORT_ALGORITHM_NAME_MAX = 16, /* TCP_CA_NAME_MAX, with the final NUL */
};

/* One value, or one of several codes or buckets. */
struct output {
  enum metric_id metric;
  size_t index;       /* of the counter, distribution, condition or set */
  size_t whole_index; /* of a percentage: the counter it is a part of */
  struct statistic statistic;
  char instance[REPORT_INSTANCE_MAX];
};

/* Which sockets a distribution is over. */
enum report_over {
  REPORT_ALL,    /* connections, active or not */
  REPORT_ACTIVE, /* active ones */
  REPORT_LISTENERS,
  REPORT_OVER_COUNT,
};

struct report_distribution {
  enum metric_id metric;
  bool keep;     /* a percentile is asked for */
  bool plain;    /* its value is a field of 32 bits as it stands: */
  uint8_t block; /* what the table of fields says of it */
  uint16_t offset;
  uint64_t unset;
  size_t bucket;          /* the first of its buckets in a cell */
  struct histogram edges; /* of none, without a histogram */
};

struct report {
  size_t output_count;
  struct output *output;
  size_t counter_count;
  enum field_id counter[FIELD_COUNT];
  size_t distribution_count;
  struct report_distribution distribution[METRIC_COUNT];
  size_t end[REPORT_OVER_COUNT]; /* they are in this order */
  size_t bucket_count;           /* of all distributions */
  size_t condition_count;
  enum metric_id condition[METRIC_COUNT]; /* METRIC_KIND_SOCKETS */
  bool states, ca_state, options, congestion, limited;
  bool sets;     /* any of the first four */
  unsigned asks; /* enum metric_ask */

  /* Grows as algorithms are seen, so that a name keeps its number. */
  size_t algorithm_count;
  char algorithm[REPORT_ALGORITHMS_MAX][REPORT_ALGORITHM_NAME_MAX];
  char shown[REPORT_ALGORITHMS_MAX][REPORT_ALGORITHM_NAME_MAX]; /* cleaned */
};

/* NULL where memory ran out. */
struct report *report_new(const struct metric_list *list);
void report_free(struct report *r);

/* Sets to true, by field id, which counters the report is made from. */
void report_fields(const struct report *r, bool wanted[FIELD_COUNT]);

/* The algorithm's number, or REPORT_ALGORITHMS_MAX: one too many, or none. */
size_t report_algorithm(struct report *r, const char *name);

#endif
