#include "read/reader.h"

#include "filter/follow.h"
#include "util/clock.h"

#include <math.h>
#include <stdlib.h>

struct reader {
  struct observer *observer;
  struct read_gate gate;
  struct dump_request request;
  struct follow *follow; /* the names in the groups' selectors */
  struct name_lookup *names;
  struct group **group;
  size_t group_count;
  struct reader_health health;
};

static int groups_make(struct reader *r, const struct settings *settings) {
  r->group = calloc(settings->group_count + 1, sizeof(*r->group));
  r->names = name_lookup_new();
  if (r->group == NULL || r->names == NULL)
    return -1;
  for (; r->group_count < settings->group_count; r->group_count++) {
    r->group[r->group_count] =
        group_new(&settings->group[r->group_count], r->names);
    if (r->group[r->group_count] == NULL)
      return -1;
  }
  return 0;
}

/* What the names mean now: the request needs that. */
static int names_follow(struct reader *r, const struct settings *settings) {
  r->follow = follow_new(NULL);
  if (r->follow == NULL)
    return -1;
  for (size_t i = 0; i < settings->group_count; i++)
    if (follow_add(r->follow, settings->group[i].selector) != 0)
      return -1;
  follow_read(r->follow);
  return 0;
}

static int observer_make(struct reader *r, const struct settings *settings,
                         unsigned interval_ms,
                         const struct observer_world *world,
                         struct error *error) {
  struct observer_options options = {
      .settings = settings,
      .group = r->group,
      .group_count = r->group_count,
      .request = &r->request,
      .gate = &r->gate,
      .selections_change = follow_any(r->follow),
      .interval_ms = interval_ms,
      .replay = settings->replay,
      .replay_count = settings->replay_count,
  };
  if (world != NULL)
    options.world = *world;
  r->observer = observer_new(&options, error);
  if (r->observer == NULL)
    return -1;
  r->health.observer = *observer_health(r->observer);
  return 0;
}

struct reader *reader_new(const struct settings *settings, unsigned interval_ms,
                          const struct observer_world *world,
                          struct error *error) {
  struct reader *r = calloc(1, sizeof(*r));
  if (r == NULL) {
    error_set(error, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&r->gate.lock, NULL);
  unsigned timeout_ms = interval_ms;
  if (settings->dump_timeout > 0)
    timeout_ms = (unsigned)ceil(settings->dump_timeout * 1000);
  if (groups_make(r, settings) != 0 || names_follow(r, settings) != 0 ||
      dump_request_init(&r->request, settings, r->group, timeout_ms) != 0)
    error_set(error, "out of memory");
  else if (observer_make(r, settings, interval_ms, world, error) == 0)
    return r;
  reader_free(r);
  return NULL;
}

void reader_free(struct reader *r) {
  if (r == NULL)
    return;
  observer_free(r->observer); /* first: its thread uses the groups */
  for (size_t i = 0; i < r->group_count; i++)
    group_free(r->group[i]);
  free(r->group);
  name_lookup_free(r->names);
  dump_request_free(&r->request);
  follow_free(r->follow);
  pthread_mutex_destroy(&r->gate.lock);
  free(r);
}

static void groups_settle(struct reader *r) {
  r->health.members = 0;
  r->health.members_in_other = 0;
  name_lookup_renew(r->names);
  for (size_t i = 0; i < r->group_count; i++) {
    group_settle(r->group[i]);
    r->health.members += group_members(r->group[i]);
    r->health.members_in_other += group_members_in_other(r->group[i]);
  }
}

static enum dump_result read_once(struct reader *r, struct error *error) {
  if (follow_read(r->follow)) {
    dump_request_renew(&r->request);
    observer_select_again(r->observer);
  }
  observer_events(r->observer);
  for (size_t i = 0; i < r->group_count; i++)
    group_begin(r->group[i]);
  enum dump_result result = observer_dump(r->observer, error);
  if (result != DUMP_COMPLETE)
    return result;
  groups_settle(r);
  if (follow_settle(r->follow))
    dump_request_renew(&r->request);
  return result;
}

enum dump_result reader_read(struct reader *r, struct error *error) {
  uint64_t began = clock_monotonic_us();
  uint64_t cpu = clock_thread_cpu_us();
  read_gate_close(&r->gate);
  enum dump_result result = read_once(r, error);
  r->health.observer = *observer_health(r->observer);
  r->health.dump_time = (double)(clock_monotonic_us() - began) * 1e-6;
  r->health.cpu_time = (double)(clock_thread_cpu_us() - cpu) * 1e-6;
  if (result != DUMP_COMPLETE)
    read_gate_open(&r->gate);
  return result;
}

void reader_commit(struct reader *r) {
  for (size_t i = 0; i < r->group_count; i++)
    group_commit(r->group[i]);
  read_gate_open(&r->gate);
}

size_t reader_group_count(const struct reader *r) { return r->group_count; }

struct group *reader_group(struct reader *r, size_t i) {
  return r->group[i];
}

const struct reader_health *reader_health(const struct reader *r) {
  return &r->health;
}

uint32_t reader_attributes(const struct reader *r) {
  return r->request.attributes;
}

const char *reader_refusal(const struct reader *r) {
  return observer_refusal(r->observer);
}

const struct sock_diag_request *reader_request(const struct reader *r) {
  return &r->request.ask;
}
