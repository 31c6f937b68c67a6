#include "util/key_table.h"

#include "util/array.h"
#include "util/hash.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64, RECORDS_MIN = 16, TRIM_ABOVE = 1024 };

/* Stands before each record; the key stands behind the record:
 *
 *     | record_header 8 | record record_size | key key_size | padding to 8 | */
struct record_header {
  bool used;
  uint32_t next_free; /* of a free record; KEY_TABLE_NONE: the last */
};
_Static_assert(sizeof(struct record_header) % 8 == 0,
               "records are aligned to 8");

struct key_table {
  size_t key_size, key_at, stride; /* bytes */
  struct hash_key secret;
  uint8_t *records;
  uint32_t count, capacity;  /* records, used or free; room */
  uint32_t first_free, used; /* number of a free record; used records */
  uint32_t *slot;            /* record number plus one; 0: empty */
  uint32_t slot_mask;        /* slots minus one, a power of two minus one */
};

static struct record_header *header_at(const struct key_table *t, uint32_t i) {
  return (struct record_header *)(t->records + (size_t)i * t->stride);
}

void *key_table_at(const struct key_table *t, uint32_t i) {
  return header_at(t, i) + 1;
}

const uint8_t *key_table_key(const struct key_table *t, uint32_t i) {
  return (const uint8_t *)header_at(t, i) + t->key_at;
}

uint32_t key_table_end(const struct key_table *t) { return t->count; }

bool key_table_used(const struct key_table *t, uint32_t i) {
  return header_at(t, i)->used;
}

struct key_table *key_table_new(size_t key_size, size_t record_size) {
  struct key_table *t = calloc(1, sizeof(*t));
  if (t == NULL)
    return NULL;
  t->key_size = key_size;
  t->key_at = sizeof(struct record_header) + record_size;
  t->stride = (t->key_at + key_size + 7) & ~(size_t)7;
  t->first_free = KEY_TABLE_NONE;
  hash_key_random(&t->secret);
  t->slot = calloc(SLOTS_MIN, sizeof(*t->slot));
  t->slot_mask = SLOTS_MIN - 1;
  if (t->slot == NULL) {
    key_table_free(t);
    return NULL;
  }
  return t;
}

void key_table_free(struct key_table *t) {
  if (t == NULL)
    return;
  free(t->records);
  free(t->slot);
  free(t);
}

static uint32_t slot_home(const struct key_table *t, const uint8_t *key) {
  return (uint32_t)hash_bytes(key, t->key_size, &t->secret) & t->slot_mask;
}

/* Linear probing. Returns the slot that holds the key; if none does, the empty
 * slot where the key belongs. At least half of the slots are empty. */
static uint32_t slot_find(const struct key_table *t, const uint8_t *key) {
  uint32_t s = slot_home(t, key);
  while (t->slot[s] != 0 &&
         memcmp(key_table_key(t, t->slot[s] - 1), key, t->key_size) != 0)
    s = (s + 1) & t->slot_mask;
  return s;
}

static bool slots_resize(struct key_table *t, uint32_t size) {
  uint32_t *slot = calloc(size, sizeof(*slot));
  if (slot == NULL)
    return false;
  free(t->slot);
  t->slot = slot;
  t->slot_mask = size - 1;
  for (uint32_t i = 0; i < t->count; i++)
    if (key_table_used(t, i))
      t->slot[slot_find(t, key_table_key(t, i))] = i + 1;
  return true;
}

/* Empties the key's slot and moves back the records behind it that it had
 * pushed away from their own slots. */
static void slot_remove(struct key_table *t, const uint8_t *key) {
  uint32_t hole = slot_find(t, key);
  for (uint32_t s = (hole + 1) & t->slot_mask; t->slot[s] != 0;
       s = (s + 1) & t->slot_mask) {
    uint32_t home = slot_home(t, key_table_key(t, t->slot[s] - 1));
    if (((s - home) & t->slot_mask) >= ((s - hole) & t->slot_mask)) {
      t->slot[hole] = t->slot[s];
      hole = s;
    }
  }
  t->slot[hole] = 0;
}

uint32_t key_table_find(const struct key_table *t, const uint8_t *key) {
  uint32_t found = t->slot[slot_find(t, key)];
  return found != 0 ? found - 1 : KEY_TABLE_NONE;
}

static bool records_resize(struct key_table *t, uint32_t capacity) {
  if (!array_resize(&t->records, capacity, t->stride))
    return false;
  t->capacity = capacity;
  return true;
}

uint32_t key_table_add(struct key_table *t, const uint8_t *key) {
  if (t->used >= (t->slot_mask + 1) / 2 &&
      !slots_resize(t, 2 * (t->slot_mask + 1)))
    return KEY_TABLE_NONE;
  uint32_t i = t->first_free;
  if (i != KEY_TABLE_NONE) {
    t->first_free = header_at(t, i)->next_free;
  } else {
    uint32_t more = t->capacity < RECORDS_MIN ? RECORDS_MIN : 2 * t->capacity;
    if (t->count == t->capacity && !records_resize(t, more))
      return KEY_TABLE_NONE;
    i = t->count++;
  }
  struct record_header *h = header_at(t, i);
  memset(h, 0, t->stride);
  memcpy((uint8_t *)h + t->key_at, key, t->key_size);
  t->slot[slot_find(t, key)] = i + 1;
  h->used = true;
  t->used++;
  return i;
}

void key_table_remove(struct key_table *t, uint32_t i) {
  slot_remove(t, key_table_key(t, i));
  struct record_header *h = header_at(t, i);
  h->used = false;
  h->next_free = t->first_free;
  t->first_free = i;
  t->used--;
}

void key_table_trim(struct key_table *t) {
  if (t->count < TRIM_ABOVE || t->used > t->count / 4 ||
      key_table_used(t, t->count - 1))
    return;
  while (t->count > 0 && !key_table_used(t, t->count - 1))
    t->count--;
  t->first_free = KEY_TABLE_NONE; /* the lowest numbers are used first */
  for (uint32_t i = t->count; i-- > 0;) {
    if (key_table_used(t, i))
      continue;
    header_at(t, i)->next_free = t->first_free;
    t->first_free = i;
  }
  records_resize(t, t->count < RECORDS_MIN ? RECORDS_MIN : t->count);
  uint32_t size = SLOTS_MIN;
  while (size / 2 <= t->used)
    size *= 2;
  slots_resize(t, size);
}
