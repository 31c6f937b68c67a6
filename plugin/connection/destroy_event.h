/* What a destroy event says of its socket beside the counters (linux:
 * net/core/sock_diag.c, sock_diag_broadcast_destroy_work()). */
#ifndef TCPINFO_CONNECTION_DESTROY_EVENT_H
#define TCPINFO_CONNECTION_DESTROY_EVENT_H

#include "tcp/sample.h"

/* tcp_disconnect() has cleared the counters, the remote port and the local
 * address: of a close with SO_LINGER 0, of a connect() that failed. */
bool destroy_event_is_disconnected(const struct sample *s);

/* It was never established. */
bool destroy_event_has_failed(const struct sample *s);

/* It was no connection: a listener, a socket that was never connected, or a
 * child that lost against another one of the same request (linux:
 * inet_csk_complete_hashdance()), which has the request's retransmissions and
 * has sent nothing. */
bool destroy_event_is_no_connection(const struct sample *s);

/* When it received its last ACK, milliseconds before the event; false: never,
 * or not told. */
bool destroy_event_last_ack(const struct sample *s, uint64_t *ms);

#endif
