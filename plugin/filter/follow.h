/* Follows the names in selectors: a cgroup that is made anew under its path has
 * another id, a device gets another name, the range of local ports changes.
 * Between two reads a name means one thing; each distinct name is looked up
 * once a read. */
#ifndef TCPINFO_FILTER_FOLLOW_H
#define TCPINFO_FILTER_FOLLOW_H

#include "filter/selector.h"
#include "kernel/id_lookup.h"

struct follow;

/* Stand-ins for the look-ups of id_lookup.h, for tests. */
struct follow_host {
  id_lookup_fn *look[SELECTOR_NAME_KIND_COUNT];
  unsigned retry_ms; /* between two look-ups of a service */
};

/* `host` NULL: this host. Returns NULL if memory runs out; follow_free()
 * accepts NULL. */
struct follow *follow_new(const struct follow_host *host);
void follow_free(struct follow *f);

/* Follows all names in the tree, which outlives `f`. -1: out of memory. */
int follow_add(struct follow *f, struct selector *tree);

/* Returns whether any condition follows a name. */
bool follow_any(const struct follow *f);

/* Looks all names up again, and changes the lists of their conditions. Nobody
 * may use the trees meanwhile. Returns whether a list has changed.
 *
 *  - As long as a cgroup's folder does not exist, its last id stays: the
 * sockets of a service that has ended still match.
 *  - A device that is gone or has another name matches nothing.
 *  - If a look-up fails, the condition stays as it is.
 *
 * Does not wait: services are looked up by a thread of its own. */
bool follow_read(struct follow *f);

/* A complete dump was made since follow_read(): the kernel's filter no longer
 * needs to pass the former ids of cgroups. Returns whether there were any. */
bool follow_settle(struct follow *f);

#endif
