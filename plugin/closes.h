/* When destroy events are followed: the options CountClosed and MaxCloseRate.
 *
 * The kernel builds a message for each socket that is destroyed as long as
 * somebody listens, so a very busy host pays for it. With CountClosed auto the
 * subscription ends above MaxCloseRate, and comes back when the host's own
 * counts say that fewer connections end. */
#ifndef TCPINFO_CLOSES_H
#define TCPINFO_CLOSES_H

#include "destroy.h"
#include "host.h"
#include "settings.h"

struct closes;

enum closes_state {
  CLOSES_OFF,       /* by the configuration */
  CLOSES_FOLLOWED,  /* events are received */
  CLOSES_SUSPENDED, /* too many of them */
  CLOSES_FAILED,    /* the subscription could not be had */
};

struct closes_health {
  enum closes_state state;
  uint64_t received, lost; /* totals, see destroy.h */
  uint64_t suspended_ms;   /* total time without events, unless off */
  double rate;             /* destroyed sockets a second, when it changed */
  struct error reason;     /* of CLOSES_FAILED */
};

/* See destroy_new(). `settings` outlives it. NULL: out of memory. */
struct closes *closes_new(const struct settings *settings, diag_open_fn *open,
                          void *open_data, destroy_pressure_fn *pressure,
                          void *data);
void closes_free(struct closes *c); /* the thread has ended after it */

/* At the begin of each read: hands over what happened so far, then decides how
 * it goes on. `now_ms` never goes back. `host` NULL: not known. */
void closes_read(struct closes *c, uint64_t now_ms, const struct host_tcp *host,
                 destroy_event_cb *cb, void *data);

/* In between, from `pressure`. */
void closes_take(struct closes *c, destroy_event_cb *cb, void *data);

const struct closes_health *closes_health(const struct closes *c);

#endif
