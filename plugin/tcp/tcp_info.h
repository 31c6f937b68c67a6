/* The table of the numbers that the kernel sends about a socket: the fields of
 * struct tcp_info up to Linux 6.18, and of the smaller structs beside it.
 *
 * Names begin with FIELD_ and field_, not with tcp_info_, because the table
 * also holds fields of those other structs (INET_DIAG_SKMEMINFO, _BBRINFO,
 * _DCTCPINFO), and metrics are computed from them alike.
 *
 * The offsets stand here, because a distribution's header is usually older than
 * its kernel. A message holds a field if offset + width <= the length of the
 * netlink attribute (linux: include/uapi/linux/tcp.h; fields are only ever
 * added at the end). */
#ifndef TCPINFO_TCP_TCP_INFO_H
#define TCPINFO_TCP_TCP_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum field_id {
  FIELD_CA_STATE,
  FIELD_RETRANSMITS,
  FIELD_PROBES,
  FIELD_BACKOFF,
  FIELD_OPTIONS,
  FIELD_SND_WSCALE,
  FIELD_RCV_WSCALE,
  FIELD_APP_LIMITED,
  FIELD_FASTOPEN_CLIENT_FAIL,
  FIELD_RTO,
  FIELD_ATO,
  FIELD_SND_MSS,
  FIELD_RCV_MSS,
  FIELD_UNACKED,
  FIELD_SACKED,
  FIELD_LOST,
  FIELD_RETRANS,
  FIELD_FACKETS,
  FIELD_LAST_DATA_SENT,
  FIELD_LAST_DATA_RECV,
  FIELD_LAST_ACK_RECV,
  FIELD_PMTU,
  FIELD_RCV_SSTHRESH,
  FIELD_RTT,
  FIELD_RTTVAR,
  FIELD_SND_SSTHRESH,
  FIELD_SND_CWND,
  FIELD_ADVMSS,
  FIELD_REORDERING,
  FIELD_RCV_RTT,
  FIELD_RCV_SPACE,
  FIELD_TOTAL_RETRANS,
  FIELD_PACING_RATE,
  FIELD_MAX_PACING_RATE,
  FIELD_BYTES_ACKED,
  FIELD_BYTES_RECEIVED,
  FIELD_SEGS_OUT,
  FIELD_SEGS_IN,
  FIELD_NOTSENT_BYTES,
  FIELD_MIN_RTT,
  FIELD_DATA_SEGS_IN,
  FIELD_DATA_SEGS_OUT,
  FIELD_DELIVERY_RATE,
  FIELD_BUSY_TIME,
  FIELD_RWND_LIMITED,
  FIELD_SNDBUF_LIMITED,
  FIELD_DELIVERED,
  FIELD_DELIVERED_CE,
  FIELD_BYTES_SENT,
  FIELD_BYTES_RETRANS,
  FIELD_DSACK_DUPS,
  FIELD_REORD_SEEN,
  FIELD_RCV_OOOPACK,
  FIELD_SND_WND,
  FIELD_RCV_WND,
  FIELD_REHASH,
  FIELD_TOTAL_RTO,
  FIELD_TOTAL_RTO_RECOVERIES,
  FIELD_TOTAL_RTO_TIME,
  FIELD_RECEIVED_CE,
  FIELD_DELIVERED_E1_BYTES,
  FIELD_DELIVERED_E0_BYTES,
  FIELD_DELIVERED_CE_BYTES,
  FIELD_RECEIVED_E1_BYTES,
  FIELD_RECEIVED_E0_BYTES,
  FIELD_RECEIVED_CE_BYTES,
  FIELD_RMEM_ALLOC,
  FIELD_RCVBUF,
  FIELD_WMEM_ALLOC,
  FIELD_SNDBUF,
  FIELD_FWD_ALLOC,
  FIELD_WMEM_QUEUED,
  FIELD_OPTMEM,
  FIELD_BACKLOG,
  FIELD_DROPS,
  FIELD_BBR_BW_LO,
  FIELD_BBR_BW_HI,
  FIELD_BBR_MIN_RTT,
  FIELD_DCTCP_ENABLED,
  FIELD_DCTCP_ALPHA,
  FIELD_DATA_RETRANS, /* derived: see struct field */
  FIELD_COUNT,
};

/* The netlink attribute that holds a field. */
enum field_block {
  BLOCK_INFO,  /* INET_DIAG_INFO, struct tcp_info */
  BLOCK_SKMEM, /* INET_DIAG_SKMEMINFO, __u32[SK_MEMINFO_VARS] */
  BLOCK_BBR,   /* INET_DIAG_BBRINFO, struct tcp_bbr_info */
  BLOCK_DCTCP, /* INET_DIAG_DCTCPINFO, struct tcp_dctcp_info */
  BLOCK_COUNT,
};

/* Decides how values of one field may be combined. */
enum field_nature {
  FIELD_STATE,   /* a code or a set of bits: sockets are counted by it */
  FIELD_GAUGE,   /* the present value: distributions */
  FIELD_COUNTER, /* only grows while the socket lives: differences */
};

enum field_unit {
  UNIT_NONE,
  UNIT_US, /* microseconds */
  UNIT_MS, /* milliseconds */
  UNIT_SEGMENTS,
  UNIT_BYTES,
  UNIT_BYTES_PER_SECOND,
  UNIT_EVENTS,
};

/* For `unset`: every value of the field is a value. */
#define FIELD_ALWAYS UINT64_MAX

struct field {
  const char *name; /* as in struct tcp_info, without tcpi_ */
  uint8_t block;    /* enum field_block */
  uint16_t offset;  /* bytes from the start of the attribute's payload */
  uint8_t width;    /* bytes: 1, 2, 4 or 8 */
  uint8_t shift;    /* of a bit-field within its byte */
  uint8_t bits;     /* of a bit-field; 0: the whole width */
  enum field_nature nature;
  enum field_unit unit;
  bool lasting;   /* a counter that tcp_disconnect() does not clear (linux:
                     net/ipv4/tcp.c; chrono_stat and sk_txhash's count stay) */
  bool derived;   /* a counter that no message holds: its growth is part of that
                     of the field with the same offset (connection/track.c) */
  uint64_t unset; /* the field has this value if there is none */
  const char *kernel; /* the first release that sends it */
};

extern const struct field field_table[FIELD_COUNT];

/* True if a block of `size` bytes holds the field. */
static inline bool field_present(enum field_id id, size_t size) {
  return (size_t)field_table[id].offset + field_table[id].width <= size;
}

/* Reads the field from its block: `size` bytes in the kernel's byte order, of
 * any alignment. False: the block does not hold the field, or the field has no
 * value; `out` is then left as it was. Inline, because it is called several
 * times per socket. */
static inline bool field_get(enum field_id id, const uint8_t *block,
                             size_t size, uint64_t *out) {
  const struct field *f = &field_table[id];
  if (!field_present(id, size))
    return false;

  uint64_t value;
  if (f->width == 4) {
    uint32_t v;
    memcpy(&v, block + f->offset, sizeof(v));
    value = v;
  } else if (f->width == 8) {
    memcpy(&value, block + f->offset, sizeof(value));
  } else if (f->width == 2) {
    uint16_t v;
    memcpy(&v, block + f->offset, sizeof(v));
    value = v;
  } else {
    value = block[f->offset];
    if (f->bits != 0)
      value = value >> f->shift & ((1u << f->bits) - 1);
  }

  if (value == f->unset)
    return false;
  *out = value;
  return true;
}

/* Timeouts of the request that a socket was made of, which retransmitted
 * nothing and which the socket inherits: with TCP_DEFER_ACCEPT a request waits
 * for its client's data (linux: net/ipv4/tcp_minisocks.c,
 * tcp_create_openreq_child()). The first one comes after 1 s, each further one
 * after twice the time before (linux: TCP_TIMEOUT_INIT), and all the time
 * counts as that of timeouts. A timeout of the socket itself may retransmit
 * nothing as well, if the segment is still in the host's own queue, but is
 * shorter. Arguments as in struct tcp_info: total_rto, total_retrans,
 * total_rto_time. */
static inline uint64_t tcp_info_inherited_timeouts(uint64_t timeouts,
                                                   uint64_t retrans,
                                                   uint64_t time_ms) {
  if (timeouts <= retrans)
    return 0;
  uint64_t inherited = timeouts - retrans;
  uint64_t least_ms =
      1000 * ((UINT64_C(1) << (inherited < 6 ? inherited : 6)) - 1);
  return time_ms >= least_ms ? inherited : 0;
}

#endif
