/* One dump of the kernel's TCP sockets over netlink (sock_diag). It knows the
 * frame of the messages, not what they say about a socket.
 *
 * The request is the legacy TCPDIAG_GETSOCK: the kernel then walks over its
 * table once for both IPv4 and IPv6 (linux: net/ipv4/inet_diag.c,
 * inet_diag_rcv_msg_compat() and inet_diag_dump_compat(), where sdiag_family is
 * AF_UNSPEC). */
#ifndef TCPINFO_KERNEL_SOCK_DIAG_H
#define TCPINFO_KERNEL_SOCK_DIAG_H

#include "kernel/netlink.h"

struct sock_diag;

/* Returns a datagram socket that is bound and connected to the kernel (in
 * tests: to a stand-in for the kernel), or -1 with errno. sock_diag closes it.
 * Called by the first dump and again after each failed one, because replies of
 * the failed dump may still be queued on its socket. */
typedef int sock_diag_open_fn(void *data);

/* `open` NULL: a NETLINK_SOCK_DIAG socket in the network namespace of the
 * thread that runs the dump. NULL: out of memory. The socket itself is opened
 * by the first dump. */
struct sock_diag *sock_diag_new(sock_diag_open_fn *open, void *data);
void sock_diag_free(struct sock_diag *d); /* NULL is legal */

/* Runs one dump and calls `cb` for each answer. Waits for the kernel, at most
 * r->timeout_ms; an interrupted system call is repeated. On DUMP_FAILED and
 * DUMP_REFUSED `error` gives the reason, and the next dump starts on a new
 * socket. Errors of the kernel are an NLMSG_ERROR or a negative errno in the
 * payload of NLMSG_DONE (linux: net/netlink/af_netlink.c,
 * netlink_dump_done()).
 *
 * DUMP_REFUSED: the request had a filter, and EINVAL, EPERM or EACCES came
 * instead of the first answer, as from the check of the filter (linux:
 * net/ipv4/inet_diag.c, inet_diag_bc_audit()); `cb` was not called. The same
 * errors can have other causes: only a request without a filter shows whether
 * the filter is the cause. */
enum dump_result sock_diag_dump(struct sock_diag *d,
                                const struct sock_diag_request *r,
                                netlink_message_cb *cb, void *data,
                                struct error *error);

/* Returns the bytes of struct tcp_info that the running kernel sends, found by
 * getsockopt(2) on a new TCP socket (linux: net/ipv4/tcp.c,
 * do_tcp_getsockopt(), TCP_INFO, cuts to the kernel's own size). 0: not known,
 * because no socket can be opened. */
size_t sock_diag_tcp_info_size(void);

#endif
