/* Twice as many as are kept have room; when it is used up, they are sorted and
 * the lower half is dropped. From then on who is not above the last one kept is
 * passed over, so most cost one comparison. */
#include "busiest.h"

#include <stdlib.h>

struct busiest {
  size_t limit, count;
  bool full; /* entry[limit - 1] is a bound */
  struct busy entry[];
};

bool busy_less(struct busy a, struct busy b) {
  return a.busy != b.busy ? a.busy < b.busy : a.member > b.member;
}

struct busiest *busiest_new(size_t limit) {
  struct busiest *b = malloc(sizeof(*b) + 2 * limit * sizeof(struct busy));
  if (b == NULL)
    return NULL;
  b->limit = limit;
  busiest_clear(b);
  return b;
}

void busiest_free(struct busiest *b) { free(b); }

void busiest_clear(struct busiest *b) {
  b->count = 0;
  b->full = false;
}

static int compare(const void *a, const void *b) {
  const struct busy *x = a, *y = b;
  return busy_less(*x, *y) - busy_less(*y, *x);
}

static void cut(struct busiest *b) {
  qsort(b->entry, b->count, sizeof(b->entry[0]), compare);
  b->full = b->count >= b->limit;
  if (b->full)
    b->count = b->limit;
}

void busiest_offer(struct busiest *b, struct busy who) {
  if (b->full && !busy_less(b->entry[b->limit - 1], who))
    return;
  b->entry[b->count++] = who;
  if (b->count == 2 * b->limit)
    cut(b);
}

const struct busy *busiest_get(struct busiest *b, size_t *count) {
  cut(b);
  *count = b->count;
  return b->entry;
}
