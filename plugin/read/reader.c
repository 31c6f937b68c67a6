#include "read/reader.h"

#include "connection/connection.h"
#include "kernel/decode.h"
#include "read/dump_request.h"
#include "replay/replay.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct reader {
  struct sock_diag *diag;            /* one of the two */
  struct replay *replay;             /* is the source */
  struct close_policy *close_policy; /* NULL for recordings */
  struct dump_request request;
  struct name_lookup *names;
  struct group **group;
  size_t group_count;
  struct decoder decoder;
  struct connections *connections;
  struct listeners listeners;
  struct reader_health health;
  struct reader_world world;
  struct error refusal; /* the kernel's last word on the filter */

  /* Between reads, the thread that receives events may enter them. */
  pthread_mutex_t lock; /* of `reading` */
  bool reading;         /* from reader_read() to reader_commit() */
  uint64_t malformed_events;

  int snmp; /* see proc_snmp_read_again() */
  struct proc_limits_files limits;
  struct proc_snmp host; /* at the begin of this read */
  bool host_known;
  uint64_t host_retrans, retrans; /* at the last complete read */
  bool retrans_known;

  /* Of this dump. */
  uint64_t recorded_ms; /* when the replayed one was recorded */
  size_t info_size;     /* of its longest struct tcp_info */
  bool begun;           /* the connections was told */
  bool no_memory;
};

static uint64_t clock_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t now_ms(void) { return clock_us(CLOCK_MONOTONIC) / 1000; }

static destroy_events_pressure_fn on_pressure;

static int source_make(struct reader *s, const struct settings *settings,
                       struct error *error) {
  if (settings->replay_count > 0) {
    s->replay = replay_new(settings->replay, settings->replay_count, error);
    return s->replay != NULL ? 0 : -1;
  }
  s->diag = sock_diag_new(s->world.open, s->world.data);
  s->close_policy = close_policy_new(settings, s->world.open_destroy,
                                     s->world.data, on_pressure, s);
  if (s->diag == NULL || s->close_policy == NULL)
    return error_set(error, "out of memory");
  s->health.info_size = sock_diag_tcp_info_size();
  return 0;
}

static int groups_make(struct reader *s, const struct settings *settings) {
  s->group = calloc(settings->group_count + 1, sizeof(*s->group));
  s->names = name_lookup_new();
  if (s->group == NULL || s->names == NULL)
    return -1;
  for (; s->group_count < settings->group_count; s->group_count++) {
    s->group[s->group_count] =
        group_new(&settings->group[s->group_count], s->names);
    if (s->group[s->group_count] == NULL)
      return -1;
  }
  return 0;
}

static int connections_make(struct reader *s, unsigned interval_ms) {
  const struct sock_diag_request *ask = &s->request.ask;
  s->connections =
      connections_new(s->group, s->group_count, ask->states, s->request.traits,
                      ask->extensions != 0, interval_ms, &s->listeners);
  return s->connections != NULL ? 0 : -1;
}

struct reader *reader_new(const struct settings *settings, unsigned interval_ms,
                          const struct reader_world *world,
                          struct error *error) {
  struct reader *s = calloc(1, sizeof(*s));
  if (s == NULL) {
    error_set(error, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&s->lock, NULL);
  s->snmp = s->limits.sockstat = -1;
  proc_limits_clear(&s->health.limits);
  if (world != NULL)
    s->world = *world;
  unsigned timeout_ms = interval_ms;
  if (settings->dump_timeout > 0)
    timeout_ms = (unsigned)ceil(settings->dump_timeout * 1000);
  if (groups_make(s, settings) != 0 ||
      dump_request_init(&s->request, settings, s->group, timeout_ms) != 0 ||
      connections_make(s, interval_ms) != 0)
    error_set(error, "out of memory");
  else if (source_make(s, settings, error) == 0)
    return s;
  reader_free(s);
  return NULL;
}

void reader_free(struct reader *s) {
  if (s == NULL)
    return;
  close_policy_free(s->close_policy); /* first: its thread ends with it */
  sock_diag_free(s->diag);
  replay_free(s->replay);
  connections_free(s->connections);
  for (size_t i = 0; i < s->group_count; i++)
    group_free(s->group[i]);
  free(s->group);
  name_lookup_free(s->names);
  dump_request_free(&s->request);
  if (s->snmp >= 0)
    close(s->snmp);
  if (s->limits.sockstat >= 0)
    close(s->limits.sockstat);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

/* --- Destroy events ------------------------------------------------------- */

static void on_destroyed(const struct nlmsghdr *nlh, uint64_t after_ms,
                         void *data) {
  struct reader *s = data;
  struct sample sample;
  if (decode(&s->decoder, nlh, &sample) != 0)
    s->malformed_events++;
  else
    connections_destroyed(s->connections, &sample, after_ms);
}

static void on_pressure(void *data) {
  struct reader *s = data;
  if (pthread_mutex_trylock(&s->lock) != 0)
    return;
  if (!s->reading)
    close_policy_take(s->close_policy, on_destroyed, s);
  pthread_mutex_unlock(&s->lock);
}

static void reading_set(struct reader *s, bool reading) {
  pthread_mutex_lock(&s->lock);
  s->reading = reading;
  pthread_mutex_unlock(&s->lock);
}

static void close_policy_step(struct reader *s) {
  if (s->close_policy == NULL)
    return;
  s->host_known =
      proc_snmp_read_again(&s->snmp, s->world.snmp, &s->host, NULL) == 0;
  close_policy_read(s->close_policy, now_ms(), s->host_known ? &s->host : NULL,
                    on_destroyed, s);
  s->health.malformed += s->malformed_events;
  s->malformed_events = 0;
  s->health.close_policy = *close_policy_health(s->close_policy);
  connections_follow(s->connections,
                     s->health.close_policy.state == CLOSE_POLICY_FOLLOWED);
}

/* Of the host's own count, which other namespaces have no part in. */
static void coverage_update(struct reader *s) {
  uint64_t retrans = connections_sums(s->connections)->retrans;
  s->health.coverage = -1;
  if (s->retrans_known && s->host_known &&
      s->host.retrans_segs > s->host_retrans) {
    double seen = 100.0 * (double)(retrans - s->retrans) /
                  (double)(s->host.retrans_segs - s->host_retrans);
    s->health.coverage = seen < 100 ? seen : 100;
  }
  s->retrans = retrans;
  s->host_retrans = s->host.retrans_segs;
  s->retrans_known = s->host_known;
}

/* --- One dump ------------------------------------------------------------- */

static void on_message(const struct nlmsghdr *nlh, void *data) {
  struct reader *s = data;
  struct sample sample;
  if (decode(&s->decoder, nlh, &sample) != 0) {
    s->health.malformed++;
    return;
  }
  if (sample.info_size > s->info_size)
    s->info_size = sample.info_size;
  s->no_memory |= connections_socket(s->connections, &sample) != 0;
}

static void dump_begin(struct reader *s, uint64_t ms) {
  if (!s->begun)
    connections_begin(s->connections, ms);
  s->begun = true;
}

/* The time of a dump is that of its recording, where there is one. */
static void on_recorded(const struct nlmsghdr *nlh, void *data) {
  struct reader *s = data;
  dump_begin(s, s->recorded_ms);
  on_message(nlh, s);
}

static void on_listener(const struct nlmsghdr *nlh, void *data) {
  struct reader *s = data;
  struct sample sample;
  if (decode(&s->decoder, nlh, &sample) == 0)
    listeners_add(&s->listeners, sample.attrs.local_port);
  else
    s->health.malformed++;
}

/* Before the events are entered: those of a server that is new, too, are to be
 * told apart from those that this host opened. */
static enum dump_result listeners_dump(struct reader *s, struct error *error) {
  if (s->diag == NULL || (s->request.traits & ATTR_BIT(ATTR_DIRECTION)) == 0)
    return DUMP_COMPLETE;
  listeners_begin(&s->listeners);
  return sock_diag_dump(s->diag, &s->request.listeners, on_listener, s, error);
}

/* A kernel that is too old for a part of the filter, or does not allow it to
 * this user, refuses all of it before it has looked at any socket. */
static enum dump_result kernel_dump(struct reader *s, struct error *error) {
  enum dump_result result =
      sock_diag_dump(s->diag, &s->request.ask, on_message, s, error);
  bool coarsened = false;
  while (result == DUMP_REFUSED && dump_request_coarsen(&s->request)) {
    coarsened = true;
    s->refusal = *error;
    result = sock_diag_dump(s->diag, &s->request.ask, on_message, s, error);
  }
  if (coarsened && result != DUMP_COMPLETE)
    dump_request_restore(&s->request); /* it was not the filter, or not only */
  else if (coarsened)
    s->health.refused++;
  return result == DUMP_REFUSED ? DUMP_FAILED : result;
}

static enum dump_result recorded_dump(struct reader *s, struct error *error) {
  listeners_begin(&s->listeners);
  listeners_end(&s->listeners);
  enum dump_result result =
      replay_dump(s->replay, on_recorded, s, &s->recorded_ms, error);
  if (result != DUMP_ENDED) /* a dump of nothing begins, too */
    dump_begin(s, s->recorded_ms);
  return result;
}

static enum dump_result source_dump(struct reader *s, struct error *error) {
  enum dump_result result = listeners_dump(s, error);
  close_policy_step(s);
  s->begun = false;
  if (s->replay != NULL)
    return recorded_dump(s, error);
  dump_begin(s, now_ms());
  if (result != DUMP_COMPLETE)
    return DUMP_FAILED;
  if (s->request.traits & ATTR_BIT(ATTR_DIRECTION))
    listeners_end(&s->listeners);
  return kernel_dump(s, error);
}

/* --- One read ------------------------------------------------------------- */

static void read_completed(struct reader *s) {
  connections_complete(s->connections,
                       s->replay != NULL ? s->recorded_ms : now_ms());
  if (s->info_size > 0)
    s->health.info_size = s->info_size;
  if (s->close_policy != NULL) /* of those that closed meanwhile */
    close_policy_take(s->close_policy, on_destroyed, s);
  coverage_update(s);
  if (s->diag != NULL)
    proc_limits_read_again(&s->limits, s->world.proc, now_ms(),
                           &s->health.limits);
  s->health.members = 0;
  s->health.in_other = 0;
  name_lookup_renew(s->names);
  for (size_t i = 0; i < s->group_count; i++) {
    group_settle(s->group[i]);
    s->health.members += group_members(s->group[i]);
    s->health.in_other += group_members_in_other(s->group[i]);
  }
}

static void read_failed(struct reader *s) {
  s->health.errors++;
  connections_failed(s->connections);
}

enum dump_result reader_read(struct reader *s, struct error *error) {
  uint64_t began = clock_us(CLOCK_MONOTONIC);
  uint64_t cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);

  reading_set(s, true);
  s->no_memory = false;
  s->info_size = 0;
  enum dump_result result = source_dump(s, error);
  if (s->no_memory && result == DUMP_COMPLETE) {
    error_set(error, "out of memory");
    result = DUMP_FAILED;
  }
  if (result == DUMP_COMPLETE)
    read_completed(s);
  else if (result == DUMP_FAILED)
    read_failed(s);

  s->health.unclear = connections_sums(s->connections)->unclear;
  s->health.aborted = connections_sums(s->connections)->aborted;
  s->health.dumped = s->begun ? connections_sums(s->connections)->dumped : 0;
  s->health.matched = s->begun ? connections_sums(s->connections)->matched : 0;
  s->health.tracked = connections_tracked(s->connections);
  s->health.dump_time = (double)(clock_us(CLOCK_MONOTONIC) - began) * 1e-6;
  s->health.cpu_time = (double)(clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu) * 1e-6;
  if (result != DUMP_COMPLETE)
    reading_set(s, false);
  return result;
}

void reader_commit(struct reader *s) {
  for (size_t i = 0; i < s->group_count; i++)
    group_commit(s->group[i]);
  reading_set(s, false);
}

size_t reader_group_count(const struct reader *s) { return s->group_count; }

struct group *reader_group(struct reader *s, size_t i) {
  return s->group[i];
}

const struct reader_health *reader_health(const struct reader *s) {
  return &s->health;
}

unsigned reader_traits(const struct reader *s) { return s->request.traits; }

const char *reader_refusal(const struct reader *s) { return s->refusal.text; }

const struct sock_diag_request *reader_request(const struct reader *s) {
  return &s->request.ask;
}
