/* What the kernel is asked for: the least that all groups together need. */
#ifndef TCPINFO_READ_DUMP_REQUEST_H
#define TCPINFO_READ_DUMP_REQUEST_H

#include "filter/bytecode.h"
#include "group/group.h"
#include "kernel/netlink.h"

struct dump_request {
  struct sock_diag_request
      ask; /* of the traffic; `code` is borrowed from here */
  struct sock_diag_request
      listeners;   /* of the ports that the host listens on */
  unsigned traits; /* enum socket_attr that any group looks at */
  const struct settings *settings;
  struct bytecode bytecode;
};

/* -1: out of memory. `settings` outlives the request. */
int dump_request_init(struct dump_request *r, const struct settings *settings,
                      struct group *const *group, unsigned timeout_ms);
void dump_request_free(
    struct dump_request *r); /* what `r` owns; zeroed is legal */

/* The kernel refuses the filter: makes it coarser, at last none. False where
 * there is nothing left to leave out, or no memory. */
bool dump_request_coarsen(struct dump_request *r);

/* Asks for all of the filter again. */
void dump_request_restore(struct dump_request *r);

#endif
