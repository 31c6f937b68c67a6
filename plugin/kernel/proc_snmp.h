/* TCP counters that the kernel keeps for a whole network namespace, from
 * /proc/net/snmp. */
#ifndef TCPINFO_KERNEL_PROC_SNMP_H
#define TCPINFO_KERNEL_PROC_SNMP_H

#include "util/error.h"

#include <stdint.h>

/* Columns of the lines "Tcp:" (linux: net/ipv4/proc.c, snmp_seq_show();
 * RFC 4022). The counters only grow; they have 64 bits on 64-bit hosts, 32 on
 * others. */
struct proc_snmp {
  uint64_t active_opens;  /* connects begun */
  uint64_t passive_opens; /* connections accepted */
  uint64_t curr_estab;   /* connections in ESTABLISHED or CLOSE_WAIT, a gauge */
  uint64_t retrans_segs; /* retransmitted segments, SYNs among them */
};

/* Reads the file `path`, or if that is NULL the file of the calling thread's
 * namespace. Returns 0, or -1 with the reason if the file cannot be read, lacks
 * one of the four columns, or has there another value than a count of 64 bits;
 * `out` is then undefined. `error` may be NULL. */
int proc_snmp_read(const char *path, struct proc_snmp *out,
                   struct error *error);

/* The same for a caller that reads often: `fd`, at first -1, stays open between
 * calls, reports the namespace of the thread that made the first call, and is
 * the caller's to close. After an error it is closed and -1 again. */
int proc_snmp_read_again(int *fd, const char *path, struct proc_snmp *out,
                         struct error *error);

#endif
