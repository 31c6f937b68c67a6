/* The table of what can be reported: name, kind, type, and what it is computed
 * from. The configuration is checked against it, accumulators are laid out by
 * it, and the manual page is tested against it. */
#ifndef TCPINFO_METRIC_METRIC_H
#define TCPINFO_METRIC_METRIC_H

#include "tcp/tcp_info.h"

enum metric_id {
  METRIC_CONNECTIONS,
  METRIC_STATES,
  METRIC_ACTIVE,
  METRIC_OPENED,
  METRIC_CLOSED,
  METRIC_FAILED,
  METRIC_RTT,
  METRIC_RTTVAR,
  METRIC_MIN_RTT,
  METRIC_RTO,
  METRIC_ATO,
  METRIC_RCV_RTT,
  METRIC_QUEUE_DELAY,
  METRIC_CWND,
  METRIC_SSTHRESH,
  METRIC_UNACKED,
  METRIC_SACKED,
  METRIC_LOST,
  METRIC_RETRANS_OUT,
  METRIC_REORDERING,
  METRIC_MSS,
  METRIC_PMTU,
  METRIC_ADVMSS,
  METRIC_RCV_MSS,
  METRIC_SND_WND,
  METRIC_RCV_WND,
  METRIC_RCV_SSTHRESH,
  METRIC_RCV_SPACE,
  METRIC_NOTSENT,
  METRIC_RECV_QUEUE,
  METRIC_SEND_QUEUE,
  METRIC_DELIVERY_RATE,
  METRIC_PACING_RATE,
  METRIC_THROUGHPUT,
  METRIC_BYTES_SENT,
  METRIC_BYTES_ACKED,
  METRIC_BYTES_RECEIVED,
  METRIC_BYTES_RETRANS,
  METRIC_SEGS_OUT,
  METRIC_SEGS_IN,
  METRIC_DATA_SEGS_OUT,
  METRIC_DATA_SEGS_IN,
  METRIC_RETRANS,
  METRIC_DELIVERED,
  METRIC_DELIVERED_CE,
  METRIC_DSACK_DUPS,
  METRIC_REORD_SEEN,
  METRIC_RCV_OOOPACK,
  METRIC_REHASH,
  METRIC_TOTAL_RTO,
  METRIC_RTO_RECOVERIES,
  METRIC_BUSY_TIME,
  METRIC_RWND_LIMITED,
  METRIC_SNDBUF_LIMITED,
  METRIC_RTO_TIME,
  METRIC_RETRANS_PERCENT,
  METRIC_SPURIOUS_PERCENT,
  METRIC_CE_PERCENT,
  METRIC_LIMITED,
  METRIC_CA_STATE,
  METRIC_STALLED,
  METRIC_ZERO_WINDOW,
  METRIC_APP_LIMITED,
  METRIC_UNREAD,
  METRIC_UNSENT,
  METRIC_OPTIONS,
  METRIC_CONGESTION,
  METRIC_RMEM,
  METRIC_RCVBUF,
  METRIC_WMEM,
  METRIC_SNDBUF,
  METRIC_FWD_ALLOC,
  METRIC_WMEM_QUEUED,
  METRIC_OPTMEM,
  METRIC_BACKLOG,
  METRIC_DROPS,
  METRIC_BBR_BANDWIDTH,
  METRIC_BBR_MIN_RTT,
  METRIC_DCTCP_ALPHA,
  METRIC_ACCEPT_QUEUE,
  METRIC_ACCEPT_LIMIT,
  METRIC_ACCEPT_PERCENT,
  METRIC_OUTLIERS,
  METRIC_COUNT,
};

enum metric_kind {
  METRIC_KIND_GAUGE,        /* one number per interval */
  METRIC_KIND_SOCKETS,      /* how many sockets a condition holds for */
  METRIC_KIND_SET,          /* how many sockets have each of several codes */
  METRIC_KIND_DISTRIBUTION, /* statistics over the sockets */
  METRIC_KIND_LIFE,         /* counts of connections: never falls */
  METRIC_KIND_COUNTER,      /* sum of what sockets added: never falls */
  METRIC_KIND_PERCENT,      /* of two counters' growth in the interval */
  METRIC_KIND_LIMITED,      /* shares of the sockets' time in the interval */
};

/* A distribution's value of one socket comes from one field as it stands, or
 * from several by one of these rules (value.c). */
enum metric_rule {
  METRIC_RULE_FIELD,
  METRIC_RULE_QUEUE_DELAY,    /* rtt - min_rtt */
  METRIC_RULE_THROUGHPUT,     /* snd_cwnd x snd_mss / rtt */
  METRIC_RULE_DELIVERY_RATE,  /* unless limited by the application */
  METRIC_RULE_RTTVAR,         /* only where there is an rtt */
  METRIC_RULE_RECV_QUEUE,     /* of the message's header */
  METRIC_RULE_SEND_QUEUE,     /* of the message's header */
  METRIC_RULE_BBR_BANDWIDTH,  /* its two halves */
  METRIC_RULE_DCTCP_ALPHA,    /* unless DCTCP fell back to Reno */
  METRIC_RULE_ACCEPT_PERCENT, /* of the listener's limit */
};

struct metric {
  const char *name;
  enum metric_kind kind;
  const char *type; /* of the stock types.db */
  const char *unit; /* of the dispatched value */
  const char *what; /* one line for people */

  enum metric_rule rule; /* distributions */
  enum field_id field;   /* distributions, counters; percent: the part */
  enum field_id whole;   /* percent: of what */
  double scale;          /* distributions, counters: dispatched = raw x scale */
  bool active_only;      /* distributions: only sockets with a recent ACK */
  bool listeners;        /* distributions: over listening sockets instead */
};

extern const struct metric metric_table[METRIC_COUNT];

/* The metric's id, or -1. */
int metric_find(const char *name);

/* What the kernel has to be asked for, beside the connections themselves. */
enum metric_ask {
  ASK_INFO = 1,
  ASK_SKMEM = 2,
  ASK_ALGORITHM_INFO = 4, /* BBR's and DCTCP's own */
  ASK_CONGESTION = 8,     /* the algorithm's name */
  ASK_LISTENERS = 16,
  ASK_ALL_STATES = 32,
};

/* A set of enum metric_ask. */
unsigned metric_asks(enum metric_id id);

enum statistic_kind {
  STATISTIC_MIN,
  STATISTIC_MAX,
  STATISTIC_AVG,
  STATISTIC_SUM,
  STATISTIC_PERCENTILE,
  STATISTIC_HISTOGRAM, /* by the option of that name only */
};

/* The upper edges of a distribution's buckets, ascending, in the raw unit (that
 * of the field); the last bucket has none. Fixed: sums over hosts must fit. */
struct histogram {
  const uint64_t *edge;
  size_t count;
};
struct histogram metric_histogram(enum metric_id id);

struct statistic {
  enum statistic_kind kind;
  uint16_t permille; /* of a percentile: 10 (p1) to 999 (p99.9) */
};

enum { STATISTIC_TEXT_MAX = 10 }; /* "histogram" with the final NUL */

/* "min" "max" "avg" "sum", "p50", "p99.9": from p1 to p99.9, with at most one
 * decimal. False: none of these; `out` is then left as it was. */
bool statistic_parse(const char *text, struct statistic *out);

/* The same text again ("p50.0" becomes "p50"). Returns `text`, which has room
 * for STATISTIC_TEXT_MAX characters. */
char *statistic_format(struct statistic s, char *text);

/* A metric that a group reports, with the statistics of a distribution. */
struct metric_choice {
  enum metric_id id;
  size_t statistic_count;
  struct statistic *statistic;
};

struct metric_list {
  size_t count;
  struct metric_choice *choice; /* each metric once */
};

/* Adds the metric unless it is there; then the statistic, where not NULL,
 * unless the metric has it. -1: out of memory. */
int metric_list_add(struct metric_list *list, enum metric_id id,
                    const struct statistic *statistic);

/* Gives each distribution that has no statistic p50, p95 and max. */
int metric_list_complete(struct metric_list *list);

/* What a group without `Metric` reports. -1: out of memory, as below. */
int metric_list_default(struct metric_list *list);
int metric_list_copy(struct metric_list *to, const struct metric_list *from);

/* Empties the list. */
void metric_list_clear(struct metric_list *list);

#endif
