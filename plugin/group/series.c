/* The states of series.h and what leads from one to the next. "End" means
 * series_end(), the one exit, after which the member has no series (NONE).
 *
 *              series_new(),   series_leave(),  another series  commit: the
 *              series_resume() series_age()     wants its name  values were
 *                                                               dispatched
 *   NONE       new: CHOSEN or  -                -               -
 *              REPORTING
 *   CHOSEN     -               -                keeps it        REPORTING
 *   REPORTING  -               LEAVING          if used: keeps  REPORTING
 *                                               it; else: end
 *   LEAVING    -               -                if used: keeps  RETIRED
 *                                               it; else: end
 *   RETIRED    CHOSEN or       -                end             RETIRED, if too
 *              REPORTING                                        many: end (a)
 *
 *   "Used": a socket was added to it in this dump. If a series keeps its name,
 *   the name of the other one gets a hash. If it ends, the other one inherits
 *   its counters.
 *
 *   (a) The oldest one ends, and the floor rises to its counters. */
#include "group/series.h"

#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { RETIRED_MOST = 4 }; /* remembered, times MaxMembers */

struct series {
  TAILQ_ENTRY(series) link;
  uint32_t member;
  enum series_state state;
  unsigned idle; /* reads without a socket of the member */
  struct accumulator *accumulator;
  char name[MEMBER_KEY_NAME_MAX]; /* empty: not named yet */
};

TAILQ_HEAD(series_queue, series);

struct series_list {
  struct series_queue queue;
  size_t count;
};

struct series_set {
  struct series_options options;
  /* struct accumulator *, by member: that of its series if it is reporting,
   * else NULL. One array, because it is looked up for each socket. */
  struct buffer reporting;
  struct accumulator *other;
  struct series_list shown;   /* chosen, reporting, leaving */
  struct series_list retired; /* the oldest first */
  /* At least the counters of any series that was forgotten. */
  struct accumulator *floor;
  bool has_floor;
};

/* --- Lists ---------------------------------------------------------------- */

static void list_add(struct series_list *list, struct series *s) {
  TAILQ_INSERT_TAIL(&list->queue, s, link);
  list->count++;
}

static void list_remove(struct series_list *list, struct series *s) {
  TAILQ_REMOVE(&list->queue, s, link);
  list->count--;
}

static void series_free(struct series *s) {
  accumulator_free(s->accumulator);
  free(s);
}

static void list_free(struct series_list *list) {
  for (struct series *s; (s = TAILQ_FIRST(&list->queue)) != NULL;) {
    list_remove(list, s);
    series_free(s);
  }
}

/* Returns another series than `but` that has the same name, or NULL. */
static struct series *list_find(const struct series_list *list,
                                const struct series *but) {
  struct series *s;
  TAILQ_FOREACH (s, &list->queue, link)
    if (s != but && strcmp(s->name, but->name) == 0)
      return s;
  return NULL;
}

/* --- The set -------------------------------------------------------------- */

struct series_set *series_set_new(const struct series_options *options) {
  struct series_set *set = calloc(1, sizeof(*set));
  if (set == NULL)
    return NULL;
  set->options = *options;
  TAILQ_INIT(&set->shown.queue);
  TAILQ_INIT(&set->retired.queue);
  set->other = accumulator_new(options->plan);
  set->floor = accumulator_new(options->plan);
  if (set->other == NULL || set->floor == NULL) {
    series_set_free(set);
    return NULL;
  }
  return set;
}

void series_set_free(struct series_set *set) {
  if (set == NULL)
    return;
  list_free(&set->shown);
  list_free(&set->retired);
  accumulator_free(set->other);
  accumulator_free(set->floor);
  buffer_resize(&set->reporting, 0);
  free(set);
}

static struct accumulator **reporting_at(const struct series_set *set,
                                         uint32_t member) {
  return (struct accumulator **)set->reporting.at + member;
}

bool series_set_reserve(struct series_set *set, uint32_t end) {
  size_t size = end * sizeof(struct accumulator *);
  return size <= set->reporting.size ||
         buffer_resize(&set->reporting, size + size / 2);
}

void series_set_trim(struct series_set *set, uint32_t end) {
  size_t size = end * sizeof(struct accumulator *);
  if (size < set->reporting.size / 2)
    buffer_resize(&set->reporting, size);
}

struct accumulator *series_set_accumulator(const struct series_set *set,
                                           uint32_t member) {
  struct accumulator *a = *reporting_at(set, member);
  return a != NULL ? a : set->other;
}

void series_set_prefetch(const struct series_set *set, uint32_t member) {
  if (member < set->reporting.size / sizeof(struct accumulator *) &&
      *reporting_at(set, member) != NULL)
    accumulator_prefetch(*reporting_at(set, member), set->options.plan);
}

struct accumulator *series_set_other(const struct series_set *set) {
  return set->other;
}

bool series_set_has_room(const struct series_set *set) {
  return set->shown.count < set->options.settings->max_members;
}

bool series_set_has_floor(const struct series_set *set) {
  return set->has_floor;
}

/* --- Transitions ---------------------------------------------------------- */

static struct series_list *list_of(struct series_set *set,
                                   enum series_state state) {
  return state == SERIES_RETIRED ? &set->retired : &set->shown;
}

/* Every change of a state but the exit. */
static void series_enter(struct series_set *set, struct series *s,
                         enum series_state state) {
  if (s->state == SERIES_NONE) {
    list_add(list_of(set, state), s);
  } else if (list_of(set, s->state) != list_of(set, state)) {
    list_remove(list_of(set, s->state), s);
    list_add(list_of(set, state), s);
  }
  s->state = state;
  *reporting_at(set, s->member) =
      state == SERIES_REPORTING ? s->accumulator : NULL;
}

/* The one exit. */
static void series_end(struct series_set *set, struct series *s) {
  uint32_t member = s->member;
  list_remove(list_of(set, s->state), s);
  *reporting_at(set, member) = NULL;
  series_free(s);
  set->options.ended(member, set->options.data);
}

struct series *series_new(struct series_set *set, uint32_t member,
                          enum series_state state) {
  struct series *s = calloc(1, sizeof(*s));
  if (s == NULL)
    return NULL;
  s->member = member;
  s->accumulator = accumulator_new(set->options.plan);
  if (s->accumulator == NULL) {
    free(s);
    return NULL;
  }
  accumulator_raise(s->accumulator, set->floor);
  series_enter(set, s, state);
  return s;
}

void series_resume(struct series_set *set, struct series *s,
                   enum series_state state) {
  s->idle = 0;
  series_enter(set, s, state);
}

void series_leave(struct series_set *set, struct series *s) {
  series_enter(set, s, SERIES_LEAVING);
}

void series_age(struct series_set *set, struct series *s, bool joined) {
  bool has_socket = joined || accumulator_connections(s->accumulator) > 0;
  s->idle = has_socket ? 0 : s->idle + 1;
  if (s->idle >= set->options.settings->member_timeout)
    series_leave(set, s);
}

/* A leaving series goes on without the values of this dump. */
static void series_retire(struct series_set *set, struct series *s) {
  accumulator_begin(s->accumulator);
  accumulator_shrink(s->accumulator);
  series_enter(set, s, SERIES_RETIRED);
}

static void series_forget_oldest(struct series_set *set) {
  struct series *s = TAILQ_FIRST(&set->retired.queue);
  accumulator_raise(set->floor, s->accumulator);
  set->has_floor = true;
  series_end(set, s);
}

void series_set_commit(struct series_set *set) {
  struct series *next, *s = TAILQ_FIRST(&set->shown.queue);
  for (; s != NULL; s = next) {
    next = TAILQ_NEXT(s, link);
    accumulator_commit(s->accumulator);
    if (s->state == SERIES_LEAVING)
      series_retire(set, s);
    else
      series_enter(set, s, SERIES_REPORTING);
  }
  accumulator_commit(set->other);
  size_t most = (size_t)RETIRED_MOST * set->options.settings->max_members;
  while (set->retired.count > most)
    series_forget_oldest(set);
}

/* --- Names ---------------------------------------------------------------- */

static void format_name(const struct series_set *set, struct series *s,
                        bool distinct) {
  member_key_format(set->options.settings,
                    key_table_key(set->options.members, s->member),
                    set->options.names, distinct, s->name);
}

static bool keeps_name(const struct series *s) {
  return s->state == SERIES_CHOSEN || accumulator_is_used(s->accumulator);
}

/* Different keys may have the same name, but two series must not:
 *
 *   1. If the name belongs to the group (`other`, `worst1`), or to a series
 *      that keeps it, the name gets a hash: two cgroups called `init.scope`
 *      live at the same time.
 *   2. If another series has the name and does not keep it, that one ends and
 *      this one inherits its counters: a restarted service has a new cgroup of
 *      the same name. */
static void series_name(struct series_set *set, struct series *s) {
  format_name(set, s, false);
  struct series *same = list_find(&set->shown, s);
  if (same == NULL)
    same = list_find(&set->retired, s);
  bool kept = same != NULL && keeps_name(same);
  if (kept || member_key_name_is_taken(set->options.settings, s->name)) {
    format_name(set, s, true);
    same = list_find(&set->retired, s);
  }
  if (same != NULL && !kept) {
    accumulator_inherit(s->accumulator, same->accumulator);
    series_end(set, same);
  }
}

void series_set_name(struct series_set *set) {
  struct series *s;
  TAILQ_FOREACH (s, &set->shown.queue, link)
    if (s->name[0] == '\0')
      series_name(set, s);
}

/* --- Walks ---------------------------------------------------------------- */

enum series_state series_state_of(const struct series *s) {
  return s != NULL ? s->state : SERIES_NONE;
}

uint32_t series_member(const struct series *s) { return s->member; }

struct series *series_set_next(const struct series_set *set,
                               const struct series *s) {
  return s != NULL ? TAILQ_NEXT(s, link) : TAILQ_FIRST(&set->shown.queue);
}

void series_set_begin(struct series_set *set) {
  struct series *s;
  TAILQ_FOREACH (s, &set->shown.queue, link)
    accumulator_begin(s->accumulator);
  accumulator_begin(set->other);
}

void series_set_sum(const struct series_set *set, struct accumulator *total) {
  const struct series *s;
  TAILQ_FOREACH (s, &set->shown.queue, link)
    accumulator_sum(total, s->accumulator);
  accumulator_sum(total, set->other);
}

void series_set_each(const struct series_set *set, series_cb *cb, void *data) {
  struct series *s;
  TAILQ_FOREACH (s, &set->shown.queue, link)
    cb(s->name, s->accumulator, s->state == SERIES_CHOSEN, data);
  cb("other", set->other, false, data);
}
