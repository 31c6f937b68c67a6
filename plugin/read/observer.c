#include "read/observer.h"

#include "connection/connection.h"
#include "kernel/decode.h"
#include "replay/replay.h"
#include "util/clock.h"

#include <stdlib.h>
#include <unistd.h>

/* So long the first complete dump waits before the events are taken: see
 * events_after_dump(). */
enum { FIRST_WAIT_MS = 50 };

struct observer {
  struct observer_options options;
  struct sock_diag *diag;            /* NULL: recordings */
  struct replay *replay;             /* NULL: the kernel */
  struct close_policy *close_policy; /* NULL: recordings */
  struct decoder decoder;
  struct connections *connections;
  struct listeners listeners;
  struct observer_health health;
  struct error refusal; /* see observer_refusal() */

  uint64_t malformed_events; /* not yet in `health` */

  int snmp; /* file descriptor, see proc_snmp_read_again() */
  struct proc_limits_files limits;
  struct proc_snmp host; /* at the begin of this read */
  bool host_known;
  /* Retransmissions of the namespace and those seen, at the last complete
   * dump. */
  uint64_t host_retrans, seen_retrans;
  bool retrans_known;

  /* The rest belongs to one read. */
  enum dump_result listeners_result;
  struct error listeners_error;
  uint64_t recorded_ms; /* time of the recorded dump */
  size_t info_size;     /* of the dump's longest struct tcp_info */
  bool begun;           /* connections_begin() was called */
  bool no_memory;
};

void read_gate_close(struct read_gate *gate) {
  pthread_mutex_lock(&gate->lock);
  gate->reading = true;
  pthread_mutex_unlock(&gate->lock);
}

void read_gate_open(struct read_gate *gate) {
  pthread_mutex_lock(&gate->lock);
  gate->reading = false;
  pthread_mutex_unlock(&gate->lock);
}

static destroy_events_backlog_fn on_backlog;

static int source_make(struct observer *o, struct error *error) {
  const struct observer_options *options = &o->options;
  const struct observer_world *world = &options->world;
  if (options->replay_count > 0) {
    o->replay = replay_new(options->replay, options->replay_count, error);
    return o->replay != NULL ? 0 : -1;
  }
  o->diag = sock_diag_new(world->open, world->data);
  o->close_policy = close_policy_new(options->settings, world->open_destroy,
                                     world->data, on_backlog, o);
  if (o->diag == NULL || o->close_policy == NULL)
    return error_set(error, "out of memory");
  o->health.info_size = sock_diag_tcp_info_size();
  return 0;
}

static uint64_t present_ms(void *data) {
  (void)data;
  return clock_monotonic_ms();
}

static int connections_make(struct observer *o, struct error *error) {
  const struct dump_request *request = o->options.request;
  const struct connections_options options = {
      .group = o->options.group,
      .group_count = o->options.group_count,
      .states = request->ask.states,
      .attributes = request->attributes,
      .selections_change = o->options.selections_change,
      .info = request->ask.extensions != 0,
      .interval_ms = o->options.interval_ms,
      .now = o->options.replay_count == 0 ? present_ms : NULL,
      .listeners = &o->listeners,
  };
  o->connections = connections_new(&options);
  return o->connections != NULL ? 0 : error_set(error, "out of memory");
}

struct observer *observer_new(const struct observer_options *options,
                              struct error *error) {
  struct observer *o = calloc(1, sizeof(*o));
  if (o == NULL) {
    error_set(error, "out of memory");
    return NULL;
  }
  o->options = *options;
  o->snmp = o->limits.sockstat = -1;
  proc_limits_clear(&o->health.limits);
  if (connections_make(o, error) == 0 && source_make(o, error) == 0)
    return o;
  observer_free(o);
  return NULL;
}

void observer_free(struct observer *o) {
  if (o == NULL)
    return;
  close_policy_free(o->close_policy); /* first: its thread ends with it */
  sock_diag_free(o->diag);
  replay_free(o->replay);
  connections_free(o->connections);
  if (o->snmp >= 0)
    close(o->snmp);
  if (o->limits.sockstat >= 0)
    close(o->limits.sockstat);
  free(o);
}

/* --- Destroy events ------------------------------------------------------- */

static void on_destroyed(const struct nlmsghdr *nlh, uint64_t after_ms,
                         void *data) {
  struct observer *o = data;
  struct sample sample;
  if (decode(&o->decoder, nlh, &sample) != 0)
    o->malformed_events++;
  else
    connections_destroyed(o->connections, &sample, after_ms);
}

/* In the thread that receives the events. */
static void on_backlog(void *data) {
  struct observer *o = data;
  struct read_gate *gate = o->options.gate;
  if (pthread_mutex_trylock(&gate->lock) != 0)
    return;
  if (!gate->reading)
    close_policy_take(o->close_policy, on_destroyed, o);
  pthread_mutex_unlock(&gate->lock);
}

static void events_enter(struct observer *o) {
  o->host_known = proc_snmp_read_again(&o->snmp, o->options.world.snmp,
                                       &o->host, NULL) == 0;
  close_policy_read(o->close_policy, clock_monotonic_ms(),
                    o->host_known ? &o->host : NULL, on_destroyed, o);
  o->health.malformed += o->malformed_events;
  o->malformed_events = 0;
  o->health.close_policy = *close_policy_health(o->close_policy);
  connections_receive_events(o->connections, o->health.close_policy.state ==
                                                 CLOSE_POLICY_RECEIVING);
}

static void on_listener(const struct nlmsghdr *nlh, void *data) {
  struct observer *o = data;
  struct sample sample;
  if (decode(&o->decoder, nlh, &sample) == 0)
    listeners_add(&o->listeners, sample.attrs.local_port);
  else
    o->health.malformed++;
}

static bool wants_listeners(const struct observer *o) {
  return o->diag != NULL &&
         (o->options.request->attributes & ATTR_BIT(ATTR_DIRECTION)) != 0;
}

void observer_select_again(struct observer *o) {
  connections_select_again(o->connections);
}

/* The listening ports come first, so that the connections of a server that has
 * just started are known from those that the host opened. */
void observer_events(struct observer *o) {
  o->listeners_result = DUMP_COMPLETE;
  if (wants_listeners(o)) {
    listeners_begin(&o->listeners);
    o->listeners_result =
        sock_diag_dump(o->diag, &o->options.request->listeners, on_listener, o,
                       &o->listeners_error);
  }
  if (o->close_policy != NULL)
    events_enter(o);
}

/* --- One dump ------------------------------------------------------------- */

static void on_message(const struct nlmsghdr *nlh, void *data) {
  struct observer *o = data;
  struct sample sample;
  if (decode(&o->decoder, nlh, &sample) != 0) {
    o->health.malformed++;
    return;
  }
  if (sample.info_size > o->info_size)
    o->info_size = sample.info_size;
  o->no_memory |= connections_socket(o->connections, &sample) != 0;
}

static void dump_begin(struct observer *o, uint64_t ms) {
  if (!o->begun)
    connections_begin(o->connections, ms);
  o->begun = true;
}

/* A recorded dump has the time of its recording. */
static void on_recorded(const struct nlmsghdr *nlh, void *data) {
  struct observer *o = data;
  dump_begin(o, o->recorded_ms);
  on_message(nlh, o);
}

/* A kernel that does not know a part of the filter, or does not allow it to
 * this user, refuses the whole request before it looks at any socket. */
static enum dump_result kernel_dump(struct observer *o, struct error *error) {
  struct dump_request *request = o->options.request;
  enum dump_result result =
      sock_diag_dump(o->diag, &request->ask, on_message, o, error);
  bool coarsened = false;
  while (result == DUMP_REFUSED && dump_request_coarsen(request)) {
    coarsened = true;
    o->refusal = *error;
    result = sock_diag_dump(o->diag, &request->ask, on_message, o, error);
  }
  if (coarsened && result != DUMP_COMPLETE)
    dump_request_restore(request); /* the filter was not the reason */
  else if (coarsened)
    o->health.refused++;
  return result == DUMP_REFUSED ? DUMP_FAILED : result;
}

static enum dump_result recorded_dump(struct observer *o, struct error *error) {
  listeners_begin(&o->listeners);
  listeners_end(&o->listeners);
  enum dump_result result =
      replay_dump(o->replay, on_recorded, o, &o->recorded_ms, error);
  if (result != DUMP_ENDED) /* a dump without sockets begins, too */
    dump_begin(o, o->recorded_ms);
  return result;
}

static enum dump_result source_dump(struct observer *o, struct error *error) {
  o->begun = false;
  if (o->replay != NULL)
    return recorded_dump(o, error);
  dump_begin(o, clock_monotonic_ms());
  if (o->listeners_result != DUMP_COMPLETE) {
    *error = o->listeners_error;
    return DUMP_FAILED;
  }
  if (wants_listeners(o))
    listeners_end(&o->listeners);
  return kernel_dump(o, error);
}

/* Compares the retransmissions seen with the namespace's own count. */
static void coverage_update(struct observer *o) {
  uint64_t seen = connections_sums(o->connections)->retrans;
  o->health.coverage = -1;
  if (o->retrans_known && o->host_known &&
      o->host.retrans_segs > o->host_retrans) {
    double percent = 100.0 * (double)(seen - o->seen_retrans) /
                     (double)(o->host.retrans_segs - o->host_retrans);
    o->health.coverage = percent < 100 ? percent : 100;
  }
  o->seen_retrans = seen;
  o->host_retrans = o->host.retrans_segs;
  o->retrans_known = o->host_known;
}

/* Enters the events of connections that closed during the dump, which ended at
 * `ended_ms`. The times in an event are jiffies: of a connection whose last ACK
 * came within 10 ms after the first complete dump it is not certain that it
 * came after it, and less so if the event was sent late. Therefore the first
 * values are reported a moment later: whatever begins after them counts. */
static void events_after_dump(struct observer *o, uint64_t ended_ms,
                              bool first) {
  bool receiving = o->health.close_policy.state == CLOSE_POLICY_RECEIVING;
  close_policy_date_closely(o->close_policy,
                            connections_need_exact_events(o->connections));
  if (first && receiving)
    clock_sleep_until(ended_ms + FIRST_WAIT_MS);
  close_policy_take(o->close_policy, on_destroyed, o);
}

static void dump_completed(struct observer *o) {
  uint64_t ended_ms = o->replay != NULL ? o->recorded_ms : clock_monotonic_ms();
  bool first = connections_complete(o->connections, ended_ms);
  if (o->info_size > 0)
    o->health.info_size = o->info_size;
  if (o->close_policy != NULL)
    events_after_dump(o, ended_ms, first);
  coverage_update(o);
  if (o->diag != NULL)
    proc_limits_read_again(&o->limits, o->options.world.proc,
                           clock_monotonic_ms(), &o->health.limits);
}

static void health_update(struct observer *o) {
  const struct connections_sums *sums = connections_sums(o->connections);
  o->health.unclear = sums->unclear;
  o->health.aborted = sums->aborted;
  o->health.dumped = o->begun ? sums->dumped : 0;
  o->health.matched = o->begun ? sums->matched : 0;
  o->health.tracked = connections_tracked(o->connections);
}

enum dump_result observer_dump(struct observer *o, struct error *error) {
  o->no_memory = false;
  o->info_size = 0;
  enum dump_result result = source_dump(o, error);
  if (o->no_memory && result == DUMP_COMPLETE) {
    error_set(error, "out of memory");
    result = DUMP_FAILED;
  }
  if (result == DUMP_COMPLETE) {
    dump_completed(o);
  } else if (result == DUMP_FAILED) {
    o->health.errors++;
    connections_failed(o->connections);
  }
  health_update(o);
  return result;
}

const struct observer_health *observer_health(const struct observer *o) {
  return &o->health;
}

const char *observer_refusal(const struct observer *o) {
  return o->refusal.text;
}
