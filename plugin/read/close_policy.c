#include "read/close_policy.h"

#include <stdlib.h>

enum {
  /* A rate over less than this says nothing: collectd may repeat a late read at
   * once. */
  RATE_MS = 1000,
  /* The subscription is tried again after so many reads, or after as many times
   * 10 s, whichever is sooner; the wait doubles up to the maximum each time
   * that it does not last. */
  WAIT_READS = 6,
  WAIT_READS_MAX = 360,
  WAIT_MS_PER_READ = 10000,
  /* After so many reads with events the next wait is short again. */
  CALM_READS = 6,
};

/* Events are received again below this part of MaxCloseRate, so that the
 * subscription does not flap. */
static const double RESUME_AT = 0.8;

struct close_policy {
  const struct settings *settings;
  struct destroy_events *destroy;
  struct close_policy_health health;
  bool started;     /* there was a read */
  uint64_t last_ms; /* of the last read */

  /* As of the last computation of the rate. */
  uint64_t rate_ms;
  uint64_t events; /* received and lost */
  struct proc_snmp host;
  bool host_known;

  unsigned wait;      /* reads until the next try */
  uint64_t wait_ms;   /* or the time of the next try */
  unsigned next_wait; /* reads */
  unsigned calm;      /* reads since the subscription began */
};

struct close_policy *close_policy_new(const struct settings *settings,
                                      sock_diag_open_fn *open, void *open_data,
                                      destroy_events_backlog_fn *backlog,
                                      void *data) {
  struct close_policy *c = calloc(1, sizeof(*c));
  if (c == NULL)
    return NULL;
  c->settings = settings;
  c->next_wait = WAIT_READS;
  if (settings->count_closed == COUNT_CLOSED_NEVER)
    return c;
  c->destroy = destroy_events_new(open, open_data, backlog, data);
  if (c->destroy == NULL) {
    free(c);
    return NULL;
  }
  return c;
}

void close_policy_free(struct close_policy *c) {
  if (c == NULL)
    return;
  destroy_events_free(c->destroy);
  free(c);
}

void close_policy_take(struct close_policy *c, destroy_events_cb *cb,
                       void *data) {
  if (c->destroy != NULL)
    destroy_events_take(c->destroy, cb, data);
}

void close_policy_date_closely(struct close_policy *c, bool closely) {
  if (c->destroy != NULL)
    destroy_events_date_closely(c->destroy, closely);
}

static void totals_update(struct close_policy *c) {
  struct destroy_events_totals t = destroy_events_totals(c->destroy);
  c->health.received = t.received;
  c->health.lost = t.lost;
}

static void wait_longer(struct close_policy *c) {
  c->wait = c->next_wait;
  c->wait_ms = c->last_ms + (uint64_t)c->next_wait * WAIT_MS_PER_READ;
  c->next_wait *= 2;
  if (c->next_wait > WAIT_READS_MAX)
    c->next_wait = WAIT_READS_MAX;
  c->calm = 0;
}

static void start(struct close_policy *c) {
  if (destroy_events_start(c->destroy, &c->health.reason) == 0) {
    c->health.state = CLOSE_POLICY_RECEIVING;
    c->health.buffer = destroy_events_buffer(c->destroy);
    c->health.buffer_asked = DESTROY_EVENTS_BUFFER;
    return;
  }
  c->health.state = CLOSE_POLICY_FAILED;
  wait_longer(c);
}

static void stop(struct close_policy *c, enum close_policy_state state,
                 destroy_events_cb *cb, void *data) {
  destroy_events_stop(c->destroy);
  destroy_events_take(c->destroy, cb, data);
  totals_update(c);
  c->health.state = state;
  wait_longer(c);
}

/* Returns the connections that ended per second by the host's own counts: those
 * opened less the growth of those established. Negative: not known. */
static double host_rate(const struct close_policy *c,
                        const struct proc_snmp *now, double seconds) {
  if (!c->host_known || now == NULL)
    return -1;
  double opened = (double)(now->active_opens - c->host.active_opens) +
                  (double)(now->passive_opens - c->host.passive_opens);
  double grown = (double)now->curr_estab - (double)c->host.curr_estab;
  double rate = (opened - grown) / seconds;
  return rate > 0 ? rate : 0;
}

static void receiving_step(struct close_policy *c, double seconds,
                           destroy_events_cb *cb, void *data) {
  if (!destroy_events_runs(c->destroy)) {
    error_set(&c->health.reason, "the kernel ended the subscription");
    stop(c, CLOSE_POLICY_FAILED, cb, data);
    return;
  }
  double rate =
      (double)(c->health.received + c->health.lost - c->events) / seconds;
  if (c->settings->count_closed == COUNT_CLOSED_AUTO &&
      rate > c->settings->max_close_rate) {
    c->health.rate = rate;
    stop(c, CLOSE_POLICY_SUSPENDED, cb, data);
  } else if (++c->calm >= CALM_READS) {
    c->next_wait = WAIT_READS;
  }
}

static void waiting_step(struct close_policy *c, const struct proc_snmp *host,
                         double seconds) {
  if (c->wait > 0 && c->last_ms < c->wait_ms)
    return;
  double rate = host_rate(c, host, seconds);
  if (c->health.state == CLOSE_POLICY_SUSPENDED &&
      rate > RESUME_AT * c->settings->max_close_rate)
    return;
  start(c);
}

static void rate_begin(struct close_policy *c, uint64_t now_ms,
                       const struct proc_snmp *host) {
  c->rate_ms = now_ms;
  c->events = c->health.received + c->health.lost;
  c->host_known = host != NULL;
  if (host != NULL)
    c->host = *host;
}

void close_policy_read(struct close_policy *c, uint64_t now_ms,
                       const struct proc_snmp *host, destroy_events_cb *cb,
                       void *data) {
  if (c->destroy == NULL)
    return;
  if (!c->started) {
    c->started = true;
    c->last_ms = now_ms;
    start(c);
    rate_begin(c, now_ms, host);
    return;
  }
  bool receiving = c->health.state == CLOSE_POLICY_RECEIVING;
  if (!receiving)
    c->health.suspended_ms += now_ms - c->last_ms;
  c->last_ms = now_ms;
  if (c->wait > 0)
    c->wait--;
  destroy_events_take(c->destroy, cb, data);
  totals_update(c);
  if (now_ms - c->rate_ms < RATE_MS)
    return;
  double seconds = (double)(now_ms - c->rate_ms) / 1000;
  if (receiving)
    receiving_step(c, seconds, cb, data);
  else
    waiting_step(c, host, seconds);
  rate_begin(c, now_ms, host);
}

const struct close_policy_health *
close_policy_health(const struct close_policy *c) {
  return &c->health;
}
