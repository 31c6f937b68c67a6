#include "support/bytecode_machine.h"

#include <linux/inet_diag.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

const unsigned machine_needs[SELECTOR_OP_COUNT] = {
    [SELECTOR_INTERFACE] = BYTECODE_INTERFACE,
    [SELECTOR_CGROUP] = BYTECODE_CGROUP,
    [SELECTOR_MARK] = BYTECODE_MARK | BYTECODE_CGROUP,
};

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits) {
  for (unsigned i = 0; i < bits; i++)
    if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
      return false;
  return true;
}

static bool run_host(const uint8_t *op, const struct socket *s) {
  bool local = op[0] == INET_DIAG_BC_S_COND;
  const struct address *a = local ? &s->attrs.local : &s->attrs.remote;
  uint16_t port = local ? s->attrs.local_port : s->attrs.remote_port;
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

static bool run_value(const uint8_t *op, const struct socket *s) {
  struct inet_diag_markcond mark;
  uint32_t device;
  uint64_t cgroup;
  switch (op[0]) {
  case INET_DIAG_BC_DEV_COND:
    memcpy(&device, op + 4, sizeof(device));
    return device == s->attrs.interface;
  case INET_DIAG_BC_CGROUP_COND:
    memcpy(&cgroup, op + 4, sizeof(cgroup));
    return cgroup == s->attrs.cgroup;
  default:
    memcpy(&mark, op + 4, sizeof(mark));
    return (s->attrs.mark & mark.mask) == mark.mark;
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
      yes = s->attrs.local_port >= op[1].no;
      break;
    case INET_DIAG_BC_S_LE:
      yes = s->attrs.local_port <= op[1].no;
      break;
    case INET_DIAG_BC_D_GE:
      yes = s->attrs.remote_port >= op[1].no;
      break;
    case INET_DIAG_BC_D_LE:
      yes = s->attrs.remote_port <= op[1].no;
      break;
    case INET_DIAG_BC_S_COND:
    case INET_DIAG_BC_D_COND:
      yes = run_host(at, s);
      break;
    case INET_DIAG_BC_DEV_COND:
    case INET_DIAG_BC_CGROUP_COND:
    case INET_DIAG_BC_MARK_COND:
      yes = run_value(at, s);
      break;
    default:
      fail_msg("op %u", op->code);
    }
    left -= yes ? op->yes : op->no;
  }
  return left == 0;
}

bool machine_passes(const struct bytecode *b, const struct socket *s) {
  return b->size == 0 || run(b, s);
}

/* Returns the size that an op must have; adds its features and its cost. */
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

size_t machine_audit(const struct bytecode *b) {
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
