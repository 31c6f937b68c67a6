/* Compares the members of a group in one interval: ranks the worst few by each
 * measure, and counts those that are far from the others (outliers). All
 * members take part, with or without a series. This file knows members by their
 * numbers only.
 *
 * A member has a value by a measure if it sent enough to be measured:
 *   - Retransmissions: segments that were retransmitted in the interval, in
 *     percent of the data segments sent; of a member that sent at least
 *     OUTLIER_SEGMENTS. Fewer than OUTLIER_RETRANS of them rank as 0.
 *   - Round-trip time: over the member's active sockets the 95th percentile,
 *     for the ranks, and the median, for outliers; of a member that sent at
 *     least OUTLIER_RTT_SEGMENTS.
 *
 * A member is an outlier if its value by either measure is above the median of
 * all measured members by more than both
 *   1. OUTLIER_DEVIATIONS times their median absolute deviation, scaled by
 *      1.4826, so that it is the standard deviation of normal values (Rousseeuw
 *      and Croux, 1993);
 *   2. a fixed distance, because members that are nearly equal have next to no
 *      deviation: 1 percentage point and OUTLIER_RETRANS segments; half the
 *      median and 2 ms. */
#ifndef TCPINFO_GROUP_OUTLIER_H
#define TCPINFO_GROUP_OUTLIER_H

#include "metric/accumulator.h"

enum {
  OUTLIER_SEGMENTS = 50,
  OUTLIER_RTT_SEGMENTS = 10,
  OUTLIER_RETRANS = 3,
  OUTLIER_DEVIATIONS = 6,
  OUTLIER_MEMBERS = 5, /* fewer measured members are not compared */
};

enum outlier_measure { OUTLIER_BY_RETRANS, OUTLIER_BY_RTT, OUTLIER_MEASURES };

enum { OUTLIER_NAME_MAX = 128 }; /* with the final NUL */

/* A member among the worst by a measure. */
struct outlier {
  uint32_t member;
  double value;                /* percent; seconds */
  char name[OUTLIER_NAME_MAX]; /* empty, for the caller to fill in */
};

struct outliers;

/* `worst`: how many members are ranked by each measure. Returns what the caller
 * frees; NULL: out of memory. */
struct outliers *outliers_new(size_t worst);
void outliers_free(struct outliers *o); /* NULL is legal */

/* A dump begins: forgets the round-trip times of the last one. */
void outliers_begin(struct outliers *o);

/* Adds a socket of the member as this dump shows it: what it sent and
 * retransmitted since it was last seen, and its round-trip time. If memory runs
 * out here, no member is measured in this interval. */
void outliers_add(struct outliers *o, uint32_t member,
                  const struct observation *observation);

/* Adds what a socket of the member sent and retransmitted between the last dump
 * that showed it and its close: the growth by field id. */
void outliers_add_close(struct outliers *o, uint32_t member,
                        const uint64_t *delta);

/* The member's number becomes another member's, which must not get the values
 * of this one: what was added so far is dropped. */
void outliers_forget(struct outliers *o, uint32_t member);

/* The dump is complete: measures and compares. */
void outliers_settle(struct outliers *o);

/* Returns the worst members by that measure, the worst first, and sets `count`
 * to their number. Borrowed until the next settling. */
struct outlier *outliers_worst(struct outliers *o, enum outlier_measure measure,
                               size_t *count);

/* Returns how many members are outliers; -1: not known, because by neither
 * measure OUTLIER_MEMBERS members were measured, or memory ran out. */
int outliers_count(const struct outliers *o);

/* The values were dispatched: a new interval begins. */
void outliers_commit(struct outliers *o);

#endif
