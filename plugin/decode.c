#include "decode.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <sys/socket.h>

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
  out->tuple.local = address_from_inet(m->idiag_family, m->id.idiag_src);
  out->tuple.remote = address_from_inet(m->idiag_family, m->id.idiag_dst);
  out->tuple.local_port = ntohs(m->id.idiag_sport);
  out->tuple.remote_port = ntohs(m->id.idiag_dport);
  out->state = m->idiag_state;
  out->timer = m->idiag_timer;
  out->recv_queue = m->idiag_rqueue;
  out->send_queue = m->idiag_wqueue;
  out->info = NULL;
  out->info_size = 0;

  const uint8_t *at = (const uint8_t *)m + MNL_ALIGN(sizeof(*m));
  const uint8_t *end = (const uint8_t *)nlh + nlh->nlmsg_len;
  while (at < end) {
    const struct nlattr *attr = (const struct nlattr *)at;
    if (!mnl_attr_ok(attr, (int)(end - at)))
      return -1;
    if (mnl_attr_get_type(attr) == INET_DIAG_INFO) {
      out->info = mnl_attr_get_payload(attr);
      out->info_size = mnl_attr_get_payload_len(attr);
    }
    at += MNL_ALIGN(attr->nla_len);
  }
  return 0;
}
