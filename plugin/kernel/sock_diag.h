/* One dump of the kernel's TCP sockets over netlink (sock_diag).
 *
 * The request is the legacy TCPDIAG_GETSOCK: the kernel then walks its table
 * once for IPv4 and IPv6 (linux: net/ipv4/inet_diag.c, inet_diag_rcv_msg_compat
 * and inet_diag_dump_compat: sdiag_family is AF_UNSPEC). */
#ifndef TCPINFO_KERNEL_SOCK_DIAG_H
#define TCPINFO_KERNEL_SOCK_DIAG_H

#include "kernel/netlink.h"

struct sock_diag;

/* Gives a datagram socket, bound and connected to the kernel (or, in tests, to
 * what plays it), or -1 with errno. diag closes it. Called again after each
 * failed dump, because replies of the failed one may still be queued on the old
 * socket. */
typedef int sock_diag_open_fn(void *data);

/* `open` NULL: a NETLINK_SOCK_DIAG socket in the caller's network namespace.
 * NULL where memory ran out. The socket itself is opened by the first dump. */
struct sock_diag *sock_diag_new(sock_diag_open_fn *open, void *data);
void sock_diag_free(struct sock_diag *d);

/* Runs one dump and calls `cb` for each answer. On DUMP_FAILED and
 * DUMP_REFUSED `error` says why; the next dump starts on a new socket. An
 * interrupted system call is taken up again. Errors of the kernel come as
 * NLMSG_ERROR or as a negative errno in the payload of NLMSG_DONE
 * (netlink_dump_done()); both count.
 *
 * DUMP_REFUSED: the request had a filter, and instead of a first answer came
 * EINVAL, EPERM or EACCES, as from inet_diag_bc_audit(). `cb` was not called.
 * Whether it was the filter's fault, only a request without one shows. */
enum dump_result sock_diag_dump(struct sock_diag *d,
                                const struct sock_diag_request *r,
                                netlink_message_cb *cb, void *data,
                                struct error *error);

/* Bytes of struct tcp_info that the running kernel sends, from getsockopt on a
 * socket of our own (linux: net/ipv4/tcp.c, do_tcp_getsockopt(), TCP_INFO:
 * it cuts to its own size). 0: not known. */
size_t sock_diag_tcp_info_size(void);

#endif
