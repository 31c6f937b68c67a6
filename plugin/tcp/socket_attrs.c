#include "tcp/socket_attrs.h"

#include "util/hash.h"

#include <string.h>

uint32_t socket_attrs_hash(const struct socket_attrs *t, unsigned traits) {
  uint64_t hash = 0;
  if (traits & ATTR_INTERFACE)
    hash = hash_bytes(&t->interface, sizeof(t->interface), hash);
  if (traits & ATTR_UID)
    hash = hash_bytes(&t->uid, sizeof(t->uid), hash);
  if (traits & ATTR_MARK)
    hash = hash_bytes(&t->mark, sizeof(t->mark), hash);
  if (traits & ATTR_CGROUP)
    hash = hash_bytes(&t->cgroup, sizeof(t->cgroup), hash);
  if (traits & ATTR_CONGESTION)
    hash = hash_bytes(t->congestion, strlen(t->congestion), hash);
  return (uint32_t)hash;
}
