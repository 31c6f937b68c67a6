/* A selector as inet_diag bytecode, which the kernel runs on each socket of a
 * dump (INET_DIAG_REQ_BYTECODE; linux: net/ipv4/inet_diag.c,
 * inet_diag_bc_audit() and inet_diag_bc_run()). Pure: no socket is touched. */
#ifndef TCPINFO_FILTER_BYTECODE_H
#define TCPINFO_FILTER_BYTECODE_H

#include "filter/selector.h"

/* What a filter may cost: longer than this, it costs the kernel more per socket
 * than it saves on most hosts, and the selector becomes a coarser one, at last
 * none. The unit is one comparison with a port, a device, a cgroup or a mark: 2
 * to 4 ns of each socket (Linux 6.18); one with an address takes some 20 ns. To
 * send a socket with tcp_info takes 1000 ns, to look at one without a filter
 * 100 ns. At this bound a filter that passes nothing takes half of what no
 * filter takes, one that passes all takes a third more. */
enum { BYTECODE_COST_MAX = 128, BYTECODE_COST_ADDRESS = 8 };

struct bytecode {
  uint8_t *code;     /* multiple of 4 bytes; NULL where size is 0 */
  size_t size;       /* 0: no filter, every socket passes */
  unsigned features; /* enum bytecode_feature that the code uses */
};

/* Operations beyond those that every kernel since 2.6.14 knows, and everybody
 * may use. */
enum bytecode_feature {
  BYTECODE_INTERFACE = 1, /* Linux 4.8 */
  BYTECODE_CGROUP = 2,    /* Linux 5.8 */
  BYTECODE_MARK = 4,      /* Linux 4.9, with CAP_NET_ADMIN */
  BYTECODE_ALL = 7,
};

/* What passes holds at least every socket that matches `s`, and, where `s`
 * looks at cgroups or marks, each mini socket that may have matched before it
 * became one: only a cgroup of 0 tells these apart, so that marks need
 * BYTECODE_CGROUP too. `features`: those that may be used; `out->features` says
 * which ones were. Returns -1 where memory ran out; `out` is freed with
 * bytecode_free().
 *
 * A socket whose device, cgroup or mark changes, so that no part of `s` matches
 * it any more, is missing from the dumps from then on, and so counts as closed.
 */
int bytecode_compile(const struct selector *s, unsigned features,
                     struct bytecode *out);
void bytecode_free(struct bytecode *b);

#endif
