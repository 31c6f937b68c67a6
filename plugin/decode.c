#include "decode.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <string.h>
#include <sys/socket.h>

/* One that is shorter than what it should hold is malformed, a longer one is
 * from a newer kernel. */
static int attribute(const struct nlattr *attr, struct sample *out) {
  enum field_block block = BLOCK_COUNT;
  const uint8_t *payload = mnl_attr_get_payload(attr);
  size_t size = mnl_attr_get_payload_len(attr);
  switch (mnl_attr_get_type(attr)) {
  case INET_DIAG_SHUTDOWN: /* linux: inet_diag_msg_attrs_fill() */
    out->full = true;
    return 0;
  case INET_DIAG_INFO:
    out->full = true;
    block = BLOCK_INFO;
    break;
  case INET_DIAG_SKMEMINFO:
    block = BLOCK_SKMEM;
    break;
  case INET_DIAG_BBRINFO:
    block = BLOCK_BBR;
    break;
  case INET_DIAG_DCTCPINFO:
    block = BLOCK_DCTCP;
    break;
  case INET_DIAG_MARK:
    if (size < sizeof(out->subject.mark))
      return -1;
    memcpy(&out->subject.mark, payload, sizeof(out->subject.mark));
    return 0;
  case INET_DIAG_CGROUP_ID:
    if (size < sizeof(out->subject.cgroup))
      return -1;
    memcpy(&out->subject.cgroup, payload, sizeof(out->subject.cgroup));
    return 0;
  case INET_DIAG_CONG:
    if (size == 0 || payload[size - 1] != '\0')
      return -1;
    strncpy(out->subject.congestion, (const char *)payload,
            SUBJECT_CONGESTION_MAX - 1);
    out->subject.congestion[SUBJECT_CONGESTION_MAX - 1] = '\0';
    return 0;
  default:
    return 0;
  }
  out->block[block] = (struct block){.bytes = payload, .size = size};
  return 0;
}

/*   nlmsghdr | inet_diag_msg | nlattr payload | nlattr payload | ...
 *        16         72           4      n                              */
int decode(const struct nlmsghdr *nlh, struct sample *out) {
  if (nlh->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(struct inet_diag_msg))
    return -1;
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
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

  const uint8_t *at = (const uint8_t *)m + MNL_ALIGN(sizeof(*m));
  const uint8_t *end = (const uint8_t *)nlh + nlh->nlmsg_len;
  while (at < end) {
    const struct nlattr *attr = (const struct nlattr *)at;
    if (!mnl_attr_ok(attr, (int)(end - at)))
      return -1;
    if (attribute(attr, out) != 0)
      return -1;
    at += MNL_ALIGN(attr->nla_len);
  }
  return 0;
}
