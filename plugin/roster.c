#include "roster.h"

#include "address.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SLOTS_MIN = 64, ENTRIES_MIN = 16, TRIM_ABOVE = 1024 };

/* Before each record; the key stands behind it. */
struct entry {
  bool used;
  uint32_t next_free; /* of a free one; ROSTER_NONE: the last */
};
_Static_assert(sizeof(struct entry) % 8 == 0, "records are aligned to 8");

struct roster {
  size_t key_size, key_at, stride;
  uint64_t seed;
  uint8_t *entries;
  uint32_t count, capacity; /* used or free */
  uint32_t free_entry, used;
  uint32_t *slot; /* hash: entry plus one; 0: empty */
  uint32_t slot_mask;
};

static struct entry *entry_at(const struct roster *r, uint32_t i) {
  return (struct entry *)(r->entries + (size_t)i * r->stride);
}

void *roster_at(const struct roster *r, uint32_t i) {
  return entry_at(r, i) + 1;
}

const uint8_t *roster_key(const struct roster *r, uint32_t i) {
  return (const uint8_t *)entry_at(r, i) + r->key_at;
}

uint32_t roster_end(const struct roster *r) { return r->count; }

bool roster_used(const struct roster *r, uint32_t i) {
  return entry_at(r, i)->used;
}

struct roster *roster_new(size_t key_size, size_t record_size) {
  struct roster *r = calloc(1, sizeof(*r));
  if (r == NULL)
    return NULL;
  r->key_size = key_size;
  r->key_at = sizeof(struct entry) + record_size;
  r->stride = (r->key_at + key_size + 7) & ~(size_t)7;
  r->free_entry = ROSTER_NONE;
  if (getrandom(&r->seed, sizeof(r->seed), GRND_NONBLOCK) < 0)
    r->seed = (uintptr_t)r;
  r->slot = calloc(SLOTS_MIN, sizeof(*r->slot));
  r->slot_mask = SLOTS_MIN - 1;
  if (r->slot == NULL) {
    roster_free(r);
    return NULL;
  }
  return r;
}

void roster_free(struct roster *r) {
  if (r == NULL)
    return;
  free(r->entries);
  free(r->slot);
  free(r);
}

static uint32_t slot_home(const struct roster *r, const uint8_t *key) {
  return (uint32_t)hash_bytes(key, r->key_size, r->seed) & r->slot_mask;
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint32_t slot_find(const struct roster *r, const uint8_t *key) {
  uint32_t s = slot_home(r, key);
  while (r->slot[s] != 0 &&
         memcmp(roster_key(r, r->slot[s] - 1), key, r->key_size) != 0)
    s = (s + 1) & r->slot_mask;
  return s;
}

static bool slots_resize(struct roster *r, uint32_t size) {
  uint32_t *slot = calloc(size, sizeof(*slot));
  if (slot == NULL)
    return false;
  free(r->slot);
  r->slot = slot;
  r->slot_mask = size - 1;
  for (uint32_t i = 0; i < r->count; i++)
    if (roster_used(r, i))
      r->slot[slot_find(r, roster_key(r, i))] = i + 1;
  return true;
}

/* Takes the key out of the hash: what was pushed past it moves back. */
static void slot_remove(struct roster *r, const uint8_t *key) {
  uint32_t hole = slot_find(r, key);
  for (uint32_t s = (hole + 1) & r->slot_mask; r->slot[s] != 0;
       s = (s + 1) & r->slot_mask) {
    uint32_t home = slot_home(r, roster_key(r, r->slot[s] - 1));
    if (((s - home) & r->slot_mask) >= ((s - hole) & r->slot_mask)) {
      r->slot[hole] = r->slot[s];
      hole = s;
    }
  }
  r->slot[hole] = 0;
}

uint32_t roster_find(const struct roster *r, const uint8_t *key) {
  uint32_t found = r->slot[slot_find(r, key)];
  return found != 0 ? found - 1 : ROSTER_NONE;
}

static bool entries_resize(struct roster *r, uint32_t capacity) {
  uint8_t *entries = realloc(r->entries, capacity * r->stride);
  if (entries == NULL)
    return false;
  r->entries = entries;
  r->capacity = capacity;
  return true;
}

uint32_t roster_add(struct roster *r, const uint8_t *key) {
  if (r->used >= (r->slot_mask + 1) / 2 &&
      !slots_resize(r, 2 * (r->slot_mask + 1)))
    return ROSTER_NONE;
  uint32_t i = r->free_entry;
  if (i != ROSTER_NONE) {
    r->free_entry = entry_at(r, i)->next_free;
  } else {
    uint32_t more = r->capacity < ENTRIES_MIN ? ENTRIES_MIN : 2 * r->capacity;
    if (r->count == r->capacity && !entries_resize(r, more))
      return ROSTER_NONE;
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

void roster_remove(struct roster *r, uint32_t i) {
  slot_remove(r, roster_key(r, i));
  struct entry *e = entry_at(r, i);
  e->used = false;
  e->next_free = r->free_entry;
  r->free_entry = i;
  r->used--;
}

void roster_trim(struct roster *r) {
  if (r->count < TRIM_ABOVE || r->used > r->count / 4 ||
      roster_used(r, r->count - 1))
    return;
  while (r->count > 0 && !roster_used(r, r->count - 1))
    r->count--;
  r->free_entry = ROSTER_NONE; /* those in front are used first */
  for (uint32_t i = r->count; i-- > 0;) {
    if (roster_used(r, i))
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
