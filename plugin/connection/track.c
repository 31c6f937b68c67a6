/* One record for each socket (socket_table.h), 64 bytes with the default
 * metrics:
 *
 *   cookie 8 | dump 4 | order 4 | ends 4 | owner's part | counters 8 ... 4 ...
 *
 * The mark of a record is the number of the dump that last saw the socket. */
#include "connection/track.h"

#include "connection/destroy_event.h"
#include "connection/socket_table.h"

#include <stdlib.h>
#include <string.h>

struct tracked {
  struct socket_record record;
  uint32_t ends; /* check sum of addresses and ports, and ENDS_FLAGS */
  uint32_t owner[];
};

/* Flags. NO_INFO: the socket was in the baseline without struct tcp_info: the
 * first tcp_info that comes is its baseline. MINI: the last message had none.
 * BARE: no message of these ends had one.
 */
enum {
  ENDS_NO_INFO = 1,
  ENDS_MINI = 2,
  ENDS_BARE = 4,
  ENDS_FLAGS = ENDS_NO_INFO | ENDS_MINI | ENDS_BARE,
};

/* The mark of a record that socket_table_add() has just made; numbers of dumps
 * are higher. */
enum { MARK_NEW = 1 };

/* The ways to keep a counter in a record. Counters stand in this order. */
enum kept {
  KEPT_64,
  /* A time in microseconds, as milliseconds in 32 bits. The kernel counts such
   * a time in 32 bits of jiffies (linux: include/linux/tcp.h, struct tcp_sock,
   * chrono_stat); a jiffy is a whole number of milliseconds, with HZ=300
   * nearly. */
  KEPT_MS,
  KEPT_32,
  KEPT_KINDS,
};

struct counter {
  enum field_id field;
  uint8_t block;
  uint16_t at; /* offset in the block */
  uint8_t width;
  uint8_t kept;       /* enum kept */
  bool bytes;         /* counts bytes in 64 bits: never wraps */
  bool lasting;       /* tcp_disconnect() does not clear it */
  uint32_t in_record; /* offset in the record */
};

struct track {
  /* The plain counters come first: those of struct tcp_info with 32 bits or
   * more, in runs by enum kept; plain[k] is the end of run k. */
  struct counter *counter;
  size_t counter_count;
  size_t plain[KEPT_KINDS];
  size_t plain_size; /* bytes of a struct tcp_info that has all plain ones */
  bool all_plain;    /* every counter is plain */
  size_t owner_size; /* bytes */
  void *no_owner;    /* owner's part of a socket without a record */
  uint64_t delta[FIELD_COUNT];    /* see struct track_seen */
  bool no_delta;                  /* all of `delta` is 0 */
  uint64_t replaced[FIELD_COUNT]; /* see struct track_seen */
  struct socket_table *table;

  uint32_t dump;     /* number of this dump */
  uint32_t complete; /* number of the last complete dump; 0: none yet */
  size_t seen;       /* sockets seen by this dump */
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
                       .in_record = (uint32_t)*at};
  *at += kept == KEPT_64 ? 8 : 4;
  if (is_plain(f) && t->plain_size < (size_t)f->offset + f->width)
    t->plain_size = (size_t)f->offset + f->width;
}

/* Lays out the records. Returns their size in bytes. */
static size_t counters_make(struct track *t, const enum field_id *field,
                            size_t field_count) {
  size_t at = offsetof(struct tracked, owner) + t->owner_size;
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
                        size_t owner_size) {
  struct track *t = calloc(1, sizeof(*t));
  if (t == NULL)
    return NULL;
  t->counter = calloc(field_count + 1, sizeof(*t->counter));
  t->no_owner = calloc(1, owner_size + 1);
  t->owner_size = owner_size;
  t->dump = MARK_NEW;
  if (t->counter != NULL)
    t->table = socket_table_new(counters_make(t, field, field_count));
  if (t->no_owner != NULL && t->table != NULL)
    return t;
  track_free(t);
  return NULL;
}

void track_free(struct track *t) {
  if (t == NULL)
    return;
  free(t->counter);
  free(t->no_owner);
  socket_table_free(t->table);
  free(t);
}

void track_begin(struct track *t) {
  t->dump++;
  t->seen = 0;
  socket_table_begin(t->table);
}

size_t track_count(const struct track *t) {
  return socket_table_count(t->table);
}

/* Returns a check sum of the ends. It is compared only with that of a socket of
 * the same cookie, so it needs no key: a peer gains nothing by a false match.
 */
static uint32_t ends_of(const struct socket_attrs *a) {
  uint64_t high, low;
  memcpy(&high, a->remote.bytes, sizeof(high));
  memcpy(&low, a->remote.bytes + 8, sizeof(low));
  uint64_t mix = (high * 0x9e3779b97f4a7c15u ^ low) * 0xff51afd7ed558ccdu;
  mix ^= ((uint64_t)a->local_port << 16 | a->remote_port) * 0xc4ceb9fe1a85ec53u;
  return (uint32_t)(mix >> 32) & ~(uint32_t)ENDS_FLAGS;
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

/* Returns false, and 0 in `out`, if the message lacks the counter. */
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

/* Returns the growth of a counter of `bits` bits. A difference of more than
 * half its range is a fall, which counts as 0. */
static uint32_t growth(uint32_t old, uint32_t now, unsigned bits) {
  uint32_t half = (uint32_t)1 << (bits - 1);
  uint32_t delta = (now - old) & (half - 1 + half);
  return delta < half ? delta : 0;
}

/* Each of the next three functions stores the counter in the record and returns
 * its growth. A fall counts as 0; if a byte counter fell, the program connected
 * the socket again. */
static inline uint64_t keep_64(const struct counter *c, uint8_t *kept,
                               uint64_t now, bool *reset) {
  uint64_t old = load_64(kept);
  memcpy(kept, &now, sizeof(now));
  if (now >= old)
    return now - old;
  *reset |= c->bytes;
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

/* Stores a counter of any kind, if the message has it. */
static void counter_update(const struct counter *c, struct tracked *e,
                           const struct sample *s, bool anew, bool *reset,
                           uint64_t *delta) {
  uint8_t *kept = (uint8_t *)e + c->in_record;
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

/* Returns whether the message has all plain counters. */
static bool has_plain(const struct track *t, const struct sample *s) {
  return s->info != NULL && s->info_size >= t->plain_size;
}

/* Compares the plain counters of such a message with the record. */
static bool plain_equal(const struct track *t, const uint8_t *kept,
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

/* Stores the plain counters of such a message. Returns whether a byte counter
 * fell. */
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

/* Before Linux 4.19 the message does not tell, except of a connection that was
 * never established: that has sent only SYNs. */
static bool retransmits_data(const struct sample *s) {
  uint64_t bytes;
  if (s->state == TCP_STATE_SYN_SENT)
    return false;
  if (sample_get(s, FIELD_BYTES_RETRANS, &bytes))
    return bytes != 0;
  return s->state != TCP_STATE_CLOSE || !destroy_event_has_failed(s);
}

static void data_retrans_derive(struct track *t, const struct sample *s) {
  uint64_t retrans = t->delta[FIELD_TOTAL_RETRANS];
  bool of_data = retrans != 0 && s->info != NULL && retransmits_data(s);
  t->delta[FIELD_DATA_RETRANS] = of_data ? retrans : 0;
}

/* Takes the whole counters for growth; the lasting ones only if `lasting`. */
static void deltas_whole(struct track *t, const struct sample *s,
                         bool lasting) {
  t->no_delta = false;
  for (size_t i = 0; i < t->counter_count; i++)
    if (lasting || !t->counter[i].lasting)
      counter_get(&t->counter[i], s, &t->delta[t->counter[i].field]);
}

static void deltas_clear(struct track *t) {
  t->no_delta = true;
  t->delta[FIELD_DATA_RETRANS] = 0;
  for (size_t i = 0; i < t->counter_count; i++)
    t->delta[t->counter[i].field] = 0;
}

static bool deltas_are_zero(const struct track *t) {
  uint64_t any = 0;
  for (size_t i = 0; i < t->counter_count; i++)
    any |= t->delta[t->counter[i].field];
  return any == 0;
}

static uint8_t *kept_at(const struct track *t, struct tracked *e) {
  return (uint8_t *)e->owner + t->owner_size;
}

/* Not inlined, so that counters_update(), which runs for each socket, stays
 * short. */
__attribute__((noinline)) static bool counters_keep(struct track *t,
                                                    struct tracked *e,
                                                    const struct sample *s,
                                                    bool anew) {
  bool reset = anew;
  size_t i = 0;
  if (has_plain(t, s)) {
    reset |= plain_update(t, kept_at(t, e), s->info);
    i = t->plain[KEPT_32];
  }
  for (; i < t->counter_count; i++)
    counter_update(&t->counter[i], e, s, anew, &reset,
                   &t->delta[t->counter[i].field]);
  if (reset)
    deltas_whole(t, s, e->record.mark == MARK_NEW);
  data_retrans_derive(t, s);
  t->no_delta = deltas_are_zero(t);
  return reset || !t->no_delta;
}

/* Stores the counters. Returns whether any of them grew. `anew`: the record is
 * new, or its socket was connected again (a fall of a byte counter shows that,
 * too). Most sockets did nothing since the last dump; for these one comparison
 * is enough. Gain at a million sockets, a tenth of them with traffic: 1.2 % of
 * a read's CPU time. */
static inline bool counters_update(struct track *t, struct tracked *e,
                                   const struct sample *s, bool anew) {
  if (!anew && t->no_delta && t->all_plain && has_plain(t, s) &&
      plain_equal(t, kept_at(t, e), s->info))
    return false;
  return counters_keep(t, e, s, anew);
}

void track_counters(const struct track *t, const void *owner, uint64_t *out) {
  const uint8_t *record =
      (const uint8_t *)owner - offsetof(struct tracked, owner);
  for (size_t i = 0; i < t->counter_count; i++) {
    const struct counter *c = &t->counter[i];
    const uint8_t *kept = record + c->in_record;
    out[c->field] = c->kept == KEPT_64   ? load_64(kept)
                    : c->kept == KEPT_MS ? (uint64_t)load_32(kept) * 1000
                                         : load_32(kept);
  }
}

/* --- Sockets -------------------------------------------------------------- */

static bool same_ends(const struct tracked *e, uint32_t ends) {
  return (e->ends & ~(uint32_t)ENDS_FLAGS) == ends;
}

static enum track_event event_of(const struct track *t, const struct tracked *e,
                                 uint32_t ends) {
  if (e->record.mark == MARK_NEW)
    return t->complete == 0 ? TRACK_BASELINE : TRACK_NEW;
  if (e->record.mark == t->dump)
    return TRACK_REPEAT;
  return same_ends(e, ends) ? TRACK_KNOWN : TRACK_REUSED;
}

/* Saves the last counters of a connection whose socket was connected again. */
static const uint64_t *replaced_save(struct track *t, enum track_event event,
                                     const struct tracked *e) {
  if (event != TRACK_REUSED)
    return NULL;
  track_counters(t, e->owner, t->replaced);
  return t->replaced;
}

void track_see(struct track *t, const struct sample *s,
               struct track_seen *out) {
  uint32_t ends = ends_of(&s->attrs);
  struct tracked *e = (struct tracked *)socket_table_next(t->table, s->cookie);
  if (e == NULL)
    e = (struct tracked *)socket_table_add(t->table, s->cookie);
  out->event = e != NULL ? event_of(t, e, ends) : TRACK_NO_MEMORY;
  if (out->event == TRACK_REPEAT || out->event == TRACK_NO_MEMORY)
    return;
  bool known = out->event == TRACK_KNOWN;
  out->replaced = replaced_save(t, out->event, e);
  bool old = known || out->event == TRACK_REUSED;
  out->dumps_since = old ? t->dump - e->record.mark : 0;
  out->missed = old && e->record.mark < t->complete;
  out->dumps_ago = known && !out->missed ? out->dumps_since : 0;
  out->mini_before = old && (e->ends & ENDS_MINI);

  /* A connection in SYN_RECV has no past, whenever a dump first shows it. */
  bool baseline =
      out->event == TRACK_BASELINE || (known && (e->ends & ENDS_NO_INFO));
  bool waits = baseline && s->info == NULL && s->state != TCP_STATE_SYN_RECV;
  out->changed = counters_update(t, e, s, !known);
  if (baseline)
    deltas_clear(t);
  out->first = !known || (e->ends & ENDS_BARE);
  uint32_t mini = out->first ? ENDS_MINI | ENDS_BARE : ENDS_MINI;
  e->ends = ends | (waits ? ENDS_NO_INFO : 0) | (s->info == NULL ? mini : 0);
  e->record.mark = t->dump;
  out->delta = t->delta;
  out->owner = e->owner;
  t->seen++;
}

const void *track_ahead(const struct track *t, unsigned sockets) {
  const struct tracked *e =
      (const struct tracked *)socket_table_ahead(t->table, sockets);
  return e != NULL ? e->owner : NULL;
}

void track_close(struct track *t, const struct sample *s, bool disconnected,
                 struct track_seen *out) {
  struct tracked *e = (struct tracked *)socket_table_find(t->table, s->cookie);
  out->dumps_ago = 0;
  out->dumps_since = e != NULL ? t->dump - e->record.mark : 0;
  out->missed = e != NULL && e->record.mark < t->complete;
  out->mini_before = e != NULL && (e->ends & ENDS_MINI);
  out->delta = t->delta;
  out->replaced = NULL;
  if (e == NULL) {
    memset(t->no_owner, 0, t->owner_size);
    out->event = TRACK_NEW;
    out->first = true;
    out->owner = t->no_owner;
    deltas_clear(t);
    if (!disconnected) {
      deltas_whole(t, s, true);
      data_retrans_derive(t, s);
    }
    return;
  }
  bool same = disconnected || same_ends(e, ends_of(&s->attrs));
  out->event = same ? TRACK_KNOWN : TRACK_REUSED;
  out->first = !same || (e->ends & ENDS_BARE);
  out->replaced = replaced_save(t, out->event, e);
  out->owner = e->owner; /* readable until the record is used again */
  if (!disconnected)
    out->changed = counters_update(t, e, s, !same);
  if (disconnected || (same && (e->ends & ENDS_NO_INFO)))
    deltas_clear(t);
  socket_table_remove(t->table, &e->record);
}

void track_end(struct track *t, track_gone_cb *gone, void *data) {
  uint32_t before = t->complete;
  t->complete = t->dump;
  for (uint32_t i = 0;
       t->seen < track_count(t) && i < socket_table_end(t->table); i++) {
    struct socket_record *r = socket_table_at(t->table, i);
    if (r == NULL || r->mark >= before)
      continue;
    if (!gone(r->cookie, ((struct tracked *)r)->owner, data))
      socket_table_remove(t->table, r);
  }
  socket_table_compact(t->table);
}

void track_restart(struct track *t, track_gone_cb *gone, void *data) {
  for (uint32_t i = 0; i < socket_table_end(t->table); i++) {
    struct socket_record *r = socket_table_at(t->table, i);
    if (r != NULL)
      gone(r->cookie, ((struct tracked *)r)->owner, data);
  }
  socket_table_clear(t->table);
  t->complete = 0;
}
