/* The rows of the metric table, in the order in which the default metrics are
 * dispatched. To add a metric, add a row here (and an item to the manual page
 * and to conf/tcpinfo.conf).
 *
 * METRIC(ID, columns): metric.h makes the enumerator METRIC_ID of it, and
 * metric_table.c the row. The macros for the columns, one or more for each
 * kind of metric, stand in metric_table.c with the meaning of their arguments:
 * a row without its getter does not compile. Included twice on purpose. */
#ifndef METRIC
#error "metric_rows.h is included by metric.h and metric_table.c only"
#endif

/* clang-format off */

/* --- Connections ---------------------------------------------------------- */

METRIC(CONNECTIONS,
       GAUGE("connections", "sockets", 0, NO_FIELD, accumulator_get_connections,
             "sockets matched"),
       .is_default = true)
METRIC(STATES,
       SET("states", "tcp_connections", ASK_ALL_STATES, NO_FIELD,
           socket_value_states, TCP_STATE_COUNT, socket_value_state_name,
           "sockets per TCP state"),
       .code_name_alone = true) /* as collectd's tcpconns plugin has it */
METRIC(ACTIVE,
       GAUGE("active", "sockets", ASK_INFO, FIELD_LAST_ACK_RECV,
             accumulator_get_active,
             "sockets that received an ACK since the last read"),
       .is_default = true)
METRIC(OPENED,
       LIFE("opened", accumulator_get_opened, "connections first seen"),
       .is_default = true)
METRIC(CLOSED,
       LIFE("closed", accumulator_get_closed, "connections gone"),
       .is_default = true)
METRIC(FAILED,
       LIFE("failed", accumulator_get_failed,
            "connections that were never established"))

/* --- Times ---------------------------------------------------------------- */

METRIC(RTT,
       LATENCY_BY("rtt", FIELD_RTT, socket_value_rtt,
                  "smoothed round-trip time"),
       .is_default = true)
METRIC(RTTVAR,
       LATENCY_BY("rttvar", FIELD_RTTVAR, socket_value_rttvar,
                  "smoothed mean deviation of the round-trip time"))
METRIC(MIN_RTT,
       LATENCY_BY("min_rtt", FIELD_MIN_RTT, socket_value_min_rtt,
                  "lowest round-trip time of the last minutes"))
METRIC(RTO,
       LATENCY_BY("rto", FIELD_RTT, socket_value_rto,
                  "retransmission timeout"))
METRIC(ATO,
       LATENCY("ato", FIELD_ATO, "delayed-ACK timeout"))
METRIC(RCV_RTT,
       LATENCY("rcv_rtt", FIELD_RCV_RTT,
               "round-trip time as the receiver sees it"))
METRIC(QUEUE_DELAY,
       LATENCY_BY("queue_delay", FIELD_MIN_RTT, socket_value_queue_delay,
                  "rtt - min_rtt: what queues add"),
       .is_default = true, .default_statistic = &p95)

/* --- Segments ------------------------------------------------------------- */

METRIC(CWND,
       SEGMENTS("cwnd", FIELD_SND_CWND, "congestion window"),
       .is_default = true, .default_statistic = &p50)
METRIC(SSTHRESH,
       SEGMENTS("ssthresh", FIELD_SND_SSTHRESH,
                "slow-start threshold, if finite"))
METRIC(UNACKED,
       SEGMENTS("unacked", FIELD_UNACKED, "sent, not yet ACKed"))
METRIC(SACKED,
       SEGMENTS("sacked", FIELD_SACKED, "selectively ACKed"))
METRIC(LOST,
       SEGMENTS("lost", FIELD_LOST, "currently considered lost"))
METRIC(RETRANS_OUT,
       SEGMENTS("retrans_out", FIELD_RETRANS, "retransmitted, not yet ACKed"))
METRIC(REORDERING,
       SEGMENTS("reordering", FIELD_REORDERING,
                "reordering that is allowed for"))

/* --- Bytes ---------------------------------------------------------------- */

METRIC(MSS,
       BYTES("mss", FIELD_SND_MSS, "maximum segment size when sending"))
METRIC(PMTU,
       BYTES("pmtu", FIELD_PMTU, "path MTU"))
METRIC(ADVMSS,
       BYTES("advmss", FIELD_ADVMSS, "advertised MSS"))
METRIC(RCV_MSS,
       BYTES("rcv_mss", FIELD_RCV_MSS, "estimate of the peer's MSS"))
METRIC(SND_WND,
       BYTES("snd_wnd", FIELD_SND_WND, "window that the peer advertises"))
METRIC(RCV_WND,
       BYTES("rcv_wnd", FIELD_RCV_WND, "window that this host advertises"))
METRIC(RCV_SSTHRESH,
       BYTES("rcv_ssthresh", FIELD_RCV_SSTHRESH,
             "limit of the advertised window"))
METRIC(RCV_SPACE,
       BYTES("rcv_space", FIELD_RCV_SPACE,
             "receive space of buffer autotuning"))
METRIC(NOTSENT,
       BYTES("notsent", FIELD_NOTSENT_BYTES,
             "written, not yet sent for the first time"))
METRIC(RECV_QUEUE,
       BYTES_BY("recv_queue", ANY_INFO, socket_value_recv_queue,
                "received, not yet read by the application"))
METRIC(SEND_QUEUE,
       BYTES_BY("send_queue", ANY_INFO, socket_value_send_queue,
                "written, not yet ACKed by the peer"))

METRIC(DELIVERY_RATE,
       RATE("delivery_rate", ASK_INFO, FIELD_DELIVERY_RATE,
            socket_value_delivery_rate,
            "measured rate of delivery, without app-limited sockets"))
METRIC(PACING_RATE,
       RATE("pacing_rate", ASK_INFO, FIELD_PACING_RATE,
            socket_value_pacing_rate, "rate that pacing allows"))
METRIC(THROUGHPUT,
       RATE("throughput", ASK_INFO, FIELD_SND_CWND, socket_value_throughput,
            "cwnd x mss / rtt: what the window allows"))

/* --- Counters ------------------------------------------------------------- */

METRIC(BYTES_SENT,
       TOTAL_BYTES("bytes_sent", FIELD_BYTES_SENT,
                   "data handed to the own queue, with retransmissions"),
       .is_default = true)
METRIC(BYTES_ACKED,
       TOTAL_BYTES("bytes_acked", FIELD_BYTES_ACKED, "sequence space ACKed"))
METRIC(BYTES_RECEIVED,
       TOTAL_BYTES("bytes_received", FIELD_BYTES_RECEIVED,
                   "data received in order"),
       .is_default = true)
METRIC(BYTES_RETRANS,
       TOTAL_BYTES("bytes_retrans", FIELD_BYTES_RETRANS, "data retransmitted"))
METRIC(SEGS_OUT,
       PACKETS("segs_out", ASK_INFO, FIELD_SEGS_OUT, "segments sent"))
METRIC(SEGS_IN,
       PACKETS("segs_in", ASK_INFO, FIELD_SEGS_IN, "segments received"))
METRIC(DATA_SEGS_OUT,
       PACKETS("data_segs_out", ASK_INFO, FIELD_DATA_SEGS_OUT,
               "segments with data sent"))
METRIC(DATA_SEGS_IN,
       PACKETS("data_segs_in", ASK_INFO, FIELD_DATA_SEGS_IN,
               "segments with data received"))
METRIC(RETRANS,
       PACKETS("retrans", ASK_INFO, FIELD_TOTAL_RETRANS,
               "segments retransmitted"),
       .is_default = true)
METRIC(DELIVERED,
       PACKETS("delivered", ASK_INFO, FIELD_DELIVERED,
               "segments delivered to the peer"))
METRIC(DELIVERED_CE,
       PACKETS("delivered_ce", ASK_INFO, FIELD_DELIVERED_CE,
               "delivered segments whose ACK tells of an ECN mark"))
METRIC(DSACK_DUPS,
       PACKETS("dsack_dups", ASK_INFO, FIELD_DSACK_DUPS,
               "segments that the peer received twice (DSACK)"))
METRIC(REORD_SEEN,
       PACKETS("reord_seen", ASK_INFO, FIELD_REORD_SEEN,
               "reordering events seen"))
METRIC(RCV_OOOPACK,
       PACKETS("rcv_ooopack", ASK_INFO, FIELD_RCV_OOOPACK,
               "segments received out of order"))
METRIC(REHASH,
       EVENTS("rehash", FIELD_REHASH,
              "changes of path by a new transmit hash"))
METRIC(TOTAL_RTO,
       EVENTS("total_rto", FIELD_TOTAL_RTO, "retransmission timeouts"))
METRIC(RTO_RECOVERIES,
       EVENTS("rto_recoveries", FIELD_TOTAL_RTO_RECOVERIES,
              "recoveries after timeouts"))
METRIC(BUSY_TIME,
       TIME("busy_time", FIELD_BUSY_TIME, US, "time with data to send"))
METRIC(RWND_LIMITED,
       TIME("rwnd_limited", FIELD_RWND_LIMITED, US,
            "time limited by the peer's window"))
METRIC(SNDBUF_LIMITED,
       TIME("sndbuf_limited", FIELD_SNDBUF_LIMITED, US,
            "time limited by the own send buffer"))
METRIC(RTO_TIME,
       TIME("rto_time", FIELD_TOTAL_RTO_TIME, MS, "time spent in timeouts"))

/* --- Percentages of the interval ------------------------------------------ */

METRIC(RETRANS_PERCENT,
       PERCENT("retrans_percent", FIELD_DATA_RETRANS, FIELD_DATA_SEGS_OUT,
               "retransmitted data segments / data segments sent"),
       .is_default = true)
METRIC(SPURIOUS_PERCENT,
       PERCENT("spurious_percent", FIELD_DSACK_DUPS, FIELD_TOTAL_RETRANS,
               "retransmissions that were not needed"))
METRIC(CE_PERCENT,
       PERCENT("ce_percent", FIELD_DELIVERED_CE, FIELD_DELIVERED,
               "ECN-marked / delivered; at most, with classic ECN"))
METRIC(LIMITED,
       SHARES("limited", FIELD_SNDBUF_LIMITED, accumulator_get_limits,
              accumulator_limit_name,
              "share of the sockets' time limited by network, receiver, "
              "sender, or idle"),
       .is_default = true)

/* --- Conditions and codes ------------------------------------------------- */

METRIC(CA_STATE,
       SET("ca_state", "count", ASK_INFO, FIELD_CA_STATE,
           socket_value_ca_states, SOCKET_VALUE_CA_STATES,
           socket_value_ca_state_name,
           "sockets per state of congestion control"))
METRIC(STALLED,
       SOCKETS("stalled", ASK_INFO, FIELD_RETRANSMITS, socket_value_is_stalled,
               "sockets that wait for an answer of the peer"),
       .is_default = true)
METRIC(ZERO_WINDOW,
       SOCKETS("zero_window", ASK_INFO, FIELD_PROBES,
               socket_value_is_zero_window,
               "sockets that probe a closed window"))
METRIC(CLOSE_WAIT,
       SOCKETS("close_wait", 0, NO_FIELD, socket_value_is_close_wait,
               "sockets that the peer has closed and the program has not"),
       .is_default = true)
METRIC(APP_LIMITED,
       SOCKETS("app_limited", ASK_INFO, FIELD_DELIVERY_RATE,
               socket_value_is_app_limited,
               "sockets whose delivery rate the application limited"))
METRIC(UNREAD,
       SOCKETS("unread", 0, NO_FIELD, socket_value_is_unread,
               "sockets with unread data"))
METRIC(UNSENT,
       SOCKETS("unsent", ASK_INFO, FIELD_NOTSENT_BYTES, socket_value_is_unsent,
               "sockets with data not sent yet"))
METRIC(OPTIONS,
       SET("options", "count", ASK_INFO, FIELD_OPTIONS, socket_value_options,
           SOCKET_VALUE_OPTION_BITS, socket_value_option_name,
           "sockets per TCP option in use"))
METRIC(CONGESTION,
       SET("congestion", "count", ASK_CONGESTION, NO_FIELD,
           plan_algorithm_codes, PLAN_ALGORITHMS_MAX, plan_algorithm_name,
           "sockets per congestion control algorithm"))

/* --- Memory --------------------------------------------------------------- */

METRIC(RMEM,
       MEMORY("rmem", FIELD_RMEM_ALLOC, "memory of data received, not yet read"))
METRIC(RCVBUF,
       MEMORY("rcvbuf", FIELD_RCVBUF, "receive buffer's limit"))
METRIC(WMEM,
       MEMORY("wmem", FIELD_WMEM_ALLOC, "memory of data handed to the device"))
METRIC(SNDBUF,
       MEMORY("sndbuf", FIELD_SNDBUF, "send buffer's limit"))
METRIC(FWD_ALLOC,
       MEMORY("fwd_alloc", FIELD_FWD_ALLOC, "memory reserved, not in use yet"))
METRIC(WMEM_QUEUED,
       MEMORY("wmem_queued", FIELD_WMEM_QUEUED,
              "memory of data written, not yet ACKed"))
METRIC(OPTMEM,
       MEMORY("optmem", FIELD_OPTMEM, "memory of socket options"))
METRIC(BACKLOG,
       MEMORY("backlog", FIELD_BACKLOG, "memory of packets not yet processed"))
METRIC(DROPS,
       PACKETS("drops", ASK_INFO | ASK_SKMEM, FIELD_DROPS,
               "packets that the socket had to drop"))

/* --- Congestion control algorithms' own values ---------------------------- */

METRIC(BBR_BANDWIDTH,
       RATE("bbr_bandwidth", ASK_INFO | ASK_ALGORITHM_INFO, FIELD_BBR_BW_HI,
            socket_value_bbr_bandwidth, "BBR's estimate of the bottleneck"))
METRIC(BBR_MIN_RTT,
       DISTRIBUTION("bbr_min_rtt", "latency", "s",
                    ASK_INFO | ASK_ALGORITHM_INFO, FIELD_BBR_MIN_RTT, AS_SENT,
                    SECONDS, METRIC_OF_ACTIVE, times,
                    "BBR's estimate of the empty path"))
METRIC(DCTCP_ALPHA,
       DISTRIBUTION("dctcp_alpha", "percent", "%",
                    ASK_INFO | ASK_ALGORITHM_INFO, FIELD_DCTCP_ALPHA,
                    socket_value_dctcp_alpha, 100.0 / 1024,
                    METRIC_OF_CONNECTIONS, eighths,
                    "DCTCP's estimate of the marked share"))

/* --- Listening sockets ---------------------------------------------------- */

METRIC(ACCEPT_QUEUE,
       LISTENER("accept_queue", "queue_length", "connections",
                socket_value_recv_queue, 1, counts,
                "connections that wait for accept()"))
METRIC(ACCEPT_LIMIT,
       LISTENER("accept_limit", "queue_length", "connections",
                socket_value_send_queue, 1, counts,
                "most that may wait: listen()'s backlog"))
METRIC(ACCEPT_PERCENT,
       LISTENER("accept_percent", "percent", "%", socket_value_accept_percent,
                0.01, tenths, "accept_queue / accept_limit"))

/* --- Members -------------------------------------------------------------- */

METRIC(OUTLIERS,
       GAUGE("outliers", "members", ASK_INFO, NO_FIELD,
             accumulator_get_outliers,
             "members far worse than the group's median"))

/* clang-format on */
