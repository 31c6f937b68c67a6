/* growth: how much time a sighting may add, by how the socket was seen before;
 * and timeouts from before a connection was first seen. */
#include "connection/growth.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { JIFFY = 10, HUGE_MS = 75000 };

static uint64_t present; /* ms */

static uint64_t now(void *data) {
  assert_null(data);
  return present;
}

/* Dumps begin at 10, 20, 30 ... s and take 1 s; dump 3 failed. */
static struct dump_times times_make(uint32_t dumps) {
  struct dump_times t = {.dump = 0};
  for (uint32_t i = 1; i <= dumps; i++) {
    dump_times_begin(&t, 10000u * i);
    if (i != 3)
      dump_times_complete(&t, 10000u * i + 1000);
  }
  return t;
}

static uint64_t in_unit(enum field_id id, uint64_t ms) {
  return field_table[id].unit == UNIT_US ? 1000 * ms : ms;
}

static bool is_time(enum field_id id) {
  const struct field *f = &field_table[id];
  return f->nature == FIELD_COUNTER &&
         (f->unit == UNIT_US || f->unit == UNIT_MS);
}

/* What is left of a growth of `ms` in each counter of time. */
static uint64_t limited(const struct track_seen *like, enum growth_sight sight,
                        const struct dump_times *t, uint64_t ms) {
  uint64_t delta[FIELD_COUNT];
  struct track_seen seen = *like;
  for (int id = 0; id < FIELD_COUNT; id++)
    delta[id] = is_time((enum field_id)id) ? in_unit((enum field_id)id, ms) : 7;
  seen.delta = delta;
  growth_limit_times(&seen, sight, t, now, NULL);
  uint64_t left = delta[FIELD_TOTAL_RTO_TIME];
  for (int id = 0; id < FIELD_COUNT; id++)
    assert_int_equal(delta[id], is_time((enum field_id)id)
                                    ? in_unit((enum field_id)id, left)
                                    : 7);
  return left;
}

/* The present is 56.5 s; the last of five dumps began at 50 s. */
static const struct {
  const char *what;
  enum growth_sight sight;
  struct track_seen seen;
  uint64_t most; /* ms, without the jiffy */
} table[] = {
    {"a dump, shown by the one before",
     GROWTH_DUMP,
     {.event = TRACK_KNOWN, .dumps_since = 1},
     16500},
    {"a dump, missed by the one before",
     GROWTH_DUMP,
     {.event = TRACK_KNOWN, .dumps_since = 2, .missed = true},
     26500},
    {"a dump, connected anew",
     GROWTH_DUMP,
     {.event = TRACK_REUSED, .dumps_since = 1},
     16500},
    {"a dump, shown as a mini socket before",
     GROWTH_DUMP,
     {.event = TRACK_KNOWN, .dumps_since = 1, .mini_before = true},
     37500},
    {"a dump, first seen", GROWTH_DUMP, {.event = TRACK_NEW}, 6500},
    {"an event, shown by the last dump",
     GROWTH_EVENT,
     {.event = TRACK_KNOWN},
     6500},
    {"an event, the last dump failed",
     GROWTH_EVENT,
     {.event = TRACK_KNOWN, .dumps_since = 1},
     16500},
    {"an event of a dead socket",
     GROWTH_EVENT,
     {.event = TRACK_KNOWN, .dumps_since = 1, .missed = true},
     0},
    {"an event of a dead socket, connected anew",
     GROWTH_EVENT,
     {.event = TRACK_REUSED, .dumps_since = 3, .missed = true},
     0},
    {"an event, shown as a mini socket",
     GROWTH_EVENT,
     {.event = TRACK_KNOWN, .mini_before = true},
     27500},
    {"an event of an unseen connection",
     GROWTH_EVENT,
     {.event = TRACK_NEW},
     21000}, /* dump 3 failed: 20 s to 41 s */
};

static void no_sight_adds_more_time_than_has_passed(void **state) {
  (void)state;
  struct dump_times t = times_make(5);
  present = 56500;
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    uint64_t most = table[i].most > 0 ? table[i].most + JIFFY : 0;
    const uint64_t grown[] = {0, 1, most, most + 1, HUGE_MS};
    for (size_t k = 0; k < sizeof(grown) / sizeof(grown[0]); k++) {
      uint64_t expected = grown[k] < most ? grown[k] : most;
      uint64_t left = limited(&table[i].seen, table[i].sight, &t, grown[k]);
      if (left != expected)
        fail_msg("%s: %d ms of %d, not %d", table[i].what, (int)left,
                 (int)grown[k], (int)expected);
    }
  }
}

/* Before there were two complete dumps, an unseen connection has lived since
 * the first one. */
static void first_interval_limits_as_well(void **state) {
  (void)state;
  struct dump_times t = times_make(1);
  const struct track_seen unseen = {.event = TRACK_NEW};
  present = 14000;
  assert_int_equal(limited(&unseen, GROWTH_EVENT, &t, HUGE_MS), 4000 + JIFFY);
  assert_int_equal(limited(&unseen, GROWTH_DUMP, &t, HUGE_MS), 4000 + JIFFY);
}

/* A dump so long ago has no time any more. */
static void forgotten_dump_limits_nothing(void **state) {
  (void)state;
  struct dump_times t = times_make(100);
  const struct track_seen known = {.event = TRACK_KNOWN, .dumps_since = 40};
  present = 1000000;
  assert_int_equal(limited(&known, GROWTH_DUMP, &t, HUGE_MS), HUGE_MS);
}

/* The clock is read only for sockets that would exceed the begin of the dump:
 * others must not pay for it. */
static unsigned looks;

static uint64_t counted_now(void *data) {
  (void)data;
  looks++;
  return present;
}

static void most_sockets_need_no_clock(void **state) {
  (void)state;
  struct dump_times t = times_make(5);
  uint64_t delta[FIELD_COUNT] = {0};
  struct track_seen seen = {
      .event = TRACK_KNOWN, .dumps_since = 1, .delta = delta};
  present = 50500;
  delta[FIELD_BUSY_TIME] = 10000000;
  growth_limit_times(&seen, GROWTH_DUMP, &t, counted_now, NULL);
  assert_int_equal(looks, 0);
  delta[FIELD_BUSY_TIME] = 10400000; /* the socket came late in this dump */
  growth_limit_times(&seen, GROWTH_DUMP, &t, counted_now, NULL);
  assert_int_equal(looks, 1);
  assert_int_equal(delta[FIELD_BUSY_TIME], 10400000);
}

static void inherited_timeouts_do_not_count(void **state) {
  (void)state;
  static const struct {
    size_t info_size;
    uint64_t retrans, rto, recoveries, time; /* of the message */
    uint64_t rto_left, recoveries_left, time_left;
  } row[] = {
      {280, 0, 0, 0, 0, 0, 0, 0},
      {280, 0, 1, 1, 1000, 0, 0, 0}, /* TCP_DEFER_ACCEPT, 1 s and more */
      {280, 0, 2, 1, 5000, 0, 0, 0},
      {280, 0, 3, 1, 7000, 0, 0, 0},
      {280, 0, 1, 1, 400, 1, 1, 400}, /* in the host's own queue */
      {280, 0, 2, 1, 2999, 2, 1, 2999},
      {280, 3, 3, 1, 7000, 3, 1, 7000}, /* SYNs or data that were lost */
      {280, 1, 3, 2, 5000, 1, 1, 5000}, /* both: the time is not told apart */
      {280, 9, 3, 2, 400, 3, 2, 400},
      {240, 0, 2, 1, 5000, 2, 1, 5000}, /* before Linux 6.7: not known */
  };
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    uint8_t info[280] = {0};
    info_put(info, FIELD_TOTAL_RETRANS, row[i].retrans);
    info_put(info, FIELD_TOTAL_RTO, row[i].rto);
    info_put(info, FIELD_TOTAL_RTO_TIME, row[i].time);
    const struct sample s = {.info = info, .info_size = row[i].info_size};
    uint64_t delta[FIELD_COUNT] = {[FIELD_TOTAL_RETRANS] = row[i].retrans,
                                   [FIELD_TOTAL_RTO] = row[i].rto,
                                   [FIELD_TOTAL_RTO_RECOVERIES] =
                                       row[i].recoveries,
                                   [FIELD_TOTAL_RTO_TIME] = row[i].time,
                                   [FIELD_BUSY_TIME] = 12};
    struct track_seen seen = {.event = TRACK_NEW, .delta = delta};
    growth_drop_handshake(&seen, &s);
    assert_int_equal(delta[FIELD_TOTAL_RETRANS], row[i].retrans);
    assert_int_equal(delta[FIELD_TOTAL_RTO], row[i].rto_left);
    assert_int_equal(delta[FIELD_TOTAL_RTO_RECOVERIES], row[i].recoveries_left);
    assert_int_equal(delta[FIELD_TOTAL_RTO_TIME], row[i].time_left);
    assert_int_equal(delta[FIELD_BUSY_TIME], 12);
    /* A group may report the timeouts alone. */
    memset(delta, 0, sizeof(delta));
    delta[FIELD_TOTAL_RTO] = row[i].rto;
    growth_drop_handshake(&seen, &s);
    assert_int_equal(delta[FIELD_TOTAL_RTO], row[i].rto_left);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_sight_adds_more_time_than_has_passed),
      cmocka_unit_test(first_interval_limits_as_well),
      cmocka_unit_test(forgotten_dump_limits_nothing),
      cmocka_unit_test(most_sockets_need_no_clock),
      cmocka_unit_test(inherited_timeouts_do_not_count),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
