#include "support/lives_model.h"

#include <string.h>

static void tally_set(struct tally *t, bool sure) {
  t->high = 1;
  if (sure)
    t->low = 1;
}

void model_begin(struct lives_model *t) {
  t->dumped = 0;
  t->connections = (struct tally){0, 0};
  for (int i = 0; i < t->lives->count; i++)
    t->life[i].shown = false;
}

/* Returns the earlier connection on the same socket that the cookie still
 * stands for, or NULL. */
static struct model_life *known_before(struct lives_model *t, int life) {
  for (int i = t->lives->life[life].before; i >= 0;
       i = t->lives->life[i].before) {
    struct model_life *x = &t->life[i];
    if (!x->known && !x->awaited)
      continue;
    t->life[life].carried =
        x->based ? x->base[LIFE_BUSY] + x->busy : x->carried;
    return x;
  }
  return NULL;
}

/* Returns true if a dump showed the connection in a state with traffic. */
static bool has_traffic(const struct model_life *x) {
  return x->open || x->mini || x->connecting;
}

/* Counts the end of a connection. A connection last seen in SYN_SENT may have
 * been established since then. */
static void gone(struct lives_model *t, struct model_life *x) {
  const struct life *l = &t->lives->life[x - t->life];
  x->known = x->awaited = false;
  if (x->open || x->mini)
    tally_set(&x->end[LIFE_CLOSED], x->open);
  else if (x->connecting)
    tally_set(&x->end[LIFE_FAILED], false);
  if (!x->open && (!x->early || x->connecting) && l->established) {
    tally_set(&x->end[LIFE_OPENED], false);
    tally_set(&x->end[LIFE_CLOSED], false);
  }
}

static unsigned width_bits(int c) {
  return 8u * field_table[life_field[c]].width;
}

static bool wide(int c) { return width_bits(c) == 64; }

/* Counts in the cgroup. If no message had a cgroup, none is certain. */
static void sent_in_cgroup(struct model_life *x, uint64_t sent, bool sure) {
  struct tally *in = &x->sent_in[x->cgroup];
  if (x->cgroup == 0)
    return;
  in->high += sent - x->counter[LIFE_SENT].high;
  if (sure)
    in->low += sent - x->counter[LIFE_SENT].low;
}

/* What is known of the time since the connection was last shown. */
enum lived {
  LIVED_ALL,  /* it lived all the time */
  LIVED_SOME, /* it may have lived before, or been over, for a part of it */
  LIVED_NOT,  /* a complete dump that had ended before its event was sent has
                 not shown it: it was over */
};

/* Counts the growth of the counters; `sure`: all of it is new. */
static void counters(struct lives_model *t, struct model_life *x, bool sure,
                     enum lived lived) {
  const struct life *l = &t->lives->life[x - t->life];
  bool shown_without_info = x->known && !x->based;
  for (int c = 0; c < LIFE_COUNTERS && !x->based; c++) {
    x->base[c] = wide(c) ? 0 : l->now[c] >> width_bits(c) << width_bits(c);
    if (x->early)
      x->base[c] = l->now[c];
    else if (field_table[life_field[c]].lasting)
      x->base[c] = x->carried;
  }
  x->based = true;
  sent_in_cgroup(x, l->now[LIFE_SENT] - x->base[LIFE_SENT], sure);
  for (int c = 0; c < LIFE_COUNTERS; c++) {
    if (c == LIFE_BUSY)
      continue;
    x->counter[c].high = l->now[c] - x->base[c];
    bool half = !wide(c) && x->counter[c].high >> (width_bits(c) - 1) != 0;
    if (sure && !(shown_without_info && half)) /* or the counter fell */
      x->counter[c].low = x->counter[c].high;
  }
  uint64_t busy = l->now[LIFE_BUSY] - x->base[LIFE_BUSY] - x->busy;
  x->busy += busy;
  x->counter[LIFE_BUSY].high += lived != LIVED_NOT ? busy : 0;
  x->counter[LIFE_BUSY].low += sure && lived == LIVED_ALL ? busy : 0;
}

void model_socket(struct lives_model *t, int life, const struct sample *s) {
  struct model_life *x = &t->life[life];
  bool traffic = TCP_STATES_TRAFFIC >> s->state & 1;
  if (x->shown)
    return; /* a repeat */
  t->dumped++;
  x->shown = x->remembered = true;
  unsigned absences = x->absences;
  x->absences = 0;
  t->connections.high += traffic;
  t->connections.low += traffic && s->full;
  if (x->over)
    return;

  struct model_life *before = known_before(t, life);
  bool first = !x->known && !x->based;
  if (first && !t->complete && before == NULL)
    x->early = s->state != TCP_STATE_SYN_RECV;
  if (s->full && (s->held || x->cgroup == 0))
    x->cgroup = t->lives->life[life].cgroup;
  bool later = first && (absences > 0 || t->lives->life[life].before >= 0);
  if (s->full)
    counters(t, x, true, later ? LIVED_SOME : LIVED_ALL);
  x->known = true;
  if (before != NULL)
    gone(t, before);

  x->held |= s->state == TCP_STATE_TIME_WAIT && (x->waiting || !t->followed);
  x->waiting |= s->state == TCP_STATE_TIME_WAIT;
  bool was_open = x->open;
  x->connecting |= s->state == TCP_STATE_SYN_SENT;
  x->open |= s->full && s->state != TCP_STATE_SYN_SENT;
  x->mini |= !s->full && s->state == TCP_STATE_FIN_WAIT2;
  if (x->open && !was_open && (!x->early || x->connecting))
    tally_set(&x->end[LIFE_OPENED], true);
  if (x->mini && (!x->early || x->connecting))
    tally_set(&x->end[LIFE_OPENED], false);
  if (!s->full && s->state != TCP_STATE_SYN_RECV)
    tally_set(&x->end[LIFE_CLOSED], false);
}

bool model_may_miss(const struct lives_model *t, int life) {
  return t->life[life].absences == 0;
}

void model_end(struct lives_model *t, bool complete) {
  if (!complete)
    return;
  t->forgot = false;
  for (int i = 0; i < t->lives->count; i++) {
    struct model_life *x = &t->life[i];
    const struct life *l = &t->lives->life[i];
    if (x->shown)
      continue;
    if (!t->complete && !x->known && !life_is_full(l) && l->stage != LIFE_SETUP)
      x->dead = true;
    x->absences++;
    bool awaits = t->followed && (x->open || x->connecting);
    if (x->absences == 2 && x->known) {
      gone(t, x);
      x->awaited = awaits;
    }
    x->awaited &= awaits;
    if (x->absences < 2 || x->awaited)
      continue;
    t->forgot |= x->remembered;
    x->remembered = false;
  }
  t->end_ms[1] = t->complete ? t->end_ms[0] : t->lives->now_ms;
  t->end_ms[0] = t->lives->now_ms;
  t->complete = true;
}

/* Returns true if the connection is so new, by its last ACK, that it cannot
 * have been shown by a dump and then been absent from two. */
static bool is_new(const struct lives_model *t, const struct model_life *x) {
  const struct life *l = &t->lives->life[x - t->life];
  bool seen = x->open || x->mini || x->based || x->early || x->held;
  uint64_t since = t->end_ms[l->opened_ms < t->end_ms[0] && !t->forgot];
  return t->complete && !seen && l->opened_ms >= since &&
         (!l->established || l->ack_ms >= since + NEAR_MS);
}

/* Counts a connection as opened and closed, or as failed. If both are possible,
 * `sure` is false. */
static void count_life(struct model_life *x, bool opened, bool failed,
                       bool sure) {
  if (opened)
    tally_set(&x->end[LIFE_OPENED], sure);
  if (opened)
    tally_set(&x->end[LIFE_CLOSED], sure);
  if (failed)
    tally_set(&x->end[LIFE_FAILED], sure);
}

/* Counts an event without counters. Before Linux 5.4 the event does not show if
 * the connection failed either. */
static void event_disconnected(struct lives_model *t,
                               const struct life_event *e, struct model_life *x,
                               const struct model_life *before) {
  const struct life *l = &t->lives->life[e->life];
  bool window = field_present(FIELD_SND_WND, e->sample.info_size);
  bool opened = l->established || !window, failed = !l->established || !window;
  if ((x->known || x->awaited) && has_traffic(x)) {
    bool connecting = x->connecting && !x->open && !x->mini;
    uint64_t failures = x->end[LIFE_FAILED].high;
    gone(t, x);
    x->end[LIFE_FAILED].high = failures;
    if (connecting)
      count_life(x, opened, failed, window);
    return;
  }
  t->uncertain_events++;
  x->port_unknown = true;
  if (t->complete && !x->dead && !x->open)
    count_life(x, opened, failed,
               window && before == NULL && (failed || is_new(t, x)));
  else if (failed)
    tally_set(&x->end[LIFE_FAILED], false);
}

static void event_with_counters(struct lives_model *t,
                                const struct life_event *e,
                                struct model_life *x,
                                struct model_life *before) {
  const struct life *l = &t->lives->life[e->life];
  bool known = x->known || x->awaited || (t->complete && before != NULL);
  bool traffic = has_traffic(x) || before != NULL;
  bool sure = (known && traffic && !x->held) || is_new(t, x);
  t->uncertain_events += !sure;
  if (!x->known && before != NULL)
    t->cgroup_uncertain = true;
  if (!l->established) {
    tally_set(&x->end[LIFE_FAILED], sure);
  } else if (known || (t->complete && !x->dead)) {
    if (!x->early || x->connecting)
      tally_set(&x->end[LIFE_OPENED], sure);
    tally_set(&x->end[LIFE_CLOSED],
              sure && (x->open || !x->early || x->connecting));
  }
  enum lived lived = LIVED_ALL;
  if (!(x->known || x->awaited) || x->waiting || x->mini)
    lived = LIVED_SOME;
  else if (x->absences == 1 && e->after_ms < t->end_ms[0])
    lived = LIVED_SOME; /* it may have closed during the dump */
  else if (x->absences > 0)
    lived = LIVED_NOT;
  if (known || (t->complete && !x->dead))
    counters(t, x, sure, lived);
  if (!sure && !x->known) /* the earlier busy time is no longer subtracted */
    x->counter[LIFE_BUSY].high += x->carried;
  /* No ACK shows when the SYNs were retransmitted. */
  if (!sure && !l->established)
    for (int c = 0; c < LIFE_COUNTERS; c++)
      x->counter[c].high += l->now[c];
}

void model_event(struct lives_model *t, const struct life_event *e) {
  if (e->kind == EVENT_OTHER)
    return;
  struct model_life *x = &t->life[e->life];
  struct model_life *before = known_before(t, e->life);
  x->remembered = false;
  x->over = x->known || x->awaited || t->complete; /* if not, it is ignored */
  if (e->kind == EVENT_DISCONNECTED)
    event_disconnected(t, e, x, before);
  else
    event_with_counters(t, e, x, before);
  if (before != NULL)
    gone(t, before);
  x->known = x->awaited = false;
}

bool model_was_before(const struct model_life *x, bool sure) {
  if (!x->early || x->connecting)
    return false;
  return x->open || !sure;
}
