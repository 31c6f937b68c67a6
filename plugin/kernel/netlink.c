#include "kernel/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

/* Tells an operator what can be done about an error. */
static const struct {
  int code;
  const char *hint;
} hints[] = {
    /* linux: net/ipv4/inet_diag.c, inet_diag_lock_handler() */
    {ENOENT, ": load the kernel module tcp_diag"},
    /* linux: net/core/sock_diag.c, sock_diag_rcv_msg() */
    {EOPNOTSUPP, ": load the kernel modules inet_diag and tcp_diag"},
    {EBUSY, ": another dump still runs on this socket"},
    {EINVAL, ": it refuses the request"},
    {EPERM, ": a security policy of the host forbids sock_diag"},
    {EACCES, ": a security policy of the host forbids sock_diag"},
};

static enum netlink_meaning kernel_error(int code, struct error *error) {
  const char *hint = "";
  for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
    if (hints[i].code == code)
      hint = hints[i].hint;
  error_set(error, "the kernel ended the dump: %s%s", strerror(code), hint);
  return NETLINK_MEANING_ERROR;
}

/* The payloads of both begin with an int: 0 or a negative errno
 * (linux: net/netlink/af_netlink.c, netlink_dump_done(), netlink_ack()). */
int netlink_error_code(const struct nlmsghdr *nlh) {
  if (nlh->nlmsg_type != NLMSG_DONE && nlh->nlmsg_type != NLMSG_ERROR)
    return 0;
  int32_t code = 0;
  if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(code))
    memcpy(&code, mnl_nlmsg_get_payload(nlh), sizeof(code));
  else if (nlh->nlmsg_type == NLMSG_ERROR)
    code = -EBADMSG;
  if (code >= 0)
    return 0;
  return code > -INT32_MAX ? -code : EBADMSG;
}

enum netlink_meaning netlink_meaning(const struct nlmsghdr *nlh,
                                     struct error *error) {
  if (nlh->nlmsg_flags & NLM_F_DUMP_INTR) {
    error_set(error, "the kernel's table changed during the dump");
    return NETLINK_MEANING_ERROR;
  }
  if (netlink_is_answer(nlh))
    return NETLINK_MEANING_ANSWER;
  if (nlh->nlmsg_type != NLMSG_DONE && nlh->nlmsg_type != NLMSG_ERROR)
    return NETLINK_MEANING_NOTHING;
  int code = netlink_error_code(nlh);
  if (code != 0)
    return kernel_error(code, error);
  return nlh->nlmsg_type == NLMSG_DONE ? NETLINK_MEANING_DONE
                                       : NETLINK_MEANING_NOTHING;
}
