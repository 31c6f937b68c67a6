#include "group/member_key.h"

#include "util/hash.h"
#include "util/text.h"

#include <stdio.h>
#include <string.h>

/* The hash at the end of a name: '_' and eight digits. */
enum { TAIL = 9 };

static size_t size_of(enum dimension d) {
  switch (d) {
  case DIMENSION_REMOTE_ADDRESS:
  case DIMENSION_REMOTE_NETWORK:
  case DIMENSION_LOCAL_ADDRESS:
    return sizeof(struct address);
  case DIMENSION_REMOTE_PORT:
  case DIMENSION_LOCAL_PORT:
    return sizeof(uint16_t);
  case DIMENSION_INTERFACE:
  case DIMENSION_UID:
    return sizeof(uint32_t);
  case DIMENSION_CGROUP:
    return sizeof(uint64_t);
  case DIMENSION_CONGESTION:
    return CONGESTION_NAME_SIZE;
  case DIMENSION_DIRECTION:
    return sizeof(bool);
  case DIMENSION_COUNT:
    break;
  }
  return 0;
}

_Static_assert(MEMBER_KEY_MAX >= 3 * sizeof(struct address) +
                                     2 * sizeof(uint16_t) +
                                     2 * sizeof(uint32_t) + sizeof(uint64_t) +
                                     CONGESTION_NAME_SIZE + sizeof(bool),
               "every dimension at once");

static uint8_t network_bits(const struct group_settings *g,
                            const struct address *a) {
  return address_is_ipv4(a) ? (uint8_t)(96 + g->prefix_ipv4) : g->prefix_ipv6;
}

size_t key_size(const struct group_settings *g) {
  size_t size = 0;
  for (size_t i = 0; i < g->by_count; i++)
    size += size_of(g->by[i]);
  return size;
}

static const void *value_of(enum dimension d, const struct socket_attrs *s) {
  switch (d) {
  case DIMENSION_REMOTE_ADDRESS:
  case DIMENSION_REMOTE_NETWORK:
    return &s->remote;
  case DIMENSION_REMOTE_PORT:
    return &s->remote_port;
  case DIMENSION_LOCAL_ADDRESS:
    return &s->local;
  case DIMENSION_LOCAL_PORT:
    return &s->local_port;
  case DIMENSION_INTERFACE:
    return &s->interface;
  case DIMENSION_UID:
    return &s->uid;
  case DIMENSION_CGROUP:
    return &s->cgroup;
  case DIMENSION_CONGESTION:
    return s->congestion;
  case DIMENSION_DIRECTION:
    return &s->inbound;
  case DIMENSION_COUNT:
    break;
  }
  return NULL;
}

void member_key_make(const struct group_settings *g,
                     const struct socket_attrs *s, uint8_t *key) {
  for (size_t i = 0; i < g->by_count; i++) {
    enum dimension d = g->by[i];
    if (d == DIMENSION_REMOTE_NETWORK) {
      struct address network =
          address_network(&s->remote, network_bits(g, &s->remote));
      memcpy(key, &network, sizeof(network));
    } else if (d == DIMENSION_CONGESTION) {
      strncpy((char *)key, s->congestion, CONGESTION_NAME_SIZE);
    } else {
      memcpy(key, value_of(d, s), size_of(d));
    }
    key += size_of(d);
  }
}

static void address_part(const struct address *a, char *part) {
  char text[ADDRESS_TEXT_MAX];
  snprintf(part, TEXT_CLEAN_MAX, "%s", address_format(a, text));
  for (char *c = part; *c != '\0'; c++)
    if (*c == ':')
      *c = '_';
}

static void network_part(const struct group_settings *g,
                         const struct address *a, char *part) {
  bool ipv4 = address_is_ipv4(a);
  address_part(a, part);
  size_t at = strlen(part);
  snprintf(part + at, TEXT_CLEAN_MAX - at, "_%u",
           ipv4 ? g->prefix_ipv4 : g->prefix_ipv6);
}

static void part_format(const struct group_settings *g, enum dimension d,
                        const uint8_t *key, struct name_lookup *names,
                        char *part) {
  struct socket_attrs s = {0};
  memcpy((void *)value_of(d, &s), key, size_of(d));
  switch (d) {
  case DIMENSION_REMOTE_ADDRESS:
    address_part(&s.remote, part);
    return;
  case DIMENSION_REMOTE_NETWORK:
    network_part(g, &s.remote, part);
    return;
  case DIMENSION_LOCAL_ADDRESS:
    address_part(&s.local, part);
    return;
  case DIMENSION_REMOTE_PORT:
    snprintf(part, TEXT_CLEAN_MAX, "%u", s.remote_port);
    return;
  case DIMENSION_LOCAL_PORT:
    snprintf(part, TEXT_CLEAN_MAX, "%u", s.local_port);
    return;
  case DIMENSION_INTERFACE:
    name_lookup_interface(names, s.interface, part);
    return;
  case DIMENSION_UID:
    name_lookup_user(names, s.uid, part);
    return;
  case DIMENSION_CGROUP:
    name_lookup_cgroup(names, s.cgroup, part);
    return;
  case DIMENSION_CONGESTION:
    text_clean(s.congestion[0] != '\0' ? s.congestion : "none", part);
    return;
  case DIMENSION_DIRECTION:
    snprintf(part, TEXT_CLEAN_MAX, "%s", s.inbound ? "inbound" : "outbound");
    return;
  case DIMENSION_COUNT:
    return;
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
    part_format(g, g->by[i], from, names, part);
    at += (size_t)snprintf(whole + at, sizeof(whole) - at, "%s%s",
                           i > 0 ? "-" : "", part);
    from += size_of(g->by[i]);
  }

  /* "GROUP-MEMBER" has to fit. */
  size_t room = MEMBER_KEY_NAME_MAX - 1 - strlen(g->name) - 1;
  if (at <= room && !distinct) {
    memcpy(name, whole, at + 1);
    return;
  }
  size_t kept = at + TAIL <= room ? at : room - TAIL;
  snprintf(name, MEMBER_KEY_NAME_MAX, "%.*s_%08x", (int)kept, whole,
           (unsigned)hash_fixed(key, key_size(g), 0));
}

bool member_key_name_is_taken(const struct group_settings *g,
                              const char *name) {
  if (strcmp(name, "other") == 0)
    return true;
  return g->worst > 0 && strncmp(name, "worst", 5) == 0 && name[5] != '\0' &&
         strspn(name + 5, "0123456789") == strlen(name + 5);
}
