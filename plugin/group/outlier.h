/* Which members of a group stand out in this interval: the worst few by each
 * measure, and how many are far from the others. All members are judged, with
 * or without a series of their own.
 *
 *  - Retransmissions: those of the interval in percent of the data segments
 *    sent; of members that sent at least OUTLIER_SEGMENTS.
 *    Fewer than OUTLIER_RETRANS of them do not make a member one of the worst.
 *  - Round-trip time: the 95th percentile over the member's active sockets (the
 *    median, for outliers); of members that sent at least
 *    OUTLIER_RTT_SEGMENTS.
 *
 * A member is an outlier where it is above the median of all members that were
 * judged by more than OUTLIER_DEVIATIONS times their median absolute deviation
 * (scaled by 1.4826, so that it is the standard deviation of normal values:
 * Rousseeuw and Croux, 1993), and by more than a floor, because members that
 * are nearly equal have next to no deviation: 1 percentage point and
 * OUTLIER_RETRANS segments; half the median and 2 ms. */
#ifndef TCPINFO_GROUP_OUTLIER_H
#define TCPINFO_GROUP_OUTLIER_H

#include "metric/accumulator.h"

enum {
  OUTLIER_SEGMENTS = 50,
  OUTLIER_RTT_SEGMENTS = 10,
  OUTLIER_RETRANS = 3,
  OUTLIER_DEVIATIONS = 6,
  OUTLIER_MEMBERS = 5, /* fewer are not compared */
};

enum outlier_measure { OUTLIER_BY_RETRANS, OUTLIER_BY_RTT, OUTLIER_MEASURES };

enum { OUTLIER_NAME_MAX = 128 }; /* with the final NUL */

struct outlier {
  uint32_t member;
  double value;                /* percent; seconds */
  char name[OUTLIER_NAME_MAX]; /* empty, until somebody writes it */
};

struct outliers;

/* `worst`: how many are ranked by each measure. NULL: out of memory. */
struct outliers *outliers_new(size_t worst);
void outliers_free(struct outliers *o);

/* A dump begins: forgets the round-trip times of the last one. */
void outliers_begin(struct outliers *o);

/* A socket of the member, as this dump shows it; and what one did until it was
 * destroyed, see accumulator_add_growth(). Without memory no member is judged.
 */
void outliers_add(struct outliers *o, uint32_t member,
                  const struct observation *r);
void outliers_add_rest(struct outliers *o, uint32_t member,
                       const uint64_t *delta);

/* The member's number is given to another one: what it sent so far is left
 * out. */
void outliers_forget(struct outliers *o, uint32_t member);

/* The dump is complete: judges. */
void outliers_settle(struct outliers *o);

/* The worst members by that measure, the worst first; their number is in
 * `count`. Good until the next settling. */
struct outlier *outliers_worst(struct outliers *o, enum outlier_measure measure,
                               size_t *count);

/* How many members are outliers by either measure; -1: too few to compare. */
int outliers_count(const struct outliers *o);

/* The values have been dispatched: a new interval begins. */
void outliers_commit(struct outliers *o);

#endif
