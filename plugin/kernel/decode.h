/* Decodes one message of a dump or one close event into a struct sample. Pure:
 * no memory but the caller's, no I/O. It does not know what the values are used
 * for. */
#ifndef TCPINFO_KERNEL_DECODE_H
#define TCPINFO_KERNEL_DECODE_H

#include "tcp/sample.h"

struct nlmsghdr;

enum {
  LAYOUTS = 4,           /* remembered */
  LAYOUT_ATTRIBUTES = 8, /* a message with more is parsed anew each time */
};

/* Positions of the attributes of a message. Offsets are in bytes from the start
 * of the message; 0: the message has no such attribute. */
struct message_layout {
  uint32_t length; /* bytes of the message; 0: not to be used again */
  uint32_t count;
  struct layout_attribute {
    uint32_t at, header; /* offset; its struct nlattr as one word */
  } attribute[LAYOUT_ATTRIBUTES];
  struct layout_part {
    uint32_t at, size; /* of the payload */
  } block[BLOCK_COUNT], mark, cgroup, congestion;
  unsigned blocks; /* bits: 1 << enum field_block, of those present */
  bool full;       /* a full socket, not a mini socket: see struct sample */
};

/* Remembers the layouts of recent messages: nearly every message has one of
 * them, which can be checked faster than its attributes can be parsed. Zeroed:
 * nothing remembered. */
struct decoder {
  struct message_layout layout[LAYOUTS];
};

/* Returns 0; or -1 if the message is shorter than the lengths in it, is not of
 * IPv4 or IPv6, or has an unknown state: `out` is then undefined. `nlh` must be
 * complete; the blocks in `out` point into it. What `d` remembers never changes
 * a result. */
int decode(struct decoder *d, const struct nlmsghdr *nlh, struct sample *out);

#endif
