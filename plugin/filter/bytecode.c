/* See bytecode.h.
 *
 * A test is one op: {code, yes, no}, both relative to the op itself. The
 * kernel's audit follows `yes` alone, so `yes` is always the op's own length,
 * and a branch goes by `no` or by a JMP. Jumps only go forward, so the code is
 * written from its end to its start: the target of a jump is then known
 * already. A position is the number of bytes from there to the end; at 0 the
 * socket passes, at -4 it does not (linux: inet_diag_bc_run() returns
 * len == 0).
 *
 *      S_GE yes=8 no=.  port 8000   local port >= 8000? else reject
 *      S_LE yes=8 no=.  port 8099   local port <= 8099? else reject
 *                                   end: pass
 *
 * The kernel cannot test everything ("local address equals remote address"),
 * and past BYTECODE_COST_MAX a longer test does not pay. There a bound of the
 * selector is compiled: UPPER passes more sockets than the selector matches,
 * LOWER fewer; NOT turns one into the other. */
#include "filter/bytecode.h"
#include "filter/cover.h"

#include <linux/inet_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ACCEPT = 0, REJECT = -4 };

enum {
  OP_SIZE = sizeof(struct inet_diag_bc_op),
  PORT_SIZE = 2 * OP_SIZE,
  HOST_SIZE = OP_SIZE + sizeof(struct inet_diag_hostcond),
  DEVICE_SIZE = OP_SIZE + sizeof(uint32_t),
  CGROUP_SIZE = OP_SIZE + sizeof(uint64_t),
  MARK_SIZE = OP_SIZE + sizeof(struct inet_diag_markcond),
  /* Each condition may need a JMP; a filter without conditions is one JMP.
   * `yes` has 8 bits, `no` has 16. */
  CODE_MAX = BYTECODE_COST_MAX * (MARK_SIZE + OP_SIZE) + OP_SIZE,
};
_Static_assert(HOST_SIZE + 16 + OP_SIZE <=
                   BYTECODE_COST_ADDRESS * (MARK_SIZE + OP_SIZE),
               "an address is too long for what it costs");
_Static_assert(HOST_SIZE + 16 <= UINT8_MAX,
               "a condition is too long for `yes`");
_Static_assert(CODE_MAX + OP_SIZE <= UINT16_MAX, "code is too long for `no`");

enum bound { UPPER, LOWER };

static enum bound bound_not(enum bound b) { return b == UPPER ? LOWER : UPPER; }

/* The kernel's test for each kind of condition. A row of zeroes: the kernel has
 * none, or the condition is made of others. */
static const struct kernel_test {
  uint8_t code;      /* of ports: at least; INET_DIAG_BC_NOP, 0: none */
  uint8_t code_most; /* of ports: at most */
  unsigned features; /* that the test needs */
} kernel_table[SELECTOR_OP_COUNT] = {
    [SELECTOR_LOCAL_PORT] = {INET_DIAG_BC_S_GE, INET_DIAG_BC_S_LE, 0},
    [SELECTOR_REMOTE_PORT] = {INET_DIAG_BC_D_GE, INET_DIAG_BC_D_LE, 0},
    [SELECTOR_LOCAL_ADDRESS] = {INET_DIAG_BC_S_COND, 0, 0},
    [SELECTOR_REMOTE_ADDRESS] = {INET_DIAG_BC_D_COND, 0, 0},
    [SELECTOR_INTERFACE] = {INET_DIAG_BC_DEV_COND, 0, BYTECODE_INTERFACE},
    [SELECTOR_CGROUP] = {INET_DIAG_BC_CGROUP_COND, 0, BYTECODE_CGROUP},
    /* The cgroup shows which sockets are mini sockets. */
    [SELECTOR_MARK] = {INET_DIAG_BC_MARK_COND, 0,
                       BYTECODE_MARK | BYTECODE_CGROUP},
};

/* The detail that is kept of each list of a selector. */
struct detail {
  size_t ports; /* as `limit` of cover_ports() */
  size_t
      prefixes; /* as `limit` of cover_prefixes(); 0: addresses are left out */
  unsigned features; /* BYTECODE_x that may be used */
};

/* From exact to coarse; the first one that is cheap enough is taken. */
static const struct {
  size_t ports, prefixes;
} detail_table[] = {
    {COVER_ALL, COVER_ALL},
    {COVER_ALL, COVER_PREFIXES_MAX},
    {COVER_PORTS_MAX, COVER_PREFIXES_MAX},
    {COVER_ALL, 2},
    {COVER_PORTS_MAX, 2},
    {1, 2},
    {COVER_ALL, 0},
    {COVER_PORTS_MAX, 0},
    {1, 0},
};
enum { DETAIL_COUNT = sizeof(detail_table) / sizeof(detail_table[0]) };

/* The sockets that pass a part of the selector, at one level of detail. */
enum passing { PASS_NONE, PASS_ALL, PASS_SOME };
struct estimate {
  enum passing passing;
  size_t cost; /* of the code, as BYTECODE_COST_MAX; PASS_SOME only */
};

/* The bound of a part that is left out of the code. */
static enum passing bound_of_nothing(enum bound b) {
  return b == UPPER ? PASS_ALL : PASS_NONE;
}

/* A condition that follows a name is left out, because its list changes: a
 * filter must not hide a socket that the condition selects later, and that then
 * would seem to be new, with its past.
 *
 * The upper bound of a cgroup is no such filter: sockets of the ids that its
 * path gets later do not exist yet. It passes the ids that the path had until
 * lately, too, so that a dump shows that these sockets left the selection;
 * otherwise they would seem to be closed. */
static bool is_left_out(const struct selector *s, enum bound b) {
  return s->name != NULL && !(s->op == SELECTOR_CGROUP && b == UPPER);
}

/* --- ports: S_GE and S_LE, which every kernel has ------------------------- */

static struct estimate port_estimate(const struct selector *s, enum bound b,
                                     size_t limit) {
  if (s->count > limit && b == LOWER)
    return (struct estimate){.passing = bound_of_nothing(b)};

  struct port_cover r;
  struct estimate o = {.passing = s->count == 0 ? PASS_NONE : PASS_SOME};
  cover_ports(s, limit, &r);
  for (size_t i = 0; i < r.count; i++) {
    size_t conditions =
        (r.range[i].low > 0) + (size_t)(r.range[i].high < UINT16_MAX);
    if (conditions == 0)
      return (struct estimate){.passing = PASS_ALL};
    o.cost += conditions;
  }
  return o;
}

/* --- addresses: S_COND and D_COND with AF_INET, AF_INET6 ------------------ */

/* To an AF_INET6 condition ::ffff:a.b.c.d of an AF_INET6 socket is an address
 * like any other; prefix_match() takes it for an IPv4 address, which no IPv6
 * prefix holds. */
static bool prefix_spans_ipv4(const struct prefix *p) {
  static const struct address mapped = {.bytes = {[10] = 0xff, [11] = 0xff}};
  struct address a = address_network(&p->address, p->bits),
                 b = address_network(&mapped, p->bits);
  return p->bits < 96 && address_equal(&a, &b);
}

static struct estimate address_estimate(const struct selector *s, enum bound b,
                                        size_t limit) {
  if (limit == 0 || (s->count > limit && b == LOWER))
    return (struct estimate){.passing = bound_of_nothing(b)};

  struct prefix_cover p;
  struct estimate o = {.passing = s->count == 0 ? PASS_NONE : PASS_SOME};
  bool every[2] = {false, false};
  cover_prefixes(s, limit, &p);
  for (size_t i = 0; i < p.count; i++) {
    bool ipv4 = prefix_is_ipv4(&p.prefix[i]);
    every[ipv4] |= p.prefix[i].bits == (ipv4 ? 96 : 0);
    o.cost += BYTECODE_COST_ADDRESS * (prefix_spans_ipv4(&p.prefix[i]) ? 2 : 1);
  }
  if (every[false] && every[true])
    o.passing = PASS_ALL;
  return o;
}

/* The lower bound of loopback: either end in this list. The kernel cannot test
 * if both ends have the same address. */
static struct prefix loopback_prefix[] = {
    {.address = {{[10] = 0xff, [11] = 0xff, [12] = 127}}, .bits = 104},
    {.address = {{[15] = 1}}, .bits = 128}};
static const struct selector loopback = {
    .op = SELECTOR_LOCAL_ADDRESS, .count = 2, .prefix = loopback_prefix};

/* --- values: DEV_COND, CGROUP_COND, MARK_COND ----------------------------- */

/* The cgroup of every mini socket (a request, TIME_WAIT, an orphan in
 * FIN_WAIT2), and of no other (linux: inet_diag_bc_sk(), sk_fullsock()). */
enum { CGROUP_OF_MINI_SOCKETS = 0 };

/* A mini socket has lost its cgroup, before Linux 5.14 its mark too, and keeps
 * the memberships that it had before. So a bound must not look at the values
 * that it has now: UPPER passes it, LOWER does not. It keeps its device. */
static bool decides_mini_sockets(const struct selector *s, enum bound b) {
  return s->op == SELECTOR_MARK || (s->op == SELECTOR_CGROUP && b == UPPER);
}

/* The number of values, with those that a cgroup had. */
static size_t value_count(const struct selector *s) {
  return s->count + s->former;
}

/* False if no full socket can have the value: no code is written for it. */
static bool value_is_possible(const struct selector *s, size_t i) {
  uint64_t value = s->value[i].value;
  return s->op == SELECTOR_CGROUP ? value != CGROUP_OF_MINI_SOCKETS
                                  : value <= UINT32_MAX;
}

static struct estimate value_estimate(const struct selector *s, enum bound b,
                                      unsigned features) {
  if ((kernel_table[s->op].features & ~features) != 0)
    return (struct estimate){.passing = bound_of_nothing(b)};

  size_t n = 0;
  for (size_t i = 0; i < value_count(s); i++)
    n += value_is_possible(s, i);
  bool mini_sockets = decides_mini_sockets(s, b);
  if (value_count(s) == 0 || (n == 0 && !(mini_sockets && b == UPPER)))
    return (struct estimate){.passing = PASS_NONE};
  return (struct estimate){.passing = PASS_SOME, .cost = n + mini_sockets};
}

/* --- the whole ------------------------------------------------------------ */

static struct estimate estimate_of(const struct selector *s, enum bound b,
                                   const struct detail *d);

/* AND, OR: one child may decide for all; one that cannot change anything is
 * left out. */
static struct estimate children_estimate(const struct selector *s, enum bound b,
                                         const struct detail *d) {
  enum passing decides = s->op == SELECTOR_AND ? PASS_NONE : PASS_ALL;
  struct estimate o = {.passing = decides == PASS_NONE ? PASS_ALL : PASS_NONE};
  for (size_t i = 0; i < s->count; i++) {
    struct estimate child = estimate_of(s->child[i], b, d);
    if (child.passing == decides)
      return child;
    if (child.passing == PASS_SOME) {
      o.passing = PASS_SOME;
      o.cost += child.cost;
    }
  }
  return o;
}

static struct estimate tree_estimate(const struct selector *s, enum bound b,
                                     const struct detail *d) {
  if (s->op != SELECTOR_NOT)
    return children_estimate(s, b, d);
  struct estimate e = estimate_of(s->child[0], bound_not(b), d);
  if (e.passing != PASS_SOME)
    e.passing = e.passing == PASS_NONE ? PASS_ALL : PASS_NONE;
  return e;
}

static struct estimate loopback_estimate(enum bound b, const struct detail *d) {
  if (b == UPPER || d->prefixes == 0)
    return (struct estimate){.passing = bound_of_nothing(b)};
  return (struct estimate){.passing = PASS_SOME,
                           .cost = 2 * loopback.count * BYTECODE_COST_ADDRESS};
}

static struct estimate estimate_of(const struct selector *s, enum bound b,
                                   const struct detail *d) {
  enum selector_list list = selector_table[s->op].list;
  if (list == SELECTOR_CHILDREN)
    return tree_estimate(s, b, d);
  if (s->op == SELECTOR_LOOPBACK)
    return loopback_estimate(b, d);
  if (is_left_out(s, b))
    return (struct estimate){.passing = bound_of_nothing(b)};
  if (kernel_table[s->op].code == INET_DIAG_BC_NOP)
    return (struct estimate){.passing = bound_of_nothing(b)};
  switch (list) {
  case SELECTOR_PORTS:
    return port_estimate(s, b, d->ports);
  case SELECTOR_PREFIXES:
    return address_estimate(s, b, d->prefixes);
  case SELECTOR_VALUES:
    return value_estimate(s, b, d->features);
  case SELECTOR_CHILDREN:
  case SELECTOR_NO_LIST:
    break;
  }
  return (struct estimate){.passing = bound_of_nothing(b)};
}

/* --- writing, from the end to the start ----------------------------------- */

struct code {
  const struct detail *detail;
  unsigned features; /* that the code uses */
  int size;
  uint8_t bytes[CODE_MAX]; /* filled from the end */
};

/* Puts an op of `size` bytes before the code so far and fills its head. Returns
 * the place behind the head. */
static uint8_t *put(struct code *c, uint8_t op, int size, int no) {
  c->size += size;
  uint8_t *at = c->bytes + CODE_MAX - c->size;
  struct inet_diag_bc_op head = {
      .code = op, .yes = (uint8_t)size, .no = (uint16_t)(c->size - no)};
  memset(at, 0, (size_t)size);
  memcpy(at, &head, sizeof(head));
  return at + sizeof(head);
}

/* The same; if `yes` is not what follows, a JMP goes between. */
static uint8_t *put_test(struct code *c, uint8_t op, int size, int yes,
                         int no) {
  if (yes != c->size)
    put(c, INET_DIAG_BC_JMP, OP_SIZE, yes);
  return put(c, op, size, no);
}

static void put_port(struct code *c, uint8_t op, uint16_t port, int yes,
                     int no) {
  struct inet_diag_bc_op operand = {.no = port};
  memcpy(put_test(c, op, PORT_SIZE, yes, no), &operand, sizeof(operand));
}

static void put_host(struct code *c, uint8_t op, const struct prefix *p,
                     int yes, int no) {
  bool ipv4 = prefix_is_ipv4(p);
  size_t skip = ipv4 ? 12 : 0;
  struct inet_diag_hostcond host;
  memset(&host, 0, sizeof(host)); /* the padding goes to the kernel, too */
  host.family = ipv4 ? AF_INET : AF_INET6;
  host.prefix_len = (uint8_t)(p->bits - skip * 8);
  host.port = -1;
  uint8_t *at = put_test(c, op, HOST_SIZE + 16 - (int)skip, yes, no);
  memcpy(at, &host, sizeof(host));
  memcpy(at + sizeof(host), p->address.bytes + skip, 16 - skip);
}

static void put_ports(struct code *c, const struct selector *s, int yes,
                      int no) {
  const struct kernel_test *test = &kernel_table[s->op];
  struct port_cover r;
  cover_ports(s, c->detail->ports, &r);
  int next = no;
  for (size_t i = r.count; i-- > 0; next = c->size) {
    int found = yes;
    if (r.range[i].high < UINT16_MAX) {
      put_port(c, test->code_most, r.range[i].high, found, next);
      found = c->size;
    }
    /* A port below this range is below all that follow. */
    if (r.range[i].low > 0)
      put_port(c, test->code, r.range[i].low, found, no);
  }
}

static void put_addresses(struct code *c, const struct selector *s, uint8_t op,
                          int yes, int no) {
  static const struct prefix every_ipv4 = {
      .address = {{[10] = 0xff, [11] = 0xff}}, .bits = 96};
  struct prefix_cover p;
  cover_prefixes(s, c->detail->prefixes, &p);
  for (size_t i = p.count; i-- > 0; no = c->size) {
    put_host(c, op, &p.prefix[i], yes, no);
    if (prefix_spans_ipv4(&p.prefix[i]))
      put_host(c, op, &every_ipv4, no, c->size);
  }
}

static void put_cgroup(struct code *c, uint64_t id, int yes, int no) {
  c->features |= BYTECODE_CGROUP;
  memcpy(put_test(c, INET_DIAG_BC_CGROUP_COND, CGROUP_SIZE, yes, no), &id,
         sizeof(id));
}

static void put_device(struct code *c, uint32_t index, int yes, int no) {
  c->features |= BYTECODE_INTERFACE;
  memcpy(put_test(c, INET_DIAG_BC_DEV_COND, DEVICE_SIZE, yes, no), &index,
         sizeof(index));
}

static void put_mark(struct code *c, const struct selector_value *v, int yes,
                     int no) {
  struct inet_diag_markcond mark = {(uint32_t)v->value, (uint32_t)v->mask};
  c->features |= BYTECODE_MARK;
  memcpy(put_test(c, INET_DIAG_BC_MARK_COND, MARK_SIZE, yes, no), &mark,
         sizeof(mark));
}

static void put_values(struct code *c, const struct selector *s, enum bound b,
                       int yes, int no) {
  int next = no;
  for (size_t i = value_count(s); i-- > 0;) {
    const struct selector_value *v = &s->value[i];
    if (!value_is_possible(s, i))
      continue;
    if (s->op == SELECTOR_INTERFACE)
      put_device(c, (uint32_t)v->value, yes, next);
    else if (s->op == SELECTOR_CGROUP)
      put_cgroup(c, v->value, yes, next);
    else
      put_mark(c, v, yes, next);
    next = c->size;
  }
  if (decides_mini_sockets(s, b))
    put_cgroup(c, CGROUP_OF_MINI_SOCKETS, b == UPPER ? yes : no, next);
}

static void put_selector(struct code *c, const struct selector *s, enum bound b,
                         int yes, int no);

static void put_tree(struct code *c, const struct selector *s, enum bound b,
                     int yes, int no) {
  if (s->op == SELECTOR_NOT) {
    put_selector(c, s->child[0], bound_not(b), no, yes);
    return;
  }
  for (size_t i = s->count; i-- > 0;) {
    if (estimate_of(s->child[i], b, c->detail).passing != PASS_SOME)
      continue;
    put_selector(c, s->child[i], b, yes, no);
    *(s->op == SELECTOR_AND ? &yes : &no) = c->size;
  }
}

/* For a selector that some sockets pass: see estimate_of(). */
static void put_selector(struct code *c, const struct selector *s, enum bound b,
                         int yes, int no) {
  switch (selector_table[s->op].list) {
  case SELECTOR_CHILDREN:
    put_tree(c, s, b, yes, no);
    return;
  case SELECTOR_PORTS:
    put_ports(c, s, yes, no);
    return;
  case SELECTOR_PREFIXES:
    put_addresses(c, s, kernel_table[s->op].code, yes, no);
    return;
  case SELECTOR_VALUES:
    put_values(c, s, b, yes, no);
    return;
  case SELECTOR_NO_LIST: /* loopback: no other one passes some */
    put_addresses(c, &loopback, INET_DIAG_BC_D_COND, yes, no);
    put_addresses(c, &loopback, INET_DIAG_BC_S_COND, yes, c->size);
    return;
  }
}

static int compile(const struct selector *s, const struct detail *detail,
                   struct estimate o, struct bytecode *out) {
  if (o.passing == PASS_ALL)
    return 0;
  struct code c = {.detail = detail};
  if (o.passing == PASS_NONE)
    put(&c, INET_DIAG_BC_JMP, OP_SIZE, REJECT);
  else
    put_selector(&c, s, UPPER, ACCEPT, REJECT);

  out->code = malloc((size_t)c.size);
  if (out->code == NULL)
    return -1;
  out->size = (size_t)c.size;
  out->features = c.features;
  memcpy(out->code, c.bytes + CODE_MAX - c.size, out->size);
  return 0;
}

int bytecode_compile(const struct selector *s, unsigned features,
                     struct bytecode *out) {
  *out = (struct bytecode){.code = NULL};
  struct detail d = {.features = features};
  for (int pass = 0; pass < 2; pass++, d.features = 0)
    for (size_t i = 0; i < DETAIL_COUNT; i++) {
      d.ports = detail_table[i].ports;
      d.prefixes = detail_table[i].prefixes;
      struct estimate o = estimate_of(s, UPPER, &d);
      if (o.passing != PASS_SOME || o.cost <= BYTECODE_COST_MAX)
        return compile(s, &d, o, out);
    }

  struct port_range range[] = {cover_hull(s, SELECTOR_LOCAL_PORT),
                               cover_hull(s, SELECTOR_REMOTE_PORT)};
  struct selector port[] = {{.op = SELECTOR_LOCAL_PORT, .port = &range[0]},
                            {.op = SELECTOR_REMOTE_PORT, .port = &range[1]}};
  for (size_t i = 0; i < 2; i++)
    port[i].count = range[i].low <= range[i].high;
  struct selector *child[] = {&port[0], &port[1]};
  struct selector both = {.op = SELECTOR_AND, .count = 2, .child = child};
  d.ports = COVER_ALL;
  return compile(&both, &d, estimate_of(&both, UPPER, &d), out);
}

void bytecode_free(struct bytecode *b) {
  free(b->code);
  *b = (struct bytecode){.code = NULL};
}
