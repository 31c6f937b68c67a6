/* Reads the values of the filter language's conditions into selectors: hosts,
 * ports, devices, marks and cgroups, in the spelling of ss(8). Looks services
 * up, so it opens files; names of devices and cgroups stay names, see follow.h.
 * Knows nothing of the language around the values. */
#ifndef TCPINFO_FILTER_CONDITION_H
#define TCPINFO_FILTER_CONDITION_H

#include "filter/selector.h"

/* The reason why there is no selector. */
struct condition_problem {
  const char *expected; /* in words, static; NULL: out of memory */
  size_t at;            /* offset in the value, bytes */
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

/* Each reads one kind of value. `op`: the kind of node to make; `relation` must
 * be one that the kind accepts. The caller owns the selector. NULL: `problem`
 * holds the reason. */
typedef struct selector *condition_fn(enum selector_op op,
                                      enum relation relation, const char *text,
                                      struct condition_problem *problem);

condition_fn condition_host; /* SELECTOR_LOCAL_ADDRESS, _REMOTE_ADDRESS */
condition_fn condition_port; /* SELECTOR_LOCAL_PORT, _REMOTE_PORT */
condition_fn condition_device, condition_mark, condition_cgroup;

/* A local port within net.ipv4.ip_local_port_range; `text` is not looked at. */
condition_fn condition_autobound;

#endif
