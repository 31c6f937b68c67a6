/* Tests connection/track.c: each rule by itself, and random histories of
 * sockets against a model whose counters never wrap. */
#include "connection/track.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INFO_SIZE = 280 };

static const enum field_id followed[] = {FIELD_TOTAL_RETRANS, FIELD_BYTES_SENT,
                                         FIELD_BUSY_TIME, FIELD_TOTAL_RTO};
/* Without the last one, track compares the counters of a message in one step.
 */
enum {
  FOLLOWED = sizeof(followed) / sizeof(followed[0]),
  PLAIN = FOLLOWED - 1
};

struct fake_socket {
  uint64_t cookie;
  uint16_t port;
  uint64_t count[FOLLOWED]; /* without wrapping */
  /* The expected state of track. */
  bool known;
  uint64_t handed_out[FOLLOWED];
  int missed;    /* complete dumps in a row */
  bool seen;     /* in this dump */
  unsigned last; /* number of the last dump that showed it */
};

static struct sample sample_of(const struct fake_socket *s, uint8_t *info) {
  struct sample sample = {.cookie = s->cookie,
                          .state = TCP_STATE_ESTABLISHED,
                          .info = info,
                          .info_size = INFO_SIZE};
  sample.attrs.remote.bytes[15] = 1;
  sample.attrs.remote_port = s->port;
  memset(info, 0, INFO_SIZE);
  for (size_t i = 0; i < FOLLOWED; i++) {
    const struct field *f = &field_table[followed[i]];
    uint32_t v4 = (uint32_t)s->count[i];
    uint16_t v2 = (uint16_t)s->count[i];
    if (f->width == 8)
      memcpy(info + f->offset, &s->count[i], 8);
    else if (f->width == 4)
      memcpy(info + f->offset, &v4, 4);
    else
      memcpy(info + f->offset, &v2, 2);
  }
  return sample;
}

static struct track_seen see(struct track *t, const struct fake_socket *s) {
  static uint8_t info[INFO_SIZE];
  struct track_seen seen;
  struct sample sample = sample_of(s, info);
  track_see(t, &sample, &seen);
  return seen;
}

/* The owner's data of a socket: one number here. */
#define OWNER(seen) (*(uint32_t *)(seen).owner)

static bool gone_none(uint64_t cookie, void *owner, void *data) {
  (void)cookie, (void)owner;
  (void)data;
  fail_msg("nothing should be gone");
  return false;
}

/* The owner's number is the number of the socket in the model. */
static bool gone_count(uint64_t cookie, void *owner, void *data) {
  int *gone = data;
  (void)cookie;
  gone[*(uint32_t *)owner]++;
  return false;
}

static void growth_is_the_difference_since_last_seen(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .count = {5, 1000, 77, 1}};
  struct fake_socket b = {.cookie = 2, .count = {3, 50, 1, 0}};

  track_begin(t);
  assert_int_equal(see(t, &a).event, TRACK_BASELINE);
  assert_int_equal(see(t, &a).event, TRACK_REPEAT);
  track_end(t, gone_none, NULL);

  a.count[1] += 24;
  track_begin(t);
  struct track_seen seen = see(t, &a);
  assert_int_equal(seen.event, TRACK_KNOWN);
  assert_int_equal(seen.dumps_ago, 1);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 24);
  assert_int_equal(seen.delta[FIELD_TOTAL_RETRANS], 0);
  seen = see(t, &b); /* new after the first dump: all of it counts */
  assert_int_equal(seen.event, TRACK_NEW);
  assert_int_equal(OWNER(seen), 0);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 50);
  assert_int_equal(seen.delta[FIELD_TOTAL_RETRANS], 3);
  track_end(t, gone_none, NULL);
  assert_int_equal(track_count(t), 2);

  /* A socket that is absent once is neither closed nor new afterwards. */
  track_begin(t);
  see(t, &a);
  track_end(t, gone_none, NULL);
  b.count[1] += 7;
  track_begin(t);
  see(t, &a);
  seen = see(t, &b);
  assert_int_equal(seen.event, TRACK_KNOWN);
  assert_int_equal(seen.dumps_ago, 0);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 7);
  track_end(t, gone_none, NULL);
  track_free(t);
}

static void failed_first_dump_leaves_the_baseline_open(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .count = {5, 1000, 77, 1}};
  struct fake_socket b = {.cookie = 2, .count = {3, 50, 1, 0}};
  track_begin(t);
  assert_int_equal(see(t, &a).event, TRACK_BASELINE);
  a.count[1] += 10; /* no track_end(): the dump failed before b */
  track_begin(t);
  assert_int_equal(see(t, &a).delta[FIELD_BYTES_SENT], 10);
  struct track_seen seen = see(t, &b);
  assert_int_equal(seen.event, TRACK_BASELINE);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 0);
  track_end(t, gone_none, NULL);
  track_free(t);
}

static void counters_of_32_and_16_bits_are_unwrapped(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .count = {0xfffffff0u, 1, 0xfffe, 9}};
  track_begin(t);
  see(t, &a);
  track_end(t, gone_none, NULL);
  a.count[0] += 0x20;
  a.count[3] += 5;
  track_begin(t);
  struct track_seen seen = see(t, &a);
  assert_int_equal(seen.delta[FIELD_TOTAL_RETRANS], 0x20);
  assert_int_equal(seen.delta[FIELD_TOTAL_RTO], 5);
  track_end(t, gone_none, NULL);
  track_free(t);
}

/* busy_time wraps after weeks (32 bits of jiffies); that is no disconnect. */
static void fall_of_a_time_is_no_disconnect(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .count = {9, 5000, 1000000000, 1}};
  track_begin(t);
  see(t, &a);
  track_end(t, gone_none, NULL);
  a.count[1] += 3;
  a.count[2] = 4000;
  track_begin(t);
  struct track_seen seen = see(t, &a);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 3);
  assert_int_equal(seen.delta[FIELD_BUSY_TIME], 0);
  track_end(t, gone_none, NULL);
  a.count[2] = 10000;
  track_begin(t);
  assert_int_equal(see(t, &a).delta[FIELD_BUSY_TIME], 6000);
  track_end(t, gone_none, NULL);
  track_free(t);
}

/* A jiffy of HZ=300 is no integral number of milliseconds. The sum of the
 * reported times is always less than 1 ms off, also beyond 32 bits of
 * milliseconds. */
static void times_are_off_by_less_than_a_millisecond(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .count = {0, 0, 0, 0}};
  uint64_t sum = 0, step = 3333;
  for (int i = 0; i < 3000; i++) {
    a.count[2] += step;
    step = i == 1000 ? 4000000000u : i == 2500 ? 3333 : step;
    track_begin(t);
    sum += see(t, &a).delta[FIELD_BUSY_TIME];
    track_end(t, gone_none, NULL);
    if (i > 0)
      assert_in_range(a.count[2] - 3333 + 999 - sum, 0, 2 * 999);
  }
  assert_true(a.count[2] / 1000 > UINT32_MAX);
  track_free(t);
}

static void disconnected_socket_counts_in_full(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {
      .cookie = 1, .port = 80, .count = {9, 5000, 10000, 1}};
  track_begin(t);
  OWNER(see(t, &a)) = 4711;
  track_end(t, gone_none, NULL);
  /* The same addresses: the byte counter fell. */
  memcpy(a.count, (uint64_t[FOLLOWED]){10, 200, 3000, 0}, sizeof(a.count));
  track_begin(t);
  struct track_seen seen = see(t, &a);
  assert_int_equal(seen.event, TRACK_KNOWN);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 200);
  assert_int_equal(seen.delta[FIELD_TOTAL_RETRANS], 10);
  assert_int_equal(seen.delta[FIELD_BUSY_TIME], 0);
  track_end(t, gone_none, NULL);
  /* Another port: detected even if every counter is higher than before. */
  memcpy(a.count, (uint64_t[FOLLOWED]){100, 900, 30000, 2}, sizeof(a.count));
  a.port = 81;
  track_begin(t);
  seen = see(t, &a);
  assert_int_equal(seen.event, TRACK_REUSED);
  assert_int_equal(OWNER(seen), 4711);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 900);
  assert_int_equal(seen.delta[FIELD_TOTAL_RETRANS], 100);
  assert_int_equal(seen.delta[FIELD_BUSY_TIME], 27000); /* it went on */
  track_end(t, gone_none, NULL);
  track_free(t);
}

/* A message without INFO, or with a tcp_info too short for a field, leaves the
 * stored counters as they are and is no growth. */
static void message_without_info_keeps_the_counters(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .count = {9, 5000, 10, 1}};
  uint8_t info[INFO_SIZE];
  struct sample sample = sample_of(&a, info);
  struct track_seen seen;
  track_begin(t);
  see(t, &a);
  track_end(t, gone_none, NULL);
  track_begin(t);
  sample.info = NULL;
  sample.info_size = 0;
  track_see(t, &sample, &seen);
  assert_int_equal(seen.event, TRACK_KNOWN);
  for (size_t i = 0; i < FOLLOWED; i++)
    assert_int_equal(seen.delta[followed[i]], 0);
  track_end(t, gone_none, NULL);
  a.count[1] += 5;
  sample = sample_of(&a, info);
  sample.info_size = 104; /* up to total_retrans only */
  track_begin(t);
  track_see(t, &sample, &seen);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 0);
  track_end(t, gone_none, NULL);
  track_begin(t);
  assert_int_equal(see(t, &a).delta[FIELD_BYTES_SENT], 5);
  track_end(t, gone_none, NULL);
  track_free(t);
}

/* The baseline of a socket is its first message with INFO. A connection in
 * SYN_RECV has the baseline 0. */
static void baseline_waits_for_the_first_info(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .count = {9, 5000, 10, 1}};
  struct fake_socket b = {.cookie = 2, .count = {1, 60, 0, 0}};
  uint8_t info[INFO_SIZE];
  struct track_seen seen;
  track_begin(t);
  struct sample sample = sample_of(&a, info);
  sample.info = NULL;
  track_see(t, &sample, &seen);
  sample = sample_of(&b, info);
  sample.info = NULL;
  sample.state = TCP_STATE_SYN_RECV;
  track_see(t, &sample, &seen);
  track_end(t, gone_none, NULL);
  track_begin(t);
  assert_int_equal(see(t, &a).delta[FIELD_BYTES_SENT], 0);
  assert_int_equal(see(t, &b).delta[FIELD_BYTES_SENT], 60);
  track_end(t, gone_none, NULL);
  a.count[1] += 3;
  track_begin(t);
  assert_int_equal(see(t, &a).delta[FIELD_BYTES_SENT], 3);
  track_end(t, gone_none, NULL);
  track_free(t);
}

/* --- Random histories ---------------------------------------------------- */

enum { MODEL_SOCKETS = 400, MODEL_DUMPS = 120 };

struct model {
  struct fake_socket socket[MODEL_SOCKETS];
  bool alive[MODEL_SOCKETS];
  int gone[MODEL_SOCKETS]; /* reported by track */
  int expect_gone[MODEL_SOCKETS];
  size_t count;
  bool complete_once;
  unsigned dump, complete; /* numbers of this and the last complete dump */
  size_t followed;         /* number of followed counters */
  uint64_t total[FOLLOWED], expected[FOLLOWED];
};

static unsigned chance(unsigned n) { return (unsigned)rand() % n; }

static void model_live(struct model *m) {
  if (m->count < MODEL_SOCKETS)
    for (unsigned n = chance(6); n > 0 && m->count < MODEL_SOCKETS; n--) {
      struct fake_socket *s = &m->socket[m->count];
      s->cookie = (uint64_t)m->count * 0x100000001u;
      s->count[0] = chance(4) == 0 ? 0xffffff00u : chance(9);
      s->count[3] = chance(4) == 0 ? 0xfff0 : 0;
      m->alive[m->count++] = true;
    }
  for (size_t i = 0; i < m->count; i++) {
    struct fake_socket *s = &m->socket[i];
    if (!m->alive[i])
      continue;
    if (chance(30) == 0)
      m->alive[i] = false;
    if (chance(40) == 0) { /* disconnect, connect elsewhere */
      s->port++;
      for (size_t k = 0; k < FOLLOWED; k++)
        if (!field_table[followed[k]].lasting)
          s->count[k] = s->handed_out[k] = 0;
    }
    if (chance(2) == 0) /* does nothing */
      continue;
    s->count[0] += chance(3) == 0 ? chance(0x8000000) : chance(5);
    s->count[1] += (uint64_t)chance(2) * chance(1000000) * chance(1000000);
    s->count[3] += chance(50) == 0 ? chance(0x800) : 0;
    s->count[2] +=
        1000 * (uint64_t)(chance(2) * chance(1000)); /* jiffies, of HZ=1000 */
  }
}

static void model_see(struct model *m, struct track *t, size_t i) {
  struct fake_socket *s = &m->socket[i];
  struct track_seen seen = see(t, s);
  if (s->seen) {
    assert_int_equal(seen.event, TRACK_REPEAT);
    return;
  }
  bool baseline = !s->known && !m->complete_once;
  assert_int_equal(seen.event == TRACK_BASELINE, baseline);
  assert_int_equal(seen.event == TRACK_NEW, !s->known && m->complete_once);
  if (s->known)
    assert_int_equal(seen.dumps_ago,
                     seen.event == TRACK_KNOWN && s->last >= m->complete
                         ? m->dump - s->last
                         : 0);
  bool grew = false;
  for (size_t k = 0; k < m->followed; k++) {
    unsigned width = field_table[followed[k]].width;
    if (!s->known && width < 8) /* earlier wraps are unknown */
      s->handed_out[k] = s->count[k] >> 8 * width << 8 * width;
    if (!baseline)
      m->expected[k] += s->count[k] - s->handed_out[k];
    s->handed_out[k] = s->count[k];
    m->total[k] += seen.delta[followed[k]];
    assert_int_equal(m->total[k], m->expected[k]);
    grew |= seen.delta[followed[k]] != 0;
  }
  assert_true(seen.changed || !grew);
  OWNER(seen) = (uint32_t)i;
  s->known = s->seen = true;
  s->last = m->dump;
}

static void model_dump(struct model *m, struct track *t) {
  bool fails = chance(5) == 0;
  track_begin(t);
  m->dump++;
  for (size_t i = 0; i < m->count; i++)
    m->socket[i].seen = false;
  size_t stop = fails ? chance((unsigned)m->count + 1) : m->count;
  for (size_t i = 0; i < stop; i++) {
    if (!m->alive[i] || chance(25) == 0) /* dumps miss sockets */
      continue;
    model_see(m, t, i);
    if (chance(25) == 0) /* and repeat them */
      model_see(m, t, i > 0 && m->socket[i - 1].seen ? i - 1 : i);
  }
  for (size_t i = 0; i < m->count; i++)
    if (m->socket[i].seen)
      m->socket[i].missed = 0;
  if (fails)
    return;
  m->complete_once = true;
  m->complete = m->dump;
  for (size_t i = 0; i < m->count; i++) {
    struct fake_socket *s = &m->socket[i];
    if (!s->known || s->seen || ++s->missed < 2)
      continue;
    m->expect_gone[i]++;
    s->known = false;
    s->missed = 0;
    memset(s->handed_out, 0, sizeof(s->handed_out));
  }
  track_end(t, gone_count, m->gone);
  assert_memory_equal(m->gone, m->expect_gone, sizeof(m->gone));
  size_t known = 0;
  for (size_t i = 0; i < m->count; i++)
    known += m->socket[i].known;
  assert_int_equal(track_count(t), known);
}

static void random_histories_grow_as_the_model(void **state) {
  (void)state;
  static struct model m;
  for (unsigned seed = 0; seed < 120; seed++) {
    memset(&m, 0, sizeof(m));
    m.followed = seed % 2 == 0 ? FOLLOWED : PLAIN;
    struct track *t = track_new(followed, m.followed, sizeof(uint32_t));
    srand(seed);
    for (int i = 0; i < MODEL_DUMPS; i++) {
      model_live(&m);
      model_dump(&m, t);
    }
    track_free(t);
  }
}

static struct track_seen
close_socket(struct track *t, const struct fake_socket *s, bool disconnected) {
  static uint8_t info[INFO_SIZE];
  struct track_seen seen;
  struct sample sample = sample_of(s, info);
  if (disconnected)
    sample.attrs.remote_port = 0;
  track_close(t, &sample, disconnected, &seen);
  return seen;
}

/* A destroy event adds the last growth of a socket and removes the socket. */
static void destroy_event_adds_the_last_growth_and_forgets(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, 2 * sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .port = 80, .count = {1, 100, 3, 2}};
  struct fake_socket b = {.cookie = 2, .port = 80, .count = {1, 500, 3, 2}};
  struct fake_socket c = {.cookie = 3, .port = 80, .count = {1, 700, 3, 2}};
  struct fake_socket d = {.cookie = 4, .port = 80, .count = {9, 40, 7, 8}};
  track_begin(t);
  OWNER(see(t, &a)) = 11;
  OWNER(see(t, &b)) = 22;
  OWNER(see(t, &c)) = 33;
  track_end(t, gone_none, NULL);

  a.count[1] = 150;
  struct track_seen seen = close_socket(t, &a, false);
  assert_int_equal(seen.event, TRACK_KNOWN);
  assert_int_equal(OWNER(seen), 11);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 50);
  assert_int_equal(seen.delta[FIELD_TOTAL_RETRANS], 0);

  memset(b.count, 0, sizeof(b.count)); /* tcp_disconnect() */
  seen = close_socket(t, &b, true);
  assert_int_equal(seen.event, TRACK_KNOWN);
  assert_int_equal(OWNER(seen), 22);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 0);
  assert_int_equal(seen.delta[FIELD_BUSY_TIME], 0);

  c.port = 443; /* connected to another port */
  c.count[1] = 9;
  seen = close_socket(t, &c, false);
  assert_int_equal(seen.event, TRACK_REUSED);
  assert_int_equal(OWNER(seen), 33);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 9);

  seen = close_socket(t, &d, false); /* in no dump: all of it counts */
  assert_int_equal(seen.event, TRACK_NEW);
  assert_int_equal(OWNER(seen), 0);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 40);
  assert_int_equal(seen.delta[FIELD_TOTAL_RTO], 8);
  seen = close_socket(t, &d, true);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 0);

  assert_int_equal(track_count(t), 0);
  seen = close_socket(t, &a, false);
  assert_int_equal(seen.event, TRACK_NEW);
  track_free(t);
}

/* The first dump showed no counters, so all of them may be from before it. */
static void
destroy_event_of_a_baseline_without_counters_adds_nothing(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .port = 80, .count = {1, 100, 3, 2}};
  uint8_t info[INFO_SIZE];
  struct sample sample = sample_of(&a, info);
  struct track_seen seen;
  sample.info = NULL;
  sample.info_size = 0;
  track_begin(t);
  track_see(t, &sample, &seen);
  track_end(t, gone_none, NULL);
  seen = close_socket(t, &a, false);
  assert_int_equal(seen.event, TRACK_KNOWN);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 0);
  track_free(t);
}

static size_t gone_total;
static bool gone_add(uint64_t cookie, void *owner, void *data) {
  (void)cookie, (void)owner;
  (void)data;
  gone_total++;
  return false;
}

/* Many sockets come and most of them go; the table is compacted, and the
 * sockets that stay are still known. */
static void sockets_that_stay_are_known_after_many_left(void **state) {
  (void)state;
  enum { MANY = 50000 };
  struct track *t = track_new(followed, FOLLOWED, 2 * sizeof(uint32_t));
  for (int round = 0; round < 6; round++) {
    track_begin(t);
    for (uint64_t i = 0; i < MANY; i++) {
      struct fake_socket s = {.cookie = i * 7919, .count = {0, 100, 0, 0}};
      s.count[1] += (uint64_t)round;
      if (round >= 1 && round <= 4 && i % 100 != 0)
        continue;
      struct track_seen seen = see(t, &s);
      if (round > 0 && i % 100 == 0) {
        assert_int_equal(seen.event, TRACK_KNOWN);
        assert_int_equal(seen.delta[FIELD_BYTES_SENT], 1);
        assert_int_equal(((uint32_t *)seen.owner)[1], i);
      }
      ((uint32_t *)seen.owner)[1] = (uint32_t)i;
    }
    track_end(t, gone_add, NULL);
    assert_int_equal(track_count(t),
                     round < 2 || round == 5 ? MANY : MANY / 100);
  }
  assert_int_equal(gone_total, MANY - MANY / 100);
  track_free(t);
}

/* --- Counters of another block -------------------------------------------- */

static const enum field_id with_drops[] = {FIELD_BYTES_SENT, FIELD_DROPS};
enum { SKMEM_SIZE = 36 };

struct block_fixture {
  struct track *track;
  struct track_seen seen;
  uint8_t info[INFO_SIZE];
  uint8_t skmem[SKMEM_SIZE];
};

/* Makes one dump with one socket. If `drops` is negative, the block is left
 * out. */
static void dump_of(struct block_fixture *f, uint64_t cookie, uint16_t port,
                    uint64_t sent, int64_t drops) {
  uint32_t v4 = (uint32_t)drops;
  struct sample s = {.cookie = cookie,
                     .state = TCP_STATE_ESTABLISHED,
                     .info = f->info,
                     .info_size = INFO_SIZE};
  s.attrs.remote_port = port;
  memcpy(f->info + field_table[FIELD_BYTES_SENT].offset, &sent, sizeof(sent));
  memcpy(f->skmem + field_table[FIELD_DROPS].offset, &v4, sizeof(v4));
  if (drops >= 0)
    s.block[BLOCK_SKMEM] =
        (struct block){.bytes = f->skmem, .size = SKMEM_SIZE};
  track_begin(f->track);
  track_see(f->track, &s, &f->seen);
  track_end(f->track, gone_none, NULL);
}

static void new_is(const struct block_fixture *f, enum track_event event,
                   uint64_t sent, uint64_t drops) {
  assert_int_equal(f->seen.event, event);
  assert_int_equal(f->seen.delta[FIELD_BYTES_SENT], sent);
  assert_int_equal(f->seen.delta[FIELD_DROPS], drops);
}

/* The growth of one socket is not reported for another socket without growth. A
 * reconnected socket may have the same counters as before. */
static void growth_of_one_socket_is_not_that_of_another(void **state) {
  (void)state;
  struct track *t = track_new(followed, PLAIN, sizeof(uint32_t));
  struct fake_socket a = {.cookie = 1, .port = 80, .count = {1, 10, 1000, 0}};
  struct fake_socket b = {.cookie = 2, .port = 80, .count = {2, 20, 2000, 0}};
  for (int dump = 0; dump < 2; dump++) {
    track_begin(t);
    see(t, &a);
    track_end(t, gone_none, NULL);
  }
  close_socket(t, &b, false); /* no dump showed b */
  track_begin(t);
  struct track_seen seen = see(t, &a);
  assert_false(seen.changed);
  for (size_t i = 0; i < PLAIN; i++)
    assert_int_equal(seen.delta[followed[i]], 0);
  track_end(t, gone_none, NULL);
  a.port++;
  track_begin(t);
  seen = see(t, &a);
  assert_int_equal(seen.event, TRACK_REUSED);
  assert_true(seen.changed);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 10);
  track_end(t, gone_none, NULL);
  track_free(t);
}

/* A socket that is new after the first dump counts its whole time, however long
 * it is. */
static void time_of_a_new_socket_counts_in_full(void **state) {
  (void)state;
  struct track *t = track_new(followed, FOLLOWED, sizeof(uint32_t));
  track_begin(t);
  track_end(t, gone_none, NULL);
  const uint64_t us[] = {3333, (uint64_t)30 * 86400 * 1000000};
  track_begin(t);
  for (uint64_t i = 0; i < 2; i++) {
    struct fake_socket s = {.cookie = i, .port = 80, .count = {0, 10, us[i]}};
    struct track_seen seen = see(t, &s);
    assert_int_equal(seen.event, TRACK_NEW);
    assert_int_equal(seen.delta[FIELD_BUSY_TIME], us[i]);
  }
  track_end(t, gone_none, NULL);
  track_free(t);
}

static void counters_of_other_attributes_grow_alike(void **state) {
  (void)state;
  struct block_fixture f = {.track = track_new(with_drops, 2, 1)};
  dump_of(&f, 1, 80, 1000, 5);
  new_is(&f, TRACK_BASELINE, 0, 0);
  dump_of(&f, 1, 80, 1100, 7);
  new_is(&f, TRACK_KNOWN, 100, 2);
  dump_of(&f, 1, 80, 1100, -1); /* a message without the block */
  new_is(&f, TRACK_KNOWN, 0, 0);
  dump_of(&f, 1, 80, 1200, 0xffffffff);
  new_is(&f, TRACK_KNOWN, 100, 0); /* more than half the range: a fall */
  dump_of(&f, 1, 80, 1200, 3);     /* the counter wrapped */
  new_is(&f, TRACK_KNOWN, 0, 4);
  track_free(f.track);
}

/* A disconnect does not clear drops (linux: tcp_disconnect() and sk_drops). */
static void lasting_counter_outlives_a_disconnect(void **state) {
  (void)state;
  struct block_fixture f = {.track = track_new(with_drops, 2, 1)};
  dump_of(&f, 1, 80, 1000, 5);
  dump_of(&f, 1, 80, 10, 6); /* the same port; the byte counter fell */
  new_is(&f, TRACK_KNOWN, 10, 1);
  dump_of(&f, 1, 81, 2000, 9); /* another port */
  new_is(&f, TRACK_REUSED, 2000, 3);
  dump_of(&f, 1, 82, 3000, -1);
  new_is(&f, TRACK_REUSED, 3000, 0);
  dump_of(&f, 1, 82, 3000, 9); /* no drops are lost or counted twice */
  new_is(&f, TRACK_KNOWN, 0, 0);
  track_free(f.track);
}

/* The block of an older kernel is short; an event has no attribute except INFO.
 */
static void missing_attribute_is_no_growth(void **state) {
  (void)state;
  struct block_fixture f = {.track = track_new(with_drops, 2, 1)};
  struct track_seen seen;
  dump_of(&f, 1, 80, 1000, 5);
  uint64_t sent = 1500;
  memcpy(f.info + field_table[FIELD_BYTES_SENT].offset, &sent, sizeof(sent));
  struct sample s = {.cookie = 1, .info = f.info, .info_size = INFO_SIZE};
  s.attrs.remote_port = 80;
  s.block[BLOCK_SKMEM] = (struct block){.bytes = f.skmem, .size = 32};
  track_begin(f.track);
  track_see(f.track, &s, &seen);
  assert_int_equal(seen.delta[FIELD_DROPS], 0);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 500);
  track_end(f.track, gone_none, NULL);
  s.block[BLOCK_SKMEM] = (struct block){0};
  track_close(f.track, &s, false, &seen);
  assert_int_equal(seen.event, TRACK_KNOWN);
  assert_int_equal(seen.delta[FIELD_DROPS], 0);
  track_close(f.track, &s, false, &seen); /* of a socket that is gone */
  assert_int_equal(seen.event, TRACK_NEW);
  assert_int_equal(seen.delta[FIELD_DROPS], 0);
  assert_int_equal(seen.delta[FIELD_BYTES_SENT], 1500);
  track_free(f.track);
}

/* Retransmissions are of data as soon as payload was retransmitted. */
static void retransmissions_of_data_are_told_from_those_of_syns(void **state) {
  (void)state;
  static const struct {
    size_t info_size;
    uint64_t retrans, bytes_retrans; /* of the message */
    uint64_t growth, of_data;
  } row[] = {
      {280, 2, 0, 2, 0},    /* SYNs */
      {280, 2, 0, 0, 0},    /* nothing new */
      {280, 5, 2896, 3, 3}, /* data */
      {280, 5, 2896, 0, 0},
      {200, 6, 0, 1, 1}, /* before Linux 4.19: not known */
  };
  struct track *t =
      track_new(followed, sizeof(followed) / sizeof(followed[0]), 4);
  struct sample s = {.cookie = 7, .state = TCP_STATE_ESTABLISHED};
  uint8_t info[280];
  struct track_seen seen;
  track_begin(t);
  track_end(t, NULL, NULL); /* what comes now is no baseline */
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    memset(info, 0, sizeof(info));
    info_put(info, FIELD_TOTAL_RETRANS, row[i].retrans);
    info_put(info, FIELD_BYTES_RETRANS, row[i].bytes_retrans);
    s.info = info;
    s.info_size = row[i].info_size;
    track_begin(t);
    track_see(t, &s, &seen);
    assert_int_equal(seen.delta[FIELD_TOTAL_RETRANS], row[i].growth);
    assert_int_equal(seen.delta[FIELD_DATA_RETRANS], row[i].of_data);
    track_end(t, NULL, NULL);
  }
  /* The close event, and that of a socket that no dump showed. */
  info_put(info, FIELD_TOTAL_RETRANS, 8);
  info_put(info, FIELD_BYTES_RETRANS, 5000);
  s.info_size = 280;
  track_close(t, &s, false, &seen);
  assert_int_equal(seen.delta[FIELD_DATA_RETRANS], 2);
  info_put(info, FIELD_BYTES_RETRANS, 0);
  s.cookie = 8;
  track_close(t, &s, false, &seen);
  assert_int_equal(seen.delta[FIELD_TOTAL_RETRANS], 8);
  assert_int_equal(seen.delta[FIELD_DATA_RETRANS], 0);
  track_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(growth_is_the_difference_since_last_seen),
      cmocka_unit_test(failed_first_dump_leaves_the_baseline_open),
      cmocka_unit_test(counters_of_32_and_16_bits_are_unwrapped),
      cmocka_unit_test(fall_of_a_time_is_no_disconnect),
      cmocka_unit_test(times_are_off_by_less_than_a_millisecond),
      cmocka_unit_test(disconnected_socket_counts_in_full),
      cmocka_unit_test(message_without_info_keeps_the_counters),
      cmocka_unit_test(baseline_waits_for_the_first_info),
      cmocka_unit_test(random_histories_grow_as_the_model),
      cmocka_unit_test(destroy_event_adds_the_last_growth_and_forgets),
      cmocka_unit_test(
          destroy_event_of_a_baseline_without_counters_adds_nothing),
      cmocka_unit_test(sockets_that_stay_are_known_after_many_left),
      cmocka_unit_test(growth_of_one_socket_is_not_that_of_another),
      cmocka_unit_test(time_of_a_new_socket_counts_in_full),
      cmocka_unit_test(counters_of_other_attributes_grow_alike),
      cmocka_unit_test(lasting_counter_outlives_a_disconnect),
      cmocka_unit_test(missing_attribute_is_no_growth),
      cmocka_unit_test(retransmissions_of_data_are_told_from_those_of_syns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
