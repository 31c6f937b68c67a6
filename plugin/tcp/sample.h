/* One socket as one message of the kernel describes it. */
#ifndef TCPINFO_TCP_SAMPLE_H
#define TCPINFO_TCP_SAMPLE_H

#include "tcp/socket_attrs.h"
#include "tcp/tcp_info.h"

/* States as the kernel numbers them (linux: include/net/tcp_states.h). */
enum tcp_state {
  TCP_STATE_ESTABLISHED = 1,
  TCP_STATE_SYN_SENT,
  TCP_STATE_SYN_RECV,
  TCP_STATE_FIN_WAIT1,
  TCP_STATE_FIN_WAIT2,
  TCP_STATE_TIME_WAIT,
  TCP_STATE_CLOSE,
  TCP_STATE_CLOSE_WAIT,
  TCP_STATE_LAST_ACK,
  TCP_STATE_LISTEN,
  TCP_STATE_CLOSING,
  TCP_STATE_NEW_SYN_RECV,
  TCP_STATE_COUNT,
};

/* The states with traffic: what a group counts as its connections. */
#define TCP_STATES_TRAFFIC                                                     \
  (1u << TCP_STATE_ESTABLISHED | 1u << TCP_STATE_SYN_SENT |                    \
   1u << TCP_STATE_FIN_WAIT1 | 1u << TCP_STATE_FIN_WAIT2 |                     \
   1u << TCP_STATE_CLOSE_WAIT | 1u << TCP_STATE_LAST_ACK |                     \
   1u << TCP_STATE_CLOSING)

/* The other ones that a dump can show. */
#define TCP_STATES_REST                                                        \
  (1u << TCP_STATE_SYN_RECV | 1u << TCP_STATE_TIME_WAIT |                      \
   1u << TCP_STATE_LISTEN)

struct sample {
  uint64_t cookie; /* unique for the boot (linux: net/core/sock_diag.c) */
  struct socket_attrs attrs;
  uint8_t state; /* enum tcp_state */
  uint8_t timer; /* which timer runs: 0 none, 1 retransmit ... */
  bool full;     /* no mini socket (TIME_WAIT, SYN_RECV, orphaned FIN_WAIT2) */
  bool held;     /* some process holds it; of others older kernels say uid 0 */
  uint32_t recv_queue, send_queue; /* bytes */
  /* What the kernel sent of each block, borrowed from the message, aligned to 4
   * bytes at least; NULL where it sent none. Mini sockets (TIME_WAIT, SYN_RECV,
   * orphaned FIN_WAIT2) have no struct tcp_info, which is block 0. */
  union {
    struct block {
      const uint8_t *bytes;
      size_t size;
    } block[BLOCK_COUNT];
    struct {
      const uint8_t *info;
      size_t info_size; /* bytes */
    };
  };
};

/* field_get() of the block that holds the field. */
static inline bool sample_get(const struct sample *s, enum field_id id,
                              uint64_t *out) {
  const struct block *b = &s->block[field_table[id].block];
  return field_get(id, b->bytes, b->size, out);
}

#endif
