#include "metric/socket_value.h"

/* Which timer runs (linux: net/ipv4/inet_diag.c, inet_sk_diag_fill()). */
enum { TIMER_RETRANSMIT = 1, TIMER_PROBE = 4 };

const char *const socket_value_option_name[SOCKET_VALUE_OPTION_BITS] = {
    "timestamps", "sack", "wscale", "ecn", NULL /* ecn_seen */, "fastopen"};

const char *const socket_value_ca_state_name[SOCKET_VALUE_CA_STATES] = {
    "open", "disorder", "cwr", "recovery", "loss"};

const char *const socket_value_state_name[TCP_STATE_COUNT] = {
    [TCP_STATE_ESTABLISHED] = "ESTABLISHED",
    [TCP_STATE_SYN_SENT] = "SYN_SENT",
    [TCP_STATE_SYN_RECV] = "SYN_RECV",
    [TCP_STATE_FIN_WAIT1] = "FIN_WAIT1",
    [TCP_STATE_FIN_WAIT2] = "FIN_WAIT2",
    [TCP_STATE_TIME_WAIT] = "TIME_WAIT",
    [TCP_STATE_CLOSE_WAIT] = "CLOSE_WAIT",
    [TCP_STATE_LAST_ACK] = "LAST_ACK",
    [TCP_STATE_LISTEN] = "LISTEN",
    [TCP_STATE_CLOSING] = "CLOSING",
};

static bool queue_delay(const struct sample *s, uint64_t *out) {
  uint64_t rtt, least;
  if (!sample_get(s, FIELD_RTT, &rtt) || !sample_get(s, FIELD_MIN_RTT, &least))
    return false;
  *out = rtt > least ? rtt - least : 0; /* smoothing may fall below it */
  return true;
}

static bool throughput(const struct sample *s, uint64_t *out) {
  uint64_t cwnd, mss, rtt;
  if (!sample_get(s, FIELD_SND_CWND, &cwnd) ||
      !sample_get(s, FIELD_SND_MSS, &mss) || !sample_get(s, FIELD_RTT, &rtt))
    return false;
  double rate = (double)cwnd * (double)mss * 1e6 / (double)rtt;
  *out = rate < 0x1p62 ? (uint64_t)rate : (uint64_t)1 << 62;
  return true;
}

static bool bbr_bandwidth(const struct sample *s, uint64_t *out) {
  uint64_t low, high;
  if (!sample_get(s, FIELD_BBR_BW_LO, &low) ||
      !sample_get(s, FIELD_BBR_BW_HI, &high))
    return false;
  *out = high << 32 | low;
  return *out != 0; /* no sample yet */
}

/* In hundredths of a percent. The queue may hold one more than the limit
 * (linux: sk_acceptq_is_full()). */
static bool accept_percent(const struct sample *s, uint64_t *out) {
  uint64_t limit = s->send_queue > 0 ? s->send_queue : 1;
  uint64_t part = (uint64_t)s->recv_queue * 10000 / limit;
  *out = part < 10000 ? part : 10000;
  return true;
}

/* A part of 1024 (linux: DCTCP_MAX_ALPHA); a recording may hold anything. */
static bool dctcp_alpha(const struct sample *s, uint64_t *out) {
  uint64_t enabled, alpha;
  if (!sample_get(s, FIELD_DCTCP_ENABLED, &enabled) || enabled == 0 ||
      !sample_get(s, FIELD_DCTCP_ALPHA, &alpha))
    return false;
  *out = alpha < 1024 ? alpha : 1024;
  return true;
}

bool socket_value_get(const struct metric *m, const struct sample *s,
                      uint64_t *out) {
  uint64_t other;
  switch (m->rule) {
  case METRIC_RULE_RECV_QUEUE:
    *out = s->recv_queue;
    return true;
  case METRIC_RULE_SEND_QUEUE:
    *out = s->send_queue;
    return true;
  case METRIC_RULE_ACCEPT_PERCENT:
    return accept_percent(s, out);
  case METRIC_RULE_QUEUE_DELAY:
    return queue_delay(s, out);
  case METRIC_RULE_THROUGHPUT:
    return throughput(s, out);
  case METRIC_RULE_BBR_BANDWIDTH:
    return bbr_bandwidth(s, out);
  case METRIC_RULE_DELIVERY_RATE:
    if (sample_get(s, FIELD_APP_LIMITED, &other) && other != 0)
      return false;
    break;
  case METRIC_RULE_RTTVAR:
    if (!sample_get(s, FIELD_RTT, &other))
      return false;
    break;
  case METRIC_RULE_DCTCP_ALPHA:
    return dctcp_alpha(s, out);
  case METRIC_RULE_FIELD:
    break;
  }
  return sample_get(s, m->field, out);
}

static bool is_set(const struct sample *s, enum field_id id) {
  uint64_t value;
  return sample_get(s, id, &value) && value != 0;
}

/* The probe timer also runs where TCP_CORK or MSG_MORE holds data back (linux:
 * tcp_check_probe_timer()). Before 5.4 the window is not told. */
static bool fits_window(const struct sample *s) {
  uint64_t window, unsent, mss;
  return sample_get(s, FIELD_SND_WND, &window) &&
         sample_get(s, FIELD_NOTSENT_BYTES, &unsent) &&
         sample_get(s, FIELD_SND_MSS, &mss) &&
         window >= (unsent < mss ? unsent : mss);
}

bool socket_value_holds(enum metric_id id, const struct sample *s) {
  switch (id) {
  case METRIC_STALLED: /* icsk_retransmits: timeouts since the last ACK */
    return s->timer == TIMER_RETRANSMIT && is_set(s, FIELD_RETRANSMITS);
  case METRIC_ZERO_WINDOW:
    return s->timer == TIMER_PROBE && !fits_window(s);
  case METRIC_APP_LIMITED:
    return is_set(s, FIELD_APP_LIMITED);
  case METRIC_UNREAD:
    return s->recv_queue > 0;
  case METRIC_UNSENT:
    return is_set(s, FIELD_NOTSENT_BYTES);
  default:
    return false;
  }
}
