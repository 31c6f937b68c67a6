#include "connection/listeners.h"

#include <string.h>

void listeners_begin(struct listeners *l) {
  memset(l->next, 0, sizeof(l->next));
}

void listeners_add(struct listeners *l, uint16_t port) {
  l->next[port / 8] |= (uint8_t)(1u << port % 8);
}

void listeners_end(struct listeners *l) {
  memcpy(l->complete, l->next, sizeof(l->complete));
}

bool listeners_has(const struct listeners *l, uint16_t port) {
  return (l->complete[port / 8] | l->next[port / 8]) >> port % 8 & 1;
}
