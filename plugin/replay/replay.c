/* Finds the dumps of TCP sockets in recorded netlink traffic. It knows requests
 * and the frame of the answers, not what they say about a socket. */
#include "replay/replay.h"
#include "replay/pcap.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What a dump is asked for; bits of `families`. */
enum { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 };

/* A request and its answers. */
struct exchange {
  bool open;        /* its end has not come yet */
  uint8_t families; /* 0: not of TCP, to be passed over */
  uint32_t sequence;
  bool answered; /* `port` is known */
  uint32_t port;
};

struct replay {
  char **file;
  size_t count;
  size_t at;            /* the file that is open or next */
  struct pcap *capture; /* NULL: file[at] is not open yet */
  bool has_requests;    /* of the file: only they begin an exchange */
  struct pcap_packet packet;
  struct netlink_cursor cursor;
  const struct nlmsghdr *put_back; /* the first message of the next read */
  struct exchange exchange;
  /* One without an end when the next began: its answers, which may still come,
   * are not those of the next. */
  struct exchange stale;
};

/* One call of replay_dump(). */
struct replay_pass {
  netlink_message_cb *cb;
  void *data;
  struct error *error;
  uint8_t families;  /* that were asked for until now */
  bool failed;       /* the rest of the dump is passed over */
  uint64_t *time_ms; /* set where `families` is not 0; may be NULL */
};

struct replay *replay_new(char *const *files, size_t count,
                          struct error *error) {
  struct replay *r = calloc(1, sizeof(*r));
  if (r == NULL || (r->file = calloc(count + 1, sizeof(*r->file))) == NULL) {
    error_set(error, "out of memory");
    goto fail;
  }
  for (; r->count < count; r->count++) {
    struct pcap *c = pcap_open(files[r->count], error);
    if (c == NULL)
      goto fail;
    pcap_close(c);
    r->file[r->count] = strdup(files[r->count]);
    if (r->file[r->count] == NULL) {
      error_set(error, "out of memory");
      goto fail;
    }
  }
  return r;
fail:
  replay_free(r);
  return NULL;
}

void replay_free(struct replay *r) {
  if (r == NULL)
    return;
  pcap_close(r->capture);
  for (size_t i = 0; i < r->count; i++)
    free(r->file[i]);
  free(r->file);
  free(r);
}

static bool is_request(const struct nlmsghdr *nlh) {
  return nlh->nlmsg_flags & NLM_F_REQUEST;
}

static bool is_dump_request(const struct nlmsghdr *nlh) {
  return is_request(nlh) && nlh->nlmsg_flags & NLM_F_DUMP &&
         (nlh->nlmsg_type == TCPDIAG_GETSOCK ||
          nlh->nlmsg_type == DCCPDIAG_GETSOCK ||
          nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY);
}

/* Events and answers about a single socket are no part of a dump; netlink's own
 * messages may be (NLMSG_ERROR is without the flag). */
static bool is_dump_answer(const struct nlmsghdr *nlh) {
  return !is_request(nlh) &&
         (nlh->nlmsg_type < NLMSG_MIN_TYPE || nlh->nlmsg_flags & NLM_F_MULTI);
}

/* The legacy type is of both families, the other one says it in the first byte
 * of requests and answers alike. */
static uint8_t families_of(const struct nlmsghdr *nlh) {
  if (nlh->nlmsg_type == TCPDIAG_GETSOCK)
    return FAMILY_IPV4 | FAMILY_IPV6;
  if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      mnl_nlmsg_get_payload_len(nlh) < 1)
    return 0;
  switch (*(const uint8_t *)mnl_nlmsg_get_payload(nlh)) {
  case AF_INET:
    return FAMILY_IPV4;
  case AF_INET6:
    return FAMILY_IPV6;
  default:
    return 0;
  }
}

/* sdiag_protocol has 8 bits; a number past that (MPTCP: 262) stands cut off
 * there and whole in an attribute. */
static bool asks_for_tcp(const struct nlmsghdr *nlh) {
  if (nlh->nlmsg_type == TCPDIAG_GETSOCK)
    return true;
  const struct inet_diag_req_v2 *request = mnl_nlmsg_get_payload(nlh);
  if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*request) ||
      request->sdiag_protocol != IPPROTO_TCP)
    return false;
  const struct nlattr *a;
  mnl_attr_for_each(a, nlh, sizeof(*request)) {
    if (mnl_attr_get_type(a) == INET_DIAG_REQ_PROTOCOL &&
        mnl_attr_get_payload_len(a) >= sizeof(uint32_t) &&
        mnl_attr_get_u32(a) != IPPROTO_TCP)
      return false;
  }
  return true;
}

static bool exchange_has(const struct exchange *e, const struct nlmsghdr *nlh) {
  return e->open && is_dump_answer(nlh) && nlh->nlmsg_seq == e->sequence &&
         (!e->answered || nlh->nlmsg_pid == e->port);
}

/* Whether the message begins an exchange, and which. */
static bool exchange_begins(const struct replay *r, const struct nlmsghdr *nlh,
                            struct exchange *out) {
  *out = (struct exchange){.open = true, .sequence = nlh->nlmsg_seq};
  if (is_dump_request(nlh)) {
    if (families_of(nlh) != 0 && asks_for_tcp(nlh))
      out->families = families_of(nlh);
    return true;
  }
  if (r->has_requests || !is_dump_answer(nlh) ||
      nlh->nlmsg_type < NLMSG_MIN_TYPE || exchange_has(&r->exchange, nlh))
    return false;
  out->families = families_of(nlh);
  return true;
}

/* Where to write why the read fails: the first reason stays. */
static struct error *reading_fail(struct replay_pass *g) {
  struct error *error = g->failed ? NULL : g->error;
  g->failed = true;
  return error;
}

static void exchange_abandon(struct replay *r, struct replay_pass *g) {
  struct exchange *e = &r->exchange;
  if (!e->open)
    return;
  if (e->families != 0)
    error_set(reading_fail(g), "%s: a dump has no end", r->file[r->at]);
  if (e->answered)
    r->stale = *e;
  e->open = false;
}

/* A message of the exchange, or, in a file without requests, one of netlink's
 * own that stands alone: there the dump may have failed before its first
 * answer. */
static void answer_take(struct replay *r, struct replay_pass *g,
                        const struct nlmsghdr *nlh) {
  struct exchange *e = &r->exchange;
  struct error reason;
  enum netlink_meaning m = netlink_meaning(nlh, &reason);
  if (e->open) {
    e->answered = true;
    e->port = nlh->nlmsg_pid;
    /* After an error the rest of a dump may still come; a request says where
     * the next one begins. */
    e->open = nlh->nlmsg_type != NLMSG_DONE &&
              !(nlh->nlmsg_type == NLMSG_ERROR && m == NETLINK_MEANING_ERROR &&
                r->has_requests);
    if (e->families == 0)
      m = NETLINK_MEANING_NOTHING;
  }
  if (m == NETLINK_MEANING_ERROR)
    error_set(reading_fail(g), "%s: %s", r->file[r->at], reason.text);
  else if (m == NETLINK_MEANING_ANSWER && !(families_of(nlh) & e->families))
    error_set(reading_fail(g), "%s: an answer of a family not asked for",
              r->file[r->at]);
  else if (m == NETLINK_MEANING_ANSWER && !g->failed)
    g->cb(nlh, g->data);
}

/* False: the message begins a dump that belongs to the next read. */
static bool message_take(struct replay *r, struct replay_pass *g,
                         const struct nlmsghdr *nlh) {
  if (exchange_has(&r->stale, nlh)) {
    r->stale.open = nlh->nlmsg_type != NLMSG_DONE;
    return true;
  }
  struct exchange next;
  if (exchange_begins(r, nlh, &next)) {
    exchange_abandon(r, g);
    if (next.families & g->families)
      return false;
    if (g->families == 0 && g->time_ms != NULL)
      *g->time_ms = r->packet.time_ms;
    g->families |= next.families;
    r->exchange = next;
  }
  bool alone = !r->has_requests && !r->exchange.open &&
               nlh->nlmsg_type < NLMSG_MIN_TYPE && !is_request(nlh);
  if (alone || exchange_has(&r->exchange, nlh))
    answer_take(r, g, nlh);
  return true;
}

enum item {
  ITEM_MESSAGE,
  ITEM_BROKEN_PACKET, /* the packet's rest is no message, or not recorded */
  ITEM_END,           /* of the file */
  ITEM_BROKEN_FILE,
};

static enum item item_next(struct replay *r, const struct nlmsghdr **nlh,
                           struct error *error) {
  *nlh = r->put_back;
  r->put_back = NULL;
  if (*nlh != NULL)
    return ITEM_MESSAGE;
  for (;;) {
    *nlh = netlink_cursor_next(&r->cursor);
    if (*nlh != NULL)
      return ITEM_MESSAGE;
    if (netlink_cursor_broken(&r->cursor) || r->packet.cut) {
      error_set(error, "%s: %s", r->file[r->at],
                r->packet.cut ? "was recorded with too short a snapshot length"
                              : "a packet holds what is no netlink message");
      r->cursor = (struct netlink_cursor){0};
      r->packet.cut = false;
      return ITEM_BROKEN_PACKET;
    }
    switch (pcap_read(r->capture, NETLINK_SOCK_DIAG, &r->packet, error)) {
    case PCAP_PACKET:
      r->cursor = netlink_cursor_over(r->packet.messages, r->packet.size);
      break;
    case PCAP_END:
      return ITEM_END;
    case PCAP_BROKEN:
      return ITEM_BROKEN_FILE;
    }
  }
}

static void file_close(struct replay *r) {
  pcap_close(r->capture);
  r->capture = NULL;
  r->at++;
}

/* Opens file[at] and looks through it for a request. */
static int file_open(struct replay *r, struct error *error) {
  r->capture = pcap_open(r->file[r->at], error);
  if (r->capture == NULL)
    goto fail;
  r->exchange = r->stale = (struct exchange){0};
  r->has_requests = false;
  for (bool more = true; more && !r->has_requests;) {
    const struct nlmsghdr *nlh;
    enum item i = item_next(r, &nlh, NULL);
    if (i == ITEM_MESSAGE)
      r->has_requests = is_dump_request(nlh);
    more = i == ITEM_MESSAGE || i == ITEM_BROKEN_PACKET;
  }
  r->cursor = (struct netlink_cursor){0};
  r->packet.cut = false;
  if (pcap_rewind(r->capture, error) == 0)
    return 0;
fail:
  file_close(r);
  return -1;
}

/* Reads until the next read begins or the file ends. */
static void read_file(struct replay *r, struct replay_pass *g) {
  for (;;) {
    const struct nlmsghdr *nlh;
    struct error reason;
    switch (item_next(r, &nlh, &reason)) {
    case ITEM_MESSAGE:
      if (message_take(r, g, nlh))
        break;
      r->put_back = nlh;
      return;
    case ITEM_BROKEN_PACKET:
      if (!r->exchange.open || r->exchange.families != 0)
        error_set(reading_fail(g), "%s", reason.text);
      break;
    case ITEM_BROKEN_FILE:
      error_set(reading_fail(g), "%s", reason.text);
      file_close(r);
      return;
    case ITEM_END:
      exchange_abandon(r, g);
      file_close(r);
      return;
    }
  }
}

enum dump_result replay_dump(struct replay *r, netlink_message_cb *cb,
                             void *data, uint64_t *time_ms,
                             struct error *error) {
  struct replay_pass g = {
      .cb = cb, .data = data, .error = error, .time_ms = time_ms};
  while (g.families == 0 && !g.failed) {
    if (r->at == r->count)
      return DUMP_ENDED;
    if (r->capture == NULL && file_open(r, error) < 0)
      return DUMP_FAILED;
    read_file(r, &g);
  }
  return g.failed ? DUMP_FAILED : DUMP_COMPLETE;
}
