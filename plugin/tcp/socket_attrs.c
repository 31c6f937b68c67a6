#include "tcp/socket_attrs.h"

#include "util/hash.h"

#include <string.h>

/* The fixed hash, without a secret: the result is only compared with an earlier
 * one of the same connection, no table is filled by it, and the host's own
 * programs choose these attributes, not a peer. If two sets of attributes
 * collide (1 change in 2^32), a connection stays with its former member. */
uint32_t socket_attrs_hash(const struct socket_attrs *t, unsigned traits) {
  uint64_t hash = 0;
  if (traits & ATTR_INTERFACE)
    hash = hash_fixed(&t->interface, sizeof(t->interface), hash);
  if (traits & ATTR_UID)
    hash = hash_fixed(&t->uid, sizeof(t->uid), hash);
  if (traits & ATTR_MARK)
    hash = hash_fixed(&t->mark, sizeof(t->mark), hash);
  if (traits & ATTR_CGROUP)
    hash = hash_fixed(&t->cgroup, sizeof(t->cgroup), hash);
  if (traits & ATTR_CONGESTION)
    hash = hash_fixed(t->congestion, strlen(t->congestion), hash);
  return (uint32_t)hash;
}
