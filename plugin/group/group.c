#include "group/group.h"

#include "util/key_table.h"

#include <stdlib.h>

struct group {
  const struct group_settings *settings;
  struct plan *plan;
  struct accumulator
      *total; /* with members: what became of connections; all else is
          the sum of the members' accumulators, made after each dump */
  struct members *members; /* NULL: the group has no dimension */
  struct worst_alarm alarm[OUTLIER_MEASURES];
};

/* Places: 0 none; 1 in a group without members; 2 in the member `other` for
 * good; else the member plus three. */
enum { MEMBERSHIP_TOTAL = 1, MEMBERSHIP_OTHER, MEMBERSHIP_MEMBER };

struct group *group_new(const struct group_settings *settings,
                        struct name_lookup *names) {
  struct group *g = calloc(1, sizeof(*g));
  if (g == NULL)
    return NULL;
  g->settings = settings;
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
  if (g->members != NULL) { /* who is busy */
    wanted[FIELD_BYTES_SENT] = true;
    wanted[FIELD_BYTES_RECEIVED] = true;
    wanted[FIELD_TOTAL_RETRANS] = true; /* who stands out */
    wanted[FIELD_DATA_SEGS_OUT] = true;
  }
}

unsigned group_asks(const struct group *g) {
  return g->plan->asks | (g->members != NULL ? ASK_INFO : 0);
}

unsigned group_traits(const struct group *g) {
  static const struct {
    unsigned trait;
    int by, op; /* -1: there is none */
  } row[] = {
      {ATTR_INTERFACE, DIMENSION_INTERFACE, SELECTOR_INTERFACE},
      {ATTR_UID, DIMENSION_UID, -1},
      {ATTR_MARK, -1, SELECTOR_MARK},
      {ATTR_CGROUP, DIMENSION_CGROUP, SELECTOR_CGROUP},
      {ATTR_CONGESTION, DIMENSION_CONGESTION, -1},
      {ATTR_DIRECTION, DIMENSION_DIRECTION, SELECTOR_INBOUND},
  };
  const struct group_settings *settings = g->settings;
  unsigned traits = 0;
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    for (size_t k = 0; k < settings->by_count; k++)
      if ((int)settings->by[k] == row[i].by)
        traits |= row[i].trait;
    if (row[i].op >= 0 &&
        selector_uses(settings->selector, (enum selector_op)row[i].op))
      traits |= row[i].trait;
  }
  return traits;
}

void group_begin(struct group *g) {
  accumulator_begin(g->total);
  if (g->members != NULL)
    members_begin(g->members);
}

/* Which member it is of depends on what is not known. */
static bool member_is_open(const struct group *g,
                           const struct socket_attrs *t) {
  static const uint8_t trait[DIMENSION_COUNT] = {
      [DIMENSION_REMOTE_PORT] = ATTR_REMOTE_PORT,
      [DIMENSION_LOCAL_ADDRESS] = ATTR_LOCAL_ADDRESS,
      [DIMENSION_INTERFACE] = ATTR_INTERFACE,
      [DIMENSION_UID] = ATTR_UID,
      [DIMENSION_CGROUP] = ATTR_CGROUP,
      [DIMENSION_CONGESTION] = ATTR_CONGESTION,
      [DIMENSION_DIRECTION] = ATTR_DIRECTION,
  };
  for (size_t i = 0; i < g->settings->by_count; i++)
    if (t->unknown & trait[g->settings->by[i]])
      return true;
  return false;
}

uint32_t group_enter(struct group *g, const struct socket_attrs *t) {
  if (!selector_match(g->settings->selector, t))
    return MEMBERSHIP_NONE;
  if (g->members == NULL)
    return MEMBERSHIP_TOTAL;
  if (member_is_open(g, t))
    return MEMBERSHIP_OTHER;
  uint32_t member = members_join(g->members, t);
  if (member >= MEMBERSHIP_FAILED - MEMBERSHIP_MEMBER)
    return MEMBERSHIP_FAILED;
  return member + MEMBERSHIP_MEMBER;
}

void group_leave(struct group *g, uint32_t place, bool retained) {
  if (place >= MEMBERSHIP_MEMBER)
    members_leave(g->members, place - MEMBERSHIP_MEMBER, retained);
}

void group_retain(struct group *g, uint32_t place) {
  if (place >= MEMBERSHIP_MEMBER)
    members_retain(g->members, place - MEMBERSHIP_MEMBER);
}

/* The accumulator that the place belongs to. */
static struct accumulator *place_cell(const struct group *g, uint32_t place) {
  if (place >= MEMBERSHIP_MEMBER)
    return members_accumulator(g->members, place - MEMBERSHIP_MEMBER);
  return place == MEMBERSHIP_OTHER ? members_other(g->members) : g->total;
}

void group_count(struct group *g, uint32_t place, enum accumulator_life life) {
  struct accumulator *accumulator = place_cell(g, place);
  accumulator_count(accumulator, life);
  if (accumulator != g->total)
    accumulator_count(g->total, life);
}

static void membership_bytes(struct group *g, uint32_t place,
                             const uint64_t *delta) {
  if (place >= MEMBERSHIP_MEMBER)
    members_add_bytes(g->members, place - MEMBERSHIP_MEMBER,
                      delta[FIELD_BYTES_SENT] + delta[FIELD_BYTES_RECEIVED]);
}

void group_add(struct group *g, uint32_t place, const struct observation *r) {
  struct accumulator *accumulator = place_cell(g, place);
  accumulator_add(accumulator, r);
  if (r->sample->info == NULL)
    return;
  if (r->changed)
    membership_bytes(g, place, r->delta);
  if (place >= MEMBERSHIP_MEMBER)
    members_observe(g->members, place - MEMBERSHIP_MEMBER, r);
}

void group_fetch(const struct group *g, uint32_t place) {
  /* Where it is no member, it is beyond all. */
  members_fetch(g->members, place - MEMBERSHIP_MEMBER);
}

void group_add_rest(struct group *g, uint32_t place, const uint64_t *delta) {
  accumulator_add_growth(place_cell(g, place), delta);
  membership_bytes(g, place, delta);
  if (place >= MEMBERSHIP_MEMBER)
    members_observe_close(g->members, place - MEMBERSHIP_MEMBER, delta);
}

/* A listener has no remote end that could make it a member. */
static bool has_listeners(const struct group *g) {
  for (size_t i = 0; i < g->settings->by_count; i++)
    switch (g->settings->by[i]) {
    case DIMENSION_REMOTE_ADDRESS:
    case DIMENSION_REMOTE_NETWORK:
    case DIMENSION_REMOTE_PORT:
      return false;
    default:
      break;
    }
  return true;
}

/* A listener is a member of its own right where its port, say, is; what else
 * has no traffic counts with a member that is there. */
void group_add_other(struct group *g, const struct sample *s,
                     const struct socket_attrs *t) {
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
  uint32_t member = KEY_TABLE_NONE;
  if (joins && has_listeners(g))
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
  if (!there) /* nobody was judged: that is no news */
    return false;
  if (!worst_alarm_enter(&g->alarm[measure], now_ms, there ? worst.name : NULL,
                         out->value, limit->warning, limit->failure))
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
