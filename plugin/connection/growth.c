#include "connection/growth.h"

enum {
  /* A time of struct tcp_info is at most this wrong (linux: HZ >= 100). */
  JIFFY_MS = 10,
  /* Longer times limit nothing, and their microseconds would overflow. */
  LONGEST_MS = INT32_MAX,
};

/* The counters of time. tests/connection/test_growth.c checks that no field of
 * the table is missing. */
static const enum field_id time_field[] = {FIELD_BUSY_TIME, FIELD_RWND_LIMITED,
                                           FIELD_SNDBUF_LIMITED,
                                           FIELD_TOTAL_RTO_TIME};
enum { TIME_FIELDS = sizeof(time_field) / sizeof(time_field[0]) };

/* The time that the connection can have lived since it was last seen,
 * milliseconds: see the table in growth.h. */
static uint64_t lived_ms(const struct track_seen *seen, enum growth_sight sight,
                         const struct dump_times *t, uint64_t now_ms) {
  bool known = seen->event == TRACK_KNOWN || seen->event == TRACK_REUSED;
  bool event = sight == GROWTH_EVENT;
  if (event && known && seen->missed)
    return 0;
  uint64_t ms = JIFFY_MS;
  if (known)
    ms += dump_times_since(t, seen->dumps_since, now_ms);
  else if (!event)
    ms += now_ms - dump_times_last(t, now_ms);
  if (seen->mini_before || (event && !known))
    ms += dump_times_unseen(t, now_ms);
  return ms < LONGEST_MS ? ms : LONGEST_MS;
}

static uint64_t most_of(enum field_id id, uint64_t ms) {
  if (ms == LONGEST_MS)
    return UINT64_MAX;
  return field_table[id].unit == UNIT_US ? ms * 1000 : ms;
}

static bool exceeds(const struct track_seen *seen, uint64_t ms) {
  for (size_t i = 0; i < TIME_FIELDS; i++)
    if (seen->delta[time_field[i]] > most_of(time_field[i], ms))
      return true;
  return false;
}

static void lower(uint64_t *value, uint64_t most) {
  if (*value > most)
    *value = most;
}

void growth_limit_times(struct track_seen *seen, enum growth_sight sight,
                        const struct dump_times *t, growth_now_fn *now,
                        void *data) {
  /* The present is later than the begin of this dump, so that most sockets need
   * no clock. */
  if (!exceeds(seen, lived_ms(seen, sight, t, dump_times_now(t))))
    return;
  uint64_t ms = lived_ms(seen, sight, t, now(data));
  for (size_t i = 0; i < TIME_FIELDS; i++)
    lower(&seen->delta[time_field[i]], most_of(time_field[i], ms));
}

void growth_drop_handshake(struct track_seen *seen, const struct sample *s) {
  uint64_t *delta = seen->delta, timeouts, retrans, ms;
  if (!sample_get(s, FIELD_TOTAL_RTO, &timeouts) ||
      !sample_get(s, FIELD_TOTAL_RETRANS, &retrans) ||
      !sample_get(s, FIELD_TOTAL_RTO_TIME, &ms))
    return;
  uint64_t inherited = tcp_info_inherited_timeouts(timeouts, retrans, ms);
  if (inherited == 0)
    return;
  lower(&delta[FIELD_TOTAL_RTO], timeouts - inherited);
  lower(&delta[FIELD_TOTAL_RTO_RECOVERIES], timeouts - inherited);
  if (retrans == 0)
    delta[FIELD_TOTAL_RTO_TIME] = 0;
}
