/* See member_key.h. */
#include "group/member_key.h"

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
    dimension_write(g->by[i], s, bits_of(g), key);
    key += dimension_size(g->by[i]);
  }
}

/* Names that are not members'. Dashboards ask for `worst` with any ending. */
static bool is_reserved(const char *name) {
  return strcmp(name, "other") == 0 ||
         (strncmp(name, "worst", 5) == 0 && name[5] >= '0' && name[5] <= '9');
}

/* Copies as much as there is room for. `tail`: the digits of the hash. */
static void name_cut(const char *whole, size_t room, unsigned tail,
                     char out[MEMBER_KEY_NAME_MAX]) {
  size_t length = strlen(whole);
  size_t kept = length + TAIL <= room ? length : room - TAIL;
  snprintf(out, MEMBER_KEY_NAME_MAX, "%.*s_%08x", (int)kept, whole, tail);
}

void member_key_name(const struct group_settings *g, const uint8_t *key,
                     struct name_lookup *names, const struct hash_key *secret,
                     struct member_name *out) {
  char whole[1 + DIMENSION_COUNT * TEXT_CLEAN_MAX] = "_";
  char *name = whole + 1;
  size_t at = 0;
  struct identity identity;
  identity.size = 0;
  out->exists = true;
  for (size_t i = 0; i < g->by_count; i++) {
    struct dimension_name part = {.exists = true};
    struct dimension_value value = dimension_read(g->by[i], key);
    dimension_table[g->by[i]].format(&value, bits_of(g), names, &part,
                                     &identity);
    at += (size_t)snprintf(name + at, sizeof(whole) - 1 - at, "%s%s",
                           i > 0 ? "-" : "", part.text);
    out->exists &= part.exists;
    key += dimension_size(g->by[i]);
  }
  if (is_reserved(name))
    name = whole;

  /* "GROUP-MEMBER" has to fit into a plugin instance of collectd. */
  size_t room = MEMBER_KEY_NAME_MAX - 1 - strlen(g->name) - 1;
  unsigned tail = (unsigned)hash_fixed(identity.bytes, identity.size, 0);
  name_cut(name, room, tail, out->distinct);
  if (strlen(name) <= room)
    strcpy(out->plain, name);
  else
    strcpy(out->plain, out->distinct);
  out->owner = hash_bytes(identity.bytes, identity.size, secret);
}

static bool any_dimension(const struct group_settings *g, const uint8_t *key,
                          bool holds(enum dimension,
                                     const struct dimension_value *)) {
  for (size_t i = 0; i < g->by_count; i++) {
    struct dimension_value value = dimension_read(g->by[i], key);
    if (holds(g->by[i], &value))
      return true;
    key += dimension_size(g->by[i]);
  }
  return false;
}

bool member_key_may_rename(const struct group_settings *g, const uint8_t *key) {
  return any_dimension(g, key, dimension_may_rename);
}

bool member_key_may_share(const struct group_settings *g, const uint8_t *key) {
  return any_dimension(g, key, dimension_may_share);
}
