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

static size_t large_count(const struct stat_values *s) {
  return s->large != NULL ? s->large->count : 0;
}

static size_t usual_count(const struct stat_values *s) {
  return s->count - s->small_count - large_count(s);
}

/* `bytes`: what the last interval needed. */
static void pages_ease(struct pages *p, size_t bytes) {
  if (p->size > 256 && bytes < p->size / 4)
    pages_resize(p, 0);
}

/* The value that most of some of them have, if there is one. */
static uint32_t most_have(const uint32_t *value, size_t count) {
  enum { SOME = 16 };
  uint32_t most = value[0];
  size_t votes = 0;
  for (size_t i = 0; i < SOME; i++) {
    uint32_t v = value[i * count / SOME];
    if (votes == 0)
      most = v;
    votes = v == most ? votes + 1 : votes - 1;
  }
  return most;
}

void stat_reset(struct stat_values *s) {
  if (s->small_count > s->count / 2)
    s->usual = most_have(s->small.at, s->small_count);
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
  size_t usual = part->usual != s->usual ? usual_count(part) : 0;
  size_t more = part->small_count + usual;
  if (more == 0)
    return true;
  if (UINT32_MAX - s->small_count < more ||
      !room(&s->small, s->small_count, more, sizeof(uint32_t)))
    return false;
  uint32_t *to = (uint32_t *)s->small.at + s->small_count;
  if (part->small_count > 0)
    memcpy(to, part->small.at, part->small_count * sizeof(uint32_t));
  for (size_t i = part->small_count; i < more; i++)
    to[i] = part->usual;
  s->small_count += (uint32_t)more;
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

static size_t count_below(const uint32_t *value, size_t count, uint32_t limit) {
  size_t below = 0;
  for (size_t i = 0; i < count; i++)
    below += value[i] < limit;
  return below;
}

/* The rank among those that are kept of one among all; false: it is the usual
 * value's. */
static bool rank_kept(const struct stat_values *s, size_t *rank) {
  size_t usual = usual_count(s);
  if (usual == 0)
    return true;
  size_t below = count_below(s->small.at, s->small_count, s->usual);
  if (*rank < below)
    return true;
  if (*rank < below + usual)
    return false;
  *rank -= usual;
  return true;
}

bool stat_percentile(struct stat_values *s, unsigned permille,
                     struct rank_index *index, uint64_t *out) {
  if (!s->keep || s->failed || s->count == 0)
    return false;
  size_t rank = rank_of(s->count, permille), small = s->small_count;
  if (!rank_kept(s, &rank))
    *out = s->usual;
  else if (rank < small)
    *out =
        rank_get_32(s->small.at, small, rank, (uint32_t)s->min,
                    s->max < UINT32_MAX ? (uint32_t)s->max : UINT32_MAX, index);
  else
    *out = rank_get_64(s->large->values.at, s->large->count, rank - small,
                       s->min > UINT32_MAX ? s->min : (uint64_t)UINT32_MAX + 1,
                       s->max, index);
  return true;
}
