/* The compiler against selector_match() through an interpreter of our own,
 * written from what the kernel does, and the kernel itself against both. */
#include "bytecode.h"

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

/* --- the interpreter ------------------------------------------------------ */

/* What the kernel compares is what its message says (linux: inet_diag_bc_sk()
 * and inet_diag_msg_attrs_fill(), inet_twsk_diag_fill(), inet_req_diag_fill()).
 */
struct socket {
  uint8_t family;
  struct subject subject;
  bool mini; /* has no cgroup */
};

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits) {
  for (unsigned i = 0; i < bits; i++)
    if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
      return false;
  return true;
}

static bool run_host(const uint8_t *op, const struct socket *s) {
  bool local = op[0] == INET_DIAG_BC_S_COND;
  const struct address *a = local ? &s->subject.local : &s->subject.remote;
  uint16_t port = local ? s->subject.local_port : s->subject.remote_port;
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

static bool run_trait(const uint8_t *op, const struct socket *s) {
  struct inet_diag_markcond mark;
  uint32_t device;
  uint64_t cgroup;
  switch (op[0]) {
  case INET_DIAG_BC_DEV_COND:
    memcpy(&device, op + 4, sizeof(device));
    return device == s->subject.interface;
  case INET_DIAG_BC_CGROUP_COND:
    memcpy(&cgroup, op + 4, sizeof(cgroup));
    return cgroup == s->subject.cgroup;
  default:
    memcpy(&mark, op + 4, sizeof(mark));
    return (s->subject.mark & mark.mask) == mark.mark;
  }
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
      yes = s->subject.local_port >= op[1].no;
      break;
    case INET_DIAG_BC_S_LE:
      yes = s->subject.local_port <= op[1].no;
      break;
    case INET_DIAG_BC_D_GE:
      yes = s->subject.remote_port >= op[1].no;
      break;
    case INET_DIAG_BC_D_LE:
      yes = s->subject.remote_port <= op[1].no;
      break;
    case INET_DIAG_BC_S_COND:
    case INET_DIAG_BC_D_COND:
      yes = run_host(at, s);
      break;
    case INET_DIAG_BC_DEV_COND:
    case INET_DIAG_BC_CGROUP_COND:
    case INET_DIAG_BC_MARK_COND:
      yes = run_trait(at, s);
      break;
    default:
      fail_msg("op %u", op->code);
    }
    left -= yes ? op->yes : op->no;
  }
  return left == 0;
}

/* The size that an op has to have; `features` and `cost` grow by its own. */
static size_t op_size(const uint8_t *at, unsigned *features, size_t *cost) {
  struct inet_diag_hostcond c;
  *cost += 1;
  switch (at[0]) {
  case INET_DIAG_BC_JMP:
    *cost -= 1;
    return 4;
  case INET_DIAG_BC_DEV_COND:
    *features |= BYTECODE_INTERFACE;
    return 8;
  case INET_DIAG_BC_CGROUP_COND:
    *features |= BYTECODE_CGROUP;
    return 12;
  case INET_DIAG_BC_MARK_COND:
    *features |= BYTECODE_MARK;
    return 12;
  case INET_DIAG_BC_S_COND:
  case INET_DIAG_BC_D_COND:
    *cost += BYTECODE_COST_ADDRESS - 1;
    memcpy(&c, at + 4, sizeof(c));
    assert_true(c.family == AF_INET || c.family == AF_INET6);
    assert_in_range(c.prefix_len, 0, c.family == AF_INET ? 32 : 128);
    return 4 + sizeof(c) + (c.family == AF_INET ? 4 : 16);
  default:
    assert_in_range(at[0], INET_DIAG_BC_S_GE, INET_DIAG_BC_D_LE);
    return 8;
  }
}

/* What the kernel's audit asks, and that a condition's `yes` is its length.
 * Returns what the code costs. */
static size_t audit(const struct bytecode *b) {
  size_t cost = 0, ignored = 0;
  unsigned features = 0;
  bool start[8192] = {false};
  assert_in_range(b->size, 4, sizeof(start) - 1);
  for (int pass = 0; pass < 2; pass++)
    for (size_t at = 0; at < b->size;) {
      struct inet_diag_bc_op op;
      memcpy(&op, b->code + at, sizeof(op));
      size_t size = op_size(b->code + at, &features, pass ? &ignored : &cost);
      assert_int_equal(op.yes, size);
      assert_int_equal(op.no % 4, 0);
      assert_in_range(op.no, size, b->size - at + 4);
      if (pass == 0)
        start[at] = true;
      else if (op.no < b->size - at)
        assert_true(start[at + op.no]);
      at += op.yes;
      assert_in_range(at, 0, b->size);
    }
  assert_int_equal(features, b->features);
  return cost;
}

/* --- random selectors and sockets ----------------------------------------- */

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

static uint32_t device_pool[] = {0, 1, 2, 17};
static uint32_t mark_pool[] = {0, 1, 7, 0x17, 0x80000000, UINT32_MAX};
static uint64_t cgroup_pool[] = {1, 5, 1234, UINT64_C(1) << 40, UINT64_MAX};

/* A connection, or now and then a listener. */
static struct socket random_socket(void) {
  struct socket s = {.family = AF_INET6};
  s.subject.local = prefix(PICK(address_pool)).address;
  bool ipv4 = address_is_ipv4(&s.subject.local);
  do
    s.subject.remote = random() % 8 == 0 ? s.subject.local
                                         : prefix(PICK(address_pool)).address;
  while (ipv4 != address_is_ipv4(&s.subject.remote));
  s.subject.local_port = random_port();
  s.subject.remote_port = random_port();
  if (random() % 16 == 0)
    s.subject.remote_port = 0;
  if (ipv4 && random() % 2)
    s.family = AF_INET; /* otherwise an AF_INET6 socket with mapped addresses */
  s.subject.interface = PICK(device_pool);
  s.subject.mark = PICK(mark_pool);
  s.subject.cgroup = PICK(cgroup_pool);
  s.subject.inbound = random() % 2;
  return s;
}

/* What becomes of it in the end: it keeps its mark since Linux 5.14. */
static struct socket mini_of(const struct socket *s) {
  struct socket mini = *s;
  mini.mini = true;
  mini.subject.cgroup = 0;
  if (random() % 2)
    mini.subject.mark = 0;
  return mini;
}

static struct selector_value random_value(enum selector_op op) {
  static const uint64_t masks[] = {UINT64_MAX, UINT32_MAX, 0xff, 0x10, 0};
  struct selector_value v = {.mask = UINT64_MAX};
  if (random() % 16 == 0)
    v.value = random() % 2 ? 0 : UINT64_C(1) << 32; /* none, too large */
  else if (op == SELECTOR_INTERFACE)
    v.value = PICK(device_pool);
  else if (op == SELECTOR_CGROUP)
    v.value = PICK(cgroup_pool);
  else
    v = (struct selector_value){PICK(mark_pool), PICK(masks)};
  if (random() % 4)
    v.value &= v.mask; /* otherwise it may never match */
  return v;
}

/* What bounds a random selector, and what came of it. */
struct random {
  int budget;        /* of what it may cost */
  unsigned features; /* that the code may use */
  bool exact;        /* the kernel's ops can say it, of full sockets */
};

static const unsigned needs[SELECTOR_OP_COUNT] = {
    [SELECTOR_INTERFACE] = BYTECODE_INTERFACE,
    [SELECTOR_CGROUP] = BYTECODE_CGROUP,
    [SELECTOR_MARK] = BYTECODE_MARK | BYTECODE_CGROUP,
};

/* One entry more of a list: whether it may. */
static bool spend(struct random *r, int cost) {
  if (r->budget < cost)
    return false;
  r->budget -= cost;
  return true;
}

static void random_list(struct selector *s, struct random *r) {
  long count = random() % (r->budget > BYTECODE_COST_MAX ? 24 : 5);
  for (; count > 0; count--) {
    uint16_t a = random_port(), b = random() % 2 ? a : random_port();
    struct port_range range = {a < b ? a : b, a < b ? b : a};
    switch (s->op) {
    case SELECTOR_LOCAL_PORT:
    case SELECTOR_REMOTE_PORT:
      if (spend(r, 2))
        assert_int_equal(selector_add_port(s, range), 0);
      break;
    case SELECTOR_LOCAL_ADDRESS:
    case SELECTOR_REMOTE_ADDRESS:
      if (spend(r, 2 * BYTECODE_COST_ADDRESS))
        assert_int_equal(selector_add_prefix(s, prefix(PICK(prefix_pool))), 0);
      break;
    default:
      if (spend(r, s->count == 0 ? 2 : 1)) /* minis apart */
        assert_int_equal(selector_add_value(s, random_value(s->op)), 0);
    }
  }
}

static struct selector *random_selector(int depth, struct random *r) {
  enum selector_op op = (enum selector_op)(random() % SELECTOR_OP_COUNT);
  if (depth == 0 && op <= SELECTOR_NOT)
    op = SELECTOR_LOCAL_PORT;
  if (depth >= 3 && r->budget > BYTECODE_COST_MAX)
    op = random() % 2 ? SELECTOR_AND : SELECTOR_OR;
  struct selector *s = selector_new(op);
  if (op == SELECTOR_LOOPBACK || op == SELECTOR_INBOUND ||
      (needs[op] & ~r->features) != 0)
    r->exact = false;
  if (op == SELECTOR_NOT)
    assert_int_equal(selector_add_child(s, random_selector(depth - 1, r)), 0);
  else if (op <= SELECTOR_OR)
    for (long i = random() % 4; i > 0; i--)
      assert_int_equal(selector_add_child(s, random_selector(depth - 1, r)), 0);
  else if (op != SELECTOR_LOOPBACK && op != SELECTOR_INBOUND)
    random_list(s, r);
  return s;
}

static bool passes(const struct bytecode *b, const struct socket *s) {
  return b->size == 0 || run(b, s);
}

struct tally {
  unsigned filters, exact; /* selectors: became one; of these such as are */
  unsigned passed, rejected, minis_rejected; /* sockets */
};

static void check_socket(const struct selector *s, const struct bytecode *b,
                         bool exact, struct tally *tally) {
  struct socket t = random_socket(), mini = mini_of(&t);
  bool match = selector_match(s, &t.subject), pass = passes(b, &t);
  if ((match && !pass) || (exact && match != pass))
    fail_msg("filter %u: match %d, pass %d", tally->filters, match, pass);
  bool mini_match = selector_match(s, &mini.subject);
  bool mini_pass = passes(b, &mini);
  if ((match || mini_match) && !mini_pass)
    fail_msg("filter %u: mini socket, match before %d, now %d, pass %d",
             tally->filters, match, mini_match, mini_pass);
  *(pass ? &tally->passed : &tally->rejected) += 1;
  tally->minis_rejected += !mini_pass;
}

static struct tally check_random(int rounds, int budget) {
  struct tally tally = {0};
  for (int i = 0; i < rounds; i++) {
    struct random r = {.budget = budget,
                       .features = random() % (BYTECODE_ALL + 1),
                       .exact = budget <= BYTECODE_COST_MAX};
    struct selector *s = random_selector(4, &r);
    struct bytecode b;
    assert_int_equal(bytecode_compile(s, r.features, &b), 0);
    assert_int_equal(b.features & ~r.features, 0);
    if (b.size > 0) {
      tally.filters++;
      tally.exact += r.exact;
      assert_in_range(audit(&b), 0, BYTECODE_COST_MAX);
    }
    for (int j = 0; j < 64; j++)
      check_socket(s, &b, r.exact, &tally);
    bytecode_free(&b);
    selector_free(s);
  }
  assert_true(tally.passed > 100000 && tally.rejected > 100000);
  assert_true(tally.minis_rejected > 100000);
  return tally;
}

static void test_random(void **state) {
  (void)state;
  srandom(1);
  struct tally tally = check_random(30000, BYTECODE_COST_MAX);
  assert_in_range(tally.filters, 5000, 30000);
  assert_in_range(tally.exact, 5000, 30000);
}

/* Too long for the kernel: still no match may be lost. */
static void test_random_long(void **state) {
  (void)state;
  srandom(2);
  assert_in_range(check_random(20000, 2000).filters, 2000, 20000);
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

static struct selector *values(enum selector_op op, int count, ...) {
  struct selector *s = selector_new(op);
  va_list ap;
  va_start(ap, count);
  for (int i = 0; i < count; i++) {
    struct selector_value v = {va_arg(ap, unsigned), UINT64_MAX};
    assert_int_equal(selector_add_value(s, v), 0);
  }
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
  *(op == SELECTOR_LOCAL_PORT ? &s.subject.local_port
                              : &s.subject.remote_port) = (uint16_t)port;
  return passes(b, &s);
}

static bool remote_passes(const struct bytecode *b, const char *address) {
  struct socket s = {.subject.remote = prefix(address).address};
  s.family = address_is_ipv4(&s.subject.remote) ? AF_INET : AF_INET6;
  return passes(b, &s);
}

/* Compiles and frees `s`; what it costs. */
static size_t compile(struct selector *s, struct bytecode *b) {
  assert_int_equal(bytecode_compile(s, BYTECODE_ALL, b), 0);
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
      selector_new(SELECTOR_INBOUND),
      tree(SELECTOR_NOT, 1, selector_new(SELECTOR_INBOUND)),
      tree(SELECTOR_NOT, 1, selector_new(SELECTOR_INTERFACE)),
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
      selector_new(SELECTOR_INTERFACE),
      selector_new(SELECTOR_CGROUP),
      selector_new(SELECTOR_MARK),
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
                       .subject = {.local = prefix(rows[i].local).address,
                                   .remote = prefix(rows[i].remote).address}};
    if (passes(&b, &s) != rows[i].pass)
      fail_msg("%s to %s", rows[i].local, rows[i].remote);
  }
  bytecode_free(&b);
}

/* A full socket and what became of it; before Linux 5.14 without its mark. */
static void test_traits(void **state) {
  (void)state;
  struct selector *device = values(SELECTOR_INTERFACE, 2, 3, 4),
                  *cgroup = values(SELECTOR_CGROUP, 2, 100, 200),
                  *mark = values(SELECTOR_MARK, 1, 7),
                  *unmarked = values(SELECTOR_MARK, 1, 0);
  struct selector *is[] = {device, cgroup, mark, unmarked}, *is_not[4];
  for (size_t i = 0; i < 4; i++)
    is_not[i] = tree(SELECTOR_NOT, 1, is[i]);
  static const struct {
    uint32_t device, mark;
    uint64_t cgroup;
    bool mini;
    bool pass[4], pass_not[4];
  } rows[] = {
      {4, 7, 200, false, {1, 1, 1, 0}, {0, 0, 0, 1}},
      {0, 0, 1, false, {0, 0, 0, 1}, {1, 1, 1, 0}},
      {4, 7, 0, true, {1, 1, 1, 1}, {0, 1, 1, 1}},
      {4, 0, 0, true, {1, 1, 1, 1}, {0, 1, 1, 1}},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    for (size_t j = 0; j < 4; j++) {
      struct socket s = {.family = AF_INET,
                         .subject = {.interface = rows[i].device,
                                     .mark = rows[i].mark,
                                     .cgroup = rows[i].cgroup}};
      struct bytecode yes, no;
      assert_int_equal(bytecode_compile(is[j], BYTECODE_ALL, &yes), 0);
      assert_int_equal(bytecode_compile(is_not[j], BYTECODE_ALL, &no), 0);
      audit(&yes);
      audit(&no);
      if (passes(&yes, &s) != rows[i].pass[j] ||
          passes(&no, &s) != rows[i].pass_not[j])
        fail_msg("row %zu, selector %zu", i, j);
      bytecode_free(&yes);
      bytecode_free(&no);
    }
  for (size_t i = 0; i < 4; i++)
    selector_free(is_not[i]);
}

/* Without what it needs a part is left out, and the rest stays. */
static void test_features(void **state) {
  (void)state;
  struct selector *s =
      tree(SELECTOR_AND, 4, ports(SELECTOR_LOCAL_PORT, 1, 80, 80),
           values(SELECTOR_INTERFACE, 1, 3), values(SELECTOR_CGROUP, 1, 100),
           values(SELECTOR_MARK, 1, 7));
  for (unsigned features = 0; features <= BYTECODE_ALL; features++) {
    struct bytecode b;
    assert_int_equal(bytecode_compile(s, features, &b), 0);
    bool marks = features >= (BYTECODE_MARK | BYTECODE_CGROUP);
    assert_int_equal(b.features, marks ? features : features & ~BYTECODE_MARK);
    assert_int_equal(audit(&b), 2 + (features & BYTECODE_INTERFACE ? 1 : 0) +
                                    (features & BYTECODE_CGROUP ? 2 : 0) +
                                    (marks ? 2 : 0));
    struct socket t = {
        .family = AF_INET,
        .subject = {
            .local_port = 80, .interface = 3, .cgroup = 100, .mark = 7}};
    assert_true(passes(&b, &t));
    t.subject.mark = 8;
    assert_int_equal(passes(&b, &t), !marks);
    t.subject.local_port = 81;
    assert_false(passes(&b, &t));
    bytecode_free(&b);
  }
  selector_free(s);
}

/* Past the bound: ports join over the narrow gaps, addresses to what is common
 * to those that are near. */
static void test_coarse_ports(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *s = ports(SELECTOR_REMOTE_PORT, 2, 443, 443, 60000, 60000);
  for (int i = 0; i < 100; i++)
    selector_add_port(s, (struct port_range){(uint16_t)(8000 + 2 * i),
                                             (uint16_t)(8000 + 2 * i)});
  assert_in_range(compile(s, &b), 1, BYTECODE_COST_MAX);
  static const int in[] = {443, 8000, 8100, 8198, 60000},
                   out[] = {442, 444, 7999, 8199, 9000, 59999, 60001};
  for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
    assert_true(port_passes(&b, SELECTOR_REMOTE_PORT, in[i]));
  for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
    assert_false(port_passes(&b, SELECTOR_REMOTE_PORT, out[i]));
  bytecode_free(&b);
}

static void test_coarse_addresses(void **state) {
  (void)state;
  static const char *const format[] = {"10.1.%d.7",    "10.2.1.%d",
                                       "192.0.2.%d",   "2001:db8:%x::1",
                                       "2001:db8::%x", "fe80::%x"};
  struct bytecode b;
  char text[64];
  struct selector *s = selector_new(SELECTOR_REMOTE_ADDRESS);
  for (int i = 0; i < 600; i++) {
    snprintf(text, sizeof(text), format[i % 6], i / 6 + 1);
    selector_add_prefix(s, prefix(text));
  }
  assert_in_range(compile(s, &b), 1, 8 * BYTECODE_COST_ADDRESS);
  for (int i = 0; i < 600; i++) {
    snprintf(text, sizeof(text), format[i % 6], i / 6 + 1);
    assert_true(remote_passes(&b, text));
  }
  static const char *const out[] = {"10.1.128.7",  "10.2.2.1",
                                    "11.0.0.1",    "192.0.3.1",
                                    "127.0.0.1",   "2001:db8:80::1",
                                    "2001:db9::1", "fe80:0:0:1::1",
                                    "fe90::1",     "::1"};
  for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
    if (remote_passes(&b, out[i]))
      fail_msg("%s", out[i]);
  bytecode_free(&b);
}

/* Too many cgroups: they are left out, the rest stays. */
static void test_coarse_values(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *list = selector_new(SELECTOR_CGROUP);
  for (uint64_t i = 1; i <= 1000; i++)
    selector_add_value(list, (struct selector_value){i, UINT64_MAX});
  struct selector *s = tree(SELECTOR_AND, 2, list,
                            ports(SELECTOR_LOCAL_PORT, 2, 80, 80, 82, 82));
  assert_int_equal(compile(s, &b), 4);
  assert_int_equal(b.features, 0);
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 80));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 81));
  bytecode_free(&b);
}

/* A long list under NOT must not grow: it is given up, the rest stays. */
static void test_coarse_not(void **state) {
  (void)state;
  struct bytecode b;
  struct selector *list = selector_new(SELECTOR_LOCAL_PORT);
  for (uint16_t i = 100; i < 400; i += 2)
    selector_add_port(list, (struct port_range){i, i});
  compile(tree(SELECTOR_AND, 2, ports(SELECTOR_REMOTE_PORT, 1, 0, 9),
               tree(SELECTOR_NOT, 1, list)),
          &b);
  struct socket s = {.family = AF_INET, .subject.local_port = 101};
  assert_true(passes(&b, &s));
  s.subject.remote_port = 10;
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

/* 3000, 3010 and so on, each from 10.0.0.0/8. */
static struct selector *many_groups(uint16_t count) {
  struct selector *any = selector_new(SELECTOR_OR);
  for (uint16_t i = 0; i < count; i++) {
    uint16_t port = (uint16_t)(3000 + 10 * i);
    selector_add_child(
        any, tree(SELECTOR_AND, 2, ports(SELECTOR_LOCAL_PORT, 1, port, port),
                  addresses(SELECTOR_REMOTE_ADDRESS, 1, "10.0.0.0/8")));
  }
  return any;
}

/* Many groups: first the addresses are left out; at last what is left is the
 * range of ports that covers all. */
static void test_coarse_groups(void **state) {
  (void)state;
  struct bytecode b;
  assert_int_equal(compile(many_groups(40), &b), 80);
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 3390));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 3391));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 3001));
  bytecode_free(&b);

  assert_int_equal(compile(many_groups(100), &b), 2);
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 3000));
  assert_true(port_passes(&b, SELECTOR_LOCAL_PORT, 3990));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 2999));
  assert_false(port_passes(&b, SELECTOR_LOCAL_PORT, 3991));
  bytecode_free(&b);

  struct selector *any = selector_new(SELECTOR_OR);
  for (uint16_t i = 0; i < 100; i++)
    selector_add_child(any,
                       ports(i % 2 ? SELECTOR_LOCAL_PORT : SELECTOR_REMOTE_PORT,
                             1, 3000, 3000));
  compile(any, &b);
  assert_int_equal(b.size, 0);
}

/* --- the kernel ----------------------------------------------------------- */

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
      .subject = {.local = address_from_inet(m->idiag_family, m->id.idiag_src),
                  .remote = address_from_inet(m->idiag_family, m->id.idiag_dst),
                  .local_port = ntohs(m->id.idiag_sport),
                  .remote_port = ntohs(m->id.idiag_dport),
                  .interface = m->id.idiag_if}};
  const struct nlattr *a;
  mnl_attr_for_each(a, nlh, sizeof(*m)) {
    if (mnl_attr_get_type(a) == INET_DIAG_MARK)
      s.subject.mark = mnl_attr_get_u32(a);
    if (mnl_attr_get_type(a) == INET_DIAG_CGROUP_ID)
      s.subject.cgroup = mnl_attr_get_u64(a);
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
    if (o->socket.subject.local_port != s.subject.local_port ||
        o->socket.subject.remote_port != s.subject.remote_port)
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

/* Which of the features this kernel has, and for this user. */
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

/* How one of the connections is made and ended. */
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
  d->own[d->count++].socket.subject = (struct subject){
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
      cgroup_pool[i % 3] = d->own[i].socket.subject.cgroup;
}

/* The audit takes every code, and the kernel passes what the interpreter
 * does, and all that matches. */
static void test_kernel(void **state) {
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
      bool match = selector_match(s, &o->socket.subject);
      bool pass = passes(&b, &o->socket);
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
    selector_add_prefix(s, prefix(text));
  else
    selector_add_value(s,
                       (struct selector_value){1000 + (unsigned)i, UINT32_MAX});
}

/* One condition more at a time, through the bound and past it. */
static void test_kernel_sizes(void **state) {
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
    if ((needs[rows[i].op] & ~here) != 0)
      continue;
    struct selector *s = selector_new(rows[i].op);
    for (size_t n = 1; n <= BYTECODE_COST_MAX + 100; n++) {
      struct bytecode b;
      add_different(s, (int)n % 400);
      assert_int_equal(bytecode_compile(s, here, &b), 0);
      size_t cost = n * rows[i].cost + rows[i].minis;
      if (cost <= BYTECODE_COST_MAX)
        assert_int_equal(audit(&b), cost);
      else if (b.size > 0)
        assert_in_range(audit(&b), 0, BYTECODE_COST_MAX);
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
static void test_kernel_rights(void **state) {
  (void)state;
  struct mnl_socket *nl = diag_open();
  unsigned here = features_here(nl) | BYTECODE_MARK;
  mnl_socket_close(nl);
  if ((here & BYTECODE_CGROUP) == 0)
    skip();
  struct selector *s =
      tree(SELECTOR_OR, 3, values(SELECTOR_MARK, 1, 7),
           values(SELECTOR_CGROUP, 1, 5), values(SELECTOR_INTERFACE, 1, 2));
  struct selector *both =
      tree(SELECTOR_AND, 2, s, ports(SELECTOR_LOCAL_PORT, 1, 1, 4000));
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
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_random_long),
      cmocka_unit_test(test_constant),
      cmocka_unit_test(test_loopback),
      cmocka_unit_test(test_traits),
      cmocka_unit_test(test_features),
      cmocka_unit_test(test_coarse_ports),
      cmocka_unit_test(test_coarse_addresses),
      cmocka_unit_test(test_coarse_values),
      cmocka_unit_test(test_coarse_not),
      cmocka_unit_test(test_coarse_groups),
      cmocka_unit_test(test_kernel),
      cmocka_unit_test(test_kernel_sizes),
      cmocka_unit_test(test_kernel_rights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
