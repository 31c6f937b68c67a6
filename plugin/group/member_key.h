/* A member's key: the values of its group's dimensions as bytes, one after the
 * other; and the member's name. Two connections belong to the same member if
 * their keys are equal.
 *
 * Knows no dimension by itself: where a value lies, how it is derived and
 * formatted comes from the dimension's row (config/dimension.h). */
#ifndef TCPINFO_GROUP_MEMBER_KEY_H
#define TCPINFO_GROUP_MEMBER_KEY_H

#include "config/settings.h"
#include "kernel/name_lookup.h"

enum {
  /* Bytes of a key at most: every dimension at once. */
  MEMBER_KEY_MAX = DIMENSION_COUNT * sizeof(union socket_attr_value),
  MEMBER_KEY_NAME_MAX = 128, /* with the final NUL */
};

/* Bytes of a key: the same for all keys of a group. */
size_t member_key_size(const struct group_settings *g);

/* Writes the key of `s` to `key`, which has room for member_key_size() bytes.
 * Does not look at s->unknown: the key of unknown values means nothing. */
void member_key_make(const struct group_settings *g,
                     const struct socket_attrs *s, uint8_t *key);

/* Writes the member's name: a part for each dimension, joined by '-', in the
 * order of `By`. The name is never longer than 127 characters together with the
 * group's name and a '-': a longer one is cut and ends in a short hash.
 * `distinct`: the name ends in that hash in any case, because another member
 * has the same name. May open files, through `names`: not to be called within a
 * dump. */
void member_key_format(const struct group_settings *g, const uint8_t *key,
                       struct name_lookup *names, bool distinct,
                       char name[MEMBER_KEY_NAME_MAX]);

/* True if the group uses that name for something else: `other`, and with Worst
 * `worst1`, `worst2` and so on. */
bool member_key_name_is_taken(const struct group_settings *g, const char *name);

#endif
