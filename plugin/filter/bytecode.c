/* See bytecode.h.
 *
 * A test is one op: {code, yes, no}, both relative to itself. The audit follows
 * `yes` alone, so `yes` is always the op's own length and a branch goes by `no`
 * or by a JMP. Jumps only go forward, so the code is written from its end to
 * its start: where to jump is then known already. A place in it is the number
 * of bytes from there to the end; at 0 the socket passes, at -4 it does not
 * (linux: inet_diag_bc_run() returns len == 0).
 *
 *      S_GE yes=8 no=.  port 8000   local port >= 8000? else reject
 *      S_LE yes=8 no=.  port 8099   local port <= 8099? else reject
 *                                   end: pass
 *
 * Not all can be said: "local is remote" cannot, and past BYTECODE_COST_MAX
 * not all should. There a bound is compiled: UPPER passes more than the
 * selector, LOWER less; NOT turns one into the other. */
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
  /* Each condition may need a JMP; one more JMP where there is no condition at
   * all. `yes` has 8 bits, `no` has 16. */
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

/* How much of one list of a selector is kept apart. */
struct detail {
  size_t ports;    /* as `limit` of cover_ports() */
  size_t prefixes; /* as `limit` of cover_prefixes(), or 0: none is looked at */
  unsigned features; /* BYTECODE_x that may be used */
};

/* From true to coarse; the first that is short enough is taken. */
static const struct {
  size_t ports, prefixes;
} ladder[] = {
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
enum { LADDER_COUNT = sizeof(ladder) / sizeof(ladder[0]) };

/* What a part of the selector comes to at one level of detail. */
enum truth { NEVER, ALWAYS, DEPENDS };
struct outcome {
  enum truth truth;
  size_t cost; /* as BYTECODE_COST_MAX; DEPENDS only */
};

/* The bound of a list that had to be made coarser than it could be told. */
static enum truth given_up(enum bound b) { return b == UPPER ? ALWAYS : NEVER; }

/* --- ports: S_GE and S_LE, which every kernel has ------------------------- */

static struct outcome port_outcome(const struct selector *s, enum bound b,
                                   size_t limit) {
  if (s->count > limit && b == LOWER)
    return (struct outcome){.truth = given_up(b)};

  struct port_cover r;
  struct outcome o = {.truth = s->count == 0 ? NEVER : DEPENDS};
  cover_ports(s, limit, &r);
  for (size_t i = 0; i < r.count; i++) {
    size_t conditions =
        (r.range[i].low > 0) + (size_t)(r.range[i].high < UINT16_MAX);
    if (conditions == 0)
      return (struct outcome){.truth = ALWAYS};
    o.cost += conditions;
  }
  return o;
}

/* --- addresses: S_COND and D_COND with AF_INET, AF_INET6 ------------------ */

/* An AF_INET6 condition looks at ::ffff:a.b.c.d of an AF_INET6 socket as at any
 * other address; our prefix does not hold it. */
static bool prefix_spans_ipv4(const struct prefix *p) {
  static const struct address mapped = {.bytes = {[10] = 0xff, [11] = 0xff}};
  struct address a = address_network(&p->address, p->bits),
                 b = address_network(&mapped, p->bits);
  return p->bits < 96 && address_equal(&a, &b);
}

static struct outcome address_outcome(const struct selector *s, enum bound b,
                                      size_t limit) {
  if (limit == 0 || (s->count > limit && b == LOWER))
    return (struct outcome){.truth = given_up(b)};

  struct prefix_cover p;
  struct outcome o = {.truth = s->count == 0 ? NEVER : DEPENDS};
  bool every[2] = {false, false};
  cover_prefixes(s, limit, &p);
  for (size_t i = 0; i < p.count; i++) {
    bool ipv4 = prefix_is_ipv4(&p.prefix[i]);
    every[ipv4] |= p.prefix[i].bits == (ipv4 ? 96 : 0);
    o.cost += BYTECODE_COST_ADDRESS * (prefix_spans_ipv4(&p.prefix[i]) ? 2 : 1);
  }
  if (every[false] && every[true])
    o.truth = ALWAYS;
  return o;
}

/* Loopback as two lists; "local is remote" cannot be expressed, so this is the
 * lower bound. */
static struct prefix loopback_prefix[] = {
    {.address = {{[10] = 0xff, [11] = 0xff, [12] = 127}}, .bits = 104},
    {.address = {{[15] = 1}}, .bits = 128}};
static const struct selector loopback = {
    .op = SELECTOR_LOCAL_ADDRESS, .count = 2, .prefix = loopback_prefix};

/* --- traits: DEV_COND, CGROUP_COND, MARK_COND ----------------------------- */

/* The cgroup of every mini socket (a request, TIME_WAIT, an orphan in
 * FIN_WAIT2), and of no other (linux: inet_diag_bc_sk(), sk_fullsock()). */
enum { CGROUP_OF_MINI = 0 };

static unsigned features_of(const struct selector *s) {
  return s->op == SELECTOR_INTERFACE ? BYTECODE_INTERFACE
         : s->op == SELECTOR_CGROUP  ? BYTECODE_CGROUP
                                     : BYTECODE_MARK | BYTECODE_CGROUP;
}

/* A mini socket has lost its cgroup, before Linux 5.14 its mark too, and user
 * space leaves it where it was before. So a bound does not look at what it has
 * now: UPPER passes it, LOWER does not. The device it keeps. */
static bool minis_apart(const struct selector *s, enum bound b) {
  return s->op == SELECTOR_MARK || (s->op == SELECTOR_CGROUP && b == UPPER);
}

static bool value_counts(const struct selector *s, size_t i) {
  uint64_t value = s->value[i].value;
  return s->op == SELECTOR_CGROUP ? value != CGROUP_OF_MINI
                                  : value <= UINT32_MAX;
}

static struct outcome value_outcome(const struct selector *s, enum bound b,
                                    unsigned features) {
  if ((features_of(s) & ~features) != 0)
    return (struct outcome){.truth = given_up(b)};

  size_t n = 0;
  for (size_t i = 0; i < s->count; i++)
    n += value_counts(s, i);
  bool minis = minis_apart(s, b);
  if (s->count == 0 || (n == 0 && !(minis && b == UPPER)))
    return (struct outcome){.truth = NEVER};
  return (struct outcome){.truth = DEPENDS, .cost = n + minis};
}

/* --- the whole ------------------------------------------------------------ */

static struct outcome outcome_of(const struct selector *s, enum bound b,
                                 const struct detail *d);

/* AND, OR: a child that decides decides all; one that never does is left out.
 */
static struct outcome children_outcome(const struct selector *s, enum bound b,
                                       const struct detail *d) {
  enum truth decides = s->op == SELECTOR_AND ? NEVER : ALWAYS;
  struct outcome o = {.truth = decides == NEVER ? ALWAYS : NEVER};
  for (size_t i = 0; i < s->count; i++) {
    struct outcome child = outcome_of(s->child[i], b, d);
    if (child.truth == decides)
      return child;
    if (child.truth == DEPENDS) {
      o.truth = DEPENDS;
      o.cost += child.cost;
    }
  }
  return o;
}

static struct outcome outcome_of(const struct selector *s, enum bound b,
                                 const struct detail *d) {
  switch (s->op) {
  case SELECTOR_AND:
  case SELECTOR_OR:
    return children_outcome(s, b, d);
  case SELECTOR_NOT: {
    struct outcome o = outcome_of(s->child[0], bound_not(b), d);
    if (o.truth != DEPENDS)
      o.truth = o.truth == NEVER ? ALWAYS : NEVER;
    return o;
  }
  case SELECTOR_LOCAL_PORT:
  case SELECTOR_REMOTE_PORT:
    return port_outcome(s, b, d->ports);
  case SELECTOR_LOCAL_ADDRESS:
  case SELECTOR_REMOTE_ADDRESS:
    return address_outcome(s, b, d->prefixes);
  case SELECTOR_LOOPBACK:
    if (b == UPPER || d->prefixes == 0)
      return (struct outcome){.truth = given_up(b)};
    return (struct outcome){.truth = DEPENDS,
                            .cost = 2 * loopback.count * BYTECODE_COST_ADDRESS};
  case SELECTOR_INTERFACE:
  case SELECTOR_CGROUP:
  case SELECTOR_MARK:
    return value_outcome(s, b, d->features);
  case SELECTOR_INBOUND: /* the kernel does not know */
  case SELECTOR_OP_COUNT:
    break;
  }
  return (struct outcome){.truth = given_up(b)};
}

/* --- writing, from the end to the start ----------------------------------- */

struct code {
  const struct detail *detail;
  unsigned features; /* that it uses */
  int size;
  uint8_t bytes[CODE_MAX]; /* used from its end */
};

/* An op of `size` bytes before all that there is, its head filled. */
static uint8_t *put(struct code *c, uint8_t op, int size, int no) {
  c->size += size;
  uint8_t *at = c->bytes + CODE_MAX - c->size;
  struct inet_diag_bc_op head = {
      .code = op, .yes = (uint8_t)size, .no = (uint16_t)(c->size - no)};
  memset(at, 0, (size_t)size);
  memcpy(at, &head, sizeof(head));
  return at + sizeof(head);
}

/* Where `yes` is not what follows, a JMP goes between. */
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
  memset(&host, 0, sizeof(host)); /* its padding, too, goes to the kernel */
  host.family = ipv4 ? AF_INET : AF_INET6;
  host.prefix_len = (uint8_t)(p->bits - skip * 8);
  host.port = -1;
  uint8_t *at = put_test(c, op, HOST_SIZE + 16 - (int)skip, yes, no);
  memcpy(at, &host, sizeof(host));
  memcpy(at + sizeof(host), p->address.bytes + skip, 16 - skip);
}

static void put_ports(struct code *c, const struct selector *s, int yes,
                      int no) {
  bool local = s->op == SELECTOR_LOCAL_PORT;
  struct port_cover r;
  cover_ports(s, c->detail->ports, &r);
  int next = no;
  for (size_t i = r.count; i-- > 0; next = c->size) {
    int found = yes;
    if (r.range[i].high < UINT16_MAX) {
      put_port(c, local ? INET_DIAG_BC_S_LE : INET_DIAG_BC_D_LE,
               r.range[i].high, found, next);
      found = c->size;
    }
    /* Below this range is below all that follow. */
    if (r.range[i].low > 0)
      put_port(c, local ? INET_DIAG_BC_S_GE : INET_DIAG_BC_D_GE, r.range[i].low,
               found, no);
  }
}

static void put_addresses(struct code *c, const struct selector *s, bool local,
                          int yes, int no) {
  static const struct prefix every_ipv4 = {
      .address = {{[10] = 0xff, [11] = 0xff}}, .bits = 96};
  uint8_t op = local ? INET_DIAG_BC_S_COND : INET_DIAG_BC_D_COND;
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
  for (size_t i = s->count; i-- > 0;) {
    const struct selector_value *v = &s->value[i];
    if (!value_counts(s, i))
      continue;
    if (s->op == SELECTOR_INTERFACE)
      put_device(c, (uint32_t)v->value, yes, next);
    else if (s->op == SELECTOR_CGROUP)
      put_cgroup(c, v->value, yes, next);
    else
      put_mark(c, v, yes, next);
    next = c->size;
  }
  if (minis_apart(s, b))
    put_cgroup(c, CGROUP_OF_MINI, b == UPPER ? yes : no, next);
}

static void put_selector(struct code *c, const struct selector *s, enum bound b,
                         int yes, int no) {
  switch (s->op) {
  case SELECTOR_AND:
  case SELECTOR_OR:
    for (size_t i = s->count; i-- > 0;) {
      if (outcome_of(s->child[i], b, c->detail).truth != DEPENDS)
        continue;
      put_selector(c, s->child[i], b, yes, no);
      *(s->op == SELECTOR_AND ? &yes : &no) = c->size;
    }
    break;
  case SELECTOR_NOT:
    put_selector(c, s->child[0], bound_not(b), no, yes);
    break;
  case SELECTOR_LOCAL_PORT:
  case SELECTOR_REMOTE_PORT:
    put_ports(c, s, yes, no);
    break;
  case SELECTOR_LOCAL_ADDRESS:
  case SELECTOR_REMOTE_ADDRESS:
    put_addresses(c, s, s->op == SELECTOR_LOCAL_ADDRESS, yes, no);
    break;
  case SELECTOR_LOOPBACK:
    put_addresses(c, &loopback, false, yes, no);
    put_addresses(c, &loopback, true, yes, c->size);
    break;
  case SELECTOR_INTERFACE:
  case SELECTOR_CGROUP:
  case SELECTOR_MARK:
    put_values(c, s, b, yes, no);
    break;
  case SELECTOR_INBOUND:
  case SELECTOR_OP_COUNT:
    break;
  }
}

static int compile(const struct selector *s, const struct detail *detail,
                   struct outcome o, struct bytecode *out) {
  if (o.truth == ALWAYS)
    return 0;
  struct code c = {.detail = detail};
  if (o.truth == NEVER)
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
    for (size_t i = 0; i < LADDER_COUNT; i++) {
      d.ports = ladder[i].ports;
      d.prefixes = ladder[i].prefixes;
      struct outcome o = outcome_of(s, UPPER, &d);
      if (o.truth != DEPENDS || o.cost <= BYTECODE_COST_MAX)
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
  return compile(&both, &d, outcome_of(&both, UPPER, &d), out);
}

void bytecode_free(struct bytecode *b) {
  free(b->code);
  *b = (struct bytecode){.code = NULL};
}
