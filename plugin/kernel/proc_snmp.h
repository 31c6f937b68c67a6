/* What the kernel counts for a whole network namespace. */
#ifndef TCPINFO_KERNEL_PROC_SNMP_H
#define TCPINFO_KERNEL_PROC_SNMP_H

#include "util/error.h"

#include <stdint.h>

/* Of /proc/net/snmp, the lines Tcp (linux: net/ipv4/proc.c, RFC 4022). The
 * counters only grow (64 bits on 64-bit hosts). */
struct proc_snmp {
  uint64_t active_opens;  /* connects begun */
  uint64_t passive_opens; /* connections accepted */
  uint64_t curr_estab;    /* now in ESTABLISHED or CLOSE_WAIT */
  uint64_t retrans_segs;  /* segments sent again, SYNs among them */
};

/* `path` NULL: of the calling thread's namespace. -1 with the reason where the
 * file cannot be read, has not all four, or has another value than a count of
 * 64 bits; `out` is then undefined. Memory is allocated for two lines and
 * freed. */
int proc_snmp_read(const char *path, struct proc_snmp *out,
                   struct error *error);

/* The same of a file that stays open between two calls, because opening it is
 * most of the cost: `fd`, at first -1, is the caller's to close; -1 after an
 * error. It tells of the namespace of the thread that called first. */
int proc_snmp_read_again(int *fd, const char *path, struct proc_snmp *out,
                         struct error *error);

#endif
