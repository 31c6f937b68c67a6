#include "ledger.h"

#include "places.h"
#include "track.h"

#include <stdlib.h>
#include <string.h>

/* The words that track keeps with each socket: a set of enum bits; a hash of
 * the traits that its places depend on; its place in each group. */
enum { TAG_BITS, TAG_TRAITS, TAG_PLACES };

enum {
  BIT_PLACED = 1,  /* it has its places */
  BIT_INBOUND = 2, /* the host listened on its port at first sight */
  BIT_OPEN = 4,    /* counts as open: its end counts as closed */
  BIT_PENDING = 8, /* only seen in SYN_SENT */
  BIT_ENDING = 16, /* in TIME_WAIT; its event must be on its way */
  BIT_ENDED = 32,  /* has left its places; its event may come, or not */
  BIT_REST = 64,   /* a mini socket in the first dump: not open to us */
};

enum {
  BEGINS = 16,   /* dumps whose begin is remembered */
  JIFFY_MS = 10, /* what tcp_info tells times in, at most (linux: HZ >= 100) */
  MINI_MS = 60000, /* a mini socket's life (linux: TCP_TIMEWAIT_LEN) */
};

/* What is remembered where no dump succeeds any more. */
enum { FORGET_ABOVE = 65536, FORGET_AFTER = 8 };

struct ledger {
  struct places places;
  uint32_t states;
  unsigned traits;
  unsigned interval_ms;
  struct track *track;
  struct track_seen seen;
  struct ledger_sums sums;
  uint8_t listening[(UINT16_MAX + 1) / 8]; /* ports, a bit each */
  bool no_memory;                          /* in this dump */

  uint32_t dump;          /* number of this one, from 1 */
  uint32_t complete;      /* number of the last complete one; 0: none yet */
  uint64_t begin[BEGINS]; /* of the last dumps, ms; by number */
  uint64_t end_ms;        /* of the last complete one */
  uint64_t active_ms;     /* from the last complete one to this */
  size_t complete_count;  /* sockets remembered after it */
  unsigned failures;      /* since then */

  bool followed;
  uint32_t followed_from; /* the first dump that began so */
  uint32_t followed_to;   /* the first one after that; 0: there was none */
  uint64_t followed_ms;   /* when that one began */
  uint64_t clear_ms;      /* a socket with an ACK since then, and not known, was
                             never counted */
};

static struct track *track_make(struct group *const *group, size_t group_count,
                                bool info) {
  bool wanted[FIELD_COUNT] = {false};
  for (size_t i = 0; i < group_count; i++)
    group_fields(group[i], wanted);
  /* A byte counter of each direction shows a disconnect, see track_see(). */
  if (info && !wanted[FIELD_BYTES_SENT])
    wanted[FIELD_BYTES_ACKED] = true;
  if (info) {
    wanted[FIELD_BYTES_RECEIVED] = true;
    wanted[FIELD_TOTAL_RETRANS] = true;
  }
  enum field_id field[FIELD_COUNT];
  size_t count = 0;
  for (int id = 0; id < FIELD_COUNT; id++)
    if (wanted[id])
      field[count++] = (enum field_id)id;
  return track_new(field, count, TAG_PLACES + group_count);
}

struct ledger *ledger_new(struct group *const *group, size_t group_count,
                          uint32_t states, unsigned traits, bool info,
                          unsigned interval_ms) {
  struct ledger *l = calloc(1, sizeof(*l));
  if (l == NULL)
    return NULL;
  l->places = (struct places){.group = group, .count = group_count};
  l->states = states;
  l->traits = traits;
  l->interval_ms = interval_ms;
  l->track = track_make(group, group_count, info);
  if (l->track == NULL) {
    ledger_free(l);
    return NULL;
  }
  return l;
}

void ledger_free(struct ledger *l) {
  if (l == NULL)
    return;
  track_free(l->track);
  free(l);
}

void ledger_follow(struct ledger *l, bool followed) {
  if (followed && !l->followed)
    l->followed_from = l->dump + 1;
  if (!followed && l->followed)
    l->followed_to = l->dump + 1;
  l->followed = followed;
}

void ledger_listeners_clear(struct ledger *l) {
  memset(l->listening, 0, sizeof(l->listening));
}

void ledger_listener(struct ledger *l, uint16_t port) {
  l->listening[port / 8] |= (uint8_t)(1u << port % 8);
}

static bool is_listening(const struct ledger *l, uint16_t port) {
  return l->listening[port / 8] >> port % 8 & 1;
}

/* --- Places --------------------------------------------------------------- */

/* The direction is that of the first sight: listeners may go. */
static void connection_place(struct ledger *l, uint32_t *tag,
                             const struct subject *t) {
  struct subject subject = *t;
  if ((tag[TAG_BITS] & BIT_PLACED) == 0)
    tag[TAG_BITS] |=
        BIT_PLACED |
        (is_listening(l, subject.local_port) ? (uint32_t)BIT_INBOUND : 0);
  subject.inbound = (tag[TAG_BITS] & BIT_INBOUND) != 0;
  l->no_memory |= !places_enter(&l->places, tag + TAG_PLACES, &subject);
}

static uint32_t traits_hash(const struct ledger *l, const struct subject *t) {
  unsigned traits = l->traits;
  uint64_t hash = 0;
  if (traits & SUBJECT_INTERFACE)
    hash = hash_bytes(&t->interface, sizeof(t->interface), hash);
  if (traits & SUBJECT_UID)
    hash = hash_bytes(&t->uid, sizeof(t->uid), hash);
  if (traits & SUBJECT_MARK)
    hash = hash_bytes(&t->mark, sizeof(t->mark), hash);
  if (traits & SUBJECT_CGROUP)
    hash = hash_bytes(&t->cgroup, sizeof(t->cgroup), hash);
  if (traits & SUBJECT_CONGESTION)
    hash = hash_bytes(t->congestion, strlen(t->congestion), hash);
  return (uint32_t)hash;
}

/* Gives the connection its places when it is first seen, and other ones when
 * what they depend on has changed: it then moves with neither an opening nor a
 * close. A mini socket, or one that no process holds any more, has lost its
 * traits and stays where it was. */
static void connection_place_update(struct ledger *l, uint32_t *tag,
                                    const struct sample *s) {
  uint32_t hash = 0;
  if (l->traits != 0)
    hash = traits_hash(l, &s->subject);
  bool placed = (tag[TAG_BITS] & BIT_PLACED) != 0;
  bool told = s->full && s->held;
  if (placed && (!told || tag[TAG_TRAITS] == hash))
    return;
  connection_place(l, tag, &s->subject);
  tag[TAG_TRAITS] = hash;
}

/* There was no memory when the connection was first seen; there may be now. */
static void connection_place_again(struct ledger *l, uint32_t *tag,
                                   const struct subject *t) {
  struct subject subject = *t;
  subject.inbound = (tag[TAG_BITS] & BIT_INBOUND) != 0;
  bool opened = (tag[TAG_BITS] & BIT_OPEN) != 0 && l->complete != 0;
  l->no_memory |= !places_retry(&l->places, tag + TAG_PLACES, &subject, opened);
}

/* --- The life of a connection --------------------------------------------- */

static void tags_clear(const struct ledger *l, uint32_t *tag) {
  memset(tag, 0, (TAG_PLACES + l->places.count) * sizeof(*tag));
}

/* Without an event nobody knows what became of one that was last seen in
 * SYN_SENT. */
static void connection_end(struct ledger *l, const uint32_t *tag) {
  if (tag[TAG_BITS] & BIT_OPEN)
    places_count(&l->places, tag + TAG_PLACES, CELL_CLOSED);
  if ((tag[TAG_BITS] & BIT_ENDED) == 0)
    places_leave(&l->places, tag + TAG_PLACES);
}

/* Forgotten by its absence. Its event may come all the same: some process holds
 * the socket although its connection is over, which it was when this dump
 * ended. */
static void on_gone(const uint32_t *tag, void *data) {
  struct ledger *l = data;
  if (tag[TAG_BITS] & (BIT_OPEN | BIT_PENDING | BIT_ENDED))
    l->clear_ms = l->end_ms;
  connection_end(l, tag);
}

static void on_restart(const uint32_t *tag, void *data) {
  struct ledger *l = data;
  if ((tag[TAG_BITS] & BIT_ENDED) == 0)
    places_leave(&l->places, tag + TAG_PLACES);
}

/* A mini socket that was never seen as a full one, while events are followed or
 * were until lately: its connection has been counted with its event. */
static bool is_remainder(const struct ledger *l, const struct sample *s) {
  bool now = l->followed && l->followed_from < l->dump;
  bool lately = l->followed_to != 0 &&
                l->begin[l->dump % BEGINS] < l->followed_ms + MINI_MS;
  return !s->full && (now || lately);
}

static void connection_see(struct ledger *l, uint32_t *tag,
                           const struct sample *s) {
  bool first = (tag[TAG_BITS] & BIT_PLACED) == 0;
  connection_place_update(l, tag, s);
  tag[TAG_BITS] &= ~(uint32_t)BIT_ENDING;
  if (first && s->state == TCP_STATE_SYN_SENT)
    tag[TAG_BITS] |= BIT_PENDING;
  if (first && !s->full && l->seen.event == TRACK_BASELINE)
    tag[TAG_BITS] |= BIT_REST;
  bool was_pending = (tag[TAG_BITS] & BIT_PENDING) != 0;
  if (s->state == TCP_STATE_SYN_SENT || (!first && !was_pending) ||
      (first && is_remainder(l, s)))
    return;
  tag[TAG_BITS] = (tag[TAG_BITS] & ~(uint32_t)BIT_PENDING) | BIT_OPEN;
  if (was_pending || l->seen.event != TRACK_BASELINE)
    places_count(&l->places, tag + TAG_PLACES, CELL_OPENED);
}

/* A connection is over where its socket is shown in a state without traffic,
 * which is TIME_WAIT. Its event tells what it did last, and is on its way; one
 * dump later it must have been lost, or the socket is held. */
static void connection_over(struct ledger *l, uint32_t *tag) {
  uint32_t *bits = &tag[TAG_BITS];
  if ((*bits & BIT_PLACED) == 0 || (*bits & BIT_ENDED) != 0)
    return;
  if (l->followed && (*bits & BIT_ENDING) == 0) {
    *bits |= BIT_ENDING;
    return;
  }
  connection_end(l, tag);
  *bits = BIT_PLACED | BIT_ENDED;
}

/* --- A dump --------------------------------------------------------------- */

void ledger_begin(struct ledger *l, uint64_t now_ms) {
  uint64_t last = now_ms > l->interval_ms ? now_ms - l->interval_ms : 0;
  if (l->complete != 0)
    last = l->begin[l->complete % BEGINS];
  l->active_ms = now_ms > last ? now_ms - last : 0;
  l->dump++;
  l->begin[l->dump % BEGINS] = now_ms;
  if (l->followed_to == l->dump)
    l->followed_ms = now_ms;
  l->no_memory = false;
  l->sums.dumped = 0;
  l->sums.matched = 0;
  track_begin(l->track);
  for (size_t i = 0; i < l->places.count; i++)
    group_begin(l->places.group[i]);
}

static bool is_active(const struct ledger *l, const struct sample *s) {
  uint64_t ms;
  /* One that waits for its first ACK says how long the host is up. */
  return s->state != TCP_STATE_SYN_SENT &&
         field_get(FIELD_LAST_ACK_RECV, s->info, s->info_size, &ms) &&
         ms <= l->active_ms;
}

/* From the begin of that dump to the begin of this one; 0: not known. */
static uint64_t window_us(const struct ledger *l, uint32_t dumps_ago) {
  if (dumps_ago == 0 || dumps_ago >= BEGINS)
    return 0;
  uint64_t now = l->begin[l->dump % BEGINS];
  uint64_t then = l->begin[(l->dump - dumps_ago) % BEGINS];
  return now > then ? (now - then) * 1000 : 0;
}

static void connection_add(struct ledger *l, const uint32_t *tag,
                           const struct sample *s) {
  const struct reading r = {
      .sample = s,
      .delta = l->seen.delta,
      .active = is_active(l, s),
      .window_us = window_us(l, l->seen.dumps_ago),
  };
  l->sums.matched += places_add(&l->places, tag + TAG_PLACES, &r);
}

static void state_add(struct ledger *l, const struct sample *s) {
  struct subject subject = s->subject;
  subject.inbound = is_listening(l, subject.local_port);
  for (size_t i = 0; i < l->places.count; i++)
    group_add_state(l->places.group[i], &subject, s->state);
}

int ledger_socket(struct ledger *l, const struct sample *s) {
  if (s->state == TCP_STATE_LISTEN)
    ledger_listener(l, s->subject.local_port);
  if ((l->states & 1u << s->state) == 0)
    return 0; /* recordings hold what their program asked for */

  track_see(l->track, s, &l->seen);
  if (l->seen.event == TRACK_REPEAT)
    return 0;
  if (l->seen.event == TRACK_NO_MEMORY)
    return -1;
  l->sums.dumped++;
  l->sums.retrans += l->seen.delta[FIELD_TOTAL_RETRANS];

  bool traffic = (TCP_STATES_TRAFFIC & 1u << s->state) != 0;
  uint32_t *tag = l->seen.tag;
  bool anew = traffic && (tag[TAG_BITS] & BIT_ENDED) != 0;
  if (l->seen.event == TRACK_REUSED || anew) {
    connection_end(l, tag);
    tags_clear(l, tag);
  }
  if (traffic) {
    connection_see(l, tag, s);
    connection_place_again(l, tag, &s->subject);
    connection_add(l, tag, s);
  } else {
    connection_over(l, tag);
    state_add(l, s);
  }
  return l->no_memory ? -1 : 0;
}

void ledger_complete(struct ledger *l, uint64_t now_ms) {
  bool first = l->complete == 0;
  l->end_ms = now_ms;
  track_end(l->track, on_gone, l);
  l->complete = l->dump;
  l->complete_count = track_count(l->track);
  l->failures = 0;
  if (first) /* what came before is not ours */
    l->clear_ms = now_ms;
}

/* Sockets are forgotten after complete dumps only. Should none succeed any
 * more while connections come and go, start over: the counters stay, what was
 * not seen of the connections until then is lost. */
void ledger_failed(struct ledger *l) {
  if (++l->failures < FORGET_AFTER ||
      track_count(l->track) <= 2 * l->complete_count + FORGET_ABOVE)
    return;
  track_restart(l->track, on_restart, l);
  l->complete = 0;
}

/* --- Destroyed sockets ---------------------------------------------------- */

static bool is_zero(enum field_id id, const struct sample *s) {
  uint64_t value;
  return field_get(id, s->info, s->info_size, &value) && value == 0;
}

/* Whether it was never established. Of one whose counters were cleared, the
 * peer's window remains (linux: tcp_disconnect() leaves snd_wnd). Else its own
 * SYN was not acknowledged, and no more than a reset came: an accepted
 * connection had two segments, SYN and ACK. */
static bool has_failed(const struct sample *s, bool blank) {
  uint64_t segs_in;
  if (blank)
    return is_zero(FIELD_SND_WND, s);
  return is_zero(FIELD_BYTES_ACKED, s) &&
         field_get(FIELD_SEGS_IN, s->info, s->info_size, &segs_in) &&
         segs_in <= 1;
}

/* Whether it cannot have been counted and forgotten before. */
static bool is_new(const struct ledger *l, const struct sample *s,
                   uint64_t after_ms) {
  uint64_t ago;
  return field_get(FIELD_LAST_ACK_RECV, s->info, s->info_size, &ago) &&
         after_ms >= l->clear_ms + ago + JIFFY_MS;
}

/* A connection that no dump has shown open. */
static void count_whole(struct ledger *l, const uint32_t *tag, bool failed) {
  const uint32_t *place = tag + TAG_PLACES;
  places_count(&l->places, place, failed ? CELL_FAILED : CELL_OPENED);
  if (!failed)
    places_count(&l->places, place, CELL_CLOSED);
}

/* A connection that no dump has shown: all of its life at once. */
static void stranger_add(struct ledger *l, const struct sample *s, bool blank) {
  struct subject stranger = s->subject;
  stranger.unknown =
      SUBJECT_UID | SUBJECT_MARK | SUBJECT_CGROUP | SUBJECT_CONGESTION;
  if (blank)
    stranger.unknown |= SUBJECT_REMOTE_PORT | SUBJECT_LOCAL_ADDRESS;
  uint32_t *tag = l->seen.tag;
  tags_clear(l, tag);
  connection_place(l, tag, &stranger);
  places_add_rest(&l->places, tag + TAG_PLACES, l->seen.delta);
  count_whole(l, tag, has_failed(s, blank));
  places_leave(&l->places, tag + TAG_PLACES);
}

static void known_end(struct ledger *l, const struct sample *s, bool blank) {
  const uint32_t *tag = l->seen.tag;
  places_add_rest(&l->places, tag + TAG_PLACES, l->seen.delta);
  if ((tag[TAG_BITS] & (BIT_OPEN | BIT_REST)) == 0)
    count_whole(l, tag, has_failed(s, blank));
  connection_end(l, tag);
}

void ledger_destroyed(struct ledger *l, const struct sample *s,
                      uint64_t after_ms) {
  bool blank = s->subject.remote_port == 0;
  track_close(l->track, s, blank, &l->seen);
  uint32_t *tag = l->seen.tag;
  bool reused = l->seen.event == TRACK_REUSED;
  if (reused) {
    connection_end(l, tag);
  } else if (tag[TAG_BITS] & BIT_ENDED) {
    return; /* what it did in the end is not known to be new */
  } else if (tag[TAG_BITS] & BIT_PLACED) {
    l->sums.retrans += l->seen.delta[FIELD_TOTAL_RETRANS];
    known_end(l, s, blank);
    return;
  }
  if (l->complete == 0 || address_is_any(&s->subject.remote))
    return; /* its past is not ours; it was no connection */
  if (!reused && !has_failed(s, blank) && !is_new(l, s, after_ms)) {
    l->sums.unclear++;
    return;
  }
  l->sums.retrans += l->seen.delta[FIELD_TOTAL_RETRANS];
  stranger_add(l, s, blank);
}

size_t ledger_tracked(const struct ledger *l) { return track_count(l->track); }

const struct ledger_sums *ledger_sums(const struct ledger *l) {
  return &l->sums;
}
