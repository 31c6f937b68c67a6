/* Members: the distinct values of a group's dimensions (`By`). This file keeps
 * which members exist, how many sockets each has and how active it is, decides
 * which of them get a series, and names the worst ones. It must not know the
 * states of a series or how its counters live on (series.h), nor what a
 * dimension is (member_key.h).
 *
 * A member's activity: a decaying average, over the reads, of the bytes that
 * its sockets sent and received, and of the number of its sockets. The ladder
 * that leads from activity to series stands in member.c.
 *
 * Within a read every socket of a member is added to the same accumulator. */
#ifndef TCPINFO_GROUP_MEMBER_H
#define TCPINFO_GROUP_MEMBER_H

#include "group/outlier.h"
#include "group/series.h"

_Static_assert((int)OUTLIER_NAME_MAX >= (int)MEMBER_KEY_NAME_MAX,
               "a member's name fits");

struct members;

/* Returns the members of a group, none yet, which the caller frees. NULL: out
 * of memory. The arguments are borrowed and outlive the members. */
struct members *members_new(const struct group_settings *settings,
                            struct plan *plan, struct name_lookup *names);
void members_free(struct members *m); /* NULL is legal */

/* --- Sockets -------------------------------------------------------------- */

/* A socket with these attributes joins its member, which begins to exist if
 * need be. Returns the member's number, which stays the same until the socket
 * leaves; UINT32_MAX: out of memory. */
uint32_t members_join(struct members *m, const struct socket_attrs *attrs);

/* A socket of the member is no longer in dumps, but may still have growth to
 * add: it keeps the member's number and no longer counts as a socket. */
void members_retain(struct members *m, uint32_t member);

/* A socket leaves its member. `retained`: members_retain() was called. */
void members_leave(struct members *m, uint32_t member, bool retained);

/* Returns the accumulator of the member's series, or, while it has none that is
 * reporting, that of `other`. Borrowed until the next call that joins, settles
 * or commits. */
struct accumulator *members_accumulator(struct members *m, uint32_t member);

/* The same for the attributes of a socket that joins no member: one in a state
 * without traffic. If there is no such member, the one of `other`. */
struct accumulator *members_accumulator_of(struct members *m,
                                           const struct socket_attrs *attrs);

/* The accumulator of `other`. */
struct accumulator *members_other(struct members *m);

/* Prefetches what accumulator_add() will touch for the member; does nothing for
 * a number that no member has. */
void members_fetch(const struct members *m, uint32_t member);

/* A socket of the member sent and received so many bytes since it was last
 * seen. Counts for the activity only. */
void members_add_bytes(struct members *m, uint32_t member, uint64_t bytes);

/* For the comparison of members (outlier.h): one of the member's sockets as
 * this dump shows it; and the growth, by field id, from the last dump that
 * showed a socket to its close. */
void members_observe(struct members *m, uint32_t member,
                     const struct observation *o);
void members_observe_close(struct members *m, uint32_t member,
                           const uint64_t *delta);

/* --- A read --------------------------------------------------------------- */

/* A dump begins: see accumulator_begin(). */
void members_begin(struct members *m);

/* Adds the accumulators of all series and of `other` to that of the group: see
 * accumulator_sum(). To be called once for each complete dump, before
 * members_settle(). */
void members_sum(const struct members *m, struct accumulator *total);

/* The dump is complete: decides who has a series, compares the members and
 * makes names. May open files. The values are dispatched between this and
 * members_commit(). */
void members_settle(struct members *m);
void members_commit(struct members *m);

/* Calls `cb` for each series and for `other`: see series_set_each(). */
void members_each(struct members *m, series_cb *cb, void *data);

/* After members_settle(): copies the member at `rank`, 0 being the worst, to
 * `out`. Its name is empty if its value is 0. False if fewer members can be
 * compared by that measure, or if the group asks for fewer (Worst). */
bool members_worst(const struct members *m, enum outlier_measure measure,
                   size_t rank, struct outlier *out);

/* After members_settle(): the number of outliers; -1: not known, see
 * outliers_count(). */
int members_outliers(const struct members *m);

/* After members_settle(): the number of members that had a socket in this read,
 * and how many of these have no series. */
size_t members_count(const struct members *m);
size_t members_in_other(const struct members *m);

/* True if so many names have been used that no new one can come into being: see
 * name_registry.h. */
bool members_are_full(const struct members *m);

#endif
