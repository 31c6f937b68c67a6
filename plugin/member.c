#include "member.h"

#include "key.h"
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
  uint32_t sockets;      /* joined */
  bool touched;          /* one joined since the last settling */
};

/* Members whose sockets all came and went between two reads, and that have no
 * series yet: so many are kept until they are settled. */
enum { PASSING_MAX = 65536 };

struct members {
  const struct group_settings *settings;
  const struct report *report;
  struct names *names;
  struct roster *roster; /* of struct member, by key */

  struct series_list shown; /* chosen, reporting, leaving */
  struct series_list retired;
  size_t shown_count, retired_count;
  struct cell *other;
  struct cell *floor; /* at least what any forgotten series had counted */
  bool forgot;        /* there was one */
  size_t count, folded;
  size_t passing; /* members with neither socket nor series */

  uint32_t *candidate; /* room for max_members */
};

static struct member *member_at(const struct members *m, uint32_t i) {
  return roster_at(m->roster, i);
}

struct members *members_new(const struct group_settings *settings,
                            const struct report *report, struct names *names) {
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
  m->candidate = calloc(settings->max_members, sizeof(*m->candidate));
  if (m->roster == NULL || m->other == NULL || m->floor == NULL ||
      m->candidate == NULL) {
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
  free(m->candidate);
  roster_free(m->roster);
  free(m);
}

void members_begin(struct members *m) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link)
    cell_begin(s->cell);
  cell_begin(m->other);
}

/* --- Series ------------------------------------------------------------- */

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
    if (member_at(m, member)->sockets == 0)
      m->passing--;
    member_at(m, member)->series = s;
  }
  s->state = state;
  s->idle = 0;
  TAILQ_INSERT_TAIL(&m->shown, s, link);
  m->shown_count++;
  return true;
}

/* --- Sockets ------------------------------------------------------------ */

uint32_t members_join(struct members *m, const struct subject *t) {
  uint8_t key[KEY_MAX];
  key_make(m->settings, t, key);
  uint32_t i = roster_find(m->roster, key);
  bool known = i != ROSTER_NONE;
  if (!known)
    i = roster_add(m->roster, key);
  if (i == ROSTER_NONE)
    return ROSTER_NONE;
  struct member *e = member_at(m, i);
  bool first = e->sockets++ == 0;
  if (first && known && e->series == NULL)
    m->passing--;
  e->touched = true;
  bool retired = e->series != NULL && e->series->state == SERIES_RETIRED;
  bool can_start = retired || (e->series == NULL && !m->forgot);
  if (first && can_start && m->shown_count < m->settings->max_members)
    series_give(m, i, SERIES_REPORTING); /* without memory: `other` */
  return i;
}

void members_leave(struct members *m, uint32_t member) {
  struct member *e = member_at(m, member);
  if (--e->sockets > 0 || e->series != NULL)
    return;
  if (e->touched && m->passing < PASSING_MAX)
    m->passing++;
  else
    roster_remove(m->roster, member);
}

static struct cell *cell_of(const struct members *m, uint32_t member) {
  const struct series *s = member_at(m, member)->series;
  return s != NULL && s->state == SERIES_REPORTING ? s->cell : m->other;
}

struct cell *members_cell(struct members *m, uint32_t member) {
  return cell_of(m, member);
}

struct cell *members_other(struct members *m) {
  return m->other;
}

struct cell *members_cell_of(struct members *m, const struct subject *t) {
  uint8_t key[KEY_MAX];
  key_make(m->settings, t, key);
  uint32_t i = roster_find(m->roster, key);
  return i != ROSTER_NONE ? cell_of(m, i) : m->other;
}

void members_busy(struct members *m, uint32_t member, uint64_t bytes) {
  member_at(m, member)->bytes += bytes;
}

/* --- Who has a series --------------------------------------------------- */

/* The candidates form a heap with the least busy one on top. */
static bool less_busy(const struct members *m, uint32_t a, uint32_t b) {
  double x = member_at(m, a)->busy, y = member_at(m, b)->busy;
  return x != y ? x < y : a > b;
}

static void heap_sink(struct members *m, size_t n, size_t i) {
  for (size_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n &&
        less_busy(m, m->candidate[child + 1], m->candidate[child]))
      child++;
    if (!less_busy(m, m->candidate[child], m->candidate[i]))
      return;
    uint32_t t = m->candidate[i];
    m->candidate[i] = m->candidate[child];
    m->candidate[child] = t;
  }
}

/* The busiest members without a series, at most max_members, busiest first.
 * On the way, the averages of all members move on. */
static size_t candidates_collect(struct members *m) {
  size_t n = 0, limit = m->settings->max_members;
  m->count = 0;
  m->folded = 0;
  for (uint32_t i = 0; i < roster_end(m->roster); i++) {
    if (!roster_used(m->roster, i))
      continue;
    struct member *e = member_at(m, i);
    e->busy = e->busy * 0.75 + ((double)e->bytes + e->sockets) * 0.25;
    e->bytes = 0;
    bool there = e->sockets > 0 || e->touched;
    e->touched = false;
    if (!there && e->series == NULL) {
      roster_remove(m->roster, i);
      m->passing--;
    }
    if (!there)
      continue;
    m->count++;
    if (e->series != NULL && e->series->state != SERIES_RETIRED)
      continue;
    m->folded++;
    if (n < limit) {
      m->candidate[n++] = i;
      if (n == limit)
        for (size_t k = n / 2; k-- > 0;)
          heap_sink(m, n, k);
    } else if (less_busy(m, m->candidate[0], i)) {
      m->candidate[0] = i;
      heap_sink(m, n, 0);
    }
  }
  if (n < limit)
    for (size_t k = n / 2; k-- > 0;)
      heap_sink(m, n, k);
  for (size_t last = n; last > 1;) { /* least busy to the end */
    last--;
    uint32_t t = m->candidate[0];
    m->candidate[0] = m->candidate[last];
    m->candidate[last] = t;
    heap_sink(m, last, 0);
  }
  return n;
}

static void series_age(struct members *m) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link) {
    bool there =
        cell_connections(s->cell) > 0 || member_at(m, s->member)->touched;
    s->idle = there ? 0 : s->idle + 1;
    if (s->idle >= m->settings->member_timeout)
      s->state = SERIES_LEAVING;
  }
}

static struct series *series_least_busy(const struct members *m) {
  struct series *s, *least = NULL;
  TAILQ_FOREACH (s, &m->shown, link)
    if (s->state == SERIES_REPORTING &&
        (least == NULL || less_busy(m, s->member, least->member)))
      least = s;
  return least;
}

static struct series *name_find(struct series_list *list,
                                const struct series *but) {
  struct series *s;
  TAILQ_FOREACH (s, list, link) {
    if (s != but && strcmp(s->name, but->name) == 0)
      return s;
  }
  return NULL;
}

/* The series goes; its member may stay. */
static void series_forget(struct members *m, struct series *s) {
  bool retired = s->state == SERIES_RETIRED;
  TAILQ_REMOVE(retired ? &m->retired : &m->shown, s, link);
  *(retired ? &m->retired_count : &m->shown_count) -= 1;
  member_at(m, s->member)->series = NULL;
  if (member_at(m, s->member)->sockets == 0)
    roster_remove(m->roster, s->member);
  cell_free(s->cell);
  free(s);
}

/* Different keys may have one name, but two series must not: a service that was
 * started anew has another cgroup of the same name, and goes on in its series;
 * two that live at the same time (`init.scope`) are told apart by a hash, and
 * so is a user whom somebody called `other`. */
static void series_name(struct members *m, struct series *s) {
  const uint8_t *key = roster_key(m->roster, s->member);
  key_format(m->settings, key, m->names, false, s->name);
  struct series *same = name_find(&m->shown, s);
  if (same == NULL)
    same = name_find(&m->retired, s);
  bool lives = same != NULL && (same->state == SERIES_CHOSEN ||
                                cell_connections(same->cell) > 0);
  if (lives || strcmp(s->name, "other") == 0) {
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
  TAILQ_FOREACH (s, &m->shown, link) {
    if (s->name[0] == '\0')
      series_name(m, s);
  }
}

static void series_choose(struct members *m) {
  size_t n = candidates_collect(m);
  size_t limit = m->settings->max_members;
  size_t changes = limit / 4 + 1;
  for (size_t i = 0; i < n; i++) {
    if (m->shown_count >= limit) {
      struct series *least = changes > 0 ? series_least_busy(m) : NULL;
      if (least == NULL || member_at(m, m->candidate[i])->busy <=
                               2 * member_at(m, least->member)->busy)
        return;
      changes--;
      least->state = SERIES_LEAVING;
    }
    if (!series_give(m, m->candidate[i], SERIES_CHOSEN))
      return;
  }
}

void members_settle(struct members *m) {
  series_age(m);
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

void members_commit(struct members *m) {
  for (struct series *s = TAILQ_FIRST(&m->shown), *next; s != NULL; s = next) {
    next = TAILQ_NEXT(s, link);
    cell_commit(s->cell);
    if (s->state == SERIES_LEAVING) {
      cell_begin(s->cell);
      TAILQ_REMOVE(&m->shown, s, link);
      m->shown_count--;
      TAILQ_INSERT_TAIL(&m->retired, s, link);
      m->retired_count++;
      s->state = SERIES_RETIRED;
    } else {
      s->state = SERIES_REPORTING;
    }
  }
  cell_commit(m->other);
  retired_trim(m);
  roster_trim(m->roster);
}

void members_each(struct members *m, members_cb *cb, void *data) {
  struct series *s;
  TAILQ_FOREACH (s, &m->shown, link) {
    cb(s->name, s->cell, s->state == SERIES_CHOSEN, data);
  }
  cb("other", m->other, false, data);
}

size_t members_count(const struct members *m) { return m->count; }

size_t members_folded(const struct members *m) { return m->folded; }
