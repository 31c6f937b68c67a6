#include "stat.h"

#include <stdlib.h>

void stat_init(struct stat_values *s, bool keep) {
  *s = (struct stat_values){.keep = keep};
}

void stat_free(struct stat_values *s) {
  free(s->small.value);
  free(s->large.value);
  *s = (struct stat_values){0};
}

static void kept_reset(struct stat_kept *k) {
  if (k->capacity > 64 && k->count < k->capacity / 4) {
    free(k->value);
    *k = (struct stat_kept){.value = NULL};
  }
  k->count = 0;
}

void stat_reset(struct stat_values *s) {
  kept_reset(&s->small);
  kept_reset(&s->large);
  s->count = 0;
  s->sum = 0;
  s->failed = false;
}

static bool kept_room(struct stat_kept *k, size_t size) {
  if (k->count < k->capacity)
    return true;
  size_t capacity = k->capacity < 16 ? 16 : k->capacity + k->capacity / 2;
  void *grown = realloc(k->value, capacity * size);
  if (grown == NULL)
    return false;
  k->value = grown;
  k->capacity = capacity;
  return true;
}

static void keep(struct stat_values *s, uint64_t value) {
  if (value <= UINT32_MAX) {
    if (kept_room(&s->small, sizeof(uint32_t)))
      ((uint32_t *)s->small.value)[s->small.count++] = (uint32_t)value;
    else
      s->failed = true;
  } else {
    if (kept_room(&s->large, sizeof(uint64_t)))
      ((uint64_t *)s->large.value)[s->large.count++] = value;
    else
      s->failed = true;
  }
}

void stat_add(struct stat_values *s, uint64_t value) {
  if (s->keep && !s->failed)
    keep(s, value);
  if (s->count == 0 || value < s->min)
    s->min = value;
  if (s->count == 0 || value > s->max)
    s->max = value;
  s->sum += value;
  s->count++;
}

static void swap(uint32_t *a, uint32_t *b) {
  uint32_t t = *a;
  *a = *b;
  *b = t;
}

static uint32_t median_of_3(uint32_t a, uint32_t b, uint32_t c) {
  if (a < b)
    return b < c ? b : (a < c ? c : a);
  return a < c ? a : (b < c ? c : b);
}

/* Quickselect with three-way partition: many sockets share one value (cwnd 10),
 * which must not make it quadratic. */
static uint32_t select_rank(uint32_t *v, size_t n, size_t rank) {
  size_t low = 0, high = n; /* rank is in [low, high) */
  while (high - low > 1) {
    uint32_t pivot =
        median_of_3(v[low], v[low + (high - low) / 2], v[high - 1]);
    size_t less = low, at = low, more = high;
    while (at < more) {
      if (v[at] < pivot)
        swap(&v[less++], &v[at++]);
      else if (v[at] > pivot)
        swap(&v[at], &v[--more]);
      else
        at++;
    }
    if (rank < less)
      high = less;
    else if (rank >= more)
      low = more;
    else
      return pivot;
  }
  return v[low];
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* From 0. */
static size_t rank_of(size_t count, unsigned permille) {
  size_t rank = (count * permille + 999) / 1000;
  return rank > 0 ? rank - 1 : 0;
}

uint32_t stat_select(uint32_t *value, size_t count, unsigned permille) {
  return select_rank(value, count, rank_of(count, permille));
}

bool stat_percentile(struct stat_values *s, unsigned permille, uint64_t *out) {
  if (!s->keep || s->failed || s->count == 0)
    return false;
  size_t rank = rank_of(s->count, permille);
  if (rank < s->small.count) {
    *out = select_rank(s->small.value, s->small.count, rank);
    return true;
  }
  uint64_t *large = s->large.value;
  qsort(large, s->large.count, sizeof(*large), compare);
  *out = large[rank - s->small.count];
  return true;
}
