#include "replay/replay.h"
#include "replay/pcap.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The families that a dump was requested for; bits. */
enum { DUMPED_IPV4 = 1, DUMPED_IPV6 = 2 };

/* A request and its answers. */
struct exchange {
  bool open;        /* its end has not come yet */
  uint8_t families; /* 0: not about TCP, to be skipped */
  uint32_t sequence;
  bool answered; /* `port` is known */
  uint32_t port;
};

struct replay {
  char **file;
  size_t count;
  size_t at;            /* the file that is open or next */
  struct pcap *capture; /* NULL: file[at] is not open yet */
  bool has_requests;    /* of the open file: only requests begin an exchange */
  struct pcap_packet packet;
  struct netlink_cursor cursor;
  const struct nlmsghdr *put_back; /* the first message of the next dump */
  struct exchange exchange;
  /* An exchange without an end when the next one began: its answers may still
   * come and do not belong to the next one. */
  struct exchange stale;
};

/* One call of replay_dump(). */
struct replay_pass {
  netlink_message_cb *cb;
  void *data;
  struct error *error;
  uint8_t families;  /* requested until now */
  bool failed;       /* the rest of the dump is skipped */
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

/* Close events and answers about a single socket do not belong to a dump;
 * netlink's own messages may (NLMSG_ERROR lacks the flag). */
static bool is_dump_answer(const struct nlmsghdr *nlh) {
  return !is_request(nlh) &&
         (nlh->nlmsg_type < NLMSG_MIN_TYPE || nlh->nlmsg_flags & NLM_F_MULTI);
}

/* The legacy type is about both families; the other type names the family in
 * the first byte of requests and answers alike. */
static uint8_t families_of(const struct nlmsghdr *nlh) {
  if (nlh->nlmsg_type == TCPDIAG_GETSOCK)
    return DUMPED_IPV4 | DUMPED_IPV6;
  if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      mnl_nlmsg_get_payload_len(nlh) < 1)
    return 0;
  switch (*(const uint8_t *)mnl_nlmsg_get_payload(nlh)) {
  case AF_INET:
    return DUMPED_IPV4;
  case AF_INET6:
    return DUMPED_IPV6;
  default:
    return 0;
  }
}

/* sdiag_protocol has 8 bits: a larger number (MPTCP: 262) is cut off there and
 * complete in an attribute. */
static bool requests_tcp(const struct nlmsghdr *nlh) {
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

/* True if the message begins an exchange, which is then stored in `out`. */
static bool exchange_begins(const struct replay *r, const struct nlmsghdr *nlh,
                            struct exchange *out) {
  *out = (struct exchange){.open = true, .sequence = nlh->nlmsg_seq};
  if (is_dump_request(nlh)) {
    if (families_of(nlh) != 0 && requests_tcp(nlh))
      out->families = families_of(nlh);
    return true;
  }
  if (r->has_requests || !is_dump_answer(nlh) ||
      nlh->nlmsg_type < NLMSG_MIN_TYPE || exchange_has(&r->exchange, nlh))
    return false;
  out->families = families_of(nlh);
  return true;
}

/* Marks the dump as failed. Returns the memory for the reason, NULL if the dump
 * has a reason already: the first one stays. */
static struct error *dump_fail(struct replay_pass *g) {
  struct error *error = g->failed ? NULL : g->error;
  g->failed = true;
  return error;
}

static void exchange_abandon(struct replay *r, struct replay_pass *g) {
  struct exchange *e = &r->exchange;
  if (!e->open)
    return;
  if (e->families != 0)
    error_set(dump_fail(g), "%s: a dump has no end", r->file[r->at]);
  if (e->answered)
    r->stale = *e;
  e->open = false;
}

/* Processes a message of the exchange or, in a file without requests, a single
 * message of netlink's own: the dump may have failed before its first answer.
 */
static void answer_process(struct replay *r, struct replay_pass *g,
                           const struct nlmsghdr *nlh) {
  struct exchange *e = &r->exchange;
  struct error reason;
  enum netlink_meaning m = netlink_meaning(nlh, &reason);
  if (e->open) {
    e->answered = true;
    e->port = nlh->nlmsg_pid;
    /* After an error the rest of the dump may still come; if there are
     * requests, they show the start of the next one. */
    e->open = nlh->nlmsg_type != NLMSG_DONE &&
              !(nlh->nlmsg_type == NLMSG_ERROR && m == NETLINK_MEANING_ERROR &&
                r->has_requests);
    if (e->families == 0)
      m = NETLINK_MEANING_NOTHING;
  }
  if (m == NETLINK_MEANING_ERROR)
    error_set(dump_fail(g), "%s: %s", r->file[r->at], reason.text);
  else if (m == NETLINK_MEANING_ANSWER && !(families_of(nlh) & e->families))
    error_set(dump_fail(g), "%s: an answer of a family not asked for",
              r->file[r->at]);
  else if (m == NETLINK_MEANING_ANSWER && !g->failed)
    g->cb(nlh, g->data);
}

/* False: the message begins the next dump. */
static bool message_process(struct replay *r, struct replay_pass *g,
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
    answer_process(r, g, nlh);
  return true;
}

enum item {
  ITEM_MESSAGE,
  ITEM_BROKEN_PACKET, /* the rest of the packet is no message or missing */
  ITEM_END,           /* end of the file */
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

/* Opens file[at] and searches it for a request. */
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

/* Reads until the next dump begins or the file ends. */
static void dump_read(struct replay *r, struct replay_pass *g) {
  for (;;) {
    const struct nlmsghdr *nlh;
    struct error reason;
    switch (item_next(r, &nlh, &reason)) {
    case ITEM_MESSAGE:
      if (message_process(r, g, nlh))
        break;
      r->put_back = nlh;
      return;
    case ITEM_BROKEN_PACKET:
      if (!r->exchange.open || r->exchange.families != 0)
        error_set(dump_fail(g), "%s", reason.text);
      break;
    case ITEM_BROKEN_FILE:
      error_set(dump_fail(g), "%s", reason.text);
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
    dump_read(r, &g);
  }
  return g.failed ? DUMP_FAILED : DUMP_COMPLETE;
}
