#include "stat.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_MIN = 16 };

struct stat_large {
  struct pages values; /* uint64_t */
  size_t count;
};

void stat_init(struct stat_values *s, bool keep) {
  *s = (struct stat_values){.keep = keep};
}

void stat_free(struct stat_values *s) {
  pages_resize(&s->small, 0);
  if (s->large != NULL)
    pages_resize(&s->large->values, 0);
  free(s->large);
  *s = (struct stat_values){0};
}

/* `bytes`: what the last interval needed. */
static void pages_ease(struct pages *p, size_t bytes) {
  if (p->size > 256 && bytes < p->size / 4)
    pages_resize(p, 0);
}

void stat_reset(struct stat_values *s) {
  pages_ease(&s->small, s->small_count * sizeof(uint32_t));
  if (s->large != NULL) {
    pages_ease(&s->large->values, s->large->count * sizeof(uint64_t));
    s->large->count = 0;
  }
  s->small_count = 0;
  s->count = 0;
  s->sum = 0;
  s->failed = false;
}

static bool grow(struct pages *p, size_t width) {
  size_t size =
      p->size < KEPT_MIN * width ? KEPT_MIN * width : p->size + p->size / 2;
  return pages_resize(p, size - size % width);
}

static bool keep_small(struct stat_values *s, uint32_t value) {
  if (s->small_count == UINT32_MAX || !grow(&s->small, sizeof(value)))
    return false;
  ((uint32_t *)s->small.at)[s->small_count++] = value;
  return true;
}

static bool keep_large(struct stat_values *s, uint64_t value) {
  if (s->large == NULL)
    s->large = calloc(1, sizeof(*s->large));
  struct stat_large *l = s->large;
  if (l == NULL || (l->count == l->values.size / sizeof(value) &&
                    !grow(&l->values, sizeof(value))))
    return false;
  ((uint64_t *)l->values.at)[l->count++] = value;
  return true;
}

void stat_keep_other(struct stat_values *s, uint64_t value) {
  if (s->failed)
    return;
  s->failed = value <= UINT32_MAX ? !keep_small(s, (uint32_t)value)
                                  : !keep_large(s, value);
}

/* Room for `more` values behind the `count` that are there. */
static bool room(struct pages *p, size_t count, size_t more, size_t width) {
  return (count + more) * width <= p->size ||
         pages_resize(p, (count + more + (count + more) / 2) * width);
}

static bool small_merge(struct stat_values *s, const struct stat_values *part) {
  if (part->small_count == 0)
    return true;
  if (UINT32_MAX - s->small_count < part->small_count ||
      !room(&s->small, s->small_count, part->small_count, sizeof(uint32_t)))
    return false;
  memcpy((uint32_t *)s->small.at + s->small_count, part->small.at,
         part->small_count * sizeof(uint32_t));
  s->small_count += part->small_count;
  return true;
}

static bool large_merge(struct stat_values *s, const struct stat_large *part) {
  for (size_t i = 0; part != NULL && i < part->count; i++)
    if (!keep_large(s, ((const uint64_t *)part->values.at)[i]))
      return false;
  return true;
}

void stat_merge(struct stat_values *s, const struct stat_values *part) {
  if (part->count == 0)
    return;
  if (s->keep && !s->failed)
    s->failed =
        part->failed || !small_merge(s, part) || !large_merge(s, part->large);
  s->min = s->count == 0 || part->min < s->min ? part->min : s->min;
  s->max = s->count == 0 || part->max > s->max ? part->max : s->max;
  s->sum += part->sum;
  s->count += part->count;
}

/* From 0. */
static size_t rank_of(size_t count, unsigned permille) {
  size_t rank = (count * permille + 999) / 1000;
  return rank > 0 ? rank - 1 : 0;
}

uint32_t stat_select(uint32_t *value, size_t count, unsigned permille) {
  struct rank_index index;
  index.values = NULL;
  return rank_get_32(value, count, rank_of(count, permille), 0, UINT32_MAX,
                     &index);
}

bool stat_percentile(struct stat_values *s, unsigned permille,
                     struct rank_index *index, uint64_t *out) {
  if (!s->keep || s->failed || s->count == 0)
    return false;
  size_t rank = rank_of(s->count, permille), small = s->small_count;
  if (rank < small)
    *out =
        rank_get_32(s->small.at, small, rank, (uint32_t)s->min,
                    s->max < UINT32_MAX ? (uint32_t)s->max : UINT32_MAX, index);
  else
    *out = rank_get_64(s->large->values.at, s->large->count, rank - small,
                       small > 0 ? (uint64_t)UINT32_MAX + 1 : s->min, s->max,
                       index);
  return true;
}
