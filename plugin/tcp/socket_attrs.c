/* See socket_attrs.h. */
#include "tcp/socket_attrs.h"

#include "util/hash.h"

#include <stddef.h>

#define HAS(source) (1u << ATTRS_OF_##source)

/* The messages that have an attribute, from all of them to the fewest (linux:
 * net/ipv4/inet_diag.c, inet_sk_diag_fill(), inet_twsk_diag_fill(),
 * inet_req_diag_fill()).
 *
 *  - tcp_disconnect() clears the remote port and the local address before the
 *    close event is made (linux: net/ipv4/tcp.c).
 *  - A close event has the struct inet_diag_msg and INET_DIAG_INFO alone, and
 *    no uid in the former (linux: inet_diag_handler_get_info()).
 *  - A mini socket keeps the device and, since Linux 5.14, the mark.
 *  - A socket that no process holds is reported with uid 0. */
#define ALWAYS ((1u << ATTRS_SOURCE_COUNT) - 1)
#define UNLESS_DISCONNECTED (ALWAYS & ~HAS(DISCONNECT))
#define IN_DUMPS (HAS(FULL) | HAS(ORPHAN) | HAS(MINI))
#define FULL_SOCKETS (HAS(FULL) | HAS(ORPHAN))
#define HELD_SOCKETS HAS(FULL)

#define MEMBER(member) (((struct socket_attrs *)0)->member)
#define TYPE_OF(member)                                                        \
  _Generic(MEMBER(member), struct address                                      \
           : ATTR_TYPE_ADDRESS, uint16_t                                       \
           : ATTR_TYPE_PORT, uint32_t                                          \
           : ATTR_TYPE_U32, uint64_t                                           \
           : ATTR_TYPE_U64, char *                                             \
           : ATTR_TYPE_TEXT, bool                                              \
           : ATTR_TYPE_FLAG)
#define ROW(name, member, changes, sources)                                    \
  {                                                                            \
    name, TYPE_OF(member), offsetof(struct socket_attrs, member),              \
        sizeof(MEMBER(member)), changes, sources                               \
  }

/* Columns: name, member of struct socket_attrs, may it change, messages that
 * have it. */
const struct socket_attr_row socket_attr_table[ATTR_COUNT] = {
    [ATTR_REMOTE_ADDRESS] = ROW("remote address", remote, false, ALWAYS),
    [ATTR_REMOTE_PORT] =
        ROW("remote port", remote_port, false, UNLESS_DISCONNECTED),
    [ATTR_LOCAL_ADDRESS] =
        ROW("local address", local, false, UNLESS_DISCONNECTED),
    [ATTR_LOCAL_PORT] = ROW("local port", local_port, false, ALWAYS),
    [ATTR_INTERFACE] = ROW("interface", interface, true, ALWAYS),
    [ATTR_UID] = ROW("uid", uid, true, HELD_SOCKETS),
    [ATTR_MARK] = ROW("mark", mark, true, IN_DUMPS),
    [ATTR_CGROUP] = ROW("cgroup", cgroup, true, FULL_SOCKETS),
    [ATTR_CONGESTION] =
        ROW("congestion control", congestion, true, FULL_SOCKETS),
    /* The caller finds the direction in its list of listening ports. */
    [ATTR_DIRECTION] = ROW("direction", inbound, false, ALWAYS),
};

uint32_t socket_attrs_unknown(enum attrs_source source) {
  uint32_t set = 0;
  for (unsigned i = 0; i < ATTR_COUNT; i++)
    if ((socket_attr_table[i].sources & 1u << source) == 0)
      set |= ATTR_BIT(i);
  return set;
}

uint32_t socket_attrs_changing(void) {
  uint32_t set = 0;
  for (unsigned i = 0; i < ATTR_COUNT; i++)
    if (socket_attr_table[i].changes)
      set |= ATTR_BIT(i);
  return set;
}

/* Uses the fixed hash, without a secret: the result is only compared with an
 * earlier one of the same connection, no table is filled by it, and the host's
 * own programs choose these attributes, not a peer. If two sets of values
 * collide (one change in 2^32), the connection stays with its former member.
 *
 * A single number of 32 bits is its own hash (plus one, as 0 stands for
 * nothing): By "interface" or "uid" alone then costs next to nothing per
 * socket. Otherwise the values are put side by side as whole words, which are
 * hashed at once. */
uint32_t socket_attrs_hash(const struct socket_attrs *s, uint32_t set) {
  enum { WORDS = sizeof(union socket_attr_value) / sizeof(uint64_t) };
  uint64_t word[ATTR_COUNT * WORDS];
  size_t count = 0;
  if (set != 0 && (set & (set - 1)) == 0) {
    enum socket_attr attr = (enum socket_attr)__builtin_ctz(set);
    if (socket_attr_table[attr].type == ATTR_TYPE_U32)
      return (uint32_t)socket_attrs_number(s, attr) + 1;
  }
  for (; set != 0; set &= set - 1) {
    enum socket_attr attr = (enum socket_attr)__builtin_ctz(set);
    if (socket_attr_table[attr].size <= sizeof(uint64_t)) {
      word[count++] = socket_attrs_number(s, attr);
    } else { /* an address or a text fills all words */
      socket_attrs_copy(s, attr, &word[count]);
      count += WORDS;
    }
  }
  return count > 0 ? (uint32_t)hash_fixed(word, count * sizeof(*word), 0) : 0;
}
