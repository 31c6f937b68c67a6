/* See group.h. */
#include "group/group.h"

#include "util/key_table.h"

#include <stdlib.h>

struct group {
  const struct group_settings *settings;
  struct plan *plan;
  /* In a group with members only opened, closed and failed are counted here
   * directly; all else is the sum of the members' accumulators, made after each
   * dump. */
  struct accumulator *total;
  struct members *members; /* NULL: the group has no dimension */
  uint32_t member_attrs; /* the attributes that its dimensions look at: a set */
  bool listener_members; /* a listening socket has a value in each dimension */
  struct worst_alarm alarm[OUTLIER_MEASURES];
};

/* Memberships: 0 none; 1 in a group without members; 2 in the member `other`;
 * else the member's number plus three. */
enum { MEMBERSHIP_TOTAL = 1, MEMBERSHIP_OTHER, MEMBERSHIP_MEMBER };

/* Joins the columns of the group's dimensions. */
static void dimensions_set(struct group *g) {
  g->listener_members = true;
  for (size_t i = 0; i < g->settings->by_count; i++) {
    const struct dimension_row *row = &dimension_table[g->settings->by[i]];
    g->member_attrs |= ATTR_BIT(row->attr);
    g->listener_members &= row->listeners;
  }
}

struct group *group_new(const struct group_settings *settings,
                        struct name_lookup *names) {
  struct group *g = calloc(1, sizeof(*g));
  if (g == NULL)
    return NULL;
  g->settings = settings;
  dimensions_set(g);
  g->plan = plan_new(&settings->metrics);
  if (g->plan == NULL)
    goto fail;
  g->total = accumulator_new(g->plan);
  if (g->total == NULL)
    goto fail;
  if (settings->by_count > 0) {
    g->members = members_new(settings, g->plan, names);
    if (g->members == NULL)
      goto fail;
  }
  return g;
fail:
  group_free(g);
  return NULL;
}

void group_free(struct group *g) {
  if (g == NULL)
    return;
  members_free(g->members);
  accumulator_free(g->total);
  plan_free(g->plan);
  free(g);
}

const char *group_name(const struct group *g) { return g->settings->name; }

bool group_has_members(const struct group *g) { return g->members != NULL; }

void group_fields(const struct group *g, bool wanted[FIELD_COUNT]) {
  plan_fields(g->plan, wanted);
  if (g->members != NULL) {
    wanted[FIELD_BYTES_SENT] = true; /* ranks the members */
    wanted[FIELD_BYTES_RECEIVED] = true;
    wanted[FIELD_DATA_RETRANS] = true; /* outliers */
    wanted[FIELD_DATA_SEGS_OUT] = true;
  }
}

unsigned group_asks(const struct group *g) {
  return g->plan->asks | (g->members != NULL ? ASK_INFO : 0);
}

uint32_t group_attrs(const struct group *g) {
  return g->member_attrs | selector_attrs(g->settings->selector);
}

void group_begin(struct group *g) {
  accumulator_begin(g->total);
  if (g->members != NULL)
    members_begin(g->members);
}

bool group_selects(const struct group *g, const struct socket_attrs *s) {
  return selector_match(g->settings->selector, s);
}

uint32_t group_enter(struct group *g, const struct socket_attrs *s) {
  if (!group_selects(g, s))
    return MEMBERSHIP_NONE;
  if (g->members == NULL)
    return MEMBERSHIP_TOTAL;
  if ((s->unknown & g->member_attrs) != 0)
    return MEMBERSHIP_OTHER;
  uint32_t member = members_join(g->members, s);
  return member != KEY_TABLE_NONE ? member + MEMBERSHIP_MEMBER
                                  : (uint32_t)MEMBERSHIP_OTHER;
}

void group_leave(struct group *g, uint32_t membership, bool retained) {
  if (membership >= MEMBERSHIP_MEMBER)
    members_leave(g->members, membership - MEMBERSHIP_MEMBER, retained);
}

void group_retain(struct group *g, uint32_t membership) {
  if (membership >= MEMBERSHIP_MEMBER)
    members_retain(g->members, membership - MEMBERSHIP_MEMBER);
}

static struct accumulator *accumulator_of(const struct group *g,
                                          uint32_t membership) {
  if (membership >= MEMBERSHIP_MEMBER)
    return members_accumulator(g->members, membership - MEMBERSHIP_MEMBER);
  return membership == MEMBERSHIP_OTHER ? members_other(g->members) : g->total;
}

void group_count(struct group *g, uint32_t membership,
                 enum accumulator_life life) {
  struct accumulator *accumulator = accumulator_of(g, membership);
  accumulator_count(accumulator, life);
  if (accumulator != g->total)
    accumulator_count(g->total, life);
}

static void bytes_add(struct group *g, uint32_t membership,
                      const uint64_t *delta) {
  if (membership >= MEMBERSHIP_MEMBER)
    members_add_bytes(g->members, membership - MEMBERSHIP_MEMBER,
                      delta[FIELD_BYTES_SENT] + delta[FIELD_BYTES_RECEIVED]);
}

void group_add(struct group *g, uint32_t membership,
               const struct observation *r) {
  struct accumulator *accumulator = accumulator_of(g, membership);
  accumulator_add(accumulator, r);
  if (r->sample->info == NULL)
    return;
  if (r->changed)
    bytes_add(g, membership, r->delta);
  if (membership >= MEMBERSHIP_MEMBER)
    members_observe(g->members, membership - MEMBERSHIP_MEMBER, r);
}

void group_fetch(const struct group *g, uint32_t membership) {
  /* A membership that is no member becomes a number that no member has. */
  members_fetch(g->members, membership - MEMBERSHIP_MEMBER);
}

void group_add_rest(struct group *g, uint32_t membership,
                    const uint64_t *delta) {
  accumulator_add_growth(accumulator_of(g, membership), delta);
  bytes_add(g, membership, delta);
  if (membership >= MEMBERSHIP_MEMBER)
    members_observe_close(g->members, membership - MEMBERSHIP_MEMBER, delta);
}

/* A listening socket makes a member of its own if each dimension allows that.
 * Any other socket without traffic is counted with its member if that exists,
 * else in `other`. */
void group_add_other(struct group *g, const struct sample *s,
                     const struct socket_attrs *t, uint32_t unknown) {
  bool listener = s->state == TCP_STATE_LISTEN;
  unsigned asks = g->plan->asks;
  bool joins = listener && (asks & ASK_LISTENERS) != 0;
  if ((!joins && (asks & ASK_ALL_STATES) == 0) ||
      !selector_match(g->settings->selector, t))
    return;
  if (g->members == NULL) {
    accumulator_add_without_traffic(g->total, s);
    return;
  }
  if ((unknown & g->member_attrs) != 0) {
    accumulator_add_without_traffic(members_other(g->members), s);
    return;
  }
  uint32_t member = KEY_TABLE_NONE;
  if (joins && g->listener_members)
    member = members_join(g->members, t);
  if (member == KEY_TABLE_NONE) {
    accumulator_add_without_traffic(members_accumulator_of(g->members, t), s);
    return;
  }
  accumulator_add_without_traffic(members_accumulator(g->members, member), s);
  members_leave(g->members, member, false);
}

void group_settle(struct group *g) {
  if (g->members == NULL)
    return;
  members_sum(g->members, g->total);
  members_settle(g->members);
  accumulator_set_outliers(g->total, members_outliers(g->members));
}

void group_commit(struct group *g) {
  accumulator_commit(g->total);
  if (g->members != NULL)
    members_commit(g->members);
}

void group_each(struct group *g, group_series_cb *cb, void *data) {
  cb(NULL, g->total, false, data);
  if (g->members != NULL)
    members_each(g->members, cb, data);
}

bool group_worst(const struct group *g, enum outlier_measure measure,
                 size_t rank, struct outlier *out) {
  return g->members != NULL && members_worst(g->members, measure, rank, out);
}

bool group_alarm(struct group *g, enum outlier_measure measure, uint64_t now_ms,
                 struct group_alarm *out) {
  const struct severity *limit = measure == OUTLIER_BY_RETRANS
                                     ? &g->settings->worst_retrans
                                     : &g->settings->worst_rtt;
  struct outlier worst;
  bool there = group_worst(g, measure, 0, &worst);
  *out = (struct group_alarm){.value = there ? worst.value : 0};
  if (!there) /* no member sent enough to be compared: nothing is known */
    return false;
  if (!worst_alarm_enter(&g->alarm[measure], now_ms, worst.name, worst.value,
                         limit->warning, limit->failure))
    return false;
  out->severity = g->alarm[measure].severity;
  out->member = g->alarm[measure].name;
  out->limit =
      out->severity == WORST_ALARM_FAILURE ? limit->failure : limit->warning;
  return true;
}

size_t group_members(const struct group *g) {
  return g->members != NULL ? members_count(g->members) : 0;
}

size_t group_members_in_other(const struct group *g) {
  return g->members != NULL ? members_in_other(g->members) : 0;
}

bool group_members_are_full(const struct group *g) {
  return g->members != NULL && members_are_full(g->members);
}
