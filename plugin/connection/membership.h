/* A socket's memberships: one word for each group, which says whether the
 * socket belongs to the group and to which of its members. The words stand in
 * the owner's part of the socket's record (track.h). */
#ifndef TCPINFO_CONNECTION_MEMBERSHIP_H
#define TCPINFO_CONNECTION_MEMBERSHIP_H

#include "connection/track.h"
#include "group/group.h"

/* The groups, borrowed. The array `membership` of the functions below has
 * `count` words, in the order of the groups. */
struct memberships {
  struct group *const *group;
  size_t count;
  bool members; /* some group has members */
};

void membership_init(struct memberships *m, struct group *const *group,
                     size_t count);

/* Enters each group that matches the attributes, then leaves the groups that
 * `membership` held before (zeroes: none). Cannot fail, see group_enter(). */
void membership_enter(const struct memberships *m, uint32_t *membership,
                      const struct socket_attrs *a);

/* Leaves each group that no longer selects the attributes and enters each one
 * that now does; in the others the membership stays. Cannot fail. */
void membership_select(const struct memberships *m, uint32_t *membership,
                       const struct socket_attrs *a);

/* The socket is gone from the dumps but is remembered: it no longer counts as a
 * socket of its members. */
void membership_retain(const struct memberships *m, const uint32_t *membership);

/* Leaves all groups. `retained`: after membership_retain(). The caller clears
 * the words. */
void membership_leave(const struct memberships *m, const uint32_t *membership,
                      bool retained);

/* Returns whether the socket belongs to any group. */
bool membership_any(const struct memberships *m, const uint32_t *membership);

/* Counts the connection as opened, closed or failed. */
void membership_count(const struct memberships *m, const uint32_t *membership,
                      enum accumulator_life life);

/* Adds one observation, or the growth up to the close, to each group: see
 * group_add() and group_add_rest(). membership_add() returns whether the socket
 * belongs to any group. */
bool membership_add(const struct memberships *m, const uint32_t *membership,
                    const struct observation *o);
void membership_add_rest(const struct memberships *m,
                         const uint32_t *membership, const uint64_t *delta);

/* Prefetches into the cache the accumulators that membership_add() will touch:
 * those of many members are anywhere in memory. */
void membership_fetch(const struct memberships *m, const uint32_t *membership);

/* Makes the track of the counters that the groups need. `info`: dumps bring
 * struct tcp_info. `owner_size`: see track_new(). Returns NULL if memory runs
 * out. */
struct track *membership_track(const struct memberships *m, bool info,
                               size_t owner_size);

#endif
