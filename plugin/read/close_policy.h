/* Decides when destroy events are received: the options CountClosed and
 * MaxCloseRate.
 *
 * The kernel builds a message for each socket that is destroyed as long as
 * anybody listens, which costs a very busy host CPU time. With CountClosed auto
 * the subscription ends above MaxCloseRate, and begins again once the host's
 * own counts show fewer closed connections. */
#ifndef TCPINFO_READ_CLOSE_POLICY_H
#define TCPINFO_READ_CLOSE_POLICY_H

#include "config/settings.h"
#include "kernel/destroy_events.h"
#include "kernel/proc_snmp.h"

struct close_policy;

enum close_policy_state {
  CLOSE_POLICY_OFF,       /* CountClosed false, or no read yet */
  CLOSE_POLICY_RECEIVING, /* events are received */
  CLOSE_POLICY_SUSPENDED, /* the rate was above MaxCloseRate */
  CLOSE_POLICY_FAILED,    /* the kernel refused or ended the subscription */
};

struct close_policy_health {
  enum close_policy_state state;
  uint64_t received, lost; /* totals, see destroy_events.h */
  /* Bytes of the receive buffer: granted at the last start of a subscription,
   * and asked for; see destroy_events_buffer(). */
  size_t buffer, buffer_asked;
  uint64_t suspended_ms; /* total time without events, unless off */
  double rate;         /* destroyed sockets per second at the last suspension */
  struct error reason; /* of CLOSE_POLICY_FAILED */
};

/* The arguments after `settings` are those of destroy_events_new(). `settings`
 * outlives the policy. Returns NULL if memory runs out. */
struct close_policy *close_policy_new(const struct settings *settings,
                                      sock_diag_open_fn *open, void *open_data,
                                      destroy_events_backlog_fn *backlog,
                                      void *data);

/* Ends the subscription and its thread; NULL is legal. */
void close_policy_free(struct close_policy *c);

/* To be called at the begin of each read: hands over the events that came since
 * the last read, then begins, ends or keeps the subscription. `now_ms`:
 * milliseconds of a clock that never goes back. `host`: counts of the network
 * namespace; NULL: not known. */
void close_policy_read(struct close_policy *c, uint64_t now_ms,
                       const struct proc_snmp *host, destroy_events_cb *cb,
                       void *data);

/* Hands over the events that came; for the backlog function, between reads. */
void close_policy_take(struct close_policy *c, destroy_events_cb *cb,
                       void *data);

/* See destroy_events_date_closely(). */
void close_policy_date_closely(struct close_policy *c, bool closely);

/* Borrowed; valid until the next call of a function of this policy. */
const struct close_policy_health *
close_policy_health(const struct close_policy *c);

#endif
