/* The plan of a group's values: made once of the group's list of metrics,
 * shared by all accumulators of the group.
 *
 * The plan copies from the metric table what is needed for each socket, so that
 * no table is looked at while sockets are added. */
#ifndef TCPINFO_METRIC_PLAN_H
#define TCPINFO_METRIC_PLAN_H

#include "metric/metric.h"

enum {
  PLAN_INSTANCE_MAX = 40,
  /* Congestion control algorithms that a plan tells apart. Linux has some 20;
   * sockets of a further algorithm are not counted. */
  PLAN_ALGORITHMS_MAX = 24,
  PLAN_ALGORITHM_NAME_MAX = 16, /* TCP_CA_NAME_MAX, with the final NUL */
};

/* One value to dispatch; of a set or a histogram all of its values. */
struct plan_output {
  enum metric_id metric;
  size_t index;       /* into counter, distribution, condition or set */
  size_t whole_index; /* PERCENT: into counter, of the whole */
  struct statistic statistic;
  char instance[PLAN_INSTANCE_MAX]; /* type instance, or its start */
};

struct plan_distribution {
  bool has_percentile; /* values must be stored */
  /* If is_u32, the value is the 32 bits at `offset` of `block`, and `unset`
   * means no value (see struct field). Otherwise the getter is `value`, or, if
   * NULL, `field`. */
  bool is_u32;
  uint8_t block;
  uint8_t field; /* enum field_id */
  uint16_t offset;
  uint64_t unset;
  metric_value_fn *value;
  struct histogram histogram; /* count 0: no histogram is asked for */
  size_t bucket;              /* index of the histogram's first bucket */
};
_Static_assert(FIELD_COUNT <= UINT8_MAX, "a field in 8 bits");

struct plan_set {
  metric_codes_fn *codes;
  size_t first;    /* index of the count of code 0 */
  bool all_states; /* counts sockets without traffic too */
};

struct plan {
  size_t output_count;
  struct plan_output *output;

  size_t counter_count;
  enum field_id counter[FIELD_COUNT];

  /* Sorted by population: those of population P begin where those of P - 1
   * end. */
  size_t distribution_count;
  struct plan_distribution distribution[METRIC_COUNT];
  size_t population_end[METRIC_POPULATION_COUNT];
  size_t bucket_count; /* sum over all histograms */

  size_t condition_count;
  metric_condition_fn *condition[METRIC_COUNT];

  size_t set_count;
  struct plan_set set[METRIC_COUNT];
  size_t code_count; /* sum over all sets */

  bool has_limits; /* a metric of METRIC_KIND_LIMITED is reported */
  unsigned asks;   /* set of enum metric_ask */

  /* Congestion control algorithms by the number they got when a socket first
   * used them; `shown` is the name with odd characters replaced. */
  size_t algorithm_count;
  char algorithm[PLAN_ALGORITHMS_MAX][PLAN_ALGORITHM_NAME_MAX];
  char shown[PLAN_ALGORITHMS_MAX][PLAN_ALGORITHM_NAME_MAX];
};

/* Returns a plan that the caller frees with plan_free(), after all accumulators
 * made from the plan. NULL: memory ran out. `list` may be freed at once. */
struct plan *plan_new(const struct metric_list *list);
void plan_free(struct plan *plan);

/* Sets wanted[id] to true for each counter that the plan's values are made of;
 * leaves the others as they are. */
void plan_fields(const struct plan *plan, bool wanted[FIELD_COUNT]);

/* The getters of the metric `congestion`. Codes are the algorithms' numbers in
 * the plan. A socket has no code if the kernel did not send the name, or if the
 * plan has PLAN_ALGORITHMS_MAX others. */
metric_codes_fn plan_algorithm_codes;
metric_code_name_fn plan_algorithm_name;

#endif
