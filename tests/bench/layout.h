/* The addresses of the load: load.c opens the connections, read.c selects them.
 * All are on loopback, in a namespace that `run` makes.
 *
 * Both ends of a connection are in one of LAYOUT_NETWORKS networks, a /24 of
 * IPv4 or a /64 of IPv6:
 *
 *      server  10.64.N.1   or fd64:0:0:N::1    (N above 255: 10.65.N-256.1)
 *      client  10.64.N.10  or fd64:0:0:N::a
 *
 * So there are 1,000 addresses, and each is the remote address of equally many
 * sockets. */
#ifndef BENCH_LAYOUT_H
#define BENCH_LAYOUT_H

#include <stdbool.h>
#include <stdio.h>

enum {
  LAYOUT_NETWORKS = 500, /* of both families together */
  LAYOUT_SERVER = 1,     /* host number of the server */
  LAYOUT_CLIENT = 10,    /* host number of the client */

  /* A worker adds its number to these listening ports. In the namespace of
     `run`, the ports of clients begin at 10000. */
  LAYOUT_PORT_COMMON = 2000,
  LAYOUT_PORT_RARE = 4000,
  LAYOUT_WORKERS = 1000, /* maximum number of workers */
  /* One of so many connections goes to a rare port, which is the remote port of
     one of its two sockets: one in a hundred sockets has it. */
  LAYOUT_RARE = 50,
};

#define LAYOUT_IPV4 "10.64.0.0/10"
#define LAYOUT_IPV6 "fd64::/48"

/* Returns true if the network is an IPv6 network; `percent` of all are. */
static inline bool layout_is_ipv6(unsigned network, unsigned percent) {
  return network * percent % 100 < percent;
}

enum { LAYOUT_TEXT_MAX = 48 };

static inline void layout_address(unsigned network, bool ipv6, unsigned host,
                                  char text[LAYOUT_TEXT_MAX]) {
  if (ipv6)
    snprintf(text, LAYOUT_TEXT_MAX, "fd64:0:0:%x::%x", network, host);
  else
    snprintf(text, LAYOUT_TEXT_MAX, "10.%u.%u.%u", 64 + network / 256,
             network % 256, host);
}

#endif
