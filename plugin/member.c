#include "member.h"

#include "busiest.h"
#include "pages.h"
#include "roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum series_state {
  SERIES_CHOSEN,    /* given out by this read's settling */
  SERIES_REPORTING, /* its member's sockets are added to it */
  SERIES_LEAVING,   /* reports this read for the last time */
  SERIES_RETIRED,   /* does not report; its counters are remembered */
};

struct series {
  TAILQ_ENTRY(series) link;
  uint32_t member;
  enum series_state state;
  unsigned idle; /* reads without a socket */
  struct cell *cell;
  char name[KEY_NAME_MAX]; /* empty: not made yet */
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
  struct report *report;
  struct names *names;
  struct roster *roster; /* of struct member, by key */
  struct pages cells; /* struct cell *, by member, in one place: see cell_at */

  struct series_list shown; /* chosen, reporting, leaving */
  struct series_list retired;
  size_t shown_count, retired_count;
  struct cell *other;
  struct cell *floor; /* at least what any forgotten series had counted */
  bool forgot;        /* there was one */
  size_t count, folded;
  size_t passing; /* without socket and series, since the last settling */

  struct busiest *candidates; /* for a series */

  struct outliers *outliers; /* NULL: nobody asks for them */
};

static struct member *member_at(const struct members *m, uint32_t i) {
  return roster_at(m->roster, i);
}

/* The cell of its series, while that is reporting, or NULL. */
static struct cell **cell_at(const struct members *m, uint32_t i) {
  return (struct cell **)m->cells.at + i;
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
                            struct report *report, struct names *names) {
  struct members *m = calloc(1, sizeof(*m));
  if (m == NULL)
    return NULL;
  m->settings = settings;
  m->report = report;
  m->names = names;
  TAILQ_INIT(&m->shown);
  TAILQ_INIT(&m->retired);
  m->roster = roster_new(key_size(settings), sizeof(struct member));
  m->other = cell_new(report);
  m->floor = cell_new(report);
  m->candidates = busiest_new(settings->max_members);
  bool judged = outliers_make(m);
  if (m->roster == NULL || m->other == NULL || m->floor == NULL ||
      m->candidates == NULL || !judged) {
    members_free(m);
    return NULL;
  }
  return m;
}

static void series_list_free(struct series_list *list) {
  for (struct series *s; (s = TAILQ_FIRST(list)) != NULL;) {
    TAILQ_REMOVE(list, s, link);
    cell_free(s->cell);
    free(s);
  }
}

void members_free(struct members *m) {
  if (m == NULL)
    return;
  series_list_free(&m->shown);
  series_list_free(&m->retired);
  cell_free(m->other);
  cell_free(m->floor);
  busiest_free(m->candidates);
  outliers_free(m->outliers);
  roster_free(m->roster);
  pages_resize(&m->cells, 0);
  free(m);
}

void members_begin(struct members *m) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link)
    cell_begin(s->cell);
  cell_begin(m->other);
  if (m->outliers != NULL)
    outliers_begin(m->outliers);
}

/* --- Series ------------------------------------------------------------- */

static void series_set(struct members *m, struct series *s,
                       enum series_state state) {
  s->state = state;
  *cell_at(m, s->member) = state == SERIES_REPORTING ? s->cell : NULL;
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
    s->cell = cell_new(m->report);
    if (s->cell == NULL) {
      free(s);
      return false;
    }
    cell_raise(s->cell, m->floor);
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

/* Room for the cell of one more. */
static bool cells_grow(struct members *m) {
  size_t size = (roster_end(m->roster) + (size_t)1) * sizeof(struct cell *);
  return size <= m->cells.size || pages_resize(&m->cells, size + size / 2);
}

uint32_t members_join(struct members *m, const struct subject *t) {
  uint8_t key[KEY_MAX];
  key_make(m->settings, t, key);
  uint32_t i = roster_find(m->roster, key);
  if (i == ROSTER_NONE && cells_grow(m))
    i = roster_add(m->roster, key);
  if (i == ROSTER_NONE)
    return ROSTER_NONE;
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
  roster_remove(m->roster, member);
}

struct cell *members_cell(struct members *m, uint32_t member) {
  struct cell *cell = *cell_at(m, member);
  return cell != NULL ? cell : m->other;
}

void members_fetch(const struct members *m, uint32_t member) {
  if (member < m->cells.size / sizeof(struct cell *) &&
      *cell_at(m, member) != NULL)
    cell_fetch(*cell_at(m, member), m->report);
}

struct cell *members_other(struct members *m) {
  return m->other;
}

struct cell *members_cell_of(struct members *m, const struct subject *t) {
  uint8_t key[KEY_MAX];
  key_make(m->settings, t, key);
  uint32_t i = roster_find(m->roster, key);
  return i != ROSTER_NONE ? members_cell(m, i) : m->other;
}

void members_busy(struct members *m, uint32_t member, uint64_t bytes) {
  member_at(m, member)->bytes += bytes;
}

void members_judge(struct members *m, uint32_t member,
                   const struct reading *r) {
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

static struct busy busy_of(const struct members *m, uint32_t member) {
  return (struct busy){.member = member, .busy = member_at(m, member)->busy};
}

/* Looks at all members: who is there, and who might get a series. On the way
 * their averages move on, and those that are gone are forgotten. */
static void members_walk(struct members *m) {
  m->count = 0;
  m->folded = 0;
  busiest_clear(m->candidates);
  for (uint32_t i = 0; i < roster_end(m->roster); i++) {
    if (!roster_used(m->roster, i))
      continue;
    struct member *e = member_at(m, i);
    e->busy = e->busy * 0.75 + ((double)e->bytes + e->sockets) * 0.25;
    e->bytes = 0;
    bool there = e->sockets > 0 || e->touched;
    bool stays = e->sockets > 0 || (e->touched && (e->before || !m->forgot));
    e->before = e->touched;
    e->touched = e->judged = e->passing = false;
    if (!there && is_empty(e))
      roster_remove(m->roster, i);
    if (!there)
      continue;
    m->count++;
    if (e->series != NULL && e->series->state != SERIES_RETIRED)
      continue;
    m->folded++;
    if (stays)
      busiest_offer(m->candidates, busy_of(m, i));
  }
  m->passing = 0;
}

static void series_age(struct members *m) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link) {
    bool there =
        cell_connections(s->cell) > 0 || member_at(m, s->member)->touched;
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
         busy_less(busy_of(m, s->member), busy_of(m, least->member))))
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
  *cell_at(m, s->member) = NULL;
  if (is_empty(member_at(m, s->member)))
    roster_remove(m->roster, s->member);
  cell_free(s->cell);
  free(s);
}

/* Different keys may have one name, but two series must not: a service that was
 * started anew has another cgroup of the same name, and goes on in its series;
 * two that live at the same time (`init.scope`) are told apart by a hash, and
 * so is a user whom somebody called `other` or `worst1`. */
static void series_name(struct members *m, struct series *s) {
  const uint8_t *key = roster_key(m->roster, s->member);
  key_format(m->settings, key, m->names, false, s->name);
  struct series *same = name_find(&m->shown, s);
  if (same == NULL)
    same = name_find(&m->retired, s);
  bool lives = same != NULL &&
               (same->state == SERIES_CHOSEN || cell_is_used(same->cell));
  if (lives || key_name_is_taken(m->settings, s->name)) {
    key_format(m->settings, key, m->names, true, s->name);
    same = name_find(&m->retired, s); /* its own of an earlier life */
  }
  if (same != NULL && !lives) {
    cell_inherit(s->cell, same->cell);
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
  const struct busy *candidate = busiest_get(m->candidates, &n);
  for (size_t i = 0; i < n; i++) {
    if (m->shown_count >= limit) {
      struct series *least = changes > 0 ? series_least_busy(m) : NULL;
      if (least == NULL ||
          candidate[i].busy <= 2 * busy_of(m, least->member).busy)
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
        key_format(m->settings, roster_key(m->roster, w[k].member), m->names,
                   false, w[k].name);
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

void members_sum(const struct members *m, struct cell *total) {
  const struct series *s;
  TAILQ_FOREACH (s, &m->shown, link)
    cell_sum(total, s->cell);
  cell_sum(total, m->other);
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
    cell_raise(m->floor, s->cell);
    m->forgot = true;
    series_forget(m, s);
  }
}

static void cells_trim(struct members *m) {
  size_t size = roster_end(m->roster) * sizeof(struct cell *);
  if (size < m->cells.size / 2)
    pages_resize(&m->cells, size);
}

void members_commit(struct members *m) {
  for (struct series *s = TAILQ_FIRST(&m->shown), *next; s != NULL; s = next) {
    next = TAILQ_NEXT(s, link);
    cell_commit(s->cell);
    if (s->state == SERIES_LEAVING) {
      cell_begin(s->cell);
      cell_shrink(s->cell);
      TAILQ_REMOVE(&m->shown, s, link);
      m->shown_count--;
      TAILQ_INSERT_TAIL(&m->retired, s, link);
      m->retired_count++;
      series_set(m, s, SERIES_RETIRED);
    } else {
      series_set(m, s, SERIES_REPORTING);
    }
  }
  cell_commit(m->other);
  if (m->outliers != NULL)
    outliers_commit(m->outliers);
  retired_trim(m);
  roster_trim(m->roster);
  cells_trim(m);
}

void members_each(struct members *m, members_cb *cb, void *data) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link)
    cb(s->name, s->cell, s->state == SERIES_CHOSEN, data);
  cb("other", m->other, false, data);
}

size_t members_count(const struct members *m) { return m->count; }
size_t members_folded(const struct members *m) { return m->folded; }
