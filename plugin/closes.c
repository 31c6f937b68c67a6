#include "closes.h"

#include <stdlib.h>

enum {
  RATE_MS = 1000, /* over less the rate says nothing: reads may come at once */
  /* It is tried again after so many reads, or as many times 10 s, which of them
   * is sooner; longer and longer where it fails each time. */
  WAIT_READS = 6,
  WAIT_READS_MAX = 360,
  WAIT_MS_PER_READ = 10000,
  CALM_READS = 6, /* in which it must not fail to be forgiven */
};

/* It comes back at this part of MaxCloseRate, so that it does not flap. */
static const double RESUME_AT = 0.8;

struct closes {
  const struct settings *settings;
  struct destroy *destroy;
  struct closes_health health;
  bool started;     /* there was a read */
  uint64_t last_ms; /* of the last read */

  /* When the rate was last looked at. */
  uint64_t rate_ms;
  uint64_t events; /* received and lost, then */
  struct host_tcp host;
  bool host_known;

  unsigned wait;      /* reads until it is tried again */
  uint64_t wait_ms;   /* or at that time */
  unsigned next_wait; /* reads */
  unsigned calm;      /* reads that all was well */
};

struct closes *closes_new(const struct settings *settings, diag_open_fn *open,
                          void *open_data, destroy_pressure_fn *pressure,
                          void *data) {
  struct closes *c = calloc(1, sizeof(*c));
  if (c == NULL)
    return NULL;
  c->settings = settings;
  c->next_wait = WAIT_READS;
  if (settings->count_closed == COUNT_CLOSED_NEVER)
    return c;
  c->destroy = destroy_new(open, open_data, pressure, data);
  if (c->destroy == NULL) {
    free(c);
    return NULL;
  }
  return c;
}

void closes_free(struct closes *c) {
  if (c == NULL)
    return;
  destroy_free(c->destroy);
  free(c);
}

void closes_take(struct closes *c, destroy_event_cb *cb, void *data) {
  if (c->destroy != NULL)
    destroy_take(c->destroy, cb, data);
}

static void totals_update(struct closes *c) {
  struct destroy_totals t = destroy_totals(c->destroy);
  c->health.received = t.received;
  c->health.lost = t.lost;
}

static void wait_longer(struct closes *c) {
  c->wait = c->next_wait;
  c->wait_ms = c->last_ms + (uint64_t)c->next_wait * WAIT_MS_PER_READ;
  c->next_wait *= 2;
  if (c->next_wait > WAIT_READS_MAX)
    c->next_wait = WAIT_READS_MAX;
  c->calm = 0;
}

static void start(struct closes *c) {
  if (destroy_start(c->destroy, &c->health.reason) == 0) {
    c->health.state = CLOSES_FOLLOWED;
    return;
  }
  c->health.state = CLOSES_FAILED;
  wait_longer(c);
}

static void stop(struct closes *c, enum closes_state state,
                 destroy_event_cb *cb, void *data) {
  destroy_stop(c->destroy);
  destroy_take(c->destroy, cb, data);
  totals_update(c);
  c->health.state = state;
  wait_longer(c);
}

/* Connections that ended, a second, by the host's own counts: what was opened
 * and is not there any more. Negative: not known. */
static double host_rate(const struct closes *c, const struct host_tcp *now,
                        double seconds) {
  if (!c->host_known || now == NULL)
    return -1;
  double opened = (double)(now->active_opens - c->host.active_opens) +
                  (double)(now->passive_opens - c->host.passive_opens);
  double grown = (double)now->curr_estab - (double)c->host.curr_estab;
  double rate = (opened - grown) / seconds;
  return rate > 0 ? rate : 0;
}

static void followed_step(struct closes *c, double seconds,
                          destroy_event_cb *cb, void *data) {
  if (!destroy_runs(c->destroy)) {
    error_set(&c->health.reason, "the kernel ended the subscription");
    stop(c, CLOSES_FAILED, cb, data);
    return;
  }
  double rate =
      (double)(c->health.received + c->health.lost - c->events) / seconds;
  if (c->settings->count_closed == COUNT_CLOSED_AUTO &&
      rate > c->settings->max_close_rate) {
    c->health.rate = rate;
    stop(c, CLOSES_SUSPENDED, cb, data);
  } else if (++c->calm >= CALM_READS) {
    c->next_wait = WAIT_READS;
  }
}

static void waiting_step(struct closes *c, const struct host_tcp *host,
                         double seconds) {
  if (c->wait > 0 && c->last_ms < c->wait_ms)
    return;
  double rate = host_rate(c, host, seconds);
  if (c->health.state == CLOSES_SUSPENDED &&
      rate > RESUME_AT * c->settings->max_close_rate)
    return;
  start(c);
}

static void rate_begin(struct closes *c, uint64_t now_ms,
                       const struct host_tcp *host) {
  c->rate_ms = now_ms;
  c->events = c->health.received + c->health.lost;
  c->host_known = host != NULL;
  if (host != NULL)
    c->host = *host;
}

void closes_read(struct closes *c, uint64_t now_ms, const struct host_tcp *host,
                 destroy_event_cb *cb, void *data) {
  if (c->destroy == NULL)
    return;
  if (!c->started) {
    c->started = true;
    c->last_ms = now_ms;
    start(c);
    rate_begin(c, now_ms, host);
    return;
  }
  bool followed = c->health.state == CLOSES_FOLLOWED;
  if (!followed)
    c->health.suspended_ms += now_ms - c->last_ms;
  c->last_ms = now_ms;
  if (c->wait > 0)
    c->wait--;
  destroy_take(c->destroy, cb, data);
  totals_update(c);
  if (now_ms - c->rate_ms < RATE_MS)
    return;
  double seconds = (double)(now_ms - c->rate_ms) / 1000;
  if (followed)
    followed_step(c, seconds, cb, data);
  else
    waiting_step(c, host, seconds);
  rate_begin(c, now_ms, host);
}

const struct closes_health *closes_health(const struct closes *c) {
  return &c->health;
}
