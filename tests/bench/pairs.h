/* Opens TCP connections over loopback, at the addresses of layout.h. This
 * process holds both ends. Every error ends the program with a message. */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include <stdbool.h>

struct pair {
  int client, server;
};

struct pairs {
  unsigned ipv6_percent;
  int listener[2][2]; /* common and rare port; IPv4 and IPv6 */
};

/* Listens on both ports of this worker. */
void pairs_listen(struct pairs *p, unsigned worker);

/* Opens the connection number `i`; its network, hosts and port follow from `i`.
 */
struct pair pairs_open(const struct pairs *p, unsigned i, unsigned worker);

#endif
