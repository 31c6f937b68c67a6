/* One socket, as far as it can be selected and grouped by: what decode fills,
 * selectors look at, and members are made of. */
#ifndef TCPINFO_TCP_SOCKET_ATTRS_H
#define TCPINFO_TCP_SOCKET_ATTRS_H

#include "tcp/address.h"

enum { CONGESTION_NAME_SIZE = 16 }; /* TCP_CA_NAME_MAX, with the final NUL */

struct socket_attrs {
  /* The ends never change while the connection lives. Ports in host order; a
   * listener's remote is zero. */
  struct address local, remote;
  uint16_t local_port, remote_port;

  /* The rest may change, and is 0 where the kernel does not send it; of mini
   * sockets it sends the device, mostly the mark, and nothing else. */
  uint32_t interface; /* index of the device it is bound to; 0: none */
  uint32_t uid;       /* of its owner */
  uint32_t mark;      /* SO_MARK; only with CAP_NET_ADMIN */
  uint64_t cgroup;    /* id of the cgroup v2; Linux 5.8 */
  char congestion[CONGESTION_NAME_SIZE]; /* algorithm; empty: not asked for */

  /* Not of the message: whether the host listened on the local port when the
   * socket was first seen. */
  bool inbound;

  /* What could not be learned: a set of enum socket_attr. The value above
   * then means nothing. */
  uint8_t unknown;
};

/* What groups may look at beside the ends that are always told; bits of a set.
 */
enum socket_attr {
  ATTR_INTERFACE = 1,
  ATTR_UID = 2,
  ATTR_MARK = 4,
  ATTR_CGROUP = 8,
  ATTR_CONGESTION = 16,
  ATTR_DIRECTION = 32,
  ATTR_REMOTE_PORT = 64,
  ATTR_LOCAL_ADDRESS = 128,
};

/* A hash of these traits, ATTR_DIRECTION not being one of the message. */
uint32_t socket_attrs_hash(const struct socket_attrs *t, unsigned traits);

#endif
