/* Series: the values that are dispatched under the name of a member, and those
 * of `other`, where all members without a series are counted.
 *
 * A series belongs to one member, and a member has at most one. This file keeps
 * the life of series: their states, their names, and the counters of series
 * that are not dispatched any more. It must not know which member deserves a
 * series; member.c decides that.
 *
 * No counter of any name ever falls, and memory is bounded:
 *   - A member that gets a series again goes on with the counters of its old
 *     one, which is remembered as retired. The last 4 x MaxMembers retired
 *     series are remembered.
 *   - Counters of older ones are forgotten, but for the floor: for each counter
 *     the highest value that any forgotten series had. From then on the
 *     counters of a new series start at the floor instead of 0.
 *   - A series that is chosen by a settling first dispatches its counters only,
 *     as a starting point: what they grow by later is known. */
#ifndef TCPINFO_GROUP_SERIES_H
#define TCPINFO_GROUP_SERIES_H

#include "group/member_key.h"
#include "metric/accumulator.h"
#include "util/key_table.h"

/* The table of transitions stands in series.c. */
enum series_state {
  SERIES_NONE,      /* the member never had a series, or it has ended */
  SERIES_CHOSEN,    /* chosen by this read's settling: dispatches its counters,
                       and its member is still counted in `other` */
  SERIES_REPORTING, /* its member's sockets are added to it */
  SERIES_LEAVING,   /* dispatches the values of this read, its last ones */
  SERIES_RETIRED,   /* not dispatched; its name and counters are remembered */
  SERIES_STATE_COUNT,
};

struct series;
struct series_set; /* all series of one group, and `other` */

/* Tells that the member's series has ended: pointers to it are not valid any
 * more. May remove the member from the table. */
typedef void series_ended_cb(uint32_t member, void *data);

/* Pointers are borrowed and outlive the series. */
struct series_options {
  const struct group_settings *settings;
  struct plan *plan;
  struct name_lookup *names;
  const struct key_table *members; /* a member's key, by its number */
  series_ended_cb *ended;          /* not called by series_set_free() */
  void *data;
};

/* Returns a set without series, which the caller frees. NULL: out of memory. */
struct series_set *series_set_new(const struct series_options *options);
void series_set_free(struct series_set *set); /* NULL is legal */

/* --- Members -------------------------------------------------------------- */

/* Makes room for members with numbers below `end`; to be called before such a
 * member exists. False: out of memory. */
bool series_set_reserve(struct series_set *set, uint32_t end);

/* Gives memory back if far fewer members than were reserved are below `end`. */
void series_set_trim(struct series_set *set, uint32_t end);

/* Returns the accumulator that the member's sockets are added to: that of its
 * series if that is reporting, else that of `other`. Borrowed until the next
 * settling or commit. */
struct accumulator *series_set_accumulator(const struct series_set *set,
                                           uint32_t member);

/* Prefetches what accumulator_add() will touch for the member; does nothing for
 * a number that no member has. */
void series_set_prefetch(const struct series_set *set, uint32_t member);

struct accumulator *series_set_other(const struct series_set *set);

/* --- One series ----------------------------------------------------------- */

/* True if fewer than MaxMembers series are chosen, reporting or leaving. */
bool series_set_has_room(const struct series_set *set);

/* True once counters were forgotten, so that a new series starts at a floor. */
bool series_set_has_floor(const struct series_set *set);

/* Makes a series for a member that has none. `state`: CHOSEN or REPORTING.
 * Returns it, borrowed until series_ended_cb; NULL: out of memory. */
struct series *series_new(struct series_set *set, uint32_t member,
                          enum series_state state);

/* Takes a retired series up again. `state` as for series_new(). */
void series_resume(struct series_set *set, struct series *s,
                   enum series_state state);

/* Makes a reporting series leave. */
void series_leave(struct series_set *set, struct series *s);

/* Counts the reads in which the member of a reporting series had no socket, and
 * makes the series leave after MemberTimeout of them. `joined`: a socket of the
 * member came since the last settling, even if it is gone again. */
void series_age(struct series_set *set, struct series *s, bool joined);

/* SERIES_NONE for NULL. */
enum series_state series_state_of(const struct series *s);

uint32_t series_member(const struct series *s);

/* Returns the series behind `s` of those that are chosen, reporting or leaving,
 * in the order in which they came; the first one for NULL. NULL: no more. */
struct series *series_set_next(const struct series_set *set,
                               const struct series *s);

/* --- A read --------------------------------------------------------------- */

/* A dump begins: see accumulator_begin(). */
void series_set_begin(struct series_set *set);

/* Adds the accumulators of all series and of `other` to `total`: see
 * accumulator_sum(). */
void series_set_sum(const struct series_set *set, struct accumulator *total);

/* Gives a name to each series that has none yet; it keeps the name for life.
 * May open files: not to be called within a dump. */
void series_set_name(struct series_set *set);

/* Calls `cb` for each series that is chosen, reporting or leaving, then for
 * `other`. `counters_only`: the series has just been chosen. Name and
 * accumulator are borrowed for the call. */
typedef void series_cb(const char *name, struct accumulator *accumulator,
                       bool counters_only, void *data);
void series_set_each(const struct series_set *set, series_cb *cb, void *data);

/* The values were dispatched: chosen series report, leaving ones retire, and
 * the oldest retired ones are forgotten. */
void series_set_commit(struct series_set *set);

#endif
