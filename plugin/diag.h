/* One dump of the kernel's TCP sockets over netlink (sock_diag).
 *
 * The request is the legacy TCPDIAG_GETSOCK: the kernel then walks its table
 * once for IPv4 and IPv6 (linux: net/ipv4/inet_diag.c, inet_diag_rcv_msg_compat
 * and inet_diag_dump_compat: sdiag_family is AF_UNSPEC). */
#ifndef TCPINFO_DIAG_H
#define TCPINFO_DIAG_H

#include "source.h"

struct diag;

/* Gives a datagram socket, bound and connected to the kernel (or, in tests, to
 * what plays it), or -1 with errno. diag closes it. Called again after each
 * failed dump, because replies of the failed one may still be queued on the old
 * socket. */
typedef int diag_open_fn(void *data);

/* `open` NULL: a NETLINK_SOCK_DIAG socket in the caller's network namespace.
 * NULL where memory ran out. The socket itself is opened by the first dump. */
struct diag *diag_new(diag_open_fn *open, void *data);
void diag_free(struct diag *d);

/* Runs one dump and calls `cb` for each answer. On SOURCE_FAILED and
 * SOURCE_REFUSED `error` says why; the next dump starts on a new socket. An
 * interrupted system call is taken up again. Errors of the kernel come as
 * NLMSG_ERROR or as a negative errno in the payload of NLMSG_DONE
 * (netlink_dump_done()); both count.
 *
 * SOURCE_REFUSED: the request had a filter, and instead of a first answer came
 * EINVAL, EPERM or EACCES, as from inet_diag_bc_audit(). `cb` was not called.
 * Whether it was the filter's fault, only a request without one shows. */
enum source_result diag_dump(struct diag *d, const struct source_request *r,
                             source_message_cb *cb, void *data,
                             struct error *error);

/* Bytes of struct tcp_info that the running kernel sends, from getsockopt on a
 * socket of our own (linux: net/ipv4/tcp.c, do_tcp_getsockopt(), TCP_INFO:
 * it cuts to its own size). 0: not known. */
size_t diag_tcp_info_size(void);

#endif
