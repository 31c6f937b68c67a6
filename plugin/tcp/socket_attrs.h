/* The attributes of a socket: all that a socket can be selected and grouped by.
 *
 * One enum names the attributes, one table describes them. Dimensions (`By`)
 * and conditions (`Filter`) name their attribute and take the rest from its
 * row, so that none of them can forget that a value may be unknown.
 *
 * A new attribute needs a member of struct socket_attrs, a value of enum
 * socket_attr, a row of the table, and the decoder that fills the member. */
#ifndef TCPINFO_TCP_SOCKET_ATTRS_H
#define TCPINFO_TCP_SOCKET_ATTRS_H

#include "tcp/address.h"

enum { CONGESTION_NAME_SIZE = 16 }; /* TCP_CA_NAME_MAX, with the final NUL */

enum socket_attr {
  ATTR_REMOTE_ADDRESS,
  ATTR_REMOTE_PORT,
  ATTR_LOCAL_ADDRESS,
  ATTR_LOCAL_PORT,
  ATTR_INTERFACE,
  ATTR_UID,
  ATTR_MARK,
  ATTR_CGROUP,
  ATTR_CONGESTION,
  ATTR_DIRECTION,
  ATTR_COUNT,
};

/* Sets of attributes are uint32_t. An enum socket_attr is a number, not a bit:
 * sets are built and tested with ATTR_BIT() alone. */
#define ATTR_BIT(attr) (UINT32_C(1) << (attr))
_Static_assert(ATTR_COUNT <= 32, "a set of attributes has 32 bits");

struct socket_attrs {
  /* Ports in host order; a listener's remote address and port are zero. */
  struct address local, remote;
  uint16_t local_port, remote_port;
  uint32_t interface; /* index of the device it is bound to; 0: none */
  uint32_t uid;       /* of its owner */
  uint32_t mark;      /* SO_MARK; only with CAP_NET_ADMIN, else 0 */
  uint64_t cgroup;    /* id of the cgroup v2; Linux 5.8, else 0 */
  char congestion[CONGESTION_NAME_SIZE]; /* algorithm; empty: not asked for */

  /* No message has the direction: true if the host listened on the local port
   * when the connection was first seen. */
  bool inbound;

  /* The attributes that the message does not have: a set. Their values above
   * mean nothing. The decoder leaves the set empty; its caller, which knows the
   * kind of message, adds socket_attrs_unknown(). */
  uint32_t unknown;
};

/* The kinds of messages that have attributes. */
enum attrs_source {
  ATTRS_OF_FULL,       /* a full socket of a dump */
  ATTRS_OF_ORPHAN,     /* a full socket of a dump that no process holds */
  ATTRS_OF_MINI,       /* a mini socket of a dump: TIME_WAIT, FIN_WAIT2, ... */
  ATTRS_OF_CLOSE,      /* a close event */
  ATTRS_OF_DISCONNECT, /* a close event after tcp_disconnect() */
  ATTRS_SOURCE_COUNT,
};

enum attr_type {
  ATTR_TYPE_ADDRESS, /* struct address */
  ATTR_TYPE_PORT,    /* uint16_t, host order */
  ATTR_TYPE_U32,
  ATTR_TYPE_U64,
  ATTR_TYPE_TEXT, /* ends with a NUL; any bytes may follow */
  ATTR_TYPE_FLAG, /* bool */
};

/* Room for one value of any attribute. */
union socket_attr_value {
  struct address address;
  uint16_t port;
  uint32_t u32;
  uint64_t u64;
  char text[CONGESTION_NAME_SIZE];
  bool flag;
};

struct socket_attr_row {
  const char *name;
  enum attr_type type;   /* of the member of struct socket_attrs */
  uint16_t offset, size; /* of that member, bytes */
  bool changes; /* while the connection lives, or known only later: memberships
                   that depend on the attribute are then made anew */
  uint8_t sources; /* bits 1 << enum attrs_source: the messages that have it */
};

extern const struct socket_attr_row socket_attr_table[ATTR_COUNT];

/* Returns the attributes that messages of this kind do not have: a set. */
uint32_t socket_attrs_unknown(enum attrs_source source);

/* The attributes that may change while a connection lives: a set. */
uint32_t socket_attrs_changing(void);

/* A hash of the attributes in `set`: equal for equal values; 0 if `set` is
 * empty. `unknown` is not looked at. */
uint32_t socket_attrs_hash(const struct socket_attrs *s, uint32_t set);

/* The attribute's value within `s`. */
static inline const void *socket_attrs_at(const struct socket_attrs *s,
                                          enum socket_attr attr) {
  return (const uint8_t *)s + socket_attr_table[attr].offset;
}

/* Copies the attribute's value to `out`, which has room for the size in its
 * row. Equal values give equal bytes: a text is filled up with NULs. */
static inline void socket_attrs_copy(const struct socket_attrs *s,
                                     enum socket_attr attr, void *out) {
  const void *at = socket_attrs_at(s, attr);
  switch (socket_attr_table[attr].type) { /* constant sizes need no call */
  case ATTR_TYPE_U32:
    memcpy(out, at, sizeof(uint32_t));
    return;
  case ATTR_TYPE_U64:
    memcpy(out, at, sizeof(uint64_t));
    return;
  case ATTR_TYPE_ADDRESS:
    memcpy(out, at, sizeof(struct address));
    return;
  case ATTR_TYPE_PORT:
    memcpy(out, at, sizeof(uint16_t));
    return;
  case ATTR_TYPE_TEXT:
    memset(out, 0, CONGESTION_NAME_SIZE);
    memcpy(out, at, strnlen(at, CONGESTION_NAME_SIZE));
    return;
  case ATTR_TYPE_FLAG:
    memcpy(out, at, sizeof(bool));
    return;
  }
}

/* A port, number or flag as a number; 0 for other types. */
static inline uint64_t socket_attrs_number(const struct socket_attrs *s,
                                           enum socket_attr attr) {
  union socket_attr_value v;
  const void *at = socket_attrs_at(s, attr);
  switch (socket_attr_table[attr].type) {
  case ATTR_TYPE_U32:
    memcpy(&v.u32, at, sizeof(v.u32));
    return v.u32;
  case ATTR_TYPE_U64:
    memcpy(&v.u64, at, sizeof(v.u64));
    return v.u64;
  case ATTR_TYPE_PORT:
    memcpy(&v.port, at, sizeof(v.port));
    return v.port;
  case ATTR_TYPE_FLAG:
    memcpy(&v.flag, at, sizeof(v.flag));
    return v.flag;
  case ATTR_TYPE_ADDRESS:
  case ATTR_TYPE_TEXT:
    break;
  }
  return 0;
}

#endif
