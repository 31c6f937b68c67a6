/* One group: decides which connections belong to it, and keeps their values: a
 * total and, if the group has dimensions (`By`), one set per member. The
 * members and `other` add up to the total.
 *
 * Knows neither the kernel's messages nor a connection's life: the floors above
 * say what a socket did, and keep the membership that a group gave out. */
#ifndef TCPINFO_GROUP_GROUP_H
#define TCPINFO_GROUP_GROUP_H

#include "group/member.h"
#include "group/worst_alarm.h"

struct group;

/* A connection's membership in one group, kept with the connection. Any other
 * value is the group's own. */
enum {
  MEMBERSHIP_NONE = 0, /* does not match; also what a new connection has */
};

/* NULL: out of memory. The arguments are borrowed and outlive the group. */
struct group *group_new(const struct group_settings *settings,
                        struct name_lookup *names);
void group_free(struct group *g); /* NULL is legal */

const char *group_name(const struct group *g); /* borrowed from the settings */

bool group_has_members(const struct group *g);

/* Sets wanted[id] to true for each field of struct tcp_info that the group's
 * values are made from; leaves the others as they are. */
void group_fields(const struct group *g, bool wanted[FIELD_COUNT]);

/* Returns the set of enum metric_ask that the group needs from the kernel. */
unsigned group_asks(const struct group *g);

/* The attributes that memberships depend on, by selection or by dimension: a
 * set. */
uint32_t group_attrs(const struct group *g);

/* A dump begins: see accumulator_begin(). */
void group_begin(struct group *g);

/* Returns whether the group's selection matches. */
bool group_selects(const struct group *g, const struct socket_attrs *s);

/* A connection enters the group if it matches. Returns its membership, which
 * the caller gives back with group_leave(). The connection belongs to the
 * member `other` if an attribute that a dimension depends on is in s->unknown,
 * or if there is no memory for its member: nothing is lost, as the members and
 * `other` are the total. It stays in `other` until it enters again. */
uint32_t group_enter(struct group *g, const struct socket_attrs *s);

/* Ends a membership. `retained`: group_retain() was called for it. */
void group_leave(struct group *g, uint32_t membership, bool retained);

/* See members_retain(). */
void group_retain(struct group *g, uint32_t membership);

/* A connection with this membership opened, closed or failed. */
void group_count(struct group *g, uint32_t membership,
                 enum accumulator_life life);

/* Adds a connection with this membership as this dump shows it. */
void group_add(struct group *g, uint32_t membership,
               const struct observation *r);

/* Prefetches what group_add() will touch: see members_fetch(). Only for a group
 * with members; any membership is legal. */
void group_fetch(const struct group *g, uint32_t membership);

/* Adds what a connection did from the last dump that showed it to its end, by
 * field id: see accumulator_add_growth(). */
void group_add_rest(struct group *g, uint32_t membership,
                    const uint64_t *delta);

/* Adds a socket in a state without traffic (a listening one, TIME_WAIT ...) if
 * it matches and the group's metrics want it: see
 * accumulator_add_without_traffic(). Such a socket has no membership. A filter
 * sees the socket as `ss` does: a mini socket is in no cgroup. A member needs
 * more: if one of the attributes `unknown`, a set, is a dimension, the socket
 * is counted in `other`. */
void group_add_other(struct group *g, const struct sample *sample,
                     const struct socket_attrs *s, uint32_t unknown);

/* The dump is complete. The values are dispatched between the two calls. */
void group_settle(struct group *g);
void group_commit(struct group *g);

/* Calls `cb` for the total (member NULL), then for each member's series; see
 * members_each(). */
typedef void group_series_cb(const char *member,
                             struct accumulator *accumulator, bool chosen,
                             void *data);
void group_each(struct group *g, group_series_cb *cb, void *data);

/* See members_worst(). */
bool group_worst(const struct group *g, enum outlier_measure measure,
                 size_t rank, struct outlier *out);

/* True if a notification about the worst member is due, see worst_alarm.h:
 * `out` then holds what to say. `now_ms`: milliseconds of a clock that never
 * goes back. */
struct group_alarm {
  enum worst_alarm_severity severity;
  const char *member; /* borrowed until the next call */
  double value, limit;
};
bool group_alarm(struct group *g, enum outlier_measure measure, uint64_t now_ms,
                 struct group_alarm *out);

size_t group_members(const struct group *g); /* that have a connection */
size_t group_members_in_other(const struct group *g); /* of these, no series */
bool group_members_are_full(const struct group *g); /* see members_are_full() */

#endif
