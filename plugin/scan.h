/* One read, without the daemon: a dump from the source, each message decoded,
 * tracked and added to its groups. */
#ifndef TCPINFO_SCAN_H
#define TCPINFO_SCAN_H

#include "diag.h"
#include "group.h"
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
};

/* `interval_ms`: what is taken for the time before the first read. `open`,
 * `data`: see diag_new(). `settings` outlives the scan. NULL with the reason
 * where a recording cannot be read or memory ran out. */
struct scan *scan_new(const struct settings *settings, unsigned interval_ms,
                      diag_open_fn *open, void *data, struct error *error);
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
