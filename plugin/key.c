#include "key.h"

#include <stdio.h>
#include <string.h>

static size_t size_of(enum dimension d) {
  return d == DIMENSION_REMOTE_ADDRESS ? sizeof(struct address)
                                       : sizeof(uint16_t);
}

static const void *value_of(enum dimension d, const struct tuple *t) {
  switch (d) {
  case DIMENSION_REMOTE_ADDRESS:
    return &t->remote;
  case DIMENSION_REMOTE_PORT:
    return &t->remote_port;
  default:
    return &t->local_port;
  }
}

size_t key_size(const struct group_settings *g) {
  size_t size = 0;
  for (size_t i = 0; i < g->by_count; i++)
    size += size_of(g->by[i]);
  return size;
}

void key_make(const struct group_settings *g, const struct tuple *t,
              uint8_t *key) {
  for (size_t i = 0; i < g->by_count; i++) {
    memcpy(key, value_of(g->by[i], t), size_of(g->by[i]));
    key += size_of(g->by[i]);
  }
}

static void address_part(const uint8_t *key, char *part) {
  struct address a;
  memcpy(&a, key, sizeof(a));
  address_format(&a, part);
  for (char *c = part; *c != '\0'; c++)
    if (*c == ':')
      *c = '_';
}

static void port_part(const uint8_t *key, char *part) {
  uint16_t port;
  memcpy(&port, key, sizeof(port));
  snprintf(part, ADDRESS_TEXT_MAX, "%u", port);
}

void key_format(const struct group_settings *g, const uint8_t *key,
                char name[KEY_NAME_MAX]) {
  size_t at = 0;
  for (size_t i = 0; i < g->by_count; i++) {
    char part[ADDRESS_TEXT_MAX];
    if (g->by[i] == DIMENSION_REMOTE_ADDRESS)
      address_part(key, part);
    else
      port_part(key, part);
    at += (size_t)snprintf(name + at, KEY_NAME_MAX - at, "%s%s",
                           i > 0 ? "-" : "", part);
    key += size_of(g->by[i]);
  }
}
