/* See member.h. Who gets a series:
 *
 * When the first socket of a member joins, a series is free and names are not
 * scarce:
 *   1. The member gets one at once. Its name, and with the name the counters of
 *      earlier times, come with the settling.
 *
 * When a read is settled:
 *   2. A series leaves if its member has another name now, or had no socket for
 *      MemberTimeout reads.
 *   3. Candidates are the members without a series that have a socket, or had
 *      one that came and went since the last settling. Once names are scarce,
 *      the latter must have had such sockets in the read before, too: many
 *      short-lived members come, and each would use up a name.
 *   4. A candidate with the identity of a member that has a series takes that
 *      one over.
 *   5. The other candidates get the series that are free, the most active
 * first.
 *   6. If none is free, the least active series leaves for a candidate that is
 *      more than twice as active, so that similar members do not take turns.
 *   7. At most a quarter of the series, plus one, leave so in one read.
 *
 * A member is removed from the table when it has neither sockets nor a series;
 * if it did something since the last settling, only by that settling: until
 * then its number must not become another member's. */
#include "group/member.h"

#include "util/top_k.h"

#include <stdlib.h>

struct member {
  struct series *series; /* borrowed; NULL: none */
  uint64_t bytes;        /* since the last settling */
  double activity;       /* see member.h; bytes and sockets */
  uint32_t sockets;      /* that joined, but for the retained ones */
  uint32_t retained;     /* see members_retain() */
  bool joined;           /* a socket joined since the last settling */
  bool joined_before;    /* and between that and the settling before it */
  bool observed;         /* `outliers` has observations since the settling */
  bool gone;             /* counts in members.gone */
};

enum { GONE_MOST = 65536 }; /* members */

struct members {
  const struct group_settings *settings;
  struct name_lookup *names;
  struct key_table *table; /* of struct member */
  struct series_set *series;
  struct top_k *candidates;  /* for a series, by activity */
  struct outliers *outliers; /* NULL: the group has no use for them */
  size_t gone; /* members without sockets and series that the next settling
                  removes */
  size_t count, in_other; /* see members_count() */
};

static struct member *member_at(const struct members *m, uint32_t i) {
  return key_table_at(m->table, i);
}

/* Nothing needs the member but the next settling. */
static bool is_empty(const struct member *e) {
  return e->sockets == 0 && e->retained == 0 && e->series == NULL;
}

static bool has_series(const struct member *e) { return e->series != NULL; }

/* Removes the member, which nothing needs any more, or leaves that to the next
 * settling. */
static void member_drop(struct members *m, uint32_t member) {
  struct member *e = member_at(m, member);
  if ((e->joined || e->observed) && m->gone < GONE_MOST) {
    e->gone = true;
    m->gone++;
    return;
  }
  if (m->outliers != NULL) /* the number may become another member's */
    outliers_forget(m->outliers, member);
  key_table_remove(m->table, member);
}

static void on_series_ended(uint32_t member, void *data) {
  struct members *m = data;
  struct member *e = member_at(m, member);
  e->series = NULL;
  if (is_empty(e))
    member_drop(m, member);
}

static void on_series_taken(uint32_t member, struct series *s, void *data) {
  member_at(data, member)->series = s;
}

/* --- Begin and end -------------------------------------------------------- */

static bool outliers_wanted(const struct group_settings *settings) {
  bool wanted = settings->worst > 0;
  for (size_t i = 0; i < settings->metrics.count; i++)
    wanted |= settings->metrics.choice[i].id == METRIC_OUTLIERS;
  return wanted;
}

static bool parts_make(struct members *m, struct plan *plan) {
  m->table = key_table_new(member_key_size(m->settings), sizeof(struct member));
  m->candidates = top_k_new(m->settings->max_members);
  if (m->table == NULL || m->candidates == NULL)
    return false;
  m->series = series_set_new(&(struct series_options){
      .settings = m->settings,
      .plan = plan,
      .names = m->names,
      .members = m->table,
      .ended = on_series_ended,
      .taken = on_series_taken,
      .data = m,
  });
  if (m->series == NULL)
    return false;
  if (!outliers_wanted(m->settings))
    return true;
  m->outliers = outliers_new(m->settings->worst);
  return m->outliers != NULL;
}

struct members *members_new(const struct group_settings *settings,
                            struct plan *plan, struct name_lookup *names) {
  struct members *m = calloc(1, sizeof(*m));
  if (m == NULL)
    return NULL;
  m->settings = settings;
  m->names = names;
  if (!parts_make(m, plan)) {
    members_free(m);
    return NULL;
  }
  return m;
}

void members_free(struct members *m) {
  if (m == NULL)
    return;
  series_set_free(m->series);
  outliers_free(m->outliers);
  top_k_free(m->candidates);
  key_table_free(m->table);
  free(m);
}

/* --- Sockets -------------------------------------------------------------- */

/* Rule 1. Without memory the member is counted in `other`. */
static void series_give_at_once(struct members *m, uint32_t member) {
  struct member *e = member_at(m, member);
  if (!has_series(e) && series_set_has_room(m->series) &&
      !series_set_is_scarce(m->series))
    e->series = series_begin(m->series, member);
}

uint32_t members_join(struct members *m, const struct socket_attrs *attrs) {
  uint8_t key[MEMBER_KEY_MAX];
  member_key_make(m->settings, attrs, key);
  uint32_t i = key_table_find(m->table, key);
  if (i == KEY_TABLE_NONE &&
      series_set_reserve(m->series, key_table_end(m->table) + 1))
    i = key_table_add(m->table, key);
  if (i == KEY_TABLE_NONE)
    return KEY_TABLE_NONE;
  struct member *e = member_at(m, i);
  m->gone -= e->gone;
  e->gone = false;
  e->joined = true;
  if (e->sockets++ == 0)
    series_give_at_once(m, i);
  return i;
}

void members_retain(struct members *m, uint32_t member) {
  struct member *e = member_at(m, member);
  e->sockets--;
  e->retained++;
}

void members_leave(struct members *m, uint32_t member, bool retained) {
  struct member *e = member_at(m, member);
  --*(retained ? &e->retained : &e->sockets);
  if (is_empty(e))
    member_drop(m, member);
}

struct accumulator *members_accumulator(struct members *m, uint32_t member) {
  return series_set_accumulator(m->series, member);
}

struct accumulator *members_accumulator_of(struct members *m,
                                           const struct socket_attrs *attrs) {
  uint8_t key[MEMBER_KEY_MAX];
  member_key_make(m->settings, attrs, key);
  uint32_t i = key_table_find(m->table, key);
  return i != KEY_TABLE_NONE ? members_accumulator(m, i) : members_other(m);
}

struct accumulator *members_other(struct members *m) {
  return series_set_other(m->series);
}

void members_fetch(const struct members *m, uint32_t member) {
  series_set_prefetch(m->series, member);
}

void members_add_bytes(struct members *m, uint32_t member, uint64_t bytes) {
  member_at(m, member)->bytes += bytes;
}

void members_observe(struct members *m, uint32_t member,
                     const struct observation *o) {
  if (m->outliers == NULL)
    return;
  outliers_add(m->outliers, member, o);
  member_at(m, member)->observed = true;
}

void members_observe_close(struct members *m, uint32_t member,
                           const uint64_t *delta) {
  if (m->outliers == NULL)
    return;
  outliers_add_close(m->outliers, member, delta);
  member_at(m, member)->observed = true;
}

/* --- Who gets a series ---------------------------------------------------- */

static struct top_k_entry activity_of(const struct members *m,
                                      uint32_t member) {
  return (struct top_k_entry){.id = member,
                              .weight = member_at(m, member)->activity};
}

/* Rule 2. */
static void series_leave_idle(struct members *m) {
  struct series *s = NULL;
  while ((s = series_set_next(m->series, s)) != NULL)
    if (series_state_of(s) == SERIES_REPORTING)
      series_age(m->series, s, member_at(m, series_member(s))->joined);
}

/* A member without a series: rule 3. */
static bool is_candidate(const struct members *m, const struct member *e) {
  bool often = e->joined_before || !series_set_is_scarce(m->series);
  return e->sockets > 0 || (e->joined && often);
}

/* Counts the member and offers it as a candidate; then a new interval begins
 * for it. Returns whether it is to be removed. */
static bool member_settle(struct members *m, uint32_t member) {
  struct member *e = member_at(m, member);
  e->activity = e->activity * 0.75 + ((double)e->bytes + e->sockets) * 0.25;
  bool present = e->sockets > 0 || e->joined;
  m->count += present;
  if (present && !has_series(e)) {
    m->in_other++;
    if (is_candidate(m, e))
      top_k_offer(m->candidates, activity_of(m, member));
  }
  e->bytes = 0;
  e->joined_before = e->joined;
  e->joined = e->observed = e->gone = false;
  return !present && is_empty(e);
}

static void members_walk(struct members *m) {
  m->count = 0;
  m->in_other = 0;
  m->gone = 0;
  top_k_clear(m->candidates);
  for (uint32_t i = 0; i < key_table_end(m->table); i++)
    if (key_table_used(m->table, i) && member_settle(m, i))
      key_table_remove(m->table, i);
}

static struct series *series_least_active(const struct members *m) {
  struct series *s = NULL, *least = NULL;
  while ((s = series_set_next(m->series, s)) != NULL)
    if (series_state_of(s) == SERIES_REPORTING &&
        (least == NULL || top_k_less(activity_of(m, series_member(s)),
                                     activity_of(m, series_member(least)))))
      least = s;
  return least;
}

/* Rule 6. Returns the series that would leave for the candidate, or NULL. */
static struct series *series_to_leave(const struct members *m,
                                      double activity) {
  struct series *least = series_least_active(m);
  if (least == NULL ||
      activity <= 2 * member_at(m, series_member(least))->activity)
    return NULL;
  return least;
}

static bool may_take_over(const struct members *m, uint32_t member) {
  return member_key_may_share(m->settings, key_table_key(m->table, member));
}

/* Rules 4 to 7. A series that leaves is dispatched until the commit, beside the
 * one that takes its place. */
static void series_choose(struct members *m) {
  size_t count, changes = m->settings->max_members / 4 + 1;
  bool may_leave = true; /* a series may leave for a candidate */
  const struct top_k_entry *candidate = top_k_get(m->candidates, &count);
  for (size_t i = 0; i < count; i++) {
    struct series *least = NULL;
    bool room = series_set_has_room(m->series);
    if (!room && may_leave)
      least = series_to_leave(m, candidate[i].weight);
    may_leave = changes > 0 && (room || least != NULL);
    if (!room && least == NULL && !may_take_over(m, candidate[i].id))
      continue;
    switch (series_offer(m->series, candidate[i].id)) {
    case SERIES_OFFER_NOTHING:
      continue;
    case SERIES_OFFER_TAKE_OVER:
      series_accept(m->series);
      continue;
    case SERIES_OFFER_NEW:
      break;
    }
    if (!room && least == NULL)
      continue;
    if (series_accept(m->series) == NULL)
      return;
    if (!room) {
      series_leave(m->series, least);
      may_leave = --changes > 0;
    }
  }
}

/* --- The worst members ---------------------------------------------------- */

/* Names are made while the members' numbers are valid. */
static void worst_name(struct members *m) {
  for (unsigned i = 0; i < OUTLIER_MEASURES; i++) {
    size_t count;
    struct outlier *w =
        outliers_worst(m->outliers, (enum outlier_measure)i, &count);
    for (size_t k = 0; k < count; k++)
      if (w[k].value > 0)
        series_set_name_of(m->series, w[k].member,
                           member_at(m, w[k].member)->series, w[k].name);
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

/* --- A read --------------------------------------------------------------- */

void members_begin(struct members *m) {
  series_set_begin(m->series);
  if (m->outliers != NULL)
    outliers_begin(m->outliers);
}

void members_sum(const struct members *m, struct accumulator *total) {
  series_set_sum(m->series, total);
}

void members_settle(struct members *m) {
  series_set_name(m->series);
  if (m->outliers != NULL) {
    outliers_settle(m->outliers);
    worst_name(m);
  }
  series_leave_idle(m);
  members_walk(m);
  series_choose(m);
}

void members_commit(struct members *m) {
  series_set_commit(m->series);
  if (m->outliers != NULL)
    outliers_commit(m->outliers);
  key_table_trim(m->table);
  series_set_trim(m->series, key_table_end(m->table));
}

void members_each(struct members *m, series_cb *cb, void *data) {
  series_set_each(m->series, cb, data);
}

size_t members_count(const struct members *m) { return m->count; }
size_t members_in_other(const struct members *m) { return m->in_other; }

bool members_are_full(const struct members *m) {
  return series_set_is_full(m->series);
}
