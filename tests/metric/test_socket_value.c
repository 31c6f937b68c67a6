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

/* A socket waits if it had timeouts since the last ACK and the retransmit timer
 * runs. */
static void stalled_needs_a_timeout_and_the_retransmit_timer(void **state) {
  (void)state;
  struct fixture f;
  start(&f);
  for (uint8_t timer = 0; timer <= 5; timer++) {
    f.s.timer = timer;
    put(&f, FIELD_RETRANSMITS, 0);
    holds(&f, METRIC_STALLED, false);
    put(&f, FIELD_RETRANSMITS, 3);
    holds(&f, METRIC_STALLED, timer == 1);
    holds(&f, METRIC_ZERO_WINDOW, timer == 4);
  }
  f.s.timer = 1;
  cut(&f, BLOCK_INFO, 2);
  holds(&f, METRIC_STALLED, false);
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
      cmocka_unit_test(delivery_rate_leaves_out_app_limited_sockets),
      cmocka_unit_test(queues_are_of_the_header),
      cmocka_unit_test(memory_fields_are_in_the_kernels_order),
      cmocka_unit_test(bbr_bandwidth_has_two_halves),
      cmocka_unit_test(dctcp_alpha_needs_dctcp),
      cmocka_unit_test(accept_percent_is_at_most_100),
      cmocka_unit_test(short_blocks_are_never_read_beyond),
      cmocka_unit_test(stalled_needs_a_timeout_and_the_retransmit_timer),
      cmocka_unit_test(conditions_hold_by_their_field),
      cmocka_unit_test(codes_have_the_kernels_names),
      cmocka_unit_test(unknown_codes_are_not_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
