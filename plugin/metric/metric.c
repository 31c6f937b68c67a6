#include "metric/metric.h"

#include <string.h>

#define SECONDS 1e-6 /* from microseconds */

#define GAUGE(metric_name, text)                                               \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_GAUGE, .type = "count",           \
    .unit = "sockets", .what = text                                            \
  }
#define SOCKETS(metric_name, of, text)                                         \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_SOCKETS, .type = "count",         \
    .unit = "sockets", .what = text, .field = FIELD_##of                       \
  }
#define SET(metric_name, text)                                                 \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_SET, .type = "count",             \
    .unit = "sockets", .what = text                                            \
  }
#define LIFE(metric_name, text)                                                \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_LIFE,                             \
    .type = "total_connections", .unit = "connections", .what = text           \
  }
#define LATENCY(metric_name, of, text)                                         \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_DISTRIBUTION, .type = "latency",  \
    .unit = "s", .what = text, .field = FIELD_##of, .scale = SECONDS,          \
    .active_only = true                                                        \
  }
#define AMOUNT(metric_name, of, metric_type, metric_unit, text)                \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_DISTRIBUTION,                     \
    .type = metric_type, .unit = metric_unit, .what = text,                    \
    .field = FIELD_##of, .scale = 1                                            \
  }
#define SEGMENTS(metric_name, of, text)                                        \
  AMOUNT(metric_name, of, "count", "segments", text)
#define BYTES(metric_name, of, text)                                           \
  AMOUNT(metric_name, of, "bytes", "bytes", text)
#define MEMORY(metric_name, of, text)                                          \
  AMOUNT(metric_name, of, "memory", "bytes", text)
#define LISTENER(metric_name, from, metric_type, metric_unit, factor, text)    \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_DISTRIBUTION,                     \
    .type = metric_type, .unit = metric_unit, .what = text,                    \
    .rule = METRIC_RULE_##from, .scale = factor, .listeners = true             \
  }
#define COUNTER(metric_name, of, metric_type, metric_unit, factor, text)       \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_COUNTER, .type = metric_type,     \
    .unit = metric_unit, .what = text, .field = FIELD_##of, .scale = factor    \
  }
#define TOTAL_BYTES(metric_name, of, text)                                     \
  COUNTER(metric_name, of, "total_bytes", "bytes", 1, text)
#define PACKETS(metric_name, of, text)                                         \
  COUNTER(metric_name, of, "packets", "segments", 1, text)
#define EVENTS(metric_name, of, text)                                          \
  COUNTER(metric_name, of, "total_events", "events", 1, text)
#define TIME(metric_name, of, factor, text)                                    \
  COUNTER(metric_name, of, "total_time_in_ms", "ms", factor, text)
#define PERCENT(metric_name, part, of, text)                                   \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_PERCENT, .type = "percent",       \
    .unit = "%", .what = text, .field = FIELD_##part, .whole = FIELD_##of      \
  }

const struct metric metric_table[METRIC_COUNT] = {
    [METRIC_CONNECTIONS] = GAUGE("connections", "sockets matched"),
    [METRIC_STATES] = {.name = "states",
                       .kind = METRIC_KIND_SET,
                       .type = "tcp_connections",
                       .unit = "sockets",
                       .what = "sockets per TCP state"},
    [METRIC_ACTIVE] = SOCKETS("active", LAST_ACK_RECV,
                              "sockets that received an ACK since the last "
                              "read"),
    [METRIC_OPENED] = LIFE("opened", "connections first seen"),
    [METRIC_CLOSED] = LIFE("closed", "connections gone"),
    [METRIC_FAILED] = LIFE("failed", "connections that were never established"),

    [METRIC_RTT] = LATENCY("rtt", RTT, "smoothed round-trip time"),
    [METRIC_RTTVAR] = {.name = "rttvar",
                       .kind = METRIC_KIND_DISTRIBUTION,
                       .type = "latency",
                       .unit = "s",
                       .what = "smoothed mean deviation of the round-trip time",
                       .rule = METRIC_RULE_RTTVAR,
                       .field = FIELD_RTTVAR,
                       .scale = SECONDS,
                       .active_only = true},
    [METRIC_MIN_RTT] = LATENCY("min_rtt", MIN_RTT,
                               "lowest round-trip time of the last minutes"),
    [METRIC_RTO] = LATENCY("rto", RTO, "retransmission timeout"),
    [METRIC_ATO] = LATENCY("ato", ATO, "delayed-ACK timeout"),
    [METRIC_RCV_RTT] =
        LATENCY("rcv_rtt", RCV_RTT, "round-trip time as the receiver sees it"),
    [METRIC_QUEUE_DELAY] = {.name = "queue_delay",
                            .kind = METRIC_KIND_DISTRIBUTION,
                            .type = "latency",
                            .unit = "s",
                            .what = "rtt - min_rtt: what queues add",
                            .rule = METRIC_RULE_QUEUE_DELAY,
                            .field = FIELD_MIN_RTT,
                            .scale = SECONDS,
                            .active_only = true},

    [METRIC_CWND] = SEGMENTS("cwnd", SND_CWND, "congestion window"),
    [METRIC_SSTHRESH] = SEGMENTS("ssthresh", SND_SSTHRESH,
                                 "slow-start threshold, where finite"),
    [METRIC_UNACKED] = SEGMENTS("unacked", UNACKED, "sent, not yet ACKed"),
    [METRIC_SACKED] = SEGMENTS("sacked", SACKED, "selectively ACKed"),
    [METRIC_LOST] = SEGMENTS("lost", LOST, "taken for lost, of this instant"),
    [METRIC_RETRANS_OUT] =
        SEGMENTS("retrans_out", RETRANS, "retransmitted, not yet ACKed"),
    [METRIC_REORDERING] =
        SEGMENTS("reordering", REORDERING, "reordering that is allowed for"),

    [METRIC_MSS] = BYTES("mss", SND_MSS, "maximum segment size when sending"),
    [METRIC_PMTU] = BYTES("pmtu", PMTU, "path MTU"),
    [METRIC_ADVMSS] = BYTES("advmss", ADVMSS, "advertised MSS"),
    [METRIC_RCV_MSS] = BYTES("rcv_mss", RCV_MSS, "estimate of the peer's MSS"),
    [METRIC_SND_WND] =
        BYTES("snd_wnd", SND_WND, "window that the peer advertises"),
    [METRIC_RCV_WND] =
        BYTES("rcv_wnd", RCV_WND, "window that this host advertises"),
    [METRIC_RCV_SSTHRESH] =
        BYTES("rcv_ssthresh", RCV_SSTHRESH, "limit of the advertised window"),
    [METRIC_RCV_SPACE] =
        BYTES("rcv_space", RCV_SPACE, "receive space of buffer autotuning"),
    [METRIC_NOTSENT] =
        BYTES("notsent", NOTSENT_BYTES, "written, not yet sent even once"),
    [METRIC_RECV_QUEUE] = {.name = "recv_queue",
                           .kind = METRIC_KIND_DISTRIBUTION,
                           .type = "bytes",
                           .unit = "bytes",
                           .what = "received, not yet read by the application",
                           .rule = METRIC_RULE_RECV_QUEUE,
                           .scale = 1},
    [METRIC_SEND_QUEUE] = {.name = "send_queue",
                           .kind = METRIC_KIND_DISTRIBUTION,
                           .type = "bytes",
                           .unit = "bytes",
                           .what = "written, not yet ACKed by the peer",
                           .rule = METRIC_RULE_SEND_QUEUE,
                           .scale = 1},

    [METRIC_DELIVERY_RATE] = {.name = "delivery_rate",
                              .kind = METRIC_KIND_DISTRIBUTION,
                              .type = "bytes",
                              .unit = "bytes/s",
                              .what = "measured rate of delivery, without "
                                      "app-limited sockets",
                              .rule = METRIC_RULE_DELIVERY_RATE,
                              .field = FIELD_DELIVERY_RATE,
                              .scale = 1},
    [METRIC_PACING_RATE] = AMOUNT("pacing_rate", PACING_RATE, "bytes",
                                  "bytes/s", "rate that pacing allows"),
    [METRIC_THROUGHPUT] = {.name = "throughput",
                           .kind = METRIC_KIND_DISTRIBUTION,
                           .type = "bytes",
                           .unit = "bytes/s",
                           .what = "cwnd x mss / rtt: what the window allows",
                           .rule = METRIC_RULE_THROUGHPUT,
                           .field = FIELD_RTT,
                           .scale = 1},

    [METRIC_BYTES_SENT] = TOTAL_BYTES("bytes_sent", BYTES_SENT,
                                      "data sent, with retransmissions"),
    [METRIC_BYTES_ACKED] =
        TOTAL_BYTES("bytes_acked", BYTES_ACKED, "sequence space ACKed"),
    [METRIC_BYTES_RECEIVED] =
        TOTAL_BYTES("bytes_received", BYTES_RECEIVED, "data received in order"),
    [METRIC_BYTES_RETRANS] =
        TOTAL_BYTES("bytes_retrans", BYTES_RETRANS, "data retransmitted"),
    [METRIC_SEGS_OUT] = PACKETS("segs_out", SEGS_OUT, "segments sent"),
    [METRIC_SEGS_IN] = PACKETS("segs_in", SEGS_IN, "segments received"),
    [METRIC_DATA_SEGS_OUT] =
        PACKETS("data_segs_out", DATA_SEGS_OUT, "segments with data sent"),
    [METRIC_DATA_SEGS_IN] =
        PACKETS("data_segs_in", DATA_SEGS_IN, "segments with data received"),
    [METRIC_RETRANS] =
        PACKETS("retrans", TOTAL_RETRANS, "segments retransmitted"),
    [METRIC_DELIVERED] =
        PACKETS("delivered", DELIVERED, "segments delivered to the peer"),
    [METRIC_DELIVERED_CE] = PACKETS("delivered_ce", DELIVERED_CE,
                                    "delivered segments with an ECN mark"),
    [METRIC_DSACK_DUPS] = PACKETS("dsack_dups", DSACK_DUPS,
                                  "segments that the peer got twice (DSACK)"),
    [METRIC_REORD_SEEN] =
        PACKETS("reord_seen", REORD_SEEN, "reordering events seen"),
    [METRIC_RCV_OOOPACK] =
        PACKETS("rcv_ooopack", RCV_OOOPACK, "segments received out of order"),
    [METRIC_REHASH] =
        EVENTS("rehash", REHASH, "changes of path by a new transmit hash"),
    [METRIC_TOTAL_RTO] =
        EVENTS("total_rto", TOTAL_RTO, "retransmission timeouts"),
    [METRIC_RTO_RECOVERIES] = EVENTS("rto_recoveries", TOTAL_RTO_RECOVERIES,
                                     "recoveries after timeouts"),
    [METRIC_BUSY_TIME] =
        TIME("busy_time", BUSY_TIME, 1e-3, "time with data to send"),
    [METRIC_RWND_LIMITED] = TIME("rwnd_limited", RWND_LIMITED, 1e-3,
                                 "time limited by the peer's window"),
    [METRIC_SNDBUF_LIMITED] = TIME("sndbuf_limited", SNDBUF_LIMITED, 1e-3,
                                   "time limited by the own send buffer"),
    [METRIC_RTO_TIME] =
        TIME("rto_time", TOTAL_RTO_TIME, 1, "time spent in timeouts"),

    [METRIC_RETRANS_PERCENT] =
        PERCENT("retrans_percent", TOTAL_RETRANS, DATA_SEGS_OUT,
                "retransmitted / data segments sent"),
    [METRIC_SPURIOUS_PERCENT] =
        PERCENT("spurious_percent", DSACK_DUPS, TOTAL_RETRANS,
                "retransmissions that were not needed"),
    [METRIC_CE_PERCENT] = PERCENT("ce_percent", DELIVERED_CE, DELIVERED,
                                  "ECN-marked / delivered"),
    [METRIC_LIMITED] = {.name = "limited",
                        .kind = METRIC_KIND_LIMITED,
                        .type = "percent",
                        .unit = "%",
                        .what = "share of the sockets' time limited by "
                                "network, receiver, sender, or idle"},

    [METRIC_CA_STATE] =
        SET("ca_state", "sockets per state of congestion control"),
    [METRIC_STALLED] = SOCKETS("stalled", RETRANSMITS,
                               "sockets that wait after a timeout (RTO)"),
    [METRIC_ZERO_WINDOW] =
        SOCKETS("zero_window", PROBES, "sockets that probe a closed window"),
    [METRIC_APP_LIMITED] =
        SOCKETS("app_limited", DELIVERY_RATE,
                "sockets whose delivery rate the application limited"),
    [METRIC_UNREAD] = SOCKETS("unread", CA_STATE, "sockets with unread data"),
    [METRIC_UNSENT] =
        SOCKETS("unsent", NOTSENT_BYTES, "sockets with data not sent yet"),
    [METRIC_OPTIONS] = SET("options", "sockets per TCP option in use"),
    [METRIC_CONGESTION] =
        SET("congestion", "sockets per congestion control algorithm"),

    [METRIC_RMEM] =
        MEMORY("rmem", RMEM_ALLOC, "memory of data received, not yet read"),
    [METRIC_RCVBUF] = MEMORY("rcvbuf", RCVBUF, "receive buffer's limit"),
    [METRIC_WMEM] =
        MEMORY("wmem", WMEM_ALLOC, "memory of data handed to the device"),
    [METRIC_SNDBUF] = MEMORY("sndbuf", SNDBUF, "send buffer's limit"),
    [METRIC_FWD_ALLOC] =
        MEMORY("fwd_alloc", FWD_ALLOC, "memory reserved, not in use yet"),
    [METRIC_WMEM_QUEUED] = MEMORY("wmem_queued", WMEM_QUEUED,
                                  "memory of data written, not yet ACKed"),
    [METRIC_OPTMEM] = MEMORY("optmem", OPTMEM, "memory of socket options"),
    [METRIC_BACKLOG] =
        MEMORY("backlog", BACKLOG, "memory of packets not yet processed"),
    [METRIC_DROPS] =
        PACKETS("drops", DROPS, "packets that the socket had to drop"),

    [METRIC_BBR_BANDWIDTH] = {.name = "bbr_bandwidth",
                              .kind = METRIC_KIND_DISTRIBUTION,
                              .type = "bytes",
                              .unit = "bytes/s",
                              .what = "BBR's estimate of the bottleneck",
                              .rule = METRIC_RULE_BBR_BANDWIDTH,
                              .field = FIELD_BBR_BW_LO,
                              .scale = 1},
    [METRIC_BBR_MIN_RTT] = {.name = "bbr_min_rtt",
                            .kind = METRIC_KIND_DISTRIBUTION,
                            .type = "latency",
                            .unit = "s",
                            .what = "BBR's estimate of the empty path",
                            .field = FIELD_BBR_MIN_RTT,
                            .scale = SECONDS,
                            .active_only = true},
    [METRIC_DCTCP_ALPHA] = {.name = "dctcp_alpha",
                            .kind = METRIC_KIND_DISTRIBUTION,
                            .type = "percent",
                            .unit = "%",
                            .what = "DCTCP's estimate of the marked share",
                            .rule = METRIC_RULE_DCTCP_ALPHA,
                            .field = FIELD_DCTCP_ALPHA,
                            .scale = 100.0 / 1024},

    [METRIC_ACCEPT_QUEUE] =
        LISTENER("accept_queue", RECV_QUEUE, "queue_length", "connections", 1,
                 "connections that wait for accept()"),
    [METRIC_ACCEPT_LIMIT] =
        LISTENER("accept_limit", SEND_QUEUE, "queue_length", "connections", 1,
                 "most that may wait: listen()'s backlog"),
    [METRIC_ACCEPT_PERCENT] =
        LISTENER("accept_percent", ACCEPT_PERCENT, "percent", "%", 0.01,
                 "accept_queue / accept_limit"),
    [METRIC_OUTLIERS] = {.name = "outliers",
                         .kind = METRIC_KIND_GAUGE,
                         .type = "count",
                         .unit = "members",
                         .what = "members far worse than the group's median"},
};

int metric_find(const char *name) {
  for (int i = 0; i < METRIC_COUNT; i++)
    if (strcmp(metric_table[i].name, name) == 0)
      return i;
  return -1;
}

static unsigned block_ask(enum field_id id) {
  static const unsigned ask[BLOCK_COUNT] = {[BLOCK_INFO] = ASK_INFO,
                                            [BLOCK_SKMEM] = ASK_SKMEM,
                                            [BLOCK_BBR] = ASK_ALGORITHM_INFO,
                                            [BLOCK_DCTCP] = ASK_ALGORITHM_INFO};
  return ask[field_table[id].block];
}

unsigned metric_asks(enum metric_id id) {
  const struct metric *m = &metric_table[id];
  switch (id) {
  case METRIC_STATES:
    return ASK_ALL_STATES;
  case METRIC_CONGESTION:
    return ASK_CONGESTION;
  case METRIC_CONNECTIONS:
  case METRIC_UNREAD:
    return 0;
  default:
    break;
  }
  if (m->kind == METRIC_KIND_LIFE)
    return 0;
  if (m->listeners)
    return ASK_LISTENERS;
  /* Whether a socket is active, or gone, struct tcp_info says. */
  if (m->kind == METRIC_KIND_DISTRIBUTION || m->kind == METRIC_KIND_COUNTER)
    return ASK_INFO | block_ask(m->field);
  return ASK_INFO;
}

/* By the unit of the field; 1, 2, 5 a decade, and four times a step for what
 * spans more. */
struct histogram metric_histogram(enum metric_id id) {
  static const uint64_t times[] = {
      100,    200,    500,    1000,    2000,    5000,    10000,   20000, 50000,
      100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000}; /* us */
  static const uint64_t counts[] = {0,   1,   2,   5,    10,   20,   50,
                                    100, 200, 500, 1000, 2000, 5000, 10000};
  static const uint64_t bytes[] = {
      0,         1024,       4096,       16384,      65536,
      262144,    1048576,    4194304,    16777216,   67108864,
      268435456, 1073741824, 4294967296, 17179869184};
  static const uint64_t tenths[] = {0,    1000, 2000, 3000, 4000, 5000,
                                    6000, 7000, 8000, 9000, 10000};
  static const uint64_t eighths[] = {
      0,   128, 256, 384, 512,
      640, 768, 896, 1024}; /* of alpha, which is of 1024 */
#define OF(edges)                                                              \
  (struct histogram) { .edge = edges, .count = sizeof(edges) / sizeof(*edges) }
  const struct metric *m = &metric_table[id];
  if (id == METRIC_DCTCP_ALPHA)
    return OF(eighths);
  if (strcmp(m->type, "percent") == 0)
    return OF(tenths);
  if (strcmp(m->type, "latency") == 0)
    return OF(times);
  if (strcmp(m->type, "count") == 0 || strcmp(m->type, "queue_length") == 0)
    return OF(counts);
  return OF(bytes);
#undef OF
}
