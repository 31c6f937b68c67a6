/* A selection of sockets as a tree of conditions, and its match.
 *
 * The match in user space is the definition: a filter in the kernel may only
 * pass more. Each kind of node has one row in a table, which names the
 * attribute that the node looks at and the kind of list that it holds; that a
 * value may be unknown is handled once, from the attribute.
 *
 * A new condition needs a value of enum selector_op, a row here, a row of the
 * language (expression.c) and, if the kernel can test it, one in bytecode.c. */
#ifndef TCPINFO_FILTER_SELECTOR_H
#define TCPINFO_FILTER_SELECTOR_H

#include "tcp/socket_attrs.h"

enum selector_op {
  SELECTOR_AND,            /* all of `child` match; true without any */
  SELECTOR_OR,             /* one of `child` matches; false without any */
  SELECTOR_NOT,            /* child[0] does not match */
  SELECTOR_LOCAL_PORT,     /* one of `port` holds the local port */
  SELECTOR_REMOTE_PORT,    /* one of `port` holds the remote port */
  SELECTOR_LOCAL_ADDRESS,  /* one of `prefix` holds the local address */
  SELECTOR_REMOTE_ADDRESS, /* one of `prefix` holds the remote address */
  SELECTOR_LOOPBACK,  /* an end is a loopback address, or both ends are the same
                         address (and not the unspecified one); if the local
                         address is unknown, the remote one alone decides */
  SELECTOR_INTERFACE, /* one of `value` is the device that it is bound to */
  SELECTOR_CGROUP,    /* one of `value` is its cgroup's id */
  SELECTOR_MARK,      /* its mark, by the mask of one of `value`, is that */
  SELECTOR_INBOUND,   /* the connection is inbound */
  SELECTOR_OP_COUNT,
};

struct selector_value {
  uint64_t value;
  uint64_t mask; /* of SELECTOR_MARK; all bits elsewhere */
};

/* The kinds of names whose meaning changes while the plugin runs. */
enum selector_name_kind {
  SELECTOR_NAME_DEVICE,      /* of SELECTOR_INTERFACE */
  SELECTOR_NAME_CGROUP,      /* of SELECTOR_CGROUP */
  SELECTOR_NAME_LOCAL_PORTS, /* of ports: net.ipv4.ip_local_port_range */
  SELECTOR_NAME_SERVICE,     /* of ports; only while its port is not known */
  SELECTOR_NAME_KIND_COUNT,
};

struct selector_name {
  enum selector_name_kind kind;
  const char *option; /* in which it was written; static */
  char *text;         /* as it was written */
  char *target;  /* what is looked up: the folder of a cgroup, else `text` */
  int low, high; /* of a service: the range goes from its port plus `low` to its
                    port plus `high`, as far as there are ports */
};

/* One node. Its list is the array that its row in selector_table names; the
 * other arrays are NULL. `count` is the list's length. A node owns its arrays,
 * children and name. */
struct selector {
  enum selector_op op;
  size_t count;
  struct selector **child;
  struct port_range *port; /* ascending; those that touch are joined */
  struct prefix *prefix;   /* IPv4 before IPv6, ascending; no two overlap */
  struct selector_value *value;

  /* A condition that follows a name: its list is what the name means at
   * present, empty as long as that is nothing; follow.h keeps it so. NULL: the
   * list stays as it is. */
  struct selector_name *name;
  /* Of a cgroup that was made anew: behind the list follow so many values that
   * it had until lately, for the kernel's filter alone. */
  size_t former;
};

enum selector_list {
  SELECTOR_CHILDREN, /* the node combines others and looks at no attribute */
  SELECTOR_PORTS,
  SELECTOR_PREFIXES,
  SELECTOR_VALUES,
  SELECTOR_NO_LIST, /* a yes or no of the attribute itself */
};

/* True if the attribute of `s` satisfies the condition `node`. Called only if
 * the attribute is known. */
typedef bool selector_match_fn(const struct selector *node,
                               enum socket_attr attr,
                               const struct socket_attrs *s);

struct selector_row {
  const char *name; /* in the text form of trees; an option of this name, if
                       there is one, makes such a node */
  enum selector_list list;
  enum socket_attr attr;    /* ATTR_COUNT with SELECTOR_CHILDREN: none */
  selector_match_fn *match; /* NULL with SELECTOR_CHILDREN */
};

extern const struct selector_row selector_table[SELECTOR_OP_COUNT];

/* An empty node; NULL: out of memory. The caller owns it. */
struct selector *selector_new(enum selector_op op);
void selector_free(struct selector *s); /* the whole tree; NULL is legal */

/* A condition that follows a name; its list is empty, with room for one entry.
 * `name` is copied with its texts. NULL: out of memory. */
struct selector *selector_new_name(enum selector_op op,
                                   const struct selector_name *name);

/* A node with this one child, which it then owns. NULL: out of memory, the
 * child is then freed; also for a NULL child. */
struct selector *selector_wrap(enum selector_op op, struct selector *child);

/* Each adds an element to the node's list. -1: out of memory.
 *
 * selector_add_child() takes the child over; it returns -1 for a NULL child,
 * too, and frees the child if memory ran out. */
int selector_add_child(struct selector *s, struct selector *child);
int selector_add_port(struct selector *s, struct port_range port);
int selector_add_prefix(struct selector *s, struct prefix prefix);
int selector_add_value(struct selector *s, struct selector_value value);

/* True if a node of that kind is anywhere in the tree. */
bool selector_uses(const struct selector *s, enum selector_op op);

/* Calls `cb` for each condition of the tree that follows a name. */
typedef void selector_name_cb(struct selector *node, void *data);
void selector_each_name(struct selector *s, selector_name_cb *cb, void *data);

/* The attributes that the tree looks at: a set. */
uint32_t selector_attrs(const struct selector *s);

/* True if the socket matches whatever its unknown attributes are. A condition
 * on an unknown attribute is neither true nor false, and so are its negation
 * and what depends on it; so `x or not x` does not match if x is unknown. A
 * condition with an empty list is false in any case. */
bool selector_match(const struct selector *s, const struct socket_attrs *t);

#endif
