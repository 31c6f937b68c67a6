#include "util/distribution.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_MIN = 16 };

struct distribution_large {
  struct buffer values; /* uint64_t */
  size_t count;
};

void distribution_init(struct distribution *s, bool keep) {
  *s = (struct distribution){.keep = keep};
}

void distribution_free(struct distribution *s) {
  buffer_resize(&s->small, 0);
  if (s->large != NULL)
    buffer_resize(&s->large->values, 0);
  free(s->large);
  *s = (struct distribution){0};
}

static size_t large_count(const struct distribution *s) {
  return s->large != NULL ? s->large->count : 0;
}

static size_t usual_count(const struct distribution *s) {
  return s->count - s->small_count - large_count(s);
}

/* Frees a buffer that is far larger than the last interval needed, in bytes. */
static void buffer_ease(struct buffer *p, size_t bytes) {
  if (p->size > 256 && bytes < p->size / 4)
    buffer_resize(p, 0);
}

/* Returns the majority of a sample of the values; any of them if there is no
 * majority. */
static uint32_t majority_of(const uint32_t *value, size_t count) {
  enum { SAMPLE = 16 };
  uint32_t most = value[0];
  size_t votes = 0;
  for (size_t i = 0; i < SAMPLE; i++) {
    uint32_t v = value[i * count / SAMPLE];
    if (votes == 0)
      most = v;
    votes = v == most ? votes + 1 : votes - 1;
  }
  return most;
}

void distribution_reset(struct distribution *s) {
  if (s->small_count > s->count / 2)
    s->usual = majority_of(s->small.at, s->small_count);
  buffer_ease(&s->small, s->small_count * sizeof(uint32_t));
  if (s->large != NULL) {
    buffer_ease(&s->large->values, s->large->count * sizeof(uint64_t));
    s->large->count = 0;
  }
  s->small_count = 0;
  s->count = 0;
  s->sum = 0;
  s->failed = false;
}

static bool grow(struct buffer *p, size_t width) {
  size_t size =
      p->size < KEPT_MIN * width ? KEPT_MIN * width : p->size + p->size / 2;
  return buffer_resize(p, size - size % width);
}

static bool keep_small(struct distribution *s, uint32_t value) {
  if (s->small_count == UINT32_MAX || !grow(&s->small, sizeof(value)))
    return false;
  ((uint32_t *)s->small.at)[s->small_count++] = value;
  return true;
}

static bool keep_large(struct distribution *s, uint64_t value) {
  if (s->large == NULL)
    s->large = calloc(1, sizeof(*s->large));
  struct distribution_large *l = s->large;
  if (l == NULL || (l->count == l->values.size / sizeof(value) &&
                    !grow(&l->values, sizeof(value))))
    return false;
  ((uint64_t *)l->values.at)[l->count++] = value;
  return true;
}

void distribution_keep_other(struct distribution *s, uint64_t value) {
  if (s->failed)
    return;
  s->failed = value <= UINT32_MAX ? !keep_small(s, (uint32_t)value)
                                  : !keep_large(s, value);
}

/* Makes room for `more` values behind `count` values. */
static bool room(struct buffer *p, size_t count, size_t more, size_t width) {
  return (count + more) * width <= p->size ||
         buffer_resize(p, (count + more + (count + more) / 2) * width);
}

static bool small_merge(struct distribution *s,
                        const struct distribution *part) {
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

static bool large_merge(struct distribution *s,
                        const struct distribution_large *part) {
  for (size_t i = 0; part != NULL && i < part->count; i++)
    if (!keep_large(s, ((const uint64_t *)part->values.at)[i]))
      return false;
  return true;
}

void distribution_merge(struct distribution *s,
                        const struct distribution *part) {
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

/* Counts from 0. */
static size_t rank_of(size_t count, unsigned permille) {
  size_t rank = (count * permille + 999) / 1000;
  return rank > 0 ? rank - 1 : 0;
}

uint32_t distribution_select(uint32_t *value, size_t count, unsigned permille) {
  struct quantile_index index;
  index.values = NULL;
  return quantile_select_32(value, count, rank_of(count, permille), 0,
                            UINT32_MAX, &index);
}

static size_t count_below(const uint32_t *value, size_t count, uint32_t limit) {
  size_t below = 0;
  for (size_t i = 0; i < count; i++)
    below += value[i] < limit;
  return below;
}

/* Turns a rank among all values into one among the kept values; false if the
 * usual value has this rank. */
static bool rank_kept(const struct distribution *s, size_t *rank) {
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

bool distribution_percentile(struct distribution *s, unsigned permille,
                             struct quantile_index *index, uint64_t *out) {
  if (!s->keep || s->failed || s->count == 0)
    return false;
  size_t rank = rank_of(s->count, permille), small = s->small_count;
  if (!rank_kept(s, &rank))
    *out = s->usual;
  else if (rank < small)
    *out = quantile_select_32(
        s->small.at, small, rank, (uint32_t)s->min,
        s->max < UINT32_MAX ? (uint32_t)s->max : UINT32_MAX, index);
  else
    *out = quantile_select_64(
        s->large->values.at, s->large->count, rank - small,
        s->min > UINT32_MAX ? s->min : (uint64_t)UINT32_MAX + 1, s->max, index);
  return true;
}
