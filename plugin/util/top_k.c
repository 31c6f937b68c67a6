/* The array has room for twice the limit. When it is full, it is sorted and the
 * lower half dropped. From then on an entry that does not rank above the last
 * one kept is dropped at once, so that most entries cost one comparison. */
#include "util/top_k.h"

#include <stdlib.h>

struct top_k {
  size_t limit, count;
  bool full; /* entry[limit - 1] is a bound */
  struct top_k_entry entry[];
};

bool top_k_less(struct top_k_entry a, struct top_k_entry b) {
  return a.busy != b.busy ? a.busy < b.busy : a.member > b.member;
}

struct top_k *top_k_new(size_t limit) {
  struct top_k *b = malloc(sizeof(*b) + 2 * limit * sizeof(struct top_k_entry));
  if (b == NULL)
    return NULL;
  b->limit = limit;
  top_k_clear(b);
  return b;
}

void top_k_free(struct top_k *b) { free(b); }

void top_k_clear(struct top_k *b) {
  b->count = 0;
  b->full = false;
}

static int compare(const void *a, const void *b) {
  const struct top_k_entry *x = a, *y = b;
  return top_k_less(*x, *y) - top_k_less(*y, *x);
}

static void cut(struct top_k *b) {
  qsort(b->entry, b->count, sizeof(b->entry[0]), compare);
  b->full = b->count >= b->limit;
  if (b->full)
    b->count = b->limit;
}

void top_k_offer(struct top_k *b, struct top_k_entry entry) {
  if (b->full && !top_k_less(b->entry[b->limit - 1], entry))
    return;
  b->entry[b->count++] = entry;
  if (b->count == 2 * b->limit)
    cut(b);
}

const struct top_k_entry *top_k_get(struct top_k *b, size_t *count) {
  cut(b);
  *count = b->count;
  return b->entry;
}
