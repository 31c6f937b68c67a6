/* The states of series.h and what leads from one to the next. "End" means
 * series_end(), the one exit, after which the member has no series (NONE).
 *
 *              series_begin(),  series_leave(),  a member of    commit: the
 *              series_accept()  series_age(),    the same       values were
 *                               series_set_      identity       dispatched
 *                               rename()         takes it over
 *   NONE       begin:           -                -              -
 *              REPORTING;
 *              accept: CHOSEN
 *   CHOSEN     -                -                CHOSEN         REPORTING
 *   REPORTING  -                LEAVING          REPORTING      REPORTING
 *   LEAVING    -                -                REPORTING      end
 *
 *   A series that series_begin() made and that gets no name ends at
 *   series_set_name(): `other`, or the series of the same identity, absorbs it.
 */
#include "group/series.h"

#include "group/name_registry.h"
#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct series {
  TAILQ_ENTRY(series) link;
  uint32_t member;
  enum series_state state;
  unsigned idle; /* reads without a socket of the member */
  struct accumulator *accumulator;
  uint64_t owner;                 /* of the name, see struct member_name */
  char name[MEMBER_KEY_NAME_MAX]; /* empty: not named yet */
};

TAILQ_HEAD(series_queue, series);

/* The name that a member may have. */
struct claim {
  uint32_t member;
  enum name_claim result;
  struct series *holder; /* NAME_IN_USE: who has it */
  uint64_t owner;
  char name[MEMBER_KEY_NAME_MAX];
};

struct series_set {
  struct series_options options;
  /* struct accumulator *, by member: that of its series if it is reporting,
   * else NULL. One array, because it is looked up for each socket. */
  struct buffer reporting;
  struct accumulator *other;
  struct series_queue queue;
  size_t count;
  struct name_registry *registry;
  uint64_t *saved; /* counters on their way to the registry */
  struct claim offered;
};

/* --- The set -------------------------------------------------------------- */

static void series_free(struct series *s) {
  accumulator_free(s->accumulator);
  free(s);
}

static void queue_remove(struct series_set *set, struct series *s) {
  TAILQ_REMOVE(&set->queue, s, link);
  set->count--;
}

struct series_set *series_set_new(const struct series_options *options) {
  struct series_set *set = calloc(1, sizeof(*set));
  if (set == NULL)
    return NULL;
  set->options = *options;
  TAILQ_INIT(&set->queue);
  size_t numbers = accumulator_saved_count(options->plan);
  set->other = accumulator_new(options->plan);
  set->registry = name_registry_new(numbers, NAME_REGISTRY_MOST);
  set->saved = calloc(numbers, sizeof(*set->saved));
  if (set->other == NULL || set->registry == NULL || set->saved == NULL) {
    series_set_free(set);
    return NULL;
  }
  return set;
}

void series_set_free(struct series_set *set) {
  if (set == NULL)
    return;
  for (struct series *s; (s = TAILQ_FIRST(&set->queue)) != NULL;) {
    queue_remove(set, s);
    series_free(s);
  }
  accumulator_free(set->other);
  name_registry_free(set->registry);
  free(set->saved);
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
  return set->count < set->options.settings->max_members;
}

bool series_set_is_scarce(const struct series_set *set) {
  return name_registry_is_scarce(set->registry);
}

bool series_set_is_full(const struct series_set *set) {
  return name_registry_is_full(set->registry);
}

/* --- Transitions ---------------------------------------------------------- */

static void series_enter(struct series_set *set, struct series *s,
                         enum series_state state) {
  s->state = state;
  *reporting_at(set, s->member) =
      state == SERIES_REPORTING ? s->accumulator : NULL;
}

/* The one exit. */
static void series_end(struct series_set *set, struct series *s) {
  uint32_t member = s->member;
  queue_remove(set, s);
  *reporting_at(set, member) = NULL;
  series_free(s);
  set->options.ended(member, set->options.data);
}

static struct series *series_new(struct series_set *set, uint32_t member,
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
  TAILQ_INSERT_TAIL(&set->queue, s, link);
  set->count++;
  series_enter(set, s, state);
  return s;
}

struct series *series_begin(struct series_set *set, uint32_t member) {
  return series_new(set, member, SERIES_REPORTING);
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

/* The member that had the series is counted in `other` from now on. */
static struct series *series_take_over(struct series_set *set, struct series *s,
                                       uint32_t member) {
  uint32_t before = s->member;
  enum series_state state =
      s->state == SERIES_LEAVING ? SERIES_REPORTING : s->state;
  *reporting_at(set, before) = NULL;
  s->member = member;
  s->idle = 0;
  series_enter(set, s, state);
  set->options.ended(before, set->options.data);
  set->options.taken(member, s, set->options.data);
  return s;
}

static void series_retire(struct series_set *set, struct series *s) {
  accumulator_save(s->accumulator, set->saved);
  name_registry_give_back(set->registry, s->name, set->saved);
  series_end(set, s);
}

void series_set_commit(struct series_set *set) {
  struct series *next, *s = TAILQ_FIRST(&set->queue);
  for (; s != NULL; s = next) {
    next = TAILQ_NEXT(s, link);
    accumulator_commit(s->accumulator);
    if (s->state == SERIES_LEAVING)
      series_retire(set, s);
    else
      series_enter(set, s, SERIES_REPORTING);
  }
  accumulator_commit(set->other);
}

/* --- Names ---------------------------------------------------------------- */

static void member_name(const struct series_set *set, uint32_t member,
                        struct member_name *out) {
  member_key_name(set->options.settings,
                  key_table_key(set->options.members, member),
                  set->options.names, name_registry_secret(set->registry), out);
}

static void claim_try(const struct series_set *set, struct claim *c,
                      const char *name) {
  void *holder = NULL;
  strcpy(c->name, name);
  c->result = name_registry_ask(set->registry, name, c->owner, &holder);
  c->holder = holder;
}

/* The plain name, or the distinct one if the plain one is another member's. */
static void claim_make(const struct series_set *set, uint32_t member,
                       struct claim *c) {
  struct member_name n;
  member_name(set, member, &n);
  *c = (struct claim){
      .member = member, .result = NAME_FOREIGN, .owner = n.owner};
  if (!n.exists)
    return;
  claim_try(set, c, n.plain);
  if (c->result == NAME_FOREIGN)
    claim_try(set, c, n.distinct);
}

/* False: out of memory. */
static bool series_set_claim(struct series_set *set, struct series *s,
                             const struct claim *c) {
  const uint64_t *counters =
      name_registry_take(set->registry, c->name, c->owner, s);
  if (counters == NULL)
    return false;
  s->owner = c->owner;
  strcpy(s->name, c->name);
  accumulator_resume(s->accumulator, counters);
  return true;
}

enum series_offer series_offer(struct series_set *set, uint32_t member) {
  claim_make(set, member, &set->offered);
  /* More series than MaxMembers: one leaves, and its place is given away. */
  bool over = set->count > set->options.settings->max_members;
  switch (set->offered.result) {
  case NAME_FREE:
    return SERIES_OFFER_NEW;
  case NAME_IN_USE:
    if (over && set->offered.holder->state == SERIES_LEAVING)
      return SERIES_OFFER_NOTHING;
    return SERIES_OFFER_TAKE_OVER;
  case NAME_FOREIGN:
  case NAME_REFUSED:
    break;
  }
  return SERIES_OFFER_NOTHING;
}

struct series *series_accept(struct series_set *set) {
  const struct claim *c = &set->offered;
  if (c->result == NAME_IN_USE)
    return series_take_over(set, c->holder, c->member);
  struct series *s = series_new(set, c->member, SERIES_CHOSEN);
  if (s == NULL)
    return NULL;
  if (series_set_claim(set, s, c)) {
    set->options.taken(c->member, s, set->options.data);
    return s;
  }
  queue_remove(set, s);
  series_free(s);
  return NULL;
}

/* A series without a name has only this read's values. */
static void series_name_or_end(struct series_set *set, struct series *s) {
  struct claim c;
  uint32_t member = s->member;
  claim_make(set, member, &c);
  if (c.result == NAME_FREE && series_set_claim(set, s, &c))
    return;
  bool same = c.result == NAME_IN_USE;
  accumulator_absorb(same ? c.holder->accumulator : set->other, s->accumulator);
  if (!same) {
    series_end(set, s);
    return;
  }
  queue_remove(set, s);
  series_free(s);
  series_take_over(set, c.holder, member);
}

/* The member is called something else now, or by nothing that exists. */
static bool is_renamed(const struct series_set *set, const struct series *s) {
  const struct group_settings *settings = set->options.settings;
  const uint8_t *key = key_table_key(set->options.members, s->member);
  if (!member_key_may_rename(settings, key))
    return false;
  struct member_name n;
  member_name(set, s->member, &n);
  return !n.exists || n.owner != s->owner;
}

void series_set_name(struct series_set *set) {
  struct series *next, *s;
  TAILQ_FOREACH (s, &set->queue, link)
    if (s->name[0] != '\0' && is_renamed(set, s))
      series_leave(set, s);
  for (s = TAILQ_FIRST(&set->queue); s != NULL; s = next) {
    next = TAILQ_NEXT(s, link);
    if (s->name[0] == '\0')
      series_name_or_end(set, s);
  }
}

/* --- Walks ---------------------------------------------------------------- */

enum series_state series_state_of(const struct series *s) {
  return s != NULL ? s->state : SERIES_NONE;
}

uint32_t series_member(const struct series *s) { return s->member; }

void series_set_name_of(const struct series_set *set, uint32_t member,
                        const struct series *s,
                        char name[MEMBER_KEY_NAME_MAX]) {
  struct member_name n;
  if (s != NULL && s->name[0] != '\0') {
    strcpy(name, s->name);
    return;
  }
  member_name(set, member, &n);
  strcpy(name, n.plain);
}

struct series *series_set_next(const struct series_set *set,
                               const struct series *s) {
  return s != NULL ? TAILQ_NEXT(s, link) : TAILQ_FIRST(&set->queue);
}

void series_set_begin(struct series_set *set) {
  struct series *s;
  TAILQ_FOREACH (s, &set->queue, link)
    accumulator_begin(s->accumulator);
  accumulator_begin(set->other);
}

void series_set_sum(const struct series_set *set, struct accumulator *total) {
  const struct series *s;
  TAILQ_FOREACH (s, &set->queue, link)
    accumulator_sum(total, s->accumulator);
  accumulator_sum(total, set->other);
}

void series_set_each(const struct series_set *set, series_cb *cb, void *data) {
  struct series *s;
  TAILQ_FOREACH (s, &set->queue, link)
    cb(s->name, s->accumulator, s->state == SERIES_CHOSEN, data);
  cb("other", set->other, false, data);
}
