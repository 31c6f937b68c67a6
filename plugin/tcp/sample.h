/* One socket as one message of the kernel describes it: plain data, filled by
 * kernel/decode.c. */
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

/* The states with traffic: a group counts sockets in them as connections. */
#define TCP_STATES_TRAFFIC                                                     \
  (1u << TCP_STATE_ESTABLISHED | 1u << TCP_STATE_SYN_SENT |                    \
   1u << TCP_STATE_FIN_WAIT1 | 1u << TCP_STATE_FIN_WAIT2 |                     \
   1u << TCP_STATE_CLOSE_WAIT | 1u << TCP_STATE_LAST_ACK |                     \
   1u << TCP_STATE_CLOSING)

/* The other states that a dump can show. */
#define TCP_STATES_REST                                                        \
  (1u << TCP_STATE_SYN_RECV | 1u << TCP_STATE_TIME_WAIT |                      \
   1u << TCP_STATE_LISTEN)

struct sample {
  uint64_t cookie; /* unique for the boot (linux: net/core/sock_diag.c) */
  struct socket_attrs attrs;
  uint8_t state; /* enum tcp_state */
  uint8_t timer; /* the timer that runs: 0 none, 1 retransmit ... */
  bool full;     /* no mini socket (TIME_WAIT, SYN_RECV, orphaned FIN_WAIT2) */
  bool held;     /* a process holds it; else older kernels report uid 0 */
  uint32_t recv_queue, send_queue; /* bytes */
  /* The blocks that the kernel sent, borrowed from the message, aligned to 4
   * bytes at least; NULL if it did not send the block. Mini sockets have no
   * struct tcp_info, which is block 0. */
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

/* Reads a field of any block: see field_get(). */
static inline bool sample_get(const struct sample *s, enum field_id id,
                              uint64_t *out) {
  const struct block *b = &s->block[field_table[id].block];
  return field_get(id, b->bytes, b->size, out);
}

#endif
