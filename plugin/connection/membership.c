#include "connection/membership.h"

void membership_init(struct memberships *m, struct group *const *group,
                     size_t count) {
  *m = (struct memberships){.group = group, .count = count};
  for (size_t i = 0; i < count; i++)
    m->members |= group_has_members(group[i]);
}

void membership_enter(const struct memberships *m, uint32_t *membership,
                      const struct socket_attrs *a) {
  for (size_t i = 0; i < m->count; i++) {
    uint32_t old = membership[i];
    membership[i] = group_enter(m->group[i], a);
    if (old != MEMBERSHIP_NONE)
      group_leave(m->group[i], old, false);
  }
}

void membership_select(const struct memberships *m, uint32_t *membership,
                       const struct socket_attrs *a) {
  for (size_t i = 0; i < m->count; i++) {
    bool selected = group_selects(m->group[i], a);
    if (selected == (membership[i] != MEMBERSHIP_NONE))
      continue;
    if (membership[i] != MEMBERSHIP_NONE)
      group_leave(m->group[i], membership[i], false);
    membership[i] = selected ? group_enter(m->group[i], a) : MEMBERSHIP_NONE;
  }
}

void membership_leave(const struct memberships *m, const uint32_t *membership,
                      bool retained) {
  for (size_t i = 0; i < m->count; i++)
    if (membership[i] != MEMBERSHIP_NONE)
      group_leave(m->group[i], membership[i], retained);
}

void membership_retain(const struct memberships *m,
                       const uint32_t *membership) {
  for (size_t i = 0; i < m->count; i++)
    if (membership[i] != MEMBERSHIP_NONE)
      group_retain(m->group[i], membership[i]);
}

bool membership_any(const struct memberships *m, const uint32_t *membership) {
  for (size_t i = 0; i < m->count; i++)
    if (membership[i] != MEMBERSHIP_NONE)
      return true;
  return false;
}

void membership_count(const struct memberships *m, const uint32_t *membership,
                      enum accumulator_life life) {
  for (size_t i = 0; i < m->count; i++)
    if (membership[i] != MEMBERSHIP_NONE)
      group_count(m->group[i], membership[i], life);
}

bool membership_add(const struct memberships *m, const uint32_t *membership,
                    const struct observation *o) {
  bool matched = false;
  for (size_t i = 0; i < m->count; i++) {
    if (membership[i] == MEMBERSHIP_NONE)
      continue;
    group_add(m->group[i], membership[i], o);
    matched = true;
  }
  return matched;
}

void membership_fetch(const struct memberships *m, const uint32_t *membership) {
  for (size_t i = 0; i < m->count; i++)
    if (group_has_members(m->group[i]))
      group_fetch(m->group[i], membership[i]);
}

void membership_add_rest(const struct memberships *m,
                         const uint32_t *membership, const uint64_t *delta) {
  for (size_t i = 0; i < m->count; i++)
    if (membership[i] != MEMBERSHIP_NONE)
      group_add_rest(m->group[i], membership[i], delta);
}

struct track *membership_track(const struct memberships *m, bool info,
                               size_t owner_size) {
  bool wanted[FIELD_COUNT] = {false};
  for (size_t i = 0; i < m->count; i++)
    group_fields(m->group[i], wanted);
  /* A byte counter of each direction shows a disconnect: see track_see(). */
  if (info && !wanted[FIELD_BYTES_SENT])
    wanted[FIELD_BYTES_ACKED] = true;
  if (info) {
    wanted[FIELD_BYTES_RECEIVED] = true;
    wanted[FIELD_TOTAL_RETRANS] = true; /* of all sockets, for `coverage` */
  }
  enum field_id field[FIELD_COUNT];
  size_t count = 0;
  for (int id = 0; id < FIELD_COUNT; id++)
    if (wanted[id] && !field_table[id].derived)
      field[count++] = (enum field_id)id;
  return track_new(field, count, owner_size);
}
