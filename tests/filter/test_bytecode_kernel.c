/* The kernel itself against the compiler, the interpreter and selector_match():
 * it takes every code, and passes what the interpreter does. */
#include "filter/bytecode.h"
#include "support/build_selector.h"
#include "support/bytecode_machine.h"
#include "support/random_selector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include <cmocka.h>

enum {
  SOCKETS_MAX = 64,
  NOBODY = 65534,
  LISTENING = 1 << TCP_LISTEN,
  ALL_STATES = 0xffe,
};

/* A socket of this test, known by its ports; the rest is the kernel's word. */
struct own {
  struct socket socket;
  uint8_t state;
  bool seen; /* in the last dump */
};

struct dump {
  struct own own[SOCKETS_MAX];
  size_t count;
  int fd[SOCKETS_MAX];
  size_t fds;
};

static struct socket socket_of(const struct nlmsghdr *nlh) {
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
  struct socket s = {
      .family = m->idiag_family,
      .mini = true,
      .attrs = {.local = address_from_inet(m->idiag_family, m->id.idiag_src),
                .remote = address_from_inet(m->idiag_family, m->id.idiag_dst),
                .local_port = ntohs(m->id.idiag_sport),
                .remote_port = ntohs(m->id.idiag_dport),
                .interface = m->id.idiag_if}};
  const struct nlattr *a;
  mnl_attr_for_each(a, nlh, sizeof(*m)) {
    if (mnl_attr_get_type(a) == INET_DIAG_MARK)
      s.attrs.mark = mnl_attr_get_u32(a);
    if (mnl_attr_get_type(a) == INET_DIAG_CGROUP_ID)
      s.attrs.cgroup = mnl_attr_get_u64(a);
    if (mnl_attr_get_type(a) == INET_DIAG_SHUTDOWN) /* full ones only */
      s.mini = false;
  }
  return s;
}

static int on_message(const struct nlmsghdr *nlh, void *data) {
  struct dump *d = data;
  struct socket s = socket_of(nlh);
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
  for (size_t i = 0; i < d->count; i++) {
    struct own *o = &d->own[i];
    if (o->socket.attrs.local_port != s.attrs.local_port ||
        o->socket.attrs.remote_port != s.attrs.remote_port)
      continue;
    o->socket = s;
    o->state = m->idiag_state;
    o->seen = true;
  }
  return MNL_CB_OK;
}

/* 0, or -1 with the kernel's errno. */
static int dump(struct mnl_socket *nl, const struct bytecode *b,
                unsigned states, struct dump *d) {
  char buffer[32768];
  static unsigned sequence;
  struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
  nlh->nlmsg_type = TCPDIAG_GETSOCK;
  nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  nlh->nlmsg_seq = ++sequence;
  struct inet_diag_req *r = mnl_nlmsg_put_extra_header(nlh, sizeof(*r));
  r->idiag_states = states;
  if (b->size > 0)
    mnl_attr_put(nlh, INET_DIAG_REQ_BYTECODE, b->size, b->code);
  for (size_t i = 0; i < d->count; i++)
    d->own[i].seen = false;
  if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
    return -1;
  for (int result = MNL_CB_OK; result > MNL_CB_STOP;) {
    ssize_t size = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
    result = size < 0 ? -1
                      : mnl_cb_run(buffer, (size_t)size, sequence,
                                   mnl_socket_get_portid(nl), on_message, d);
    if (result < 0)
      return -1;
  }
  return 0;
}

static struct mnl_socket *diag_open(void) {
  struct mnl_socket *nl = mnl_socket_open(NETLINK_SOCK_DIAG);
  if (nl == NULL || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
    skip();
  return nl;
}

/* The features that this kernel has, and allows this user. */
static unsigned features_here(struct mnl_socket *nl) {
  static const struct {
    unsigned feature;
    uint8_t code[16];
  } rows[] = {{BYTECODE_INTERFACE, {INET_DIAG_BC_DEV_COND, 8, 8}},
              {BYTECODE_CGROUP, {INET_DIAG_BC_CGROUP_COND, 12, 12}},
              {BYTECODE_MARK, {INET_DIAG_BC_MARK_COND, 12, 12}}};
  unsigned features = 0;
  struct dump none = {.count = 0};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct bytecode b = {.code = (uint8_t *)rows[i].code,
                         .size = rows[i].code[1]};
    if (dump(nl, &b, LISTENING, &none) == 0)
      features |= rows[i].feature;
  }
  return features;
}

/* The way in which one of the connections is made and ended. */
struct connection {
  const char *listen, *connect; /* addresses */
  uint32_t mark;
  bool to_lo;                                      /* bound to it */
  enum { OPEN, REQUEST, HALF_CLOSED, CLOSED } end; /* the client's */
};

static int tcp_socket(const struct connection *c, bool v4) {
  int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
  if (fd >= 0 && c->to_lo)
    (void)setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
  if (fd >= 0 && c->mark != 0)
    (void)setsockopt(fd, SOL_SOCKET, SO_MARK, &c->mark, sizeof(c->mark));
  return fd;
}

static void know(struct dump *d, int local, int remote) {
  d->own[d->count++].socket.attrs = (struct socket_attrs){
      .local_port = (uint16_t)local, .remote_port = (uint16_t)remote};
}

static int port_of(int fd) {
  struct sockaddr_in6 a = {.sin6_port = 0}; /* as in sockaddr_in */
  socklen_t size = sizeof(a);
  getsockname(fd, (void *)&a, &size);
  return ntohs(a.sin6_port);
}

static void connection_open(struct dump *d, const struct connection *c) {
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6}, b6 = a6;
  struct sockaddr_in a4 = {.sin_family = AF_INET}, b4 = a4;
  bool v4 = inet_pton(AF_INET, c->listen, &a4.sin_addr) == 1;
  socklen_t size = v4 ? sizeof(a4) : sizeof(a6);
  inet_pton(AF_INET, c->connect, &b4.sin_addr);
  inet_pton(AF_INET6, c->listen, &a6.sin6_addr);
  inet_pton(AF_INET6, c->connect, &b6.sin6_addr);

  int server = tcp_socket(c, v4), client = tcp_socket(c, v4), one = 60;
  if (server < 0 || client < 0)
    return;
  d->fd[d->fds++] = server;
  if (c->end == REQUEST) /* the server's end stays a request until data comes */
    setsockopt(server, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one));
  if (bind(server, v4 ? (void *)&a4 : &a6, size) != 0 || listen(server, 1) != 0)
    return;
  know(d, port_of(server), 0);
  b4.sin_port = b6.sin6_port = htons((uint16_t)port_of(server));
  if (connect(client, v4 ? (void *)&b4 : &b6, size) != 0) {
    d->fd[d->fds++] = client;
    return;
  }
  know(d, port_of(client), port_of(server));
  know(d, port_of(server), port_of(client));
  int accepted = c->end == REQUEST ? -1 : accept(server, NULL, NULL);
  if (c->end == HALF_CLOSED || c->end == CLOSED)
    close(client);
  else
    d->fd[d->fds++] = client;
  if (c->end == CLOSED)
    close(accepted);
  else if (accepted >= 0)
    d->fd[d->fds++] = accepted;
}

static void connections_open(struct dump *d) {
  static const struct connection rows[] = {
      {"127.0.0.1", "127.0.0.1", 0, false, OPEN},
      {"127.0.0.2", "127.0.0.2", 7, false, OPEN},
      {"0.0.0.0", "127.0.0.3", 0x17, true, OPEN},
      {"::1", "::1", 1, false, OPEN},
      {"::", "::ffff:127.0.0.4", 0, false, OPEN},
      {"::ffff:127.0.0.5", "::ffff:127.0.0.5", 7, true, OPEN},
      {"127.0.0.1", "127.0.0.1", 7, true, REQUEST},
      {"127.0.0.1", "127.0.0.1", 0x17, true, HALF_CLOSED},
      {"::1", "::1", 0, false, HALF_CLOSED},
      {"127.0.0.2", "127.0.0.2", 7, true, CLOSED},
      {"::1", "::1", 0, false, CLOSED},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    connection_open(d, &rows[i]);
}

static void connections_close(struct dump *d) {
  for (size_t i = 0; i < d->fds; i++)
    close(d->fd[i]);
}

/* All of them as they are without a filter, once the last acknowledgement has
 * come; those that are not there, such as what could not connect, are left out.
 */
static void connections_learn(struct mnl_socket *nl, struct dump *d) {
  static const struct bytecode nothing = {.size = 0};
  bool waits = true;
  for (int tries = 0; waits && tries < 10000; tries++) {
    assert_int_equal(dump(nl, &nothing, ALL_STATES, d), 0);
    waits = false;
    for (size_t i = 0; i < d->count; i++)
      waits |= d->own[i].seen && d->own[i].state == TCP_FIN_WAIT1;
    usleep(1000);
  }
  assert_false(waits);
  unsigned minis = 0;
  for (size_t i = 0; i < d->count;)
    if (d->own[i].seen)
      minis += d->own[i++].socket.mini;
    else
      d->own[i] = d->own[--d->count];
  assert_in_range(d->count, 15, SOCKETS_MAX); /* of IPv4 at least */
  assert_in_range(minis, 3, SOCKETS_MAX);
  for (size_t i = 0; i < d->count; i++)
    if (!d->own[i].socket.mini)
      random_set_cgroup(i, d->own[i].socket.attrs.cgroup);
}

/* The audit takes every code, and the kernel passes what the interpreter
 * does, and all that matches. */
static void kernel_passes_what_the_interpreter_passes(void **state) {
  (void)state;
  srandom(3);
  struct mnl_socket *nl = diag_open();
  static struct dump d;
  connections_open(&d);
  connections_learn(nl, &d);
  unsigned here = features_here(nl), used = 0, passed = 0, rejected = 0;
  for (int i = 0; i < 3000; i++) {
    struct random r = {.budget = i % 2 ? BYTECODE_COST_MAX : 2000,
                       .features = here & (unsigned)random()};
    struct selector *s = random_selector(4, &r);
    struct bytecode b;
    assert_int_equal(bytecode_compile(s, r.features, &b), 0);
    if (dump(nl, &b, ALL_STATES, &d) != 0)
      fail_msg("selector %d: %s", i, strerror(errno));
    for (size_t j = 0; j < d.count; j++) {
      const struct own *o = &d.own[j];
      bool match = selector_match(s, &o->socket.attrs);
      bool pass = machine_passes(&b, &o->socket);
      if (o->seen != pass || (match && !o->seen))
        fail_msg("selector %d, socket %zu in state %u: kernel %d, "
                 "interpreter %d, match %d",
                 i, j, o->state, o->seen, pass, match);
      *(pass ? &passed : &rejected) += 1;
    }
    used |= b.features;
    bytecode_free(&b);
    selector_free(s);
  }
  assert_true(passed > 1000 && rejected > 1000);
  assert_int_equal(used, here);
  connections_close(&d);
  mnl_socket_close(nl);
}

static void add_different(struct selector *s, int i) {
  char text[64];
  snprintf(text, sizeof(text), i % 2 ? "2001:db8:%x::1" : "10.%d.7.7", i / 2);
  if (s->op == SELECTOR_LOCAL_PORT)
    selector_add_port(
        s, (struct port_range){(uint16_t)(10 + 2 * i), (uint16_t)(10 + 2 * i)});
  else if (s->op == SELECTOR_REMOTE_ADDRESS)
    selector_add_prefix(s, build_prefix(text));
  else
    selector_add_value(s,
                       (struct selector_value){1000 + (unsigned)i, UINT32_MAX});
}

/* One condition more at a time, through the bound and past it. */
static void kernel_accepts_code_of_every_size(void **state) {
  (void)state;
  static const struct {
    enum selector_op op;
    size_t cost, minis; /* of each entry, of all */
  } rows[] = {{SELECTOR_LOCAL_PORT, 2, 0},
              {SELECTOR_REMOTE_ADDRESS, BYTECODE_COST_ADDRESS, 0},
              {SELECTOR_INTERFACE, 1, 0},
              {SELECTOR_CGROUP, 1, 1},
              {SELECTOR_MARK, 1, 1}};
  struct mnl_socket *nl = diag_open();
  struct dump none = {.count = 0};
  unsigned here = features_here(nl);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    if ((machine_needs[rows[i].op] & ~here) != 0)
      continue;
    struct selector *s = selector_new(rows[i].op);
    for (size_t n = 1; n <= BYTECODE_COST_MAX + 100; n++) {
      struct bytecode b;
      add_different(s, (int)n % 400);
      assert_int_equal(bytecode_compile(s, here, &b), 0);
      size_t cost = n * rows[i].cost + rows[i].minis;
      if (cost <= BYTECODE_COST_MAX)
        assert_int_equal(machine_audit(&b), cost);
      else if (b.size > 0)
        assert_in_range(machine_audit(&b), 0, BYTECODE_COST_MAX);
      if (dump(nl, &b, LISTENING, &none) != 0)
        fail_msg("op %d, %zu: %s", rows[i].op, n, strerror(errno));
      bytecode_free(&b);
    }
    selector_free(s);
  }
  mnl_socket_close(nl);
}

/* In a process that has given its rights away: 0, or what went wrong. */
static int dump_without_rights(const struct bytecode *with,
                               const struct bytecode *without) {
  if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
    return 1;
  struct dump none = {.count = 0};
  struct mnl_socket *nl = mnl_socket_open(NETLINK_SOCK_DIAG);
  if (nl == NULL || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
    return 2;
  if (dump(nl, with, LISTENING, &none) == 0)
    return 3;
  if (errno != EPERM)
    return 4;
  if (dump(nl, without, LISTENING, &none) != 0)
    return 5;
  mnl_socket_close(nl);
  return 0;
}

/* Marks are for CAP_NET_ADMIN only; all else is for everybody. */
static void marks_alone_need_cap_net_admin(void **state) {
  (void)state;
  struct mnl_socket *nl = diag_open();
  unsigned here = features_here(nl) | BYTECODE_MARK;
  mnl_socket_close(nl);
  if ((here & BYTECODE_CGROUP) == 0)
    skip();
  struct selector *s =
      build_tree(SELECTOR_OR, 3, build_values(SELECTOR_MARK, 1, 7),
                 build_values(SELECTOR_CGROUP, 1, 5),
                 build_values(SELECTOR_INTERFACE, 1, 2));
  struct selector *both = build_tree(
      SELECTOR_AND, 2, s, build_ports(SELECTOR_LOCAL_PORT, 1, 1, 4000));
  struct bytecode with, without;
  assert_int_equal(bytecode_compile(both, here, &with), 0);
  assert_int_equal(bytecode_compile(both, here & ~BYTECODE_MARK, &without), 0);
  assert_int_equal(with.features, here);
  selector_free(both);
  pid_t child = fork();
  assert_return_code(child, errno);
  if (child == 0)
    _exit(dump_without_rights(&with, &without));
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  bytecode_free(&with);
  bytecode_free(&without);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kernel_passes_what_the_interpreter_passes),
      cmocka_unit_test(kernel_accepts_code_of_every_size),
      cmocka_unit_test(marks_alone_need_cap_net_admin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
