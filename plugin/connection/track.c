/* A row a socket (rows.h), 64 bytes of it with the default metrics:
 *
 *   cookie 8 | dump 4 | place 4 | ends 4 | tags 4 x n | counters 8 ... 4 ...
 *
 * The mark of a row is the dump that saw it last. */
#include "connection/track.h"

#include "connection/socket_table.h"

#include <stdlib.h>
#include <string.h>

struct entry {
  struct socket_row row;
  uint32_t ends; /* check sum of addresses and ports, and ENDS_NO_INFO */
  uint32_t tag[];
};

/* In the baseline, and INFO has not come yet: its first one is the baseline. */
enum { ENDS_NO_INFO = 1 };

/* What socket_table_add() marks is a new row; dumps have higher numbers. */
enum { MARK_NEW = 1 };

/* How a counter is kept in a row, in this order. */
enum kept {
  KEPT_64,
  /* Of a time in microseconds: milliseconds, in 32 bits. The kernel counts it
   * in 32 bits of jiffies (linux: struct tcp_sock, chrono_stat), of which a
   * millisecond is a whole part or, with HZ=300, nearly. */
  KEPT_MS,
  KEPT_32,
  KEPT_KINDS,
};

struct counter {
  enum field_id field;
  uint8_t block;
  uint16_t at; /* offset in it */
  uint8_t width;
  uint8_t kept;    /* enum kept */
  bool bytes;      /* counts bytes in 64 bits: never wraps */
  bool lasting;    /* goes on over a disconnect */
  uint32_t in_row; /* offset in the row */
};

struct track {
  /* First the plain ones: of struct tcp_info, and 32 bits at least; each kept
   * as the ends of its run say. */
  struct counter *counter;
  size_t counter_count;
  size_t plain[KEPT_KINDS];
  size_t plain_size; /* so long a struct tcp_info has all plain ones */
  bool all_plain;    /* there are no others */
  size_t tag_count;
  uint32_t *no_tag;            /* the tags of a socket that is not known */
  uint64_t delta[FIELD_COUNT]; /* as track_seen has it */
  bool still;                  /* all of that is 0 */
  struct socket_table *rows;

  uint32_t dump;     /* number of this dump */
  uint32_t complete; /* number of the last complete one; 0: none yet */
  size_t seen;       /* rows seen by this dump */
};

static enum kept kept_of(const struct field *f) {
  if (f->width < 8)
    return KEPT_32;
  return f->unit == UNIT_US ? KEPT_MS : KEPT_64;
}

static bool is_plain(const struct field *f) {
  return f->block == BLOCK_INFO && f->width >= 4;
}

static void counter_add(struct track *t, enum field_id id, size_t *at) {
  const struct field *f = &field_table[id];
  enum kept kept = kept_of(f);
  t->counter[t->counter_count++] =
      (struct counter){.field = id,
                       .block = f->block,
                       .at = f->offset,
                       .width = f->width,
                       .kept = (uint8_t)kept,
                       .bytes = kept == KEPT_64 && f->unit == UNIT_BYTES,
                       .lasting = f->lasting,
                       .in_row = (uint32_t)*at};
  *at += kept == KEPT_64 ? 8 : 4;
  if (is_plain(f) && t->plain_size < (size_t)f->offset + f->width)
    t->plain_size = (size_t)f->offset + f->width;
}

/* Lays the rows out: their size. */
static size_t counters_make(struct track *t, const enum field_id *field,
                            size_t field_count) {
  size_t at = offsetof(struct entry, tag) + t->tag_count * sizeof(uint32_t);
  for (int kept = 0; kept < KEPT_KINDS; kept++) {
    for (size_t i = 0; i < field_count; i++)
      if (is_plain(&field_table[field[i]]) &&
          kept_of(&field_table[field[i]]) == (enum kept)kept)
        counter_add(t, field[i], &at);
    t->plain[kept] = t->counter_count;
  }
  for (size_t i = 0; i < field_count; i++)
    if (!is_plain(&field_table[field[i]]))
      counter_add(t, field[i], &at);
  t->all_plain = t->counter_count == t->plain[KEPT_32];
  return (at + 7) & ~(size_t)7;
}

struct track *track_new(const enum field_id *field, size_t field_count,
                        size_t tag_count) {
  struct track *t = calloc(1, sizeof(*t));
  if (t == NULL)
    return NULL;
  t->counter = calloc(field_count + 1, sizeof(*t->counter));
  t->no_tag = calloc(tag_count + 1, sizeof(*t->no_tag));
  t->tag_count = tag_count;
  t->dump = MARK_NEW;
  if (t->counter != NULL)
    t->rows = socket_table_new(counters_make(t, field, field_count));
  if (t->no_tag != NULL && t->rows != NULL)
    return t;
  track_free(t);
  return NULL;
}

void track_free(struct track *t) {
  if (t == NULL)
    return;
  free(t->counter);
  free(t->no_tag);
  socket_table_free(t->rows);
  free(t);
}

void track_begin(struct track *t) {
  t->dump++;
  t->seen = 0;
  socket_table_begin(t->rows);
}

size_t track_count(const struct track *t) {
  return socket_table_count(t->rows);
}

/* A checksum: only compared with an earlier one under the same cookie, so that
 * it needs no secret and no hash for tables. */
static uint32_t ends_of(const struct socket_attrs *t) {
  uint64_t high, low;
  memcpy(&high, t->remote.bytes, sizeof(high));
  memcpy(&low, t->remote.bytes + 8, sizeof(low));
  uint64_t mix = (high * 0x9e3779b97f4a7c15u ^ low) * 0xff51afd7ed558ccdu;
  mix ^= ((uint64_t)t->local_port << 16 | t->remote_port) * 0xc4ceb9fe1a85ec53u;
  return (uint32_t)(mix >> 32) & ~(uint32_t)ENDS_NO_INFO;
}

/* --- Counters ------------------------------------------------------------- */

static uint64_t load_64(const void *at) {
  uint64_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

static uint32_t load_32(const void *at) {
  uint32_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

static uint16_t load_16(const void *at) {
  uint16_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

/* False, and 0, where the message has no such counter. */
static bool counter_get(const struct counter *c, const struct sample *s,
                        uint64_t *out) {
  const struct block *b = &s->block[c->block];
  *out = 0;
  if (b->bytes == NULL || (size_t)c->at + c->width > b->size)
    return false;
  const uint8_t *at = b->bytes + c->at;
  *out = c->width == 8   ? load_64(at)
         : c->width == 4 ? load_32(at)
                         : load_16(at);
  return true;
}

/* The growth of a counter of so many bits, 0 where it cannot be one: it "grew"
 * by more than half its range since it was last seen. */
static uint32_t growth(uint32_t old, uint32_t now, unsigned bits) {
  uint32_t half = (uint32_t)1 << (bits - 1);
  uint32_t delta = (now - old) & (half - 1 + half);
  return delta < half ? delta : 0;
}

/* The three ways to keep a counter: stores it, and returns what is new. A fall
 * alone adds nothing, but one of a byte counter says that the socket was
 * connected anew. */
static inline uint64_t keep_64(const struct counter *c, uint8_t *kept,
                               uint64_t now, bool *anew) {
  uint64_t old = load_64(kept);
  memcpy(kept, &now, sizeof(now));
  if (now >= old)
    return now - old;
  *anew |= c->bytes;
  return 0;
}

static inline uint64_t keep_ms(uint8_t *kept, uint64_t now) {
  uint32_t old = load_32(kept), now_ms = (uint32_t)(now / 1000);
  memcpy(kept, &now_ms, sizeof(now_ms));
  return (uint64_t)growth(old, now_ms, 32) * 1000;
}

static inline uint64_t keep_32(uint8_t *kept, uint32_t now, unsigned bits) {
  uint32_t old = load_32(kept);
  memcpy(kept, &now, sizeof(now));
  return growth(old, now, bits);
}

/* Any counter, if the message has it. */
static void counter_update(const struct counter *c, struct entry *e,
                           const struct sample *s, bool anew, bool *reset,
                           uint64_t *delta) {
  uint8_t *kept = (uint8_t *)e + c->in_row;
  uint64_t now;
  *delta = 0;
  if (!counter_get(c, s, &now) && (!anew || c->lasting))
    return;
  if (c->kept == KEPT_64)
    *delta = keep_64(c, kept, now, reset);
  else if (c->kept == KEPT_MS)
    *delta = keep_ms(kept, now);
  else
    *delta = keep_32(kept, (uint32_t)now, 8u * c->width);
}

/* Whether a message that has all of the plain ones, which stand first, says
 * what is kept of them. */
static bool plain_same(const struct track *t, const uint8_t *kept,
                       const uint8_t *info) {
  const struct counter *c = t->counter;
  const struct counter *end = c + t->plain[KEPT_64];
  uint64_t differ = 0;
  for (; c < end; c++, kept += sizeof(uint64_t))
    differ |= load_64(kept) ^ load_64(info + c->at);
  end = t->counter + t->plain[KEPT_MS];
  for (; c < end; c++, kept += sizeof(uint32_t))
    differ |= load_32(kept) ^ (uint32_t)(load_64(info + c->at) / 1000);
  end = t->counter + t->plain[KEPT_32];
  for (; c < end; c++, kept += sizeof(uint32_t))
    differ |= load_32(kept) ^ load_32(info + c->at);
  return differ == 0;
}

/* Keeps the plain ones of such a message: whether one that counts bytes fell.
 */
static bool plain_update(struct track *t, uint8_t *kept, const uint8_t *info) {
  const struct counter *c = t->counter;
  const struct counter *end = c + t->plain[KEPT_64];
  bool reset = false;
  for (; c < end; c++, kept += sizeof(uint64_t))
    t->delta[c->field] = keep_64(c, kept, load_64(info + c->at), &reset);
  end = t->counter + t->plain[KEPT_MS];
  for (; c < end; c++, kept += sizeof(uint32_t))
    t->delta[c->field] = keep_ms(kept, load_64(info + c->at));
  end = t->counter + t->plain[KEPT_32];
  for (; c < end; c++, kept += sizeof(uint32_t))
    t->delta[c->field] = keep_32(kept, load_32(info + c->at), 32);
  return reset;
}

/* All of the counters, but for the lasting ones where those are known. */
static void deltas_whole(struct track *t, const struct sample *s,
                         bool lasting) {
  t->still = false;
  for (size_t i = 0; i < t->counter_count; i++)
    if (lasting || !t->counter[i].lasting)
      counter_get(&t->counter[i], s, &t->delta[t->counter[i].field]);
}

static void deltas_clear(struct track *t) {
  t->still = true;
  for (size_t i = 0; i < t->counter_count; i++)
    t->delta[t->counter[i].field] = 0;
}

static bool deltas_are_zero(const struct track *t) {
  uint64_t any = 0;
  for (size_t i = 0; i < t->counter_count; i++)
    any |= t->delta[t->counter[i].field];
  return any == 0;
}

/* Whether the message has all of the plain ones. */
static bool is_whole(const struct track *t, const struct sample *s) {
  return s->info != NULL && s->info_size >= t->plain_size;
}

static uint8_t *kept_at(const struct track *t, struct entry *e) {
  return (uint8_t *)&e->tag[t->tag_count];
}

/* Apart from counters_update(), which is short without it. */
__attribute__((noinline)) static bool counters_keep(struct track *t,
                                                    struct entry *e,
                                                    const struct sample *s,
                                                    bool anew) {
  bool reset = anew;
  size_t i = 0;
  if (is_whole(t, s)) {
    reset |= plain_update(t, kept_at(t, e), s->info);
    i = t->plain[KEPT_32];
  }
  for (; i < t->counter_count; i++)
    counter_update(&t->counter[i], e, s, anew, &reset,
                   &t->delta[t->counter[i].field]);
  if (reset)
    deltas_whole(t, s, e->row.mark == MARK_NEW);
  t->still = deltas_are_zero(t);
  return reset || !t->still;
}

/* Keeps the counters as they are now: whether something is new. `anew`: the row
 * is new, or its socket was connected anew, which a fall of a byte counter
 * says, too. Most sockets do nothing most of the time. */
static inline bool counters_update(struct track *t, struct entry *e,
                                   const struct sample *s, bool anew) {
  if (!anew && t->still && t->all_plain && is_whole(t, s) &&
      plain_same(t, kept_at(t, e), s->info))
    return false;
  return counters_keep(t, e, s, anew);
}

/* --- Sockets -------------------------------------------------------------- */

static bool same_ends(const struct entry *e, uint32_t ends) {
  return (e->ends & ~(uint32_t)ENDS_NO_INFO) == ends;
}

static enum track_event event_of(const struct track *t, const struct entry *e,
                                 uint32_t ends) {
  if (e->row.mark == MARK_NEW)
    return t->complete == 0 ? TRACK_BASELINE : TRACK_NEW;
  if (e->row.mark == t->dump)
    return TRACK_REPEAT;
  return same_ends(e, ends) ? TRACK_KNOWN : TRACK_REUSED;
}

void track_see(struct track *t, const struct sample *s,
               struct track_seen *out) {
  uint32_t ends = ends_of(&s->attrs);
  struct entry *e = (struct entry *)socket_table_next(t->rows, s->cookie);
  if (e == NULL)
    e = (struct entry *)socket_table_add(t->rows, s->cookie);
  out->event = e != NULL ? event_of(t, e, ends) : TRACK_NO_MEMORY;
  if (out->event == TRACK_REPEAT || out->event == TRACK_NO_MEMORY)
    return;
  bool known = out->event == TRACK_KNOWN;
  out->dumps_ago =
      known && e->row.mark >= t->complete ? t->dump - e->row.mark : 0;

  /* A connection that is being set up has no past, whenever it is seen. */
  bool baseline =
      out->event == TRACK_BASELINE || (known && (e->ends & ENDS_NO_INFO));
  bool waits = baseline && s->info == NULL && s->state != TCP_STATE_SYN_RECV;
  out->changed = counters_update(t, e, s, !known);
  if (baseline)
    deltas_clear(t);
  e->ends = ends | (waits ? ENDS_NO_INFO : 0);
  e->row.mark = t->dump;
  out->delta = t->delta;
  out->tag = e->tag;
  t->seen++;
}

const uint32_t *track_ahead(const struct track *t, unsigned sockets) {
  const struct entry *e =
      (const struct entry *)socket_table_ahead(t->rows, sockets);
  return e != NULL ? e->tag : NULL;
}

void track_close(struct track *t, const struct sample *s, bool blank,
                 struct track_seen *out) {
  struct entry *e = (struct entry *)socket_table_find(t->rows, s->cookie);
  out->dumps_ago = 0;
  out->delta = t->delta;
  if (e == NULL) {
    memset(t->no_tag, 0, t->tag_count * sizeof(*t->no_tag));
    out->event = TRACK_NEW;
    out->tag = t->no_tag;
    if (blank)
      deltas_clear(t);
    else
      deltas_whole(t, s, true);
    return;
  }
  bool same = blank || same_ends(e, ends_of(&s->attrs));
  out->event = same ? TRACK_KNOWN : TRACK_REUSED;
  out->tag = e->tag; /* stays readable until the row is used again */
  if (!blank)
    out->changed = counters_update(t, e, s, !same);
  if (blank || (same && (e->ends & ENDS_NO_INFO)))
    deltas_clear(t);
  socket_table_remove(t->rows, &e->row);
}

void track_end(struct track *t, track_gone_cb *gone, void *data) {
  uint32_t before = t->complete;
  t->complete = t->dump;
  for (uint32_t i = 0;
       t->seen < track_count(t) && i < socket_table_end(t->rows); i++) {
    struct socket_row *r = socket_table_at(t->rows, i);
    if (r == NULL || r->mark >= before)
      continue;
    if (!gone(((struct entry *)r)->tag, data))
      socket_table_remove(t->rows, r);
  }
  socket_table_compact(t->rows);
}

void track_restart(struct track *t, track_gone_cb *gone, void *data) {
  for (uint32_t i = 0; i < socket_table_end(t->rows); i++) {
    struct socket_row *r = socket_table_at(t->rows, i);
    if (r != NULL)
      gone(((struct entry *)r)->tag, data);
  }
  socket_table_clear(t->rows);
  t->complete = 0;
}
