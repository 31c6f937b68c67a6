/* The subscription to the kernel's close events: for every TCP socket that the
 * kernel frees it sends a message with the final struct tcp_info (linux:
 * net/core/sock_diag.c, sock_diag_broadcast_destroy(); since Linux 4.3, without
 * privileges). It knows the frame of the messages, not what they say.
 *
 * A thread receives the events as they come, so that the kernel's buffer does
 * not overflow between two reads, into a queue of raw messages that is limited
 * to 16 MiB (and another 16 MiB while events are handed over).
 * destroy_events_take() empties the buffer and the queue: after it, nothing is
 * left that the kernel had sent before. What buffer and queue together have no
 * room for, the kernel drops and counts.
 *
 * Threads: all functions belong to one owner, who makes one call at a time. The
 * backlog function, which runs in the receiving thread, may call
 * destroy_events_take() while the owner runs anything but another
 * destroy_events_take(); the two must exclude each other by a lock of the
 * caller. It must call none of the others.
 *
 * The kernel sends an event only if inet_diag and tcp_diag are loaded (linux:
 * net/ipv4/inet_diag.c, inet_diag_handler_get_info()); any dump loads them. */
#ifndef TCPINFO_KERNEL_DESTROY_EVENTS_H
#define TCPINFO_KERNEL_DESTROY_EVENTS_H

#include "kernel/sock_diag.h"

struct destroy_events;

/* Receives one event: any message but netlink's own (NLMSG_MIN_TYPE). `nlh` is
 * complete, aligned to 4 bytes and borrowed.
 *
 * The kernel sent the event at `after_ms` (CLOCK_MONOTONIC, milliseconds) or
 * later. The socket may have been closed before `after_ms`, because a work
 * queue of the kernel sends the events (linux: net/core/sock_diag.c,
 * sock_diag_broadcast_destroy_work()). `after_ms` never falls from one event to
 * the next. Events from different processors have no order.
 *
 * `after_ms` is when the socket was last found empty: usually at the last event
 * or take, see destroy_events_date_closely(). */
typedef void destroy_events_cb(const struct nlmsghdr *nlh, uint64_t after_ms,
                               void *data);

/* Called in the receiving thread, without a lock held, when more than 1 MiB is
 * queued, and again after each batch that comes until the queue was taken.
 * Calls destroy_events_take() if that is possible without waiting; else does
 * nothing.
 */
typedef void destroy_events_backlog_fn(void *data);

/* `open` opens the socket of each start; NULL: a NETLINK_SOCK_DIAG socket in
 * the network namespace of the caller of destroy_events_start(), a member of
 * SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY, with a receive buffer
 * as large as the privileges allow. A socket from `open` is closed by
 * destroy_events and may be of any family that keeps the bounds of messages.
 * Messages that another program sent over netlink are skipped. `backlog` may be
 * NULL; `data` is for it. NULL: out of memory. */
struct destroy_events *destroy_events_new(sock_diag_open_fn *open,
                                          void *open_data,
                                          destroy_events_backlog_fn *backlog,
                                          void *data);

/* Stops first; events that were not taken are lost. NULL is legal. */
void destroy_events_free(struct destroy_events *d);

/* Subscribes and starts the thread, in which all signals are blocked. Does
 * nothing if the thread runs already. Returns -1 with the reason in `error`,
 * which may be NULL; then nothing runs. To be called after the daemon's fork.
 *
 * If any network namespace had a subscriber before, the first events may be
 * about sockets that were closed shortly before this call (linux:
 * netlink_has_listeners()). */
int destroy_events_start(struct destroy_events *d, struct error *error);

/* Ends the subscription and the thread without delay, whatever the thread is
 * doing. Events that are queued, or that the kernel still holds, can be taken
 * afterwards. The caller must not hold a lock that the backlog function waits
 * for. */
void destroy_events_stop(struct destroy_events *d);

/* `closely`: until this is called again the thread looks at the socket every 10
 * ms, even if nothing comes, so that `after_ms` of an event is at most that
 * much too early if the thread gets CPU time. Else it sleeps until something
 * comes. Lasts over a stop and a start. */
void destroy_events_date_closely(struct destroy_events *d, bool closely);

/* True as long as the thread receives. The thread ends by itself after an error
 * of the socket that receiving does not clear; destroy_events_start() then
 * begins again. */
bool destroy_events_runs(const struct destroy_events *d);

/* Hands over each event that the kernel had sent before the call, whether the
 * thread runs or not. */
void destroy_events_take(struct destroy_events *d, destroy_events_cb *cb,
                         void *data);

/* Totals since destroy_events_new(), as of the last destroy_events_take() or
 * destroy_events_stop(). */
struct destroy_events_totals {
  uint64_t received; /* events handed over */
  /* Events that the kernel counted as dropped (SO_MEMINFO, SK_MEMINFO_DROPS,
   * since Linux 4.12; linux: net/netlink/af_netlink.c, netlink_overrun()), and
   * those that the queue had no room for in destroy_events_stop(). Exact. */
  uint64_t lost;
};
struct destroy_events_totals
destroy_events_totals(const struct destroy_events *d);

/* Returns the size of the socket's receive buffer that the kernel granted at
 * the last start, in bytes as net.core.rmem_max counts them;
 * DESTROY_EVENTS_BUFFER is asked for. 0: not known. A process with
 * CAP_NET_ADMIN is granted it all; an event takes 640 of these bytes. */
enum { DESTROY_EVENTS_BUFFER = 32 << 20 };
size_t destroy_events_buffer(const struct destroy_events *d);

#endif
