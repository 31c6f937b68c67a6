/* The accumulators behind one set of series (a group's total, a member,
 * `other`), and the values that are reported of them. */
#ifndef TCPINFO_METRIC_ACCUMULATOR_H
#define TCPINFO_METRIC_ACCUMULATOR_H

#include "metric/plan.h"
#include "tcp/sample.h"
#include "util/distribution.h"

/* What one socket says in one dump. */
struct observation {
  const struct sample *sample;
  const uint64_t *delta; /* by field id: growth since it was last seen */
  bool changed;          /* some of it is not 0 */
  bool active;           /* an ACK came since the last read */
  uint64_t window_us;    /* since it was last seen; 0: not known */
};

struct accumulator;

/* NULL where memory ran out. The report outlives its accumulators. */
struct accumulator *accumulator_new(struct plan *r);
void accumulator_free(struct accumulator *c);

/* A dump begins: forgets what belongs to one dump. What sockets added since the
 * last commit stays, so that a failed dump loses nothing. */
void accumulator_begin(struct accumulator *c);

/* Gives back the memory that this dump's values took, which are lost: the next
 * dump may be long in coming. */
void accumulator_shrink(struct accumulator *c);

void accumulator_add(struct accumulator *c, const struct observation *r);

/* Fetches into the cache what accumulator_add() of a connection touches, for
 * one that comes soon. `r`: the accumulator's, which itself is not there yet.
 */
void accumulator_fetch(const struct accumulator *c, const struct plan *r);

/* A socket in a state without traffic: its state, and of a listener its accept
 * queue. */
void accumulator_add_other(struct accumulator *c, const struct sample *s);

/* What becomes of connections. */
enum accumulator_life {
  ACCUMULATOR_OPENED,
  ACCUMULATOR_CLOSED,
  ACCUMULATOR_FAILED,
  ACCUMULATOR_LIFE_COUNT
};
void accumulator_count(struct accumulator *c, enum accumulator_life life);

/* What a connection did between the last dump that showed it and its end, by
 * field id: counters alone. */
void accumulator_add_rest(struct accumulator *c, const uint64_t *delta);

/* Adds what another accumulator of the same report has of this dump, and what
 * its counters grew by since its last commit; not what became of connections.
 */
void accumulator_sum(struct accumulator *c, const struct accumulator *part);

/* The values have been dispatched: percentages start anew. */
void accumulator_commit(struct accumulator *c);

/* Raises every counter to at least what `from` has; the difference does not
 * count as growth. */
void accumulator_raise(struct accumulator *c, const struct accumulator *from);

/* Goes on where `from` ended: adds its counters, which count as no growth. */
void accumulator_inherit(struct accumulator *c, const struct accumulator *from);

/* How many members stand out; -1: too few to say. */
void accumulator_set_outliers(struct accumulator *c, int count);

/* A socket, be it a listener, was added to it in this dump. */
bool accumulator_is_used(const struct accumulator *c);

uint64_t accumulator_connections(const struct accumulator *c);

/* One value to dispatch. Texts are borrowed. */
struct accumulator_value {
  const char *type;     /* of types.db */
  const char *instance; /* type instance */
  bool derive;          /* which of the two it is */
  double gauge;
  int64_t counter;
};

typedef void accumulator_value_cb(const struct accumulator_value *v,
                                  void *data);

enum accumulator_view { ACCUMULATOR_ALL, ACCUMULATOR_COUNTERS };

/* Calls `cb` for each value. What there is nothing of is left out: a statistic
 * of no socket, a percentage of nothing, a field that a tcp_info of `info_size`
 * bytes does not hold. */
void accumulator_emit(struct accumulator *c, size_t info_size,
                      enum accumulator_view view, accumulator_value_cb *cb,
                      void *data);

#endif
