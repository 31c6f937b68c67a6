#include "kernel/name_lookup.h"

#include "util/array.h"
#include "util/key_table.h"
#include "util/text.h"

#include <fts.h>
#include <inttypes.h>
#include <mntent.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct cgroup_path {
  uint64_t id;
  char *path;
};

struct device {
  uint32_t read; /* the number of the read that looked the name up */
  bool exists;
  char name[IF_NAMESIZE];
};

/* Numbers come and go for ever, so tables with more entries are made anew. */
enum { ENTRIES_MOST = 4096 };

struct name_lookup {
  struct cgroup_path *cgroup; /* in the order of their ids */
  size_t count, capacity;
  bool walked;            /* since name_lookup_renew() */
  bool complete;          /* the last walk found all cgroups */
  struct key_table *gone; /* ids of cgroups that are gone; no records */
  size_t gone_count;
  struct key_table *devices; /* struct device by index */
  size_t device_count;
  uint32_t read; /* number of this read */
};

struct name_lookup *name_lookup_new(void) {
  struct name_lookup *n = calloc(1, sizeof(*n));
  if (n == NULL)
    return NULL;
  n->read = 1;
  n->gone = key_table_new(sizeof(uint64_t), 0);
  n->devices = key_table_new(sizeof(uint32_t), sizeof(struct device));
  if (n->gone != NULL && n->devices != NULL)
    return n;
  name_lookup_free(n);
  return NULL;
}

static void cgroups_forget(struct name_lookup *n) {
  while (n->count > 0)
    free(n->cgroup[--n->count].path);
}

void name_lookup_free(struct name_lookup *n) {
  if (n == NULL)
    return;
  cgroups_forget(n);
  free(n->cgroup);
  key_table_free(n->gone);
  key_table_free(n->devices);
  free(n);
}

/* Empties a table that has become large; without memory it stays. */
static void table_renew(struct key_table **table, size_t *count,
                        size_t key_size, size_t record_size) {
  if (*count < ENTRIES_MOST)
    return;
  struct key_table *empty = key_table_new(key_size, record_size);
  if (empty == NULL)
    return;
  key_table_free(*table);
  *table = empty;
  *count = 0;
}

void name_lookup_renew(struct name_lookup *n) {
  n->walked = false;
  n->read++;
  table_renew(&n->gone, &n->gone_count, sizeof(uint64_t), 0);
  table_renew(&n->devices, &n->device_count, sizeof(uint32_t),
              sizeof(struct device));
}

void name_lookup_user(struct name_lookup *n, uint32_t uid, char *text) {
  (void)n;
  struct passwd entry, *found = NULL;
  char buffer[4096];
  if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 &&
      found != NULL && found->pw_name[0] != '\0')
    text_clean(found->pw_name, text);
  else
    snprintf(text, TEXT_CLEAN_MAX, "%" PRIu32, uid);
}

static struct device *device_at(struct name_lookup *n, uint32_t index) {
  const uint8_t *key = (const uint8_t *)&index;
  uint32_t i = key_table_find(n->devices, key);
  if (i == KEY_TABLE_NONE) {
    i = key_table_add(n->devices, key);
    n->device_count += i != KEY_TABLE_NONE;
  }
  return i != KEY_TABLE_NONE ? key_table_at(n->devices, i) : NULL;
}

const char *name_lookup_interface(struct name_lookup *n, uint32_t index) {
  struct device *d = device_at(n, index);
  if (d == NULL)
    return NULL;
  if (d->read != n->read) {
    d->exists = if_indextoname(index, d->name) != NULL;
    d->read = n->read;
  }
  return d->exists ? d->name : NULL;
}

/* --- cgroups -------------------------------------------------------------- */

/* Finds the folder that a cgroup v2 is mounted on. */
static bool cgroup_mount(char *path, size_t size) {
  bool found = false;
  FILE *mounts = setmntent("/proc/self/mounts", "r");
  if (mounts == NULL)
    return false;
  for (struct mntent *m; !found && (m = getmntent(mounts)) != NULL;)
    if (strcmp(m->mnt_type, "cgroup2") == 0)
      found = snprintf(path, size, "%s", m->mnt_dir) < (int)size;
  endmntent(mounts);
  return found;
}

bool name_lookup_has_cgroups(void) {
  char path[4096];
  return cgroup_mount(path, sizeof(path));
}

/* False: out of memory. */
static bool cgroup_add(struct name_lookup *n, uint64_t id, const char *path) {
  if (n->count == n->capacity) {
    size_t capacity = n->capacity < 64 ? 64 : 2 * n->capacity;
    if (!ARRAY_RESIZE(n->cgroup, capacity))
      return false;
    n->capacity = capacity;
  }
  char *copy = strdup(path);
  if (copy == NULL)
    return false;
  n->cgroup[n->count++] = (struct cgroup_path){id, copy};
  return true;
}

static int by_id(const void *a, const void *b) {
  uint64_t x = ((const struct cgroup_path *)a)->id,
           y = ((const struct cgroup_path *)b)->id;
  return x < y ? -1 : x > y;
}

/* Replaces the remembered paths by those of all cgroups that there are now. A
 * folder that goes while the walk is under way is no error. */
static void cgroups_walk(struct name_lookup *n) {
  char top[4096];
  n->complete = false;
  if (!cgroup_mount(top, sizeof(top)))
    return;
  char *paths[] = {top, NULL};
  FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
  if (tree == NULL)
    return;
  cgroups_forget(n);
  n->complete = true;
  size_t above = strlen(top) + 1;
  for (FTSENT *e; (e = fts_read(tree)) != NULL;)
    if (e->fts_info == FTS_D)
      n->complete &=
          cgroup_add(n, e->fts_statp->st_ino,
                     e->fts_level == FTS_ROOTLEVEL ? "" : e->fts_path + above);
  fts_close(tree);
  if (n->count > 0)
    qsort(n->cgroup, n->count, sizeof(*n->cgroup), by_id);
}

static const char *cgroup_find(const struct name_lookup *n, uint64_t id) {
  const struct cgroup_path wanted = {.id = id};
  if (n->count == 0)
    return NULL;
  const struct cgroup_path *found =
      bsearch(&wanted, n->cgroup, n->count, sizeof(*n->cgroup), by_id);
  return found != NULL ? found->path : NULL;
}

/* A socket's cgroup is made before the socket is shown and has no other id
 * later: if a whole walk after the dump does not find it, it is gone for good.
 */
static void gone_add(struct name_lookup *n, uint64_t id) {
  if (key_table_add(n->gone, (const uint8_t *)&id) != KEY_TABLE_NONE)
    n->gone_count++;
}

const char *name_lookup_cgroup(struct name_lookup *n, uint64_t id, bool *gone) {
  const char *path = cgroup_find(n, id);
  *gone = path == NULL &&
          key_table_find(n->gone, (const uint8_t *)&id) != KEY_TABLE_NONE;
  if (path != NULL || *gone)
    return path;
  if (!n->walked) {
    n->walked = true;
    cgroups_walk(n);
    path = cgroup_find(n, id);
  }
  *gone = path == NULL && n->complete;
  if (*gone)
    gone_add(n, id);
  return path;
}
