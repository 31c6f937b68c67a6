#include "group/outlier.h"

#include "util/array.h"
#include "util/distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct record {
  uint64_t retrans, segments; /* since the last commit */
  uint32_t rtts;              /* of this dump */
  uint32_t at;                /* behind its last one in `sorted` */
  bool mixed;                 /* some are of the member before */
};

struct rtt {
  uint32_t member;
  uint32_t us;
};

/* What one measure makes of all members. */
struct judgement {
  size_t judged;
  double *value;    /* of each that was judged, for medians */
  uint32_t *member; /* whose it is */
  struct outlier *worst;
  size_t worst_count;
};

struct outliers {
  size_t worst;
  struct record *record; /* by member */
  size_t record_count;
  struct rtt *rtt;
  size_t rtt_count, rtt_capacity;
  uint32_t *sorted; /* the round-trip times, member by member */
  size_t sorted_capacity;
  struct judgement by[OUTLIER_MEASURES];
  size_t judge_capacity;
  double *deviation; /* room for judge_capacity */
  bool *stands_out;  /* by member */
  int count;
  bool failed; /* memory ran out in this interval */
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
  free(o->record);
  free(o->rtt);
  free(o->sorted);
  free(o->deviation);
  free(o->stands_out);
  free(o);
}

/* --- What came ------------------------------------------------------------ */

void outliers_begin(struct outliers *o) {
  o->rtt_count = 0;
  for (size_t i = 0; i < o->record_count; i++)
    o->record[i].rtts = o->record[i].mixed = 0;
}

/* NULL, and nobody is judged in this interval: out of memory. */
static struct record *record_of(struct outliers *o, uint32_t member) {
  if (member < o->record_count)
    return &o->record[member];
  size_t count = (size_t)member + 1 + o->record_count / 2;
  if (!ARRAY_RESIZE(o->record, count)) {
    o->failed = true;
    return NULL;
  }
  memset(o->record + o->record_count, 0,
         (count - o->record_count) * sizeof(*o->record));
  o->record_count = count;
  return &o->record[member];
}

void outliers_add_rest(struct outliers *o, uint32_t member,
                       const uint64_t *delta) {
  struct record *r = record_of(o, member);
  if (r == NULL)
    return;
  r->retrans += delta[FIELD_TOTAL_RETRANS];
  r->segments += delta[FIELD_DATA_SEGS_OUT];
}

/* The round-trip times of this dump cannot be taken out. */
void outliers_forget(struct outliers *o, uint32_t member) {
  if (member >= o->record_count)
    return;
  struct record *r = &o->record[member];
  r->retrans = r->segments = 0;
  r->mixed = r->rtts > 0;
}

static bool rtt_room(struct outliers *o) {
  if (o->rtt_count < o->rtt_capacity)
    return true;
  size_t capacity = o->rtt_capacity + o->rtt_capacity / 2 + 256;
  if (!ARRAY_RESIZE(o->rtt, capacity))
    return false;
  o->rtt_capacity = capacity;
  return true;
}

void outliers_add(struct outliers *o, uint32_t member,
                  const struct observation *r) {
  uint64_t us;
  outliers_add_rest(o, member, r->delta);
  if (o->failed || !r->active || !sample_get(r->sample, FIELD_RTT, &us))
    return;
  if (!rtt_room(o)) {
    o->failed = true;
    return;
  }
  o->rtt[o->rtt_count++] = (struct rtt){.member = member, .us = (uint32_t)us};
  o->record[member].rtts++;
}

/* --- Judging -------------------------------------------------------------- */

static bool judge_room(struct outliers *o) {
  size_t count = o->record_count;
  if (o->judge_capacity < count || o->deviation == NULL) {
    for (int i = 0; i < OUTLIER_MEASURES; i++)
      if (!ARRAY_RESIZE(o->by[i].value, count + 1) ||
          !ARRAY_RESIZE(o->by[i].member, count + 1))
        return false;
    if (!ARRAY_RESIZE(o->deviation, count + 1) ||
        !ARRAY_RESIZE(o->stands_out, count + 1))
      return false;
    o->judge_capacity = count;
  }
  if (o->sorted_capacity < o->rtt_count || o->sorted == NULL) {
    if (!ARRAY_RESIZE(o->sorted, o->rtt_count + 1))
      return false;
    o->sorted_capacity = o->rtt_count;
  }
  return true;
}

/* Puts the round-trip times of each member together. */
static void rtts_sort(struct outliers *o) {
  uint32_t at = 0;
  for (size_t i = 0; i < o->record_count; i++) {
    o->record[i].at = at;
    at += o->record[i].rtts;
  }
  for (size_t i = 0; i < o->rtt_count; i++)
    o->sorted[o->record[o->rtt[i].member].at++] = o->rtt[i].us;
}

static void judge(struct judgement *j, uint32_t member, double value) {
  j->value[j->judged] = value;
  j->member[j->judged++] = member;
}

/* The few worst, by insertion: the worst first. */
static void worst_insert(struct judgement *j, size_t most, uint32_t member,
                         double value) {
  size_t i = j->worst_count;
  if (i == most && (most == 0 || value <= j->worst[i - 1].value))
    return;
  if (i == most)
    i--;
  else
    j->worst_count++;
  for (; i > 0 && j->worst[i - 1].value < value; i--)
    j->worst[i] = j->worst[i - 1];
  j->worst[i] = (struct outlier){.member = member, .value = value};
}

static double rtt_seconds(struct outliers *o, const struct record *r,
                          unsigned permille) {
  uint32_t *first = o->sorted + r->at - r->rtts;
  return (double)distribution_select(first, r->rtts, permille) * 1e-6;
}

static void members_judge(struct outliers *o) {
  struct judgement *retrans = &o->by[OUTLIER_BY_RETRANS];
  struct judgement *rtt = &o->by[OUTLIER_BY_RTT];
  for (uint32_t i = 0; i < o->record_count; i++) {
    const struct record *r = &o->record[i];
    if (r->segments >= OUTLIER_SEGMENTS) {
      double percent = 100 * (double)r->retrans / (double)r->segments;
      percent = percent < 100 ? percent : 100;
      judge(retrans, i, percent);
      /* One or two may be probes of a tail. */
      worst_insert(retrans, o->worst, i,
                   r->retrans >= OUTLIER_RETRANS ? percent : 0);
    }
    if (r->segments >= OUTLIER_RTT_SEGMENTS && r->rtts > 0 && !r->mixed) {
      judge(rtt, i, rtt_seconds(o, r, 500));
      worst_insert(rtt, o->worst, i, rtt_seconds(o, r, 950));
    }
  }
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *value, size_t count) {
  qsort(value, count, sizeof(*value), compare);
  return (value[(count - 1) / 2] + value[count / 2]) / 2;
}

/* What a value has to be above, so that it stands out. */
static double limit_of(struct outliers *o, const struct judgement *j,
                       double least, double part) {
  memcpy(o->deviation, j->value, j->judged * sizeof(double));
  double middle = median(o->deviation, j->judged);
  for (size_t i = 0; i < j->judged; i++)
    o->deviation[i] = fabs(j->value[i] - middle);
  double far = OUTLIER_DEVIATIONS * 1.4826 * median(o->deviation, j->judged);
  return middle + fmax(far, fmax(least, part * middle));
}

static void count_above(struct outliers *o, const struct judgement *j,
                        double limit, uint64_t retrans) {
  for (size_t i = 0; i < j->judged; i++) {
    uint32_t member = j->member[i];
    if (j->value[i] <= limit || o->stands_out[member] ||
        o->record[member].retrans < retrans)
      continue;
    o->stands_out[member] = true;
    o->count++;
  }
}

static void compare_all(struct outliers *o) {
  const struct judgement *retrans = &o->by[OUTLIER_BY_RETRANS];
  const struct judgement *rtt = &o->by[OUTLIER_BY_RTT];
  if (retrans->judged < OUTLIER_MEMBERS && rtt->judged < OUTLIER_MEMBERS)
    return;
  o->count = 0;
  memset(o->stands_out, 0, o->record_count * sizeof(*o->stands_out));
  if (retrans->judged >= OUTLIER_MEMBERS)
    count_above(o, retrans, limit_of(o, retrans, 1, 0), OUTLIER_RETRANS);
  if (rtt->judged >= OUTLIER_MEMBERS)
    count_above(o, rtt, limit_of(o, rtt, 0.002, 0.5), 0);
}

void outliers_settle(struct outliers *o) {
  o->count = -1;
  for (int i = 0; i < OUTLIER_MEASURES; i++)
    o->by[i].judged = o->by[i].worst_count = 0;
  if (o->failed || !judge_room(o))
    return;
  rtts_sort(o);
  members_judge(o);
  compare_all(o);
}

struct outlier *outliers_worst(struct outliers *o, enum outlier_measure measure,
                               size_t *count) {
  *count = o->by[measure].worst_count;
  return o->by[measure].worst;
}

int outliers_count(const struct outliers *o) { return o->count; }

/* Records follow the members' numbers, which are few again after many went. */
void outliers_commit(struct outliers *o) {
  o->failed = false;
  size_t last = 0;
  for (size_t i = 0; i < o->record_count; i++) {
    if (o->record[i].segments > 0 || o->record[i].rtts > 0)
      last = i + 1;
    o->record[i] = (struct record){.retrans = 0};
  }
  if (last < o->record_count / 4 && ARRAY_RESIZE(o->record, last + 1))
    o->record_count = last + 1;
}
