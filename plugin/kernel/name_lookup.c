#include "kernel/name_lookup.h"

#include "util/array.h"
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

struct cgroup_name {
  uint64_t id;
  char *name;
};

struct name_lookup {
  struct cgroup_name *cgroup; /* in the order of their ids */
  size_t count, capacity;
  bool walked; /* since name_lookup_renew() */
};

struct name_lookup *name_lookup_new(void) {
  return calloc(1, sizeof(struct name_lookup));
}

static void cgroups_forget(struct name_lookup *n) {
  while (n->count > 0)
    free(n->cgroup[--n->count].name);
}

void name_lookup_free(struct name_lookup *n) {
  if (n == NULL)
    return;
  cgroups_forget(n);
  free(n->cgroup);
  free(n);
}

void name_lookup_renew(struct name_lookup *n) { n->walked = false; }

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

void name_lookup_interface(struct name_lookup *n, uint32_t index, char *text) {
  (void)n;
  char name[IF_NAMESIZE];
  if (index == 0)
    snprintf(text, TEXT_CLEAN_MAX, "unbound");
  else if (if_indextoname(index, name) != NULL)
    text_clean(name, text);
  else
    snprintf(text, TEXT_CLEAN_MAX, "%" PRIu32, index);
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

/* Without memory the cgroup keeps its number for a name. */
static void cgroup_add(struct name_lookup *n, uint64_t id, const char *name) {
  if (n->count == n->capacity) {
    size_t capacity = n->capacity < 64 ? 64 : 2 * n->capacity;
    if (!ARRAY_RESIZE(n->cgroup, capacity))
      return;
    n->capacity = capacity;
  }
  char *copy = strdup(name);
  if (copy != NULL)
    n->cgroup[n->count++] = (struct cgroup_name){id, copy};
}

static int by_id(const void *a, const void *b) {
  uint64_t x = ((const struct cgroup_name *)a)->id,
           y = ((struct cgroup_name *)b)->id;
  return x < y ? -1 : x > y;
}

/* Replaces the remembered names by those of all cgroups that there are now. */
static void cgroups_walk(struct name_lookup *n) {
  char top[4096];
  if (!cgroup_mount(top, sizeof(top)))
    return;
  char *paths[] = {top, NULL};
  FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
  if (tree == NULL)
    return;
  cgroups_forget(n);
  for (FTSENT *e; (e = fts_read(tree)) != NULL;)
    if (e->fts_info == FTS_D)
      cgroup_add(n, e->fts_statp->st_ino,
                 e->fts_level == FTS_ROOTLEVEL ? "root" : e->fts_name);
  fts_close(tree);
  if (n->count > 0)
    qsort(n->cgroup, n->count, sizeof(*n->cgroup), by_id);
}

static const struct cgroup_name *cgroup_find(const struct name_lookup *n,
                                             uint64_t id) {
  const struct cgroup_name wanted = {.id = id};
  if (n->count == 0)
    return NULL;
  return bsearch(&wanted, n->cgroup, n->count, sizeof(*n->cgroup), by_id);
}

void name_lookup_cgroup(struct name_lookup *n, uint64_t id, char *text) {
  if (id == 0) {
    snprintf(text, TEXT_CLEAN_MAX, "none");
    return;
  }
  const struct cgroup_name *c = cgroup_find(n, id);
  if (c == NULL && !n->walked) {
    n->walked = true;
    cgroups_walk(n);
    c = cgroup_find(n, id);
  }
  if (c != NULL)
    text_clean(c->name, text);
  else
    snprintf(text, TEXT_CLEAN_MAX, "%" PRIu64, id);
}
