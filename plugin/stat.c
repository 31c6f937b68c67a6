#include "stat.h"

#include <stdlib.h>

void stat_init(struct stat_values *s, bool keep) {
  *s = (struct stat_values){.keep = keep};
}

void stat_free(struct stat_values *s) {
  free(s->value);
  *s = (struct stat_values){0};
}

void stat_reset(struct stat_values *s) {
  if (s->capacity > 64 && s->count < s->capacity / 4) {
    free(s->value);
    s->value = NULL;
    s->capacity = 0;
  }
  s->count = 0;
  s->sum = 0;
  s->failed = false;
}

static bool stat_grow(struct stat_values *s) {
  size_t capacity = s->capacity < 16 ? 16 : s->capacity + s->capacity / 2;
  uint64_t *grown = realloc(s->value, capacity * sizeof(*grown));
  if (grown == NULL) {
    s->failed = true;
    return false;
  }
  s->value = grown;
  s->capacity = capacity;
  return true;
}

void stat_add(struct stat_values *s, uint64_t value) {
  if (s->keep && !s->failed && (s->count < s->capacity || stat_grow(s)))
    s->value[s->count] = value;
  if (s->count == 0 || value < s->min)
    s->min = value;
  if (s->count == 0 || value > s->max)
    s->max = value;
  s->sum += value;
  s->count++;
}

static void swap(uint64_t *a, uint64_t *b) {
  uint64_t t = *a;
  *a = *b;
  *b = t;
}

static uint64_t median_of_3(uint64_t a, uint64_t b, uint64_t c) {
  if (a < b)
    return b < c ? b : (a < c ? c : a);
  return a < c ? a : (b < c ? c : b);
}

/* Quickselect with three-way partition: many sockets share one value (cwnd 10),
 * which must not make it quadratic. */
static uint64_t select_rank(uint64_t *v, size_t n, size_t rank) {
  size_t low = 0, high = n; /* rank is in [low, high) */
  while (high - low > 1) {
    uint64_t pivot =
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

bool stat_percentile(struct stat_values *s, unsigned permille, uint64_t *out) {
  if (!s->keep || s->failed || s->count == 0)
    return false;
  uint64_t rank = (s->count * permille + 999) / 1000;
  *out = select_rank(s->value, s->count, rank > 0 ? rank - 1 : 0);
  return true;
}
