/* The compiler against selector_match() through an interpreter of our own,
 * written from what the kernel does, and the kernel itself against both. */
#include "bytecode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include <cmocka.h>

/* --- the interpreter ------------------------------------------------------ */

struct socket {
  uint8_t family;
  struct tuple tuple;
};

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits) {
  for (unsigned i = 0; i < bits; i++)
    if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
      return false;
  return true;
}

static bool run_host(const uint8_t *op, const struct socket *s) {
  bool local = op[0] == INET_DIAG_BC_S_COND;
  const struct address *a = local ? &s->tuple.local : &s->tuple.remote;
  uint16_t port = local ? s->tuple.local_port : s->tuple.remote_port;
  struct inet_diag_hostcond c;
  memcpy(&c, op + 4, sizeof(c));
  const uint8_t *address = op + 4 + sizeof(c);
  if (c.port != -1 && c.port != port)
    return false;
  if (c.family == AF_INET)
    return (s->family == AF_INET || address_is_ipv4(a)) &&
           bits_equal(a->bytes + 12, address, c.prefix_len);
  return s->family == c.family && bits_equal(a->bytes, address, c.prefix_len);
}

static bool run(const struct bytecode *b, const struct socket *s) {
  long left = (long)b->size;
  while (left > 0) {
    const uint8_t *at = b->code + b->size - left;
    struct inet_diag_bc_op op[2] = {{0}};
    memcpy(op, at, left >= 8 ? 8 : 4);
    bool yes = false;
    switch (op->code) {
    case INET_DIAG_BC_JMP:
      break;
    case INET_DIAG_BC_S_GE:
      yes = s->tuple.local_port >= op[1].no;
      break;
    case INET_DIAG_BC_S_LE:
      yes = s->tuple.local_port <= op[1].no;
      break;
    case INET_DIAG_BC_D_GE:
      yes = s->tuple.remote_port >= op[1].no;
      break;
    case INET_DIAG_BC_D_LE:
      yes = s->tuple.remote_port <= op[1].no;
      break;
    case INET_DIAG_BC_S_COND:
    case INET_DIAG_BC_D_COND:
      yes = run_host(at, s);
      break;
    default:
      fail_msg("op %u", op->code);
    }
    left -= yes ? op->yes : op->no;
  }
  return left == 0;
}

/* What the kernel's audit asks, and that a condition's `yes` is its length.
 * Returns the number of conditions. */
static size_t audit(const struct bytecode *b) {
  size_t conditions = 0;
  bool start[4096] = {false};
  assert_in_range(b->size, 4, sizeof(start) - 1);
  for (int pass = 0; pass < 2; pass++)
    for (size_t at = 0; at < b->size;) {
      struct inet_diag_bc_op op;
      struct inet_diag_hostcond c;
      memcpy(&op, b->code + at, sizeof(op));
      size_t size = op.code == INET_DIAG_BC_JMP ? 4 : 8;
      if (op.code == INET_DIAG_BC_S_COND || op.code == INET_DIAG_BC_D_COND) {
        memcpy(&c, b->code + at + 4, sizeof(c));
        size_t width = c.family == AF_INET ? 4 : 16;
        assert_true(c.family == AF_INET || c.family == AF_INET6);
        assert_in_range(c.prefix_len, 0, 8 * width);
        size = 4 + sizeof(c) + width;
      }
      assert_int_equal(op.yes, size);
      assert_int_equal(op.no % 4, 0);
      assert_in_range(op.no, size, b->size - at + 4);
      if (pass == 0) {
        start[at] = true;
        conditions += op.code != INET_DIAG_BC_JMP;
      } else if (op.no < b->size - at) {
        assert_true(start[at + op.no]);
      }
      at += op.yes;
      assert_in_range(at, 0, b->size);
    }
  return conditions;
}

/* --- random selectors and tuples ------------------------------------------ */

static const char *const address_pool[] = {
    "127.0.0.1",   "127.0.0.2",   "10.0.0.1",    "10.1.2.3", "10.1.2.4",
    "192.168.0.1", "0.0.0.0",     "::",          "::1",      "2001:db8::1",
    "2001:db8::2", "2001:db9::1", "::10.0.0.1",  "fe80::1",  "::fffe:0:1",
    "8000::",      "255.1.1.1",   "0:0:0:0:1::",
};
static const char *const prefix_pool[] = {
    "0.0.0.0/0",     "::/0",
    "10.0.0.0/8",    "10.1.0.0/16",
    "10.1.2.3",      "127.0.0.0/8",
    "2001:db8::/32", "2001:db8::1",
    "::1",           "::",
    "::/80",         "::/64",
    "8000::/1",      "::ffff:0:0/90",
    "::ffff:0:0/95", "0.0.0.0",
    "fe80::/10",     "2001:d00::/24",
};

#define PICK(array) array[(size_t)random() % (sizeof(array) / sizeof(*array))]

static struct prefix prefix(const char *text) {
  struct prefix p;
  if (!prefix_parse(text, &p))
    fail_msg("%s is no prefix", text);
  return p;
}

static uint16_t random_port(void) {
  static const uint16_t pool[] = {0, 1, 22, 80, 443, 8000, 8099, 65534, 65535};
  return random() % 4 ? PICK(pool) : (uint16_t)random();
}

/* A connection, or now and then a listener. */
static struct socket random_socket(void) {
  struct socket s = {.family = AF_INET6};
  s.tuple.local = prefix(PICK(address_pool)).address;
  bool ipv4 = address_is_ipv4(&s.tuple.local);
  do
    s.tuple.remote =
        random() % 8 == 0 ? s.tuple.local : prefix(PICK(address_pool)).address;
  while (ipv4 != address_is_ipv4(&s.tuple.remote));
  s.tuple.local_port = random_port();
  s.tuple.remote_port = random_port();
  if (random() % 16 == 0)
    s.tuple.remote_port = 0;
  if (ipv4 && random() % 2)
    s.family = AF_INET; /* otherwise an AF_INET6 socket with mapped addresses */
  return s;
}

/* `budget` bounds the conditions; `exact` is cleared where the kernel's ops
 * cannot say it. */
static struct selector *random_selector(int depth, int *budget, bool *exact) {
  enum selector_op op = (enum selector_op)(random() % SELECTOR_OP_COUNT);
  if (depth == 0 && op <= SELECTOR_NOT)
    op = SELECTOR_LOCAL_PORT;
  if (depth >= 3 && *budget > BYTECODE_CONDITIONS_MAX)
    op = random() % 2 ? SELECTOR_AND : SELECTOR_OR;
  struct selector *s = selector_new(op);
  switch (op) {
  case SELECTOR_AND:
  case SELECTOR_OR:
    for (long i = random() % 4; i > 0; i--)
      assert_int_equal(
          selector_add_child(s, random_selector(depth - 1, budget, exact)), 0);
    break;
  case SELECTOR_NOT:
    assert_int_equal(
        selector_add_child(s, random_selector(depth - 1, budget, exact)), 0);
    break;
  case SELECTOR_LOCAL_PORT:
  case SELECTOR_REMOTE_PORT:
    for (long i = random() % 5; i > 0 && *budget >= 2; i--, *budget -= 2) {
      uint16_t a = random_port(), b = random() % 2 ? a : random_port();
      struct port_range r = {a < b ? a : b, a < b ? b : a};
      assert_int_equal(selector_add_port(s, r), 0);
    }
    break;
  case SELECTOR_LOCAL_ADDRESS:
  case SELECTOR_REMOTE_ADDRESS:
    for (long i = random() % 5; i > 0 && *budget >= 2; i--, *budget -= 2)
      assert_int_equal(selector_add_prefix(s, prefix(PICK(prefix_pool))), 0);
    break;
  default:
    *exact = false;
  }
  return s;
}

static bool passes(const struct bytecode *b, const struct socket *s) {
  return b->size == 0 || run(b, s);
}

/* Returns how many selectors became a filter. */
static unsigned check_random(int rounds, int budget_max) {
  unsigned filters = 0, rejected = 0;
  for (int i = 0; i < rounds; i++) {
    int budget = budget_max;
    bool exact = budget_max <= BYTECODE_CONDITIONS_MAX;
    struct selector *s = random_selector(4, &budget, &exact);
    struct bytecode b;
    assert_int_equal(bytecode_compile(s, &b), 0);
    if (b.size > 0) {
      filters++;
      assert_in_range(audit(&b), 0, BYTECODE_CONDITIONS_MAX);
    }
    for (int j = 0; j < 64; j++) {
      struct socket t = random_socket();
      bool match = selector_match(s, &t.tuple), pass = passes(&b, &t);
      if ((match && !pass) || (exact && match != pass))
        fail_msg("selector %d, tuple %d: match %d, pass %d", i, j, match, pass);
      rejected += !pass;
    }
    bytecode_free(&b);
    selector_free(s);
  }
  assert_true(rejected > 0);
  return filters;
}

static void test_random(void **state) {
  (void)state;
  srandom(1);
  assert_in_range(check_random(20000, BYTECODE_CONDITIONS_MAX), 5000, 20000);
}

/* Too long for the kernel: still no match may be lost. */
static void test_random_long(void **state) {
  (void)state;
  srandom(2);
  assert_in_range(check_random(20000, 400), 5000, 20000);
}

/* --- chosen ones ---------------------------------------------------------- */

static struct selector *ports(enum selector_op op, int count, ...) {
  struct selector *s = selector_new(op);
  va_list ap;
  va_start(ap, count);
  for (int i = 0; i < count; i++) {
    uint16_t low = (uint16_t)va_arg(ap, int);
    struct port_range r = {low, (uint16_t)va_arg(ap, int)};
    assert_int_equal(selector_add_port(s, r), 0);
  }
  va_end(ap);
  return s;
}

static struct selector *addresses(enum selector_op op, int count, ...) {
  struct selector *s = selector_new(op);
  va_list ap;
  va_start(ap, count);
  for (int i = 0; i < count; i++)
    assert_int_equal(selector_add_prefix(s, prefix(va_arg(ap, const char *))),
                     0);
  va_end(ap);
  return s;
}

static struct selector *tree(enum selector_op op, int count, ...) {
  struct selector *s = selector_new(op);
  va_list ap;
  va_start(ap, count);
  for (int i = 0; i < count; i++)
    assert_int_equal(selector_add_child(s, va_arg(ap, struct selector *)), 0);
  va_end(ap);
  return s;
}

static bool port_passes(const struct bytecode *b, enum selector_op op,
                        int port) {
  struct socket s = {.family = AF_INET6};
  *(op == SELECTOR_LOCAL_PORT ? &s.tuple.local_port : &s.tuple.remote_port) =
      (uint16_t)port;
  return passes(b, &s);
}

static bool remote_passes(const struct bytecode *b, const char *address) {
  struct socket s = {.tuple.remote = prefix(address).address};
  s.family = address_is_ipv4(&s.tuple.remote) ? AF_INET : AF_INET6;
  return passes(b, &s);
}

/* Compiles and frees `s`; the number of its conditions. */
static size_t compile(struct selector *s, struct bytecode *b) {
  assert_int_equal(bytecode_compile(s, b), 0);
  selector_free(s);
  return b->size > 0 ? audit(b) : 0;
}

static void test_constant(void **state) {
  (void)state;
  struct selector *every[] = {
      selector_new(SELECTOR_AND),
      selector_new(SELECTOR_LOOPBACK), /* not expressible */
      ports(SELECTOR_LOCAL_PORT, 2, 0, 80, 81, 65535),
      addresses(SELECTOR_LOCAL_ADDRESS, 3, "::/0", "::1", "0.0.0.0/0"),
      tree(SELECTOR_OR, 2, ports(SELECTOR_LOCAL_PORT, 1, 80, 80),
           selector_new(SELECTOR_AND)),
      tree(SELECTOR_NOT, 1, selector_new(SELECTOR_OR)),
      tree(SELECTOR_AND, 2, selector_new(SELECTOR_LOOPBACK),
           tree(SELECTOR_NOT, 1, selector_new(SELECTOR_REMOTE_PORT))),
  };
  for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++) {
    struct bytecode b;
    compile(every[i], &b);
    assert_int_equal(b.size, 0);
    assert_null(b.code);
  }

  struct selector *none[] = {
      selector_new(SELECTOR_OR),
      selector_new(SELECTOR_LOCAL_PORT),
      selector_new(SELECTOR_REMOTE_ADDRESS),
      tree(SELECTOR_NOT, 1, selector_new(SELECTOR_AND)),
      tree(SELECTOR_AND, 2, ports(SELECTOR_LOCAL_PORT, 1, 80, 80),
           selector_new(SELECTOR_OR)),
  };
  for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
    struct bytecode b;
    assert_int_equal(compile(none[i], &b), 0);
    assert_int_equal(b.size, 4);
    assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 80));
    bytecode_free(&b);
  }
}

/* NOT of what is known in part only: nothing that matches may be lost. */
static void test_loopback(void **state) {
  (void)state;
  struct bytecode b;
  compile(tree(SELECTOR_NOT, 1, selector_new(SELECTOR_LOOPBACK)), &b);
  assert_true(b.size > 0);
  static const struct {
    const char *local, *remote;
    bool pass;
  } rows[] = {{"10.0.0.1", "10.0.0.2", true},
              {"10.0.0.1", "10.0.0.1", true}, /* user space sorts it out */
              {"127.0.0.1", "10.0.0.2", false},
              {"10.0.0.1", "127.1.2.3", false},
              {"::1", "::1", false},
              {"::1", "2001:db8::1", false},
              {"2001:db8::1", "::1", false},
              {"2001:db8::1", "2001:db8::2", true}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct socket s = {.family = AF_INET6,
                       .tuple = {.local = prefix(rows[i].local).address,
                                 .remote = prefix(rows[i].remote).address}};
    if (passes(&b, &s) != rows[i].pass)
      fail_msg("%s to %s", rows[i].local, rows[i].remote);
  }
  bytecode_free(&b);
}

/* Past the bound: ports join over the narrow gaps, addresses of a family to
 * what they have in common. */
static void test_coarse_lists(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *s = ports(SELECTOR_REMOTE_PORT, 2, 443, 443, 60000, 60000);
  for (int i = 0; i < 20; i++)
    selector_add_port(s, (struct port_range){(uint16_t)(8000 + 2 * i),
                                             (uint16_t)(8000 + 2 * i)});
  assert_in_range(compile(s, &b), 1, BYTECODE_CONDITIONS_MAX);
  static const int in[] = {443, 8000, 8020, 8038, 60000},
                   out[] = {442, 444, 7999, 8039, 9000, 59999, 60001};
  for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
    assert_true(port_passes(&b, SELECTOR_REMOTE_PORT, in[i]));
  for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
    assert_false(port_passes(&b, SELECTOR_REMOTE_PORT, out[i]));
  bytecode_free(&b);

  s = selector_new(SELECTOR_REMOTE_ADDRESS);
  for (int i = 0; i < 100; i++) {
    char text[64];
    snprintf(text, sizeof(text), "10.1.%d.%d", i, 255 - i);
    selector_add_prefix(s, prefix(text));
    snprintf(text, sizeof(text), "2001:db8:%x::%x/64", i, i);
    selector_add_prefix(s, prefix(text));
  }
  assert_int_equal(compile(s, &b), 2);
  assert_true(remote_passes(&b, "10.1.99.156"));
  assert_true(remote_passes(&b, "10.1.127.1"));
  assert_false(remote_passes(&b, "10.1.128.1"));
  assert_false(remote_passes(&b, "10.2.0.1"));
  assert_true(remote_passes(&b, "2001:db8:63::1"));
  assert_false(remote_passes(&b, "2001:db8:80::1"));
  assert_false(remote_passes(&b, "2001:db9::1"));
  bytecode_free(&b);
}

/* A long list under NOT must not grow: it is given up, the rest stays. */
static void test_coarse_not(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *list = selector_new(SELECTOR_LOCAL_PORT);
  for (uint16_t i = 100; i < 200; i += 2)
    selector_add_port(list, (struct port_range){i, i});
  compile(tree(SELECTOR_AND, 2, ports(SELECTOR_REMOTE_PORT, 1, 0, 9),
               tree(SELECTOR_NOT, 1, list)),
          &b);
  struct socket s = {.family = AF_INET, .tuple.local_port = 101};
  assert_true(passes(&b, &s));
  s.tuple.remote_port = 10;
  assert_false(passes(&b, &s));
  bytecode_free(&b);

  list = selector_new(SELECTOR_REMOTE_ADDRESS);
  for (int i = 0; i < 40; i++) {
    char text[64];
    snprintf(text, sizeof(text), "10.1.%d.1", i);
    selector_add_prefix(list, prefix(text));
  }
  compile(tree(SELECTOR_AND, 2, ports(SELECTOR_REMOTE_PORT, 1, 0, 9),
               tree(SELECTOR_NOT, 1, list)),
          &b);
  assert_true(b.size > 0);
  assert_true(remote_passes(&b, "10.1.1.2"));
  bytecode_free(&b);
}

/* Many groups: what is left is the range of ports that covers all. */
static void test_coarse_groups(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *any = selector_new(SELECTOR_OR);
  for (uint16_t i = 0; i < 40; i++) {
    uint16_t port = (uint16_t)(3000 + 10 * i);
    selector_add_child(
        any, tree(SELECTOR_AND, 2, ports(SELECTOR_LOCAL_PORT, 1, port, port),
                  addresses(SELECTOR_REMOTE_ADDRESS, 1, "10.0.0.0/8")));
  }
  assert_int_equal(compile(any, &b), 2);
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 3000));
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 3390));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 2999));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 3391));
  bytecode_free(&b);

  any = selector_new(SELECTOR_OR);
  for (uint16_t i = 0; i < 40; i++)
    selector_add_child(any,
                       ports(i % 2 ? SELECTOR_LOCAL_PORT : SELECTOR_REMOTE_PORT,
                             1, 3000, 3000));
  compile(any, &b);
  assert_int_equal(b.size, 0);
}

/* --- the kernel ----------------------------------------------------------- */

enum { SOCKETS_MAX = 24 };

struct own {
  uint32_t cookie[2];
  struct socket socket;
  bool seen; /* in the last dump */
};

struct dump {
  struct own own[SOCKETS_MAX]; /* this test's sockets only */
  size_t count;
};

static int on_message(const struct nlmsghdr *nlh, void *data) {
  struct dump *d = data;
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
  for (size_t i = 0; i < d->count; i++) {
    struct own *o = &d->own[i];
    if (memcmp(o->cookie, m->id.idiag_cookie, sizeof(o->cookie)) != 0)
      continue;
    o->seen = true;
    o->socket = (struct socket){
        .family = m->idiag_family,
        .tuple = {.local = address_from_inet(m->idiag_family, m->id.idiag_src),
                  .remote = address_from_inet(m->idiag_family, m->id.idiag_dst),
                  .local_port = ntohs(m->id.idiag_sport),
                  .remote_port = ntohs(m->id.idiag_dport)}};
  }
  return MNL_CB_OK;
}

/* A dump of listening and connected sockets: 0, or -1 with the kernel's errno.
 */
static int dump(struct mnl_socket *nl, const struct bytecode *b,
                struct dump *d) {
  char buffer[32768];
  static unsigned sequence;
  struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
  nlh->nlmsg_type = TCPDIAG_GETSOCK;
  nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  nlh->nlmsg_seq = ++sequence;
  struct inet_diag_req *r = mnl_nlmsg_put_extra_header(nlh, sizeof(*r));
  r->idiag_states = 1 << 1 | 1 << 10;
  if (b->size > 0)
    mnl_attr_put(nlh, INET_DIAG_REQ_BYTECODE, b->size, b->code);
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

/* Listening and connected over loopback; IPv6 where the host has it. */
static size_t open_sockets(int fd[SOCKETS_MAX]) {
  static const char *const rows[][2] = {
      {"127.0.0.1", "127.0.0.1"}, {"127.0.0.1", "127.0.0.2"},
      {"0.0.0.0", "127.0.0.3"},   {"::1", "::1"},
      {"::", "::ffff:127.0.0.4"}, {"::ffff:127.0.0.5", "::ffff:127.0.0.5"}};
  size_t count = 0;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6}, b6 = a6;
    struct sockaddr_in a4 = {.sin_family = AF_INET}, b4 = a4;
    bool v4 = inet_pton(AF_INET, rows[i][0], &a4.sin_addr) == 1;
    void *listen_to = v4 ? (void *)&a4 : &a6, *go_to = v4 ? (void *)&b4 : &b6;
    socklen_t size = v4 ? sizeof(a4) : sizeof(a6);
    inet_pton(AF_INET, rows[i][1], &b4.sin_addr);
    inet_pton(AF_INET6, rows[i][0], &a6.sin6_addr);
    inet_pton(AF_INET6, rows[i][1], &b6.sin6_addr);

    int server = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    if (server < 0)
      continue;
    fd[count++] = server;
    if (bind(server, listen_to, size) != 0 || listen(server, 1) != 0 ||
        getsockname(server, listen_to, &size) != 0)
      continue;
    b4.sin_port = a4.sin_port;
    b6.sin6_port = a6.sin6_port;
    fd[count++] = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    if (connect(fd[count - 1], go_to, size) == 0)
      fd[count++] = accept(server, NULL, NULL);
  }
  return count;
}

/* The audit takes every code, and the kernel passes what the interpreter
 * does. */
static void test_kernel(void **state) {
  (void)state;
  srandom(3);
  struct mnl_socket *nl = mnl_socket_open(NETLINK_SOCK_DIAG);
  struct dump known = {.count = 0};
  struct bytecode nothing = {.size = 0};
  int fd[SOCKETS_MAX];
  if (nl == NULL || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
    skip();
  size_t fds = open_sockets(fd);
  for (size_t i = 0; i < fds; i++) {
    struct own *o = &known.own[known.count++];
    socklen_t size = sizeof(o->cookie);
    if (getsockopt(fd[i], SOL_SOCKET, SO_COOKIE, o->cookie, &size) != 0)
      skip(); /* before Linux 4.12 */
  }
  assert_int_equal(dump(nl, &nothing, &known), 0);
  for (size_t i = 0; i < known.count;) /* what could not bind or connect */
    if (known.own[i].seen)
      i++;
    else
      known.own[i] = known.own[--known.count];
  assert_in_range(known.count, 9, SOCKETS_MAX); /* of IPv4 at least */

  unsigned passed = 0, rejected = 0;
  for (int i = 0; i < 2000; i++) {
    int budget = i % 2 ? BYTECODE_CONDITIONS_MAX : 400;
    bool exact = true;
    struct selector *s = random_selector(4, &budget, &exact);
    struct bytecode b;
    assert_int_equal(bytecode_compile(s, &b), 0);
    for (size_t j = 0; j < known.count; j++)
      known.own[j].seen = false;
    if (dump(nl, &b, &known) != 0)
      fail_msg("selector %d: %s", i, strerror(errno));
    for (size_t j = 0; j < known.count; j++) {
      const struct own *o = &known.own[j];
      bool pass = passes(&b, &o->socket);
      if (o->seen != pass)
        fail_msg("selector %d, socket %zu: kernel %d, interpreter %d", i, j,
                 o->seen, pass);
      passed += pass;
      rejected += !pass;
    }
    bytecode_free(&b);
    selector_free(s);
  }
  assert_true(passed > 0 && rejected > 0);
  for (size_t i = 0; i < fds; i++)
    close(fd[i]);
  mnl_socket_close(nl);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random),        cmocka_unit_test(test_random_long),
      cmocka_unit_test(test_constant),      cmocka_unit_test(test_loopback),
      cmocka_unit_test(test_coarse_lists),  cmocka_unit_test(test_coarse_not),
      cmocka_unit_test(test_coarse_groups), cmocka_unit_test(test_kernel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
