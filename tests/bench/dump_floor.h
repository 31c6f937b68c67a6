/* The floor of a read: a program that asks the kernel for the same sockets and
 * throws the answers away. None of the plugin's code is in it. */
#ifndef BENCH_DUMP_FLOOR_H
#define BENCH_DUMP_FLOOR_H

#include "kernel/netlink.h"

enum floor_form {
  FLOOR_ONE_WALK, /* struct inet_diag_req: one walk tells of both families */
  FLOOR_TWO_WALKS /* struct inet_diag_req_v2: one walk for each */
};

/* A socket for it. Whatever fails here ends the program, with a line. */
int floor_open(void);

/* One dump: how many sockets it told of. */
size_t floor_dump(int fd, const struct sock_diag_request *request,
                  enum floor_form form);

#endif
