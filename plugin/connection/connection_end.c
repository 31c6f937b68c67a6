/* The end of a connection: its one exit, and the destroy events that lead to
 * it. */
#include "connection/connection_layout.h"

#include "connection/destroy_event.h"

#include <string.h>

const struct connection_account_row connection_account[ACCOUNT_COUNT] = {
    [ACCOUNT_CONNECTING] = {.awaits_event = true, .by_event = true},
    [ACCOUNT_OPEN] = {.counts_closed = true, .awaits_event = true},
    [ACCOUNT_OPEN_MINI] = {.counts_closed = true},
    [ACCOUNT_BY_EVENT] = {.by_event = true},
    [ACCOUNT_NOTHING] = {.counts_closed = false},
};

/* A time of struct tcp_info is at most this wrong (linux: HZ >= 100). */
enum { JIFFY_MS = 10 };

/* --- Counting ------------------------------------------------------------- */

void connection_count(struct connections *c, const struct connection *x,
                      enum accumulator_life life) {
  membership_count(&c->memberships, x->word, life);
}

/* Counts a connection that no dump has shown open. */
static void count_whole(struct connections *c, const struct connection *x,
                        bool failed) {
  connection_count(c, x, failed ? ACCUMULATOR_FAILED : ACCUMULATOR_OPENED);
  if (!failed)
    connection_count(c, x, ACCUMULATOR_CLOSED);
}

void connection_count_end(struct connections *c, const struct connection *x) {
  if (x->state != CONNECTION_COUNTED && x->state != CONNECTION_MISSING &&
      connection_account[x->account].counts_closed)
    connection_count(c, x, ACCUMULATOR_CLOSED);
}

/* --- Begin and end -------------------------------------------------------- */

void connection_begun(const struct connections *c, struct connection *x,
                      uint64_t cookie, uint64_t first_seen_ms) {
  if (c->options.hooks == NULL)
    return;
  memcpy(&x->word[c->word_count - 2], &first_seen_ms, sizeof(first_seen_ms));
  c->hooks.begun(cookie, c->hooks.data);
}

static void hook_ended(const struct connections *c, const struct connection *x,
                       struct connection_end end) {
  if (c->options.hooks == NULL)
    return;
  uint64_t counter[FIELD_COUNT] = {0};
  if (end.seen)
    memcpy(&end.first_seen_ms, &x->word[c->word_count - 2],
           sizeof(end.first_seen_ms));
  if (end.counter == NULL) {
    track_counters(c->track, x, counter);
    end.counter = counter;
  }
  c->hooks.ended(&end, c->hooks.data);
}

static void connection_clear(const struct connections *c,
                             struct connection *x) {
  memset(x, 0, sizeof(*x) + c->word_count * sizeof(uint32_t));
}

void connection_end(struct connections *c, struct connection *x,
                    struct connection_end end) {
  if (x->state == CONNECTION_NONE)
    return;
  if (end.reason != CONNECTION_END_RESTARTED)
    connection_count_end(c, x);
  bool missing = x->state == CONNECTION_MISSING;
  membership_leave(&c->memberships, x->word, missing);
  c->missing -= missing;
  hook_ended(c, x, end);
  connection_clear(c, x);
}

void connection_replace(struct connections *c, struct connection *x,
                        uint64_t cookie) {
  connection_end(c, x,
                 (struct connection_end){.cookie = cookie,
                                         .reason = CONNECTION_END_REPLACED,
                                         .seen = true,
                                         .counter = c->seen.replaced});
}

/* --- Destroy events ------------------------------------------------------- */

/* Returns whether the connection of an event cannot have been counted and
 * forgotten before: its last ACK came later. */
static bool is_new(const struct connections *c, const struct sample *s,
                   uint64_t after_ms) {
  uint64_t ago;
  return destroy_event_last_ack(s, &ago) &&
         after_ms >= c->counted_before_ms + ago + JIFFY_MS;
}

static enum connection_end_reason reason_of(const struct sample *event,
                                            bool failed) {
  if (failed)
    return CONNECTION_END_FAILED;
  return destroy_event_is_disconnected(event) ? CONNECTION_END_DISCARDED
                                              : CONNECTION_END_CLOSED;
}

/* A connection that no dump has shown begins and ends in one: all of its growth
 * is added in the groups that it certainly belongs to, unless it may have been
 * counted before. */
static void unseen_add(struct connections *c, const struct sample *s,
                       uint64_t after_ms) {
  bool failed = destroy_event_has_failed(s);
  bool certain =
      c->seen.event == TRACK_REUSED || failed || is_new(c, s, after_ms);
  struct socket_attrs a = s->attrs;
  a.unknown = socket_attrs_unknown(
      destroy_event_is_disconnected(s) ? ATTRS_OF_DISCONNECT : ATTRS_OF_CLOSE);
  struct connection *x = c->seen.owner;
  connection_clear(c, x);
  connection_join(c, x, &a);
  x->account = ACCOUNT_NOTHING; /* counted here */
  bool belongs = membership_any(&c->memberships, x->word);
  if (!belongs || !certain) {
    /* A filter of the dumps may have hidden it, with a long past. */
    c->sums.unclear += belongs;
    membership_leave(&c->memberships, x->word, false);
    connection_clear(c, x);
    return;
  }
  connection_begun(c, x, s->cookie, 0);
  c->sums.retrans += c->seen.delta[FIELD_TOTAL_RETRANS];
  membership_add_rest(&c->memberships, x->word, c->seen.delta);
  count_whole(c, x, failed);
  connection_end(c, x,
                 (struct connection_end){.cookie = s->cookie,
                                         .reason = reason_of(s, failed),
                                         .counter = c->seen.delta,
                                         .event = s});
}

/* The close event of a connection that dumps have shown: any state -> end. */
static void connection_closed(struct connections *c, struct connection *x,
                              const struct sample *s) {
  bool by_event = connection_account[x->account].by_event;
  bool failed = by_event && destroy_event_has_failed(s);
  membership_add_rest(&c->memberships, x->word, c->seen.delta);
  if (by_event)
    count_whole(c, x, failed);
  connection_end(c, x,
                 (struct connection_end){.cookie = s->cookie,
                                         .reason = reason_of(s, failed),
                                         .seen = true,
                                         .event = s});
}

/* Returns whether the connection was over before its event: a complete dump
 * that had ended when the kernel sent the event did not show it any more. A
 * dump that was under way may have missed it because it closed. */
static bool was_over(const struct connections *c, const struct connection *x,
                     uint64_t after_ms) {
  if (c->seen.event == TRACK_NEW)
    return false;
  if (x->state == CONNECTION_COUNTED)
    return true;
  uint32_t ended = dump_times_ended(&c->times, after_ms);
  return x->state == CONNECTION_OVER ? c->seen.dumps_since >= ended
                                     : c->seen.dumps_since > ended;
}

void connections_destroyed(struct connections *c, const struct sample *s,
                           uint64_t after_ms) {
  bool disconnected = destroy_event_is_disconnected(s);
  bool none = destroy_event_is_no_connection(s);
  track_close(c->track, s, disconnected, &c->seen);
  c->seen.missed = was_over(c, c->seen.owner, after_ms);
  connection_correct(c, s, GROWTH_EVENT);
  c->sums.aborted += disconnected && !none && !destroy_event_has_failed(s);
  struct connection *x = c->seen.owner;
  if (c->seen.event == TRACK_REUSED) {
    connection_replace(c, x, s->cookie);
  } else if (x->state != CONNECTION_NONE) {
    c->sums.retrans += c->seen.delta[FIELD_TOTAL_RETRANS];
    connection_closed(c, x, s);
    return;
  }
  if (c->times.complete != 0 && !none) /* earlier connections do not count */
    unseen_add(c, s, after_ms);
}
