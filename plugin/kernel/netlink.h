/* The frame of netlink messages: walking over the messages of one datagram, and
 * the meaning of netlink's own messages for a dump. What a message says about a
 * socket is read elsewhere (decode.h).
 *
 * A dump comes from the kernel (sock_diag.h) or from a recording
 * (replay/replay.h); both hand over each message while it is in their receive
 * buffer. */
#ifndef TCPINFO_KERNEL_NETLINK_H
#define TCPINFO_KERNEL_NETLINK_H

#include "util/error.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Receives one answer, which is about one socket. `nlh` is complete: nlmsg_len
 * bytes can be read. It is borrowed, and gone when the function returns. */
typedef void netlink_message_cb(const struct nlmsghdr *nlh, void *data);

enum dump_result {
  DUMP_COMPLETE, /* the dump ended as it should */
  DUMP_FAILED,   /* the answers that came must not be used */
  DUMP_REFUSED,  /* no answer came: the kernel does not know all of the filter
                    (EINVAL) or this user may not use it (EPERM, EACCES); a
                    coarser filter may work */
  DUMP_ENDED,    /* nothing left to read, now or later (recordings only) */
};

/* The content of one dump request. */
struct sock_diag_request {
  uint32_t states;     /* bits: 1 << TCP state */
  uint8_t extensions;  /* bits: 1 << (INET_DIAG_x - 1) */
  const void *code;    /* inet_diag bytecode, borrowed, or NULL */
  size_t code_size;    /* bytes, a multiple of 4, at most 65,528 */
  unsigned timeout_ms; /* limit of the whole dump */
};

/* --- Walking over a datagram ---------------------------------------------- */

/* Walks over the messages of one datagram, which is aligned to 4 bytes and must
 * outlive the cursor. */
struct netlink_cursor {
  const uint8_t *next;
  size_t left; /* bytes */
};

static inline struct netlink_cursor netlink_cursor_over(const void *bytes,
                                                        size_t size) {
  return (struct netlink_cursor){.next = bytes, .left = size};
}

/* Returns the next message, complete; NULL if there is none. The last message
 * may lack the bytes that would align one more. */
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

/* After netlink_cursor_next() returned NULL: true if bytes are left over that
 * are not a message. */
static inline bool netlink_cursor_broken(const struct netlink_cursor *c) {
  return c->left > 0;
}

/* --- The meaning of messages ---------------------------------------------- */

/* True if a message of a dump is about a socket, as nearly all are: not one of
 * netlink's own, and not marked as inconsistent. */
static inline bool netlink_is_answer(const struct nlmsghdr *nlh) {
  return nlh->nlmsg_type >= NLMSG_MIN_TYPE &&
         (nlh->nlmsg_flags & NLM_F_DUMP_INTR) == 0;
}

enum netlink_meaning {
  NETLINK_MEANING_ANSWER,  /* about a socket: for the callback */
  NETLINK_MEANING_NOTHING, /* to be skipped */
  NETLINK_MEANING_DONE,    /* the dump is complete */
  NETLINK_MEANING_ERROR,   /* the dump has failed; `error` gives the reason */
};

/* Returns what a message of a dump means for it. `error` is set for
 * NETLINK_MEANING_ERROR only and may be NULL. */
enum netlink_meaning netlink_meaning(const struct nlmsghdr *nlh,
                                     struct error *error);

/* Returns the errno in an NLMSG_ERROR or NLMSG_DONE, EBADMSG if it is too short
 * to hold one; 0 if it has none or is another message. */
int netlink_error_code(const struct nlmsghdr *nlh);

#endif
