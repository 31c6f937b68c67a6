/* See selector.h. Lists are kept sorted, so that a match is a binary search. */
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

static void name_free(struct selector_name *name) {
  if (name == NULL)
    return;
  free(name->text);
  free(name->target);
  free(name);
}

void selector_free(struct selector *s) {
  if (s == NULL)
    return;
  name_free(s->name);
  if (s->child != NULL)
    for (size_t i = 0; i < s->count; i++)
      selector_free(s->child[i]);
  free(s->child);
  free(s->port);
  free(s->prefix);
  free(s->value);
  free(s);
}

static struct selector_name *name_copy(const struct selector_name *name) {
  struct selector_name *copy = malloc(sizeof(*copy));
  if (copy == NULL)
    return NULL;
  *copy = *name;
  copy->text = strdup(name->text);
  copy->target = strdup(name->target);
  if (copy->text != NULL && copy->target != NULL)
    return copy;
  name_free(copy);
  return NULL;
}

struct selector *selector_new_name(enum selector_op op,
                                   const struct selector_name *name) {
  struct selector *s = selector_new(op);
  if (s == NULL)
    return NULL;
  bool ports = selector_table[op].list == SELECTOR_PORTS;
  s->name = name_copy(name);
  if (s->name != NULL &&
      (ports ? ARRAY_RESIZE(s->port, 1) : ARRAY_RESIZE(s->value, 1)))
    return s;
  selector_free(s);
  return NULL;
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
  /* Ranges from `first` up to, but not including, `last` overlap or touch the
   * new one. */
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

/* An IPv6 prefix that spans ::ffff:0:0/96 is not an IPv4 prefix. */
static bool prefix_is_ipv4(const struct prefix *p) {
  return p->bits >= 96 && address_is_ipv4(&p->address);
}

/* The number of prefixes that do not begin behind `a`. */
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

/* True if all of `inner` is in `outer`. */
static bool prefix_covers(const struct prefix *outer,
                          const struct prefix *inner) {
  struct address network = address_network(&inner->address, outer->bits);
  return outer->bits <= inner->bits &&
         prefix_is_ipv4(outer) == prefix_is_ipv4(inner) &&
         address_equal(&outer->address, &network);
}

int selector_add_prefix(struct selector *s, struct prefix prefix) {
  prefix.address = address_network(&prefix.address, prefix.bits);
  /* Two prefixes are nested or disjoint: only the last one that does not begin
   * behind the new prefix can cover it, and those that the new prefix covers
   * follow one after the other. */
  size_t first = prefixes_up_to(s, &prefix.address, prefix_is_ipv4(&prefix));
  if (first > 0 && prefix_covers(&s->prefix[first - 1], &prefix))
    return 0;
  if (first > 0 && prefix_covers(&prefix, &s->prefix[first - 1]))
    first--; /* it begins at the same address as the new one */
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

void selector_each_name(struct selector *s, selector_name_cb *cb, void *data) {
  if (s->name != NULL)
    cb(s, data);
  for (size_t i = 0; s->child != NULL && i < s->count; i++)
    selector_each_name(s->child[i], cb, data);
}

uint32_t selector_attrs(const struct selector *s) {
  const struct selector_row *row = &selector_table[s->op];
  if (row->list != SELECTOR_CHILDREN)
    return ATTR_BIT(row->attr);
  uint32_t set = 0;
  for (size_t i = 0; i < s->count; i++)
    set |= selector_attrs(s->child[i]);
  return set;
}

/* --- conditions ----------------------------------------------------------- */

/* The list of a condition fits the type of its attribute: ports a uint16_t and
 * so on. A test checks that for all rows. */

static bool match_value(const struct selector *node, enum socket_attr attr,
                        const struct socket_attrs *s) {
  const void *at = socket_attrs_at(s, attr);
  bool wide = socket_attr_table[attr].type == ATTR_TYPE_U64;
  uint64_t value = wide ? *(const uint64_t *)at : *(const uint32_t *)at;
  for (size_t i = 0; i < node->count; i++)
    if ((value & node->value[i].mask) == node->value[i].value)
      return true;
  return false;
}

static bool match_port(const struct selector *node, enum socket_attr attr,
                       const struct socket_attrs *s) {
  uint16_t port = *(const uint16_t *)socket_attrs_at(s, attr);
  size_t low = 0, high = node->count; /* ranges before `low` end before it */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (node->port[middle].high < port)
      low = middle + 1;
    else
      high = middle;
  }
  return low < node->count && node->port[low].low <= port;
}

static bool match_address(const struct selector *node, enum socket_attr attr,
                          const struct socket_attrs *s) {
  const struct address *a = socket_attrs_at(s, attr);
  size_t count = prefixes_up_to(node, a, address_is_ipv4(a));
  return count > 0 && prefix_match(&node->prefix[count - 1], a);
}

static bool match_flag(const struct selector *node, enum socket_attr attr,
                       const struct socket_attrs *s) {
  (void)node;
  return *(const bool *)socket_attrs_at(s, attr);
}

/* `attr` is the remote address, which decides alone if the local address is
 * unknown: a loopback address at one end only is rare, it takes a local address
 * of the program's own choice. */
static bool match_loopback(const struct selector *node, enum socket_attr attr,
                           const struct socket_attrs *s) {
  (void)node;
  const struct address *remote = socket_attrs_at(s, attr);
  if (address_is_loopback(remote))
    return true;
  if ((s->unknown & ATTR_BIT(ATTR_LOCAL_ADDRESS)) != 0)
    return false;
  return address_is_loopback(&s->local) ||
         (address_equal(&s->local, remote) && !address_is_any(&s->local));
}

#define TREE(name)                                                             \
  { name, SELECTOR_CHILDREN, ATTR_COUNT, NULL }

#define ROW(name, list, attr, match)                                           \
  { name, list, attr, match }

/* Columns: name, kind of list, attribute, match. Macros make the rows, so that
 * no column can be left out. */
const struct selector_row selector_table[SELECTOR_OP_COUNT] = {
    [SELECTOR_AND] = TREE("and"),
    [SELECTOR_OR] = TREE("or"),
    [SELECTOR_NOT] = TREE("not"),
    [SELECTOR_LOCAL_PORT] =
        ROW("LocalPort", SELECTOR_PORTS, ATTR_LOCAL_PORT, match_port),
    [SELECTOR_REMOTE_PORT] =
        ROW("RemotePort", SELECTOR_PORTS, ATTR_REMOTE_PORT, match_port),
    [SELECTOR_LOCAL_ADDRESS] = ROW("LocalAddress", SELECTOR_PREFIXES,
                                   ATTR_LOCAL_ADDRESS, match_address),
    [SELECTOR_REMOTE_ADDRESS] = ROW("RemoteAddress", SELECTOR_PREFIXES,
                                    ATTR_REMOTE_ADDRESS, match_address),
    [SELECTOR_LOOPBACK] =
        ROW("loopback", SELECTOR_NO_LIST, ATTR_REMOTE_ADDRESS, match_loopback),
    [SELECTOR_INTERFACE] =
        ROW("interface", SELECTOR_VALUES, ATTR_INTERFACE, match_value),
    [SELECTOR_CGROUP] =
        ROW("cgroup", SELECTOR_VALUES, ATTR_CGROUP, match_value),
    [SELECTOR_MARK] = ROW("mark", SELECTOR_VALUES, ATTR_MARK, match_value),
    [SELECTOR_INBOUND] =
        ROW("inbound", SELECTOR_NO_LIST, ATTR_DIRECTION, match_flag),
};
#undef TREE
#undef ROW

/* --- the tree ------------------------------------------------------------- */

/* In this order AND is the least of its children, OR the greatest. */
enum answer { ANSWER_NO, ANSWER_UNKNOWN, ANSWER_YES };

static enum answer answer_of(const struct selector *node,
                             const struct socket_attrs *s);

static inline enum answer combined(const struct selector *node,
                                   const struct socket_attrs *s) {
  if (node->op == SELECTOR_NOT)
    return (enum answer)(ANSWER_YES - answer_of(node->child[0], s));
  bool all = node->op == SELECTOR_AND;
  enum answer decided = all ? ANSWER_NO : ANSWER_YES;
  enum answer answer = all ? ANSWER_YES : ANSWER_NO;
  for (size_t i = 0; i < node->count && answer != decided; i++) {
    enum answer child = answer_of(node->child[i], s);
    if (all ? child < answer : child > answer)
      answer = child;
  }
  return answer;
}

static enum answer answer_of(const struct selector *node,
                             const struct socket_attrs *s) {
  const struct selector_row *row = &selector_table[node->op];
  if (row->list == SELECTOR_CHILDREN)
    return combined(node, s);
  if (node->count == 0 && row->list != SELECTOR_NO_LIST)
    return ANSWER_NO;
  if ((s->unknown & ATTR_BIT(row->attr)) != 0)
    return ANSWER_UNKNOWN;
  return row->match(node, row->attr, s) ? ANSWER_YES : ANSWER_NO;
}

bool selector_match(const struct selector *s, const struct socket_attrs *t) {
  return answer_of(s, t) == ANSWER_YES;
}
