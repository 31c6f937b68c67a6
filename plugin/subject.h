/* One socket, as far as it can be selected and grouped by: what decode fills,
 * selectors look at, and members are made of. */
#ifndef TCPINFO_SUBJECT_H
#define TCPINFO_SUBJECT_H

#include "address.h"

enum { SUBJECT_CONGESTION_MAX = 16 }; /* TCP_CA_NAME_MAX, with the final NUL */

struct subject {
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
  char congestion[SUBJECT_CONGESTION_MAX]; /* algorithm; empty: not asked for */

  /* Not of the message: whether the host listened on the local port when the
   * socket was first seen. */
  bool inbound;

  /* What could not be learned: a set of enum subject_trait. The value above
   * then means nothing. */
  uint8_t unknown;
};

/* What groups may look at beside the ends that are always told; bits of a set.
 */
enum subject_trait {
  SUBJECT_INTERFACE = 1,
  SUBJECT_UID = 2,
  SUBJECT_MARK = 4,
  SUBJECT_CGROUP = 8,
  SUBJECT_CONGESTION = 16,
  SUBJECT_DIRECTION = 32,
  SUBJECT_REMOTE_PORT = 64,
  SUBJECT_LOCAL_ADDRESS = 128,
};

/* A hash of these traits, SUBJECT_DIRECTION not being one of the message. */
uint32_t subject_hash(const struct subject *t, unsigned traits);

#endif
