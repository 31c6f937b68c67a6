/* What a group selects, as one expression, and its match in user space: this
 * match is the definition, a filter in the kernel may only be coarser. */
#ifndef TCPINFO_FILTER_SELECTOR_H
#define TCPINFO_FILTER_SELECTOR_H

#include "tcp/socket_attrs.h"

enum selector_op {
  SELECTOR_AND,            /* all of `child`; true without any */
  SELECTOR_OR,             /* one of `child`; false without any */
  SELECTOR_NOT,            /* not child[0] */
  SELECTOR_LOCAL_PORT,     /* one of `port` holds the local port */
  SELECTOR_REMOTE_PORT,    /* one of `port` holds the remote port */
  SELECTOR_LOCAL_ADDRESS,  /* one of `prefix` holds the local address */
  SELECTOR_REMOTE_ADDRESS, /* one of `prefix` holds the remote address */
  SELECTOR_LOOPBACK,  /* an end is a loopback address, or both ends are the same
                         address (and not the unspecified one); without the
                         local address, the remote one is a loopback address */
  SELECTOR_INTERFACE, /* one of `value` is the device that it is bound to */
  SELECTOR_CGROUP,    /* one of `value` is its cgroup's id */
  SELECTOR_MARK,      /* its mark, by the mask of one of `value`, is that */
  SELECTOR_INBOUND,   /* the host listened on its local port */
  SELECTOR_OP_COUNT,
};

struct selector_value {
  uint64_t value;
  uint64_t mask; /* of SELECTOR_MARK; all bits elsewhere */
};

/* One node. Which of the arrays is used follows from `op`; `count` is its
 * length. A node owns its arrays and children. */
struct selector {
  enum selector_op op;
  size_t count;
  struct selector **child;
  struct port_range *port; /* ascending; those that touch are joined */
  struct prefix *prefix;   /* IPv4 before IPv6, ascending; no two overlap */
  struct selector_value *value;
};

/* NULL where memory ran out, as for the functions below. */
struct selector *selector_new(enum selector_op op);
void selector_free(struct selector *s); /* the whole tree; NULL is legal */

/* A node with this one child, which belongs to it (and is freed where memory
 * ran out). NULL for a NULL child. */
struct selector *selector_wrap(enum selector_op op, struct selector *child);

/* Each adds one to the node's array; the child then belongs to `s`. They return
 * -1 where memory ran out (the child is then freed), also for a NULL child. */
int selector_add_child(struct selector *s, struct selector *child);
int selector_add_port(struct selector *s, struct port_range port);
int selector_add_prefix(struct selector *s, struct prefix prefix);

int selector_add_value(struct selector *s, struct selector_value value);

/* Whether a node of that kind is anywhere in the tree. */
bool selector_uses(const struct selector *s, enum selector_op op);

/* Of what is unknown of the attrs: only what matches whatever that would be.
 * A condition on it is neither true nor false, and so are its negation and what
 * depends on it; so `x or not x` does not match where x is unknown. */
bool selector_match(const struct selector *s, const struct socket_attrs *t);

#endif
