/* One message of a dump -> struct sample. Pure: no memory but the caller's, no
 * I/O. */
#ifndef TCPINFO_DECODE_H
#define TCPINFO_DECODE_H

#include "field.h"
#include "subject.h"

struct nlmsghdr;

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

enum {
  LAYOUTS = 4,
  LAYOUT_ATTRIBUTES = 8, /* one with more is walked through each time */
};

struct sample {
  uint64_t cookie; /* unique for the boot (linux: net/core/sock_diag.c) */
  struct subject subject;
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

/* Where the attributes of a message stand. Offsets are bytes from its begin; 0:
 * there is none. */
struct layout {
  uint32_t length; /* bytes of such a message; 0: not to be used again */
  uint32_t count;
  struct layout_attribute {
    uint32_t at, header; /* its struct nlattr as a word */
  } attribute[LAYOUT_ATTRIBUTES];
  struct layout_part {
    uint32_t at, size; /* of the payload */
  } block[BLOCK_COUNT], mark, cgroup, congestion;
  unsigned blocks; /* a set of enum field_block: those that there are */
  bool full;
};

/* Nearly all messages are laid out as one of the last few, and that can be seen
 * without walking through their attributes one after the other. Zeroed: none
 * yet. */
struct decoder {
  struct layout layout[LAYOUTS];
};

/* 0, or -1 where the message is shorter than its own lengths say, is not of
 * IPv4 or IPv6, or has an unknown state; `out` is then undefined. What `d`
 * remembers of earlier messages changes no result. */
int decode(struct decoder *d, const struct nlmsghdr *nlh, struct sample *out);

#endif
