#include "kernel/sock_diag.h"

#include "util/clock.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  /* The kernel fills up to 32,448 bytes at once if the buffer of the last
   * recv(2) had room for them (linux: net/netlink/af_netlink.c,
   * netlink_recvmsg(): no more than SKB_WITH_OVERHEAD(32768)). */
  RECEIVE_SIZE = 32768,
  /* The length of an attribute has 16 bits; mnl_attr_put() would cut a larger
   * one off. */
  CODE_SIZE_MAX = 65528,
};

struct sock_diag {
  sock_diag_open_fn *open;
  void *data;
  struct mnl_socket *socket; /* NULL: the next dump opens one */
  uint32_t sequence;         /* of the last request */
  void *buffer;              /* RECEIVE_SIZE bytes */
};

/* A dump that is running. */
struct running_dump {
  const struct sock_diag_request *request;
  netlink_message_cb *cb;
  void *data;
  struct error *error;
  bool answered; /* `cb` was called */
  bool refused;  /* it has failed, and the filter may be the cause */
};

struct sock_diag *sock_diag_new(sock_diag_open_fn *open, void *data) {
  struct sock_diag *d = calloc(1, sizeof(*d));
  if (d == NULL)
    return NULL;
  d->open = open;
  d->data = data;
  d->buffer = malloc(RECEIVE_SIZE);
  if (d->buffer == NULL) {
    free(d);
    return NULL;
  }
  return d;
}

static void socket_close(struct sock_diag *d) {
  if (d->socket != NULL)
    mnl_socket_close(d->socket);
  d->socket = NULL;
}

void sock_diag_free(struct sock_diag *d) {
  if (d == NULL)
    return;
  socket_close(d);
  free(d->buffer);
  free(d);
}

static struct mnl_socket *socket_open_kernel(void) {
  struct mnl_socket *s = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
  if (s == NULL)
    return NULL;
  /* Connected, the socket takes messages from the kernel only. */
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 &&
      connect(mnl_socket_get_fd(s), (const struct sockaddr *)&kernel,
              sizeof(kernel)) == 0)
    return s;
  int code = errno;
  mnl_socket_close(s);
  errno = code;
  return NULL;
}

static struct mnl_socket *socket_open_by(sock_diag_open_fn *open, void *data) {
  int fd = open(data);
  if (fd < 0)
    return NULL;
  struct mnl_socket *s = mnl_socket_fdopen(fd);
  if (s == NULL) {
    int code = errno;
    close(fd);
    errno = code;
  }
  return s;
}

static int socket_open(struct sock_diag *d, struct error *error) {
  if (d->socket != NULL)
    return 0;
  d->socket =
      d->open != NULL ? socket_open_by(d->open, d->data) : socket_open_kernel();
  if (d->socket != NULL)
    return 0;
  /* systemd.exec(5), RestrictAddressFamilies=: EAFNOSUPPORT */
  return error_set(
      error, "cannot open a NETLINK_SOCK_DIAG socket: %s%s", strerror(errno),
      errno == EAFNOSUPPORT
          ? " (does RestrictAddressFamilies= leave out AF_NETLINK?)"
          : "");
}

/* Allocates the request:
 *
 *     | nlmsghdr 16 | inet_diag_req 60 | nlattr 4, bytecode |
 *
 * NULL: out of memory. */
static struct nlmsghdr *request_new(const struct sock_diag_request *r,
                                    uint32_t sequence) {
  void *buffer = malloc(mnl_nlmsg_size(sizeof(struct inet_diag_req)) +
                        MNL_ATTR_HDRLEN + r->code_size);
  if (buffer == NULL)
    return NULL;
  struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
  nlh->nlmsg_type = TCPDIAG_GETSOCK;
  nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  nlh->nlmsg_seq = sequence;
  struct inet_diag_req *request =
      mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
  request->idiag_states = r->states;
  request->idiag_ext = r->extensions;
  if (r->code_size > 0)
    mnl_attr_put(nlh, INET_DIAG_REQ_BYTECODE, r->code_size, r->code);
  return nlh;
}

static int request_send(struct sock_diag *d, const struct sock_diag_request *r,
                        struct error *error) {
  struct nlmsghdr *nlh = request_new(r, d->sequence);
  if (nlh == NULL)
    return error_set(error, "out of memory");
  ssize_t sent;
  do
    sent =
        send(mnl_socket_get_fd(d->socket), nlh, nlh->nlmsg_len, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  int code = errno;
  free(nlh);
  if (sent < 0)
    return error_set(error, "cannot send the request to the kernel: %s",
                     strerror(code));
  return 0;
}

/* Receives the next datagram into d->buffer. Returns its length, or -1. Reads
 * before it waits, because the kernel nearly always has the next part ready. */
static ssize_t answer_receive(struct sock_diag *d, uint64_t deadline_ms,
                              unsigned timeout_ms, struct error *error) {
  int fd = mnl_socket_get_fd(d->socket);
  for (;;) {
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms >= deadline_ms)
      return error_set(error, "the dump was not complete after %u ms",
                       timeout_ms);
    ssize_t n = recv(fd, d->buffer, RECEIVE_SIZE, MSG_DONTWAIT | MSG_TRUNC);
    if (n > RECEIVE_SIZE)
      return error_set(error,
                       "an answer of the kernel has %zd bytes, more than "
                       "the %d of the buffer",
                       n, RECEIVE_SIZE);
    if (n > 0)
      return n;
    if (n == 0)
      return error_set(error, "the kernel's answer is empty");
    if (errno == EAGAIN) {
      struct pollfd p = {.fd = fd, .events = POLLIN};
      uint64_t left = deadline_ms - now_ms;
      if (poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX) >= 0)
        continue;
    }
    if (errno != EINTR)
      return error_set(error, "cannot receive from the kernel: %s",
                       strerror(errno));
  }
}

/* Notes an error that came instead of the first answer if the filter may be the
 * cause. */
static void refusal_note(struct running_dump *u, int code) {
  if (u->answered || u->request->code_size == 0 ||
      (code != EINVAL && code != EPERM && code != EACCES))
    return;
  u->refused = true;
  error_set(u->error, "the kernel refuses the filter of the dump: %s%s",
            strerror(code),
            code == EINVAL ? ": it does not know all of it"
                           : ": not all of it is for every user");
}

/* Hands the answers of one datagram to the callback. Messages with another port
 * or sequence number do not belong to this dump. */
static enum netlink_meaning answers_hand_over(const struct sock_diag *d,
                                              size_t size,
                                              struct running_dump *u) {
  unsigned port = mnl_socket_get_portid(d->socket);
  struct netlink_cursor c = netlink_cursor_over(d->buffer, size);
  const struct nlmsghdr *nlh;
  while ((nlh = netlink_cursor_next(&c)) != NULL) {
    if (nlh->nlmsg_seq != d->sequence || nlh->nlmsg_pid != port)
      continue;
    if (netlink_is_answer(nlh)) {
      u->answered = true;
      u->cb(nlh, u->data);
      continue;
    }
    enum netlink_meaning m = netlink_meaning(nlh, u->error);
    if (m == NETLINK_MEANING_ERROR)
      refusal_note(u, netlink_error_code(nlh));
    if (m != NETLINK_MEANING_NOTHING)
      return m;
  }
  if (netlink_cursor_broken(&c)) {
    error_set(u->error,
              "the kernel's answer is malformed: %zu bytes are left over",
              c.left);
    return NETLINK_MEANING_ERROR;
  }
  return NETLINK_MEANING_NOTHING;
}

static enum netlink_meaning dump_run(struct sock_diag *d,
                                     struct running_dump *u) {
  unsigned timeout_ms = u->request->timeout_ms;
  uint64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
  if (socket_open(d, u->error) < 0)
    return NETLINK_MEANING_ERROR;
  d->sequence++;
  if (request_send(d, u->request, u->error) < 0)
    return NETLINK_MEANING_ERROR;
  for (;;) {
    ssize_t n = answer_receive(d, deadline_ms, timeout_ms, u->error);
    if (n < 0)
      return NETLINK_MEANING_ERROR;
    enum netlink_meaning m = answers_hand_over(d, (size_t)n, u);
    if (m != NETLINK_MEANING_NOTHING)
      return m;
  }
}

enum dump_result sock_diag_dump(struct sock_diag *d,
                                const struct sock_diag_request *r,
                                netlink_message_cb *cb, void *data,
                                struct error *error) {
  if (r->code_size > CODE_SIZE_MAX || r->code_size % 4 != 0) {
    error_set(error,
              "a filter of %zu bytes cannot be sent: it takes a multiple of 4 "
              "up to %d",
              r->code_size, CODE_SIZE_MAX);
    return DUMP_FAILED;
  }
  struct running_dump u = {
      .request = r, .cb = cb, .data = data, .error = error};
  if (dump_run(d, &u) == NETLINK_MEANING_DONE)
    return DUMP_COMPLETE;
  socket_close(d);
  return u.refused ? DUMP_REFUSED : DUMP_FAILED;
}

size_t sock_diag_tcp_info_size(void) {
  static const int families[] = {AF_INET, AF_INET6};
  for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
    int fd = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
      continue;
    uint8_t info[1024];
    socklen_t size = sizeof(info);
    int result = getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size);
    close(fd);
    if (result == 0)
      return size;
  }
  return 0;
}
