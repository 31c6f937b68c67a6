/* destroy_events against the running kernel, in a network namespace of its own:
 * each TCP socket that is freed there has its event, once, or is counted as
 * lost. */
#include "kernel/destroy_events.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>

enum {
  CONNECTIONS = 2000, /* of each family */
  ENDS = 2 * CONNECTIONS + 1,
  GUARD_S = 120, /* what hangs is killed, and so fails */
  SETTLE_MS = 100,
};

static void pause_ms(int ms) { poll(NULL, 0, ms); }

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* The expected event of one socket of the test. */
struct end {
  uint64_t cookie;
  union address local, remote; /* remote: zeros of a listener */
  unsigned events;
};

struct net {
  socklen_t size; /* of an address */
  int listener;
  size_t count;
  struct end end[ENDS];
};

static struct net net4, net6;
static bool has_ipv6;

static void end_note(struct net *n, int fd) {
  struct end *e = &n->end[n->count++];
  memset(e, 0, sizeof(*e));
  socklen_t size = sizeof(e->cookie);
  assert_return_code(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &e->cookie, &size),
                     errno);
  size = sizeof(e->local);
  assert_return_code(getsockname(fd, &e->local.any, &size), errno);
  size = sizeof(e->remote);
  if (getpeername(fd, &e->remote.any, &size) < 0)
    memset(&e->remote, 0, sizeof(e->remote));
}

static void net_open(struct net *n, const void *address, socklen_t size) {
  const struct sockaddr *a = address;
  n->size = size;
  n->count = 0;
  n->listener = socket(a->sa_family, SOCK_STREAM, 0);
  assert_return_code(n->listener, errno);
  assert_return_code(bind(n->listener, a, size), errno);
  assert_return_code(listen(n->listener, 16), errno);
  end_note(n, n->listener);
}

static void net_connect(struct net *n) {
  int client = socket(n->end[0].local.any.sa_family, SOCK_STREAM, 0);
  assert_return_code(client, errno);
  assert_return_code(connect(client, &n->end[0].local.any, n->size), errno);
  int server = accept(n->listener, NULL, NULL);
  assert_return_code(server, errno);
  end_note(n, client);
  end_note(n, server);
  close(client);
  close(server);
}

static void open_v4(void) {
  const struct sockaddr_in any = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  net_open(&net4, &any, sizeof(any));
}

static void open_v6(void) {
  const struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  net_open(&net6, &any, sizeof(any));
}

/* By cookie. */

static struct end *table[1 << 14];

static size_t slot_of(uint64_t cookie) {
  size_t i = cookie % (1 << 14);
  while (table[i] != NULL && table[i]->cookie != cookie)
    i = (i + 1) % (1 << 14);
  return i;
}

static void table_add(struct net *n) {
  for (size_t i = 0; i < n->count; i++) {
    size_t at = slot_of(n->end[i].cookie);
    assert_null(table[at]);
    table[at] = &n->end[i];
  }
}

/* An address and port as inet_diag writes them. */
static void assert_at(const union address *a, const uint32_t *address,
                      uint16_t port) {
  static const uint32_t none[4];
  assert_int_equal(port, a->v4.sin_port);
  if (a->any.sa_family == AF_INET6)
    assert_memory_equal(address, &a->v6.sin6_addr, 16);
  else if (a->any.sa_family == AF_INET)
    assert_memory_equal(address, &a->v4.sin_addr, 4);
  else
    assert_memory_equal(address, none, 16);
}

static uint64_t last_ms;

static void see(const struct nlmsghdr *nlh, uint64_t after_ms, void *data) {
  size_t *events = data;
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
  assert_int_equal(nlh->nlmsg_type, SOCK_DIAG_BY_FAMILY);
  assert_true(mnl_nlmsg_get_payload_len(nlh) >= sizeof(*m));
  uint64_t cookie =
      (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
  struct end *e = table[slot_of(cookie)];
  assert_non_null(e);
  e->events++;
  assert_int_equal(m->idiag_family, e->local.any.sa_family);
  assert_at(&e->local, m->id.idiag_src, m->id.idiag_sport);
  assert_at(&e->remote, m->id.idiag_dst, m->id.idiag_dport);
  assert_true(after_ms >= last_ms);
  last_ms = after_ms;
  ++*events;
}

static void count(const struct nlmsghdr *nlh, uint64_t after_ms, void *data) {
  (void)nlh;
  (void)after_ms;
  ++*(size_t *)data;
}

static struct destroy_events *started(sock_diag_open_fn *open, void *open_data,
                                      destroy_events_backlog_fn *backlog) {
  struct error error;
  alarm(GUARD_S);
  struct destroy_events *d = destroy_events_new(open, open_data, backlog, NULL);
  assert_non_null(d);
  if (destroy_events_start(d, &error) < 0)
    fail_msg("%s", error.text);
  return d;
}

/* The kernel sends from a work queue: so until they are there. */
static void take_all(struct destroy_events *d, destroy_events_cb *cb,
                     size_t expected) {
  size_t events = 0;
  while (events < expected) {
    destroy_events_take(d, cb, &events);
    pause_ms(1);
  }
  assert_int_equal(events, expected);
}

static void assert_net(const struct net *n) {
  for (size_t i = 0; i < n->count; i++)
    assert_int_equal(n->end[i].events, 1);
}

static void each_closed_socket_gives_one_event(void **state) {
  (void)state;
  struct destroy_events *d = started(NULL, NULL, NULL);
  open_v4();
  if (has_ipv6)
    open_v6();
  for (size_t i = 0; i < CONNECTIONS; i++) {
    net_connect(&net4);
    if (has_ipv6)
      net_connect(&net6);
  }
  close(net4.listener);
  if (has_ipv6)
    close(net6.listener);
  table_add(&net4);
  table_add(&net6);
  last_ms = 0;
  size_t expected = net4.count + net6.count;
  take_all(d, see, expected);
  pause_ms(SETTLE_MS);
  size_t more = 0;
  destroy_events_take(d, see, &more);
  assert_int_equal(more, 0);
  assert_net(&net4);
  assert_net(&net6);
  struct destroy_events_totals totals = destroy_events_totals(d);
  assert_int_equal(totals.received, expected);
  assert_int_equal(totals.lost, 0);
  print_message("%zu events of %s\n", expected,
                has_ipv6 ? "IPv4 and IPv6" : "IPv4");
  destroy_events_free(d);
}

/* Its event must not come in the next test: the kernel sends to who subscribes
 * in the meantime, too. */
static void close_v4(void) {
  struct destroy_events *witness = started(NULL, NULL, NULL);
  close(net4.listener);
  take_all(witness, count, 1);
  destroy_events_free(witness);
}

/* Overflow. */

enum {
  SMALL = 4096, /* the socket's buffer: a few events */
  BURST = 500,  /* connections that meet it */
  STEP = 100,   /* at a time, before */
};

struct subscription {
  int fd;
  int no_enobufs;
};

static int open_subscription(void *data) {
  static const int group[] = {SKNLGRP_INET_TCP_DESTROY,
                              SKNLGRP_INET6_TCP_DESTROY};
  const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  struct subscription *s = data;
  s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  assert_return_code(s->fd, errno);
  assert_return_code(bind(s->fd, (const void *)&any, sizeof(any)), errno);
  for (size_t i = 0; i < 2; i++)
    assert_return_code(setsockopt(s->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
                                  &group[i], sizeof(group[i])),
                       errno);
  assert_return_code(setsockopt(s->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS,
                                &s->no_enobufs, sizeof(s->no_enobufs)),
                     errno);
  return s->fd;
}

static atomic_bool held, holds;

static void backlog_hold(void *data) {
  (void)data;
  holds = true;
  while (held)
    pause_ms(1);
}

/* Returns the number of events sent: a second subscriber with a large buffer
 * has all of them. */
static size_t connect_many(struct destroy_events *witness, size_t connections) {
  for (size_t i = 0; i < connections; i++) {
    net4.count = 1;
    net_connect(&net4);
  }
  take_all(witness, count, 2 * connections);
  return 2 * connections;
}

/* All that was sent was handed over or is known to be lost, some of it here. */
static void assert_sum(const struct destroy_events *d, size_t sent, size_t got,
                       uint64_t lost_before) {
  struct destroy_events_totals totals = destroy_events_totals(d);
  assert_int_equal(totals.received, got);
  assert_int_equal(totals.received + totals.lost, sent);
  assert_true(totals.lost - lost_before >= BURST);
}

/* The thread is held up and the buffer then small. First a take, then a stop
 * has to find what is left. */
static void overflow(struct subscription *s) {
  size_t sent = 0, got = 0;
  struct destroy_events *witness = started(NULL, NULL, NULL);
  struct destroy_events *d = started(open_subscription, s, backlog_hold);
  for (size_t i = 0; i < 2; i++) {
    const int small = SMALL;
    uint64_t lost = destroy_events_totals(d).lost;
    held = true;
    holds = false;
    while (!holds)
      sent += connect_many(witness, STEP);
    assert_return_code(
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), errno);
    sent += connect_many(witness, BURST);
    if (i == 0) {
      destroy_events_take(d, count, &got);
      assert_sum(d, sent, got, lost);
      assert_true(destroy_events_runs(d));
    }
    held = false;
    destroy_events_stop(d);
    destroy_events_take(d, count, &got);
    assert_sum(d, sent, got, lost);
    assert_int_equal(destroy_events_start(d, NULL), 0);
  }
  assert_int_equal(destroy_events_totals(witness).lost, 0);
  print_message("%zu sent, %zu received, the rest lost\n", sent, got);
  destroy_events_free(d);
  destroy_events_free(witness);
}

static void overflow_is_counted_exactly(void **state) {
  (void)state;
  open_v4();
  overflow(&(struct subscription){.no_enobufs = 1});
  /* The kernel then sends nothing until the socket is empty. */
  overflow(&(struct subscription){.no_enobufs = 0});
  close_v4();
}

/* Closes sockets after the end of the subscription. */
static void sockets_closed_after_a_stop_give_no_event(void **state) {
  (void)state;
  struct destroy_events *witness = started(NULL, NULL, NULL);
  struct destroy_events *d = started(NULL, NULL, NULL);
  size_t got = 0;
  open_v4();
  connect_many(witness, 10);
  destroy_events_stop(d);
  connect_many(witness, 10);
  destroy_events_take(d, count, &got);
  assert_int_equal(got, 20);
  destroy_events_free(d);
  destroy_events_free(witness);
  close_v4();
}

/* A message that another program sends to the group. */
static void messages_of_other_programs_are_skipped(void **state) {
  (void)state;
  struct subscription watch = {.no_enobufs = 1};
  open_subscription(&watch);
  struct destroy_events *d = started(NULL, NULL, NULL);
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
  const struct sockaddr_nl group = {.nl_family = AF_NETLINK,
                                    .nl_groups =
                                        1 << (SKNLGRP_INET_TCP_DESTROY - 1)};
  const struct nlmsghdr forged = {.nlmsg_len = sizeof(forged),
                                  .nlmsg_type = SOCK_DIAG_BY_FAMILY};
  ssize_t n = sendto(fd, &forged, sizeof(forged), 0, (const void *)&group,
                     sizeof(group));
  if (n < 0 && errno == EPERM)
    skip();
  struct nlmsghdr nlh;
  assert_int_equal(recv(watch.fd, &nlh, sizeof(nlh), 0), sizeof(nlh));
  size_t got = 0;
  destroy_events_take(d, count, &got);
  assert_int_equal(got, 0);
  assert_true(destroy_events_runs(d));
  close(fd);
  close(watch.fd);
  destroy_events_free(d);
}

static bool namespace_enter(void) {
  if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
    return false;
  struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
  close(fd);
  return up;
}

static bool ipv6_is_there(void) {
  const struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = socket(AF_INET6, SOCK_DGRAM, 0); /* of no event */
  bool is = fd >= 0 && bind(fd, (const void *)&any, sizeof(any)) == 0;
  if (fd >= 0)
    close(fd);
  return is;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_closed_socket_gives_one_event),
      cmocka_unit_test(overflow_is_counted_exactly),
      cmocka_unit_test(sockets_closed_after_a_stop_give_no_event),
      cmocka_unit_test(messages_of_other_programs_are_skipped),
  };
  if (!namespace_enter()) {
    printf("A network namespace cannot be made here: %s\n", strerror(errno));
    return 77;
  }
  has_ipv6 = ipv6_is_there();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
