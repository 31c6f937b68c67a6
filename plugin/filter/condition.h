/* The values of the filter language's conditions -> selectors: hosts, ports,
 * devices, marks and control groups, in the spelling of ss(8). Names are looked
 * up here; of the language around them nothing is known. */
#ifndef TCPINFO_FILTER_CONDITION_H
#define TCPINFO_FILTER_CONDITION_H

#include "filter/selector.h"

/* Why there is no selector. */
struct condition_problem {
  const char *expected; /* in words, static; NULL: out of memory */
  size_t at;            /* where in the value */
};

enum relation {
  RELATION_EQ,
  RELATION_NE, /* not EQ, for every kind of value */
  RELATION_GE,
  RELATION_LE,
  RELATION_GT,
  RELATION_LT,
  RELATION_COUNT,
};

/* Each is one kind of value; `op` says which side's address or port it is
 * about, and `relation` is one that the kind knows. The caller owns the
 * selector. NULL: see `problem`. */
typedef struct selector *condition_fn(enum selector_op op,
                                      enum relation relation, const char *text,
                                      struct condition_problem *problem);

condition_fn condition_host; /* SELECTOR_LOCAL_ADDRESS, _REMOTE_ADDRESS */
condition_fn condition_port; /* SELECTOR_LOCAL_PORT, _REMOTE_PORT */
condition_fn condition_device, condition_mark, condition_cgroup;

/* A local port out of net.ipv4.ip_local_port_range as it is now; has no value.
 */
condition_fn condition_autobound;

#endif
