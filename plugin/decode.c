#include "decode.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <string.h>
#include <sys/socket.h>

/* One that is shorter than what it should hold is malformed, a longer one is
 * from a newer kernel. */
static bool copy(void *to, size_t width, const uint8_t *payload, size_t size) {
  if (size < width)
    return false;
  memcpy(to, payload, width);
  return true;
}

static bool congestion(struct subject *t, const uint8_t *payload, size_t size) {
  if (size == 0 || payload[size - 1] != '\0')
    return false;
  strncpy(t->congestion, (const char *)payload, SUBJECT_CONGESTION_MAX - 1);
  t->congestion[SUBJECT_CONGESTION_MAX - 1] = '\0';
  return true;
}

static void block_set(struct sample *out, enum field_block block,
                      const uint8_t *payload, size_t size) {
  out->block[block] = (struct block){.bytes = payload, .size = size};
}

static bool attribute(unsigned type, const uint8_t *payload, size_t size,
                      struct sample *out) {
  switch (type) {
  case INET_DIAG_SHUTDOWN: /* linux: inet_diag_msg_attrs_fill() */
    out->full = true;
    return true;
  case INET_DIAG_INFO:
    out->full = true;
    block_set(out, BLOCK_INFO, payload, size);
    return true;
  case INET_DIAG_SKMEMINFO:
    block_set(out, BLOCK_SKMEM, payload, size);
    return true;
  case INET_DIAG_BBRINFO:
    block_set(out, BLOCK_BBR, payload, size);
    return true;
  case INET_DIAG_DCTCPINFO:
    block_set(out, BLOCK_DCTCP, payload, size);
    return true;
  case INET_DIAG_MARK:
    return copy(&out->subject.mark, sizeof(out->subject.mark), payload, size);
  case INET_DIAG_CGROUP_ID:
    return copy(&out->subject.cgroup, sizeof(out->subject.cgroup), payload,
                size);
  case INET_DIAG_CONG:
    return congestion(&out->subject, payload, size);
  default:
    return true;
  }
}

/* Some six of each message, so that they are walked in place: as calls,
 * libmnl's accessors cost more than all else here. */
static int attributes(const uint8_t *at, size_t left, struct sample *out) {
  while (left > 0) {
    struct nlattr attr;
    if (left < sizeof(attr))
      return -1;
    memcpy(&attr, at, sizeof(attr));
    size_t size = attr.nla_len;
    if (size < sizeof(attr) || size > left ||
        !attribute(attr.nla_type & NLA_TYPE_MASK, at + sizeof(attr),
                   size - sizeof(attr), out))
      return -1;
    size = MNL_ALIGN(size);
    at += size;
    left = size < left ? left - size : 0;
  }
  return 0;
}

/*   nlmsghdr | inet_diag_msg | nlattr payload | nlattr payload | ...
 *        16         72           4      n                              */
int decode(const struct nlmsghdr *nlh, struct sample *out) {
  if (nlh->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(struct inet_diag_msg))
    return -1;
  const struct inet_diag_msg *m =
      (const void *)((const uint8_t *)nlh + MNL_NLMSG_HDRLEN);
  if (m->idiag_family != AF_INET && m->idiag_family != AF_INET6)
    return -1;
  if (m->idiag_state == 0 || m->idiag_state >= TCP_STATE_COUNT)
    return -1;

  out->cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
  out->subject.local = address_from_inet(m->idiag_family, m->id.idiag_src);
  out->subject.remote = address_from_inet(m->idiag_family, m->id.idiag_dst);
  out->subject.local_port = ntohs(m->id.idiag_sport);
  out->subject.remote_port = ntohs(m->id.idiag_dport);
  out->state = m->idiag_state;
  out->timer = m->idiag_timer;
  out->recv_queue = m->idiag_rqueue;
  out->send_queue = m->idiag_wqueue;
  out->full = false;
  out->held = m->idiag_inode != 0; /* linux: sock_i_ino() */
  memset(out->block, 0, sizeof(out->block));

  out->subject.interface = m->id.idiag_if;
  out->subject.uid = m->idiag_uid;
  out->subject.mark = 0;
  out->subject.cgroup = 0;
  out->subject.congestion[0] = '\0';
  out->subject.inbound = false;
  out->subject.unknown = 0;

  size_t head = MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(*m));
  return attributes((const uint8_t *)nlh + head, nlh->nlmsg_len - head, out);
}
