#include "filter/service_retry.h"

#include "util/array.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct service {
  char *name;
  bool found;
  uint64_t port;
};

/* The thread may outlive its owner, in a look-up that takes long: whoever is
 * the last frees. */
struct service_retry {
  id_lookup_fn *look;
  unsigned pause_ms;
  struct service *service; /* names and count do not change with the thread */
  size_t count;
  bool started; /* the owner alone looks at it */

  pthread_mutex_t lock; /* of the rest, and of what was found */
  pthread_cond_t stopped;
  bool stop;
  unsigned users; /* the owner and the thread */
};

struct service_retry *service_retry_new(id_lookup_fn *look, unsigned pause_ms) {
  struct service_retry *r = calloc(1, sizeof(*r));
  if (r == NULL)
    return NULL;
  r->look = look;
  r->pause_ms = pause_ms;
  r->users = 1;
  pthread_mutex_init(&r->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&r->stopped, &attributes);
  pthread_condattr_destroy(&attributes);
  return r;
}

/* Ends one use; the lock is held, and is not afterwards. */
static void unlock_and_leave(struct service_retry *r) {
  bool last = --r->users == 0;
  pthread_mutex_unlock(&r->lock);
  if (!last)
    return;
  pthread_cond_destroy(&r->stopped);
  pthread_mutex_destroy(&r->lock);
  for (size_t i = 0; i < r->count; i++)
    free(r->service[i].name);
  free(r->service);
  free(r);
}

void service_retry_free(struct service_retry *r) {
  if (r == NULL)
    return;
  pthread_mutex_lock(&r->lock);
  r->stop = true;
  pthread_cond_signal(&r->stopped);
  unlock_and_leave(r);
}

int service_retry_add(struct service_retry *r, const char *name) {
  char *copy = strdup(name);
  if (copy == NULL || !ARRAY_RESIZE(r->service, r->count + 1)) {
    free(copy);
    return -1;
  }
  r->service[r->count++] = (struct service){.name = copy};
  return 0;
}

/* Looks up what is not found yet; the lock is held, but not in a look-up.
 * Returns whether all are found. */
static bool look_up(struct service_retry *r) {
  bool all = true;
  for (size_t i = 0; i < r->count && !r->stop; i++) {
    struct service *s = &r->service[i];
    uint64_t port;
    if (s->found)
      continue;
    pthread_mutex_unlock(&r->lock);
    bool found = r->look(s->name, &port) == ID_FOUND;
    pthread_mutex_lock(&r->lock);
    s->found = found;
    if (found)
      s->port = port;
    all &= found;
  }
  return all;
}

static void pause_until_stop(struct service_retry *r) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  uint64_t ns =
      (uint64_t)until.tv_nsec + r->pause_ms % 1000 * UINT64_C(1000000);
  until.tv_sec += r->pause_ms / 1000 + (time_t)(ns / 1000000000);
  until.tv_nsec = (long)(ns % 1000000000);
  int status = 0;
  while (!r->stop && status == 0)
    status = pthread_cond_timedwait(&r->stopped, &r->lock, &until);
}

static void *run(void *data) {
  struct service_retry *r = data;
  pthread_setname_np(pthread_self(), "tcpinfo-names");
  pthread_mutex_lock(&r->lock);
  while (!r->stop && !look_up(r))
    pause_until_stop(r);
  unlock_and_leave(r);
  return NULL;
}

/* If there is no thread to be had, the next call tries again. */
static void start(struct service_retry *r) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  r->users++;
  r->started = pthread_create(&thread, NULL, run, r) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (r->started)
    pthread_detach(thread);
  else
    r->users--;
}

bool service_retry_get(struct service_retry *r, const char *name,
                       uint64_t *port) {
  bool found = false;
  pthread_mutex_lock(&r->lock);
  if (!r->started)
    start(r);
  for (size_t i = 0; i < r->count && !found; i++) {
    const struct service *s = &r->service[i];
    found = s->found && strcmp(s->name, name) == 0;
    if (found)
      *port = s->port;
  }
  pthread_mutex_unlock(&r->lock);
  return found;
}
