#include "connection/connection.h"

#include "connection/destroy_event.h"
#include "connection/membership.h"

#include <stdlib.h>
#include <string.h>

/* The words that track keeps with each socket: a set of enum bits, and above
 * them since which dump it is gone; its place in each group; and, where its
 * memberships depend on traits, a hash of these. */
enum { TAG_BITS, TAG_MEMBERSHIPS, SINCE_SHIFT = 8, SINCE_MASK = 0xffffff };

enum {
  BIT_JOINED = 1,    /* it has its memberships */
  BIT_INBOUND = 2,   /* the host listened on its port at first sight */
  BIT_OPEN = 4,      /* it was seen open: its end counts as closed */
  BIT_PENDING = 8,   /* only seen in SYN_SENT */
  BIT_AWAITED = 16,  /* in TIME_WAIT; its event must be on its way */
  BIT_CLOSED = 32,   /* its end was counted; its event may come, or not */
  BIT_OLD_MINI = 64, /* a mini socket in the first dump: its event was before */
  BIT_RETAINED = 128, /* missing in the dumps, remembered for its event */
};

enum {
  TIMES = 32,    /* dumps whose times are remembered */
  JIFFY_MS = 10, /* what tcp_info tells times in, at most (linux: HZ >= 100) */
  MINI_MS = 60000, /* a mini socket's life (linux: TCP_TIMEWAIT_LEN) */
};

/* How long, in dumps, and how many sockets that are gone are remembered. An
 * event may come late: the kernel sends it from a work queue, which waits where
 * the CPUs are busy, and a process may hold a socket whose connection is over.
 */
enum { RETAIN_DUMPS = TIMES - 2, RETAIN_MOST = 65536 };

/* What is remembered where no dump succeeds any more. */
enum { FORGET_ABOVE = 65536, FORGET_AFTER = 8 };

struct connections {
  struct memberships memberships;
  uint32_t states;
  unsigned traits;
  unsigned interval_ms;
  struct track *track;
  struct track_seen seen;
  struct connections_sums sums;
  struct listeners *listeners;
  bool no_memory; /* in this dump */

  uint32_t dump;         /* number of this one, from 1 */
  uint32_t complete;     /* number of the last complete one; 0: none yet */
  uint64_t begin[TIMES]; /* of the last dumps, ms; by number */
  uint64_t end[TIMES];   /* of the complete ones among them */
  uint64_t active_ms;    /* from the last complete one to this */
  uint64_t
      window_us[TIMES];  /* from that many dumps ago to this; 0: not known */
  size_t complete_count; /* sockets remembered after it */
  unsigned failures;     /* since then */

  size_t retained; /* sockets remembered for their events */

  bool followed;
  uint32_t followed_from; /* the first dump that began so */
  uint32_t followed_to;   /* the first one after that; 0: there was none */
  uint64_t followed_ms;   /* when that one began */
  uint64_t clear_ms;      /* a socket with an ACK since then, and not known, was
                             never counted */
};

struct connections *connections_new(struct group *const *group,
                                    size_t group_count, uint32_t states,
                                    unsigned traits, bool info,
                                    unsigned interval_ms,
                                    struct listeners *listeners) {
  struct connections *l = calloc(1, sizeof(*l));
  if (l == NULL)
    return NULL;
  membership_init(&l->memberships, group, group_count);
  l->states = states;
  traits &= socket_attrs_changing();
  l->traits = traits;
  l->interval_ms = interval_ms;
  l->listeners = listeners;
  l->track =
      membership_track(&l->memberships, info, TAG_MEMBERSHIPS + (traits != 0));
  if (l->track == NULL) {
    connections_free(l);
    return NULL;
  }
  return l;
}

void connections_free(struct connections *l) {
  if (l == NULL)
    return;
  track_free(l->track);
  free(l);
}

void connections_follow(struct connections *l, bool followed) {
  if (followed && !l->followed)
    l->followed_from = l->dump + 1;
  if (!followed && l->followed)
    l->followed_to = l->dump + 1;
  l->followed = followed;
}

/* --- Places --------------------------------------------------------------- */

static uint32_t *tag_traits(const struct connections *l, uint32_t *tag) {
  return &tag[TAG_MEMBERSHIPS + l->memberships.count];
}

/* The direction is that of the first sight: listeners may go. */
static void connection_join(struct connections *l, uint32_t *tag,
                            const struct socket_attrs *t) {
  struct socket_attrs attrs = *t;
  if ((tag[TAG_BITS] & BIT_JOINED) == 0)
    tag[TAG_BITS] |= BIT_JOINED | (listeners_has(l->listeners, attrs.local_port)
                                       ? (uint32_t)BIT_INBOUND
                                       : 0);
  attrs.inbound = (tag[TAG_BITS] & BIT_INBOUND) != 0;
  l->no_memory |=
      !membership_enter(&l->memberships, tag + TAG_MEMBERSHIPS, &attrs);
}

/* Gives the connection its memberships when it is first seen, and other ones
 * when what they depend on has changed: it then moves with neither an opening
 * nor a close. A mini socket, or one that no process holds any more, has lost
 * its traits and stays where it was. */
static void connection_join_update(struct connections *l, uint32_t *tag,
                                   const struct sample *s) {
  bool placed = (tag[TAG_BITS] & BIT_JOINED) != 0;
  bool told = s->full && s->held;
  if (placed && (!told || l->traits == 0))
    return;
  uint32_t hash = 0;
  if (l->traits != 0)
    hash = socket_attrs_hash(&s->attrs, l->traits);
  if (placed && *tag_traits(l, tag) == hash)
    return;
  struct socket_attrs attrs = s->attrs;
  if (!told)
    attrs.unknown =
        socket_attrs_unknown(s->full ? ATTRS_OF_ORPHAN : ATTRS_OF_MINI);
  connection_join(l, tag, &attrs);
  if (l->traits != 0)
    *tag_traits(l, tag) = told ? hash : 0;
}

/* There was no memory when the connection was first seen; there may be now. */
static void connection_join_again(struct connections *l, uint32_t *tag,
                                  const struct socket_attrs *t) {
  if (!membership_failed(&l->memberships, tag + TAG_MEMBERSHIPS))
    return;
  struct socket_attrs attrs = *t;
  attrs.inbound = (tag[TAG_BITS] & BIT_INBOUND) != 0;
  bool opened = (tag[TAG_BITS] & BIT_OPEN) != 0 && l->complete != 0;
  l->no_memory |=
      !membership_retry(&l->memberships, tag + TAG_MEMBERSHIPS, &attrs, opened);
}

/* --- The life of a connection --------------------------------------------- */

static void tags_clear(const struct connections *l, uint32_t *tag) {
  size_t count = TAG_MEMBERSHIPS + l->memberships.count + (l->traits != 0);
  memset(tag, 0, count * sizeof(*tag));
}

/* Dumps since the one that it is gone since. */
static uint32_t dumps_gone(const struct connections *l, const uint32_t *tag) {
  return (l->dump - (tag[TAG_BITS] >> SINCE_SHIFT)) & SINCE_MASK;
}

/* Without an event nobody knows what became of one that was last seen in
 * SYN_SENT. */
static void connection_close(struct connections *l, uint32_t *tag) {
  if ((tag[TAG_BITS] & (BIT_OPEN | BIT_CLOSED)) == BIT_OPEN)
    membership_count(&l->memberships, tag + TAG_MEMBERSHIPS,
                     ACCUMULATOR_CLOSED);
  tag[TAG_BITS] |= BIT_CLOSED;
}

static void connection_end(struct connections *l, uint32_t *tag) {
  bool retained = (tag[TAG_BITS] & BIT_RETAINED) != 0;
  connection_close(l, tag);
  membership_leave(&l->memberships, tag + TAG_MEMBERSHIPS, retained);
  l->retained -= retained;
  tags_clear(l, tag);
}

/* Its event is not known, and from now on not expected: it was over when the
 * dump ended that showed for the second time that it is gone. */
static void connection_forget(struct connections *l, uint32_t *tag) {
  uint32_t ago = 0;
  if ((tag[TAG_BITS] & BIT_RETAINED) != 0 && dumps_gone(l, tag) < TIMES)
    ago = dumps_gone(l, tag);
  uint64_t over_ms = l->end[(l->dump - ago) % TIMES];
  if (l->clear_ms < over_ms)
    l->clear_ms = over_ms;
  connection_end(l, tag);
}

static bool on_gone(uint32_t *tag, void *data) {
  struct connections *l = data;
  uint32_t *bits = &tag[TAG_BITS];
  if ((*bits & (BIT_OPEN | BIT_PENDING)) == 0 || (*bits & BIT_OLD_MINI) != 0) {
    connection_end(l, tag); /* there is no event of it to come */
    return false;
  }
  if ((*bits & BIT_RETAINED) == 0 && l->followed && l->retained < RETAIN_MOST) {
    connection_close(l, tag);
    membership_retain(&l->memberships, tag + TAG_MEMBERSHIPS);
    *bits |= BIT_RETAINED | l->dump << SINCE_SHIFT;
    l->retained++;
  }
  if ((*bits & BIT_RETAINED) != 0 && l->followed &&
      dumps_gone(l, tag) <= RETAIN_DUMPS)
    return true;
  connection_forget(l, tag);
  return false;
}

static bool on_restart(uint32_t *tag, void *data) {
  struct connections *l = data;
  membership_leave(&l->memberships, tag + TAG_MEMBERSHIPS,
                   (tag[TAG_BITS] & BIT_RETAINED) != 0);
  return false;
}

/* A mini socket that was never seen as a full one, while events are followed or
 * were until lately: its connection has been counted with its event. */
static bool is_remainder(const struct connections *l, const struct sample *s) {
  bool now = l->followed && l->followed_from < l->dump;
  bool lately = l->followed_to != 0 &&
                l->begin[l->dump % TIMES] < l->followed_ms + MINI_MS;
  return !s->full && (now || lately);
}

static void connection_see(struct connections *l, uint32_t *tag,
                           const struct sample *s) {
  bool first = (tag[TAG_BITS] & BIT_JOINED) == 0;
  connection_join_update(l, tag, s);
  tag[TAG_BITS] &= ~(uint32_t)BIT_AWAITED;
  if (first && s->state == TCP_STATE_SYN_SENT)
    tag[TAG_BITS] |= BIT_PENDING;
  if (first && !s->full && l->seen.event == TRACK_BASELINE)
    tag[TAG_BITS] |= BIT_OLD_MINI;
  bool was_pending = (tag[TAG_BITS] & BIT_PENDING) != 0;
  if (s->state == TCP_STATE_SYN_SENT || (!first && !was_pending) ||
      (first && is_remainder(l, s)))
    return;
  tag[TAG_BITS] = (tag[TAG_BITS] & ~(uint32_t)BIT_PENDING) | BIT_OPEN;
  if (was_pending || l->seen.event != TRACK_BASELINE)
    membership_count(&l->memberships, tag + TAG_MEMBERSHIPS,
                     ACCUMULATOR_OPENED);
}

/* A connection is over where its socket is shown in a state without traffic,
 * which is TIME_WAIT. Its event tells what it did last, and is on its way; one
 * dump later it must have been lost, or the socket is held. */
static void connection_over(struct connections *l, uint32_t *tag) {
  uint32_t *bits = &tag[TAG_BITS];
  if ((*bits & BIT_JOINED) == 0)
    return;
  if (l->followed && (*bits & (BIT_AWAITED | BIT_CLOSED)) == 0)
    *bits |= BIT_AWAITED;
  else
    connection_close(l, tag);
}

/* --- A dump --------------------------------------------------------------- */

/* From the begin of each of the last dumps to the begin of this one. */
static void windows_make(struct connections *l) {
  uint64_t now = l->begin[l->dump % TIMES];
  for (uint32_t ago = 1; ago < TIMES; ago++) {
    uint64_t then = l->begin[(l->dump - ago) % TIMES];
    l->window_us[ago] = now > then ? (now - then) * 1000 : 0;
  }
}

void connections_begin(struct connections *l, uint64_t now_ms) {
  uint64_t last = now_ms > l->interval_ms ? now_ms - l->interval_ms : 0;
  if (l->complete != 0)
    last = l->begin[l->complete % TIMES];
  l->active_ms = now_ms > last ? now_ms - last : 0;
  l->dump++;
  l->begin[l->dump % TIMES] = now_ms;
  windows_make(l);
  if (l->followed_to == l->dump)
    l->followed_ms = now_ms;
  l->no_memory = false;
  l->sums.dumped = 0;
  l->sums.matched = 0;
  track_begin(l->track);
  for (size_t i = 0; i < l->memberships.count; i++)
    group_begin(l->memberships.group[i]);
}

static bool is_active(const struct connections *l, const struct sample *s) {
  uint64_t ms;
  /* One that waits for its first ACK says how long the host is up. */
  return s->state != TCP_STATE_SYN_SENT &&
         field_get(FIELD_LAST_ACK_RECV, s->info, s->info_size, &ms) &&
         ms <= l->active_ms;
}

static void connection_add(struct connections *l, const uint32_t *tag,
                           const struct sample *s) {
  const struct observation r = {
      .sample = s,
      .delta = l->seen.delta,
      .changed = l->seen.changed,
      .active = is_active(l, s),
      .window_us =
          l->seen.dumps_ago < TIMES ? l->window_us[l->seen.dumps_ago] : 0,
  };
  l->sums.matched += membership_add(&l->memberships, tag + TAG_MEMBERSHIPS, &r);
}

static void state_add(struct connections *l, const struct sample *s) {
  struct socket_attrs attrs = s->attrs;
  attrs.inbound = listeners_has(l->listeners, attrs.local_port);
  for (size_t i = 0; i < l->memberships.count; i++)
    group_add_other(l->memberships.group[i], s, &attrs);
}

/* It is known which sockets come next. */
static void memberships_prefetch(const struct connections *l) {
  enum { AHEAD = 6 };
  const uint32_t *tag = track_ahead(l->track, AHEAD);
  if (tag != NULL)
    membership_fetch(&l->memberships, tag + TAG_MEMBERSHIPS);
}

int connections_socket(struct connections *l, const struct sample *s) {
  if (s->state == TCP_STATE_LISTEN)
    listeners_add(l->listeners, s->attrs.local_port);
  if ((l->states & 1u << s->state) == 0)
    return 0; /* recordings hold what their program asked for */

  track_see(l->track, s, &l->seen);
  if (l->seen.event == TRACK_REPEAT)
    return 0;
  if (l->seen.event == TRACK_NO_MEMORY)
    return -1;
  if (l->memberships.members)
    memberships_prefetch(l);
  l->sums.dumped++;
  l->sums.retrans += l->seen.delta[FIELD_TOTAL_RETRANS];

  bool traffic = (TCP_STATES_TRAFFIC & 1u << s->state) != 0;
  uint32_t *tag = l->seen.tag;
  bool anew = traffic && (tag[TAG_BITS] & BIT_CLOSED) != 0;
  if (l->seen.event == TRACK_REUSED || anew)
    connection_end(l, tag);
  if (traffic) {
    connection_see(l, tag, s);
    connection_join_again(l, tag, &s->attrs);
    connection_add(l, tag, s);
  } else {
    connection_over(l, tag);
    state_add(l, s);
  }
  return l->no_memory ? -1 : 0;
}

void connections_complete(struct connections *l, uint64_t now_ms) {
  bool first = l->complete == 0;
  l->end[l->dump % TIMES] = now_ms;
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
void connections_failed(struct connections *l) {
  if (++l->failures < FORGET_AFTER ||
      track_count(l->track) <= 2 * l->complete_count + FORGET_ABOVE)
    return;
  track_restart(l->track, on_restart, l);
  l->complete = 0;
  l->retained = 0;
}

/* --- Destroyed sockets ---------------------------------------------------- */

/* Whether it cannot have been counted and forgotten before. */
static bool is_new(const struct connections *l, const struct sample *s,
                   uint64_t after_ms) {
  uint64_t ago;
  return destroy_event_last_ack(s, &ago) &&
         after_ms >= l->clear_ms + ago + JIFFY_MS;
}

/* A connection that no dump has shown open. */
static void count_whole(struct connections *l, const uint32_t *tag,
                        bool failed) {
  const uint32_t *place = tag + TAG_MEMBERSHIPS;
  membership_count(&l->memberships, place,
                   failed ? ACCUMULATOR_FAILED : ACCUMULATOR_OPENED);
  if (!failed)
    membership_count(&l->memberships, place, ACCUMULATOR_CLOSED);
}

/* A connection that no dump has shown: all of its life at once, in the groups
 * that it certainly belongs to; unless it may have been counted before. */
static void unseen_add(struct connections *l, const struct sample *s,
                       uint64_t after_ms) {
  bool certain = l->seen.event == TRACK_REUSED || destroy_event_has_failed(s) ||
                 is_new(l, s, after_ms);
  struct socket_attrs unseen = s->attrs;
  unseen.unknown = socket_attrs_unknown(
      destroy_event_is_disconnected(s) ? ATTRS_OF_DISCONNECT : ATTRS_OF_CLOSE);
  uint32_t *tag = l->seen.tag;
  tags_clear(l, tag);
  connection_join(l, tag, &unseen);
  if (!membership_any(&l->memberships, tag + TAG_MEMBERSHIPS))
    return; /* a filter may have hidden it with a long past */
  if (certain) {
    l->sums.retrans += l->seen.delta[FIELD_TOTAL_RETRANS];
    membership_add_rest(&l->memberships, tag + TAG_MEMBERSHIPS, l->seen.delta);
    count_whole(l, tag, destroy_event_has_failed(s));
  } else {
    l->sums.unclear++;
  }
  membership_leave(&l->memberships, tag + TAG_MEMBERSHIPS, false);
}

static void known_end(struct connections *l, const struct sample *s) {
  uint32_t *tag = l->seen.tag;
  membership_add_rest(&l->memberships, tag + TAG_MEMBERSHIPS, l->seen.delta);
  if ((tag[TAG_BITS] & (BIT_OPEN | BIT_OLD_MINI)) == 0)
    count_whole(l, tag, destroy_event_has_failed(s));
  connection_end(l, tag);
}

void connections_destroyed(struct connections *l, const struct sample *s,
                           uint64_t after_ms) {
  track_close(l->track, s, destroy_event_is_disconnected(s), &l->seen);
  l->sums.aborted += destroy_event_is_disconnected(s) &&
                     !destroy_event_is_no_connection(s) &&
                     !destroy_event_has_failed(s);
  uint32_t *tag = l->seen.tag;
  if (l->seen.event == TRACK_REUSED) {
    connection_end(l, tag);
  } else if (tag[TAG_BITS] & BIT_JOINED) {
    l->sums.retrans += l->seen.delta[FIELD_TOTAL_RETRANS];
    known_end(l, s);
    return;
  }
  if (l->complete != 0 &&
      !destroy_event_is_no_connection(s)) /* not before our time */
    unseen_add(l, s, after_ms);
}

size_t connections_tracked(const struct connections *l) {
  return track_count(l->track);
}

const struct connections_sums *connections_sums(const struct connections *l) {
  return &l->sums;
}
