/* The distinct values of a group's dimensions, and which of them keep series of
 * their own: the busiest ones do, the rest is folded into `other`.
 *
 *  - A member gets a series with its first socket, where one is free.
 *  - After each read, members without series get those that are free, the
 *    busiest first; without a free one, that of the least busy member, if they
 *    are more than twice as busy (members of like size do not flap); at most a
 *    quarter of the series change hands in one read.
 *  - A member without a socket for `member_timeout` reads gives its series up.
 *  - A socket that came and went between two reads counts as one in all this;
 *    but once series were forgotten (see below), a member that has no other one
 *    is chosen only if it had such sockets in the read before, too, because
 *    there are many visitors.
 *
 * Busy is a decaying average of the bytes that its sockets sent and received.
 *
 * Within a read every socket of a member goes to the same place. A series that
 * is given out after a read reports its counters in it, as a starting point.
 *
 * Counters of a member that lost its series are remembered (for the last
 * 4 x max_members of them) and go on from there. Once some were forgotten, a
 * member that is not remembered starts at the highest of those, instead of 0,
 * and only after its first read, so that its starting point is reported. So no
 * counter of any name ever falls, and what it grows by is known, in bounded
 * memory. */
#ifndef TCPINFO_GROUP_MEMBER_H
#define TCPINFO_GROUP_MEMBER_H

#include "group/member_key.h"
#include "group/outlier.h"
#include "metric/accumulator.h"

_Static_assert((int)OUTLIER_NAME_MAX >= (int)MEMBER_KEY_NAME_MAX,
               "a name fits");

struct members;

/* NULL where memory ran out. The arguments outlive the members. */
struct members *members_new(const struct group_settings *settings,
                            struct plan *plan, struct name_lookup *names);
void members_free(struct members *m);

/* A dump begins: see accumulator_begin(). */
void members_begin(struct members *m);

/* A socket with these ends joins. Returns its member, by which it is named
 * until it leaves; UINT32_MAX where memory ran out. */
uint32_t members_join(struct members *m, const struct socket_attrs *t);

/* Its socket is gone, but does not leave yet: it counts no more as one. */
void members_retain(struct members *m, uint32_t member);

/* `retained`: after that. */
void members_leave(struct members *m, uint32_t member, bool retained);

/* The member's accumulator, or that of `other`. */
struct accumulator *members_cell(struct members *m, uint32_t member);

/* See membership_fetch(); nothing where there is no such member. */
void members_fetch(const struct members *m, uint32_t member);

struct accumulator *members_other(struct members *m);

/* The same for ends that no socket joined with: mini sockets and listeners. */
struct accumulator *members_cell_of(struct members *m,
                                    const struct socket_attrs *t);

/* What a socket of the member did, for who stands out: see outlier.h. */
void members_judge(struct members *m, uint32_t member,
                   const struct observation *r);
void members_judge_rest(struct members *m, uint32_t member,
                        const uint64_t *delta);

/* The member's sockets sent and received so much since they were last seen. */
void members_add_bytes(struct members *m, uint32_t member, uint64_t bytes);

/* Adds the accumulators of all members, `other` being one, to that of the
 * group: see accumulator_sum(). Once for each complete dump, before the
 * settling. */
void members_sum(const struct members *m, struct accumulator *total);

/* The dump is complete: settles who has a series. Called before the values are
 * dispatched; members_commit() after. */
void members_settle(struct members *m);
void members_commit(struct members *m);

/* Calls `cb` for each series, `other` being one of them. `chosen`: it was given
 * out after this read, and has nothing to report but its counters. */
typedef void members_cb(const char *name, struct accumulator *accumulator,
                        bool chosen, void *data);
void members_each(struct members *m, members_cb *cb, void *data);

/* After the settling: the worst member but `rank`; false where so many were not
 * judged. The name is empty where the value is 0. */
bool members_worst(const struct members *m, enum outlier_measure measure,
                   size_t rank, struct outlier *out);

/* See outliers_count(). */
int members_outliers(const struct members *m);

size_t members_count(const struct members *m);    /* with a socket */
size_t members_in_other(const struct members *m); /* of these, in `other` */

#endif
