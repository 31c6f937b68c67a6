/* See selector.h. */
#include "selector.h"

#include <stdlib.h>
#include <string.h>

struct selector *selector_new(enum selector_op op) {
  struct selector *s = calloc(1, sizeof(*s));
  if (s != NULL)
    s->op = op;
  return s;
}

void selector_free(struct selector *s) {
  if (s == NULL)
    return;
  if (s->child != NULL)
    for (size_t i = 0; i < s->count; i++)
      selector_free(s->child[i]);
  free(s->child);
  free(s->port);
  free(s->prefix);
  free(s);
}

int selector_add_child(struct selector *s, struct selector *child) {
  if (child == NULL)
    return -1;
  struct selector **grown =
      realloc(s->child, (s->count + 1) * sizeof(*s->child));
  if (grown == NULL) {
    selector_free(child);
    return -1;
  }
  s->child = grown;
  s->child[s->count++] = child;
  return 0;
}

int selector_add_port(struct selector *s, struct port_range port) {
  /* Those from `first` up to, without, `last` overlap or touch the new one. */
  size_t first = 0;
  while (first < s->count && s->port[first].high + 1 < port.low)
    first++;
  size_t last = first;
  while (last < s->count && s->port[last].low <= port.high + 1)
    last++;

  if (first == last) {
    struct port_range *grown =
        realloc(s->port, (s->count + 1) * sizeof(*s->port));
    if (grown == NULL)
      return -1;
    s->port = grown;
  } else {
    if (s->port[first].low < port.low)
      port.low = s->port[first].low;
    if (s->port[last - 1].high > port.high)
      port.high = s->port[last - 1].high;
  }
  memmove(s->port + first + 1, s->port + last,
          (s->count - last) * sizeof(*s->port));
  s->port[first] = port;
  s->count += 1 - (last - first);
  return 0;
}

int selector_add_prefix(struct selector *s, struct prefix prefix) {
  struct prefix *grown =
      realloc(s->prefix, (s->count + 1) * sizeof(*s->prefix));
  if (grown == NULL)
    return -1;
  s->prefix = grown;
  s->prefix[s->count++] = prefix;
  return 0;
}

static bool port_matches(const struct selector *s, uint16_t port) {
  for (size_t i = 0; i < s->count && s->port[i].low <= port; i++)
    if (port <= s->port[i].high)
      return true;
  return false;
}

static bool address_matches(const struct selector *s, const struct address *a) {
  for (size_t i = 0; i < s->count; i++)
    if (prefix_match(&s->prefix[i], a))
      return true;
  return false;
}

static bool loopback_matches(const struct tuple *t) {
  return address_is_loopback(&t->local) || address_is_loopback(&t->remote) ||
         (address_equal(&t->local, &t->remote) && !address_is_any(&t->local));
}

bool selector_match(const struct selector *s, const struct tuple *t) {
  switch (s->op) {
  case SELECTOR_AND:
    for (size_t i = 0; i < s->count; i++)
      if (!selector_match(s->child[i], t))
        return false;
    return true;
  case SELECTOR_OR:
    for (size_t i = 0; i < s->count; i++)
      if (selector_match(s->child[i], t))
        return true;
    return false;
  case SELECTOR_NOT:
    return !selector_match(s->child[0], t);
  case SELECTOR_LOCAL_PORT:
    return port_matches(s, t->local_port);
  case SELECTOR_REMOTE_PORT:
    return port_matches(s, t->remote_port);
  case SELECTOR_LOCAL_ADDRESS:
    return address_matches(s, &t->local);
  case SELECTOR_REMOTE_ADDRESS:
    return address_matches(s, &t->remote);
  case SELECTOR_LOOPBACK:
    return loopback_matches(t);
  case SELECTOR_OP_COUNT:
    break;
  }
  return false;
}
