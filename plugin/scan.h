/* One read, without the daemon: a dump from the source, and the destroy events
 * since the last; each message is decoded and entered in the ledger. */
#ifndef TCPINFO_SCAN_H
#define TCPINFO_SCAN_H

#include "closes.h"
#include "group.h"
#include "host_limits.h"
#include "settings.h"

struct scan;

/* How the plugin itself is doing. Totals only grow. */
struct scan_health {
  uint64_t dumped;    /* sockets in the last dump */
  uint64_t matched;   /* of these, connections that are in a group */
  uint64_t tracked;   /* sockets remembered */
  double dump_time;   /* of the last dump, seconds */
  double cpu_time;    /* CPU of the reading thread for it, seconds */
  uint64_t errors;    /* total: dumps dropped */
  uint64_t malformed; /* total: messages that could not be decoded */
  uint64_t members;   /* members with a socket, all groups */
  uint64_t folded;    /* of these, in `other` */
  uint64_t refused;   /* total: filters left to user space */
  size_t info_size;   /* bytes of struct tcp_info; 0: not known */

  struct closes_health closes;
  uint64_t unclear, aborted; /* totals, see ledger.h */
  double coverage; /* retransmissions seen in percent of the host's own, since
                      the last complete read; negative: there were none */
  struct host_limits limits; /* at the end of the last complete read; of a
                                recording's host nothing is known */
};

/* What a scan reads of, for tests. Zeroes: the kernel, in the network namespace
 * of the thread that reads. */
struct scan_world {
  diag_open_fn *open;         /* of dumps */
  diag_open_fn *open_destroy; /* of destroy events */
  void *data;                 /* for both */
  const char *snmp;           /* see host_tcp_read() */
  const char *proc;           /* see host_limits_read() */
};

/* `interval_ms`: what is taken for the time before the first read. `world` NULL
 * is one of zeroes. `settings` outlives the scan. NULL with the reason where a
 * recording cannot be read or memory ran out. Destroy events are followed from
 * the first read on, by a thread that ends in scan_free(). */
struct scan *scan_new(const struct settings *settings, unsigned interval_ms,
                      const struct scan_world *world, struct error *error);
void scan_free(struct scan *s);

/* Runs one dump. After SOURCE_COMPLETE the groups' values are good until
 * scan_commit(), which ends the read. After SOURCE_FAILED nothing of it may be
 * reported, and nothing is lost: the next complete dump makes up for it. */
enum source_result scan_read(struct scan *s, struct error *error);
void scan_commit(struct scan *s);

size_t scan_group_count(const struct scan *s);
struct group *scan_group(struct scan *s, size_t i);
const struct scan_health *scan_health(const struct scan *s);

/* What the groups look at beside the ends: a set of enum subject_trait. */
unsigned scan_traits(const struct scan *s);

/* Why the kernel refused a filter the last time; empty: it never did. */
const char *scan_refusal(const struct scan *s);

/* What the kernel is asked for, for tests and benchmarks; borrowed. */
const struct source_request *scan_request(const struct scan *s);

#endif
