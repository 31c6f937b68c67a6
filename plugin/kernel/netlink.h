/* Where the sockets of one dump come from: the kernel (diag.c) or a recording
 * (replay.c). A source hands over each message while it stands in its receive
 * buffer. It knows nothing of what the message says.
 *
 * The lower half is for the sources only: the walk over the messages of one
 * datagram, and what a message means for the dump (source.c). */
#ifndef TCPINFO_KERNEL_NETLINK_H
#define TCPINFO_KERNEL_NETLINK_H

#include "util/error.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One answer about one socket. `nlh` is whole (nlmsg_len bytes can be read) and
 * borrowed: it is gone when the function returns. */
typedef void netlink_message_cb(const struct nlmsghdr *nlh, void *data);

enum dump_result {
  DUMP_COMPLETE, /* the dump ended as it should */
  DUMP_FAILED,   /* what came of it must not be used as a whole */
  DUMP_REFUSED,  /* nothing came: the kernel refuses the filter (EINVAL), or
                      this user may not use it (EPERM); a coarser one may do */
  DUMP_ENDED,    /* nothing left to read, now and later (recordings only) */
};

/* What is asked of the kernel. */
struct sock_diag_request {
  uint32_t states;     /* 1 << TCP state */
  uint8_t extensions;  /* 1 << (INET_DIAG_x - 1) */
  const void *code;    /* inet_diag bytecode, or NULL */
  size_t code_size;    /* bytes, a multiple of 4, at most 65,528 */
  unsigned timeout_ms; /* bound of the whole dump */
};

/* The messages of one datagram, which are aligned to 4 bytes. */
struct netlink_cursor {
  const uint8_t *next;
  size_t left; /* bytes */
};

static inline struct netlink_cursor netlink_cursor_over(const void *bytes,
                                                        size_t size) {
  return (struct netlink_cursor){.next = bytes, .left = size};
}

/* The next message, whole; NULL where there is none. The last one may lack the
 * bytes that would align another. */
static inline const struct nlmsghdr *
netlink_cursor_next(struct netlink_cursor *c) {
  const struct nlmsghdr *nlh = (const void *)c->next;
  if (c->left < sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) ||
      nlh->nlmsg_len > c->left)
    return NULL;
  size_t step = NLMSG_ALIGN((size_t)nlh->nlmsg_len);
  step = step < c->left ? step : c->left;
  c->next += step;
  c->left -= step;
  return nlh;
}

/* After that NULL: whether bytes are left over that are no message. */
static inline bool netlink_cursor_broken(const struct netlink_cursor *c) {
  return c->left > 0;
}

/* Whether a message that belongs to the dump is of a socket: nearly all are. */
static inline bool netlink_is_answer(const struct nlmsghdr *nlh) {
  return nlh->nlmsg_type >= NLMSG_MIN_TYPE &&
         (nlh->nlmsg_flags & NLM_F_DUMP_INTR) == 0;
}

enum netlink_meaning {
  NETLINK_MEANING_ANSWER,  /* for the callback */
  NETLINK_MEANING_NOTHING, /* may be passed over */
  NETLINK_MEANING_DONE,    /* the dump has come to its end, complete */
  NETLINK_MEANING_ERROR,   /* the dump is not to be used; `error` says why */
};

/* What a message that belongs to the dump means for it. */
enum netlink_meaning netlink_meaning(const struct nlmsghdr *nlh,
                                     struct error *error);

/* The errno that an NLMSG_ERROR or NLMSG_DONE brings; 0: none. */
int netlink_error_code(const struct nlmsghdr *nlh);

#endif
