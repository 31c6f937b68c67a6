#include "connection/socket_table.h"

#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>

enum {
  RECORDS_MIN = 64,
  TRIES = 4, /* records of the last walk that are tried before the hash */
};

/* A slot of the hash (open addressing, linear probing). The cookie's hash
 * stands beside the number, so that records of other cookies are rarely read
 * and slots can be moved without reading any.
 *
 * The hash is a multiplication and has no key: the kernel numbers the cookies
 * itself (linux: net/core/sock_diag.c, __sock_gen_cookie()), so a peer cannot
 * choose them. */
struct slot {
  uint32_t record; /* number plus one; 0: empty */
  uint32_t hash;
};

struct socket_table {
  size_t size;
  struct buffer records; /* in use, free, or never used yet */
  struct buffer slots;   /* of struct slot; their count is a power of two */
  uint32_t slot_mask;
  uint32_t record_end;  /* records from here on were never used */
  uint32_t free_record; /* number of the first free one plus one; 0: none */
  uint32_t used;

  /* Numbers of records (uint32_t) in the order of two walks: this walk from the
   * start up to `now`, the rest of the last walk from `next` up to `end`. */
  struct buffer walk;
  size_t now;
  size_t next, last, end; /* the last walk began at `last` */
};

/* --- Records -------------------------------------------------------------- */

static struct socket_record *record_at(const struct socket_table *t,
                                       uint32_t i) {
  return (struct socket_record *)((uint8_t *)t->records.at +
                                  (size_t)i * t->size);
}

static uint32_t record_number(const struct socket_table *t,
                              const struct socket_record *record) {
  return (
      uint32_t)((size_t)((const uint8_t *)record - (uint8_t *)t->records.at) /
                t->size);
}

struct socket_table *socket_table_new(size_t size) {
  struct socket_table *t = calloc(1, sizeof(*t));
  if (t != NULL)
    t->size = size;
  return t;
}

void socket_table_clear(struct socket_table *t) {
  buffer_resize(&t->records, 0);
  buffer_resize(&t->slots, 0);
  buffer_resize(&t->walk, 0);
  *t = (struct socket_table){.size = t->size};
}

void socket_table_free(struct socket_table *t) {
  if (t == NULL)
    return;
  socket_table_clear(t);
  free(t);
}

uint32_t socket_table_end(const struct socket_table *t) {
  return t->record_end;
}

struct socket_record *socket_table_at(const struct socket_table *t,
                                      uint32_t i) {
  struct socket_record *record = record_at(t, i);
  return record->mark != 0 ? record : NULL;
}

size_t socket_table_count(const struct socket_table *t) { return t->used; }

/* --- The hash ------------------------------------------------------------- */

static uint32_t hash_of(uint64_t cookie) {
  return (uint32_t)(cookie * 0x9e3779b97f4a7c15u >> 32);
}

static struct slot *slot_at(const struct socket_table *t, uint32_t s) {
  return (struct slot *)t->slots.at + (s & t->slot_mask);
}

/* Returns the slot that holds the cookie, or the empty slot that would. */
static uint32_t slot_find(const struct socket_table *t, uint64_t cookie) {
  uint32_t hash = hash_of(cookie), s = hash;
  for (;; s++) {
    const struct slot *slot = slot_at(t, s);
    if (slot->record == 0 || (slot->hash == hash &&
                              record_at(t, slot->record - 1)->cookie == cookie))
      return s;
  }
}

static void slots_fill(struct socket_table *t) {
  for (uint32_t i = 0; i < t->record_end; i++) {
    uint64_t cookie = record_at(t, i)->cookie;
    if (record_at(t, i)->mark != 0)
      *slot_at(t, slot_find(t, cookie)) =
          (struct slot){.record = i + 1, .hash = hash_of(cookie)};
  }
}

static bool has_room(uint32_t slots, uint32_t records) {
  return records <= slots - slots / 4;
}

/* Makes a hash with room for `records`. Returns false and keeps the old hash if
 * memory runs out. */
static bool slots_rebuild(struct socket_table *t, uint32_t records) {
  uint32_t count = 2 * RECORDS_MIN;
  struct buffer slots = {.at = NULL};
  while (!has_room(count, records))
    count *= 2;
  if (!buffer_resize(&slots, count * sizeof(struct slot)))
    return false;
  buffer_resize(&t->slots, 0);
  t->slots = slots;
  t->slot_mask = count - 1;
  slots_fill(t);
  return true;
}

/* Removes the cookie from the hash; slots that it had pushed further move back.
 */
static void slot_remove(struct socket_table *t, uint64_t cookie) {
  uint32_t hole = slot_find(t, cookie);
  for (uint32_t s = hole + 1; slot_at(t, s)->record != 0; s++) {
    uint32_t home = slot_at(t, s)->hash;
    if (((s - home) & t->slot_mask) < ((s - hole) & t->slot_mask))
      continue;
    *slot_at(t, hole) = *slot_at(t, s);
    hole = s;
  }
  slot_at(t, hole)->record = 0;
}

/* Returns the number of the record plus one; 0: there is none. */
static uint32_t number_find(const struct socket_table *t, uint64_t cookie) {
  return t->slots.at != NULL ? slot_at(t, slot_find(t, cookie))->record : 0;
}

struct socket_record *socket_table_find(const struct socket_table *t,
                                        uint64_t cookie) {
  uint32_t number = number_find(t, cookie);
  return number != 0 ? record_at(t, number - 1) : NULL;
}

/* --- The walk ------------------------------------------------------------- */

static uint32_t *walk_at(const struct socket_table *t, size_t i) {
  return (uint32_t *)t->walk.at + i;
}

/* Moves `count` numbers to the end of the buffer: they are the last walk. */
static void walk_move(struct socket_table *t, size_t from, size_t count) {
  t->end = t->walk.size / sizeof(uint32_t);
  t->last = t->end - count;
  memmove(walk_at(t, t->last), walk_at(t, from), count * sizeof(uint32_t));
}

/* Leaves room in front of the last walk for an eighth more sockets. */
void socket_table_begin(struct socket_table *t) {
  size_t room = t->now + t->now / 8 + RECORDS_MIN;
  if (!buffer_resize(&t->walk, room * sizeof(uint32_t)) && t->walk.at == NULL)
    return;
  walk_move(t, 0, t->now);
  t->next = t->last;
  t->now = 0;
}

/* Makes room for more sockets than expected. Returns false if memory runs out.
 */
static bool walk_grow(struct socket_table *t) {
  size_t left = t->end - t->next, passed = t->next - t->last;
  if (!buffer_resize(&t->walk, t->walk.size + t->walk.size / 4 +
                                   RECORDS_MIN * sizeof(uint32_t)))
    return false;
  walk_move(t, t->next, left);
  t->next = t->last;
  t->last -= passed; /* the walk's virtual begin */
  return true;
}

/* Appends the record to this walk. If memory runs out, the walk lacks it, which
 * costs a look in the hash next time. */
static inline struct socket_record *walk_add(struct socket_table *t,
                                             uint32_t number) {
  struct socket_record *record = record_at(t, number);
  if (t->now >= t->next && !walk_grow(t))
    return record;
  record->order = (uint32_t)t->now;
  *walk_at(t, t->now++) = number;
  return record;
}

const struct socket_record *socket_table_ahead(const struct socket_table *t,
                                               uint32_t steps) {
  if (t->next + steps > t->end)
    return NULL;
  return record_at(t, *walk_at(t, t->next + steps - 1));
}

/* Continues after the position that the record had in the last walk. */
static void resume(struct socket_table *t, uint32_t number) {
  size_t at = t->last + record_at(t, number)->order;
  if (at >= t->next && at < t->end && *walk_at(t, at) == number)
    t->next = at + 1;
}

struct socket_record *socket_table_next(struct socket_table *t,
                                        uint64_t cookie) {
  for (size_t i = t->next; i < t->end && i < t->next + TRIES; i++) {
    uint32_t number = *walk_at(t, i);
    const struct socket_record *record = record_at(t, number);
    if (record->cookie != cookie || record->mark == 0)
      continue;
    t->next = i + 1;
    return walk_add(t, number);
  }
  uint32_t number = number_find(t, cookie);
  if (number == 0)
    return NULL;
  resume(t, number - 1);
  return walk_add(t, number - 1);
}

/* --- Adding and removing -------------------------------------------------- */

static bool records_grow(struct socket_table *t) {
  size_t capacity = t->records.size / t->size;
  if (t->record_end < capacity)
    return true;
  capacity = capacity < RECORDS_MIN ? RECORDS_MIN : capacity + capacity / 4;
  return buffer_resize(&t->records, capacity * t->size);
}

struct socket_record *socket_table_add(struct socket_table *t,
                                       uint64_t cookie) {
  if ((t->slots.at == NULL || !has_room(t->slot_mask + 1, t->used + 1)) &&
      !slots_rebuild(t, t->used + 1))
    return NULL;
  uint32_t number = t->free_record;
  if (number != 0) {
    t->free_record = (uint32_t)record_at(t, number - 1)->cookie;
  } else {
    if (!records_grow(t))
      return NULL;
    number = ++t->record_end;
  }
  *slot_at(t, slot_find(t, cookie)) =
      (struct slot){.record = number, .hash = hash_of(cookie)};
  struct socket_record *record = record_at(t, number - 1);
  memset(record, 0, t->size);
  record->cookie = cookie;
  record->mark = 1;
  t->used++;
  return walk_add(t, number - 1);
}

void socket_table_remove(struct socket_table *t, struct socket_record *record) {
  slot_remove(t, record->cookie);
  record->mark = 0;
  record->cookie = t->free_record;
  t->free_record = record_number(t, record) + 1;
  t->used--;
}

/* Replaces the last walk, whose numbers no longer hold, by the records' own
 * order: the best guess. */
static void walk_guess(struct socket_table *t) {
  t->now = 0;
  while (t->now < t->record_end && t->now < t->next) {
    record_at(t, (uint32_t)t->now)->order = (uint32_t)t->now;
    *walk_at(t, t->now) = (uint32_t)t->now;
    t->now++;
  }
}

void socket_table_compact(struct socket_table *t) {
  if (t->record_end <= 4 * RECORDS_MIN || t->used >= t->record_end / 2)
    return;
  uint32_t to = 0;
  for (uint32_t i = 0; i < t->record_end; i++) {
    if (record_at(t, i)->mark == 0)
      continue;
    if (to != i)
      memcpy(record_at(t, to), record_at(t, i), t->size);
    to++;
  }
  t->record_end = to;
  t->free_record = 0;
  walk_guess(t);
  buffer_resize(&t->records, (to < RECORDS_MIN ? RECORDS_MIN : to) * t->size);
  if (slots_rebuild(t, to))
    return;
  memset(t->slots.at, 0, t->slots.size);
  slots_fill(t);
}
