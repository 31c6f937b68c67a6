#include "scan.h"

#include "ledger.h"
#include "replay.h"
#include "request.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct scan {
  struct diag *diag;     /* one of the two */
  struct replay *replay; /* is the source */
  struct closes *closes; /* NULL for recordings */
  struct request request;
  struct names *names;
  struct group **group;
  size_t group_count;
  struct decoder decoder;
  struct ledger *ledger;
  struct listeners listeners;
  struct scan_health health;
  struct scan_world world;
  struct error refusal; /* the kernel's last word on the filter */

  /* Between reads, the thread that receives events may enter them. */
  pthread_mutex_t lock; /* of `reading` */
  bool reading;         /* from scan_read() to scan_commit() */
  uint64_t malformed_events;

  int snmp; /* see host_tcp_read_again() */
  struct host_limits_files limits;
  struct host_tcp host; /* at the begin of this read */
  bool host_known;
  uint64_t host_retrans, retrans; /* at the last complete read */
  bool retrans_known;

  /* Of this dump. */
  uint64_t recorded_ms; /* when the replayed one was recorded */
  size_t info_size;     /* of its longest struct tcp_info */
  bool begun;           /* the ledger was told */
  bool no_memory;
};

static uint64_t clock_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t now_ms(void) { return clock_us(CLOCK_MONOTONIC) / 1000; }

static destroy_pressure_fn on_pressure;

static int source_make(struct scan *s, const struct settings *settings,
                       struct error *error) {
  if (settings->replay_count > 0) {
    s->replay = replay_new(settings->replay, settings->replay_count, error);
    return s->replay != NULL ? 0 : -1;
  }
  s->diag = diag_new(s->world.open, s->world.data);
  s->closes = closes_new(settings, s->world.open_destroy, s->world.data,
                         on_pressure, s);
  if (s->diag == NULL || s->closes == NULL)
    return error_set(error, "out of memory");
  s->health.info_size = diag_tcp_info_size();
  return 0;
}

static int groups_make(struct scan *s, const struct settings *settings) {
  s->group = calloc(settings->group_count + 1, sizeof(*s->group));
  s->names = names_new();
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

static int ledger_make(struct scan *s, unsigned interval_ms) {
  const struct source_request *ask = &s->request.ask;
  s->ledger =
      ledger_new(s->group, s->group_count, ask->states, s->request.traits,
                 ask->extensions != 0, interval_ms, &s->listeners);
  return s->ledger != NULL ? 0 : -1;
}

struct scan *scan_new(const struct settings *settings, unsigned interval_ms,
                      const struct scan_world *world, struct error *error) {
  struct scan *s = calloc(1, sizeof(*s));
  if (s == NULL) {
    error_set(error, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&s->lock, NULL);
  s->snmp = s->limits.sockstat = -1;
  host_limits_clear(&s->health.limits);
  if (world != NULL)
    s->world = *world;
  unsigned timeout_ms = interval_ms;
  if (settings->dump_timeout > 0)
    timeout_ms = (unsigned)ceil(settings->dump_timeout * 1000);
  if (groups_make(s, settings) != 0 ||
      request_init(&s->request, settings, s->group, timeout_ms) != 0 ||
      ledger_make(s, interval_ms) != 0)
    error_set(error, "out of memory");
  else if (source_make(s, settings, error) == 0)
    return s;
  scan_free(s);
  return NULL;
}

void scan_free(struct scan *s) {
  if (s == NULL)
    return;
  closes_free(s->closes); /* first: its thread ends with it */
  diag_free(s->diag);
  replay_free(s->replay);
  ledger_free(s->ledger);
  for (size_t i = 0; i < s->group_count; i++)
    group_free(s->group[i]);
  free(s->group);
  names_free(s->names);
  request_free(&s->request);
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
  struct scan *s = data;
  struct sample sample;
  if (decode(&s->decoder, nlh, &sample) != 0)
    s->malformed_events++;
  else
    ledger_destroyed(s->ledger, &sample, after_ms);
}

static void on_pressure(void *data) {
  struct scan *s = data;
  if (pthread_mutex_trylock(&s->lock) != 0)
    return;
  if (!s->reading)
    closes_take(s->closes, on_destroyed, s);
  pthread_mutex_unlock(&s->lock);
}

static void reading_set(struct scan *s, bool reading) {
  pthread_mutex_lock(&s->lock);
  s->reading = reading;
  pthread_mutex_unlock(&s->lock);
}

static void closes_step(struct scan *s) {
  if (s->closes == NULL)
    return;
  s->host_known =
      host_tcp_read_again(&s->snmp, s->world.snmp, &s->host, NULL) == 0;
  closes_read(s->closes, now_ms(), s->host_known ? &s->host : NULL,
              on_destroyed, s);
  s->health.malformed += s->malformed_events;
  s->malformed_events = 0;
  s->health.closes = *closes_health(s->closes);
  ledger_follow(s->ledger, s->health.closes.state == CLOSES_FOLLOWED);
}

/* Of the host's own count, which other namespaces have no part in. */
static void coverage_update(struct scan *s) {
  uint64_t retrans = ledger_sums(s->ledger)->retrans;
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
  struct scan *s = data;
  struct sample sample;
  if (decode(&s->decoder, nlh, &sample) != 0) {
    s->health.malformed++;
    return;
  }
  if (sample.info_size > s->info_size)
    s->info_size = sample.info_size;
  s->no_memory |= ledger_socket(s->ledger, &sample) != 0;
}

static void dump_begin(struct scan *s, uint64_t ms) {
  if (!s->begun)
    ledger_begin(s->ledger, ms);
  s->begun = true;
}

/* The time of a dump is that of its recording, where there is one. */
static void on_recorded(const struct nlmsghdr *nlh, void *data) {
  struct scan *s = data;
  dump_begin(s, s->recorded_ms);
  on_message(nlh, s);
}

static void on_listener(const struct nlmsghdr *nlh, void *data) {
  struct scan *s = data;
  struct sample sample;
  if (decode(&s->decoder, nlh, &sample) == 0)
    listeners_add(&s->listeners, sample.subject.local_port);
  else
    s->health.malformed++;
}

/* Before the events are entered: those of a server that is new, too, are to be
 * told apart from those that this host opened. */
static enum source_result listeners_dump(struct scan *s, struct error *error) {
  if (s->diag == NULL || (s->request.traits & SUBJECT_DIRECTION) == 0)
    return SOURCE_COMPLETE;
  listeners_begin(&s->listeners);
  return diag_dump(s->diag, &s->request.listeners, on_listener, s, error);
}

/* A kernel that is too old for a part of the filter, or does not allow it to
 * this user, refuses all of it before it has looked at any socket. */
static enum source_result kernel_dump(struct scan *s, struct error *error) {
  enum source_result result =
      diag_dump(s->diag, &s->request.ask, on_message, s, error);
  bool coarsened = false;
  while (result == SOURCE_REFUSED && request_coarsen(&s->request)) {
    coarsened = true;
    s->refusal = *error;
    result = diag_dump(s->diag, &s->request.ask, on_message, s, error);
  }
  if (coarsened && result != SOURCE_COMPLETE)
    request_restore(&s->request); /* it was not the filter, or not only */
  else if (coarsened)
    s->health.refused++;
  return result == SOURCE_REFUSED ? SOURCE_FAILED : result;
}

static enum source_result recorded_dump(struct scan *s, struct error *error) {
  listeners_begin(&s->listeners);
  listeners_end(&s->listeners);
  enum source_result result =
      replay_dump(s->replay, on_recorded, s, &s->recorded_ms, error);
  if (result != SOURCE_ENDED) /* a dump of nothing begins, too */
    dump_begin(s, s->recorded_ms);
  return result;
}

static enum source_result source_dump(struct scan *s, struct error *error) {
  enum source_result result = listeners_dump(s, error);
  closes_step(s);
  s->begun = false;
  if (s->replay != NULL)
    return recorded_dump(s, error);
  dump_begin(s, now_ms());
  if (result != SOURCE_COMPLETE)
    return SOURCE_FAILED;
  if (s->request.traits & SUBJECT_DIRECTION)
    listeners_end(&s->listeners);
  return kernel_dump(s, error);
}

/* --- One read ------------------------------------------------------------- */

static void read_completed(struct scan *s) {
  ledger_complete(s->ledger, s->replay != NULL ? s->recorded_ms : now_ms());
  if (s->info_size > 0)
    s->health.info_size = s->info_size;
  if (s->closes != NULL) /* of those that closed meanwhile */
    closes_take(s->closes, on_destroyed, s);
  coverage_update(s);
  if (s->diag != NULL)
    host_limits_read_again(&s->limits, s->world.proc, now_ms(),
                           &s->health.limits);
  s->health.members = 0;
  s->health.folded = 0;
  names_renew(s->names);
  for (size_t i = 0; i < s->group_count; i++) {
    group_settle(s->group[i]);
    s->health.members += group_members(s->group[i]);
    s->health.folded += group_folded(s->group[i]);
  }
}

static void read_failed(struct scan *s) {
  s->health.errors++;
  ledger_failed(s->ledger);
}

enum source_result scan_read(struct scan *s, struct error *error) {
  uint64_t began = clock_us(CLOCK_MONOTONIC);
  uint64_t cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);

  reading_set(s, true);
  s->no_memory = false;
  s->info_size = 0;
  enum source_result result = source_dump(s, error);
  if (s->no_memory && result == SOURCE_COMPLETE) {
    error_set(error, "out of memory");
    result = SOURCE_FAILED;
  }
  if (result == SOURCE_COMPLETE)
    read_completed(s);
  else if (result == SOURCE_FAILED)
    read_failed(s);

  s->health.unclear = ledger_sums(s->ledger)->unclear;
  s->health.aborted = ledger_sums(s->ledger)->aborted;
  s->health.dumped = s->begun ? ledger_sums(s->ledger)->dumped : 0;
  s->health.matched = s->begun ? ledger_sums(s->ledger)->matched : 0;
  s->health.tracked = ledger_tracked(s->ledger);
  s->health.dump_time = (double)(clock_us(CLOCK_MONOTONIC) - began) * 1e-6;
  s->health.cpu_time = (double)(clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu) * 1e-6;
  if (result != SOURCE_COMPLETE)
    reading_set(s, false);
  return result;
}

void scan_commit(struct scan *s) {
  for (size_t i = 0; i < s->group_count; i++)
    group_commit(s->group[i]);
  reading_set(s, false);
}

size_t scan_group_count(const struct scan *s) { return s->group_count; }

struct group *scan_group(struct scan *s, size_t i) {
  return s->group[i];
}

const struct scan_health *scan_health(const struct scan *s) {
  return &s->health;
}

unsigned scan_traits(const struct scan *s) { return s->request.traits; }

const char *scan_refusal(const struct scan *s) { return s->refusal.text; }

const struct source_request *scan_request(const struct scan *s) {
  return &s->request.ask;
}
