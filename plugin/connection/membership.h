/* Where a socket has its memberships, one in each group. They stand in words
 * that track keeps with the socket. */
#ifndef TCPINFO_CONNECTION_MEMBERSHIP_H
#define TCPINFO_CONNECTION_MEMBERSHIP_H

#include "connection/track.h"
#include "group/group.h"

/* The groups, borrowed: memberships are an array of as many words. */
struct memberships {
  struct group *const *group;
  size_t count;
  bool members; /* some group has any */
};

void membership_init(struct memberships *p, struct group *const *group,
                     size_t count);

/* Enters each group that the attrs matches, then leaves the memberships that
 * `place` held (zeroes: none). False: out of memory in some group. */
bool membership_enter(const struct memberships *p, uint32_t *place,
                      const struct socket_attrs *t);

/* Whether memory was out in some group. */
bool membership_failed(const struct memberships *p, const uint32_t *place);

/* Tries again where it was; `opened`: it counts as opened there. */
bool membership_retry(const struct memberships *p, uint32_t *place,
                      const struct socket_attrs *t, bool opened);

void membership_leave(const struct memberships *p, const uint32_t *place,
                      bool retained);
void membership_retain(const struct memberships *p, const uint32_t *place);

/* Whether it has a place at all. */
bool membership_any(const struct memberships *p, const uint32_t *place);

void membership_count(const struct memberships *p, const uint32_t *place,
                      enum accumulator_life life);

/* See group_add() and group_add_rest(). Whether it has a place at all. */
bool membership_add(const struct memberships *p, const uint32_t *place,
                    const struct observation *r);
void membership_add_rest(const struct memberships *p, const uint32_t *place,
                         const uint64_t *delta);

/* Fetches into the cache what membership_add() is going to touch: accumulators
 * are anywhere in memory. */
void membership_fetch(const struct memberships *p, const uint32_t *place);

/* What follows the counters that the groups are made from, with so many words
 * beside the memberships. NULL: out of memory. */
struct track *membership_track(const struct memberships *p, bool info,
                               size_t words);

#endif
