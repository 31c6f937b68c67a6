/* Accumulators: the numbers behind one set of series (of a group's total, of a
 * member, of `other`), and the values that are dispatched of them.
 *
 * Numbers live for different times:
 *   - counters and counts of connections only grow, from accumulator_new() on;
 *   - percentages and shares are of the growth since accumulator_commit();
 *   - all else is of one dump, from accumulator_begin() on.
 *
 * This file must not know which metrics exist; it follows the plan. */
#ifndef TCPINFO_METRIC_ACCUMULATOR_H
#define TCPINFO_METRIC_ACCUMULATOR_H

#include "metric/plan.h"
#include "tcp/sample.h"

/* One connection as one dump shows it. All pointers are borrowed for the call
 * that gets the observation. */
struct observation {
  const struct sample *sample;
  const uint64_t *delta; /* by field id: the counters' growth since the
                            connection was last seen */
  bool changed;          /* some counter grew; if false, `delta` is all 0 */
  bool active;           /* an ACK arrived since the last read */
  uint64_t window_us;    /* microseconds since the connection was last seen; 0:
                            not known */
};

struct accumulator;

/* Returns an accumulator with all numbers 0, which the caller frees. NULL:
 * memory ran out. The plan is borrowed and must outlive the accumulator. */
struct accumulator *accumulator_new(struct plan *plan);
void accumulator_free(struct accumulator *a);

/* --- One dump ------------------------------------------------------------- */

/* A dump begins: clears what belongs to one dump. Growth since the last commit
 * stays, so that a failed dump loses none. */
void accumulator_begin(struct accumulator *a);

/* Adds a connection in a state with traffic, once a dump. */
void accumulator_add(struct accumulator *a, const struct observation *o);

/* Adds a socket in a state without traffic: its state, and, if it listens, the
 * values of its accept queue. */
void accumulator_add_without_traffic(struct accumulator *a,
                                     const struct sample *s);

/* Adds growth of counters by field id: what a connection did between the last
 * dump that showed it and its close. */
void accumulator_add_growth(struct accumulator *a, const uint64_t *delta);

/* Asks the processor for the memory that accumulator_add() is about to touch.
 * `plan` is the accumulator's, whose own copy of the pointer is not in the
 * cache yet. */
void accumulator_prefetch(const struct accumulator *a, const struct plan *plan);

/* Number of members far worse than the median, in this dump. -1: not known. */
void accumulator_set_outliers(struct accumulator *a, int count);

/* --- Counts of connections ------------------------------------------------ */

enum accumulator_life {
  ACCUMULATOR_OPENED,
  ACCUMULATOR_CLOSED,
  ACCUMULATOR_FAILED, /* closed before the connection was established */
  ACCUMULATOR_LIFE_COUNT
};

/* Counts one connection that was opened, closed or failed. */
void accumulator_count(struct accumulator *a, enum accumulator_life life);

/* --- Several accumulators ------------------------------------------------- */

/* Adds to `a` what `part`, of the same plan, has of this dump, and its growth
 * since its last commit. Counts of connections are not added. */
void accumulator_sum(struct accumulator *a, const struct accumulator *part);

/* The values were dispatched: percentages and shares start anew. */
void accumulator_commit(struct accumulator *a);

/* Adds to `a` all that `part`, of the same plan, has: this dump's values, its
 * growth since its last commit, and its counts of connections. `part` must not
 * have resumed saved numbers. */
void accumulator_absorb(struct accumulator *a, const struct accumulator *part);

/* The counters and counts of connections as numbers: how many a plan has, and
 * copies of them. A later accumulator of the same plan goes on with saved
 * numbers: they are added to its own and are no growth. */
size_t accumulator_saved_count(const struct plan *plan);
void accumulator_save(const struct accumulator *a, uint64_t *saved);
void accumulator_resume(struct accumulator *a, const uint64_t *saved);

/* --- Reading -------------------------------------------------------------- */

/* True if a socket, listening ones included, was added in this dump. */
bool accumulator_is_used(const struct accumulator *a);

/* Connections added in this dump. */
uint64_t accumulator_connections(const struct accumulator *a);

/* Getters of the metric table; their types and contracts are in metric.h. */
metric_gauge_fn accumulator_get_connections, accumulator_get_active,
    accumulator_get_outliers;
metric_life_fn accumulator_get_opened, accumulator_get_closed,
    accumulator_get_failed;
metric_shares_fn accumulator_get_limits; /* as accumulator_limit_name */
extern const char *const accumulator_limit_name[METRIC_SHARES];

/* One value to dispatch. Texts are borrowed for the call of the callback. */
struct accumulator_value {
  const char *type;     /* a type of types.db */
  const char *instance; /* type instance */
  bool derive;          /* if true `counter` holds the value, else `gauge` */
  double gauge;
  int64_t counter;
};

typedef void accumulator_value_cb(const struct accumulator_value *v,
                                  void *data);

/* Values to emit: all, or those that only grow (counters, counts of
 * connections). */
enum accumulator_view { ACCUMULATOR_ALL, ACCUMULATOR_COUNTERS };

/* Calls `cb` for each value, in the order of the group's list of metrics.
 * Values that do not exist are left out: a statistic of no socket, a percentage
 * of no growth, a metric whose field a tcp_info of `info_size` bytes does not
 * hold. May change the order of the values that distributions store. */
void accumulator_emit(struct accumulator *a, size_t info_size,
                      enum accumulator_view view, accumulator_value_cb *cb,
                      void *data);

#endif
