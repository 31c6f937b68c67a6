/* Where the sockets of one dump come from: the kernel (diag.c) or a recording
 * (replay.c). A source hands over each message while it stands in its receive
 * buffer. It knows nothing of what the message says. */
#ifndef TCPINFO_SOURCE_H
#define TCPINFO_SOURCE_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/* One answer about one socket. `nlh` is whole (nlmsg_len bytes can be read) and
 * borrowed: it is gone when the function returns. */
typedef void source_message_cb(const struct nlmsghdr *nlh, void *data);

enum source_result {
  SOURCE_COMPLETE, /* the dump ended as it should */
  SOURCE_FAILED,   /* what came of it must not be used as a whole */
  SOURCE_ENDED,    /* nothing left to read, now and later (recordings only) */
};

/* What is asked of the kernel. */
struct source_request {
  uint32_t states;     /* 1 << TCP state */
  uint8_t extensions;  /* 1 << (INET_DIAG_x - 1) */
  const void *code;    /* inet_diag bytecode, or NULL */
  size_t code_size;    /* bytes, a multiple of 4, at most 65,528 */
  unsigned timeout_ms; /* bound of the whole dump */
};

#endif
