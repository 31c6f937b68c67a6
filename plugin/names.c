#include "names.h"

#include <fts.h>
#include <inttypes.h>
#include <mntent.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct cgroup {
  uint64_t id;
  char *name;
};

struct names {
  struct cgroup *cgroup; /* by id */
  size_t count, capacity;
  bool walked; /* in this read */
};

struct names *names_new(void) {
  return calloc(1, sizeof(struct names));
}

static void cgroups_forget(struct names *n) {
  while (n->count > 0)
    free(n->cgroup[--n->count].name);
}

void names_free(struct names *n) {
  if (n == NULL)
    return;
  cgroups_forget(n);
  free(n->cgroup);
  free(n);
}

void names_renew(struct names *n) { n->walked = false; }

void names_clean(const char *name, char *text) {
  size_t i = 0;
  for (; name[i] != '\0' && i < NAMES_TEXT_MAX - 1; i++) {
    char c = name[i];
    bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 (c >= '0' && c <= '9') || strchr("_.@-", c) != NULL;
    text[i] = stays ? c : '_';
  }
  text[i] = '\0';
}

void names_user(struct names *n, uint32_t uid, char *text) {
  (void)n;
  struct passwd entry, *found = NULL;
  char buffer[4096];
  if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 &&
      found != NULL && found->pw_name[0] != '\0')
    names_clean(found->pw_name, text);
  else
    snprintf(text, NAMES_TEXT_MAX, "%" PRIu32, uid);
}

void names_interface(struct names *n, uint32_t index, char *text) {
  (void)n;
  char name[IF_NAMESIZE];
  if (index == 0)
    snprintf(text, NAMES_TEXT_MAX, "unbound");
  else if (if_indextoname(index, name) != NULL)
    names_clean(name, text);
  else
    snprintf(text, NAMES_TEXT_MAX, "%" PRIu32, index);
}

/* --- cgroups -------------------------------------------------------------- */

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

bool names_has_cgroups(void) {
  char path[4096];
  return cgroup_mount(path, sizeof(path));
}

static void cgroup_add(struct names *n, uint64_t id, const char *name) {
  if (n->count == n->capacity) {
    size_t capacity = n->capacity < 64 ? 64 : 2 * n->capacity;
    struct cgroup *grown = realloc(n->cgroup, capacity * sizeof(*grown));
    if (grown == NULL)
      return;
    n->cgroup = grown;
    n->capacity = capacity;
  }
  char *copy = strdup(name);
  if (copy != NULL)
    n->cgroup[n->count++] = (struct cgroup){id, copy};
}

static int by_id(const void *a, const void *b) {
  uint64_t x = ((const struct cgroup *)a)->id, y = ((struct cgroup *)b)->id;
  return x < y ? -1 : x > y;
}

static void cgroups_walk(struct names *n) {
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

static const struct cgroup *cgroup_find(const struct names *n, uint64_t id) {
  const struct cgroup wanted = {.id = id};
  if (n->count == 0)
    return NULL;
  return bsearch(&wanted, n->cgroup, n->count, sizeof(*n->cgroup), by_id);
}

void names_cgroup(struct names *n, uint64_t id, char *text) {
  if (id == 0) {
    snprintf(text, NAMES_TEXT_MAX, "none");
    return;
  }
  const struct cgroup *c = cgroup_find(n, id);
  if (c == NULL && !n->walked) {
    n->walked = true;
    cgroups_walk(n);
    c = cgroup_find(n, id);
  }
  if (c != NULL)
    names_clean(c->name, text);
  else
    snprintf(text, NAMES_TEXT_MAX, "%" PRIu64, id);
}
