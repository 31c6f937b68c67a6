/* When destroy events are followed: the options CountClosed and MaxCloseRate.
 *
 * The kernel builds a message for each socket that is destroyed as long as
 * somebody listens, so a very busy host pays for it. With CountClosed auto the
 * subscription ends above MaxCloseRate, and comes back when the host's own
 * counts say that fewer connections end. */
#ifndef TCPINFO_READ_CLOSE_POLICY_H
#define TCPINFO_READ_CLOSE_POLICY_H

#include "config/settings.h"
#include "kernel/destroy_events.h"
#include "kernel/proc_snmp.h"

struct close_policy;

enum close_policy_state {
  CLOSE_POLICY_OFF,       /* by the configuration */
  CLOSE_POLICY_FOLLOWED,  /* events are received */
  CLOSE_POLICY_SUSPENDED, /* too many of them */
  CLOSE_POLICY_FAILED,    /* the subscription could not be had */
};

struct close_policy_health {
  enum close_policy_state state;
  uint64_t received, lost; /* totals, see destroy.h */
  uint64_t suspended_ms;   /* total time without events, unless off */
  double rate;             /* destroyed sockets a second, when it changed */
  struct error reason;     /* of CLOSE_POLICY_FAILED */
};

/* See destroy_events_new(). `settings` outlives it. NULL: out of memory. */
struct close_policy *close_policy_new(const struct settings *settings,
                                      sock_diag_open_fn *open, void *open_data,
                                      destroy_events_backlog_fn *pressure,
                                      void *data);
void close_policy_free(
    struct close_policy *c); /* the thread has ended after it */

/* At the begin of each read: hands over what happened so far, then decides how
 * it goes on. `now_ms` never goes back. `host` NULL: not known. */
void close_policy_read(struct close_policy *c, uint64_t now_ms,
                       const struct proc_snmp *host, destroy_events_cb *cb,
                       void *data);

/* In between, from `pressure`. */
void close_policy_take(struct close_policy *c, destroy_events_cb *cb,
                       void *data);

const struct close_policy_health *
close_policy_health(const struct close_policy *c);

#endif
