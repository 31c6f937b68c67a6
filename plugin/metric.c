#include "metric.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 1e-6 /* from microseconds */

#define GAUGE(metric_name, text)                                               \
  {                                                                            \
    .name = metric_name, .kind = METRIC_KIND_GAUGE, .type = "count",           \
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
                       .kind = METRIC_KIND_STATES,
                       .type = "tcp_connections",
                       .unit = "sockets",
                       .what = "sockets per TCP state"},
    [METRIC_ACTIVE] =
        GAUGE("active", "sockets that received an ACK since the last read"),
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
};

int metric_find(const char *name) {
  for (int i = 0; i < METRIC_COUNT; i++)
    if (strcmp(metric_table[i].name, name) == 0)
      return i;
  return -1;
}

bool metric_needs_info(enum metric_id id) {
  switch (metric_table[id].kind) {
  case METRIC_KIND_STATES:
  case METRIC_KIND_LIFE:
    return false;
  case METRIC_KIND_GAUGE:
    return id != METRIC_CONNECTIONS;
  default:
    return true;
  }
}

bool statistic_parse(const char *text, struct statistic *out) {
  static const struct {
    const char *name;
    enum statistic_kind kind;
  } named[] = {{"min", STATISTIC_MIN},
               {"max", STATISTIC_MAX},
               {"avg", STATISTIC_AVG},
               {"sum", STATISTIC_SUM}};
  for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
    if (strcmp(text, named[i].name) == 0) {
      *out = (struct statistic){.kind = named[i].kind};
      return true;
    }
  }

  if (*text++ != 'p')
    return false;
  unsigned permille = 0;
  size_t digits = strspn(text, "0123456789");
  if (digits < 1 || digits > 2)
    return false;
  for (; digits > 0; digits--)
    permille = permille * 10 + (unsigned)(*text++ - '0');
  permille *= 10;
  if (*text == '.') {
    text++;
    if (!isdigit((unsigned char)*text))
      return false;
    permille += (unsigned)(*text++ - '0');
  }
  if (*text != '\0' || permille < 10 || permille > 999)
    return false;
  *out = (struct statistic){.kind = STATISTIC_PERCENTILE,
                            .permille = (uint16_t)permille};
  return true;
}

char *statistic_format(struct statistic s, char *text) {
  static const char *const name[] = {[STATISTIC_MIN] = "min",
                                     [STATISTIC_MAX] = "max",
                                     [STATISTIC_AVG] = "avg",
                                     [STATISTIC_SUM] = "sum"};
  if (s.kind != STATISTIC_PERCENTILE)
    snprintf(text, STATISTIC_TEXT_MAX, "%s", name[s.kind]);
  else if (s.permille % 10 == 0)
    snprintf(text, STATISTIC_TEXT_MAX, "p%u", s.permille / 10u % 100);
  else
    snprintf(text, STATISTIC_TEXT_MAX, "p%u.%u", s.permille / 10u % 100,
             s.permille % 10u);
  return text;
}

static int choice_add_statistic(struct metric_choice *c, struct statistic s) {
  for (size_t i = 0; i < c->statistic_count; i++)
    if (c->statistic[i].kind == s.kind &&
        c->statistic[i].permille == s.permille)
      return 0;
  struct statistic *grown =
      realloc(c->statistic, (c->statistic_count + 1) * sizeof(*c->statistic));
  if (grown == NULL)
    return -1;
  c->statistic = grown;
  c->statistic[c->statistic_count++] = s;
  return 0;
}

int metric_list_add(struct metric_list *list, enum metric_id id,
                    const struct statistic *statistic) {
  size_t i = 0;
  while (i < list->count && list->choice[i].id != id)
    i++;
  if (i == list->count) {
    struct metric_choice *grown =
        realloc(list->choice, (list->count + 1) * sizeof(*list->choice));
    if (grown == NULL)
      return -1;
    list->choice = grown;
    list->choice[list->count++] = (struct metric_choice){.id = id};
  }
  if (statistic == NULL)
    return 0;
  return choice_add_statistic(&list->choice[i], *statistic);
}

static const struct statistic usual[] = {
    {.kind = STATISTIC_PERCENTILE, .permille = 500},
    {.kind = STATISTIC_PERCENTILE, .permille = 950},
    {.kind = STATISTIC_MAX}};

int metric_list_complete(struct metric_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    struct metric_choice *c = &list->choice[i];
    if (metric_table[c->id].kind != METRIC_KIND_DISTRIBUTION ||
        c->statistic_count > 0)
      continue;
    for (size_t k = 0; k < sizeof(usual) / sizeof(usual[0]); k++)
      if (choice_add_statistic(c, usual[k]) != 0)
        return -1;
  }
  return 0;
}

int metric_list_default(struct metric_list *list) {
  static const struct statistic p50 = {STATISTIC_PERCENTILE, 500};
  static const struct statistic p95 = {STATISTIC_PERCENTILE, 950};
  static const struct {
    enum metric_id id;
    const struct statistic *statistic;
  } row[] = {
      {METRIC_CONNECTIONS, NULL},
      {METRIC_ACTIVE, NULL},
      {METRIC_OPENED, NULL},
      {METRIC_CLOSED, NULL},
      {METRIC_RTT, NULL},
      {METRIC_QUEUE_DELAY, &p95},
      {METRIC_CWND, &p50},
      {METRIC_BYTES_SENT, NULL},
      {METRIC_BYTES_RECEIVED, NULL},
      {METRIC_RETRANS, NULL},
      {METRIC_RETRANS_PERCENT, NULL},
      {METRIC_LIMITED, NULL},
  };
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
    if (metric_list_add(list, row[i].id, row[i].statistic) != 0)
      return -1;
  return metric_list_complete(list);
}

int metric_list_copy(struct metric_list *to, const struct metric_list *from) {
  for (size_t i = 0; i < from->count; i++) {
    const struct metric_choice *c = &from->choice[i];
    if (metric_list_add(to, c->id, NULL) != 0)
      return -1;
    for (size_t k = 0; k < c->statistic_count; k++)
      if (metric_list_add(to, c->id, &c->statistic[k]) != 0)
        return -1;
  }
  return 0;
}

void metric_list_clear(struct metric_list *list) {
  for (size_t i = 0; i < list->count; i++)
    free(list->choice[i].statistic);
  free(list->choice);
  *list = (struct metric_list){0};
}
