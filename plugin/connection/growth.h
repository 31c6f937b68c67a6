/* Corrects the growth of a socket's counters where the kernel counts what the
 * connection did not do: time after its end, and timeouts before its begin.
 * track.c computes the growth; it knows no times. */
#ifndef TCPINFO_CONNECTION_GROWTH_H
#define TCPINFO_CONNECTION_GROWTH_H

#include "connection/dump_times.h"
#include "connection/track.h"

/* The ways in which a socket is seen. */
enum growth_sight {
  GROWTH_DUMP,  /* a dump shows it */
  GROWTH_EVENT, /* its close event */
};

/* Time passes once: lowers the growth of each time counter (busy_time,
 * rwnd_limited, sndbuf_limited, total_rto_time) to the time that the connection
 * can have lived since it was last seen. The kernel goes on counting after a
 * connection has died, for as long as a program holds the socket (linux:
 * net/ipv4/tcp.c, tcp_get_info(): the time since rto_stamp, and since the start
 * of the present chrono), and the close event brings all of it.
 *
 *   seen by     the socket was                    at most the time
 *   a dump      known                             since the dump that showed it
 *                                                 last
 *   a dump      not known                         since the last complete dump
 *   its event   known                             since the dump that showed it
 *                                                 last
 *   its event   known, but a complete dump        none: it was dead by then
 *               since did not show it, or
 *               showed it without traffic
 *   its event   not known                         between two dumps
 *
 * If the message before had no counters, that of a mini socket, the time
 * between two dumps is added: the counters are those of an earlier dump.
 *
 * Each from the begin of the dump to the present, plus one jiffy, in which the
 * kernel counts. `now` returns the present in milliseconds on the clock of `t`;
 * it is called for few sockets. */
typedef uint64_t growth_now_fn(void *data);
void growth_limit_times(struct track_seen *seen, enum growth_sight sight,
                        const struct dump_times *t, growth_now_fn *now,
                        void *data);

/* Leaves out the timeouts that a socket inherits from its request, which waited
 * for its client: see tcp_info_inherited_timeouts(). For the first message of a
 * connection that has counters. */
void growth_drop_handshake(struct track_seen *seen, const struct sample *s);

#endif
