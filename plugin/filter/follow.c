#include "filter/follow.h"

#include "filter/service_retry.h"
#include "util/array.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 60000 };

static const struct follow_host this_host = {
    .look = {[SELECTOR_NAME_DEVICE] = id_lookup_device,
             [SELECTOR_NAME_CGROUP] = id_lookup_cgroup,
             [SELECTOR_NAME_LOCAL_PORTS] = id_lookup_local_ports,
             [SELECTOR_NAME_SERVICE] = id_lookup_service},
    .retry_ms = RETRY_MS,
};

/* A distinct name; `target` is that of one of its conditions. */
struct followed {
  enum selector_name_kind kind;
  const char *target;
  bool known;
  uint64_t id; /* if known, as its look-up returns it */
};

struct follower {
  struct selector *node;
  size_t followed; /* the number of its name */
};

struct follow {
  struct follow_host host;
  struct followed *followed;
  size_t followed_count;
  struct follower *follower;
  size_t follower_count;
  struct service_retry *services; /* NULL: none */
  bool no_memory;                 /* in follow_add() */
};

struct follow *follow_new(const struct follow_host *host) {
  struct follow *f = calloc(1, sizeof(*f));
  if (f != NULL)
    f->host = host != NULL ? *host : this_host;
  return f;
}

void follow_free(struct follow *f) {
  if (f == NULL)
    return;
  service_retry_free(f->services);
  free(f->followed);
  free(f->follower);
  free(f);
}

/* --- names and their conditions ------------------------------------------- */

static int service_add(struct follow *f, const char *name) {
  if (f->services == NULL)
    f->services = service_retry_new(f->host.look[SELECTOR_NAME_SERVICE],
                                    f->host.retry_ms);
  return f->services != NULL ? service_retry_add(f->services, name) : -1;
}

/* Returns the number of the name, which is new or known; followed_count: out of
 * memory. */
static size_t followed_find(struct follow *f, const struct selector_name *n) {
  for (size_t i = 0; i < f->followed_count; i++)
    if (f->followed[i].kind == n->kind &&
        strcmp(f->followed[i].target, n->target) == 0)
      return i;
  if (!ARRAY_RESIZE(f->followed, f->followed_count + 1) ||
      (n->kind == SELECTOR_NAME_SERVICE && service_add(f, n->target) != 0))
    return f->followed_count;
  f->followed[f->followed_count] =
      (struct followed){.kind = n->kind, .target = n->target};
  return f->followed_count++;
}

static void on_name(struct selector *node, void *data) {
  struct follow *f = data;
  size_t followed = followed_find(f, node->name);
  f->no_memory |= followed == f->followed_count ||
                  !ARRAY_RESIZE(f->follower, f->follower_count + 1);
  if (!f->no_memory)
    f->follower[f->follower_count++] = (struct follower){node, followed};
}

int follow_add(struct follow *f, struct selector *tree) {
  selector_each_name(tree, on_name, f);
  return f->no_memory ? -1 : 0;
}

bool follow_any(const struct follow *f) { return f->follower_count > 0; }

/* --- what a name means ---------------------------------------------------- */

static void look_up(const struct follow *f, struct followed *name) {
  uint64_t id;
  enum id_lookup answer = ID_FAILED;
  if (name->kind != SELECTOR_NAME_SERVICE)
    answer = f->host.look[name->kind](name->target, &id);
  else if (service_retry_get(f->services, name->target, &id))
    answer = ID_FOUND;
  switch (answer) {
  case ID_FOUND:
    name->known = true;
    name->id = id;
    return;
  case ID_ABSENT:
    name->known &= name->kind == SELECTOR_NAME_CGROUP;
    return;
  case ID_FAILED:
    return;
  }
}

/* Returns whether the list has changed. Without memory for a former id, it
 * changes in a later read. */
static bool value_take(struct selector *s, const struct followed *name) {
  bool same = s->count > 0 && s->value[0].value == name->id;
  if (name->known ? same : s->count == 0)
    return false;
  struct selector_value value = {.value = name->id, .mask = UINT64_MAX};
  if (s->op == SELECTOR_CGROUP && s->count > 0) {
    size_t kept = s->count + s->former;
    if (!ARRAY_RESIZE(s->value, kept + 1))
      return false;
    memmove(s->value + 1, s->value, kept * sizeof(*s->value));
    s->former = kept;
  }
  s->value[0] = value;
  s->count = name->known;
  return true;
}

static struct port_range range_of(const struct selector_name *n, uint64_t id) {
  long low = (long)(id >> 16), high = (long)(id & UINT16_MAX);
  if (n->kind == SELECTOR_NAME_SERVICE) {
    low = high + n->low;
    high += n->high;
  }
  if (low > UINT16_MAX || high < 0)
    return (struct port_range){UINT16_MAX, 0}; /* no port */
  return (struct port_range){(uint16_t)(low > 0 ? low : 0),
                             (uint16_t)(high < UINT16_MAX ? high : UINT16_MAX)};
}

static bool ports_take(struct selector *s, const struct followed *name) {
  struct port_range range = {UINT16_MAX, 0};
  if (name->known)
    range = range_of(s->name, name->id);
  size_t count = range.low <= range.high;
  if (count == s->count && (count == 0 || (s->port[0].low == range.low &&
                                           s->port[0].high == range.high)))
    return false;
  s->port[0] = range;
  s->count = count;
  return true;
}

bool follow_read(struct follow *f) {
  for (size_t i = 0; i < f->followed_count; i++)
    look_up(f, &f->followed[i]);
  bool changed = false;
  for (size_t i = 0; i < f->follower_count; i++) {
    struct selector *s = f->follower[i].node;
    const struct followed *name = &f->followed[f->follower[i].followed];
    changed |= selector_table[s->op].list == SELECTOR_PORTS
                   ? ports_take(s, name)
                   : value_take(s, name);
  }
  return changed;
}

bool follow_settle(struct follow *f) {
  bool any = false;
  for (size_t i = 0; i < f->follower_count; i++) {
    any |= f->follower[i].node->former > 0;
    f->follower[i].node->former = 0;
  }
  return any;
}
