#include "pairs.h"

#include "bench_fail.h"
#include "layout.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void set(int fd, int level, int name, int value) {
  if (setsockopt(fd, level, name, &value, sizeof(value)) != 0)
    bench_fail("setsockopt");
}

static int socket_new(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    bench_fail("socket");
  return fd;
}

union any_address {
  struct sockaddr any;
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
};

/* Stores the address and returns its length. A `text` of NULL stands for every
 * address. */
static socklen_t address_make(union any_address *a, bool ipv6, const char *text,
                              unsigned port) {
  memset(a, 0, sizeof(*a));
  a->any.sa_family = ipv6 ? AF_INET6 : AF_INET;
  if (ipv6)
    a->ipv6.sin6_port = htons((uint16_t)port);
  else
    a->ipv4.sin_port = htons((uint16_t)port);
  void *to = ipv6 ? (void *)&a->ipv6.sin6_addr : (void *)&a->ipv4.sin_addr;
  if (text != NULL && inet_pton(a->any.sa_family, text, to) != 1)
    bench_fail(text);
  return ipv6 ? sizeof(a->ipv6) : sizeof(a->ipv4);
}

static int listener_new(bool ipv6, unsigned port) {
  union any_address a;
  socklen_t size = address_make(&a, ipv6, NULL, port);
  int fd = socket_new(a.any.sa_family);
  if (ipv6)
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* an earlier run left TIME_WAIT */
  if (bind(fd, &a.any, size) != 0 || listen(fd, 16) != 0)
    bench_fail("listen");
  return fd;
}

void pairs_listen(struct pairs *p, unsigned worker) {
  for (int ipv6 = 0; ipv6 < 2; ipv6++) {
    p->listener[0][ipv6] = listener_new(ipv6, LAYOUT_PORT_COMMON + worker);
    p->listener[1][ipv6] = listener_new(ipv6, LAYOUT_PORT_RARE + worker);
  }
}

struct pair pairs_open(const struct pairs *p, unsigned i, unsigned worker) {
  unsigned network = i % LAYOUT_NETWORKS;
  bool ipv6 = layout_is_ipv6(network, p->ipv6_percent);
  bool rare = i % LAYOUT_RARE == LAYOUT_RARE / 2;
  char text[LAYOUT_TEXT_MAX];
  union any_address from, to;

  layout_address(network, ipv6, LAYOUT_CLIENT, text);
  socklen_t size = address_make(&from, ipv6, text, 0);
  layout_address(network, ipv6, LAYOUT_SERVER, text);
  address_make(&to, ipv6, text,
               (rare ? LAYOUT_PORT_RARE : LAYOUT_PORT_COMMON) + worker);

  struct pair c = {.client = socket_new(from.any.sa_family)};
  set(c.client, IPPROTO_TCP, TCP_NODELAY, 1);
  /* Without this, each port could be used for one connection only. */
  set(c.client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (bind(c.client, &from.any, size) != 0)
    bench_fail("bind");
  if (connect(c.client, &to.any, size) != 0)
    bench_fail("connect");
  c.server = accept(p->listener[rare][ipv6], NULL, NULL);
  if (c.server < 0)
    bench_fail("accept");
  return c;
}
