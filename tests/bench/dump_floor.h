/* The floor of a read, the cost that no reader can avoid: requests the same
 * sockets from the kernel and drops the answers. It contains no code of the
 * plugin. */
#ifndef BENCH_DUMP_FLOOR_H
#define BENCH_DUMP_FLOOR_H

#include "kernel/netlink.h"

enum floor_form {
  FLOOR_ONE_WALK, /* struct inet_diag_req: one walk lists both families */
  FLOOR_TWO_WALKS /* struct inet_diag_req_v2: one walk for each family */
};

/* Opens a socket for floor_dump(). Every error in this file ends the program
 * with a message. */
int floor_open(void);

/* Makes one dump and returns the number of sockets in it. */
size_t floor_dump(int fd, const struct sock_diag_request *request,
                  enum floor_form form);

#endif
