/* Compiles a selector into inet_diag bytecode, which the kernel runs on each
 * socket of a dump (INET_DIAG_REQ_BYTECODE; linux: net/ipv4/inet_diag.c,
 * inet_diag_bc_audit() and inet_diag_bc_run()), so that fewer sockets are sent.
 * Pure: asks no kernel. */
#ifndef TCPINFO_FILTER_BYTECODE_H
#define TCPINFO_FILTER_BYTECODE_H

#include "filter/selector.h"

/* The most that a filter may cost. A longer one costs the kernel more per
 * socket than it saves on most hosts; the selector is then compiled more
 * coarsely, at last not at all. The unit is one comparison with a port, a
 * device, a cgroup or a mark: 2 to 4 ns per socket (Linux 6.18); one with an
 * address takes some 20 ns. Sending a socket with tcp_info takes 1000 ns,
 * looking at one without a filter 100 ns. At this bound a filter that passes
 * nothing takes half of the time that no filter takes, one that passes all
 * takes a third more. */
enum { BYTECODE_COST_MAX = 128, BYTECODE_COST_ADDRESS = 8 };

struct bytecode {
  uint8_t *code;     /* multiple of 4 bytes; NULL where size is 0 */
  size_t size;       /* 0: no filter, every socket passes */
  unsigned features; /* enum bytecode_feature that the code uses */
};

/* Tests that not every kernel since 2.6.14 has, or that not every user may
 * use. */
enum bytecode_feature {
  BYTECODE_INTERFACE = 1, /* Linux 4.8 */
  BYTECODE_CGROUP = 2,    /* Linux 5.8 */
  BYTECODE_MARK = 4,      /* Linux 4.9, with CAP_NET_ADMIN */
  BYTECODE_ALL = 7,
};

/* Compiles `s`, using at most these `features`; out->features then says which
 * ones the code uses. -1: out of memory. The caller frees `out` with
 * bytecode_free().
 *
 * Every socket that matches `s` passes, and, if `s` looks at cgroups or marks,
 * every mini socket that may have matched before it became one: only a cgroup
 * of 0 shows which sockets these are, so that marks need BYTECODE_CGROUP, too.
 *
 * A condition that follows a name is left out, except for a cgroup that no
 * `not` inverts: its filter is exact until follow_read() or follow_settle()
 * changes the list.
 *
 * A socket that `s` no longer matches, because its device, cgroup or mark has
 * changed, is missing in the dumps from then on, and so counts as closed. */
int bytecode_compile(const struct selector *s, unsigned features,
                     struct bytecode *out);
/* Frees what `b` owns; a zeroed `b` is legal. */
void bytecode_free(struct bytecode *b);

#endif
