/* What each message means: a socket of a dump, or the last word on one that was
 * destroyed. The connections tracks the sockets, gives each its memberships in
 * the groups and adds there what is new of it, once.
 *
 * With destroy events (`followed`) a connection ends at its event: what it did
 * since the last dump is added and it counts as closed, at once. An event of a
 * socket that no dump has shown (a unseen) counts in full, if by its last ACK
 * it cannot have been counted and forgotten before. Without events it ends by
 * its absence, see track_end(). With them its absence counts as closed, too,
 * and the socket stays remembered for some dumps: its event may be late, or
 * lost.
 *
 *   - A connection is `opened` when it is first seen beyond SYN_SENT; one in
 *     the first dump was opened before. `closed`: one that was open is gone.
 *   - `failed`: destroyed, and never established.
 *   - What is left of a connection after its event (a mini socket in FIN_WAIT2)
 *     is shown by dumps and is neither opened nor closed.
 *   - Without its port (linux: tcp_disconnect() cleared it and the counters) an
 *     event says only that the socket is gone, and the remote address.
 */
#ifndef TCPINFO_CONNECTION_CONNECTION_H
#define TCPINFO_CONNECTION_CONNECTION_H

#include "connection/listeners.h"
#include "group/group.h"

struct connections;

/* Totals only grow. */
struct connections_sums {
  uint64_t dumped;  /* sockets of the last dump, repeats left out */
  uint64_t matched; /* of these, connections that are in a group */
  uint64_t retrans; /* total: total_retrans of what dumps showed, in groups or
                       not, and of unseen connections in groups */
  uint64_t aborted; /* total: events without counters, of connections that were
                       established: what they did last is not known */
  uint64_t unclear; /* total: events left out, because the socket may have been
                       counted before */
};

/* `group`: borrowed, outlives the connections. `states`: 1 << TCP state, what
 * the dumps are asked for. `traits`: what the groups look at (enum
 * socket_attr). `info`: whether dumps bring struct tcp_info. `interval_ms`:
 * taken for the time before the first dump. `listeners`: borrowed; who tells
 * them is the caller. NULL: out of memory. */
struct connections *connections_new(struct group *const *group,
                                    size_t group_count, uint32_t states,
                                    unsigned traits, bool info,
                                    unsigned interval_ms,
                                    struct listeners *listeners);
void connections_free(struct connections *l);

/* Whether destroy events are being received: from now on, until told
 * otherwise. */
void connections_follow(struct connections *l, bool followed);

/* A dump begins. Times are of one clock that never goes back, ms. The groups
 * are told, too. */
void connections_begin(struct connections *l, uint64_t now_ms);

/* One socket of the dump. -1: out of memory; the dump must then be taken for
 * failed. */
int connections_socket(struct connections *l, const struct sample *s);

/* The dump is complete, or is not: what it found new stays counted, and no
 * socket is taken for closed. `now_ms`: when it ended. */
void connections_complete(struct connections *l, uint64_t now_ms);
void connections_failed(struct connections *l);

/* A socket was destroyed, at `after_ms` or later. Between two dumps only. */
void connections_destroyed(struct connections *l, const struct sample *s,
                           uint64_t after_ms);

size_t
connections_tracked(const struct connections *l); /* sockets remembered */
const struct connections_sums *connections_sums(const struct connections *l);

#endif
