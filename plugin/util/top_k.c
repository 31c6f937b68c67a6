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
  return a.weight != b.weight ? a.weight < b.weight : a.id > b.id;
}

struct top_k *top_k_new(size_t limit) {
  struct top_k *t = malloc(sizeof(*t) + 2 * limit * sizeof(struct top_k_entry));
  if (t == NULL)
    return NULL;
  t->limit = limit;
  top_k_clear(t);
  return t;
}

void top_k_free(struct top_k *t) { free(t); }

void top_k_clear(struct top_k *t) {
  t->count = 0;
  t->full = false;
}

static int compare(const void *a, const void *b) {
  const struct top_k_entry *x = a, *y = b;
  return top_k_less(*x, *y) - top_k_less(*y, *x);
}

static void cut(struct top_k *t) {
  qsort(t->entry, t->count, sizeof(t->entry[0]), compare);
  t->full = t->count >= t->limit;
  if (t->full)
    t->count = t->limit;
}

void top_k_offer(struct top_k *t, struct top_k_entry entry) {
  if (t->full && !top_k_less(t->entry[t->limit - 1], entry))
    return;
  t->entry[t->count++] = entry;
  if (t->count == 2 * t->limit)
    cut(t);
}

const struct top_k_entry *top_k_get(struct top_k *t, size_t *count) {
  cut(t);
  *count = t->count;
  return t->entry;
}
