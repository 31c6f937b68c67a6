/* What TCP may use of the host, and how much of that it does: where a limit is
 * reached, the kernel drops connections or packets whoever's they are. */
#ifndef TCPINFO_KERNEL_PROC_LIMITS_H
#define TCPINFO_KERNEL_PROC_LIMITS_H

#include <stdint.h>

/* NAN: not known. Orphans and memory are of all network namespaces together,
 * and their limits are told in the first one only; TIME_WAIT is of the
 * calling thread's (linux: net/ipv4/proc.c, sockstat_seq_show();
 * net/ipv4/sysctl_net_ipv4.c, ipv4_table, ipv4_net_table). */
struct proc_limits {
  double orphans; /* closed by their process, not yet by both ends */
  double orphans_limit;
  double time_wait;
  double time_wait_limit;
  double tcp_mem;          /* bytes in buffers */
  double tcp_mem_pressure; /* from here on buffers do not grow */
  double tcp_mem_limit;
};

/* Nothing is known. */
void proc_limits_clear(struct proc_limits *out);

/* `proc`: NULL for "/proc". What cannot be read, or is no count, is not
 * known. */
void proc_limits_read(const char *proc, struct proc_limits *out);

/* The same, for whoever calls often, with what the call before found in `out`
 * (at first proc_limits_clear()): what is in use is read anew, from a file that
 * stays open, of the namespace of the thread that opened it; the limits
 * themselves, which only an operator changes, once a minute, or until there are
 * some. `now_ms`: of a clock that does not go back. */
struct proc_limits_files {
  int sockstat;    /* -1: not open; the caller's to close */
  uint64_t due_ms; /* when the limits are read; at first 0 */
};
void proc_limits_read_again(struct proc_limits_files *files, const char *proc,
                            uint64_t now_ms, struct proc_limits *out);

/* `part` in percent of `whole`, at most 100. NAN where one is not known, or
 * `whole` is 0. */
double proc_limits_percent(double part, double whole);

#endif
