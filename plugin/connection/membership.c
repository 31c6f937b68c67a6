#include "connection/membership.h"

static bool is_membership(uint32_t place) {
  return place != MEMBERSHIP_NONE && place != MEMBERSHIP_FAILED;
}

void membership_init(struct memberships *p, struct group *const *group,
                     size_t count) {
  *p = (struct memberships){.group = group, .count = count};
  for (size_t i = 0; i < count; i++)
    p->members |= group_has_members(group[i]);
}

bool membership_enter(const struct memberships *p, uint32_t *place,
                      const struct socket_attrs *t) {
  bool done = true;
  for (size_t i = 0; i < p->count; i++) {
    uint32_t old = place[i];
    place[i] = group_enter(p->group[i], t);
    done &= place[i] != MEMBERSHIP_FAILED;
    if (is_membership(old))
      group_leave(p->group[i], old, false);
  }
  return done;
}

bool membership_failed(const struct memberships *p, const uint32_t *place) {
  for (size_t i = 0; i < p->count; i++)
    if (place[i] == MEMBERSHIP_FAILED)
      return true;
  return false;
}

bool membership_retry(const struct memberships *p, uint32_t *place,
                      const struct socket_attrs *t, bool opened) {
  bool done = true;
  for (size_t i = 0; i < p->count; i++) {
    if (place[i] != MEMBERSHIP_FAILED)
      continue;
    place[i] = group_enter(p->group[i], t);
    done &= place[i] != MEMBERSHIP_FAILED;
    if (opened && is_membership(place[i]))
      group_count(p->group[i], place[i], ACCUMULATOR_OPENED);
  }
  return done;
}

void membership_leave(const struct memberships *p, const uint32_t *place,
                      bool retained) {
  for (size_t i = 0; i < p->count; i++)
    if (is_membership(place[i]))
      group_leave(p->group[i], place[i], retained);
}

void membership_retain(const struct memberships *p, const uint32_t *place) {
  for (size_t i = 0; i < p->count; i++)
    if (is_membership(place[i]))
      group_retain(p->group[i], place[i]);
}

bool membership_any(const struct memberships *p, const uint32_t *place) {
  for (size_t i = 0; i < p->count; i++)
    if (is_membership(place[i]))
      return true;
  return false;
}

void membership_count(const struct memberships *p, const uint32_t *place,
                      enum accumulator_life life) {
  for (size_t i = 0; i < p->count; i++)
    if (is_membership(place[i]))
      group_count(p->group[i], place[i], life);
}

bool membership_add(const struct memberships *p, const uint32_t *place,
                    const struct observation *r) {
  bool matched = false;
  for (size_t i = 0; i < p->count; i++) {
    if (!is_membership(place[i]))
      continue;
    group_add(p->group[i], place[i], r);
    matched = true;
  }
  return matched;
}

void membership_fetch(const struct memberships *p, const uint32_t *place) {
  for (size_t i = 0; i < p->count; i++)
    if (group_has_members(p->group[i]))
      group_fetch(p->group[i], place[i]);
}

void membership_add_rest(const struct memberships *p, const uint32_t *place,
                         const uint64_t *delta) {
  for (size_t i = 0; i < p->count; i++)
    if (is_membership(place[i]))
      group_add_rest(p->group[i], place[i], delta);
}

struct track *membership_track(const struct memberships *p, bool info,
                               size_t words) {
  bool wanted[FIELD_COUNT] = {false};
  for (size_t i = 0; i < p->count; i++)
    group_fields(p->group[i], wanted);
  /* A byte counter of each direction shows a disconnect, see track_see(). */
  if (info && !wanted[FIELD_BYTES_SENT])
    wanted[FIELD_BYTES_ACKED] = true;
  if (info) {
    wanted[FIELD_BYTES_RECEIVED] = true;
    wanted[FIELD_TOTAL_RETRANS] = true; /* for all of them: coverage */
  }
  enum field_id field[FIELD_COUNT];
  size_t count = 0;
  for (int id = 0; id < FIELD_COUNT; id++)
    if (wanted[id])
      field[count++] = (enum field_id)id;
  return track_new(field, count, words + p->count);
}
