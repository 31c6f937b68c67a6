/* The requests to the kernel: the least that all groups together need. */
#ifndef TCPINFO_READ_DUMP_REQUEST_H
#define TCPINFO_READ_DUMP_REQUEST_H

#include "filter/bytecode.h"
#include "group/group.h"
#include "kernel/sock_diag.h"

struct dump_request {
  struct sock_diag_request ask; /* for the sockets; `code` is borrowed from
                                   `bytecode` */
  struct sock_diag_request listeners; /* for the listening ports alone */
  uint32_t attributes; /* set of ATTR_BIT(): those that any group looks at */
  const struct settings *settings;
  struct bytecode bytecode;
  enum dump_request_detail {
    DUMP_REQUEST_WHOLE,  /* the filter has all that it may have */
    DUMP_REQUEST_COARSE, /* only what each kernel has */
    DUMP_REQUEST_NONE,   /* there is no filter */
  } detail;              /* that the kernel has not refused */
};

/* Makes the requests of these groups, which are those of the settings, in their
 * order. `settings` outlives the request. `timeout_ms`: of one dump. Returns -1
 * if memory runs out. */
int dump_request_init(struct dump_request *r, const struct settings *settings,
                      struct group *const *group, unsigned timeout_ms);

/* Frees what `r` owns; a zeroed request is legal. */
void dump_request_free(struct dump_request *r);

/* The kernel refused the filter: makes it coarser, at last none. Returns false
 * if there is no filter left to leave out, or memory runs out. */
bool dump_request_coarsen(struct dump_request *r);

/* Asks for the whole filter again. */
void dump_request_restore(struct dump_request *r);

/* The lists of the selectors have changed: makes the filter anew, with the
 * detail that it has. */
void dump_request_renew(struct dump_request *r);

#endif
