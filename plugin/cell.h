/* The accumulators behind one set of series (a group's total, a member,
 * `other`), and the values that are reported of them. */
#ifndef TCPINFO_CELL_H
#define TCPINFO_CELL_H

#include "decode.h"
#include "report.h"
#include "stat.h"

/* What one socket says in one dump. */
struct reading {
  const struct sample *sample;
  const uint64_t *delta; /* by field id: growth since it was last seen */
  bool changed;          /* some of it is not 0 */
  bool active;           /* an ACK came since the last read */
  uint64_t window_us;    /* since it was last seen; 0: not known */
};

struct cell;

/* NULL where memory ran out. The report outlives its cells. */
struct cell *cell_new(struct report *r);
void cell_free(struct cell *c);

/* A dump begins: forgets what belongs to one dump. What sockets added since the
 * last commit stays, so that a failed dump loses nothing. */
void cell_begin(struct cell *c);

/* Gives back the memory that this dump's values took, which are lost: the next
 * dump may be long in coming. */
void cell_shrink(struct cell *c);

void cell_add(struct cell *c, const struct reading *r);

/* Fetches into the cache what cell_add() of a connection touches, for one that
 * comes soon. `r`: the cell's, which itself is not there yet. */
void cell_fetch(const struct cell *c, const struct report *r);

/* A socket in a state without traffic: its state, and of a listener its accept
 * queue. */
void cell_add_other(struct cell *c, const struct sample *s);

/* What becomes of connections. */
enum cell_life { CELL_OPENED, CELL_CLOSED, CELL_FAILED, CELL_LIFE_COUNT };
void cell_count(struct cell *c, enum cell_life life);

/* What a connection did between the last dump that showed it and its end, by
 * field id: counters alone. */
void cell_add_rest(struct cell *c, const uint64_t *delta);

/* Adds what another cell of the same report has of this dump, and what its
 * counters grew by since its last commit; not what became of connections. */
void cell_sum(struct cell *c, const struct cell *part);

/* The values have been dispatched: percentages start anew. */
void cell_commit(struct cell *c);

/* Raises every counter to at least what `from` has; the difference does not
 * count as growth. */
void cell_raise(struct cell *c, const struct cell *from);

/* Goes on where `from` ended: adds its counters, which count as no growth. */
void cell_inherit(struct cell *c, const struct cell *from);

/* How many members stand out; -1: too few to say. */
void cell_set_outliers(struct cell *c, int count);

/* A socket, be it a listener, was added to it in this dump. */
bool cell_is_used(const struct cell *c);

uint64_t cell_connections(const struct cell *c);

/* One value to dispatch. Texts are borrowed. */
struct cell_value {
  const char *type;     /* of types.db */
  const char *instance; /* type instance */
  bool derive;          /* which of the two it is */
  double gauge;
  int64_t counter;
};

typedef void cell_value_cb(const struct cell_value *v, void *data);

enum cell_view { CELL_ALL, CELL_COUNTERS };

/* Calls `cb` for each value. What there is nothing of is left out: a statistic
 * of no socket, a percentage of nothing, a field that a tcp_info of `info_size`
 * bytes does not hold. */
void cell_emit(struct cell *c, size_t info_size, enum cell_view view,
               cell_value_cb *cb, void *data);

#endif
