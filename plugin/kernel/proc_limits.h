/* The host's limits on TCP, and how much of them is in use. At a limit the
 * kernel drops connections or packets, whatever program they belong to. */
#ifndef TCPINFO_KERNEL_PROC_LIMITS_H
#define TCPINFO_KERNEL_PROC_LIMITS_H

#include <stdint.h>

/* NAN: not known. Orphans and memory are counted over all network namespaces,
 * and their limits can be read in the first namespace only; TIME_WAIT sockets
 * and their limit belong to the calling thread's namespace (linux:
 * net/ipv4/proc.c, sockstat_seq_show(); net/ipv4/sysctl_net_ipv4.c, ipv4_table,
 * ipv4_net_table). */
struct proc_limits {
  double orphans; /* closed by their process, not yet by both ends */
  double orphans_limit;
  double time_wait; /* sockets */
  double time_wait_limit;
  double tcp_mem;          /* bytes in buffers */
  double tcp_mem_pressure; /* bytes; above, the kernel does not grow buffers */
  double tcp_mem_limit;    /* bytes */
};

/* Sets every value to "not known". */
void proc_limits_clear(struct proc_limits *out);

/* Reads all of it. `proc`: the folder, NULL for "/proc". Sets to NAN what
 * cannot be read or is no count. */
void proc_limits_read(const char *proc, struct proc_limits *out);

struct proc_limits_files {
  int sockstat;    /* at first -1: not open; the caller's to close */
  uint64_t due_ms; /* time of the next look at the limits; at first 0 */
};

/* The same for a caller that reads often. `out` holds what the call before
 * stored, at first proc_limits_clear()'s. The use is read each time, from a
 * file that stays open and reports the namespace of the thread that opened it.
 * The limits, which only an operator changes, are read once a minute, and each
 * time as long as they are not known. `now_ms`: of a clock that never goes
 * back. */
void proc_limits_read_again(struct proc_limits_files *files, const char *proc,
                            uint64_t now_ms, struct proc_limits *out);

/* Returns `part` in percent of `whole`, at most 100; NAN if one of them is not
 * known or `whole` is not above 0. */
double proc_limits_percent(double part, double whole);

#endif
