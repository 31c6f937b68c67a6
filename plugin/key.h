/* A member's key: the values of its group's dimensions as bytes, and its name.
 * Two sockets have the same key where they agree in every dimension. */
#ifndef TCPINFO_KEY_H
#define TCPINFO_KEY_H

#include "settings.h"

enum {
  KEY_MAX = sizeof(struct address) + 2 * sizeof(uint16_t),
  KEY_NAME_MAX = 128, /* with the final NUL */
};

/* Bytes of a key: the same for all keys of a group. */
size_t key_size(const struct group_settings *g);

/* `key` has room for key_size() bytes. */
void key_make(const struct group_settings *g, const struct tuple *t,
              uint8_t *key);

/* As interface.md has it: the parts joined by '-', in the order of `By`; an
 * IPv6 address with '_' for ':'. */
void key_format(const struct group_settings *g, const uint8_t *key,
                char name[KEY_NAME_MAX]);

#endif
