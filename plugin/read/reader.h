/* One read, without the daemon: the groups are begun, every network namespace
 * is observed once, the groups are settled. Nothing here knows what a message
 * says.
 */
#ifndef TCPINFO_READ_READER_H
#define TCPINFO_READ_READER_H

#include "config/settings.h"
#include "group/group.h"
#include "read/observer.h"

struct reader;

/* Condition of the plugin itself. Totals only grow. */
struct reader_health {
  struct observer_health observer;
  double dump_time;          /* of the last read, seconds */
  double cpu_time;           /* CPU of the reading thread for it, seconds */
  uint64_t members;          /* members with a socket, all groups */
  uint64_t members_in_other; /* of these, without series of their own */
};

/* Looks up what the names in the groups' selectors mean; reads do so again.
 * `interval_ms`: taken for the time before the first read. `world` NULL: the
 * kernel. `settings` outlives the reader. Returns NULL with the reason if a
 * recording cannot be read or memory runs out. See observer_new() for the
 * thread. reader_free() accepts NULL. */
struct reader *reader_new(const struct settings *settings, unsigned interval_ms,
                          const struct observer_world *world,
                          struct error *error);
void reader_free(struct reader *r);

/* Reads once. After DUMP_COMPLETE the groups' values are valid until
 * reader_commit(), which ends the read. After DUMP_FAILED nothing of this read
 * may be reported, and nothing is lost: see observer_dump(). */
enum dump_result reader_read(struct reader *r, struct error *error);
void reader_commit(struct reader *r);

size_t reader_group_count(const struct reader *r);
struct group *reader_group(struct reader *r, size_t i);
const struct reader_health *reader_health(const struct reader *r);

/* Returns the attributes that the groups look at: a set of ATTR_BIT(). */
uint32_t reader_attributes(const struct reader *r);

/* See observer_refusal(). */
const char *reader_refusal(const struct reader *r);

/* Returns the request to the kernel, for tests and benchmarks; borrowed. */
const struct sock_diag_request *reader_request(const struct reader *r);

#endif
