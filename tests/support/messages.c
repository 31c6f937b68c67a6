#include "support/messages.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(int condition, const char *error) {
  if (condition)
    return;
  fprintf(stderr, "messages: %s\n", error);
  abort();
}

void messages_begin(struct messages *m, uint32_t sequence, uint32_t port) {
  m->size = 0;
  m->sequence = sequence;
  m->port = port;
  m->type = TCPDIAG_GETSOCK;
  m->last = NULL;
}

static void *message_add(struct messages *m, uint16_t type, uint16_t flags,
                         size_t size) {
  require(m->size % NLMSG_ALIGNTO == 0, "the message would not be aligned");
  require(mnl_nlmsg_size(size) <= MESSAGES_SIZE_MAX - m->size,
          "no room for the message");
  m->last = mnl_nlmsg_put_header(m->bytes + m->size);
  m->last->nlmsg_type = type;
  m->last->nlmsg_flags = flags;
  m->last->nlmsg_seq = m->sequence;
  m->last->nlmsg_pid = m->port;
  void *payload = mnl_nlmsg_put_extra_header(m->last, size);
  m->size += m->last->nlmsg_len;
  return payload;
}

static uint8_t family_of(const struct message_socket *s) {
  const char *text = s->local != NULL ? s->local : s->remote;
  if (text != NULL)
    return strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
  return s->family != 0 ? s->family : AF_INET;
}

static void put_address(uint8_t family, const char *text, __be32 *out) {
  if (text != NULL)
    require(inet_pton(family, text, out) == 1, text);
}

void messages_socket(struct messages *m, const struct message_socket *s) {
  struct inet_diag_msg *d = message_add(m, m->type, NLM_F_MULTI, sizeof(*d));
  d->idiag_family = family_of(s);
  d->idiag_state = s->state != 0 ? s->state : TCP_ESTABLISHED;
  d->idiag_timer = s->timer;
  d->idiag_retrans = s->retransmits;
  d->id.idiag_sport = htons(s->local_port);
  d->id.idiag_dport = htons(s->remote_port);
  put_address(d->idiag_family, s->local, d->id.idiag_src);
  put_address(d->idiag_family, s->remote, d->id.idiag_dst);
  d->id.idiag_if = s->interface;
  d->id.idiag_cookie[0] = (uint32_t)s->cookie;
  d->id.idiag_cookie[1] = (uint32_t)(s->cookie >> 32);
  d->idiag_rqueue = s->recv_queue;
  d->idiag_wqueue = s->send_queue;
  d->idiag_uid = s->uid;
  d->idiag_inode = s->inode;
}

void messages_attribute(struct messages *m, uint16_t type, const void *data,
                        size_t size) {
  require(m->last != NULL, "no message to add the attribute to");
  require(size <= UINT16_MAX - MNL_ATTR_HDRLEN, "the attribute is too long");
  size_t before = m->last->nlmsg_len;
  require(mnl_attr_put_check(m->last, before + MESSAGES_SIZE_MAX - m->size,
                             type, size, data),
          "no room for the attribute");
  m->size += m->last->nlmsg_len - before;
}

void messages_info(struct messages *m, const void *info, size_t size) {
  messages_attribute(m, INET_DIAG_INFO, info, size);
}

void messages_done(struct messages *m, int code) {
  int *payload = message_add(m, NLMSG_DONE, NLM_F_MULTI, sizeof(*payload));
  *payload = -code;
}

void messages_error(struct messages *m, int code) {
  struct nlmsgerr *payload = message_add(m, NLMSG_ERROR, 0, sizeof(*payload));
  payload->error = -code;
}

void messages_request(struct messages *m) {
  struct inet_diag_req *r =
      message_add(m, TCPDIAG_GETSOCK, NLM_F_REQUEST | NLM_F_DUMP, sizeof(*r));
  r->idiag_states = ~0u;
}

void messages_request_v2(struct messages *m, uint8_t family, uint8_t protocol) {
  struct inet_diag_req_v2 *r = message_add(
      m, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, sizeof(*r));
  r->sdiag_family = family;
  r->sdiag_protocol = protocol;
  r->idiag_states = ~0u;
}

void messages_raw(struct messages *m, const void *data, size_t size) {
  require(size <= MESSAGES_SIZE_MAX - m->size, "no room for the bytes");
  memcpy(m->bytes + m->size, data, size);
  m->size += size;
}
