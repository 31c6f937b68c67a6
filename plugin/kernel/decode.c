#include "kernel/decode.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAD = MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct inet_diag_msg)) };

static uint32_t load_32(const void *at) {
  uint32_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

/* An attribute shorter than its value is malformed; a longer one comes from a
 * newer kernel. */
static bool part_set(struct layout_part *out, struct layout_part part,
                     size_t least) {
  *out = part;
  return part.size >= least;
}

static bool block_set(struct message_layout *l, enum field_block block,
                      struct layout_part part) {
  l->block[block] = part;
  l->blocks |= 1u << block;
  return true;
}

static bool attribute_note(struct message_layout *l, unsigned type,
                           struct layout_part part) {
  switch (type) {
  case INET_DIAG_SHUTDOWN: /* linux: inet_diag_msg_attrs_fill() */
    l->full = true;
    return true;
  case INET_DIAG_INFO:
    l->full = true;
    return block_set(l, BLOCK_INFO, part);
  case INET_DIAG_SKMEMINFO:
    return block_set(l, BLOCK_SKMEM, part);
  case INET_DIAG_BBRINFO:
    return block_set(l, BLOCK_BBR, part);
  case INET_DIAG_DCTCPINFO:
    return block_set(l, BLOCK_DCTCP, part);
  case INET_DIAG_MARK:
    return part_set(&l->mark, part, sizeof(uint32_t));
  case INET_DIAG_CGROUP_ID:
    return part_set(&l->cgroup, part, sizeof(uint64_t));
  case INET_DIAG_CONG:
    return part_set(&l->congestion, part, 1);
  default:
    return true;
  }
}

/* Parses the attributes. False if one is malformed; `l` then fits no message.
 * Does not use libmnl's accessors: as calls they cost more than everything else
 * here. */
static bool layout_make(struct message_layout *l, const struct nlmsghdr *nlh) {
  const uint8_t *bytes = (const uint8_t *)nlh;
  uint32_t end = nlh->nlmsg_len;
  *l = (struct message_layout){0};
  uint32_t count = 0;
  for (uint32_t at = HEAD; at < end; count++) {
    struct nlattr attr;
    if (end - at < sizeof(attr))
      return false;
    memcpy(&attr, bytes + at, sizeof(attr));
    uint32_t size = attr.nla_len;
    if (size < sizeof(attr) || size > end - at ||
        !attribute_note(
            l, attr.nla_type & NLA_TYPE_MASK,
            (struct layout_part){.at = at + (uint32_t)sizeof(attr),
                                 .size = size - (uint32_t)sizeof(attr)}))
      return false;
    if (count < LAYOUT_ATTRIBUTES)
      l->attribute[count] =
          (struct layout_attribute){.at = at, .header = load_32(bytes + at)};
    size = MNL_ALIGN(size);
    at = size < end - at ? at + size : end;
  }
  if (count <= LAYOUT_ATTRIBUTES) {
    l->count = count;
    l->length = end;
  }
  return true;
}

/* True if parsing the message would give this layout. */
static bool layout_fits(const struct message_layout *l,
                        const struct nlmsghdr *nlh) {
  if (l->length != nlh->nlmsg_len)
    return false;
  uint32_t differ = 0;
  for (uint32_t i = 0; i < l->count; i++)
    differ |= load_32((const uint8_t *)nlh + l->attribute[i].at) ^
              l->attribute[i].header;
  return differ == 0;
}

static bool congestion_copy(struct socket_attrs *t, const uint8_t *name,
                            size_t size) {
  if (name[size - 1] != '\0')
    return false;
  strncpy(t->congestion, (const char *)name, CONGESTION_NAME_SIZE - 1);
  t->congestion[CONGESTION_NAME_SIZE - 1] = '\0';
  return true;
}

static bool attributes_copy(const struct message_layout *l,
                            const uint8_t *bytes, struct sample *out) {
  out->full = l->full;
  memset(out->block, 0, sizeof(out->block));
  for (unsigned left = l->blocks; left != 0; left &= left - 1) {
    int block = __builtin_ctz(left);
    const struct layout_part *part = &l->block[block];
    out->block[block] =
        (struct block){.bytes = bytes + part->at, .size = part->size};
  }
  struct socket_attrs *t = &out->attrs;
  t->mark = l->mark.at != 0 ? load_32(bytes + l->mark.at) : 0;
  t->cgroup = 0;
  if (l->cgroup.at != 0)
    memcpy(&t->cgroup, bytes + l->cgroup.at, sizeof(t->cgroup));
  t->congestion[0] = '\0';
  return l->congestion.at == 0 ||
         congestion_copy(t, bytes + l->congestion.at, l->congestion.size);
}

/* The message:
 *
 *   nlmsghdr | inet_diag_msg | nlattr payload | nlattr payload | ...
 *      16         72           4      n                                */
int decode(struct decoder *d, const struct nlmsghdr *nlh, struct sample *out) {
  if (nlh->nlmsg_len < HEAD)
    return -1;
  const struct inet_diag_msg *m =
      (const void *)((const uint8_t *)nlh + MNL_NLMSG_HDRLEN);
  if (m->idiag_family != AF_INET && m->idiag_family != AF_INET6)
    return -1;
  if (m->idiag_state == 0 || m->idiag_state >= TCP_STATE_COUNT)
    return -1;

  out->cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
  out->attrs.local = address_from_inet(m->idiag_family, m->id.idiag_src);
  out->attrs.remote = address_from_inet(m->idiag_family, m->id.idiag_dst);
  out->attrs.local_port = ntohs(m->id.idiag_sport);
  out->attrs.remote_port = ntohs(m->id.idiag_dport);
  out->state = m->idiag_state;
  out->timer = m->idiag_timer;
  out->recv_queue = m->idiag_rqueue;
  out->send_queue = m->idiag_wqueue;
  out->held = m->idiag_inode != 0; /* linux: sock_i_ino() */

  out->attrs.interface = m->id.idiag_if;
  out->attrs.uid = m->idiag_uid;
  out->attrs.inbound = false;
  out->attrs.unknown = 0;

  struct message_layout *l =
      &d->layout[nlh->nlmsg_len / NLMSG_ALIGNTO % LAYOUTS];
  if (!layout_fits(l, nlh) && !layout_make(l, nlh))
    return -1;
  return attributes_copy(l, (const uint8_t *)nlh, out) ? 0 : -1;
}
