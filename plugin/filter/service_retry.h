/* Looks services up again until all are found, in a thread of its own, because
 * a source of names may not answer for a long time. */
#ifndef TCPINFO_FILTER_SERVICE_RETRY_H
#define TCPINFO_FILTER_SERVICE_RETRY_H

#include "kernel/id_lookup.h"

#include <stdbool.h>

struct service_retry;

/* Each service is looked up by `look` once in `pause_ms`. NULL: out of memory.
 */
struct service_retry *service_retry_new(id_lookup_fn *look, unsigned pause_ms);

/* Does not wait for a look-up that is under way: its thread ends after it. NULL
 * is legal. */
void service_retry_free(struct service_retry *r);

/* Adds a service (copied). -1: out of memory. To be called before the first
 * service_retry_get(). */
int service_retry_add(struct service_retry *r, const char *name);

/* Returns whether the service is found by now, and then its port. Starts the
 * thread, which ends when all are found; never waits for a look-up. */
bool service_retry_get(struct service_retry *r, const char *name,
                       uint64_t *port);

#endif
