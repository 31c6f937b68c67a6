/* What a group selects, as one expression, and its match in user space: this
 * match is the definition, a filter in the kernel may only be coarser. */
#ifndef TCPINFO_SELECTOR_H
#define TCPINFO_SELECTOR_H

#include "address.h"

enum selector_op {
  SELECTOR_AND,            /* all of `child`; true without any */
  SELECTOR_OR,             /* one of `child`; false without any */
  SELECTOR_NOT,            /* not child[0] */
  SELECTOR_LOCAL_PORT,     /* one of `port` holds the local port */
  SELECTOR_REMOTE_PORT,    /* one of `port` holds the remote port */
  SELECTOR_LOCAL_ADDRESS,  /* one of `prefix` holds the local address */
  SELECTOR_REMOTE_ADDRESS, /* one of `prefix` holds the remote address */
  SELECTOR_LOOPBACK, /* an end is a loopback address, or both ends are the same
                        address (and not the unspecified one) */
  SELECTOR_OP_COUNT,
};

/* One node. Which of the arrays is used follows from `op`; `count` is its
 * length. A node owns its arrays and children. */
struct selector {
  enum selector_op op;
  size_t count;
  struct selector **child;
  struct port_range *port; /* ascending; those that touch are joined */
  struct prefix *prefix;
};

/* NULL where memory ran out, as for the functions below. */
struct selector *selector_new(enum selector_op op);
void selector_free(struct selector *s); /* the whole tree; NULL is legal */

/* Each adds one to the node's array; the child then belongs to `s`. They return
 * -1 where memory ran out (the child is then freed), also for a NULL child. */
int selector_add_child(struct selector *s, struct selector *child);
int selector_add_port(struct selector *s, struct port_range port);
int selector_add_prefix(struct selector *s, struct prefix prefix);

bool selector_match(const struct selector *s, const struct tuple *t);

#endif
