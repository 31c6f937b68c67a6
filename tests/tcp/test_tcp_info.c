/* tcp_info: the table against the uapi header of this machine, as far as that
 * goes, and against the sizes of tcp_info that released kernels send. */
#include "tcp/tcp_info.h"

#include <linux/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAME(id, member)                                                       \
  do {                                                                         \
    assert_int_equal(field_table[id].offset,                                   \
                     offsetof(struct tcp_info, tcpi_##member));                \
    assert_int_equal(field_table[id].width,                                    \
                     sizeof(((struct tcp_info *)0)->tcpi_##member));           \
    assert_string_equal(field_table[id].name, #member);                        \
  } while (0)

static void table_agrees_with_the_header_of_this_machine(void **state) {
  (void)state;
  SAME(FIELD_CA_STATE, ca_state);
  SAME(FIELD_RETRANSMITS, retransmits);
  SAME(FIELD_PROBES, probes);
  SAME(FIELD_BACKOFF, backoff);
  SAME(FIELD_OPTIONS, options);
  SAME(FIELD_RTO, rto);
  SAME(FIELD_ATO, ato);
  SAME(FIELD_SND_MSS, snd_mss);
  SAME(FIELD_RCV_MSS, rcv_mss);
  SAME(FIELD_UNACKED, unacked);
  SAME(FIELD_SACKED, sacked);
  SAME(FIELD_LOST, lost);
  SAME(FIELD_RETRANS, retrans);
  SAME(FIELD_FACKETS, fackets);
  SAME(FIELD_LAST_DATA_SENT, last_data_sent);
  SAME(FIELD_LAST_DATA_RECV, last_data_recv);
  SAME(FIELD_LAST_ACK_RECV, last_ack_recv);
  SAME(FIELD_PMTU, pmtu);
  SAME(FIELD_RCV_SSTHRESH, rcv_ssthresh);
  SAME(FIELD_RTT, rtt);
  SAME(FIELD_RTTVAR, rttvar);
  SAME(FIELD_SND_SSTHRESH, snd_ssthresh);
  SAME(FIELD_SND_CWND, snd_cwnd);
  SAME(FIELD_ADVMSS, advmss);
  SAME(FIELD_REORDERING, reordering);
  SAME(FIELD_RCV_RTT, rcv_rtt);
  SAME(FIELD_RCV_SPACE, rcv_space);
  SAME(FIELD_TOTAL_RETRANS, total_retrans);
  SAME(FIELD_PACING_RATE, pacing_rate);
  SAME(FIELD_MAX_PACING_RATE, max_pacing_rate);
  SAME(FIELD_BYTES_ACKED, bytes_acked);
  SAME(FIELD_BYTES_RECEIVED, bytes_received);
  SAME(FIELD_SEGS_OUT, segs_out);
  SAME(FIELD_SEGS_IN, segs_in);
  SAME(FIELD_NOTSENT_BYTES, notsent_bytes);
  SAME(FIELD_MIN_RTT, min_rtt);
  SAME(FIELD_DATA_SEGS_IN, data_segs_in);
  SAME(FIELD_DATA_SEGS_OUT, data_segs_out);
  SAME(FIELD_DELIVERY_RATE, delivery_rate);
  SAME(FIELD_BUSY_TIME, busy_time);
  SAME(FIELD_RWND_LIMITED, rwnd_limited);
  SAME(FIELD_SNDBUF_LIMITED, sndbuf_limited);
  SAME(FIELD_DELIVERED, delivered);
  SAME(FIELD_DELIVERED_CE, delivered_ce);
  SAME(FIELD_BYTES_SENT, bytes_sent);
  SAME(FIELD_BYTES_RETRANS, bytes_retrans);
  SAME(FIELD_DSACK_DUPS, dsack_dups);
  SAME(FIELD_REORD_SEEN, reord_seen);
  SAME(FIELD_RCV_OOOPACK, rcv_ooopack);
  SAME(FIELD_SND_WND, snd_wnd);
}

static void bit_fields_are_read_as_the_compiler_lays_them_out(void **state) {
  (void)state;
  struct tcp_info info;
  uint64_t value;
  memset(&info, 0, sizeof(info));
  info.tcpi_snd_wscale = 7;
  info.tcpi_rcv_wscale = 9;
  info.tcpi_delivery_rate_app_limited = 1;
  const uint8_t *bytes = (const uint8_t *)&info;
  assert_true(field_get(FIELD_SND_WSCALE, bytes, sizeof(info), &value));
  assert_int_equal(value, 7);
  assert_true(field_get(FIELD_RCV_WSCALE, bytes, sizeof(info), &value));
  assert_int_equal(value, 9);
  assert_true(field_get(FIELD_APP_LIMITED, bytes, sizeof(info), &value));
  assert_int_equal(value, 1);
  assert_true(
      field_get(FIELD_FASTOPEN_CLIENT_FAIL, bytes, sizeof(info), &value));
  assert_int_equal(value, 0);
}

/* The size of tcp_info that each release sends must hold exactly the fields
 * that the table says it has. */
static void fields_fit_the_sizes_that_releases_send(void **state) {
  (void)state;
  static const struct {
    const char *kernel;
    size_t size;
  } release[] = {{"2.6", 104},  {"3.15", 120}, {"4.1", 136},  {"4.2", 144},
                 {"4.6", 160},  {"4.9", 168},  {"4.10", 192}, {"4.18", 200},
                 {"4.19", 224}, {"5.4", 232},  {"6.2", 240},  {"6.7", 248},
                 {"6.18", 276}};
  for (int id = 0; id < FIELD_COUNT; id++) {
    const struct field *f = &field_table[id];
    assert_non_null(f->name);
    /* Within byte 7 bits were given out later without a change of size. */
    if (f->offset == 7 || f->block != BLOCK_INFO)
      continue;
    size_t before = 0, size = 0;
    for (size_t i = 0; i < sizeof(release) / sizeof(release[0]); i++) {
      if (strcmp(release[i].kernel, f->kernel) == 0) {
        size = release[i].size;
        break;
      }
      before = release[i].size;
    }
    assert_true(size > 0);
    assert_true(field_present((enum field_id)id, size));
    if (before > 0)
      assert_false(field_present((enum field_id)id, before));
  }
}

static void fields_do_not_overlap(void **state) {
  (void)state;
  uint8_t owner[BLOCK_COUNT][512] = {{0}};
  for (int id = 0; id < FIELD_COUNT; id++) {
    const struct field *f = &field_table[id];
    uint8_t mask = f->bits ? (uint8_t)(((1u << f->bits) - 1) << f->shift) : 255;
    if (f->derived)
      continue;
    for (size_t i = 0; i < f->width; i++) {
      assert_int_equal(owner[f->block][f->offset + i] & mask, 0);
      owner[f->block][f->offset + i] |= mask;
    }
  }
  for (size_t i = 276; i < sizeof(owner[0]); i++)
    assert_int_equal(owner[BLOCK_INFO][i], 0); /* other meaning in Linux 7.0 */
  /* Whole: SK_MEMINFO_VARS words; what is left out of the others follows. */
  for (size_t i = 0; i < sizeof(owner[0]); i++)
    assert_int_equal(owner[BLOCK_SKMEM][i], i < 36 ? 255 : 0);
}

/* A message without the field that it is derived from does not have it either.
 */
static void derived_fields_are_part_of_another_field(void **state) {
  (void)state;
  for (int id = 0; id < FIELD_COUNT; id++) {
    const struct field *f = &field_table[id];
    size_t others = 0;
    for (int k = 0; k < FIELD_COUNT; k++) {
      const struct field *o = &field_table[k];
      others += k != id && o->block == f->block && o->offset == f->offset &&
                o->width == f->width && o->bits == 0 &&
                o->nature == f->nature && o->unit == f->unit;
    }
    if (f->derived)
      assert_int_equal(others, 1);
  }
}

static void absent_and_unset_fields_have_no_value(void **state) {
  (void)state;
  uint8_t info[280] = {0};
  uint64_t value = 42;
  for (int id = 0; id < FIELD_COUNT; id++)
    for (size_t size = 0;
         size < (size_t)field_table[id].offset + field_table[id].width; size++)
      assert_false(field_get((enum field_id)id, info, size, &value));
  assert_false(field_get(FIELD_RTT, info, sizeof(info), &value));
  memset(info + 148, 0xff, 4);
  assert_false(field_get(FIELD_MIN_RTT, info, sizeof(info), &value));
  memcpy(info + 76, "\xff\xff\xff\x7f", 4);
  assert_int_equal(field_get(FIELD_SND_SSTHRESH, info, sizeof(info), &value),
                   __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__);
  memset(info + 104, 0xff, 8);
  assert_false(field_get(FIELD_PACING_RATE, info, sizeof(info), &value));
  assert_int_equal(value, 42);
  assert_true(field_get(FIELD_TOTAL_RTO, info, sizeof(info), &value));
  assert_int_equal(value, 0); /* zero is a value here */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_agrees_with_the_header_of_this_machine),
      cmocka_unit_test(bit_fields_are_read_as_the_compiler_lays_them_out),
      cmocka_unit_test(fields_fit_the_sizes_that_releases_send),
      cmocka_unit_test(fields_do_not_overlap),
      cmocka_unit_test(derived_fields_are_part_of_another_field),
      cmocka_unit_test(absent_and_unset_fields_have_no_value),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
