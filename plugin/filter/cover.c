/* See cover.h. A list is walked once: as soon as there is one entry more than
 * `limit`, the two that are nearest are joined. Of prefixes that is not always
 * the best cover, but it takes no memory, however long the list. */
#include "filter/cover.h"

#include <string.h>

void cover_ports(const struct selector *s, size_t limit,
                 struct port_cover *out) {
  out->count = s->count;
  out->range = s->port;
  if (s->count <= limit)
    return;

  size_t n = 0;
  struct port_range *m = out->merged;
  for (size_t i = 0; i < s->count; i++) {
    m[n++] = s->port[i];
    if (n <= limit)
      continue;
    size_t close = 0;
    for (size_t j = 1; j + 1 < n; j++)
      if (m[j + 1].low - m[j].high < m[close + 1].low - m[close].high)
        close = j;
    m[close].high = m[close + 1].high;
    n--;
    memmove(m + close + 1, m + close + 2, (n - close - 1) * sizeof(*m));
  }
  out->count = n;
  out->range = m;
}

bool prefix_is_ipv4(const struct prefix *p) {
  return p->bits >= 96 && address_is_ipv4(&p->address);
}

static unsigned common_bits(const struct address *a, const struct address *b) {
  unsigned i = 0;
  while (i < 128 && ((a->bytes[i / 8] ^ b->bytes[i / 8]) & 0x80u >> i % 8) == 0)
    i++;
  return i;
}

/* The longest prefix that covers both. */
static struct prefix prefix_join(const struct prefix *a,
                                 const struct prefix *b) {
  struct prefix out = *a;
  unsigned common = common_bits(&a->address, &b->address);
  if (b->bits < out.bits)
    out.bits = b->bits;
  if (common < out.bits)
    out.bits = (uint8_t)common;
  return out;
}

/* The length of the prefix that covers both, in bits of IPv6: an IPv4 /32
 * counts as a /64. INT_MAX if it is no wider than the wider one of the two. */
static int join_value(const struct prefix *a, const struct prefix *b) {
  int bits = prefix_join(a, b).bits;
  if (bits == a->bits || bits == b->bits)
    return INT_MAX;
  return prefix_is_ipv4(a) ? 2 * (bits - 96) : bits;
}

/* Joins the two of one family whose common prefix is the narrowest. */
static void join_nearest(struct prefix *p, size_t count) {
  size_t left = 0, right = 0;
  int best = -1;
  for (size_t i = 0; i < count; i++)
    for (size_t j = i + 1; j < count; j++) {
      if (prefix_is_ipv4(&p[i]) != prefix_is_ipv4(&p[j]) ||
          join_value(&p[i], &p[j]) <= best)
        continue;
      best = join_value(&p[i], &p[j]);
      left = i;
      right = j;
    }
  p[left] = prefix_join(&p[left], &p[right]);
  p[right] = p[count - 1];
}

void cover_prefixes(const struct selector *s, size_t limit,
                    struct prefix_cover *out) {
  out->count = s->count;
  out->prefix = s->prefix;
  if (s->count <= limit)
    return;

  out->count = 0;
  out->prefix = out->merged;
  for (size_t i = 0; i < s->count; i++) {
    out->merged[out->count++] = s->prefix[i];
    if (out->count > limit)
      join_nearest(out->merged, out->count--);
  }
}

struct port_range cover_hull(const struct selector *s, enum selector_op side) {
  static const struct port_range every = {0, UINT16_MAX},
                                 none = {UINT16_MAX, 0};
  if (s->name != NULL) /* its list changes */
    return every;
  if (s->op == side)
    return s->count == 0 ? none
                         : (struct port_range){s->port[0].low,
                                               s->port[s->count - 1].high};
  bool all = s->op == SELECTOR_AND;
  if (!all && s->op != SELECTOR_OR)
    return every;

  struct port_range out = all ? every : none;
  for (size_t i = 0; i < s->count; i++) {
    struct port_range child = cover_hull(s->child[i], side);
    if ((child.low > out.low) == all)
      out.low = child.low;
    if ((child.high < out.high) == all)
      out.high = child.high;
  }
  return out;
}
