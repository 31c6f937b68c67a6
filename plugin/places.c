#include "places.h"

static bool is_place(uint32_t place) {
  return place != GROUP_PLACE_NONE && place != GROUP_PLACE_FAILED;
}

void places_init(struct places *p, struct group *const *group, size_t count) {
  *p = (struct places){.group = group, .count = count};
  for (size_t i = 0; i < count; i++)
    p->members |= group_has_members(group[i]);
}

bool places_enter(const struct places *p, uint32_t *place,
                  const struct subject *t) {
  bool done = true;
  for (size_t i = 0; i < p->count; i++) {
    uint32_t old = place[i];
    place[i] = group_enter(p->group[i], t);
    done &= place[i] != GROUP_PLACE_FAILED;
    if (is_place(old))
      group_leave(p->group[i], old, false);
  }
  return done;
}

bool places_failed(const struct places *p, const uint32_t *place) {
  for (size_t i = 0; i < p->count; i++)
    if (place[i] == GROUP_PLACE_FAILED)
      return true;
  return false;
}

bool places_retry(const struct places *p, uint32_t *place,
                  const struct subject *t, bool opened) {
  bool done = true;
  for (size_t i = 0; i < p->count; i++) {
    if (place[i] != GROUP_PLACE_FAILED)
      continue;
    place[i] = group_enter(p->group[i], t);
    done &= place[i] != GROUP_PLACE_FAILED;
    if (opened && is_place(place[i]))
      group_count(p->group[i], place[i], CELL_OPENED);
  }
  return done;
}

void places_leave(const struct places *p, const uint32_t *place,
                  bool retained) {
  for (size_t i = 0; i < p->count; i++)
    if (is_place(place[i]))
      group_leave(p->group[i], place[i], retained);
}

void places_retain(const struct places *p, const uint32_t *place) {
  for (size_t i = 0; i < p->count; i++)
    if (is_place(place[i]))
      group_retain(p->group[i], place[i]);
}

bool places_any(const struct places *p, const uint32_t *place) {
  for (size_t i = 0; i < p->count; i++)
    if (is_place(place[i]))
      return true;
  return false;
}

void places_count(const struct places *p, const uint32_t *place,
                  enum cell_life life) {
  for (size_t i = 0; i < p->count; i++)
    if (is_place(place[i]))
      group_count(p->group[i], place[i], life);
}

bool places_add(const struct places *p, const uint32_t *place,
                const struct reading *r) {
  bool matched = false;
  for (size_t i = 0; i < p->count; i++) {
    if (!is_place(place[i]))
      continue;
    group_add(p->group[i], place[i], r);
    matched = true;
  }
  return matched;
}

void places_fetch(const struct places *p, const uint32_t *place) {
  for (size_t i = 0; i < p->count; i++)
    if (group_has_members(p->group[i]))
      group_fetch(p->group[i], place[i]);
}

void places_add_rest(const struct places *p, const uint32_t *place,
                     const uint64_t *delta) {
  for (size_t i = 0; i < p->count; i++)
    if (is_place(place[i]))
      group_add_rest(p->group[i], place[i], delta);
}

struct track *places_track(const struct places *p, bool info, size_t words) {
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
