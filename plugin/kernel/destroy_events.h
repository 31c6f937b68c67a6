/* The kernel's destroy events: what it says of every TCP socket that is freed,
 * with its final struct tcp_info (linux: net/core/sock_diag.c,
 * sock_diag_broadcast_destroy(); since Linux 4.3, for every user).
 *
 * A thread receives them as they come, so that the kernel's buffer does not
 * overflow between two reads, into a queue of raw messages that is bounded (16
 * MiB; another 16 while they are taken); destroy_events_take() empties both, so
 * that after it nothing that the kernel sent before is left. What the thread
 * and the buffer together could not hold, the kernel drops and counts.
 *
 * new, start, stop, free and take are for one owner, one at a time; `pressure`
 * may take beside all but another take, and must not call the others. The
 * kernel sends an event only where inet_diag and tcp_diag are loaded (linux:
 * inet_diag_handler_get_info()), which any dump sees to. */
#ifndef TCPINFO_KERNEL_DESTROY_EVENTS_H
#define TCPINFO_KERNEL_DESTROY_EVENTS_H

#include "kernel/sock_diag.h"

struct destroy_events;

/* One event: any message but netlink's own (NLMSG_MIN_TYPE). `nlh` is whole,
 * aligned to 4 bytes and borrowed. The kernel sent it at `after_ms`
 * (CLOCK_MONOTONIC, milliseconds) or later; the socket was closed before that,
 * because a work queue of the kernel sends
 * (sock_diag_broadcast_destroy_work()). `after_ms` never falls from one to the
 * next. Events of several processors have no order. */
typedef void destroy_events_cb(const struct nlmsghdr *nlh, uint64_t after_ms,
                               void *data);

/* Called in the thread, without any lock held, when much is queued (1 MiB), and
 * again with all that comes until it was taken: to call destroy_events_take()
 * if that can be done without waiting, else to do nothing. NULL: none. */
typedef void destroy_events_pressure_fn(void *data);

/* `open` NULL: a NETLINK_SOCK_DIAG socket in the caller's network namespace,
 * member of SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY, with a
 * receive buffer as large as the privileges allow. Another one is closed by
 * destroy, and may be of any family that keeps messages apart; messages of
 * other netlink sockets than the kernel's are passed over. NULL: out of memory.
 */
struct destroy_events *destroy_events_new(sock_diag_open_fn *open,
                                          void *open_data,
                                          destroy_events_pressure_fn *pressure,
                                          void *data);
void destroy_events_free(
    struct destroy_events *d); /* stops it first; NULL is legal */

/* Subscribes and starts the thread, which has all signals blocked. -1 with the
 * reason: then nothing runs. To be called after the daemon's fork. Where it
 * runs already, nothing is done. The first events may be of sockets that were
 * closed shortly before, where any namespace has a subscriber (linux:
 * netlink_has_listeners()). `error` may be NULL. */
int destroy_events_start(struct destroy_events *d, struct error *error);

/* Ends the subscription and the thread, promptly, whatever it is doing; what is
 * queued, or still held by the kernel, stays to be taken. The caller must not
 * hold what `pressure` waits for. */
void destroy_events_stop(struct destroy_events *d);

/* Whether the thread receives. False also after an error of the socket that
 * receiving does not clear, which ends the thread; destroy_events_start() then
 * begins anew. */
bool destroy_events_runs(const struct destroy_events *d);

/* Hands over each event that the kernel had sent before the call, whether the
 * thread runs or not. */
void destroy_events_take(struct destroy_events *d, destroy_events_cb *cb,
                         void *data);

/* Totals since destroy_events_new(), as of the last destroy_events_take() or
 * destroy_events_stop(). received: events handed over. lost: exactly those that
 * the kernel counted as dropped (SO_MEMINFO, SK_MEMINFO_DROPS, since
 * Linux 4.12; linux: net/netlink/af_netlink.c, netlink_overrun()), and those
 * for which the queue had no room at destroy_events_stop(). */
struct destroy_events_totals {
  uint64_t received, lost;
};
struct destroy_events_totals
destroy_events_totals(const struct destroy_events *d);

#endif
