/* Reads what a destroy event holds beside the counters (linux:
 * net/core/sock_diag.c, sock_diag_broadcast_destroy_work()). */
#ifndef TCPINFO_CONNECTION_DESTROY_EVENT_H
#define TCPINFO_CONNECTION_DESTROY_EVENT_H

#include "tcp/sample.h"

/* Returns whether tcp_disconnect() has cleared the counters, the remote port
 * and the local address (linux: net/ipv4/tcp.c): after a close with SO_LINGER
 * 0, or a blocking connect() that failed. */
bool destroy_event_is_disconnected(const struct sample *s);

/* Returns whether the socket was never established. */
bool destroy_event_has_failed(const struct sample *s);

/* Returns whether the socket was no connection: a listener, a socket that was
 * never connected, or a child that lost against another child of the same
 * request (linux: net/ipv4/inet_connection_sock.c,
 * inet_csk_complete_hashdance()), which has the request's retransmissions and
 * has sent nothing. */
bool destroy_event_is_no_connection(const struct sample *s);

/* `ms`: milliseconds from the socket's last ACK to the event. Returns false if
 * it never received one, or the kernel does not send the time. */
bool destroy_event_last_ack(const struct sample *s, uint64_t *ms);

#endif
