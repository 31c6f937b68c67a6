#include "group/name_registry.h"

#include "util/key_table.h"
#include "util/text.h"

#include <stdlib.h>
#include <string.h>

/* A name's record in the table; its key is a hash of the name. The counters
 * follow. */
struct entry {
  uint64_t owner;
  void *holder; /* NULL: given back */
  uint64_t counter[];
};

struct name_registry {
  struct hash_key secret;
  struct key_table *table;
  size_t numbers;     /* counters of a name */
  size_t count, most; /* names */
};

struct name_registry *name_registry_new(size_t numbers, size_t most) {
  struct name_registry *l = calloc(1, sizeof(*l));
  if (l == NULL)
    return NULL;
  hash_key_random(&l->secret);
  l->numbers = numbers;
  l->most = most;
  l->table = key_table_new(sizeof(uint64_t),
                           sizeof(struct entry) + numbers * sizeof(uint64_t));
  if (l->table == NULL) {
    free(l);
    return NULL;
  }
  return l;
}

void name_registry_free(struct name_registry *l) {
  if (l == NULL)
    return;
  key_table_free(l->table);
  free(l);
}

const struct hash_key *name_registry_secret(const struct name_registry *l) {
  return &l->secret;
}

/* 64 keyed bits stand for the name: nobody can choose names that collide, and
 * by chance two of 65,536 names do so with a probability of 1e-10. */
static uint64_t key_of(const struct name_registry *l, const char *name) {
  char shown[256];
  size_t length = 0;
  for (; name[length] != '\0' && length < sizeof(shown); length++)
    shown[length] = text_in_graphite(name[length]);
  return hash_bytes(shown, length, &l->secret);
}

static struct entry *entry_find(const struct name_registry *l, uint64_t key) {
  uint32_t i = key_table_find(l->table, (const uint8_t *)&key);
  return i != KEY_TABLE_NONE ? key_table_at(l->table, i) : NULL;
}

enum name_claim name_registry_ask(const struct name_registry *l,
                                  const char *name, uint64_t owner,
                                  void **holder) {
  const struct entry *e = entry_find(l, key_of(l, name));
  if (e == NULL)
    return name_registry_is_full(l) ? NAME_REFUSED : NAME_FREE;
  if (e->owner != owner)
    return NAME_FOREIGN;
  if (e->holder == NULL)
    return NAME_FREE;
  *holder = e->holder;
  return NAME_IN_USE;
}

const uint64_t *name_registry_take(struct name_registry *l, const char *name,
                                   uint64_t owner, void *holder) {
  uint64_t key = key_of(l, name);
  struct entry *e = entry_find(l, key);
  if (e == NULL) {
    uint32_t i = key_table_add(l->table, (const uint8_t *)&key);
    if (i == KEY_TABLE_NONE)
      return NULL;
    e = key_table_at(l->table, i);
    e->owner = owner;
    l->count++;
  }
  e->holder = holder;
  return e->counter;
}

void name_registry_give_back(struct name_registry *l, const char *name,
                             const uint64_t *counters) {
  struct entry *e = entry_find(l, key_of(l, name));
  memcpy(e->counter, counters, l->numbers * sizeof(uint64_t));
  e->holder = NULL;
}

bool name_registry_is_scarce(const struct name_registry *l) {
  return l->count > l->most / 2;
}

bool name_registry_is_full(const struct name_registry *l) {
  return l->count >= l->most;
}
