/* A member's key: the values of its group's dimensions as bytes, one after the
 * other; its name; and its identity. Two connections belong to the same member
 * if their keys are equal. Two members are the same to a user if their
 * identities are equal: a service that was restarted is in another cgroup of
 * the same path.
 *
 * Knows no dimension by itself: where a value lies, how it is derived and
 * formatted comes from the dimension's row (config/dimension.h). */
#ifndef TCPINFO_GROUP_MEMBER_KEY_H
#define TCPINFO_GROUP_MEMBER_KEY_H

#include "config/settings.h"
#include "kernel/name_lookup.h"
#include "util/hash.h"

enum {
  /* Bytes of a key at most: every dimension at once. */
  MEMBER_KEY_MAX = DIMENSION_COUNT * sizeof(struct dimension_value),
  MEMBER_KEY_NAME_MAX = 128, /* with the final NUL */
};

/* Bytes of a key: the same for all keys of a group. */
size_t member_key_size(const struct group_settings *g);

/* Writes the key of `s` to `key`, which has room for member_key_size() bytes.
 * Does not look at s->unknown: the key of unknown values means nothing. */
void member_key_make(const struct group_settings *g,
                     const struct socket_attrs *s, uint8_t *key);

/* Both names are never longer than 127 characters together with the group's
 * name and a '-': a longer one is cut and ends in a hash of the identity. */
struct member_name {
  /* A part for each dimension, joined by '-', in the order of `By`. A '_'
   * stands in front if the group uses such a name for something else: `other`,
   * `worst1` and so on. */
  char plain[MEMBER_KEY_NAME_MAX];
  char distinct[MEMBER_KEY_NAME_MAX]; /* ends in that hash in any case */
  uint64_t owner;                     /* keyed hash of the identity */
  bool exists; /* false: a part stands for something that is gone */
};

/* Writes the member's name. `secret` is for `owner`. May open files, through
 * `names`: not to be called within a dump. */
void member_key_name(const struct group_settings *g, const uint8_t *key,
                     struct name_lookup *names, const struct hash_key *secret,
                     struct member_name *out);

/* See dimension_may_rename() and dimension_may_share(). */
bool member_key_may_rename(const struct group_settings *g, const uint8_t *key);
bool member_key_may_share(const struct group_settings *g, const uint8_t *key);

#endif
