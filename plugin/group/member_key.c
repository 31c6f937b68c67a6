/* See member_key.h. */
#include "group/member_key.h"

#include "util/hash.h"
#include "util/text.h"

#include <stdio.h>
#include <string.h>

/* The hash at the end of a name: '_' and eight hexadecimal digits. */
enum { TAIL = 9 };

static struct network_bits bits_of(const struct group_settings *g) {
  return (struct network_bits){.ipv4 = g->prefix_ipv4, .ipv6 = g->prefix_ipv6};
}

size_t member_key_size(const struct group_settings *g) {
  size_t size = 0;
  for (size_t i = 0; i < g->by_count; i++)
    size += dimension_size(g->by[i]);
  return size;
}

void member_key_make(const struct group_settings *g,
                     const struct socket_attrs *s, uint8_t *key) {
  for (size_t i = 0; i < g->by_count; i++) {
    const struct dimension_row *row = &dimension_table[g->by[i]];
    socket_attrs_copy(s, row->attr, key);
    if (row->derive != NULL)
      row->derive(key, bits_of(g));
    key += socket_attr_table[row->attr].size;
  }
}

void member_key_format(const struct group_settings *g, const uint8_t *key,
                       struct name_lookup *names, bool distinct,
                       char name[MEMBER_KEY_NAME_MAX]) {
  char whole[DIMENSION_COUNT * TEXT_CLEAN_MAX] = "";
  size_t at = 0;
  const uint8_t *from = key;
  for (size_t i = 0; i < g->by_count; i++) {
    char part[TEXT_CLEAN_MAX];
    union socket_attr_value value = {.u64 = 0};
    size_t size = dimension_size(g->by[i]);
    memcpy(&value, from, size);
    dimension_table[g->by[i]].format(&value, bits_of(g), names, part);
    at += (size_t)snprintf(whole + at, sizeof(whole) - at, "%s%s",
                           i > 0 ? "-" : "", part);
    from += size;
  }

  /* "GROUP-MEMBER" has to fit into a plugin instance of collectd. */
  size_t room = MEMBER_KEY_NAME_MAX - 1 - strlen(g->name) - 1;
  if (at <= room && !distinct) {
    memcpy(name, whole, at + 1);
    return;
  }
  size_t kept = at + TAIL <= room ? at : room - TAIL;
  snprintf(name, MEMBER_KEY_NAME_MAX, "%.*s_%08x", (int)kept, whole,
           (unsigned)hash_fixed(key, member_key_size(g), 0));
}

bool member_key_name_is_taken(const struct group_settings *g,
                              const char *name) {
  if (strcmp(name, "other") == 0)
    return true;
  return g->worst > 0 && strncmp(name, "worst", 5) == 0 && name[5] != '\0' &&
         strspn(name + 5, "0123456789") == strlen(name + 5);
}
