#include "scan.h"

#include "replay.h"
#include "request.h"
#include "track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The words that track keeps with each socket: whether and how it was placed; a
 * hash of the traits that its places depend on; its place in each group. */
enum { TAG_PLACED, TAG_TRAITS, TAG_PLACES };
enum { PLACED_NOT, PLACED_OUTBOUND, PLACED_INBOUND };

/* What is remembered where no dump succeeds any more. */
enum { FORGET_ABOVE = 65536, FORGET_AFTER = 8 };

enum { BEGINS = 16 }; /* dumps whose begin is remembered */

struct scan {
  struct diag *diag;     /* one of the two */
  struct replay *replay; /* is the source */
  struct request request;
  struct names *names;
  struct group **group;
  size_t group_count;
  struct track *track;
  struct scan_health health;
  uint8_t listening[(UINT16_MAX + 1) / 8]; /* ports, a bit each */

  uint32_t attempt;       /* number of this dump, from 1 */
  uint64_t begin[BEGINS]; /* of the last dumps, ms; by number */
  uint64_t complete_ms;   /* when the last complete one began; 0: none yet */
  size_t complete_count;  /* sockets remembered after it */
  unsigned failures;      /* since then */
  unsigned interval_ms;
  struct error refusal; /* the kernel's last word on the filter */

  /* Of this dump. */
  uint64_t recorded_ms; /* when the replayed one was recorded */
  size_t info_size;     /* of its longest struct tcp_info */
  uint64_t active_ms;   /* since the last complete dump */
  bool clock_is_set;
  bool no_memory;
  struct track_seen seen;
};

static uint64_t clock_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int track_make(struct scan *s) {
  bool wanted[FIELD_COUNT] = {false};
  for (size_t i = 0; i < s->group_count; i++)
    group_fields(s->group[i], wanted);
  /* A byte counter of each direction shows a disconnect, see track_see(). */
  if (!wanted[FIELD_BYTES_SENT] && s->request.ask.extensions != 0)
    wanted[FIELD_BYTES_ACKED] = true;
  if (s->request.ask.extensions != 0)
    wanted[FIELD_BYTES_RECEIVED] = true;
  enum field_id field[FIELD_COUNT];
  size_t count = 0;
  for (int id = 0; id < FIELD_COUNT; id++)
    if (wanted[id])
      field[count++] = (enum field_id)id;
  s->track = track_new(field, count, TAG_PLACES + s->group_count);
  return s->track != NULL ? 0 : -1;
}

static int source_make(struct scan *s, const struct settings *settings,
                       diag_open_fn *open, void *data, struct error *error) {
  if (settings->replay_count > 0) {
    s->replay = replay_new(settings->replay, settings->replay_count, error);
    return s->replay != NULL ? 0 : -1;
  }
  s->diag = diag_new(open, data);
  if (s->diag == NULL)
    return error_set(error, "out of memory");
  s->health.info_size = diag_tcp_info_size();
  return 0;
}

struct scan *scan_new(const struct settings *settings, unsigned interval_ms,
                      diag_open_fn *open, void *data, struct error *error) {
  struct scan *s = calloc(1, sizeof(*s));
  if (s == NULL)
    goto no_memory;
  s->interval_ms = interval_ms;
  s->group = calloc(settings->group_count + 1, sizeof(*s->group));
  if (s->group == NULL)
    goto no_memory;
  s->names = names_new();
  if (s->names == NULL)
    goto no_memory;
  for (; s->group_count < settings->group_count; s->group_count++) {
    s->group[s->group_count] =
        group_new(&settings->group[s->group_count], s->names);
    if (s->group[s->group_count] == NULL)
      goto no_memory;
  }
  unsigned timeout_ms = interval_ms;
  if (settings->dump_timeout > 0)
    timeout_ms = (unsigned)ceil(settings->dump_timeout * 1000);
  if (request_init(&s->request, settings, s->group, timeout_ms) != 0 ||
      track_make(s) != 0)
    goto no_memory;
  if (source_make(s, settings, open, data, error) != 0) {
    scan_free(s);
    return NULL;
  }
  return s;
no_memory:
  error_set(error, "out of memory");
  scan_free(s);
  return NULL;
}

void scan_free(struct scan *s) {
  if (s == NULL)
    return;
  diag_free(s->diag);
  replay_free(s->replay);
  for (size_t i = 0; i < s->group_count; i++)
    group_free(s->group[i]);
  free(s->group);
  track_free(s->track);
  names_free(s->names);
  request_free(&s->request);
  free(s);
}

/* --- One socket --------------------------------------------------------- */

static bool is_place(uint32_t place) {
  return place != GROUP_PLACE_NONE && place != GROUP_PLACE_FAILED;
}

static void places_leave(struct scan *s, const uint32_t *tag, bool closed) {
  for (size_t i = 0; i < s->group_count; i++)
    if (is_place(tag[TAG_PLACES + i]))
      group_leave(s->group[i], tag[TAG_PLACES + i], closed);
}

static void socket_closed(const uint32_t *tag, void *data) {
  places_leave(data, tag, true);
}

static void socket_forgotten(const uint32_t *tag, void *data) {
  places_leave(data, tag, false);
}

static void port_listens(struct scan *s, uint16_t port) {
  s->listening[port / 8] |= (uint8_t)(1u << port % 8);
}

static bool port_is_listening(const struct scan *s, uint16_t port) {
  return s->listening[port / 8] >> port % 8 & 1;
}

/* The direction is that of the first sight: listeners may go. */
static void places_enter(struct scan *s, uint32_t *tag, struct subject *subject,
                         bool opened) {
  if (tag[TAG_PLACED] == PLACED_NOT)
    tag[TAG_PLACED] = port_is_listening(s, subject->local_port)
                          ? PLACED_INBOUND
                          : PLACED_OUTBOUND;
  subject->inbound = tag[TAG_PLACED] == PLACED_INBOUND;
  for (size_t i = 0; i < s->group_count; i++) {
    uint32_t *place = &tag[TAG_PLACES + i], old = *place;
    *place = group_enter(s->group[i], subject, opened);
    s->no_memory |= *place == GROUP_PLACE_FAILED;
    if (is_place(old))
      group_leave(s->group[i], old, false);
  }
}

static uint32_t traits_hash(const struct scan *s, const struct subject *t) {
  unsigned traits = s->request.traits;
  uint64_t hash = 0;
  if (traits & SUBJECT_INTERFACE)
    hash = hash_bytes(&t->interface, sizeof(t->interface), hash);
  if (traits & SUBJECT_UID)
    hash = hash_bytes(&t->uid, sizeof(t->uid), hash);
  if (traits & SUBJECT_MARK)
    hash = hash_bytes(&t->mark, sizeof(t->mark), hash);
  if (traits & SUBJECT_CGROUP)
    hash = hash_bytes(&t->cgroup, sizeof(t->cgroup), hash);
  if (traits & SUBJECT_CONGESTION)
    hash = hash_bytes(t->congestion, strlen(t->congestion), hash);
  return (uint32_t)hash;
}

/* Gives the connection its places when it is first seen, and other ones when
 * what they depend on has changed: it then moves with neither an opening nor a
 * close. A mini socket, or one that no process holds any more, has lost its
 * traits and stays where it was. */
static void places_update(struct scan *s, uint32_t *tag,
                          const struct sample *sample, bool opened) {
  uint32_t hash = 0;
  if (s->request.traits != 0)
    hash = traits_hash(s, &sample->subject);
  bool placed = tag[TAG_PLACED] != PLACED_NOT;
  bool told = sample->full && sample->held;
  if (placed && (!told || tag[TAG_TRAITS] == hash))
    return;
  struct subject subject = sample->subject;
  places_enter(s, tag, &subject, opened && !placed);
  tag[TAG_TRAITS] = hash;
}

static bool is_active(const struct scan *s, const struct sample *sample) {
  uint64_t ms;
  /* One that waits for its first ACK says how long the host is up. */
  return sample->state != TCP_STATE_SYN_SENT &&
         field_get(FIELD_LAST_ACK_RECV, sample->info, sample->info_size, &ms) &&
         ms <= s->active_ms;
}

/* From the begin of that dump to the begin of this one; 0: not known. */
static uint64_t window_us(const struct scan *s, uint32_t dumps_ago) {
  if (dumps_ago == 0 || dumps_ago >= BEGINS)
    return 0;
  uint64_t now = s->begin[s->attempt % BEGINS];
  uint64_t then = s->begin[(s->attempt - dumps_ago) % BEGINS];
  return now > then ? (now - then) * 1000 : 0;
}

/* There was no memory when the connection was first seen; there may be now. */
static uint32_t place_retry(struct scan *s, size_t group,
                            const struct sample *sample) {
  struct subject subject = sample->subject;
  subject.inbound = s->seen.tag[TAG_PLACED] == PLACED_INBOUND;
  uint32_t place = group_enter(s->group[group], &subject, s->complete_ms != 0);
  s->no_memory |= place == GROUP_PLACE_FAILED;
  return place;
}

static void connection_add(struct scan *s, const struct sample *sample) {
  const struct reading r = {
      .sample = sample,
      .delta = s->seen.delta,
      .active = is_active(s, sample),
      .window_us = window_us(s, s->seen.dumps_ago),
  };
  bool matched = false;
  for (size_t i = 0; i < s->group_count; i++) {
    uint32_t *place = &s->seen.tag[TAG_PLACES + i];
    if (*place == GROUP_PLACE_FAILED)
      *place = place_retry(s, i, sample);
    if (!is_place(*place))
      continue;
    group_add(s->group[i], *place, &r);
    matched = true;
  }
  s->health.matched += matched;
}

static void on_message(const struct nlmsghdr *nlh, void *data) {
  struct scan *s = data;
  struct sample sample;
  if (decode(nlh, &sample) != 0) {
    s->health.malformed++;
    return;
  }
  if (sample.state == TCP_STATE_LISTEN)
    port_listens(s, sample.subject.local_port);
  if ((s->request.ask.states & 1u << sample.state) == 0)
    return; /* recordings hold what their program asked for */

  track_see(s->track, &sample, &s->seen);
  if (s->seen.event == TRACK_REPEAT)
    return;
  if (s->seen.event == TRACK_NO_MEMORY) {
    s->no_memory = true;
    return;
  }
  s->health.dumped++;
  if (sample.info_size > s->info_size)
    s->info_size = sample.info_size;

  /* The places are those of the connection: it has them from its first state
   * with traffic to its last, TIME_WAIT is behind that. */
  bool traffic = (TCP_STATES_TRAFFIC & 1u << sample.state) != 0;
  uint32_t *tag = s->seen.tag;
  if (tag[TAG_PLACED] && (s->seen.event == TRACK_REUSED || !traffic)) {
    socket_closed(tag, s);
    memset(tag, 0, (TAG_PLACES + s->group_count) * sizeof(*tag));
  }
  if (traffic) {
    places_update(s, tag, &sample, s->seen.event != TRACK_BASELINE);
    connection_add(s, &sample);
  } else {
    sample.subject.inbound = port_is_listening(s, sample.subject.local_port);
    for (size_t i = 0; i < s->group_count; i++)
      group_add_state(s->group[i], &sample.subject, sample.state);
  }
}

/* --- One read ----------------------------------------------------------- */

/* The time of a dump is that of its recording, where there is one. */
static void clock_set(struct scan *s, uint64_t now_ms) {
  uint64_t last = s->complete_ms;
  if (last == 0)
    last = now_ms > s->interval_ms ? now_ms - s->interval_ms : 0;
  s->active_ms = now_ms > last ? now_ms - last : 0;
  s->begin[s->attempt % BEGINS] = now_ms;
  s->clock_is_set = true;
}

static void on_recorded(const struct nlmsghdr *nlh, void *data) {
  struct scan *s = data;
  if (!s->clock_is_set)
    clock_set(s, s->recorded_ms);
  on_message(nlh, s);
}

static void on_listener(const struct nlmsghdr *nlh, void *data) {
  struct scan *s = data;
  struct sample sample;
  if (decode(nlh, &sample) == 0)
    port_listens(s, sample.subject.local_port);
  else
    s->health.malformed++;
}

/* A kernel that is too old for a part of the filter, or does not allow it to
 * this user, refuses all of it before it has looked at any socket. */
static enum source_result kernel_dump(struct scan *s, struct error *error) {
  enum source_result result = SOURCE_COMPLETE;
  if (s->request.traits & SUBJECT_DIRECTION) {
    memset(s->listening, 0, sizeof(s->listening));
    result = diag_dump(s->diag, &s->request.listeners, on_listener, s, error);
  }
  if (result == SOURCE_COMPLETE)
    result = diag_dump(s->diag, &s->request.ask, on_message, s, error);
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

static enum source_result source_dump(struct scan *s, uint64_t now_us,
                                      struct error *error) {
  enum source_result result;
  if (s->replay != NULL) {
    memset(s->listening, 0, sizeof(s->listening));
    result = replay_dump(s->replay, on_recorded, s, &s->recorded_ms, error);
    if (!s->clock_is_set && result != SOURCE_ENDED) /* a dump of nothing */
      clock_set(s, s->recorded_ms);
  } else {
    clock_set(s, now_us / 1000);
    result = kernel_dump(s, error);
  }
  if (s->no_memory && result == SOURCE_COMPLETE) {
    error_set(error, "out of memory");
    return SOURCE_FAILED;
  }
  return result;
}

static void read_completed(struct scan *s) {
  s->complete_ms = s->begin[s->attempt % BEGINS];
  s->failures = 0;
  if (s->info_size > 0)
    s->health.info_size = s->info_size;
  track_end(s->track, socket_closed, s);
  s->complete_count = track_count(s->track);
  s->health.members = 0;
  s->health.folded = 0;
  names_renew(s->names);
  for (size_t i = 0; i < s->group_count; i++) {
    group_settle(s->group[i]);
    s->health.members += group_members(s->group[i]);
    s->health.folded += group_folded(s->group[i]);
  }
}

/* Sockets are forgotten after complete dumps only. Should none succeed any
 * more while connections come and go, start over: the counters stay, what was
 * not seen of the connections until then is lost. */
static void read_failed(struct scan *s) {
  s->health.errors++;
  if (++s->failures >= FORGET_AFTER &&
      track_count(s->track) > 2 * s->complete_count + FORGET_ABOVE)
    track_restart(s->track, socket_forgotten, s);
}

enum source_result scan_read(struct scan *s, struct error *error) {
  uint64_t began = clock_us(CLOCK_MONOTONIC);
  uint64_t cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);

  s->no_memory = false;
  s->clock_is_set = false;
  s->info_size = 0;
  s->attempt++;
  s->health.dumped = 0;
  s->health.matched = 0;
  track_begin(s->track);
  for (size_t i = 0; i < s->group_count; i++)
    group_begin(s->group[i]);

  enum source_result result = source_dump(s, began, error);
  if (result == SOURCE_COMPLETE)
    read_completed(s);
  else if (result == SOURCE_FAILED)
    read_failed(s);

  s->health.tracked = track_count(s->track);
  s->health.dump_time = (double)(clock_us(CLOCK_MONOTONIC) - began) * 1e-6;
  s->health.cpu_time = (double)(clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu) * 1e-6;
  return result;
}

void scan_commit(struct scan *s) {
  for (size_t i = 0; i < s->group_count; i++)
    group_commit(s->group[i]);
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
