/* The life of the connections of one network namespace: each message of a dump
 * and each destroy event is entered here. A connection gets its memberships in
 * the groups when it is first seen, what it did since is added there once, and
 * it ends exactly once.
 *
 *   - `opened`: first seen beyond SYN_SENT. A connection in the first complete
 *     dump, or before, was opened before.
 *   - `closed`: a connection that was open has ended.
 *   - `failed`: a close event of a connection that was never established.
 *
 * While close events are received (connections_receive_events()) a connection
 * ends at its event: the growth since the last dump is added, and it counts as
 * closed at once. An event of a connection that no dump has shown (an unseen
 * connection) counts in full, if its last ACK proves that it cannot have been
 * counted and forgotten before. Without events a connection ends by its
 * absence, see track_end(). While events are received its absence counts as
 * closed as well, and the socket is remembered for some dumps, because its
 * event may be late.
 *
 * The caller begins, settles and commits the groups; several of these may add
 * to the same groups. Nothing here knows where messages come from. */
#ifndef TCPINFO_CONNECTION_CONNECTION_H
#define TCPINFO_CONNECTION_CONNECTION_H

#include "connection/connection_state.h"
#include "connection/growth.h"
#include "connection/listeners.h"
#include "group/group.h"

struct connections;

/* The end of a connection. Everything borrowed is valid during the call. */
struct connection_end {
  uint64_t cookie;
  enum connection_end_reason reason;
  bool seen; /* a dump showed it; else first_seen_ms is not known */
  uint64_t first_seen_ms; /* begin of the first dump that showed it; the clock
                             of connections_begin() */
  /* The last counters by field id, units as in struct tcp_info; only those that
   * the groups need. If `event` is not NULL, it has them all. */
  const uint64_t *counter;
  const struct sample *event; /* the destroy event, or NULL if none came */
};

/* Functions that learn of every begin and every end. For each connection that
 * begins, `ended` is called exactly once, unless it still lives at
 * connections_free(). An unseen connection begins and ends in one call. */
struct connection_hooks {
  void (*begun)(uint64_t cookie, void *data);
  void (*ended)(const struct connection_end *end, void *data);
  void *data;
};

struct connections_options {
  struct group *const *group; /* borrowed, outlives the connections */
  size_t group_count;
  uint32_t states;        /* set of 1 << TCP state: dumps are asked for these */
  uint32_t attributes;    /* set of ATTR_BIT(): the groups look at these */
  bool info;              /* dumps bring struct tcp_info */
  bool selections_change; /* connections_select_again() may be called */
  unsigned interval_ms;   /* taken for the time before the first dump */
  /* Returns the present on the clock of connections_begin(), milliseconds.
   * NULL: the begin of the last dump, for recordings. */
  growth_now_fn *now;
  void *now_data;
  /* Borrowed. Listening sockets of dumps are added; the caller begins and ends
   * the list. */
  struct listeners *listeners;
  const struct connection_hooks *hooks; /* borrowed; NULL: none */
};

/* Returns NULL if memory runs out; connections_free() accepts NULL. */
struct connections *connections_new(const struct connections_options *options);
void connections_free(struct connections *c);

/* States whether destroy events are received from now on. */
void connections_receive_events(struct connections *c, bool received);

/* The selections of the groups have changed, by more than one socket's
 * attributes: each connection enters and leaves groups accordingly when a dump
 * shows it next, without counting as opened or closed. Between two dumps only.
 */
void connections_select_again(struct connections *c);

/* Begins a dump. `now_ms`: milliseconds of one clock that never goes back. */
void connections_begin(struct connections *c, uint64_t now_ms);

/* Enters one socket of the dump. Returns -1 if there is no memory for its
 * record; the dump must then be ended by connections_failed(). The socket then
 * counts in full by the next dump that shows it, or by its destroy event. */
int connections_socket(struct connections *c, const struct sample *s);

/* Ends a complete dump at `now_ms`: connections that are gone end. Returns true
 * if it was the first one, before which no event counts. */
bool connections_complete(struct connections *c, uint64_t now_ms);

/* Ends a failed dump: its growth stays counted, no connection ends. */
void connections_failed(struct connections *c);

/* Enters the destroy event of a socket; between two dumps only. The kernel sent
 * it at `after_ms` or later, on the clock of connections_begin(). */
void connections_destroyed(struct connections *c, const struct sample *s,
                           uint64_t after_ms);

/* Returns whether `after_ms` of the next events should be close to when they
 * were sent: by a bound that is an interval old, a connection that no dump
 * shows could be one that was counted before. That is so for three complete
 * dumps after the first one, and after a connection was forgotten whose event
 * might still come. */
bool connections_need_exact_events(const struct connections *c);

/* Returns the number of sockets remembered. */
size_t connections_tracked(const struct connections *c);

struct connections_sums {
  uint64_t dumped;  /* sockets of the last dump, without repeats */
  uint64_t matched; /* of these, connections that belong to a group */
  /* Totals, which only grow. */
  uint64_t retrans; /* total_retrans of all sockets of dumps, in a group or not,
                       and of unseen connections in groups */
  uint64_t aborted; /* events without counters of connections that were
                       established: their last growth is not known */
  uint64_t unclear; /* events left out, because the connection may have been
                       counted before */
};
const struct connections_sums *connections_sums(const struct connections *c);

#endif
