/* One row a socket, in an array that is filled in the order of the first dump:
 *
 *   cookie 8 | ends 4 | dump 4 | tags 4 x n | counters 8, 4 ... | padding
 *
 * A dump comes in nearly the same order each time, so the row behind the last
 * one is tried before the hash, and memory is walked in order. */
#include "track.h"

#include <stdlib.h>
#include <string.h>

struct row {
  uint64_t cookie; /* of a free row: the next free row, plus one */
  uint32_t ends;   /* check sum of addresses and ports, and ENDS_NO_INFO */
  uint32_t dump;   /* the dump that saw it last; 0: the row is free */
  uint32_t tag[];
};

/* In the baseline, and INFO has not come yet: its first one is the baseline. */
enum { ENDS_NO_INFO = 1 };

struct counter {
  enum field_id field;
  uint8_t block;
  uint16_t at; /* offset in it */
  uint8_t width;
  bool bytes;      /* counts bytes in 64 bits: never wraps */
  bool lasting;    /* goes on over a disconnect */
  uint32_t in_row; /* offset in the row */
};

struct track {
  struct counter *counter;
  size_t counter_count;
  size_t tag_count;
  uint32_t *no_tag; /* the tags of a socket that is not known */

  uint8_t *rows;
  size_t stride;
  uint32_t row_count; /* in use or free */
  uint32_t row_capacity;
  uint32_t free_row; /* plus one; 0: none */
  uint32_t live;

  uint32_t *slot; /* hash: row plus one; 0: empty */
  uint32_t slot_mask;

  uint32_t dump;     /* number of this dump */
  uint32_t complete; /* number of the last complete one; 0: none yet */
  uint32_t seen;     /* rows seen by this dump */
  uint32_t expected; /* the row that should come next */
};

enum { ROWS_MIN = 64 };

static struct row *row_at(const struct track *t, uint32_t i) {
  return (struct row *)(t->rows + (size_t)i * t->stride);
}

static uint32_t slot_of(const struct track *t, uint64_t cookie) {
  return (uint32_t)(cookie * 0x9e3779b97f4a7c15u >> 32) & t->slot_mask;
}

struct track *track_new(const enum field_id *field, size_t field_count,
                        size_t tag_count) {
  struct track *t = calloc(1, sizeof(*t));
  if (t == NULL)
    return NULL;
  t->counter = calloc(field_count + 1, sizeof(*t->counter));
  t->no_tag = calloc(tag_count + 1, sizeof(*t->no_tag));
  if (t->counter == NULL || t->no_tag == NULL) {
    track_free(t);
    return NULL;
  }
  t->tag_count = tag_count;

  /* The 8-byte counters stand first, so that all are aligned. */
  size_t at = (sizeof(struct row) + tag_count * sizeof(uint32_t) + 7) & ~7u;
  for (int wide = 1; wide >= 0; wide--) {
    for (size_t i = 0; i < field_count; i++) {
      const struct field *f = &field_table[field[i]];
      if ((f->width == 8) != wide)
        continue;
      t->counter[t->counter_count++] =
          (struct counter){.field = field[i],
                           .block = f->block,
                           .at = f->offset,
                           .width = f->width,
                           .bytes = wide && f->unit == UNIT_BYTES,
                           .lasting = f->lasting,
                           .in_row = (uint32_t)at};
      at += wide ? 8 : 4;
    }
  }
  t->stride = (at + 7) & ~(size_t)7;
  return t;
}

void track_free(struct track *t) {
  if (t == NULL)
    return;
  free(t->counter);
  free(t->no_tag);
  free(t->rows);
  free(t->slot);
  free(t);
}

void track_begin(struct track *t) {
  t->dump++;
  t->seen = 0;
  t->expected = 0;
}

size_t track_count(const struct track *t) { return t->live; }

/* The slot that holds `cookie`, or the empty one where it belongs. */
static uint32_t slot_find(const struct track *t, uint64_t cookie) {
  uint32_t s = slot_of(t, cookie);
  while (t->slot[s] != 0 && row_at(t, t->slot[s] - 1)->cookie != cookie)
    s = (s + 1) & t->slot_mask;
  return s;
}

static void slots_fill(struct track *t) {
  for (uint32_t i = 0; i < t->row_count; i++)
    if (row_at(t, i)->dump != 0)
      t->slot[slot_find(t, row_at(t, i)->cookie)] = i + 1;
}

/* A new hash with room for `rows`; false, and the old one, without memory. */
static bool slots_rebuild(struct track *t, uint32_t rows) {
  uint32_t size = 2 * ROWS_MIN;
  while (size / 2 < rows) /* at most half full */
    size *= 2;
  uint32_t *slot = calloc(size, sizeof(*slot));
  if (slot == NULL)
    return false;
  free(t->slot);
  t->slot = slot;
  t->slot_mask = size - 1;
  slots_fill(t);
  return true;
}

static bool rows_grow(struct track *t) {
  uint32_t capacity =
      t->row_capacity < ROWS_MIN ? ROWS_MIN : t->row_capacity / 4 * 5;
  uint8_t *rows = realloc(t->rows, capacity * t->stride);
  if (rows == NULL)
    return false;
  t->rows = rows;
  t->row_capacity = capacity;
  return true;
}

/* A free row for `cookie`, entered in the hash; NULL: out of memory. */
static struct row *row_new(struct track *t, uint64_t cookie) {
  if (t->slot == NULL || t->live >= (t->slot_mask + 1) / 2)
    if (!slots_rebuild(t, t->live + 1))
      return NULL;

  uint32_t i;
  if (t->free_row != 0) {
    i = t->free_row - 1;
    t->free_row = (uint32_t)row_at(t, i)->cookie;
  } else {
    if (t->row_count == t->row_capacity && !rows_grow(t))
      return NULL;
    i = t->row_count++;
  }
  t->slot[slot_find(t, cookie)] = i + 1;
  struct row *r = row_at(t, i);
  memset(r, 0, t->stride);
  r->cookie = cookie;
  t->live++;
  t->expected = i + 1;
  return r;
}

static struct row *row_find(struct track *t, uint64_t cookie) {
  uint32_t i = t->expected;
  if (i >= t->row_count || row_at(t, i)->cookie != cookie ||
      row_at(t, i)->dump == 0) {
    if (t->slot == NULL)
      return NULL;
    i = t->slot[slot_find(t, cookie)];
    if (i-- == 0)
      return NULL;
  }
  t->expected = i + 1;
  return row_at(t, i);
}

/* Takes the row out of the hash: what was pushed past it moves back. */
static void slot_remove(struct track *t, uint64_t cookie) {
  uint32_t hole = slot_find(t, cookie);
  for (uint32_t s = (hole + 1) & t->slot_mask; t->slot[s] != 0;
       s = (s + 1) & t->slot_mask) {
    uint32_t home = slot_of(t, row_at(t, t->slot[s] - 1)->cookie);
    if (((s - home) & t->slot_mask) >= ((s - hole) & t->slot_mask)) {
      t->slot[hole] = t->slot[s];
      hole = s;
    }
  }
  t->slot[hole] = 0;
}

static void row_remove(struct track *t, uint32_t i) {
  struct row *r = row_at(t, i);
  slot_remove(t, r->cookie);
  r->dump = 0;
  r->cookie = t->free_row;
  t->free_row = i + 1;
  t->live--;
}

static uint32_t ends_of(const struct subject *t) {
  uint64_t high, low;
  memcpy(&high, t->remote.bytes, sizeof(high));
  memcpy(&low, t->remote.bytes + 8, sizeof(low));
  uint64_t mix = (high * 0x9e3779b97f4a7c15u ^ low) * 0xff51afd7ed558ccdu;
  mix ^= ((uint64_t)t->local_port << 16 | t->remote_port) * 0xc4ceb9fe1a85ec53u;
  return (uint32_t)(mix >> 32) & ~(uint32_t)ENDS_NO_INFO;
}

static uint64_t load(const uint8_t *at, unsigned width) {
  uint64_t v8;
  uint32_t v4;
  uint16_t v2;
  switch (width) {
  case 8:
    memcpy(&v8, at, sizeof(v8));
    return v8;
  case 4:
    memcpy(&v4, at, sizeof(v4));
    return v4;
  default:
    memcpy(&v2, at, sizeof(v2));
    return v2;
  }
}

/* False, and 0, where the message has no such counter. */
static bool counter_get(const struct counter *c, const struct sample *s,
                        uint64_t *out) {
  const struct block *b = &s->block[c->block];
  bool there = b->bytes != NULL && (size_t)c->at + c->width <= b->size;
  *out = there ? load(b->bytes + c->at, c->width) : 0;
  return there;
}

static void store(uint8_t *at, uint64_t value, unsigned width) {
  uint32_t v4 = (uint32_t)value;
  if (width == 8)
    memcpy(at, &value, sizeof(value));
  else
    memcpy(at, &v4, sizeof(v4));
}

/* The growth from `old` to `now` modulo the counter's width. False where that
 * cannot be a growth: a 64-bit counter fell, or a smaller one "grew" by more
 * than half its range within one interval. */
static bool growth(uint64_t old, uint64_t now, unsigned width, uint64_t *out) {
  if (width == 8) {
    *out = now - old;
    return now >= old;
  }
  uint64_t range = (uint64_t)1 << 8 * width;
  *out = (now - old) & (range - 1);
  return *out < range / 2;
}

/* What is new of a counter, from `old` to `now`. A fall alone adds nothing: the
 * kernel counts busy_time and its like in 32 bits of jiffies (linux: struct
 * tcp_sock, chrono_stat), so they start again after some weeks. */
static uint64_t counter_growth(const struct counter *c, uint64_t old,
                               uint64_t now, bool *reset) {
  uint64_t delta;
  if (growth(old, now, c->width, &delta))
    return delta;
  *reset |= c->bytes;
  return 0;
}

/* Keeps the row's counters as they are now. `anew`: it is new, or was connected
 * anew, which a fall of a byte counter says, too. */
static void counters_update(const struct track *t, struct row *r,
                            const struct sample *s, bool anew,
                            struct track_seen *out) {
  uint64_t now[FIELD_COUNT];
  for (size_t i = 0; i < t->counter_count; i++) {
    const struct counter *c = &t->counter[i];
    uint8_t *kept = (uint8_t *)r + c->in_row;
    unsigned kept_width = c->width == 8 ? 8 : 4;
    uint64_t old = load(kept, kept_width);
    bool there = counter_get(c, s, &now[i]);
    out->delta[c->field] = 0;
    if (!there && (!anew || c->lasting))
      continue;
    out->delta[c->field] = counter_growth(c, old, now[i], &anew);
    store(kept, now[i], kept_width);
  }
  if (!anew)
    return;
  for (size_t i = 0; i < t->counter_count; i++)
    if (!t->counter[i].lasting)
      out->delta[t->counter[i].field] = now[i];
}

static void deltas_clear(const struct track *t, struct track_seen *out) {
  for (size_t i = 0; i < t->counter_count; i++)
    out->delta[t->counter[i].field] = 0;
}

/* All of the counters of a socket that has no row. */
static void deltas_whole(const struct track *t, const struct sample *s,
                         struct track_seen *out) {
  for (size_t i = 0; i < t->counter_count; i++) {
    const struct counter *c = &t->counter[i];
    counter_get(c, s, &out->delta[c->field]);
  }
}

static enum track_event row_event(const struct track *t, const struct row *r,
                                  uint32_t ends) {
  if (r->dump == 0)
    return t->complete == 0 ? TRACK_BASELINE : TRACK_NEW;
  if (r->dump == t->dump)
    return TRACK_REPEAT;
  if ((r->ends & ~(uint32_t)ENDS_NO_INFO) != ends)
    return TRACK_REUSED;
  return TRACK_KNOWN;
}

void track_see(struct track *t, const struct sample *s,
               struct track_seen *out) {
  uint32_t ends = ends_of(&s->subject);
  struct row *r = row_find(t, s->cookie);
  if (r == NULL)
    r = row_new(t, s->cookie);
  out->event = r != NULL ? row_event(t, r, ends) : TRACK_NO_MEMORY;
  if (out->event == TRACK_REPEAT || out->event == TRACK_NO_MEMORY)
    return;
  bool known = out->event == TRACK_KNOWN;
  out->dumps_ago = known && r->dump >= t->complete ? t->dump - r->dump : 0;

  /* A connection that is being set up has no past, whenever it is seen. */
  bool baseline =
      out->event == TRACK_BASELINE || (known && (r->ends & ENDS_NO_INFO));
  bool waits = baseline && s->info == NULL && s->state != TCP_STATE_SYN_RECV;
  counters_update(t, r, s, !known, out);
  if (baseline)
    deltas_clear(t, out);
  r->ends = ends | (waits ? ENDS_NO_INFO : 0);
  r->dump = t->dump;
  out->tag = r->tag;
  t->seen++;
}

void track_close(struct track *t, const struct sample *s, bool blank,
                 struct track_seen *out) {
  struct row *r = row_find(t, s->cookie);
  out->dumps_ago = 0;
  if (r == NULL) {
    memset(t->no_tag, 0, t->tag_count * sizeof(*t->no_tag));
    out->event = TRACK_NEW;
    out->tag = t->no_tag;
    if (blank)
      deltas_clear(t, out);
    else
      deltas_whole(t, s, out);
    return;
  }
  bool same =
      blank || (r->ends & ~(uint32_t)ENDS_NO_INFO) == ends_of(&s->subject);
  out->event = same ? TRACK_KNOWN : TRACK_REUSED;
  out->tag = r->tag; /* stays readable until the row is used again */
  if (!blank)
    counters_update(t, r, s, !same, out);
  if (blank || (same && (r->ends & ENDS_NO_INFO)))
    deltas_clear(t, out);
  row_remove(t, (uint32_t)(((uint8_t *)r - t->rows) / t->stride));
}

/* After many sockets closed: rows move together, memory is given back. */
static void rows_compact(struct track *t) {
  uint32_t to = 0;
  for (uint32_t i = 0; i < t->row_count; i++) {
    if (row_at(t, i)->dump == 0)
      continue;
    if (to != i)
      memcpy(row_at(t, to), row_at(t, i), t->stride);
    to++;
  }
  t->row_count = to;
  t->free_row = 0;
  uint32_t capacity = to < ROWS_MIN ? ROWS_MIN : to;
  uint8_t *rows = realloc(t->rows, capacity * t->stride);
  if (rows != NULL) {
    t->rows = rows;
    t->row_capacity = capacity;
  }
  if (!slots_rebuild(t, to)) {
    memset(t->slot, 0, (t->slot_mask + (size_t)1) * sizeof(*t->slot));
    slots_fill(t);
  }
}

void track_end(struct track *t, track_gone_cb *gone, void *data) {
  uint32_t before = t->complete;
  t->complete = t->dump;
  for (uint32_t i = 0; t->seen < t->live && i < t->row_count; i++) {
    struct row *r = row_at(t, i);
    if (r->dump == 0 || r->dump >= before)
      continue;
    if (!gone(r->tag, data))
      row_remove(t, i);
  }
  if (t->row_count > 4 * ROWS_MIN && t->live < t->row_count / 2)
    rows_compact(t);
}

void track_restart(struct track *t, track_gone_cb *gone, void *data) {
  for (uint32_t i = 0; i < t->row_count; i++)
    if (row_at(t, i)->dump != 0)
      gone(row_at(t, i)->tag, data);
  free(t->rows);
  free(t->slot);
  t->rows = NULL;
  t->slot = NULL;
  t->row_count = t->row_capacity = t->live = 0;
  t->free_row = 0;
  t->complete = 0;
}
