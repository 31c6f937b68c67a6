/* A member's key: the values of its group's dimensions as bytes, and its name.
 * Two sockets have the same key where they agree in every dimension. */
#ifndef TCPINFO_GROUP_MEMBER_KEY_H
#define TCPINFO_GROUP_MEMBER_KEY_H

#include "config/settings.h"
#include "kernel/name_lookup.h"

enum {
  MEMBER_KEY_MAX = 128,      /* bytes of a key at most */
  MEMBER_KEY_NAME_MAX = 128, /* with the final NUL */
};

/* Bytes of a key: the same for all keys of a group. */
size_t key_size(const struct group_settings *g);

/* `key` has room for key_size() bytes. */
void member_key_make(const struct group_settings *g,
                     const struct socket_attrs *s, uint8_t *key);

/* The parts joined by '-', in the order of `By`; an
 * IPv6 address with '_' for ':'. Never more than 127 characters together with
 * the group's name: a longer one is cut and ends in a short hash. `distinct`:
 * with that hash in any case, because another member has the same name. */
void member_key_format(const struct group_settings *g, const uint8_t *key,
                       struct name_lookup *names, bool distinct,
                       char name[MEMBER_KEY_NAME_MAX]);

/* Whether something else of the group goes by that name: `other`, and with
 * Worst `worst1` and so on. */
bool member_key_name_is_taken(const struct group_settings *g, const char *name);

#endif
