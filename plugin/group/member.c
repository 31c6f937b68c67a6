#include "group/member.h"

#include "util/buffer.h"
#include "util/key_table.h"
#include "util/top_k.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum series_state {
  SERIES_CHOSEN,    /* given out by this read's settling */
  SERIES_REPORTING, /* its member's sockets are added to it */
  SERIES_LEAVING,   /* reports this read for the last time */
  SERIES_RETIRED,   /* does not plan; its counters are remembered */
};

struct series {
  TAILQ_ENTRY(series) link;
  uint32_t member;
  enum series_state state;
  unsigned idle; /* reads without a socket */
  struct accumulator *accumulator;
  char name[MEMBER_KEY_NAME_MAX]; /* empty: not made yet */
};
TAILQ_HEAD(series_list, series);

struct member {
  struct series *series; /* NULL: never had one, or it is forgotten */
  uint64_t bytes;        /* since the last settling */
  double busy;           /* decaying average of bytes, and of sockets */
  uint32_t sockets;      /* joined, and not gone */
  uint32_t retained;     /* joined, and gone */
  bool touched;          /* one joined since the last settling */
  bool before;           /* and before that, since the last but one */
  bool passing;          /* counts in members.passing */
  bool judged;           /* what one did since then is in `outliers` */
};

/* Members without a socket or a series any more that did something since the
 * last settling: so many are kept until the next one but one. */
enum { PASSING_MAX = 65536 };

struct members {
  const struct group_settings *settings;
  struct plan *plan;
  struct name_lookup *names;
  struct key_table *table;    /* of struct member, by key */
  struct buffer accumulators; /* struct accumulator *, by member, in one place:
                                 see accumulator_at */

  struct series_list shown; /* chosen, reporting, leaving */
  struct series_list retired;
  size_t shown_count, retired_count;
  struct accumulator *other;
  struct accumulator
      *floor;  /* at least what any forgotten series had counted */
  bool forgot; /* there was one */
  size_t count, in_other;
  size_t passing; /* without socket and series, since the last settling */

  struct top_k *candidates; /* for a series */

  struct outliers *outliers; /* NULL: nobody asks for them */
};

static struct member *member_at(const struct members *m, uint32_t i) {
  return key_table_at(m->table, i);
}

/* The accumulator of its series, while that is reporting, or NULL. */
static struct accumulator **accumulator_at(const struct members *m,
                                           uint32_t i) {
  return (struct accumulator **)m->accumulators.at + i;
}

static bool outliers_make(struct members *m) {
  const struct group_settings *settings = m->settings;
  bool wanted = settings->worst > 0;
  for (size_t i = 0; i < settings->metrics.count; i++)
    wanted |= settings->metrics.choice[i].id == METRIC_OUTLIERS;
  if (!wanted)
    return true;
  m->outliers = outliers_new(settings->worst);
  return m->outliers != NULL;
}

struct members *members_new(const struct group_settings *settings,
                            struct plan *plan, struct name_lookup *names) {
  struct members *m = calloc(1, sizeof(*m));
  if (m == NULL)
    return NULL;
  m->settings = settings;
  m->plan = plan;
  m->names = names;
  TAILQ_INIT(&m->shown);
  TAILQ_INIT(&m->retired);
  m->table = key_table_new(member_key_size(settings), sizeof(struct member));
  m->other = accumulator_new(plan);
  m->floor = accumulator_new(plan);
  m->candidates = top_k_new(settings->max_members);
  bool judged = outliers_make(m);
  if (m->table == NULL || m->other == NULL || m->floor == NULL ||
      m->candidates == NULL || !judged) {
    members_free(m);
    return NULL;
  }
  return m;
}

static void series_list_free(struct series_list *list) {
  for (struct series *s; (s = TAILQ_FIRST(list)) != NULL;) {
    TAILQ_REMOVE(list, s, link);
    accumulator_free(s->accumulator);
    free(s);
  }
}

void members_free(struct members *m) {
  if (m == NULL)
    return;
  series_list_free(&m->shown);
  series_list_free(&m->retired);
  accumulator_free(m->other);
  accumulator_free(m->floor);
  top_k_free(m->candidates);
  outliers_free(m->outliers);
  key_table_free(m->table);
  buffer_resize(&m->accumulators, 0);
  free(m);
}

void members_begin(struct members *m) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link)
    accumulator_begin(s->accumulator);
  accumulator_begin(m->other);
  if (m->outliers != NULL)
    outliers_begin(m->outliers);
}

/* --- Series ------------------------------------------------------------- */

static void series_set(struct members *m, struct series *s,
                       enum series_state state) {
  s->state = state;
  *accumulator_at(m, s->member) =
      state == SERIES_REPORTING ? s->accumulator : NULL;
}

/* A series for the member: its old one, or a new one. Its name is made later:
 * that may open files. False: out of memory. */
static bool series_give(struct members *m, uint32_t member,
                        enum series_state state) {
  struct series *s = member_at(m, member)->series;
  if (s != NULL) {
    TAILQ_REMOVE(&m->retired, s, link);
    m->retired_count--;
  } else {
    s = calloc(1, sizeof(*s));
    if (s == NULL)
      return false;
    s->accumulator = accumulator_new(m->plan);
    if (s->accumulator == NULL) {
      free(s);
      return false;
    }
    accumulator_raise(s->accumulator, m->floor);
    s->member = member;
    member_at(m, member)->series = s;
  }
  series_set(m, s, state);
  s->idle = 0;
  TAILQ_INSERT_TAIL(&m->shown, s, link);
  m->shown_count++;
  return true;
}

/* --- Sockets ------------------------------------------------------------ */

/* Room for the accumulator of one more. */
static bool cells_grow(struct members *m) {
  size_t size =
      (key_table_end(m->table) + (size_t)1) * sizeof(struct accumulator *);
  return size <= m->accumulators.size ||
         buffer_resize(&m->accumulators, size + size / 2);
}

uint32_t members_join(struct members *m, const struct socket_attrs *t) {
  uint8_t key[MEMBER_KEY_MAX];
  member_key_make(m->settings, t, key);
  uint32_t i = key_table_find(m->table, key);
  if (i == KEY_TABLE_NONE && cells_grow(m))
    i = key_table_add(m->table, key);
  if (i == KEY_TABLE_NONE)
    return KEY_TABLE_NONE;
  struct member *e = member_at(m, i);
  m->passing -= e->passing;
  e->passing = false;
  e->touched = true;
  bool first = e->sockets++ == 0;
  bool retired = e->series != NULL && e->series->state == SERIES_RETIRED;
  bool fresh = e->series == NULL && !m->forgot;
  if (first && (retired || fresh) && m->shown_count < m->settings->max_members)
    series_give(m, i, SERIES_REPORTING); /* without memory: `other` */
  return i;
}

void members_retain(struct members *m, uint32_t member) {
  struct member *e = member_at(m, member);
  e->sockets--;
  e->retained++;
}

static bool is_empty(const struct member *e) {
  return e->sockets == 0 && e->retained == 0 && e->series == NULL;
}

void members_leave(struct members *m, uint32_t member, bool retained) {
  struct member *e = member_at(m, member);
  --*(retained ? &e->retained : &e->sockets);
  if (!is_empty(e))
    return;
  if ((e->touched || e->judged) && m->passing < PASSING_MAX) {
    e->passing = true;
    m->passing++;
    return;
  }
  if (m->outliers != NULL) /* its number will be another's */
    outliers_forget(m->outliers, member);
  key_table_remove(m->table, member);
}

struct accumulator *members_cell(struct members *m, uint32_t member) {
  struct accumulator *accumulator = *accumulator_at(m, member);
  return accumulator != NULL ? accumulator : m->other;
}

void members_fetch(const struct members *m, uint32_t member) {
  if (member < m->accumulators.size / sizeof(struct accumulator *) &&
      *accumulator_at(m, member) != NULL)
    accumulator_prefetch(*accumulator_at(m, member), m->plan);
}

struct accumulator *members_other(struct members *m) {
  return m->other;
}

struct accumulator *members_cell_of(struct members *m,
                                    const struct socket_attrs *t) {
  uint8_t key[MEMBER_KEY_MAX];
  member_key_make(m->settings, t, key);
  uint32_t i = key_table_find(m->table, key);
  return i != KEY_TABLE_NONE ? members_cell(m, i) : m->other;
}

void members_add_bytes(struct members *m, uint32_t member, uint64_t bytes) {
  member_at(m, member)->bytes += bytes;
}

void members_judge(struct members *m, uint32_t member,
                   const struct observation *r) {
  if (m->outliers == NULL)
    return;
  outliers_add(m->outliers, member, r);
  member_at(m, member)->judged = true;
}

void members_judge_rest(struct members *m, uint32_t member,
                        const uint64_t *delta) {
  if (m->outliers == NULL)
    return;
  outliers_add_rest(m->outliers, member, delta);
  member_at(m, member)->judged = true;
}

/* --- Who has a series --------------------------------------------------- */

static struct top_k_entry activity_of(const struct members *m,
                                      uint32_t member) {
  return (struct top_k_entry){.member = member,
                              .busy = member_at(m, member)->busy};
}

/* Looks at all members: who is there, and who might get a series. On the way
 * their averages move on, and those that are gone are forgotten. */
static void members_walk(struct members *m) {
  m->count = 0;
  m->in_other = 0;
  top_k_clear(m->candidates);
  for (uint32_t i = 0; i < key_table_end(m->table); i++) {
    if (!key_table_used(m->table, i))
      continue;
    struct member *e = member_at(m, i);
    e->busy = e->busy * 0.75 + ((double)e->bytes + e->sockets) * 0.25;
    e->bytes = 0;
    bool there = e->sockets > 0 || e->touched;
    bool stays = e->sockets > 0 || (e->touched && (e->before || !m->forgot));
    e->before = e->touched;
    e->touched = e->judged = e->passing = false;
    if (!there && is_empty(e))
      key_table_remove(m->table, i);
    if (!there)
      continue;
    m->count++;
    if (e->series != NULL && e->series->state != SERIES_RETIRED)
      continue;
    m->in_other++;
    if (stays)
      top_k_offer(m->candidates, activity_of(m, i));
  }
  m->passing = 0;
}

static void series_age(struct members *m) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link) {
    bool there = accumulator_connections(s->accumulator) > 0 ||
                 member_at(m, s->member)->touched;
    s->idle = there ? 0 : s->idle + 1;
    if (s->idle >= m->settings->member_timeout)
      series_set(m, s, SERIES_LEAVING);
  }
}

static struct series *series_least_busy(const struct members *m) {
  struct series *s, *least = NULL;
  TAILQ_FOREACH (s, &m->shown, link)
    if (s->state == SERIES_REPORTING &&
        (least == NULL ||
         top_k_less(activity_of(m, s->member), activity_of(m, least->member))))
      least = s;
  return least;
}

static struct series *name_find(struct series_list *list,
                                const struct series *but) {
  struct series *s;
  TAILQ_FOREACH (s, list, link)
    if (s != but && strcmp(s->name, but->name) == 0)
      return s;
  return NULL;
}

/* The series goes; its member may stay. */
static void series_forget(struct members *m, struct series *s) {
  bool retired = s->state == SERIES_RETIRED;
  TAILQ_REMOVE(retired ? &m->retired : &m->shown, s, link);
  *(retired ? &m->retired_count : &m->shown_count) -= 1;
  member_at(m, s->member)->series = NULL;
  *accumulator_at(m, s->member) = NULL;
  if (is_empty(member_at(m, s->member)))
    key_table_remove(m->table, s->member);
  accumulator_free(s->accumulator);
  free(s);
}

/* Different keys may have one name, but two series must not: a service that was
 * started anew has another cgroup of the same name, and goes on in its series;
 * two that live at the same time (`init.scope`) are told apart by a hash, and
 * so is a user whom somebody called `other` or `worst1`. */
static void series_name(struct members *m, struct series *s) {
  const uint8_t *key = key_table_key(m->table, s->member);
  member_key_format(m->settings, key, m->names, false, s->name);
  struct series *same = name_find(&m->shown, s);
  if (same == NULL)
    same = name_find(&m->retired, s);
  bool lives = same != NULL && (same->state == SERIES_CHOSEN ||
                                accumulator_is_used(same->accumulator));
  if (lives || member_key_name_is_taken(m->settings, s->name)) {
    member_key_format(m->settings, key, m->names, true, s->name);
    same = name_find(&m->retired, s); /* its own of an earlier life */
  }
  if (same != NULL && !lives) {
    accumulator_inherit(s->accumulator, same->accumulator);
    series_forget(m, same);
  }
}

static void series_names(struct members *m) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link)
    if (s->name[0] == '\0')
      series_name(m, s);
}

static void series_choose(struct members *m) {
  size_t n, limit = m->settings->max_members;
  size_t changes = limit / 4 + 1;
  const struct top_k_entry *candidate = top_k_get(m->candidates, &n);
  for (size_t i = 0; i < n; i++) {
    if (m->shown_count >= limit) {
      struct series *least = changes > 0 ? series_least_busy(m) : NULL;
      if (least == NULL ||
          candidate[i].busy <= 2 * activity_of(m, least->member).busy)
        return;
      changes--;
      series_set(m, least, SERIES_LEAVING);
    }
    if (!series_give(m, candidate[i].member, SERIES_CHOSEN))
      return;
  }
}

/* While their numbers hold. */
static void worst_name(struct members *m) {
  for (unsigned i = 0; i < OUTLIER_MEASURES; i++) {
    size_t count;
    struct outlier *w =
        outliers_worst(m->outliers, (enum outlier_measure)i, &count);
    for (size_t k = 0; k < count; k++)
      if (w[k].value > 0)
        member_key_format(m->settings, key_table_key(m->table, w[k].member),
                          m->names, false, w[k].name);
  }
}

bool members_worst(const struct members *m, enum outlier_measure measure,
                   size_t rank, struct outlier *out) {
  size_t count = 0;
  const struct outlier *w = NULL;
  if (m->outliers != NULL)
    w = outliers_worst(m->outliers, measure, &count);
  if (rank >= count)
    return false;
  *out = w[rank];
  return true;
}

int members_outliers(const struct members *m) {
  return m->outliers != NULL ? outliers_count(m->outliers) : -1;
}

void members_sum(const struct members *m, struct accumulator *total) {
  const struct series *s;
  TAILQ_FOREACH (s, &m->shown, link)
    accumulator_sum(total, s->accumulator);
  accumulator_sum(total, m->other);
}

void members_settle(struct members *m) {
  if (m->outliers != NULL) {
    outliers_settle(m->outliers);
    worst_name(m);
  }
  series_age(m);
  members_walk(m);
  series_choose(m);
  series_names(m);
}

/* The oldest ones beyond the bound are forgotten, but for the floor. */
static void retired_trim(struct members *m) {
  while (m->retired_count > (size_t)4 * m->settings->max_members) {
    struct series *s = TAILQ_FIRST(&m->retired);
    accumulator_raise(m->floor, s->accumulator);
    m->forgot = true;
    series_forget(m, s);
  }
}

static void cells_trim(struct members *m) {
  size_t size = key_table_end(m->table) * sizeof(struct accumulator *);
  if (size < m->accumulators.size / 2)
    buffer_resize(&m->accumulators, size);
}

void members_commit(struct members *m) {
  for (struct series *s = TAILQ_FIRST(&m->shown), *next; s != NULL; s = next) {
    next = TAILQ_NEXT(s, link);
    accumulator_commit(s->accumulator);
    if (s->state == SERIES_LEAVING) {
      accumulator_begin(s->accumulator);
      accumulator_shrink(s->accumulator);
      TAILQ_REMOVE(&m->shown, s, link);
      m->shown_count--;
      TAILQ_INSERT_TAIL(&m->retired, s, link);
      m->retired_count++;
      series_set(m, s, SERIES_RETIRED);
    } else {
      series_set(m, s, SERIES_REPORTING);
    }
  }
  accumulator_commit(m->other);
  if (m->outliers != NULL)
    outliers_commit(m->outliers);
  retired_trim(m);
  key_table_trim(m->table);
  cells_trim(m);
}

void members_each(struct members *m, members_cb *cb, void *data) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link)
    cb(s->name, s->accumulator, s->state == SERIES_CHOSEN, data);
  cb("other", m->other, false, data);
}

size_t members_count(const struct members *m) { return m->count; }
size_t members_in_other(const struct members *m) { return m->in_other; }
