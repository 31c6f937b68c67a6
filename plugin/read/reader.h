/* One read, without the daemon: a dump from the source, and the destroy events
 * since the last; each message is decoded and entered in the connections. */
#ifndef TCPINFO_READ_READER_H
#define TCPINFO_READ_READER_H

#include "config/settings.h"
#include "group/group.h"
#include "kernel/proc_limits.h"
#include "read/close_policy.h"

struct reader;

/* How the plugin itself is doing. Totals only grow. */
struct reader_health {
  uint64_t dumped;    /* sockets in the last dump */
  uint64_t matched;   /* of these, connections that are in a group */
  uint64_t tracked;   /* sockets remembered */
  double dump_time;   /* of the last dump, seconds */
  double cpu_time;    /* CPU of the reading thread for it, seconds */
  uint64_t errors;    /* total: dumps dropped */
  uint64_t malformed; /* total: messages that could not be decoded */
  uint64_t members;   /* members with a socket, all groups */
  uint64_t in_other;  /* of these, in `other` */
  uint64_t refused;   /* total: filters left to user space */
  size_t info_size;   /* bytes of struct tcp_info; 0: not known */

  struct close_policy_health close_policy;
  uint64_t unclear, aborted; /* totals, see connections.h */
  double coverage; /* retransmissions seen in percent of the host's own, since
                      the last complete read; negative: there were none */
  struct proc_limits limits; /* at the end of the last complete read; of a
                                recording's host nothing is known */
};

/* What a scan reads of, for tests. Zeroes: the kernel, in the network namespace
 * of the thread that reads. */
struct reader_world {
  sock_diag_open_fn *open;         /* of dumps */
  sock_diag_open_fn *open_destroy; /* of destroy events */
  void *data;                      /* for both */
  const char *snmp;                /* see proc_snmp_read() */
  const char *proc;                /* see proc_limits_read() */
};

/* `interval_ms`: what is taken for the time before the first read. `world` NULL
 * is one of zeroes. `settings` outlives the scan. NULL with the reason where a
 * recording cannot be read or memory ran out. Destroy events are followed from
 * the first read on, by a thread that ends in reader_free(). */
struct reader *reader_new(const struct settings *settings, unsigned interval_ms,
                          const struct reader_world *world,
                          struct error *error);
void reader_free(struct reader *s);

/* Runs one dump. After DUMP_COMPLETE the groups' values are good until
 * reader_commit(), which ends the read. After DUMP_FAILED nothing of it may be
 * reported, and nothing is lost: the next complete dump makes up for it. */
enum dump_result reader_read(struct reader *s, struct error *error);
void reader_commit(struct reader *s);

size_t reader_group_count(const struct reader *s);
struct group *reader_group(struct reader *s, size_t i);
const struct reader_health *reader_health(const struct reader *s);

/* What the groups look at beside the ends: a set of enum socket_attr. */
unsigned reader_traits(const struct reader *s);

/* Why the kernel refused a filter the last time; empty: it never did. */
const char *reader_refusal(const struct reader *s);

/* What the kernel is asked for, for tests and benchmarks; borrowed. */
const struct sock_diag_request *reader_request(const struct reader *s);

#endif
