/* The states of connection_state.h and what leads from one to the next. "End"
 * means connection_end(), the one exit, after which the state is NONE.
 *
 *              shown with     shown without    gone: missing     close event
 *              traffic        traffic          in two complete
 *                             (TIME_WAIT)      dumps
 *   NONE       join: LIVE     -                forget            unseen: begin
 *                                                                and end
 *   LIVE       LIVE           OVER (a)         MISSING (b)       end
 *   OVER       LIVE           COUNTED          MISSING (b)       end
 *   COUNTED    end, join:     COUNTED          MISSING (b)       end
 *              LIVE
 *   MISSING    end, join:     MISSING          MISSING, if too   end
 *              LIVE                            long ago: end (b)
 *
 *   Any state: the cookie shows other addresses or ports: end, then as NONE.
 *   Tracking begins anew: end, uncounted.
 *
 *   (a) While no close events are received: COUNTED at once.
 *   (b) End at once instead, if no close event can come (none are received, or
 *       the account awaits none) or too many connections are missing already.
 *
 * The account (enum connection_account) decides what is counted:
 *
 *                its end       remembered for   what its close event
 *                counts as     its close event  still counts
 *                closed        when missing
 *   CONNECTING   no            yes              opened and closed, or failed
 *   OPEN         yes           yes              nothing
 *   OPEN_MINI    yes           no               nothing
 *   BY_EVENT     no            no               opened and closed, or failed
 *   NOTHING      no            no               nothing
 *
 * The end is counted when the state becomes COUNTED or MISSING, else at the
 * exit: once. */
#include "connection/connection_layout.h"

#include <stdlib.h>

enum {
  /* A mini socket lives at most this long (linux: include/net/tcp.h,
   * TCP_TIMEWAIT_LEN). */
  MINI_MS = 60000,
  /* Dumps for which a missing connection is remembered, and how many are at
   * most. Its event may be late: the kernel sends it from a work queue, which
   * waits while the CPUs are busy, and a program may hold a socket whose
   * connection is over. */
  MISSING_DUMPS = DUMP_TIMES - 2,
  MISSING_MOST = 65536,
  /* After so many failed dumps in a row, and so many sockets more than after
   * the last complete one, tracking begins anew. */
  RESTART_AFTER = 8,
  RESTART_ABOVE = 65536,
};

/* Returns whether memberships may change while a connection lives. */
static bool has_hash(const struct connections *c) {
  return c->options.attributes != 0 || c->options.selections_change;
}

struct connections *connections_new(const struct connections_options *options) {
  struct connections *c = calloc(1, sizeof(*c));
  if (c == NULL)
    return NULL;
  c->options = *options;
  c->options.attributes &= socket_attrs_changing();
  membership_init(&c->memberships, options->group, options->group_count);
  c->word_count = options->group_count + has_hash(c);
  if (options->hooks != NULL) {
    c->hooks = *options->hooks;
    c->word_count += 2;
  }
  c->track = membership_track(&c->memberships, options->info,
                              sizeof(struct connection) +
                                  c->word_count * sizeof(uint32_t));
  if (c->track == NULL) {
    connections_free(c);
    return NULL;
  }
  return c;
}

void connections_free(struct connections *c) {
  if (c == NULL)
    return;
  track_free(c->track);
  free(c);
}

void connections_receive_events(struct connections *c, bool received) {
  if (received && !c->events)
    c->events_from = c->times.dump + 1;
  if (!received && c->events)
    c->events_until = c->times.dump + 1;
  c->events = received;
}

void connections_select_again(struct connections *c) {
  c->selections++;
  c->selected_again = true;
}

/* --- Memberships ---------------------------------------------------------- */

static uint32_t *attributes_hash(const struct connections *c,
                                 struct connection *x) {
  return &x->word[c->memberships.count];
}

void connection_join(struct connections *c, struct connection *x,
                     const struct socket_attrs *attrs) {
  struct socket_attrs a = *attrs;
  if (x->state == CONNECTION_NONE) {
    x->state = CONNECTION_LIVE;
    x->inbound = listeners_has(c->options.listeners, a.local_port);
  }
  a.inbound = x->inbound;
  membership_enter(&c->memberships, x->word, &a);
}

static enum attrs_source source_of(const struct sample *s) {
  if (!s->full)
    return ATTRS_OF_MINI;
  return s->held ? ATTRS_OF_FULL : ATTRS_OF_ORPHAN;
}

/* The hash of what memberships depend on. Each change of the selections gives
 * all connections another one. */
static uint32_t hash_of(const struct connections *c, const struct sample *s) {
  return socket_attrs_hash(&s->attrs, c->options.attributes) +
         c->selections * UINT32_C(0x9e3779b1);
}

/* A socket that no process holds has lost its user, and so its member, but not
 * what a filter looks at. */
static void connection_select_orphan(struct connections *c,
                                     struct connection *x,
                                     const struct sample *s) {
  struct socket_attrs a = s->attrs;
  a.unknown = socket_attrs_unknown(ATTRS_OF_ORPHAN);
  a.inbound = x->inbound;
  membership_select(&c->memberships, x->word, &a);
}

/* Joins the groups when a dump first shows the connection, and other groups or
 * members when attributes or selections have changed: it then moves without
 * counting as opened or closed. A mini socket, or a socket that no process
 * holds, has lost attributes and keeps its memberships. */
static void connection_update_groups(struct connections *c,
                                     struct connection *x,
                                     const struct sample *s) {
  bool joined = x->state != CONNECTION_NONE;
  bool complete = s->full && s->held; /* has all attributes */
  if (joined && c->selected_again && s->full && !s->held)
    connection_select_orphan(c, x, s);
  if (joined && (!complete || !has_hash(c)))
    return;
  uint32_t hash = has_hash(c) ? hash_of(c, s) : 0;
  if (joined && *attributes_hash(c, x) == hash)
    return;
  struct socket_attrs a = s->attrs;
  a.unknown = socket_attrs_unknown(source_of(s));
  connection_join(c, x, &a);
  if (has_hash(c))
    *attributes_hash(c, x) = complete ? hash : 0;
}

/* --- Transitions ---------------------------------------------------------- */

/* A mini socket that no dump has shown as a full one, while close events are
 * received or were until lately: its close event counts the connection. */
static bool is_counted_by_event(const struct connections *c,
                                const struct sample *s) {
  bool now = c->events && c->events_from < c->times.dump;
  bool lately = c->events_until != 0 &&
                dump_times_now(&c->times) < c->events_until_ms + MINI_MS;
  return !s->full && (now || lately);
}

static enum connection_account account_of(const struct connections *c,
                                          const struct sample *s) {
  bool baseline = c->seen.event == TRACK_BASELINE;
  if (s->state == TCP_STATE_SYN_SENT)
    return ACCOUNT_CONNECTING;
  if (is_counted_by_event(c, s))
    return baseline ? ACCOUNT_NOTHING : ACCOUNT_BY_EVENT;
  return baseline && !s->full ? ACCOUNT_OPEN_MINI : ACCOUNT_OPEN;
}

/* Shown with traffic: NONE, LIVE, OVER -> LIVE. */
static void connection_shown(struct connections *c, struct connection *x,
                             const struct sample *s) {
  bool first = x->state == CONNECTION_NONE;
  bool connecting = !first && x->account == ACCOUNT_CONNECTING;
  connection_update_groups(c, x, s);
  x->state = CONNECTION_LIVE;
  if (first) {
    x->account = account_of(c, s);
    connection_begun(c, x, s->cookie, dump_times_now(&c->times));
    if (x->account == ACCOUNT_OPEN && c->seen.event != TRACK_BASELINE)
      connection_count(c, x, ACCUMULATOR_OPENED);
  } else if (connecting && s->state != TCP_STATE_SYN_SENT) {
    x->account = ACCOUNT_OPEN;
    connection_count(c, x, ACCUMULATOR_OPENED);
  }
}

/* Shown without traffic: LIVE -> OVER -> COUNTED. The connection's close event
 * has its last growth and is on its way; if a second dump shows the socket so,
 * the event is lost, or a program holds the socket. */
static void connection_shown_over(struct connections *c, struct connection *x) {
  if (x->state == CONNECTION_LIVE && c->events) {
    x->state = CONNECTION_OVER;
  } else if (x->state == CONNECTION_LIVE || x->state == CONNECTION_OVER) {
    connection_count_end(c, x);
    x->state = CONNECTION_COUNTED;
  }
}

/* Dumps since the one that found the connection missing. */
static uint32_t dumps_missing(const struct connections *c,
                              const struct connection *x) {
  return (c->times.dump - x->missing_since) & DUMP_MASK;
}

/* Gone: -> MISSING, while its close event may come. */
static bool connection_gone(struct connections *c, struct connection *x) {
  if (x->state != CONNECTION_MISSING && c->missing < MISSING_MOST) {
    connection_count_end(c, x);
    membership_retain(&c->memberships, x->word);
    x->state = CONNECTION_MISSING;
    x->missing_since = c->times.dump & DUMP_MASK;
    c->missing++;
  }
  return x->state == CONNECTION_MISSING && dumps_missing(c, x) <= MISSING_DUMPS;
}

/* The close event is not expected any more: if one comes after all, it must not
 * count again. The connection was over when the dump ended that first found it
 * missing. */
static void event_not_expected(struct connections *c,
                               const struct connection *x) {
  uint32_t ago = 0;
  if (x->state == CONNECTION_MISSING && dumps_missing(c, x) < DUMP_TIMES)
    ago = dumps_missing(c, x);
  uint64_t over_ms = dump_times_end(&c->times, ago);
  if (c->counted_before_ms < over_ms)
    c->counted_before_ms = over_ms;
}

static bool on_gone(uint64_t cookie, void *owner, void *data) {
  struct connections *c = data;
  struct connection *x = owner;
  if (x->state == CONNECTION_NONE)
    return false;
  if (connection_account[x->account].awaits_event) {
    if (c->events && connection_gone(c, x))
      return true;
    event_not_expected(c, x);
  }
  connection_end(c, x,
                 (struct connection_end){.cookie = cookie,
                                         .reason = CONNECTION_END_VANISHED,
                                         .seen = true});
  return false;
}

static bool on_restart(uint64_t cookie, void *owner, void *data) {
  connection_end(data, owner,
                 (struct connection_end){.cookie = cookie,
                                         .reason = CONNECTION_END_RESTARTED,
                                         .seen = true});
  return false;
}

/* --- Growth --------------------------------------------------------------- */

static uint64_t now_ms(void *data) {
  const struct connections *c = data;
  return c->options.now != NULL ? c->options.now(c->options.now_data)
                                : dump_times_now(&c->times);
}

void connection_correct(struct connections *c, const struct sample *s,
                        enum growth_sight sight) {
  growth_limit_times(&c->seen, sight, &c->times, now_ms, c);
  if (c->seen.first)
    growth_drop_handshake(&c->seen, s);
}

/* --- A dump --------------------------------------------------------------- */

void connections_begin(struct connections *c, uint64_t now_ms) {
  uint64_t interval_ms = c->options.interval_ms;
  uint64_t last = dump_times_last(
      &c->times, now_ms > interval_ms ? now_ms - interval_ms : 0);
  c->active_ms = now_ms > last ? now_ms - last : 0;
  dump_times_begin(&c->times, now_ms);
  if (c->events_until == c->times.dump)
    c->events_until_ms = now_ms;
  c->sums.dumped = 0;
  c->sums.matched = 0;
  track_begin(c->track);
}

/* Returns whether the peer acknowledged anything since the last read. Before
 * the first ACK the kernel reports the host's uptime there. */
static bool is_active(const struct connections *c, const struct sample *s) {
  uint64_t ms;
  return s->state != TCP_STATE_SYN_SENT &&
         field_get(FIELD_LAST_ACK_RECV, s->info, s->info_size, &ms) &&
         ms <= c->active_ms;
}

static void connection_add(struct connections *c, const struct connection *x,
                           const struct sample *s) {
  const struct observation o = {
      .sample = s,
      .delta = c->seen.delta,
      .changed = c->seen.changed,
      .active = is_active(c, s),
      .window_us = dump_times_window(&c->times, c->seen.dumps_ago),
  };
  c->sums.matched += membership_add(&c->memberships, x->word, &o);
}

/* Adds a socket in a state without traffic. */
static void state_add(struct connections *c, const struct sample *s) {
  struct socket_attrs a = s->attrs;
  a.inbound = listeners_has(c->options.listeners, a.local_port);
  uint32_t unknown = socket_attrs_unknown(source_of(s));
  for (size_t i = 0; i < c->memberships.count; i++)
    group_add_other(c->memberships.group[i], s, &a, unknown);
}

/* Gain at a million sockets of 1,000 peers: 1.5 % of a read's CPU time. */
static void memberships_prefetch(const struct connections *c) {
  enum { AHEAD = 6 }; /* sockets */
  const struct connection *x = track_ahead(c->track, AHEAD);
  if (x != NULL)
    membership_fetch(&c->memberships, x->word);
}

int connections_socket(struct connections *c, const struct sample *s) {
  if (s->state == TCP_STATE_LISTEN)
    listeners_add(c->options.listeners, s->attrs.local_port);
  if ((c->options.states & 1u << s->state) == 0)
    return 0; /* a recording holds what its own program asked for */

  track_see(c->track, s, &c->seen);
  if (c->seen.event == TRACK_REPEAT)
    return 0;
  if (c->seen.event == TRACK_NO_MEMORY)
    return -1;
  if (c->seen.changed)
    connection_correct(c, s, GROWTH_DUMP);
  if (c->memberships.members)
    memberships_prefetch(c);
  c->sums.dumped++;
  c->sums.retrans += c->seen.delta[FIELD_TOTAL_RETRANS];

  bool traffic = (TCP_STATES_TRAFFIC & 1u << s->state) != 0;
  struct connection *x = c->seen.owner;
  bool again = traffic && (x->state == CONNECTION_COUNTED ||
                           x->state == CONNECTION_MISSING);
  if (c->seen.event == TRACK_REUSED || again)
    connection_replace(c, x, s->cookie);
  if (traffic) {
    connection_shown(c, x, s);
    connection_add(c, x, s);
  } else {
    connection_shown_over(c, x);
    state_add(c, s);
  }
  return 0;
}

bool connections_complete(struct connections *c, uint64_t now_ms) {
  bool first = c->times.complete == 0;
  dump_times_complete(&c->times, now_ms);
  track_end(c->track, on_gone, c);
  c->selected_again = false;
  c->complete_count = track_count(c->track);
  c->failures = 0;
  if (first) /* earlier connections do not count */
    c->counted_before_ms = now_ms;
  c->ended_ms[2] = c->ended_ms[1];
  c->ended_ms[1] = c->ended_ms[0];
  c->ended_ms[0] = now_ms;
  return first;
}

/* A connection that no dump shows lives for less than one interval, or for two
 * if a dump missed it: so old is its last ACK at most. The bound is one
 * interval old at most. */
bool connections_need_exact_events(const struct connections *c) {
  return c->times.complete != 0 && c->counted_before_ms >= c->ended_ms[2];
}

/* Only complete dumps forget sockets. If no dump succeeds any more while
 * connections come and go, tracking begins anew: the counters stay, the growth
 * that no dump has shown until then is lost. */
void connections_failed(struct connections *c) {
  if (++c->failures < RESTART_AFTER ||
      track_count(c->track) <= 2 * c->complete_count + RESTART_ABOVE)
    return;
  track_restart(c->track, on_restart, c);
  dump_times_restart(&c->times);
}

size_t connections_tracked(const struct connections *c) {
  return track_count(c->track);
}

const struct connections_sums *connections_sums(const struct connections *c) {
  return &c->sums;
}
