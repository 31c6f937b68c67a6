/* What the kernel is asked for: the least that all groups together need. */
#ifndef TCPINFO_REQUEST_H
#define TCPINFO_REQUEST_H

#include "bytecode.h"
#include "group.h"
#include "source.h"

struct request {
  struct source_request ask; /* of the traffic; `code` is borrowed from here */
  struct source_request listeners; /* of the ports that the host listens on */
  unsigned traits; /* enum subject_trait that any group looks at */
  const struct settings *settings;
  struct bytecode bytecode;
};

/* -1: out of memory. `settings` outlives the request. */
int request_init(struct request *r, const struct settings *settings,
                 struct group *const *group, unsigned timeout_ms);
void request_free(struct request *r); /* what `r` owns; zeroed is legal */

/* The kernel refuses the filter: makes it coarser, at last none. False where
 * there is nothing left to leave out, or no memory. */
bool request_coarsen(struct request *r);

/* Asks for all of the filter again. */
void request_restore(struct request *r);

#endif
