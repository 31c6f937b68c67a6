/* One message of a dump -> struct sample. Pure: no memory but the caller's, no
 * I/O. */
#ifndef TCPINFO_KERNEL_DECODE_H
#define TCPINFO_KERNEL_DECODE_H

#include "tcp/sample.h"

struct nlmsghdr;

enum {
  LAYOUTS = 4,
  LAYOUT_ATTRIBUTES = 8, /* one with more is walked through each time */
};

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
