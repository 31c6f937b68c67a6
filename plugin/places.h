/* Where a socket has its places, one in each group. They stand in words that
 * track keeps with the socket. */
#ifndef TCPINFO_PLACES_H
#define TCPINFO_PLACES_H

#include "group.h"
#include "track.h"

/* The groups, borrowed: places are an array of as many words. */
struct places {
  struct group *const *group;
  size_t count;
  bool members; /* some group has any */
};

void places_init(struct places *p, struct group *const *group, size_t count);

/* Enters each group that the subject matches, then leaves the places that
 * `place` held (zeroes: none). False: out of memory in some group. */
bool places_enter(const struct places *p, uint32_t *place,
                  const struct subject *t);

/* Whether memory was out in some group. */
bool places_failed(const struct places *p, const uint32_t *place);

/* Tries again where it was; `opened`: it counts as opened there. */
bool places_retry(const struct places *p, uint32_t *place,
                  const struct subject *t, bool opened);

void places_leave(const struct places *p, const uint32_t *place, bool retained);
void places_retain(const struct places *p, const uint32_t *place);

/* Whether it has a place at all. */
bool places_any(const struct places *p, const uint32_t *place);

void places_count(const struct places *p, const uint32_t *place,
                  enum cell_life life);

/* See group_add() and group_add_rest(). Whether it has a place at all. */
bool places_add(const struct places *p, const uint32_t *place,
                const struct reading *r);
void places_add_rest(const struct places *p, const uint32_t *place,
                     const uint64_t *delta);

/* Fetches into the cache what places_add() is going to touch: cells are
 * anywhere in memory. */
void places_fetch(const struct places *p, const uint32_t *place);

/* What follows the counters that the groups are made from, with so many words
 * beside the places. NULL: out of memory. */
struct track *places_track(const struct places *p, bool info, size_t words);

#endif
