/* See selector.h. */
#include "filter/selector.h"

#include "util/array.h"

#include <stdlib.h>
#include <string.h>

struct selector *selector_new(enum selector_op op) {
  struct selector *s = calloc(1, sizeof(*s));
  if (s != NULL)
    s->op = op;
  return s;
}

void selector_free(struct selector *s) {
  if (s == NULL)
    return;
  if (s->child != NULL)
    for (size_t i = 0; i < s->count; i++)
      selector_free(s->child[i]);
  free(s->child);
  free(s->port);
  free(s->prefix);
  free(s->value);
  free(s);
}

int selector_add_child(struct selector *s, struct selector *child) {
  if (child == NULL)
    return -1;
  if (!ARRAY_RESIZE(s->child, s->count + 1)) {
    selector_free(child);
    return -1;
  }
  s->child[s->count++] = child;
  return 0;
}

struct selector *selector_wrap(enum selector_op op, struct selector *child) {
  struct selector *s = selector_new(op);
  if (s == NULL)
    selector_free(child);
  else if (selector_add_child(s, child) == 0)
    return s;
  selector_free(s);
  return NULL;
}

int selector_add_port(struct selector *s, struct port_range port) {
  /* Those from `first` up to, without, `last` overlap or touch the new one. */
  size_t first = 0;
  while (first < s->count && s->port[first].high + 1 < port.low)
    first++;
  size_t last = first;
  while (last < s->count && s->port[last].low <= port.high + 1)
    last++;

  if (first == last) {
    if (!ARRAY_RESIZE(s->port, s->count + 1))
      return -1;
  } else {
    if (s->port[first].low < port.low)
      port.low = s->port[first].low;
    if (s->port[last - 1].high > port.high)
      port.high = s->port[last - 1].high;
  }
  memmove(s->port + first + 1, s->port + last,
          (s->count - last) * sizeof(*s->port));
  s->port[first] = port;
  s->count += 1 - (last - first);
  return 0;
}

/* IPv4 before IPv6, then by address. */
static int address_order(const struct address *a, bool a_ipv4,
                         const struct address *b, bool b_ipv4) {
  return a_ipv4 != b_ipv4 ? (a_ipv4 ? -1 : 1)
                          : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* An IPv6 prefix that spans ::ffff:0:0/96 is none of IPv4. */
static bool prefix_is_ipv4(const struct prefix *p) {
  return p->bits >= 96 && address_is_ipv4(&p->address);
}

/* How many of the prefixes do not begin behind `a`. */
static size_t prefixes_up_to(const struct selector *s, const struct address *a,
                             bool ipv4) {
  size_t low = 0, high = s->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const struct prefix *p = &s->prefix[middle];
    if (address_order(&p->address, prefix_is_ipv4(p), a, ipv4) <= 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Whether all of `inner` is in `outer`. */
static bool prefix_covers(const struct prefix *outer,
                          const struct prefix *inner) {
  struct address network = address_network(&inner->address, outer->bits);
  return outer->bits <= inner->bits &&
         prefix_is_ipv4(outer) == prefix_is_ipv4(inner) &&
         address_equal(&outer->address, &network);
}

int selector_add_prefix(struct selector *s, struct prefix prefix) {
  prefix.address = address_network(&prefix.address, prefix.bits);
  /* Prefixes are nested or disjoint: only the one that begins last before it
   * can cover the new one, and those that it covers follow it in a row. */
  size_t first = prefixes_up_to(s, &prefix.address, prefix_is_ipv4(&prefix));
  if (first > 0 && prefix_covers(&s->prefix[first - 1], &prefix))
    return 0;
  if (first > 0 && prefix_covers(&prefix, &s->prefix[first - 1]))
    first--; /* begins where the new one does */
  size_t last = first;
  while (last < s->count && prefix_covers(&prefix, &s->prefix[last]))
    last++;

  if (first == last && !ARRAY_RESIZE(s->prefix, s->count + 1))
    return -1;
  memmove(s->prefix + first + 1, s->prefix + last,
          (s->count - last) * sizeof(*s->prefix));
  s->prefix[first] = prefix;
  s->count += 1 - (last - first);
  return 0;
}

int selector_add_value(struct selector *s, struct selector_value value) {
  if (!ARRAY_RESIZE(s->value, s->count + 1))
    return -1;
  s->value[s->count++] = value;
  return 0;
}

bool selector_uses(const struct selector *s, enum selector_op op) {
  if (s->op == op)
    return true;
  for (size_t i = 0; s->child != NULL && i < s->count; i++)
    if (selector_uses(s->child[i], op))
      return true;
  return false;
}

static bool value_matches(const struct selector *s, uint64_t value) {
  for (size_t i = 0; i < s->count; i++)
    if ((value & s->value[i].mask) == s->value[i].value)
      return true;
  return false;
}

static bool port_matches(const struct selector *s, uint16_t port) {
  size_t low = 0, high = s->count; /* ranges before `low` end before the port */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (s->port[middle].high < port)
      low = middle + 1;
    else
      high = middle;
  }
  return low < s->count && s->port[low].low <= port;
}

static bool address_matches(const struct selector *s, const struct address *a) {
  size_t count = prefixes_up_to(s, a, address_is_ipv4(a));
  return count > 0 && prefix_match(&s->prefix[count - 1], a);
}

/* Where the local address is unknown, the remote one has to do: a loopback
 * address at one end alone is rare (a local address of one's own choice). */
static bool loopback_matches(const struct socket_attrs *t) {
  if (address_is_loopback(&t->remote))
    return true;
  if ((t->unknown & ATTR_LOCAL_ADDRESS) != 0)
    return false;
  return address_is_loopback(&t->local) ||
         (address_equal(&t->local, &t->remote) && !address_is_any(&t->local));
}

/* What each leaf needs to know; none: that is always told. */
static const uint8_t leaf_trait[SELECTOR_OP_COUNT] = {
    [SELECTOR_REMOTE_PORT] = ATTR_REMOTE_PORT,
    [SELECTOR_LOCAL_ADDRESS] = ATTR_LOCAL_ADDRESS,
    [SELECTOR_INTERFACE] = ATTR_INTERFACE,
    [SELECTOR_CGROUP] = ATTR_CGROUP,
    [SELECTOR_MARK] = ATTR_MARK,
    [SELECTOR_INBOUND] = ATTR_DIRECTION,
};

static bool leaf_matches(const struct selector *s,
                         const struct socket_attrs *t) {
  switch (s->op) {
  case SELECTOR_LOCAL_PORT:
    return port_matches(s, t->local_port);
  case SELECTOR_REMOTE_PORT:
    return port_matches(s, t->remote_port);
  case SELECTOR_LOCAL_ADDRESS:
    return address_matches(s, &t->local);
  case SELECTOR_REMOTE_ADDRESS:
    return address_matches(s, &t->remote);
  case SELECTOR_LOOPBACK:
    return loopback_matches(t);
  case SELECTOR_INTERFACE:
    return value_matches(s, t->interface);
  case SELECTOR_CGROUP:
    return value_matches(s, t->cgroup);
  case SELECTOR_MARK:
    return value_matches(s, t->mark);
  case SELECTOR_INBOUND:
    return t->inbound;
  case SELECTOR_AND:
  case SELECTOR_OR:
  case SELECTOR_NOT:
  case SELECTOR_OP_COUNT:
    break;
  }
  return false;
}

/* In this order AND is the least of its children, OR the greatest. */
enum verdict { NO, MAYBE, YES };

static enum verdict judge(const struct selector *s,
                          const struct socket_attrs *t) {
  enum verdict v;
  switch (s->op) {
  case SELECTOR_AND:
    v = YES;
    for (size_t i = 0; i < s->count && v != NO; i++) {
      enum verdict child = judge(s->child[i], t);
      v = child < v ? child : v;
    }
    return v;
  case SELECTOR_OR:
    v = NO;
    for (size_t i = 0; i < s->count && v != YES; i++) {
      enum verdict child = judge(s->child[i], t);
      v = child > v ? child : v;
    }
    return v;
  case SELECTOR_NOT:
    return (enum verdict)(YES - judge(s->child[0], t));
  default:
    if ((leaf_trait[s->op] & t->unknown) != 0)
      return MAYBE;
    return leaf_matches(s, t) ? YES : NO;
  }
}

bool selector_match(const struct selector *s, const struct socket_attrs *t) {
  return judge(s, t) == YES;
}
