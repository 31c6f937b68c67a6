/* outlier: each rule by itself, and random intervals against a model that sorts
 * all values. */
#include "group/outlier.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INFO_SIZE = 280 };

/* --- Sockets of members --------------------------------------------------- */

static void add_as(struct outliers *o, uint32_t member, uint32_t rtt_us,
                   uint64_t segments, uint64_t retrans, bool active) {
  uint8_t info[INFO_SIZE] = {0};
  uint64_t delta[FIELD_COUNT] = {
      [FIELD_DATA_SEGS_OUT] = segments, [FIELD_DATA_RETRANS] = retrans};
  struct sample s = {.info = info, .info_size = sizeof(info)};
  struct observation r = {
      .sample = &s, .delta = delta, .changed = true, .active = active};
  memcpy(info + field_table[FIELD_RTT].offset, &rtt_us, sizeof(rtt_us));
  outliers_add(o, member, &r);
}

/* A socket whose first measurement was its client's time to think. */
static void add_deferred(struct outliers *o, uint32_t member, uint32_t rtt_us) {
  uint8_t info[INFO_SIZE] = {0};
  static const uint64_t delta[FIELD_COUNT] = {[FIELD_DATA_SEGS_OUT] = 30};
  struct sample s = {.info = info, .info_size = sizeof(info)};
  struct observation r = {
      .sample = &s, .delta = delta, .changed = true, .active = true};
  memcpy(info + field_table[FIELD_RTT].offset, &rtt_us, sizeof(rtt_us));
  info[field_table[FIELD_TOTAL_RTO].offset] = 1; /* nothing retransmitted */
  info[field_table[FIELD_TOTAL_RTO_TIME].offset + 1] = 5; /* 1280 ms */
  outliers_add(o, member, &r);
}

static void add(struct outliers *o, uint32_t member, uint32_t rtt_us,
                uint64_t segments, uint64_t retrans) {
  add_as(o, member, rtt_us, segments, retrans, true);
}

static void add_close(struct outliers *o, uint32_t member, uint64_t segments,
                      uint64_t retrans) {
  uint64_t delta[FIELD_COUNT] = {
      [FIELD_DATA_SEGS_OUT] = segments, [FIELD_DATA_RETRANS] = retrans};
  outliers_add_close(o, member, delta);
}

/* Checks the member at `rank` among the worst. */
static void worst_is(struct outliers *o, enum outlier_measure by, size_t rank,
                     uint32_t member, double value) {
  size_t count;
  const struct outlier *w = outliers_worst(o, by, &count);
  assert_true(rank < count);
  assert_int_equal(w[rank].member, member);
  if (fabs(w[rank].value - value) > 1e-9)
    fail_msg("%.12g, not %.12g", w[rank].value, value);
}

static void worst_are(struct outliers *o, enum outlier_measure by,
                      size_t expected) {
  size_t count;
  outliers_worst(o, by, &count);
  assert_int_equal(count, expected);
}

/* --- The rules ------------------------------------------------------------ */

/* A member is measured if it sent enough. */
static void a_member_that_sent_too_little_is_not_measured(void **state) {
  (void)state;
  struct outliers *o = outliers_new(5);
  outliers_begin(o);
  add(o, 0, 1000, 49, 9);
  add(o, 1, 2000, 50, 10);
  add(o, 2, 3000, 10, 0);
  add(o, 3, 4000, 9, 9);
  add_as(o, 4, 5000, 300, 3, false); /* an idle socket's RTT is old */
  add_deferred(o, 7, 5000000);
  add(o, 5, 0, 100, 2); /* no RTT yet; 2 retransmissions rank as 0 */
  add(o, 6, 0, 50, 80); /* retransmitted SYNs are no data segments */
  outliers_settle(o);
  worst_are(o, OUTLIER_BY_RETRANS, 4);
  worst_is(o, OUTLIER_BY_RETRANS, 0, 6, 100);
  worst_is(o, OUTLIER_BY_RETRANS, 1, 1, 20);
  worst_is(o, OUTLIER_BY_RETRANS, 2, 4, 1);
  worst_is(o, OUTLIER_BY_RETRANS, 3, 5, 0);
  worst_are(o, OUTLIER_BY_RTT, 3);
  worst_is(o, OUTLIER_BY_RTT, 0, 2, 0.003);
  worst_is(o, OUTLIER_BY_RTT, 1, 1, 0.002);
  worst_is(o, OUTLIER_BY_RTT, 2, 0, 0.001);
  outliers_free(o);
}

/* The RTT of a member is the 95th percentile of its sockets, by the nearest
 * rank. */
static void members_are_ranked_by_the_95th_percentile_of_rtt(void **state) {
  (void)state;
  struct outliers *o = outliers_new(2);
  outliers_begin(o);
  for (uint32_t i = 1; i <= 40; i++) { /* in turns with another member's */
    add(o, 3, 1000 * (41 - i), 1, 0);
    add(o, 1, 500, 1, 0);
  }
  outliers_settle(o);
  worst_is(o, OUTLIER_BY_RTT, 0, 3, 0.038);
  worst_is(o, OUTLIER_BY_RTT, 1, 1, 0.0005);
  outliers_free(o);
}

/* By hand: 1 1 2 2 4 6 9 and the last member's value have the median 3. The
 * deviations 1 1 1 2 2 3 6 and the last one have the median 2. A value above
 * 3 + 6 x 1.4826 x 2 = 20.79 makes an outlier. */
static void an_outlier_is_beyond_six_deviations(void **state) {
  (void)state;
  static const uint64_t percent[] = {1, 6, 2, 9, 4, 1, 2};
  for (int above = 0; above < 2; above++) {
    struct outliers *o = outliers_new(1);
    outliers_begin(o);
    for (uint32_t i = 0; i < 7; i++)
      add(o, i, 1000, 1000, 10 * percent[i]);
    add(o, 7, 1000, 1000, above ? 208 : 207);
    outliers_settle(o);
    assert_int_equal(outliers_count(o), above);
    outliers_free(o);
  }
}

/* Among equal members a small distance makes no outlier: 1 percentage point and
 * 3 segments; half the median and 2 ms. */
static void a_small_distance_makes_no_outlier(void **state) {
  (void)state;
  static const struct {
    uint32_t rtt, others_rtt;
    uint64_t segments, retrans;
    int count;
  } row[] = {
      {10000, 10000, 1000, 0, 0},  {10000, 10000, 1000, 10, 0},
      {10000, 10000, 1000, 11, 1}, {10000, 10000, 100, 2, 0},
      {10000, 10000, 100, 3, 1},   {15000, 10000, 1000, 0, 0},
      {15001, 10000, 1000, 0, 1},  {3000, 1000, 1000, 0, 0},
      {3001, 1000, 1000, 0, 1},    {1000, 10000, 1000, 0, 0},
      {15001, 10000, 1000, 11, 1}, /* by both: one member */
  };
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    struct outliers *o = outliers_new(0);
    outliers_begin(o);
    for (uint32_t k = 0; k < 20; k++)
      if (k == 13)
        add(o, k, row[i].rtt, row[i].segments, row[i].retrans);
      else
        add(o, k, row[i].others_rtt, 1000, 0);
    outliers_settle(o);
    if (outliers_count(o) != row[i].count)
      fail_msg("row %zu: %d", i, outliers_count(o));
    worst_are(o, OUTLIER_BY_RETRANS, 0); /* no ranks were wanted */
    outliers_free(o);
  }
}

/* The RTT that is compared is the median of a member's sockets: one slow socket
 * of many makes no outlier, but raises the 95th percentile that is ranked. */
static void one_slow_socket_makes_no_outlier(void **state) {
  (void)state;
  struct outliers *o = outliers_new(1);
  outliers_begin(o);
  for (uint32_t i = 0; i < 10; i++)
    for (uint32_t k = 0; k < 3; k++)
      add(o, i, i == 4 && k == 0 ? 900000 : 1000, 20, 0);
  outliers_settle(o);
  assert_int_equal(outliers_count(o), 0);
  worst_is(o, OUTLIER_BY_RTT, 0, 4, 0.9);
  outliers_free(o);
}

/* Each measure by itself: fewer than five measured members are not compared. */
static void fewer_than_five_members_are_not_compared(void **state) {
  (void)state;
  for (uint32_t members = 0; members <= 6; members++) {
    struct outliers *o = outliers_new(1);
    outliers_begin(o);
    for (uint32_t i = 0; i < members; i++)
      add(o, i, 1000, 100, i == 0 ? 50 : 0);
    outliers_settle(o);
    assert_int_equal(outliers_count(o), members < OUTLIER_MEMBERS ? -1 : 1);
    outliers_free(o);
  }
  struct outliers *o = outliers_new(1);
  assert_int_equal(outliers_count(o), -1);
  outliers_begin(o);
  for (uint32_t i = 0; i < 5; i++) /* too few segments for retransmissions */
    add(o, i, i == 2 ? 90000 : 1000, 20, i == 1 ? 20 : 0);
  outliers_settle(o);
  assert_int_equal(outliers_count(o), 1);
  outliers_free(o);
}

/* --- Intervals ------------------------------------------------------------ */

/* Growth that a failed dump showed is kept, its round-trip times are not. A
 * commit clears all. */
static void a_failed_dump_loses_no_growth(void **state) {
  (void)state;
  struct outliers *o = outliers_new(3);
  outliers_begin(o);
  add(o, 0, 90000, 40, 4);
  add(o, 1, 90000, 60, 6);
  add_close(o, 2, 30, 3);
  outliers_begin(o); /* it failed */
  add(o, 0, 1000, 40, 0);
  add(o, 2, 2000, 30, 0);
  outliers_settle(o);
  worst_are(o, OUTLIER_BY_RETRANS, 3);
  worst_is(o, OUTLIER_BY_RETRANS, 0, 1, 10);
  worst_is(o, OUTLIER_BY_RETRANS, 1, 0, 5);
  worst_is(o, OUTLIER_BY_RETRANS, 2, 2, 5);
  worst_are(o, OUTLIER_BY_RTT, 2);
  worst_is(o, OUTLIER_BY_RTT, 0, 2, 0.002);
  outliers_commit(o);
  outliers_begin(o);
  add(o, 0, 1000, 49, 0);
  outliers_settle(o);
  worst_are(o, OUTLIER_BY_RETRANS, 0);
  outliers_free(o);
}

/* Growth up to the close counts, also between reads, and whether or not the
 * member still has a socket. */
static void growth_up_to_the_close_counts(void **state) {
  (void)state;
  struct outliers *o = outliers_new(3);
  outliers_begin(o);
  outliers_settle(o);
  outliers_commit(o);
  add_close(o, 5, 100, 20);
  add_close(o, 2, 50, 0);
  outliers_begin(o);
  add(o, 2, 7000, 50, 10);
  outliers_settle(o);
  worst_are(o, OUTLIER_BY_RETRANS, 2);
  worst_is(o, OUTLIER_BY_RETRANS, 0, 5, 20);
  worst_is(o, OUTLIER_BY_RETRANS, 1, 2, 10);
  worst_are(o, OUTLIER_BY_RTT, 1); /* a close brings no RTT */
  outliers_free(o);
}

/* A member that gets the number of one that is gone starts from 0. */
static void a_reused_number_starts_from_zero(void **state) {
  (void)state;
  struct outliers *o = outliers_new(3);
  outliers_forget(o, 1000); /* never seen */
  outliers_begin(o);
  add_close(o, 5, 1000, 200);
  outliers_forget(o, 5);
  add_close(o, 5, 100, 3);
  outliers_settle(o);
  worst_are(o, OUTLIER_BY_RETRANS, 1);
  worst_is(o, OUTLIER_BY_RETRANS, 0, 5, 3);
  outliers_free(o);
}

/* Round-trip times of one dump under a reused number may be of either member:
 * they are left out, for that dump. */
static void a_reused_number_has_no_rtt_in_that_dump(void **state) {
  (void)state;
  struct outliers *o = outliers_new(3);
  outliers_begin(o);
  add(o, 5, 90000, 100, 0);
  outliers_forget(o, 5);
  add(o, 5, 1000, 100, 0);
  outliers_settle(o);
  worst_are(o, OUTLIER_BY_RTT, 0);
  outliers_begin(o); /* the dump failed */
  add(o, 5, 2000, 100, 0);
  outliers_settle(o);
  worst_is(o, OUTLIER_BY_RTT, 0, 5, 0.002);
  outliers_free(o);
}

/* Members are many, then few, then others: numbers are used again, and memory
 * is given back. */
static void numbers_can_be_reused_after_many_members_went(void **state) {
  (void)state;
  struct outliers *o = outliers_new(2);
  for (uint32_t round = 0; round < 30; round++) {
    uint32_t many = round % 3 == 0 ? 20000 : round % 3 == 1 ? 7 : 300;
    uint32_t bad = round * 6 % many & ~1u, step = round % 2 + 1;
    outliers_begin(o);
    for (uint32_t i = many; i-- > 0;)
      if (i % step == 0)
        add(o, i, i == bad ? 80000 : 1000, 100, i == bad ? 30 : 0);
    outliers_settle(o);
    worst_is(o, OUTLIER_BY_RETRANS, 0, bad, 30);
    worst_is(o, OUTLIER_BY_RTT, 0, bad, 0.08);
    assert_int_equal(outliers_count(o), many == 7 && step == 2 ? -1 : 1);
    outliers_commit(o);
  }
  outliers_begin(o);
  outliers_settle(o);
  worst_are(o, OUTLIER_BY_RETRANS, 0);
  worst_are(o, OUTLIER_BY_RTT, 0);
  assert_int_equal(outliers_count(o), -1);
  outliers_free(o);
}

/* Of 5,000 members, which all have some loss and some delay, one is bad. */
static void one_bad_member_of_many_is_found(void **state) {
  (void)state;
  enum { MEMBERS = 5000, BAD = 4242 };
  struct outliers *o = outliers_new(3);
  srand(5);
  for (int round = 0; round < 3; round++) {
    outliers_begin(o);
    for (uint32_t i = 0; i < MEMBERS; i++)
      for (int k = 0; k < 3; k++)
        add(o, i, 1000 + (uint32_t)rand() % 300, 200,
            i == BAD ? 10 : rand() % 10 == 0);
    outliers_settle(o);
    assert_int_equal(outliers_count(o), 1);
    worst_is(o, OUTLIER_BY_RETRANS, 0, BAD, 5);
    outliers_commit(o);
  }
  outliers_free(o);
}

/* --- The model ------------------------------------------------------------ */

enum { MEMBERS = 60, RTTS_MAX = 30, WORST = 4 };

struct model_member {
  uint64_t segments, retrans;
  size_t rtts;
  uint32_t rtt[RTTS_MAX];
};

static int numbers(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static int doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double rank(struct model_member *m, double part) {
  qsort(m->rtt, m->rtts, sizeof(m->rtt[0]), numbers);
  size_t n = (size_t)ceil(part * (double)m->rtts - 1e-9);
  return m->rtt[n > 0 ? n - 1 : 0] * 1e-6;
}

static double middle(const double *value, size_t n) {
  double sorted[MEMBERS];
  memcpy(sorted, value, n * sizeof(*value));
  qsort(sorted, n, sizeof(*sorted), doubles);
  return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static double limit_of(const double *value, size_t n, double least,
                       double part) {
  double away[MEMBERS], m = middle(value, n);
  for (size_t i = 0; i < n; i++)
    away[i] = fabs(value[i] - m);
  return m + fmax(fmax(6 * 1.4826 * middle(away, n), least), part * m);
}

static int worse(const void *a, const void *b) {
  const struct outlier *x = a, *y = b;
  if (x->value != y->value)
    return x->value < y->value ? 1 : -1;
  return (x->member > y->member) - (x->member < y->member);
}

static void check_worst(struct outliers *o, enum outlier_measure by,
                        struct outlier *all, size_t n) {
  qsort(all, n, sizeof(*all), worse);
  worst_are(o, by, n < WORST ? n : WORST);
  for (size_t i = 0; i < n && i < WORST; i++)
    worst_is(o, by, i, all[i].member, all[i].value);
}

static int model_compare(struct model_member *member, struct outlier *retrans,
                         size_t *retrans_count, struct outlier *rtt,
                         size_t *rtt_count) {
  double percent[MEMBERS], median[MEMBERS];
  uint32_t of_percent[MEMBERS], of_median[MEMBERS];
  bool out[MEMBERS] = {false};
  size_t r = 0, t = 0;
  for (uint32_t i = 0; i < MEMBERS; i++) {
    struct model_member *m = &member[i];
    if (m->segments >= 50) {
      percent[r] = fmin(100, 100.0 * (double)m->retrans / (double)m->segments);
      of_percent[r] = i;
      retrans[r] = (struct outlier){.member = i,
                                    .value = m->retrans >= 3 ? percent[r] : 0};
      r++;
    }
    if (m->segments >= 10 && m->rtts > 0) {
      median[t] = rank(m, 0.5);
      of_median[t] = i;
      rtt[t] = (struct outlier){.member = i, .value = rank(m, 0.95)};
      t++;
    }
  }
  *retrans_count = r;
  *rtt_count = t;
  for (size_t i = 0; i < r && r >= 5; i++)
    out[of_percent[i]] |= percent[i] > limit_of(percent, r, 1, 0) &&
                          member[of_percent[i]].retrans >= 3;
  for (size_t i = 0; i < t && t >= 5; i++)
    out[of_median[i]] |= median[i] > limit_of(median, t, 0.002, 0.5);
  int count = 0;
  for (size_t i = 0; i < MEMBERS; i++)
    count += out[i];
  return r < 5 && t < 5 ? -1 : count;
}

static void random_dump(struct outliers *o, struct model_member *member,
                        unsigned sockets) {
  outliers_begin(o);
  for (size_t i = 0; i < MEMBERS; i++)
    member[i].rtts = 0;
  for (unsigned k = 0; k < sockets; k++) {
    uint32_t i = (uint32_t)rand() % MEMBERS;
    struct model_member *m = &member[i];
    uint64_t segments = (uint64_t)rand() % 60;
    uint64_t retrans = rand() % 4 ? 0 : (uint64_t)rand() % (i % 9 + 1);
    uint32_t us = 1 + (uint32_t)rand() % (i % 11 == 0 ? 90000 : 3000);
    bool active = rand() % 5 != 0;
    if (m->rtts == RTTS_MAX)
      continue;
    m->segments += segments;
    m->retrans += retrans;
    if (rand() % 6 == 0) {
      add_close(o, i, segments, retrans);
      continue;
    }
    add_as(o, i, us, segments, retrans, active);
    if (active)
      m->rtt[m->rtts++] = us;
  }
}

static void random_intervals_agree_with_the_model(void **state) {
  (void)state;
  int found = 0;
  for (unsigned seed = 1; seed <= 5; seed++) {
    struct outliers *o = outliers_new(WORST);
    struct model_member member[MEMBERS] = {0};
    srand(seed);
    for (int round = 0; round < 200; round++) {
      struct outlier retrans[MEMBERS], rtt[MEMBERS];
      size_t retrans_count, rtt_count;
      random_dump(o, member, (unsigned)rand() % 700);
      if (rand() % 5 == 0)
        continue; /* this dump failed */
      outliers_settle(o);
      int count =
          model_compare(member, retrans, &retrans_count, rtt, &rtt_count);
      assert_int_equal(outliers_count(o), count);
      check_worst(o, OUTLIER_BY_RETRANS, retrans, retrans_count);
      check_worst(o, OUTLIER_BY_RTT, rtt, rtt_count);
      outliers_commit(o);
      memset(member, 0, sizeof(member));
      found += count > 0;
    }
    outliers_free(o);
  }
  assert_in_range(found, 100, 900); /* with and without outliers, both often */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_member_that_sent_too_little_is_not_measured),
      cmocka_unit_test(members_are_ranked_by_the_95th_percentile_of_rtt),
      cmocka_unit_test(an_outlier_is_beyond_six_deviations),
      cmocka_unit_test(a_small_distance_makes_no_outlier),
      cmocka_unit_test(one_slow_socket_makes_no_outlier),
      cmocka_unit_test(fewer_than_five_members_are_not_compared),
      cmocka_unit_test(a_failed_dump_loses_no_growth),
      cmocka_unit_test(growth_up_to_the_close_counts),
      cmocka_unit_test(a_reused_number_starts_from_zero),
      cmocka_unit_test(a_reused_number_has_no_rtt_in_that_dump),
      cmocka_unit_test(numbers_can_be_reused_after_many_members_went),
      cmocka_unit_test(one_bad_member_of_many_is_found),
      cmocka_unit_test(random_intervals_agree_with_the_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
