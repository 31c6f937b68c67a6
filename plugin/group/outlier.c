/* See outlier.h. */
#include "group/outlier.h"

#include "metric/socket_value.h"
#include "util/array.h"
#include "util/distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The traffic of one member's sockets. */
struct member_traffic {
  uint64_t retrans, segments; /* since the last commit */
  uint32_t rtt_count;         /* of this dump */
  uint32_t rtt_end;           /* behind its last one in `rtt_by_member` */
  bool rtt_mixed; /* some are of the member that had the number before */
};

struct member_rtt {
  uint32_t member;
  uint32_t us;
};

/* The members that have a value by one measure. */
struct measured {
  size_t count;
  double *value; /* what is compared: percent; seconds */
  uint32_t *member;
  struct outlier *worst;
  size_t worst_count;
};

struct outliers {
  size_t worst;                   /* how many are ranked by each measure */
  struct member_traffic *traffic; /* by member */
  size_t traffic_count;
  struct member_rtt *rtt; /* in the order of the dump */
  size_t rtt_count, rtt_capacity;
  uint32_t *rtt_by_member; /* microseconds, each member's behind another */
  size_t rtt_by_member_capacity;
  struct measured by[OUTLIER_MEASURES];
  double *deviation;
  bool *is_outlier;       /* by member */
  size_t member_capacity; /* of the arrays that have an item per member */
  int count;              /* see outliers_count() */
  bool no_memory;         /* in this interval */
};

struct outliers *outliers_new(size_t worst) {
  struct outliers *o = calloc(1, sizeof(*o));
  if (o == NULL)
    return NULL;
  o->worst = worst;
  o->count = -1;
  for (int i = 0; i < OUTLIER_MEASURES; i++) {
    o->by[i].worst = calloc(worst + 1, sizeof(*o->by[i].worst));
    if (o->by[i].worst == NULL) {
      outliers_free(o);
      return NULL;
    }
  }
  return o;
}

void outliers_free(struct outliers *o) {
  if (o == NULL)
    return;
  for (int i = 0; i < OUTLIER_MEASURES; i++) {
    free(o->by[i].value);
    free(o->by[i].member);
    free(o->by[i].worst);
  }
  free(o->traffic);
  free(o->rtt);
  free(o->rtt_by_member);
  free(o->deviation);
  free(o->is_outlier);
  free(o);
}

/* --- Adding --------------------------------------------------------------- */

void outliers_begin(struct outliers *o) {
  o->rtt_count = 0;
  for (size_t i = 0; i < o->traffic_count; i++) {
    o->traffic[i].rtt_count = 0;
    o->traffic[i].rtt_mixed = false;
  }
}

/* Returns NULL if memory runs out: no member is measured in this interval. */
static struct member_traffic *traffic_of(struct outliers *o, uint32_t member) {
  if (member < o->traffic_count)
    return &o->traffic[member];
  size_t count = (size_t)member + 1 + o->traffic_count / 2;
  if (!ARRAY_RESIZE(o->traffic, count)) {
    o->no_memory = true;
    return NULL;
  }
  memset(o->traffic + o->traffic_count, 0,
         (count - o->traffic_count) * sizeof(*o->traffic));
  o->traffic_count = count;
  return &o->traffic[member];
}

void outliers_add_close(struct outliers *o, uint32_t member,
                        const uint64_t *delta) {
  struct member_traffic *t = traffic_of(o, member);
  if (t == NULL)
    return;
  t->retrans += delta[FIELD_DATA_RETRANS];
  t->segments += delta[FIELD_DATA_SEGS_OUT];
}

/* Round-trip times of this dump cannot be dropped: they are not in the order of
 * members. */
void outliers_forget(struct outliers *o, uint32_t member) {
  if (member >= o->traffic_count)
    return;
  struct member_traffic *t = &o->traffic[member];
  t->retrans = t->segments = 0;
  t->rtt_mixed = t->rtt_count > 0;
}

static bool rtt_reserve(struct outliers *o) {
  if (o->rtt_count < o->rtt_capacity)
    return true;
  size_t capacity = o->rtt_capacity + o->rtt_capacity / 2 + 256;
  if (!ARRAY_RESIZE(o->rtt, capacity))
    return false;
  o->rtt_capacity = capacity;
  return true;
}

void outliers_add(struct outliers *o, uint32_t member,
                  const struct observation *observation) {
  uint64_t us;
  outliers_add_close(o, member, observation->delta);
  if (o->no_memory || !observation->active ||
      !socket_value_rtt(observation->sample, &us))
    return;
  if (!rtt_reserve(o)) {
    o->no_memory = true;
    return;
  }
  o->rtt[o->rtt_count++] =
      (struct member_rtt){.member = member, .us = (uint32_t)us};
  o->traffic[member].rtt_count++;
}

/* --- Measuring ------------------------------------------------------------ */

/* Makes room for all members and round-trip times. */
static bool measures_reserve(struct outliers *o) {
  size_t count = o->traffic_count;
  if (o->member_capacity < count || o->deviation == NULL) {
    for (int i = 0; i < OUTLIER_MEASURES; i++)
      if (!ARRAY_RESIZE(o->by[i].value, count + 1) ||
          !ARRAY_RESIZE(o->by[i].member, count + 1))
        return false;
    if (!ARRAY_RESIZE(o->deviation, count + 1) ||
        !ARRAY_RESIZE(o->is_outlier, count + 1))
      return false;
    o->member_capacity = count;
  }
  if (o->rtt_by_member_capacity < o->rtt_count || o->rtt_by_member == NULL) {
    if (!ARRAY_RESIZE(o->rtt_by_member, o->rtt_count + 1))
      return false;
    o->rtt_by_member_capacity = o->rtt_count;
  }
  return true;
}

static void rtts_sort_by_member(struct outliers *o) {
  uint32_t end = 0;
  for (size_t i = 0; i < o->traffic_count; i++) {
    o->traffic[i].rtt_end = end;
    end += o->traffic[i].rtt_count;
  }
  for (size_t i = 0; i < o->rtt_count; i++)
    o->rtt_by_member[o->traffic[o->rtt[i].member].rtt_end++] = o->rtt[i].us;
}

/* Returns a percentile of the member's round-trip times, in seconds. */
static double rtt_percentile(struct outliers *o, const struct member_traffic *t,
                             unsigned permille) {
  uint32_t *first = o->rtt_by_member + t->rtt_end - t->rtt_count;
  return (double)distribution_select(first, t->rtt_count, permille) * 1e-6;
}

static void value_add(struct measured *m, uint32_t member, double value) {
  m->value[m->count] = value;
  m->member[m->count++] = member;
}

/* Puts the member in its place among the worst `most`, the worst first; of
 * equal values the one that was added first. */
static void worst_insert(struct measured *m, size_t most, uint32_t member,
                         double value) {
  size_t i = m->worst_count;
  if (i == most && (most == 0 || value <= m->worst[i - 1].value))
    return;
  if (i == most)
    i--;
  else
    m->worst_count++;
  for (; i > 0 && m->worst[i - 1].value < value; i--)
    m->worst[i] = m->worst[i - 1];
  m->worst[i] = (struct outlier){.member = member, .value = value};
}

static void measure_retrans(struct outliers *o, uint32_t member) {
  const struct member_traffic *t = &o->traffic[member];
  struct measured *m = &o->by[OUTLIER_BY_RETRANS];
  if (t->segments < OUTLIER_SEGMENTS)
    return;
  /* A SYN is retransmitted, but is no data segment: more than 100 %. */
  double percent = fmin(100 * (double)t->retrans / (double)t->segments, 100);
  value_add(m, member, percent);
  /* One or two may be tail loss probes. */
  worst_insert(m, o->worst, member,
               t->retrans >= OUTLIER_RETRANS ? percent : 0);
}

static void measure_rtt(struct outliers *o, uint32_t member) {
  const struct member_traffic *t = &o->traffic[member];
  struct measured *m = &o->by[OUTLIER_BY_RTT];
  if (t->segments < OUTLIER_RTT_SEGMENTS || t->rtt_count == 0 || t->rtt_mixed)
    return;
  value_add(m, member, rtt_percentile(o, t, 500));
  worst_insert(m, o->worst, member, rtt_percentile(o, t, 950));
}

/* --- Comparing ------------------------------------------------------------ */

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Changes the order of the values; count > 0. */
static double median(double *value, size_t count) {
  qsort(value, count, sizeof(*value), compare);
  return (value[(count - 1) / 2] + value[count / 2]) / 2;
}

/* Returns the value above which a member is an outlier. `distance` and `part`,
 * the latter of the median, are the fixed distance of outlier.h. */
static double limit_of(struct outliers *o, const struct measured *m,
                       double distance, double part) {
  memcpy(o->deviation, m->value, m->count * sizeof(double));
  double middle = median(o->deviation, m->count);
  for (size_t i = 0; i < m->count; i++)
    o->deviation[i] = fabs(m->value[i] - middle);
  double far = OUTLIER_DEVIATIONS * 1.4826 * median(o->deviation, m->count);
  return middle + fmax(far, fmax(distance, part * middle));
}

/* Counts the members above the limit that retransmitted at least `retrans`
 * segments, each member once for both measures. */
static void outliers_find(struct outliers *o, const struct measured *m,
                          double limit, uint64_t retrans) {
  for (size_t i = 0; i < m->count; i++) {
    uint32_t member = m->member[i];
    if (m->value[i] <= limit || o->is_outlier[member] ||
        o->traffic[member].retrans < retrans)
      continue;
    o->is_outlier[member] = true;
    o->count++;
  }
}

static void compare_members(struct outliers *o) {
  const struct measured *retrans = &o->by[OUTLIER_BY_RETRANS];
  const struct measured *rtt = &o->by[OUTLIER_BY_RTT];
  if (retrans->count < OUTLIER_MEMBERS && rtt->count < OUTLIER_MEMBERS)
    return;
  o->count = 0;
  memset(o->is_outlier, 0, o->traffic_count * sizeof(*o->is_outlier));
  if (retrans->count >= OUTLIER_MEMBERS)
    outliers_find(o, retrans, limit_of(o, retrans, 1, 0), OUTLIER_RETRANS);
  if (rtt->count >= OUTLIER_MEMBERS)
    outliers_find(o, rtt, limit_of(o, rtt, 0.002, 0.5), 0);
}

/* --- A read --------------------------------------------------------------- */

void outliers_settle(struct outliers *o) {
  o->count = -1;
  for (int i = 0; i < OUTLIER_MEASURES; i++)
    o->by[i].count = o->by[i].worst_count = 0;
  if (o->no_memory || !measures_reserve(o))
    return;
  rtts_sort_by_member(o);
  for (uint32_t i = 0; i < o->traffic_count; i++) {
    measure_retrans(o, i);
    measure_rtt(o, i);
  }
  compare_members(o);
}

struct outlier *outliers_worst(struct outliers *o, enum outlier_measure measure,
                               size_t *count) {
  *count = o->by[measure].worst_count;
  return o->by[measure].worst;
}

int outliers_count(const struct outliers *o) { return o->count; }

/* Gives memory back: members' numbers are small again after many members were
 * removed. */
static void traffic_trim(struct outliers *o, size_t used) {
  if (used < o->traffic_count / 4 && ARRAY_RESIZE(o->traffic, used + 1))
    o->traffic_count = used + 1;
}

void outliers_commit(struct outliers *o) {
  size_t used = 0;
  for (size_t i = 0; i < o->traffic_count; i++) {
    struct member_traffic *t = &o->traffic[i];
    if (t->segments > 0 || t->rtt_count > 0)
      used = i + 1;
    *t = (struct member_traffic){.retrans = 0};
  }
  o->no_memory = false;
  traffic_trim(o, used);
}
