#include "metric/socket_value.h"

/* Timers that may run (linux: net/ipv4/inet_diag.c, inet_sk_diag_fill()). */
enum { TIMER_RETRANSMIT = 1, TIMER_KEEPALIVE = 2, TIMER_PROBE = 4 };

/* --- The round-trip time -------------------------------------------------- */

/* The smoothed time forgets a sample by an eighth with each further one (linux:
 * net/ipv4/tcp_input.c, tcp_rtt_estimator()): after 100 of them, 10 s have
 * become 16 us. */
enum { SAMPLES_TO_FORGET = 100 };

/* True as long as the smoothed time is that of a request that waited for its
 * client's data: the time to think is the first sample (linux:
 * net/ipv4/tcp_input.c, tcp_synack_rtt_meas()). Each segment that is delivered
 * gives about one sample. */
static bool is_deferred(const struct sample *s) {
  uint64_t timeouts, retrans, ms, delivered;
  return sample_get(s, FIELD_TOTAL_RTO, &timeouts) && timeouts > 0 &&
         sample_get(s, FIELD_TOTAL_RETRANS, &retrans) &&
         sample_get(s, FIELD_TOTAL_RTO_TIME, &ms) &&
         tcp_info_inherited_timeouts(timeouts, retrans, ms) > 0 &&
         sample_get(s, FIELD_DELIVERED, &delivered) &&
         delivered < SAMPLES_TO_FORGET;
}

/* All values of the path are made from such samples. With SYN cookies, and
 * before the handshake, there is none. */
bool socket_value_rtt(const struct sample *s, uint64_t *out) {
  return sample_get(s, FIELD_RTT, out) && !is_deferred(s);
}

static bool of_path(const struct sample *s, enum field_id id, uint64_t *out) {
  uint64_t rtt;
  return socket_value_rtt(s, &rtt) && sample_get(s, id, out);
}

bool socket_value_rttvar(const struct sample *s, uint64_t *out) {
  return of_path(s, FIELD_RTTVAR, out);
}

bool socket_value_min_rtt(const struct sample *s, uint64_t *out) {
  return of_path(s, FIELD_MIN_RTT, out);
}

bool socket_value_rto(const struct sample *s, uint64_t *out) {
  return of_path(s, FIELD_RTO, out);
}

bool socket_value_pacing_rate(const struct sample *s, uint64_t *out) {
  return of_path(s, FIELD_PACING_RATE, out);
}

bool socket_value_queue_delay(const struct sample *s, uint64_t *out) {
  uint64_t rtt, min_rtt;
  if (!socket_value_rtt(s, &rtt) || !sample_get(s, FIELD_MIN_RTT, &min_rtt))
    return false;
  *out = rtt > min_rtt ? rtt - min_rtt : 0;
  return true;
}

/* --- Other distributions -------------------------------------------------- */

bool socket_value_throughput(const struct sample *s, uint64_t *out) {
  uint64_t cwnd, mss, rtt;
  if (!sample_get(s, FIELD_SND_CWND, &cwnd) ||
      !sample_get(s, FIELD_SND_MSS, &mss) || !socket_value_rtt(s, &rtt))
    return false;
  double rate = (double)cwnd * (double)mss * 1e6 / (double)rtt;
  *out = rate < 0x1p62 ? (uint64_t)rate : (uint64_t)1 << 62;
  return true;
}

bool socket_value_delivery_rate(const struct sample *s, uint64_t *out) {
  uint64_t app_limited;
  if (sample_get(s, FIELD_APP_LIMITED, &app_limited) && app_limited != 0)
    return false;
  return sample_get(s, FIELD_DELIVERY_RATE, out);
}

bool socket_value_recv_queue(const struct sample *s, uint64_t *out) {
  *out = s->recv_queue;
  return true;
}

bool socket_value_send_queue(const struct sample *s, uint64_t *out) {
  *out = s->send_queue;
  return true;
}

/* The queue may hold one connection more than the limit (linux:
 * include/net/sock.h, sk_acceptq_is_full()). */
bool socket_value_accept_percent(const struct sample *s, uint64_t *out) {
  uint64_t limit = s->send_queue > 0 ? s->send_queue : 1;
  uint64_t part = (uint64_t)s->recv_queue * 10000 / limit;
  *out = part < 10000 ? part : 10000;
  return true;
}

/* BBR's bandwidth is 0 until its first sample. */
bool socket_value_bbr_bandwidth(const struct sample *s, uint64_t *out) {
  uint64_t low, high;
  if (!sample_get(s, FIELD_BBR_BW_LO, &low) ||
      !sample_get(s, FIELD_BBR_BW_HI, &high))
    return false;
  *out = high << 32 | low;
  return *out != 0;
}

/* The kernel's alpha is at most 1024 (linux: net/ipv4/tcp_dctcp.c,
 * DCTCP_MAX_ALPHA), but a recording may hold anything. */
bool socket_value_dctcp_alpha(const struct sample *s, uint64_t *out) {
  uint64_t enabled, alpha;
  if (!sample_get(s, FIELD_DCTCP_ENABLED, &enabled) || enabled == 0 ||
      !sample_get(s, FIELD_DCTCP_ALPHA, &alpha))
    return false;
  *out = alpha < 1024 ? alpha : 1024;
  return true;
}

/* --- Conditions ----------------------------------------------------------- */

static bool is_nonzero(const struct sample *s, enum field_id id) {
  uint64_t value;
  return sample_get(s, id, &value) && value != 0;
}

/* The states after close(): a socket in one of them that no process holds is an
 * orphan. In other states such a socket waits for accept(), is a subflow of
 * MPTCP, or belongs to the kernel. */
static bool is_closed_by_program(const struct sample *s) {
  return (1u << s->state &
          (1u << TCP_STATE_FIN_WAIT1 | 1u << TCP_STATE_FIN_WAIT2 |
           1u << TCP_STATE_CLOSING | 1u << TCP_STATE_LAST_ACK)) != 0;
}

/* The peer has sent its FIN, and nothing but this end's FIN is not ACKed. */
static bool is_only_fin(const struct sample *s) {
  return (s->state == TCP_STATE_CLOSING || s->state == TCP_STATE_LAST_ACK) &&
         s->send_queue <= 1;
}

/* Probes that may be without an answer because it is on its way. */
enum { PROBES_IN_FLIGHT = 1 };

/* tcpi_probes counts the probes of a closed window, and of keepalive, since the
 * last ACK (linux: icsk_probes_out). */
static bool has_unanswered_probes(const struct sample *s) {
  uint64_t probes;
  return (s->timer == TIMER_PROBE || s->timer == TIMER_KEEPALIVE) &&
         sample_get(s, FIELD_PROBES, &probes) && probes > PROBES_IN_FLIGHT;
}

/* A connection is stalled if somebody waits and the other end does not answer:
 *   1. An orphan is not: its program is gone.
 *   2. A connection whose FIN alone is not ACKed, after that of the peer, is
 *      not: all was said.
 *   3. It is if there was a timeout since the last ACK (tcpi_retransmits,
 * linux: icsk_retransmits) and the retransmission timer runs.
 *   4. It is if two probes or more have no answer: those of a closed window
 *      whose peer is gone, or of keepalive; and those that the kernel sends for
 *      data that the host itself cannot send, for want of a route or because of
 *      its own firewall (linux: net/ipv4/tcp_output.c, tcp_write_xmit() leaves
 *      nothing in flight, and tcp_check_probe_timer() starts the probe timer).
 */
bool socket_value_is_stalled(const struct sample *s) {
  if ((is_closed_by_program(s) && !s->held) || is_only_fin(s))
    return false;
  return (s->timer == TIMER_RETRANSMIT && is_nonzero(s, FIELD_RETRANSMITS)) ||
         has_unanswered_probes(s);
}

/* Kernels before 5.4 do not send the peer's window. */
static bool fits_window(const struct sample *s) {
  uint64_t window, unsent, mss;
  return sample_get(s, FIELD_SND_WND, &window) &&
         sample_get(s, FIELD_NOTSENT_BYTES, &unsent) &&
         sample_get(s, FIELD_SND_MSS, &mss) &&
         window >= (unsent < mss ? unsent : mss);
}

/* The probe timer also runs if TCP_CORK or MSG_MORE holds data back (linux:
 * include/net/tcp.h, tcp_check_probe_timer()). If nobody answers the probes, it
 * is not known whether the window is closed: the connection is stalled. */
bool socket_value_is_zero_window(const struct sample *s) {
  return s->timer == TIMER_PROBE && !fits_window(s) &&
         !has_unanswered_probes(s) && !(is_closed_by_program(s) && !s->held);
}

bool socket_value_is_close_wait(const struct sample *s) {
  return s->state == TCP_STATE_CLOSE_WAIT;
}

bool socket_value_is_app_limited(const struct sample *s) {
  return is_nonzero(s, FIELD_APP_LIMITED);
}

bool socket_value_is_unread(const struct sample *s) {
  return s->recv_queue > 0;
}

bool socket_value_is_unsent(const struct sample *s) {
  return is_nonzero(s, FIELD_NOTSENT_BYTES);
}

/* --- Sets ----------------------------------------------------------------- */

uint64_t socket_value_states(struct plan *plan, const struct sample *s) {
  (void)plan;
  return (uint64_t)1 << s->state;
}

const char *socket_value_state_name(const struct plan *plan, size_t code) {
  static const char *const name[TCP_STATE_COUNT] = {
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
  (void)plan;
  return name[code];
}

uint64_t socket_value_ca_states(struct plan *plan, const struct sample *s) {
  uint64_t state;
  (void)plan;
  if (!sample_get(s, FIELD_CA_STATE, &state) || state >= SOCKET_VALUE_CA_STATES)
    return 0;
  return (uint64_t)1 << state;
}

const char *socket_value_ca_state_name(const struct plan *plan, size_t code) {
  static const char *const name[SOCKET_VALUE_CA_STATES] = {
      "open", "disorder", "cwr", "recovery", "loss"};
  (void)plan;
  return name[code];
}

uint64_t socket_value_options(struct plan *plan, const struct sample *s) {
  uint64_t bits;
  (void)plan;
  if (!sample_get(s, FIELD_OPTIONS, &bits))
    return 0;
  return bits & (((uint64_t)1 << SOCKET_VALUE_OPTION_BITS) - 1);
}

const char *socket_value_option_name(const struct plan *plan, size_t code) {
  static const char *const name[SOCKET_VALUE_OPTION_BITS] = {
      "timestamps", "sack", "wscale", "ecn", NULL /* ecn_seen */, "fastopen"};
  (void)plan;
  return name[code];
}
