#include "connection/socket_table.h"

#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>

enum {
  SOCKET_ROWS_MIN = 64,
  TRIES = 4,     /* so many that should come next are looked at */
  PREFETCH = 12, /* so far ahead rows are fetched */
};

/* A place of the hash. With the check most rows of other cookies need not be
 * touched, and rows move back without it. */
struct slot {
  uint32_t row; /* plus one; 0: empty */
  uint32_t check;
};

struct socket_table {
  size_t size;
  struct buffer row;   /* row.size: those in use, free or to come */
  struct buffer slots; /* struct slot, a power of two */
  uint32_t slot_mask;
  uint32_t row_end;  /* those behind were never used */
  uint32_t free_row; /* plus one; 0: none */
  uint32_t used;

  /* The order of the walks, uint32_t numbers of rows: that of this one from
   * the start up to `now`, and what is left of the last one's from `next` on.
   */
  struct buffer order;
  size_t now;
  size_t next, last, end; /* the last one began at `last` */
};

/* --- Rows ----------------------------------------------------------------- */

static struct socket_row *row_at(const struct socket_table *r, uint32_t i) {
  return (struct socket_row *)((uint8_t *)r->row.at + (size_t)i * r->size);
}

static uint32_t row_number(const struct socket_table *r,
                           const struct socket_row *row) {
  return (uint32_t)((size_t)((const uint8_t *)row - (uint8_t *)r->row.at) /
                    r->size);
}

struct socket_table *socket_table_new(size_t size) {
  struct socket_table *r = calloc(1, sizeof(*r));
  if (r != NULL)
    r->size = size;
  return r;
}

void socket_table_clear(struct socket_table *r) {
  buffer_resize(&r->row, 0);
  buffer_resize(&r->slots, 0);
  buffer_resize(&r->order, 0);
  *r = (struct socket_table){.size = r->size};
}

void socket_table_free(struct socket_table *r) {
  if (r == NULL)
    return;
  socket_table_clear(r);
  free(r);
}

uint32_t socket_table_end(const struct socket_table *r) { return r->row_end; }

struct socket_row *socket_table_at(const struct socket_table *r, uint32_t i) {
  struct socket_row *row = row_at(r, i);
  return row->mark != 0 ? row : NULL;
}

size_t socket_table_count(const struct socket_table *r) { return r->used; }

/* --- The hash ------------------------------------------------------------- */

/* A multiplication is enough, without a secret: no peer chooses a cookie, the
 * kernel counts them up (linux: include/linux/cookie.h, gen_cookie_next()), and
 * this runs for each socket. */
static uint32_t check_of(uint64_t cookie) {
  return (uint32_t)(cookie * 0x9e3779b97f4a7c15u >> 32);
}

static struct slot *slot_at(const struct socket_table *r, uint32_t s) {
  return (struct slot *)r->slots.at + (s & r->slot_mask);
}

/* The slot that holds the cookie, or the empty one where it belongs. */
static uint32_t slot_find(const struct socket_table *r, uint64_t cookie) {
  uint32_t check = check_of(cookie), s = check;
  for (;; s++) {
    const struct slot *slot = slot_at(r, s);
    if (slot->row == 0 ||
        (slot->check == check && row_at(r, slot->row - 1)->cookie == cookie))
      return s;
  }
}

static void slots_fill(struct socket_table *r) {
  for (uint32_t i = 0; i < r->row_end; i++) {
    uint64_t cookie = row_at(r, i)->cookie;
    if (row_at(r, i)->mark != 0)
      *slot_at(r, slot_find(r, cookie)) =
          (struct slot){.row = i + 1, .check = check_of(cookie)};
  }
}

static bool is_roomy(uint32_t slots, uint32_t rows) {
  return rows <= slots - slots / 4;
}

/* A hash with room for `rows`; false, and the old one, without memory. */
static bool slots_rebuild(struct socket_table *r, uint32_t rows) {
  uint32_t count = 2 * SOCKET_ROWS_MIN;
  struct buffer slots = {.at = NULL};
  while (!is_roomy(count, rows))
    count *= 2;
  if (!buffer_resize(&slots, count * sizeof(struct slot)))
    return false;
  buffer_resize(&r->slots, 0);
  r->slots = slots;
  r->slot_mask = count - 1;
  slots_fill(r);
  return true;
}

/* Takes the row out of the hash: what was pushed past it moves back. */
static void slot_remove(struct socket_table *r, uint64_t cookie) {
  uint32_t hole = slot_find(r, cookie);
  for (uint32_t s = hole + 1; slot_at(r, s)->row != 0; s++) {
    uint32_t home = slot_at(r, s)->check;
    if (((s - home) & r->slot_mask) < ((s - hole) & r->slot_mask))
      continue;
    *slot_at(r, hole) = *slot_at(r, s);
    hole = s;
  }
  slot_at(r, hole)->row = 0;
}

/* Plus one; 0: there is none. */
static uint32_t number_find(const struct socket_table *r, uint64_t cookie) {
  return r->slots.at != NULL ? slot_at(r, slot_find(r, cookie))->row : 0;
}

struct socket_row *socket_table_find(const struct socket_table *r,
                                     uint64_t cookie) {
  uint32_t number = number_find(r, cookie);
  return number != 0 ? row_at(r, number - 1) : NULL;
}

/* --- The walk ------------------------------------------------------------- */

static uint32_t *order_at(const struct socket_table *r, size_t i) {
  return (uint32_t *)r->order.at + i;
}

/* Moves `count` numbers to the end, which is then the last order. */
static void order_move(struct socket_table *r, size_t from, size_t count) {
  r->end = r->order.size / sizeof(uint32_t);
  r->last = r->end - count;
  memmove(order_at(r, r->last), order_at(r, from), count * sizeof(uint32_t));
}

/* Room for some more than last time in front of the last order. */
void socket_table_begin(struct socket_table *r) {
  size_t room = r->now + r->now / 8 + SOCKET_ROWS_MIN;
  if (!buffer_resize(&r->order, room * sizeof(uint32_t)) && r->order.at == NULL)
    return;
  order_move(r, 0, r->now);
  r->next = r->last;
  r->now = 0;
}

/* Even more came than there was room for. False: out of memory. */
static bool order_grow(struct socket_table *r) {
  size_t left = r->end - r->next, passed = r->next - r->last;
  if (!buffer_resize(&r->order, r->order.size + r->order.size / 4 +
                                    SOCKET_ROWS_MIN * sizeof(uint32_t)))
    return false;
  order_move(r, r->next, left);
  r->next = r->last;
  r->last -= passed; /* where it would begin */
  return true;
}

/* Without memory it is not remembered that this one came. */
static inline struct socket_row *came(struct socket_table *r, uint32_t number) {
  struct socket_row *row = row_at(r, number);
  if (r->now >= r->next && !order_grow(r))
    return row;
  row->place = (uint32_t)r->now;
  *order_at(r, r->now++) = number;
  return row;
}

const struct socket_row *socket_table_ahead(const struct socket_table *r,
                                            uint32_t steps) {
  if (r->next + steps > r->end)
    return NULL;
  return row_at(r, *order_at(r, r->next + steps - 1));
}

/* Known, but not where it was expected: goes on from where it was. */
static void resume(struct socket_table *r, uint32_t number) {
  size_t at = r->last + row_at(r, number)->place;
  if (at >= r->next && at < r->end && *order_at(r, at) == number)
    r->next = at + 1;
}

struct socket_row *socket_table_next(struct socket_table *r, uint64_t cookie) {
  for (size_t i = r->next; i < r->end && i < r->next + TRIES; i++) {
    uint32_t number = *order_at(r, i);
    const struct socket_row *row = row_at(r, number);
    if (row->cookie != cookie || row->mark == 0)
      continue;
    r->next = i + 1;
    __builtin_prefetch(socket_table_ahead(r, PREFETCH), 1);
    return came(r, number);
  }
  uint32_t number = number_find(r, cookie);
  if (number == 0)
    return NULL;
  resume(r, number - 1);
  return came(r, number - 1);
}

/* --- Adding and removing -------------------------------------------------- */

static bool rows_grow(struct socket_table *r) {
  size_t capacity = r->row.size / r->size;
  if (r->row_end < capacity)
    return true;
  capacity =
      capacity < SOCKET_ROWS_MIN ? SOCKET_ROWS_MIN : capacity + capacity / 4;
  return buffer_resize(&r->row, capacity * r->size);
}

struct socket_row *socket_table_add(struct socket_table *r, uint64_t cookie) {
  if ((r->slots.at == NULL || !is_roomy(r->slot_mask + 1, r->used + 1)) &&
      !slots_rebuild(r, r->used + 1))
    return NULL;
  uint32_t number = r->free_row;
  if (number != 0) {
    r->free_row = (uint32_t)row_at(r, number - 1)->cookie;
  } else {
    if (!rows_grow(r))
      return NULL;
    number = ++r->row_end;
  }
  *slot_at(r, slot_find(r, cookie)) =
      (struct slot){.row = number, .check = check_of(cookie)};
  struct socket_row *row = row_at(r, number - 1);
  memset(row, 0, r->size);
  row->cookie = cookie;
  row->mark = 1;
  r->used++;
  return came(r, number - 1);
}

void socket_table_remove(struct socket_table *r, struct socket_row *row) {
  slot_remove(r, row->cookie);
  row->mark = 0;
  row->cookie = r->free_row;
  r->free_row = row_number(r, row) + 1;
  r->used--;
}

/* As good a guess as any: that of the rows. */
static void order_guess(struct socket_table *r) {
  r->now = 0;
  while (r->now < r->row_end && r->now < r->next) {
    row_at(r, (uint32_t)r->now)->place = (uint32_t)r->now;
    *order_at(r, r->now) = (uint32_t)r->now;
    r->now++;
  }
}

void socket_table_compact(struct socket_table *r) {
  if (r->row_end <= 4 * SOCKET_ROWS_MIN || r->used >= r->row_end / 2)
    return;
  uint32_t to = 0;
  for (uint32_t i = 0; i < r->row_end; i++) {
    if (row_at(r, i)->mark == 0)
      continue;
    if (to != i)
      memcpy(row_at(r, to), row_at(r, i), r->size);
    to++;
  }
  r->row_end = to;
  r->free_row = 0;
  order_guess(r);
  buffer_resize(&r->row,
                (to < SOCKET_ROWS_MIN ? SOCKET_ROWS_MIN : to) * r->size);
  if (slots_rebuild(r, to))
    return;
  memset(r->slots.at, 0, r->slots.size);
  slots_fill(r);
}
