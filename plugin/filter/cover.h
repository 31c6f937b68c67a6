/* Joins the ports and prefixes of a selector into fewer, coarser ones, which
 * hold all that the selector's own hold, and more. Knows nothing of bytecode.
 */
#ifndef TCPINFO_FILTER_COVER_H
#define TCPINFO_FILTER_COVER_H

#include "filter/selector.h"

#include <limits.h>

/* Values of `limit`: COVER_ALL joins nothing; else the limit is at most the
 * value that follows. */
enum { COVER_ALL = INT_MAX, COVER_PORTS_MAX = 4, COVER_PREFIXES_MAX = 8 };

/* A cover points into its selector or into itself: it must not be copied, nor
 * outlive the selector. */
struct port_cover {
  size_t count;
  const struct port_range *range; /* ascending */
  struct port_range merged[COVER_PORTS_MAX + 1];
};

struct prefix_cover {
  size_t count;
  const struct prefix *prefix; /* bits behind `bits` may be set */
  struct prefix merged[COVER_PREFIXES_MAX + 1];
};

/* At most `limit` ranges, 1 or more, that cover those of `s`, with the widest
 * gaps kept. `s`: SELECTOR_LOCAL_PORT or SELECTOR_REMOTE_PORT. */
void cover_ports(const struct selector *s, size_t limit,
                 struct port_cover *out);

/* At most `limit` prefixes, 2 or more, that cover those of `s`; an IPv4 one is
 * not joined with an IPv6 one. `s`: SELECTOR_LOCAL_ADDRESS or
 * SELECTOR_REMOTE_ADDRESS. */
void cover_prefixes(const struct selector *s, size_t limit,
                    struct prefix_cover *out);

/* The one range that covers all ports that can match in the whole tree, now and
 * after a change of what a name means, at `side`: SELECTOR_LOCAL_PORT or
 * SELECTOR_REMOTE_PORT; low > high: none can. */
struct port_range cover_hull(const struct selector *s, enum selector_op side);

/* True for a prefix of IPv4 addresses: 0.0.0.0/0 has 96 bits. */
bool prefix_is_ipv4(const struct prefix *p);

#endif
