/* socket_value: each getter, from blocks in memory of exactly their size, so
 * that a sanitizer reports a read beyond the end. */
#include "metric/socket_value.h"

#include "metric/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INFO_SIZE = 280, SKMEM_SIZE = 36, BBR_SIZE = 20, DCTCP_SIZE = 16 };

struct fixture {
  struct sample s;
  uint8_t *bytes[BLOCK_COUNT];
};

/* A sample with all blocks, which are all zeroes. */
static void start(struct fixture *f) {
  static const size_t size[BLOCK_COUNT] = {[BLOCK_INFO] = INFO_SIZE,
                                           [BLOCK_SKMEM] = SKMEM_SIZE,
                                           [BLOCK_BBR] = BBR_SIZE,
                                           [BLOCK_DCTCP] = DCTCP_SIZE};
  *f = (struct fixture){.s = {.state = TCP_STATE_ESTABLISHED, .full = true}};
  for (int i = 0; i < BLOCK_COUNT; i++) {
    f->bytes[i] = calloc(1, size[i]);
    assert_non_null(f->bytes[i]);
    f->s.block[i] = (struct block){.bytes = f->bytes[i], .size = size[i]};
  }
}

static void stop(struct fixture *f) {
  for (int i = 0; i < BLOCK_COUNT; i++)
    free(f->bytes[i]);
}

static void put(struct fixture *f, enum field_id id, uint64_t value) {
  const struct field *field = &field_table[id];
  uint8_t *at = f->bytes[field->block] + field->offset;
  uint32_t v4 = (uint32_t)value;
  uint16_t v2 = (uint16_t)value;
  if (field->width == 8)
    memcpy(at, &value, 8);
  else if (field->width == 4)
    memcpy(at, &v4, 4);
  else if (field->width == 2)
    memcpy(at, &v2, 2);
  else
    *at = (uint8_t)(value << field->shift);
}

/* Leaves only the first `size` bytes of the block. */
static void cut(struct fixture *f, enum field_block block, size_t size) {
  uint8_t *less = malloc(size + 1);
  assert_non_null(less);
  memcpy(less, f->bytes[block], size);
  less = realloc(less, size > 0 ? size : 1);
  free(f->bytes[block]);
  f->bytes[block] = less;
  f->s.block[block] =
      (struct block){.bytes = size > 0 ? less : NULL, .size = size};
}

static void is(const struct fixture *f, enum metric_id id, uint64_t expected) {
  uint64_t value = 0;
  if (!socket_value_get(&metric_table[id], &f->s, &value))
    fail_msg("%s has no value", metric_table[id].name);
  if (value != expected)
    fail_msg("%s is %llu, not %llu", metric_table[id].name,
             (unsigned long long)value, (unsigned long long)expected);
}

static void is_none(const struct fixture *f, enum metric_id id) {
  uint64_t value;
  if (socket_value_get(&metric_table[id], &f->s, &value))
    fail_msg("%s is %llu", metric_table[id].name, (unsigned long long)value);
}

/* --- Distributions -------------------------------------------------------- */

static void times_need_an_rtt(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  is_none(&f, METRIC_RTT); /* 0 means none yet */
  is_none(&f, METRIC_RTTVAR);
  is_none(&f, METRIC_QUEUE_DELAY);
  is_none(&f, METRIC_THROUGHPUT);
  put(&f, FIELD_RTTVAR, 7);
  is_none(&f, METRIC_RTTVAR); /* no rtt */
  put(&f, FIELD_RTT, 250000);
  put(&f, FIELD_MIN_RTT, UINT32_MAX);
  is(&f, METRIC_RTT, 250000);
  is(&f, METRIC_RTTVAR, 7);
  is_none(&f, METRIC_MIN_RTT);
  is_none(&f, METRIC_QUEUE_DELAY);
  put(&f, FIELD_MIN_RTT, 100000);
  is(&f, METRIC_QUEUE_DELAY, 150000);
  put(&f, FIELD_MIN_RTT, 300000);
  is(&f, METRIC_QUEUE_DELAY, 0);
  put(&f, FIELD_SND_CWND, 20);
  put(&f, FIELD_SND_MSS, 1000);
  is(&f, METRIC_THROUGHPUT, 80000);
  cut(&f, BLOCK_INFO, 148); /* Linux 4.2 has no min_rtt */
  is_none(&f, METRIC_QUEUE_DELAY);
  is(&f, METRIC_THROUGHPUT, 80000);
  cut(&f, BLOCK_INFO, 80); /* nor cwnd */
  is_none(&f, METRIC_THROUGHPUT);
  is(&f, METRIC_RTTVAR, 7);
  cut(&f, BLOCK_INFO, 71);
  is_none(&f, METRIC_RTT);
  is_none(&f, METRIC_RTTVAR);
  cut(&f, BLOCK_INFO, 0);
  is_none(&f, METRIC_RTT);
  stop(&f);
}

/* The values of the path: none without a sample, and none while the first one
 * was the client's time to think (TCP_DEFER_ACCEPT). */
static void values_of_the_path_need_a_measurement(void **state) {
  (void)state;
  static const enum metric_id of_path[] = {
      METRIC_RTT,         METRIC_RTTVAR,      METRIC_MIN_RTT,   METRIC_RTO,
      METRIC_QUEUE_DELAY, METRIC_PACING_RATE, METRIC_THROUGHPUT};
  static const struct {
    size_t info_size;
    uint64_t rtt, timeouts, retrans, time, delivered;
    bool measured;
  } row[] = {
      {280, 0, 0, 0, 0, 1, false},          /* SYN cookies */
      {280, 4000000, 0, 0, 0, 1, true},     /* as the kernel says */
      {280, 4000000, 2, 0, 4000, 1, false}, /* deferred */
      {280, 900000, 2, 0, 4000, 99, false}, /* not forgotten yet */
      {280, 40, 2, 0, 4000, 100, true},     /* forgotten */
      {280, 4000000, 2, 2, 4000, 1, true},  /* SYN-ACKs were lost */
      {280, 4000000, 3, 2, 4000, 1, false}, /* and deferred */
      {280, 300000, 1, 0, 400, 9, true},    /* the own queue was slow */
      {240, 4000000, 2, 0, 4000, 1, true},  /* before Linux 6.7: not known */
  };
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    struct fixture f;
    start(&f);
    put(&f, FIELD_RTT, row[i].rtt);
    put(&f, FIELD_RTTVAR, 5);
    put(&f, FIELD_MIN_RTT, 30);
    put(&f, FIELD_RTO, 200000);
    put(&f, FIELD_PACING_RATE, UINT64_C(230000000000));
    put(&f, FIELD_SND_CWND, 10);
    put(&f, FIELD_SND_MSS, 1448);
    put(&f, FIELD_TOTAL_RTO, row[i].timeouts);
    put(&f, FIELD_TOTAL_RETRANS, row[i].retrans);
    put(&f, FIELD_TOTAL_RTO_TIME, row[i].time);
    put(&f, FIELD_DELIVERED, row[i].delivered);
    cut(&f, BLOCK_INFO, row[i].info_size);
    for (size_t k = 0; k < sizeof(of_path) / sizeof(of_path[0]); k++) {
      uint64_t value;
      if (socket_value_get(&metric_table[of_path[k]], &f.s, &value) !=
          row[i].measured)
        fail_msg("row %zu: %s", i, metric_table[of_path[k]].name);
    }
    stop(&f);
  }
}

static void delivery_rate_leaves_out_app_limited_sockets(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  is_none(&f, METRIC_DELIVERY_RATE);
  put(&f, FIELD_DELIVERY_RATE, 5000);
  is(&f, METRIC_DELIVERY_RATE, 5000);
  put(&f, FIELD_APP_LIMITED, 1);
  is_none(&f, METRIC_DELIVERY_RATE);
  stop(&f);
}

static void queues_are_of_the_header(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  is(&f, METRIC_RECV_QUEUE, 0);
  f.s.recv_queue = UINT32_MAX;
  f.s.send_queue = 4;
  is(&f, METRIC_RECV_QUEUE, UINT32_MAX);
  is(&f, METRIC_SEND_QUEUE, 4);
  stop(&f);
}

static void memory_fields_are_in_the_kernels_order(void **state) {
  (void)state;
  static const enum metric_id metric[] = {
      METRIC_RMEM,      METRIC_RCVBUF,      METRIC_WMEM,   METRIC_SNDBUF,
      METRIC_FWD_ALLOC, METRIC_WMEM_QUEUED, METRIC_OPTMEM, METRIC_BACKLOG};
  struct fixture f;
  start(&f);
  for (uint32_t i = 0; i < 9; i++) /* as the kernel numbers them */
    memcpy(f.bytes[BLOCK_SKMEM] + 4 * i, &(uint32_t){100 + i}, 4);
  for (uint32_t i = 0; i < 8; i++)
    is(&f, metric[i], 100 + i);
  for (uint32_t size = SKMEM_SIZE; size-- > 0;) {
    cut(&f, BLOCK_SKMEM, size);
    for (uint32_t i = 0; i < 8; i++)
      if (4 * (i + 1) <= size)
        is(&f, metric[i], 100 + i);
      else
        is_none(&f, metric[i]);
  }
  stop(&f);
}

/* struct tcp_bbr_info: the bandwidth in two halves, the lower one first. */
static void bbr_bandwidth_has_two_halves(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  put(&f, FIELD_BBR_BW_LO, 0x89abcdef);
  is(&f, METRIC_BBR_BANDWIDTH, 0x89abcdef);
  put(&f, FIELD_BBR_BW_HI, 0x12);
  is(&f, METRIC_BBR_BANDWIDTH, 0x1289abcdef);
  put(&f, FIELD_BBR_MIN_RTT, 40000);
  is(&f, METRIC_BBR_MIN_RTT, 40000);
  put(&f, FIELD_BBR_MIN_RTT, UINT32_MAX); /* before the first sample */
  is_none(&f, METRIC_BBR_MIN_RTT);
  put(&f, FIELD_BBR_MIN_RTT, 40000);
  cut(&f, BLOCK_BBR, 11);
  is_none(&f, METRIC_BBR_MIN_RTT);
  is(&f, METRIC_BBR_BANDWIDTH, 0x1289abcdef);
  cut(&f, BLOCK_BBR, 7);
  is_none(&f, METRIC_BBR_BANDWIDTH);
  cut(&f, BLOCK_BBR, 0);
  is_none(&f, METRIC_BBR_BANDWIDTH);
  is_none(&f, METRIC_BBR_MIN_RTT);
  stop(&f);
}

/* struct tcp_dctcp_info: __u16 enabled, ce_state; __u32 alpha, ab_ecn, ab_tot.
 */
static void dctcp_alpha_needs_dctcp(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  put(&f, FIELD_DCTCP_ALPHA, 512);
  is_none(&f, METRIC_DCTCP_ALPHA); /* DCTCP fell back to Reno */
  put(&f, FIELD_DCTCP_ENABLED, 1);
  is(&f, METRIC_DCTCP_ALPHA, 512);
  assert_true(512 * metric_table[METRIC_DCTCP_ALPHA].scale == 50);
  put(&f, FIELD_DCTCP_ALPHA, 0);
  is(&f, METRIC_DCTCP_ALPHA, 0); /* 0 is a value: no marks */
  put(&f, FIELD_DCTCP_ALPHA, 1025);
  is(&f, METRIC_DCTCP_ALPHA, 1024);
  cut(&f, BLOCK_DCTCP, 7);
  is_none(&f, METRIC_DCTCP_ALPHA);
  cut(&f, BLOCK_DCTCP, 1);
  is_none(&f, METRIC_DCTCP_ALPHA);
  stop(&f);
}

/* The value is in hundredths of a percent. */
static void accept_percent_is_at_most_100(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  f.s.state = TCP_STATE_LISTEN;
  f.s.recv_queue = 1;
  is(&f, METRIC_ACCEPT_PERCENT, 10000); /* a limit of 0 admits one connection */
  is(&f, METRIC_ACCEPT_QUEUE, 1);
  is(&f, METRIC_ACCEPT_LIMIT, 0);
  f.s.send_queue = 8;
  is(&f, METRIC_ACCEPT_PERCENT, 1250);
  f.s.recv_queue = 8;
  is(&f, METRIC_ACCEPT_PERCENT, 10000);
  f.s.recv_queue = 9; /* one more than the limit */
  is(&f, METRIC_ACCEPT_PERCENT, 10000);
  is(&f, METRIC_ACCEPT_QUEUE, 9);
  f.s.recv_queue = f.s.send_queue = UINT32_MAX;
  is(&f, METRIC_ACCEPT_PERCENT, 10000);
  f.s.recv_queue = 0;
  is(&f, METRIC_ACCEPT_PERCENT, 0);
  stop(&f);
}

/* Every getter, with blocks of every size, none included. */
static void short_blocks_are_never_read_beyond(void **state) {
  (void)state;
  struct metric_list none = {0};
  struct plan *plan = plan_new(&none);
  assert_non_null(plan);
  for (size_t size = 0; size <= INFO_SIZE; size++) {
    struct fixture f;
    start(&f);
    for (int i = 0; i < BLOCK_COUNT; i++) {
      memset(f.bytes[i], 0x11, f.s.block[i].size);
      cut(&f, (enum field_block)i,
          size < f.s.block[i].size ? size : f.s.block[i].size);
    }
    for (int id = 0; id < METRIC_COUNT; id++) {
      const struct metric *m = &metric_table[id];
      uint64_t value;
      if (m->kind == METRIC_KIND_DISTRIBUTION) {
        bool has_value = socket_value_get(m, &f.s, &value);
        if (size == 0 && m->value == NULL)
          assert_false(has_value);
      }
      if (m->kind == METRIC_KIND_SOCKETS)
        m->holds(&f.s);
      if (m->kind == METRIC_KIND_SET)
        m->codes(plan, &f.s);
    }
    stop(&f);
  }
  plan_free(plan);
}

/* --- Conditions ----------------------------------------------------------- */

static void holds(const struct fixture *f, enum metric_id id, bool expected) {
  if (metric_table[id].holds(&f->s) != expected)
    fail_msg("%s: %s", metric_table[id].name, expected ? "no" : "yes");
}

/* All that ss(8) shows of a connection and its timers. */
struct shown {
  uint8_t state, timer;
  uint64_t retransmits, probes;
  bool held;
  uint32_t send_queue;
  bool window; /* the peer's window has room */
};

/* The rows are the cases in which somebody waits; no row fits: nobody does. A
 * value that does not matter is ANY. */
enum { ANY = -1, MORE = 100 /* the value or above */ };
static const struct waits {
  const char *what;
  int timer, retransmits, probes;
  bool after_close; /* in the states after close() as well, if it is held */
} waits[] = {
    {"a retransmission timeout", 1, MORE + 1, ANY, true},
    {"probes of a window", 4, ANY, MORE + 2, true},
    {"probes of keepalive", 2, ANY, MORE + 2, true},
};

static bool fits(int pattern, uint64_t value) {
  if (pattern >= MORE)
    return value >= (uint64_t)(pattern - MORE);
  return pattern == ANY || value == (uint64_t)pattern;
}

static bool is_expected_stalled(const struct shown *w) {
  static const uint8_t closing[] = {TCP_STATE_FIN_WAIT1, TCP_STATE_FIN_WAIT2,
                                    TCP_STATE_CLOSING, TCP_STATE_LAST_ACK};
  bool orphan = false;
  for (size_t i = 0; i < sizeof(closing); i++)
    orphan |= w->state == closing[i] && !w->held;
  bool last_fin =
      (w->state == TCP_STATE_CLOSING || w->state == TCP_STATE_LAST_ACK) &&
      (w->send_queue == 0 || w->send_queue == 1);
  bool waiting = false;
  for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
    waiting |= fits(waits[i].timer, w->timer) &&
               fits(waits[i].retransmits, w->retransmits) &&
               fits(waits[i].probes, w->probes);
  return waiting && !orphan && !last_fin;
}

static bool is_expected_zero_window(const struct shown *w) {
  bool orphan =
      !w->held &&
      (w->state == TCP_STATE_FIN_WAIT1 || w->state == TCP_STATE_FIN_WAIT2 ||
       w->state == TCP_STATE_CLOSING || w->state == TCP_STATE_LAST_ACK);
  return w->timer == 4 && w->probes < 2 && !w->window && !orphan;
}

static void show(struct fixture *f, const struct shown *w) {
  f->s.state = w->state;
  f->s.timer = w->timer;
  f->s.held = w->held;
  f->s.send_queue = w->send_queue;
  put(f, FIELD_RETRANSMITS, w->retransmits);
  put(f, FIELD_PROBES, w->probes);
  put(f, FIELD_SND_MSS, 1000);
  put(f, FIELD_NOTSENT_BYTES, 5000);
  put(f, FIELD_SND_WND, w->window ? 60000 : 0);
}

/* The definition of who waits, over all combinations. */
static void stalled_is_who_waits_without_an_answer(void **state) {
  (void)state;
  static const uint64_t retransmits[] = {0, 1, 7}, probes[] = {0, 1, 2, 5};
  static const uint32_t queues[] = {0, 1, 2, 5000};
  struct fixture f;
  size_t stalled = 0, closed_windows = 0;
  start(&f);
  for (uint32_t i = 0; i < 12 * 6 * 3 * 4 * 2 * 4 * 2; i++) {
    uint32_t n = i;
    struct shown w = {0};
    w.state = (uint8_t)(1 + n % 12), n /= 12;
    w.timer = (uint8_t)(n % 6), n /= 6;
    w.retransmits = retransmits[n % 3], n /= 3;
    w.probes = probes[n % 4], n /= 4;
    w.held = n % 2, n /= 2;
    w.send_queue = queues[n % 4], n /= 4;
    w.window = n % 2;
    if ((TCP_STATES_TRAFFIC & 1u << w.state) == 0)
      continue;
    show(&f, &w);
    bool is = metric_table[METRIC_STALLED].holds(&f.s);
    bool zero = metric_table[METRIC_ZERO_WINDOW].holds(&f.s);
    if (is != is_expected_stalled(&w) || zero != is_expected_zero_window(&w))
      fail_msg("state %d, timer %d, %d retransmits, %d probes, %sheld, queue "
               "%u, window %s: %sstalled, %szero window",
               w.state, w.timer, (int)w.retransmits, (int)w.probes,
               w.held ? "" : "not ", w.send_queue, w.window ? "open" : "closed",
               is ? "" : "not ", zero ? "" : "no ");
    assert_false(is && zero);
    stalled += is;
    closed_windows += zero;
  }
  assert_true(stalled > 1000 && closed_windows > 100);
  stop(&f);
}

/* What real sockets showed on Linux 6.18. */
static void real_sockets_wait_or_do_not(void **state) {
  (void)state;
  static const struct {
    const char *what;
    struct shown shown;
    bool stalled, zero_window;
  } row[] = {
      {"idle", {1, 0, 0, 0, true, 0, true}, false, false},
      {"data on their way", {1, 1, 0, 0, true, 900, true}, false, false},
      {"a black hole", {1, 1, 4, 0, true, 500, true}, true, false},
      {"a connect without answer", {2, 1, 3, 0, true, 1, true}, true, false},
      {"no route", {1, 4, 0, 4, true, 500, true}, true, false},
      {"own firewall", {1, 4, 0, 5, true, 500, true}, true, false},
      {"TCP_CORK", {1, 4, 0, 0, true, 10, true}, false, false},
      {"window closed, probed", {1, 4, 0, 0, true, 9000, false}, false, true},
      {"probe on its way", {1, 4, 0, 1, true, 9000, false}, false, true},
      {"window closed, peer gone",
       {1, 4, 0, 2, true, 9000, false},
       true,
       false},
      {"keepalive, answered", {1, 2, 0, 0, true, 0, true}, false, false},
      {"keepalive, peer gone", {1, 2, 0, 3, true, 0, true}, true, false},
      {"client left, server closed",
       {4, 1, 4, 0, false, 1, true},
       false,
       false},
      {"orphan with data", {4, 1, 4, 0, false, 8000, true}, false, false},
      {"shutdown(), no answer", {4, 1, 4, 0, true, 1, true}, true, false},
      {"last FIN, held", {9, 1, 4, 0, true, 1, true}, false, false},
      {"data before the last FIN", {9, 1, 4, 0, true, 700, true}, true, false},
      {"not accepted yet", {1, 1, 2, 0, false, 300, true}, true, false},
  };
  struct fixture f;
  start(&f);
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    show(&f, &row[i].shown);
    bool is = metric_table[METRIC_STALLED].holds(&f.s);
    bool zero = metric_table[METRIC_ZERO_WINDOW].holds(&f.s);
    if (is != row[i].stalled || zero != row[i].zero_window)
      fail_msg("%s: %sstalled, %szero window", row[i].what, is ? "" : "not ",
               zero ? "" : "no ");
  }
  f.s.timer = 1;
  cut(&f, BLOCK_INFO, 2);
  holds(&f, METRIC_STALLED, false);
  stop(&f);
}

static void close_wait_is_the_state(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  for (uint8_t tcp = 1; tcp < TCP_STATE_COUNT; tcp++) {
    f.s.state = tcp;
    holds(&f, METRIC_CLOSE_WAIT, tcp == TCP_STATE_CLOSE_WAIT);
  }
  stop(&f);
}

static void conditions_hold_by_their_field(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  holds(&f, METRIC_APP_LIMITED, false);
  put(&f, FIELD_APP_LIMITED, 1);
  holds(&f, METRIC_APP_LIMITED, true);
  f.bytes[BLOCK_INFO][7] = 6; /* fastopen_client_fail, its neighbour */
  holds(&f, METRIC_APP_LIMITED, false);

  holds(&f, METRIC_UNREAD, false);
  f.s.recv_queue = 1;
  holds(&f, METRIC_UNREAD, true);

  f.s.send_queue = 9; /* sent, not ACKed */
  holds(&f, METRIC_UNSENT, false);
  put(&f, FIELD_NOTSENT_BYTES, 1);
  holds(&f, METRIC_UNSENT, true);
  cut(&f, BLOCK_INFO, 147);
  holds(&f, METRIC_UNSENT, false);
  stop(&f);
}

/* --- Sets ----------------------------------------------------------------- */

/* Names as in linux: include/uapi/linux/tcp.h (TCPI_OPT_*, enum tcp_ca_state).
 */
static void codes_have_the_kernels_names(void **state) {
  (void)state;
  static const char *const option[] = {"timestamps", "sack", "wscale",
                                       "ecn",        NULL,   "fastopen"};
  static const char *const ca[] = {"open", "disorder", "cwr", "recovery",
                                   "loss"};
  for (size_t i = 0; i < SOCKET_VALUE_OPTION_BITS; i++)
    if (option[i] != NULL)
      assert_string_equal(socket_value_option_name(NULL, i), option[i]);
    else
      assert_null(socket_value_option_name(NULL, i));
  for (size_t i = 0; i < SOCKET_VALUE_CA_STATES; i++)
    assert_string_equal(socket_value_ca_state_name(NULL, i), ca[i]);
  assert_string_equal(socket_value_state_name(NULL, 10), "LISTEN");
  assert_null(socket_value_state_name(NULL, TCP_STATE_CLOSE));
}

static void unknown_codes_are_not_counted(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  put(&f, FIELD_CA_STATE, 4);
  assert_int_equal(socket_value_ca_states(NULL, &f.s), 1 << 4);
  put(&f, FIELD_CA_STATE, 5);
  assert_int_equal(socket_value_ca_states(NULL, &f.s), 0);
  put(&f, FIELD_OPTIONS, 0xff);
  assert_int_equal(socket_value_options(NULL, &f.s), 0x3f);
  f.s.state = TCP_STATE_CLOSING;
  assert_int_equal(socket_value_states(NULL, &f.s), 1 << TCP_STATE_CLOSING);
  cut(&f, BLOCK_INFO, 0);
  assert_int_equal(socket_value_ca_states(NULL, &f.s), 0);
  assert_int_equal(socket_value_options(NULL, &f.s), 0);
  stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(times_need_an_rtt),
      cmocka_unit_test(values_of_the_path_need_a_measurement),
      cmocka_unit_test(delivery_rate_leaves_out_app_limited_sockets),
      cmocka_unit_test(queues_are_of_the_header),
      cmocka_unit_test(memory_fields_are_in_the_kernels_order),
      cmocka_unit_test(bbr_bandwidth_has_two_halves),
      cmocka_unit_test(dctcp_alpha_needs_dctcp),
      cmocka_unit_test(accept_percent_is_at_most_100),
      cmocka_unit_test(short_blocks_are_never_read_beyond),
      cmocka_unit_test(stalled_is_who_waits_without_an_answer),
      cmocka_unit_test(real_sockets_wait_or_do_not),
      cmocka_unit_test(close_wait_is_the_state),
      cmocka_unit_test(conditions_hold_by_their_field),
      cmocka_unit_test(codes_have_the_kernels_names),
      cmocka_unit_test(unknown_codes_are_not_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
