/* See tcp_info.h. */
#include "tcp/tcp_info.h"

#define WHOLE(field_name, at, bytes, nat, un, none, since)                     \
  {                                                                            \
    .name = field_name, .offset = at, .width = bytes, .nature = FIELD_##nat,   \
    .unit = UNIT_##un, .unset = none, .kernel = since                          \
  }
#define LASTING(field_name, at, bytes, un, since)                              \
  {                                                                            \
    .name = field_name, .offset = at, .width = bytes, .nature = FIELD_COUNTER, \
    .unit = UNIT_##un, .lasting = true, .unset = ALWAYS, .kernel = since       \
  }
#define BITS(field_name, at, from, n, nat, since)                              \
  {                                                                            \
    .name = field_name, .offset = at, .width = 1, .shift = from, .bits = n,    \
    .nature = FIELD_##nat, .unset = FIELD_ALWAYS, .kernel = since              \
  }
#define SKMEM(field_name, at)                                                  \
  {                                                                            \
    .name = field_name, .block = BLOCK_SKMEM, .offset = at, .width = 4,        \
    .nature = FIELD_GAUGE, .unit = UNIT_BYTES, .unset = ALWAYS,                \
    .kernel = "3.6"                                                            \
  }
#define OTHER(field_name, of, at, bytes, un, since)                            \
  {                                                                            \
    .name = field_name, .block = BLOCK_##of, .offset = at, .width = bytes,     \
    .nature = FIELD_GAUGE, .unit = UNIT_##un, .unset = ALWAYS, .kernel = since \
  }
#define ALWAYS FIELD_ALWAYS

/* C leaves the order of bit-fields to the ABI: the first one declared takes the
 * low bits on little-endian machines and the high bits on big-endian ones. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FIRST(at, n) (at)
#else
#define FIRST(at, n) (8 - (at) - (n))
#endif

/* Columns: name, offset in bytes, width in bytes, nature, unit, the value that
 * means "none", first kernel. Byte 276 and the bytes behind it are left out:
 * Linux 7.0 gave them another meaning at the same size. */
const struct field field_table[FIELD_COUNT] = {
    [FIELD_CA_STATE] = WHOLE("ca_state", 1, 1, STATE, NONE, ALWAYS, "2.6"),
    [FIELD_RETRANSMITS] =
        WHOLE("retransmits", 2, 1, GAUGE, EVENTS, ALWAYS, "2.6"),
    [FIELD_PROBES] = WHOLE("probes", 3, 1, GAUGE, EVENTS, ALWAYS, "2.6"),
    [FIELD_BACKOFF] = WHOLE("backoff", 4, 1, GAUGE, EVENTS, ALWAYS, "2.6"),
    [FIELD_OPTIONS] = WHOLE("options", 5, 1, STATE, NONE, ALWAYS, "2.6"),
    [FIELD_SND_WSCALE] = BITS("snd_wscale", 6, FIRST(0, 4), 4, STATE, "2.6"),
    [FIELD_RCV_WSCALE] = BITS("rcv_wscale", 6, FIRST(4, 4), 4, STATE, "2.6"),
    [FIELD_APP_LIMITED] =
        BITS("delivery_rate_app_limited", 7, FIRST(0, 1), 1, STATE, "4.9"),
    [FIELD_FASTOPEN_CLIENT_FAIL] =
        BITS("fastopen_client_fail", 7, FIRST(1, 2), 2, STATE, "5.5"),
    [FIELD_RTO] = WHOLE("rto", 8, 4, GAUGE, US, 0, "2.6"),
    [FIELD_ATO] = WHOLE("ato", 12, 4, GAUGE, US, 0, "2.6"),
    [FIELD_SND_MSS] = WHOLE("snd_mss", 16, 4, GAUGE, BYTES, 0, "2.6"),
    [FIELD_RCV_MSS] = WHOLE("rcv_mss", 20, 4, GAUGE, BYTES, 0, "2.6"),
    [FIELD_UNACKED] = WHOLE("unacked", 24, 4, GAUGE, SEGMENTS, ALWAYS, "2.6"),
    [FIELD_SACKED] = WHOLE("sacked", 28, 4, GAUGE, SEGMENTS, ALWAYS, "2.6"),
    [FIELD_LOST] = WHOLE("lost", 32, 4, GAUGE, SEGMENTS, ALWAYS, "2.6"),
    [FIELD_RETRANS] = WHOLE("retrans", 36, 4, GAUGE, SEGMENTS, ALWAYS, "2.6"),
    [FIELD_FACKETS] = WHOLE("fackets", 40, 4, GAUGE, SEGMENTS, ALWAYS, "2.6"),
    [FIELD_LAST_DATA_SENT] =
        WHOLE("last_data_sent", 44, 4, GAUGE, MS, ALWAYS, "2.6"),
    [FIELD_LAST_DATA_RECV] =
        WHOLE("last_data_recv", 52, 4, GAUGE, MS, ALWAYS, "2.6"),
    [FIELD_LAST_ACK_RECV] =
        WHOLE("last_ack_recv", 56, 4, GAUGE, MS, ALWAYS, "2.6"),
    [FIELD_PMTU] = WHOLE("pmtu", 60, 4, GAUGE, BYTES, 0, "2.6"),
    [FIELD_RCV_SSTHRESH] =
        WHOLE("rcv_ssthresh", 64, 4, GAUGE, BYTES, ALWAYS, "2.6"),
    [FIELD_RTT] = WHOLE("rtt", 68, 4, GAUGE, US, 0, "2.6"),
    [FIELD_RTTVAR] = WHOLE("rttvar", 72, 4, GAUGE, US, 0, "2.6"),
    [FIELD_SND_SSTHRESH] =
        WHOLE("snd_ssthresh", 76, 4, GAUGE, SEGMENTS, 0x7fffffff, "2.6"),
    [FIELD_SND_CWND] = WHOLE("snd_cwnd", 80, 4, GAUGE, SEGMENTS, 0, "2.6"),
    [FIELD_ADVMSS] = WHOLE("advmss", 84, 4, GAUGE, BYTES, 0, "2.6"),
    [FIELD_REORDERING] =
        WHOLE("reordering", 88, 4, GAUGE, SEGMENTS, ALWAYS, "2.6"),
    [FIELD_RCV_RTT] = WHOLE("rcv_rtt", 92, 4, GAUGE, US, 0, "2.6"),
    [FIELD_RCV_SPACE] = WHOLE("rcv_space", 96, 4, GAUGE, BYTES, ALWAYS, "2.6"),
    [FIELD_TOTAL_RETRANS] =
        WHOLE("total_retrans", 100, 4, COUNTER, SEGMENTS, ALWAYS, "2.6"),
    [FIELD_PACING_RATE] = WHOLE("pacing_rate", 104, 8, GAUGE, BYTES_PER_SECOND,
                                UINT64_MAX, "3.15"),
    [FIELD_MAX_PACING_RATE] = WHOLE("max_pacing_rate", 112, 8, GAUGE,
                                    BYTES_PER_SECOND, UINT64_MAX, "3.15"),
    [FIELD_BYTES_ACKED] =
        WHOLE("bytes_acked", 120, 8, COUNTER, BYTES, ALWAYS, "4.1"),
    [FIELD_BYTES_RECEIVED] =
        WHOLE("bytes_received", 128, 8, COUNTER, BYTES, ALWAYS, "4.1"),
    [FIELD_SEGS_OUT] =
        WHOLE("segs_out", 136, 4, COUNTER, SEGMENTS, ALWAYS, "4.2"),
    [FIELD_SEGS_IN] =
        WHOLE("segs_in", 140, 4, COUNTER, SEGMENTS, ALWAYS, "4.2"),
    [FIELD_NOTSENT_BYTES] =
        WHOLE("notsent_bytes", 144, 4, GAUGE, BYTES, ALWAYS, "4.6"),
    [FIELD_MIN_RTT] = WHOLE("min_rtt", 148, 4, GAUGE, US, UINT32_MAX, "4.6"),
    [FIELD_DATA_SEGS_IN] =
        WHOLE("data_segs_in", 152, 4, COUNTER, SEGMENTS, ALWAYS, "4.6"),
    [FIELD_DATA_SEGS_OUT] =
        WHOLE("data_segs_out", 156, 4, COUNTER, SEGMENTS, ALWAYS, "4.6"),
    [FIELD_DELIVERY_RATE] =
        WHOLE("delivery_rate", 160, 8, GAUGE, BYTES_PER_SECOND, 0, "4.9"),
    [FIELD_BUSY_TIME] = LASTING("busy_time", 168, 8, US, "4.10"),
    [FIELD_RWND_LIMITED] = LASTING("rwnd_limited", 176, 8, US, "4.10"),
    [FIELD_SNDBUF_LIMITED] = LASTING("sndbuf_limited", 184, 8, US, "4.10"),
    [FIELD_DELIVERED] =
        WHOLE("delivered", 192, 4, COUNTER, SEGMENTS, ALWAYS, "4.18"),
    [FIELD_DELIVERED_CE] =
        WHOLE("delivered_ce", 196, 4, COUNTER, SEGMENTS, ALWAYS, "4.18"),
    [FIELD_BYTES_SENT] =
        WHOLE("bytes_sent", 200, 8, COUNTER, BYTES, ALWAYS, "4.19"),
    [FIELD_BYTES_RETRANS] =
        WHOLE("bytes_retrans", 208, 8, COUNTER, BYTES, ALWAYS, "4.19"),
    [FIELD_DSACK_DUPS] =
        WHOLE("dsack_dups", 216, 4, COUNTER, SEGMENTS, ALWAYS, "4.19"),
    [FIELD_REORD_SEEN] =
        WHOLE("reord_seen", 220, 4, COUNTER, EVENTS, ALWAYS, "4.19"),
    [FIELD_RCV_OOOPACK] =
        WHOLE("rcv_ooopack", 224, 4, COUNTER, SEGMENTS, ALWAYS, "5.4"),
    [FIELD_SND_WND] = WHOLE("snd_wnd", 228, 4, GAUGE, BYTES, ALWAYS, "5.4"),
    [FIELD_RCV_WND] = WHOLE("rcv_wnd", 232, 4, GAUGE, BYTES, ALWAYS, "6.2"),
    [FIELD_REHASH] = LASTING("rehash", 236, 4, EVENTS, "6.2"),
    [FIELD_TOTAL_RTO] =
        WHOLE("total_rto", 240, 2, COUNTER, EVENTS, ALWAYS, "6.7"),
    [FIELD_TOTAL_RTO_RECOVERIES] =
        WHOLE("total_rto_recoveries", 242, 2, COUNTER, EVENTS, ALWAYS, "6.7"),
    [FIELD_TOTAL_RTO_TIME] =
        WHOLE("total_rto_time", 244, 4, COUNTER, MS, ALWAYS, "6.7"),
    [FIELD_RECEIVED_CE] =
        WHOLE("received_ce", 248, 4, COUNTER, SEGMENTS, ALWAYS, "6.18"),
    [FIELD_DELIVERED_E1_BYTES] =
        WHOLE("delivered_e1_bytes", 252, 4, COUNTER, BYTES, ALWAYS, "6.18"),
    [FIELD_DELIVERED_E0_BYTES] =
        WHOLE("delivered_e0_bytes", 256, 4, COUNTER, BYTES, ALWAYS, "6.18"),
    [FIELD_DELIVERED_CE_BYTES] =
        WHOLE("delivered_ce_bytes", 260, 4, COUNTER, BYTES, ALWAYS, "6.18"),
    [FIELD_RECEIVED_E1_BYTES] =
        WHOLE("received_e1_bytes", 264, 4, COUNTER, BYTES, ALWAYS, "6.18"),
    [FIELD_RECEIVED_E0_BYTES] =
        WHOLE("received_e0_bytes", 268, 4, COUNTER, BYTES, ALWAYS, "6.18"),
    [FIELD_RECEIVED_CE_BYTES] =
        WHOLE("received_ce_bytes", 272, 4, COUNTER, BYTES, ALWAYS, "6.18"),

    /* linux: include/uapi/linux/sock_diag.h */
    [FIELD_RMEM_ALLOC] = SKMEM("rmem_alloc", 0),
    [FIELD_RCVBUF] = SKMEM("rcvbuf", 4),
    [FIELD_WMEM_ALLOC] = SKMEM("wmem_alloc", 8),
    [FIELD_SNDBUF] = SKMEM("sndbuf", 12),
    [FIELD_FWD_ALLOC] = SKMEM("fwd_alloc", 16),
    [FIELD_WMEM_QUEUED] = SKMEM("wmem_queued", 20),
    [FIELD_OPTMEM] = SKMEM("optmem", 24),
    [FIELD_BACKLOG] = SKMEM("backlog", 28),
    [FIELD_DROPS] = {.name = "drops",
                     .block = BLOCK_SKMEM,
                     .offset = 32,
                     .width = 4,
                     .nature = FIELD_COUNTER,
                     .unit = UNIT_SEGMENTS,
                     .lasting = true,
                     .unset = ALWAYS,
                     .kernel = "4.6"},

    /* linux: include/uapi/linux/inet_diag.h */
    [FIELD_BBR_BW_LO] = OTHER("bbr_bw_lo", BBR, 0, 4, BYTES_PER_SECOND, "4.9"),
    [FIELD_BBR_BW_HI] = OTHER("bbr_bw_hi", BBR, 4, 4, BYTES_PER_SECOND, "4.9"),
    [FIELD_BBR_MIN_RTT] = {.name = "bbr_min_rtt",
                           .block = BLOCK_BBR,
                           .offset = 8,
                           .width = 4,
                           .nature = FIELD_GAUGE,
                           .unit = UNIT_US,
                           .unset = UINT32_MAX, /* no sample yet, as min_rtt */
                           .kernel = "4.9"},
    [FIELD_DCTCP_ENABLED] = OTHER("dctcp_enabled", DCTCP, 0, 2, NONE, "4.1"),
    [FIELD_DCTCP_ALPHA] = OTHER("dctcp_alpha", DCTCP, 4, 4, NONE, "4.1"),

    /* The part of total_retrans that retransmitted data, not SYN or FIN. */
    [FIELD_DATA_RETRANS] = {.name = "data_retrans",
                            .offset = 100,
                            .width = 4,
                            .nature = FIELD_COUNTER,
                            .unit = UNIT_SEGMENTS,
                            .derived = true,
                            .unset = ALWAYS,
                            .kernel = "2.6"},
};
