#include "scan.h"

#include "bytecode.h"
#include "replay.h"
#include "track.h"

#include <linux/inet_diag.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The words that track keeps with each socket: whether it has its places, then
 * its place in each group. */
enum { TAG_PLACED, TAG_PLACES };

enum { FORGET_ABOVE = 65536 };

struct scan {
  struct diag *diag;     /* one of the two */
  struct replay *replay; /* is the source */
  struct source_request request;
  struct bytecode bytecode;
  struct group **group;
  size_t group_count;
  struct track *track;
  struct scan_health health;

  uint64_t attempt_ms;   /* when the last dump began; 0: none yet */
  uint64_t complete_ms;  /* when the last complete one began */
  size_t complete_count; /* sockets remembered after it */
  unsigned interval_ms;

  /* Of this dump. */
  uint64_t recorded_ms; /* when the replayed one was recorded */
  uint64_t window_us;   /* since the dump before */
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

/* The least that all groups together need. */
static int request_make(struct scan *s, const struct settings *settings) {
  struct source_request *r = &s->request;
  r->states = TCP_STATES_TRAFFIC;
  for (size_t i = 0; i < s->group_count; i++) {
    if (group_has_states(s->group[i]))
      r->states |= TCP_STATES_REST;
    if (group_needs_info(s->group[i]))
      r->extensions |= 1u << (INET_DIAG_INFO - 1);
  }
  r->timeout_ms = s->interval_ms;
  if (settings->dump_timeout > 0)
    r->timeout_ms = (unsigned)ceil(settings->dump_timeout * 1000);

  /* The groups' selectors, borrowed for a moment as one. */
  struct selector any = {.op = SELECTOR_OR, .count = s->group_count};
  any.child = calloc(s->group_count + 1, sizeof(struct selector *));
  if (any.child == NULL)
    return -1;
  for (size_t i = 0; i < s->group_count; i++)
    any.child[i] = settings->group[i].selector;
  int status = bytecode_compile(&any, &s->bytecode);
  free(any.child);
  if (status != 0)
    return -1;
  r->code = s->bytecode.code;
  r->code_size = s->bytecode.size;
  return 0;
}

static int track_make(struct scan *s) {
  bool wanted[FIELD_COUNT] = {false};
  for (size_t i = 0; i < s->group_count; i++)
    group_fields(s->group[i], wanted);
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
  for (; s->group_count < settings->group_count; s->group_count++) {
    s->group[s->group_count] = group_new(&settings->group[s->group_count]);
    if (s->group[s->group_count] == NULL)
      goto no_memory;
  }
  if (request_make(s, settings) != 0 || track_make(s) != 0)
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
  bytecode_free(&s->bytecode);
  free(s);
}

/* --- One socket --------------------------------------------------------- */

static void places_leave(struct scan *s, const uint32_t *tag, bool closed) {
  for (size_t i = 0; i < s->group_count; i++)
    if (tag[TAG_PLACES + i] != GROUP_PLACE_NONE)
      group_leave(s->group[i], tag[TAG_PLACES + i], closed);
}

static void socket_closed(const uint32_t *tag, void *data) {
  places_leave(data, tag, true);
}

static void socket_forgotten(const uint32_t *tag, void *data) {
  places_leave(data, tag, false);
}

static void places_enter(struct scan *s, uint32_t *tag, const struct tuple *t,
                         bool opened) {
  for (size_t i = 0; i < s->group_count; i++) {
    uint32_t place = group_enter(s->group[i], t, opened);
    if (place == GROUP_PLACE_FAILED) {
      s->no_memory = true;
      place = GROUP_PLACE_NONE;
    }
    tag[TAG_PLACES + i] = place;
  }
  tag[TAG_PLACED] = true;
}

static bool is_active(const struct scan *s, const struct sample *sample) {
  uint64_t ms;
  return field_get(FIELD_LAST_ACK_RECV, sample->info, sample->info_size, &ms) &&
         ms <= s->active_ms;
}

static void connection_add(struct scan *s, const struct sample *sample) {
  const struct reading r = {
      .sample = sample,
      .delta = s->seen.delta,
      .active = is_active(s, sample),
      .window_us = s->seen.consecutive ? s->window_us : 0,
  };
  bool matched = false;
  for (size_t i = 0; i < s->group_count; i++) {
    uint32_t place = s->seen.tag[TAG_PLACES + i];
    if (place == GROUP_PLACE_NONE)
      continue;
    group_add(s->group[i], place, &r);
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
  if ((s->request.states & 1u << sample.state) == 0)
    return; /* recordings hold what their program asked for */

  track_see(s->track, &sample, &s->seen);
  if (s->seen.event == TRACK_REPEAT)
    return;
  if (s->seen.event == TRACK_NO_MEMORY) {
    s->no_memory = true;
    return;
  }
  s->health.dumped++;
  if (sample.info_size > s->health.info_size)
    s->health.info_size = sample.info_size;

  /* The places are those of the connection: it has them from its first state
   * with traffic to its last, TIME_WAIT is behind that. */
  bool traffic = (TCP_STATES_TRAFFIC & 1u << sample.state) != 0;
  uint32_t *tag = s->seen.tag;
  if (tag[TAG_PLACED] && (s->seen.event == TRACK_REUSED || !traffic)) {
    socket_closed(tag, s);
    memset(tag, 0, (TAG_PLACES + s->group_count) * sizeof(*tag));
  }
  if (traffic) {
    if (!tag[TAG_PLACED])
      places_enter(s, tag, &sample.tuple, s->seen.event != TRACK_BASELINE);
    connection_add(s, &sample);
  } else {
    for (size_t i = 0; i < s->group_count; i++)
      group_add_state(s->group[i], &sample.tuple, sample.state);
  }
}

/* --- One read ----------------------------------------------------------- */

/* The time of a dump is that of its recording, where there is one. */
static void clock_set(struct scan *s, uint64_t now_ms) {
  uint64_t first = now_ms > s->interval_ms ? now_ms - s->interval_ms : 0;
  uint64_t attempt = s->attempt_ms != 0 ? s->attempt_ms : first;
  uint64_t complete = s->complete_ms != 0 ? s->complete_ms : first;
  s->window_us = now_ms > attempt ? (now_ms - attempt) * 1000 : 0;
  s->active_ms = now_ms > complete ? now_ms - complete : 0;
  s->attempt_ms = now_ms;
  s->clock_is_set = true;
}

static void on_recorded(const struct nlmsghdr *nlh, void *data) {
  struct scan *s = data;
  if (!s->clock_is_set)
    clock_set(s, s->recorded_ms);
  on_message(nlh, s);
}

static enum source_result source_dump(struct scan *s, uint64_t now_us,
                                      struct error *error) {
  enum source_result result;
  if (s->replay != NULL) {
    result = replay_dump(s->replay, on_recorded, s, &s->recorded_ms, error);
    if (!s->clock_is_set && result != SOURCE_ENDED) /* a dump of nothing */
      clock_set(s, s->recorded_ms);
  } else {
    clock_set(s, now_us / 1000);
    result = diag_dump(s->diag, &s->request, on_message, s, error);
  }
  if (s->no_memory && result == SOURCE_COMPLETE) {
    error_set(error, "out of memory");
    return SOURCE_FAILED;
  }
  return result;
}

static void read_completed(struct scan *s) {
  s->complete_ms = s->attempt_ms;
  track_end(s->track, socket_closed, s);
  s->complete_count = track_count(s->track);
  s->health.members = 0;
  s->health.folded = 0;
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
  if (track_count(s->track) > 2 * s->complete_count + FORGET_ABOVE)
    track_restart(s->track, socket_forgotten, s);
}

enum source_result scan_read(struct scan *s, struct error *error) {
  uint64_t began = clock_us(CLOCK_MONOTONIC);
  uint64_t cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);

  s->no_memory = false;
  s->clock_is_set = false;
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

const struct source_request *scan_request(const struct scan *s) {
  return &s->request;
}
