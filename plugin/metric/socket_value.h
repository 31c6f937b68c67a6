/* Getters of the metric table that read one socket: values of distributions,
 * conditions, and codes of sets. The types of these functions, with their
 * contracts, are in metric.h. This file must not know how accumulators store
 * what the getters return. */
#ifndef TCPINFO_METRIC_SOCKET_VALUE_H
#define TCPINFO_METRIC_SOCKET_VALUE_H

#include "metric/metric.h"
#include "tcp/sample.h"

/* Stores the value of a distribution's row: its getter's, or its field's. */
static inline bool socket_value_get(const struct metric *m,
                                    const struct sample *s, uint64_t *out) {
  return m->value != NULL ? m->value(s, out) : sample_get(s, m->field, out);
}

/* --- Distributions -------------------------------------------------------- */

/* Values of the path: none before the first sample of the round-trip time, and
 * none while the first sample was no round trip (TCP_DEFER_ACCEPT) and is not
 * forgotten yet. Microseconds; pacing_rate: bytes per second. */
metric_value_fn socket_value_rtt, socket_value_rttvar, socket_value_min_rtt,
    socket_value_rto, socket_value_pacing_rate;

/* Microseconds: rtt - min_rtt, 0 if smoothing puts rtt below min_rtt. */
metric_value_fn socket_value_queue_delay;

/* Bytes per second: snd_cwnd x snd_mss / rtt, at most 2^62. */
metric_value_fn socket_value_throughput;

/* Bytes per second; none if the application limited the rate. */
metric_value_fn socket_value_delivery_rate;

/* Bytes of the message's header; of a listening socket the connections that
 * wait for accept(), and their limit (linux: net/ipv4/tcp_diag.c,
 * tcp_diag_get_info()). */
metric_value_fn socket_value_recv_queue, socket_value_send_queue;

/* Hundredths of a percent of a listening socket's limit, at most 10000. */
metric_value_fn socket_value_accept_percent;

/* Bytes per second; none before BBR's first sample. */
metric_value_fn socket_value_bbr_bandwidth;

/* Part of 1024; none if DCTCP fell back to Reno. */
metric_value_fn socket_value_dctcp_alpha;

/* --- Conditions ----------------------------------------------------------- */

metric_condition_fn socket_value_is_stalled;     /* waits, without an answer */
metric_condition_fn socket_value_is_zero_window; /* probes a closed window, and
                                                    the peer answers */
metric_condition_fn socket_value_is_close_wait;  /* the peer has closed it */
metric_condition_fn socket_value_is_app_limited;
metric_condition_fn socket_value_is_unread; /* has data for the application */
metric_condition_fn socket_value_is_unsent; /* has data not sent yet */

/* --- Sets ----------------------------------------------------------------- */

/* Codes are enum tcp_state, named as collectd's tcpconns plugin names them. */
metric_codes_fn socket_value_states;
metric_code_name_fn socket_value_state_name;

/* Codes are states of congestion control (linux: include/uapi/linux/tcp.h, enum
 * tcp_ca_state); a state unknown to this plugin has no code. */
enum { SOCKET_VALUE_CA_STATES = 5 };
metric_codes_fn socket_value_ca_states;
metric_code_name_fn socket_value_ca_state_name;

/* Codes are the bits of tcpi_options (linux: include/uapi/linux/tcp.h,
 * TCPI_OPT_*). */
enum { SOCKET_VALUE_OPTION_BITS = 6 };
metric_codes_fn socket_value_options;
metric_code_name_fn socket_value_option_name;

#endif
