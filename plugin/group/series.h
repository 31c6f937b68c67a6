/* Series: the values that are dispatched under the name of a member, and those
 * of `other`, where all members without a series are counted.
 *
 * A series belongs to one member at a time, and a member has at most one. This
 * file keeps the life of series: their states, names and counters. It must not
 * know which member deserves a series; member.c decides that.
 *
 * A name means one thing, and its counters hold only what that thing did:
 *   - A name belongs for good to the member that had it first, by the member's
 *     identity (member_key.h). The counters of the name go on where they ended
 *     when the member gets a series again. The registry (name_registry.h)
 * remembers them.
 *   - If another member has the same name, its name ends in a hash. If that
 * name is taken as well, if the registry is full, or if the member's name
 * stands for something that is gone, the member has no series: it is counted in
 *     `other`.
 *   - If a member with the identity of a series' member wants a series, it
 * takes that one over: the restarted service is in a new cgroup.
 *   - If the name of a series' member changes (a device was renamed), the
 * series leaves.
 *   - A series that is chosen by a settling first dispatches its counters only,
 *     as a starting point: what they grow by later is known. */
#ifndef TCPINFO_GROUP_SERIES_H
#define TCPINFO_GROUP_SERIES_H

#include "group/member_key.h"
#include "metric/accumulator.h"
#include "util/key_table.h"

/* The table of transitions stands in series.c. */
enum series_state {
  SERIES_NONE,      /* the member has no series */
  SERIES_CHOSEN,    /* chosen by this read's settling: dispatches its counters,
                       and its member is still counted in `other` */
  SERIES_REPORTING, /* its member's sockets are added to it */
  SERIES_LEAVING,   /* dispatches the values of this read, its last ones */
  SERIES_STATE_COUNT,
};

struct series;
struct series_set; /* all series of one group, and `other` */

/* Tells that the member has no series any more: pointers to it are not valid.
 * May remove the member from the table. */
typedef void series_ended_cb(uint32_t member, void *data);

/* Tells that the member has taken over the series. */
typedef void series_taken_cb(uint32_t member, struct series *s, void *data);

/* Pointers are borrowed and outlive the series. */
struct series_options {
  const struct group_settings *settings;
  struct plan *plan;
  struct name_lookup *names;
  const struct key_table *members; /* a member's key, by its number */
  series_ended_cb *ended;          /* not called by series_set_free() */
  series_taken_cb *taken;
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

/* True if many of the names that there may be are used up. */
bool series_set_is_scarce(const struct series_set *set);

/* True if no new name can come into being. */
bool series_set_is_full(const struct series_set *set);

/* Within a dump: makes a series for a member that has none, which reports at
 * once and gets its name by series_set_name(). Returns it, borrowed until
 * series_ended_cb; NULL: out of memory. */
struct series *series_begin(struct series_set *set, uint32_t member);

/* In a settling, what a member without a series can get. */
enum series_offer {
  SERIES_OFFER_NOTHING,   /* no name, see above */
  SERIES_OFFER_TAKE_OVER, /* the series of a member with the same identity */
  SERIES_OFFER_NEW,       /* a chosen series, if there is room */
};
enum series_offer series_offer(struct series_set *set, uint32_t member);

/* Takes what series_offer(), the last call, offered. The result as of
 * series_begin(). */
struct series *series_accept(struct series_set *set);

/* Makes a reporting series leave. */
void series_leave(struct series_set *set, struct series *s);

/* Counts the reads in which the member of a reporting series had no socket, and
 * makes the series leave after MemberTimeout of them. `joined`: a socket of the
 * member came since the last settling, even if it is gone again. */
void series_age(struct series_set *set, struct series *s, bool joined);

/* SERIES_NONE for NULL. */
enum series_state series_state_of(const struct series *s);

uint32_t series_member(const struct series *s);

/* Writes the name of the member's series; without a series, or before it has a
 * name, that which the member would like to have. */
void series_set_name_of(const struct series_set *set, uint32_t member,
                        const struct series *s, char name[MEMBER_KEY_NAME_MAX]);

/* Returns the series behind `s`, in the order in which they came; the first one
 * for NULL. NULL: no more. */
struct series *series_set_next(const struct series_set *set,
                               const struct series *s);

/* --- A read --------------------------------------------------------------- */

/* A dump begins: see accumulator_begin(). */
void series_set_begin(struct series_set *set);

/* Adds the accumulators of all series and of `other` to `total`: see
 * accumulator_sum(). */
void series_set_sum(const struct series_set *set, struct accumulator *total);

/* Begins a settling. Makes series leave whose member has another name now, and
 * gives a name to each series that has none yet, which keeps it for life; a
 * series that gets none ends, and `other` has its values. May open files, as
 * series_offer() may: not to be called within a dump. */
void series_set_name(struct series_set *set);

/* Calls `cb` for each series, then for `other`. `counters_only`: the series has
 * just been chosen. Name and accumulator are borrowed for the call. */
typedef void series_cb(const char *name, struct accumulator *accumulator,
                       bool counters_only, void *data);
void series_set_each(const struct series_set *set, series_cb *cb, void *data);

/* The values were dispatched: chosen series report, leaving ones end. */
void series_set_commit(struct series_set *set);

#endif
