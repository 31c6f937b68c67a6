#include "subject.h"

#include <string.h>

uint32_t subject_hash(const struct subject *t, unsigned traits) {
  uint64_t hash = 0;
  if (traits & SUBJECT_INTERFACE)
    hash = hash_bytes(&t->interface, sizeof(t->interface), hash);
  if (traits & SUBJECT_UID)
    hash = hash_bytes(&t->uid, sizeof(t->uid), hash);
  if (traits & SUBJECT_MARK)
    hash = hash_bytes(&t->mark, sizeof(t->mark), hash);
  if (traits & SUBJECT_CGROUP)
    hash = hash_bytes(&t->cgroup, sizeof(t->cgroup), hash);
  if (traits & SUBJECT_CONGESTION)
    hash = hash_bytes(t->congestion, strlen(t->congestion), hash);
  return (uint32_t)hash;
}
