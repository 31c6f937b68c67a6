/* One group: which sockets belong to it, and their values, as a total and, by
 * its dimensions, per member. Members and `other` add up to the total. */
#ifndef TCPINFO_GROUP_GROUP_H
#define TCPINFO_GROUP_GROUP_H

#include "group/member.h"
#include "group/worst_alarm.h"

struct group;

/* Where a socket has its place in a group; kept with the socket. */
enum {
  MEMBERSHIP_NONE = 0, /* does not match; and what a new socket has */
  MEMBERSHIP_FAILED = UINT32_MAX,
};

/* NULL where memory ran out. The arguments outlive the group. */
struct group *group_new(const struct group_settings *settings,
                        struct name_lookup *names);
void group_free(struct group *g);

const char *group_name(const struct group *g);

bool group_has_members(const struct group *g);

/* Sets to true what the group's values are made from, by field id. */
void group_fields(const struct group *g, bool wanted[FIELD_COUNT]);

/* What the kernel has to be asked for: a set of enum metric_ask. */
unsigned group_asks(const struct group *g);

/* What memberships depend on beside a socket's ends, by selection or
 * membership: a set of enum socket_attr. */
unsigned group_traits(const struct group *g);

/* A dump begins: see accumulator_begin(). */
void group_begin(struct group *g);

/* A connection enters, if it matches: its place, to be given back by
 * group_leave(). MEMBERSHIP_FAILED: out of memory. Where t->unknown leaves
 * open which member it is of, that is `other`. */
uint32_t group_enter(struct group *g, const struct socket_attrs *t);
void group_leave(struct group *g, uint32_t place, bool retained);

/* See members_retain(). */
void group_retain(struct group *g, uint32_t place);

/* A connection that has a place here opened, closed or failed. */
void group_count(struct group *g, uint32_t place, enum accumulator_life life);

/* A connection that has a place here, as this dump shows it. */
void group_add(struct group *g, uint32_t place, const struct observation *r);

/* See membership_fetch(); of a group with members. */
void group_fetch(const struct group *g, uint32_t place);

/* What it did until it was destroyed: see accumulator_add_growth(). */
void group_add_rest(struct group *g, uint32_t place, const uint64_t *delta);

/* A socket in a state without traffic, a listener among them: see
 * accumulator_add_without_traffic(). */
void group_add_other(struct group *g, const struct sample *s,
                     const struct socket_attrs *t);

/* The dump is complete: between the two the values may be dispatched. */
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

/* Whether a notification about the worst member is due, see alarm.h. */
struct group_alarm {
  enum worst_alarm_severity severity;
  const char *member; /* borrowed */
  double value, limit;
};
bool group_alarm(struct group *g, enum outlier_measure measure, uint64_t now_ms,
                 struct group_alarm *out);

size_t group_members(const struct group *g);          /* with a socket */
size_t group_members_in_other(const struct group *g); /* of these, in `other` */

#endif
