#include "dump_floor.h"

#include "bench_fail.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The kernel puts at most so many bytes into a datagram (linux:
 * netlink_recvmsg()). */
enum { BUFFER_BYTES = 32768 };

int floor_open(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0)
    bench_fail("cannot open a netlink socket");
  return fd;
}

/* Sends header, request and filter; the filter is not copied. */
static void request_send(int fd, const struct sock_diag_request *r,
                         uint16_t type, void *request, size_t size) {
  struct rtattr filter = {.rta_type = INET_DIAG_REQ_BYTECODE,
                          .rta_len = (uint16_t)RTA_LENGTH(r->code_size)};
  struct nlmsghdr head = {.nlmsg_type = type,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP};
  struct iovec part[] = {{&head, sizeof(head)},
                         {request, size},
                         {&filter, sizeof(filter)},
                         {(void *)(uintptr_t)r->code, r->code_size}};
  struct msghdr message = {.msg_iov = part,
                           .msg_iovlen = r->code_size > 0 ? 4 : 2};
  for (size_t i = 0; i < message.msg_iovlen; i++)
    head.nlmsg_len += (uint32_t)part[i].iov_len;
  if (sendmsg(fd, &message, 0) != (ssize_t)head.nlmsg_len)
    bench_fail("cannot send a request");
}

static void code_check(const struct nlmsghdr *nlh) {
  int code;
  memcpy(&code, NLMSG_DATA(nlh), sizeof(code));
  errno = -code;
  if (code != 0)
    bench_fail("the dump failed");
}

/* Receives until the dump ends; returns the number of sockets. */
static size_t answers_count(int fd) {
  static union {
    struct nlmsghdr first;
    char bytes[BUFFER_BYTES];
  } buffer;
  size_t sockets = 0;
  for (;;) {
    ssize_t left = recv(fd, &buffer, sizeof(buffer), 0);
    if (left < 0)
      bench_fail("cannot receive an answer");
    for (const struct nlmsghdr *nlh = &buffer.first; NLMSG_OK(nlh, left);
         nlh = NLMSG_NEXT(nlh, left)) {
      if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
        code_check(nlh);
        return sockets;
      }
      sockets++;
    }
  }
}

static size_t walk_one(int fd, const struct sock_diag_request *r) {
  struct inet_diag_req request = {.idiag_ext = r->extensions,
                                  .idiag_states = r->states};
  request_send(fd, r, TCPDIAG_GETSOCK, &request, sizeof(request));
  return answers_count(fd);
}

static size_t walk_family(int fd, const struct sock_diag_request *r,
                          uint8_t family) {
  struct inet_diag_req_v2 request = {.sdiag_family = family,
                                     .sdiag_protocol = IPPROTO_TCP,
                                     .idiag_ext = r->extensions,
                                     .idiag_states = r->states};
  request_send(fd, r, SOCK_DIAG_BY_FAMILY, &request, sizeof(request));
  return answers_count(fd);
}

size_t floor_dump(int fd, const struct sock_diag_request *request,
                  enum floor_form form) {
  if (form == FLOOR_ONE_WALK)
    return walk_one(fd, request);
  return walk_family(fd, request, AF_INET) + walk_family(fd, request, AF_INET6);
}
