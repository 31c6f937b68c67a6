#include "support/random_selector.h"
#include "support/build_selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

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

static uint16_t random_port(void) {
  static const uint16_t pool[] = {0, 1, 22, 80, 443, 8000, 8099, 65534, 65535};
  return random() % 4 ? PICK(pool) : (uint16_t)random();
}

static uint32_t device_pool[] = {0, 1, 2, 17};
static uint32_t mark_pool[] = {0, 1, 7, 0x17, 0x80000000, UINT32_MAX};
static uint64_t cgroup_pool[] = {1, 5, 1234, UINT64_C(1) << 40, UINT64_MAX};

void random_set_cgroup(size_t i, uint64_t id) { cgroup_pool[i % 3] = id; }

struct socket random_socket(void) {
  struct socket s = {.family = AF_INET6};
  s.attrs.local = build_prefix(PICK(address_pool)).address;
  bool ipv4 = address_is_ipv4(&s.attrs.local);
  do
    s.attrs.remote = random() % 8 == 0
                         ? s.attrs.local
                         : build_prefix(PICK(address_pool)).address;
  while (ipv4 != address_is_ipv4(&s.attrs.remote));
  s.attrs.local_port = random_port();
  s.attrs.remote_port = random_port();
  if (random() % 16 == 0)
    s.attrs.remote_port = 0;
  if (ipv4 && random() % 2)
    s.family = AF_INET; /* otherwise an AF_INET6 socket with mapped addresses */
  s.attrs.interface = PICK(device_pool);
  s.attrs.mark = PICK(mark_pool);
  s.attrs.cgroup = PICK(cgroup_pool);
  s.attrs.inbound = random() % 2;
  return s;
}

struct socket random_mini(const struct socket *s) {
  struct socket mini = *s;
  mini.mini = true;
  mini.attrs.cgroup = 0;
  if (random() % 2)
    mini.attrs.mark = 0;
  return mini;
}

static struct selector_value random_value(enum selector_op op) {
  static const uint64_t masks[] = {UINT64_MAX, UINT32_MAX, 0xff, 0x10, 0};
  struct selector_value v = {.mask = UINT64_MAX};
  if (random() % 16 == 0)
    v.value = random() % 2 ? 0 : UINT64_C(1) << 32; /* none or too large */
  else if (op == SELECTOR_INTERFACE)
    v.value = PICK(device_pool);
  else if (op == SELECTOR_CGROUP)
    v.value = PICK(cgroup_pool);
  else
    v = (struct selector_value){PICK(mark_pool), PICK(masks)};
  if (random() % 4)
    v.value &= v.mask; /* without this it may never match */
  return v;
}

/* Returns true if the budget allows another entry, and reduces the budget. */
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
        assert_int_equal(
            selector_add_prefix(s, build_prefix(PICK(prefix_pool))), 0);
      break;
    default:
      if (spend(r, s->count == 0 ? 2 : 1)) /* the first adds the mini check */
        assert_int_equal(selector_add_value(s, random_value(s->op)), 0);
    }
  }
}

struct selector *random_selector(int depth, struct random *r) {
  enum selector_op op = (enum selector_op)(random() % SELECTOR_OP_COUNT);
  if (depth == 0 && op <= SELECTOR_NOT)
    op = SELECTOR_LOCAL_PORT;
  if (depth >= 3 && r->budget > BYTECODE_COST_MAX)
    op = random() % 2 ? SELECTOR_AND : SELECTOR_OR;
  struct selector *s = selector_new(op);
  if (op == SELECTOR_LOOPBACK || op == SELECTOR_INBOUND ||
      (machine_needs[op] & ~r->features) != 0)
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
