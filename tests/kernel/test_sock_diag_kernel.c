/* sock_diag against the running kernel: loopback connections of our own have to
 * be found in its dumps by their cookies. */
#include "kernel/sock_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/capability.h>
#include <linux/inet_diag.h>
#include <netinet/tcp.h>

enum {
  PAIRS = 8, /* connections of each family */
  TIMEOUT_MS = 60000,
  NOBODY = 65534,
};

struct end {
  int fd;
  uint64_t cookie;
  size_t found; /* by the last dump */
  size_t info;  /* bytes of tcp_info then */
};

/* One listener with connections to it. */
struct net {
  struct end listener;
  struct end end[2 * PAIRS];
  uint16_t port; /* of the listener */
};

static struct net net4, net6;
static bool has_ipv6;

static void end_set(struct end *e, int fd) {
  socklen_t size = sizeof(e->cookie);
  e->fd = fd;
  assert_return_code(fd, errno);
  assert_return_code(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &e->cookie, &size),
                     errno);
}

static void net_open(struct net *n, const void *address, socklen_t size) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } a;
  memset(&a, 0, sizeof(a));
  memcpy(&a, address, size);
  end_set(&n->listener, socket(a.any.sa_family, SOCK_STREAM, 0));
  assert_return_code(bind(n->listener.fd, &a.any, size), errno);
  assert_return_code(listen(n->listener.fd, PAIRS), errno);
  assert_return_code(getsockname(n->listener.fd, &a.any, &size), errno);
  n->port = ntohs(a.v4.sin_port); /* at the same place in both */
  for (size_t i = 0; i < PAIRS; i++) {
    int fd = socket(a.any.sa_family, SOCK_STREAM, 0);
    assert_return_code(connect(fd, &a.any, size), errno);
    end_set(&n->end[2 * i], fd);
    end_set(&n->end[2 * i + 1], accept(n->listener.fd, NULL, NULL));
  }
}

static void net_close(struct net *n) {
  for (size_t i = 0; i < 2 * PAIRS; i++)
    close(n->end[i].fd);
  close(n->listener.fd);
}

static int group_begin(void **state) {
  (void)state;
  const struct sockaddr_in v4 = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  net_open(&net4, &v4, sizeof(v4));
  const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                                  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  has_ipv6 = fd >= 0 && bind(fd, (const void *)&v6, sizeof(v6)) == 0;
  close(fd);
  if (has_ipv6)
    net_open(&net6, &v6, sizeof(v6));
  return 0;
}

static int group_end(void **state) {
  (void)state;
  net_close(&net4);
  if (has_ipv6)
    net_close(&net6);
  return 0;
}

static size_t answers; /* of the last dump, in all */

static void end_look(struct end *e, const struct nlmsghdr *nlh) {
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
  uint64_t cookie = m->id.idiag_cookie[0] | (uint64_t)m->id.idiag_cookie[1]
                                                << 32;
  if (cookie != e->cookie)
    return;
  e->found++;
  const struct nlattr *a;
  mnl_attr_for_each(a, nlh, sizeof(*m)) {
    if (mnl_attr_get_type(a) == INET_DIAG_INFO)
      e->info = mnl_attr_get_payload_len(a);
  }
}

static void net_look(struct net *n, const struct nlmsghdr *nlh) {
  end_look(&n->listener, nlh);
  for (size_t i = 0; i < 2 * PAIRS; i++)
    end_look(&n->end[i], nlh);
}

static void look(const struct nlmsghdr *nlh, void *data) {
  (void)data;
  answers++;
  net_look(&net4, nlh);
  if (has_ipv6)
    net_look(&net6, nlh);
}

static void net_forget(struct net *n) {
  n->listener.found = n->listener.info = 0;
  for (size_t i = 0; i < 2 * PAIRS; i++)
    n->end[i].found = n->end[i].info = 0;
}

static void assert_dump(struct sock_diag *d, struct sock_diag_request r) {
  struct error error = {""};
  net_forget(&net4);
  net_forget(&net6);
  answers = 0;
  r.timeout_ms = TIMEOUT_MS;
  if (sock_diag_dump(d, &r, look, NULL, &error) != DUMP_COMPLETE)
    fail_msg("%s", error.text);
}

/* Each end `ends` times, the listener `listeners` times, with so much
 * tcp_info. */
static void assert_found(const struct net *n, size_t ends, size_t listeners,
                         size_t info) {
  if (n == &net6 && !has_ipv6)
    return;
  assert_int_equal(n->listener.found, listeners);
  for (size_t i = 0; i < 2 * PAIRS; i++) {
    assert_int_equal(n->end[i].found, ends);
    assert_int_equal(n->end[i].info, info);
  }
}

static void kernel_has_a_size_of_tcp_info(void **state) {
  (void)state;
  assert_true(sock_diag_tcp_info_size() >= 104);
}

static const struct sock_diag_request all = {.states = 0xfff};
static const struct sock_diag_request established = {.states =
                                                         1 << TCP_ESTABLISHED};

static void kernel_sends_the_states_and_extensions_asked_for(void **state) {
  (void)state;
  struct sock_diag *d = sock_diag_new(NULL, NULL);
  assert_non_null(d);
  assert_dump(d, all);
  assert_found(&net4, 1, 1, 0);
  assert_found(&net6, 1, 1, 0);
  assert_dump(d, established);
  assert_found(&net4, 1, 0, 0);
  assert_found(&net6, 1, 0, 0);
  assert_dump(d, (struct sock_diag_request){.states = 1 << TCP_LISTEN});
  assert_found(&net4, 0, 1, 0);
  assert_found(&net6, 0, 1, 0);
  assert_dump(d, (struct sock_diag_request){
                     .states = 1 << TCP_ESTABLISHED,
                     .extensions = 1 << (INET_DIAG_INFO - 1),
                 });
  assert_found(&net4, 1, 0, sock_diag_tcp_info_size());
  assert_found(&net6, 1, 0, sock_diag_tcp_info_size());
  sock_diag_free(d);
}

/* One end of each connection has the port as its local one. */
static void kernel_applies_the_filter(void **state) {
  (void)state;
  const struct inet_diag_bc_op code[] = {
      {INET_DIAG_BC_S_GE, 8, 20},
      {0, 0, net4.port},
      {INET_DIAG_BC_S_LE, 8, 12},
      {0, 0, net4.port},
  };
  struct sock_diag *d = sock_diag_new(NULL, NULL);
  assert_non_null(d);
  assert_dump(d, (struct sock_diag_request){.states = 1 << TCP_ESTABLISHED,
                                            .code = code,
                                            .code_size = sizeof(code)});
  for (size_t i = 0; i < 2 * PAIRS; i++)
    assert_int_equal(net4.end[i].found, i % 2);
  sock_diag_free(d);
}

/* The longest filter that fits, of operations that do nothing. */
static void kernel_accepts_the_longest_filter(void **state) {
  (void)state;
  struct inet_diag_bc_op code[65528 / sizeof(struct inet_diag_bc_op)];
  for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++)
    code[i] = (struct inet_diag_bc_op){INET_DIAG_BC_NOP, 4, 4};
  struct sock_diag *d = sock_diag_new(NULL, NULL);
  assert_non_null(d);
  assert_dump(d, (struct sock_diag_request){.states = 1 << TCP_ESTABLISHED,
                                            .code = code,
                                            .code_size = sizeof(code)});
  assert_found(&net4, 1, 0, 0);
  assert_found(&net6, 1, 0, 0);
  sock_diag_free(d);
}

static const struct inet_diag_bc_op unknown_code[] = {{200, 4, 8}};

/* Any mark. */
static const struct {
  struct inet_diag_bc_op op;
  struct inet_diag_markcond mark;
} mark_code = {{INET_DIAG_BC_MARK_COND, 12, 16}, {0, 0}};

static struct sock_diag_request filtered(const void *code, size_t size) {
  return (struct sock_diag_request){.states = 1 << TCP_ESTABLISHED,
                                    .code = code,
                                    .code_size = size,
                                    .timeout_ms = TIMEOUT_MS};
}

static void kernel_refuses_an_unknown_filter(void **state) {
  (void)state;
  const struct sock_diag_request r =
      filtered(unknown_code, sizeof(unknown_code));
  struct error error = {""};
  struct sock_diag *d = sock_diag_new(NULL, NULL);
  assert_non_null(d);
  answers = 0;
  assert_int_equal(sock_diag_dump(d, &r, look, NULL, &error), DUMP_REFUSED);
  assert_int_equal(answers, 0);
  assert_non_null(strstr(error.text, "filter"));
  assert_non_null(strstr(error.text, strerror(EINVAL)));
  assert_dump(d, established);
  assert_found(&net4, 1, 0, 0);
  sock_diag_free(d);
}

/* A netlink socket that still has a dump unread. */
static int open_busy(void *data) {
  size_t *opened = data;
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
  struct sockaddr_nl a = {.nl_family = AF_NETLINK};
  assert_return_code(fd, errno);
  assert_return_code(bind(fd, (void *)&a, sizeof(a)), errno);
  assert_return_code(connect(fd, (void *)&a, sizeof(a)), errno);
  if ((*opened)++ > 0)
    return fd;
  const struct {
    struct nlmsghdr nlh;
    struct inet_diag_req r;
  } request = {
      {sizeof(request), TCPDIAG_GETSOCK, NLM_F_REQUEST | NLM_F_DUMP, 77, 0},
      {.idiag_states = 0xfff, .idiag_ext = 0xff}};
  assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
  return fd;
}

static void dump_after_a_failed_one_uses_a_new_socket(void **state) {
  (void)state;
  size_t opened = 0;
  struct error error = {""};
  struct sock_diag_request r = all;
  r.timeout_ms = TIMEOUT_MS;
  struct sock_diag *d = sock_diag_new(open_busy, &opened);
  assert_non_null(d);
  assert_int_equal(sock_diag_dump(d, &r, look, NULL, &error), DUMP_FAILED);
  assert_non_null(strstr(error.text, strerror(EBUSY)));
  assert_dump(d, all);
  assert_found(&net4, 1, 1, 0);
  assert_int_equal(opened, 2);
  sock_diag_free(d);
}

/* Returns the result of `body` in a child process without privileges. */
static int as_nobody(int (*body)(void)) {
  pid_t child = fork();
  assert_return_code(child, errno);
  if (child == 0) {
    if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
      _exit(100);
    _exit(body());
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int dump_info(void) {
  struct sock_diag_request r = established;
  r.extensions = 1 << (INET_DIAG_INFO - 1);
  r.timeout_ms = TIMEOUT_MS;
  struct sock_diag *d = sock_diag_new(NULL, NULL);
  net_forget(&net4);
  if (sock_diag_dump(d, &r, look, NULL, NULL) != DUMP_COMPLETE)
    return 1;
  sock_diag_free(d);
  for (size_t i = 0; i < 2 * PAIRS; i++)
    if (net4.end[i].found != 1 || net4.end[i].info == 0)
      return 2;
  return 0;
}

static void dump_needs_no_privileges(void **state) {
  (void)state;
  assert_int_equal(as_nobody(dump_info), 0);
}

static int dump_by_mark(void) {
  const struct sock_diag_request r = filtered(&mark_code, sizeof(mark_code));
  struct error error = {""};
  struct sock_diag *d = sock_diag_new(NULL, NULL);
  answers = 0;
  if (sock_diag_dump(d, &r, look, NULL, &error) != DUMP_REFUSED)
    return 1;
  if (answers != 0 || strstr(error.text, strerror(EPERM)) == NULL)
    return 2;
  struct sock_diag_request plain = established;
  plain.timeout_ms = TIMEOUT_MS;
  if (sock_diag_dump(d, &plain, look, NULL, &error) != DUMP_COMPLETE)
    return 3;
  sock_diag_free(d);
  return answers > 0 ? 0 : 4;
}

static void filter_by_mark_needs_privileges(void **state) {
  (void)state;
  assert_int_equal(as_nobody(dump_by_mark), 0);
  if (geteuid() != 0 || prctl(PR_CAPBSET_READ, CAP_NET_ADMIN) != 1)
    return;
  struct sock_diag *d = sock_diag_new(NULL, NULL);
  assert_non_null(d);
  assert_dump(d, filtered(&mark_code, sizeof(mark_code)));
  assert_found(&net4, 1, 0, 0);
  sock_diag_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kernel_has_a_size_of_tcp_info),
      cmocka_unit_test(kernel_sends_the_states_and_extensions_asked_for),
      cmocka_unit_test(kernel_applies_the_filter),
      cmocka_unit_test(kernel_accepts_the_longest_filter),
      cmocka_unit_test(kernel_refuses_an_unknown_filter),
      cmocka_unit_test(dump_after_a_failed_one_uses_a_new_socket),
      cmocka_unit_test(dump_needs_no_privileges),
      cmocka_unit_test(filter_by_mark_needs_privileges),
  };
  return cmocka_run_group_tests(tests, group_begin, group_end);
}
