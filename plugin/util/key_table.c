#include "util/key_table.h"

#include "util/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SLOTS_MIN = 64, ENTRIES_MIN = 16, TRIM_ABOVE = 1024 };

/* Before each record; the key stands behind it. */
struct entry {
  bool used;
  uint32_t next_free; /* of a free one; KEY_TABLE_NONE: the last */
};
_Static_assert(sizeof(struct entry) % 8 == 0, "records are aligned to 8");

struct key_table {
  size_t key_size, key_at, stride;
  uint64_t seed;
  uint8_t *entries;
  uint32_t count, capacity; /* used or free */
  uint32_t free_entry, used;
  uint32_t *slot; /* hash: entry plus one; 0: empty */
  uint32_t slot_mask;
};

static struct entry *entry_at(const struct key_table *r, uint32_t i) {
  return (struct entry *)(r->entries + (size_t)i * r->stride);
}

void *key_table_at(const struct key_table *r, uint32_t i) {
  return entry_at(r, i) + 1;
}

const uint8_t *key_table_key(const struct key_table *r, uint32_t i) {
  return (const uint8_t *)entry_at(r, i) + r->key_at;
}

uint32_t key_table_end(const struct key_table *r) { return r->count; }

bool key_table_used(const struct key_table *r, uint32_t i) {
  return entry_at(r, i)->used;
}

struct key_table *key_table_new(size_t key_size, size_t record_size) {
  struct key_table *r = calloc(1, sizeof(*r));
  if (r == NULL)
    return NULL;
  r->key_size = key_size;
  r->key_at = sizeof(struct entry) + record_size;
  r->stride = (r->key_at + key_size + 7) & ~(size_t)7;
  r->free_entry = KEY_TABLE_NONE;
  if (getrandom(&r->seed, sizeof(r->seed), GRND_NONBLOCK) < 0)
    r->seed = (uintptr_t)r;
  r->slot = calloc(SLOTS_MIN, sizeof(*r->slot));
  r->slot_mask = SLOTS_MIN - 1;
  if (r->slot == NULL) {
    key_table_free(r);
    return NULL;
  }
  return r;
}

void key_table_free(struct key_table *r) {
  if (r == NULL)
    return;
  free(r->entries);
  free(r->slot);
  free(r);
}

static uint32_t slot_home(const struct key_table *r, const uint8_t *key) {
  return (uint32_t)hash_bytes(key, r->key_size, r->seed) & r->slot_mask;
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint32_t slot_find(const struct key_table *r, const uint8_t *key) {
  uint32_t s = slot_home(r, key);
  while (r->slot[s] != 0 &&
         memcmp(key_table_key(r, r->slot[s] - 1), key, r->key_size) != 0)
    s = (s + 1) & r->slot_mask;
  return s;
}

static bool slots_resize(struct key_table *r, uint32_t size) {
  uint32_t *slot = calloc(size, sizeof(*slot));
  if (slot == NULL)
    return false;
  free(r->slot);
  r->slot = slot;
  r->slot_mask = size - 1;
  for (uint32_t i = 0; i < r->count; i++)
    if (key_table_used(r, i))
      r->slot[slot_find(r, key_table_key(r, i))] = i + 1;
  return true;
}

/* Takes the key out of the hash: what was pushed past it moves back. */
static void slot_remove(struct key_table *r, const uint8_t *key) {
  uint32_t hole = slot_find(r, key);
  for (uint32_t s = (hole + 1) & r->slot_mask; r->slot[s] != 0;
       s = (s + 1) & r->slot_mask) {
    uint32_t home = slot_home(r, key_table_key(r, r->slot[s] - 1));
    if (((s - home) & r->slot_mask) >= ((s - hole) & r->slot_mask)) {
      r->slot[hole] = r->slot[s];
      hole = s;
    }
  }
  r->slot[hole] = 0;
}

uint32_t key_table_find(const struct key_table *r, const uint8_t *key) {
  uint32_t found = r->slot[slot_find(r, key)];
  return found != 0 ? found - 1 : KEY_TABLE_NONE;
}

static bool entries_resize(struct key_table *r, uint32_t capacity) {
  uint8_t *entries = realloc(r->entries, capacity * r->stride);
  if (entries == NULL)
    return false;
  r->entries = entries;
  r->capacity = capacity;
  return true;
}

uint32_t key_table_add(struct key_table *r, const uint8_t *key) {
  if (r->used >= (r->slot_mask + 1) / 2 &&
      !slots_resize(r, 2 * (r->slot_mask + 1)))
    return KEY_TABLE_NONE;
  uint32_t i = r->free_entry;
  if (i != KEY_TABLE_NONE) {
    r->free_entry = entry_at(r, i)->next_free;
  } else {
    uint32_t more = r->capacity < ENTRIES_MIN ? ENTRIES_MIN : 2 * r->capacity;
    if (r->count == r->capacity && !entries_resize(r, more))
      return KEY_TABLE_NONE;
    i = r->count++;
  }
  struct entry *e = entry_at(r, i);
  memset(e, 0, r->stride);
  memcpy((uint8_t *)e + r->key_at, key, r->key_size);
  r->slot[slot_find(r, key)] = i + 1;
  e->used = true;
  r->used++;
  return i;
}

void key_table_remove(struct key_table *r, uint32_t i) {
  slot_remove(r, key_table_key(r, i));
  struct entry *e = entry_at(r, i);
  e->used = false;
  e->next_free = r->free_entry;
  r->free_entry = i;
  r->used--;
}

void key_table_trim(struct key_table *r) {
  if (r->count < TRIM_ABOVE || r->used > r->count / 4 ||
      key_table_used(r, r->count - 1))
    return;
  while (r->count > 0 && !key_table_used(r, r->count - 1))
    r->count--;
  r->free_entry = KEY_TABLE_NONE; /* those in front are used first */
  for (uint32_t i = r->count; i-- > 0;) {
    if (key_table_used(r, i))
      continue;
    entry_at(r, i)->next_free = r->free_entry;
    r->free_entry = i;
  }
  entries_resize(r, r->count < ENTRIES_MIN ? ENTRIES_MIN : r->count);
  uint32_t size = SLOTS_MIN;
  while (size / 2 <= r->used)
    size *= 2;
  slots_resize(r, size);
}
