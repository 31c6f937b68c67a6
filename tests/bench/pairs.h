/* TCP connections over loopback whose both ends this process holds, at the
 * addresses of layout.h. Whatever fails ends the program, with a line. */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include <stdbool.h>

struct pair {
  int client, server;
};

struct pairs {
  unsigned ipv6_percent;
  int listener[2][2]; /* usual and rare port; IPv4 and IPv6 */
};

/* Listens on both ports of this worker. */
void pairs_listen(struct pairs *p, unsigned worker);

/* The i-th connection of all: its network, hosts and port follow from `i`. */
struct pair pairs_open(const struct pairs *p, unsigned i, unsigned worker);

#endif
