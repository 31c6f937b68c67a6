#include "support/fake_daemon.h"

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fake_daemon fake_daemon;

void fake_daemon_clear(void) {
  free(fake_daemon.value);
  fake_daemon = (struct fake_daemon){0};
}

static void values_resize(size_t capacity) {
  struct fake_daemon *d = &fake_daemon;
  d->capacity = capacity;
  d->value = realloc(d->value, capacity * sizeof(*d->value));
  assert_non_null(d->value);
}

void fake_daemon_reserve(size_t count) {
  if (fake_daemon.capacity < count)
    values_resize(count);
}

/* The types that the plugin uses, as collectd's types.db defines them. */
static bool type_is_derive(const char *type) {
  static const struct {
    const char *name;
    bool derive;
  } stock[] = {{"tcp_connections", false}, {"latency", false},
               {"count", false},           {"bytes", false},
               {"percent", false},         {"total_bytes", true},
               {"memory", false},          {"queue_length", false},
               {"bucket", false},          {"packets", true},
               {"total_time_in_ms", true}, {"total_events", true},
               {"total_connections", true}};
  for (size_t i = 0; i < sizeof(stock) / sizeof(stock[0]); i++)
    if (strcmp(stock[i].name, type) == 0)
      return stock[i].derive;
  fail_msg("type %s", type);
  return false;
}

char *hostname_g = (char *)"host";

char *sstrncpy(char *to, const char *from, size_t size) {
  snprintf(to, size, "%s", from);
  return to;
}

/* Meta data: the text is stored, numbers are not. */
struct meta_data_s {
  char member[128];
};

meta_data_t *meta_data_create(void) {
  return calloc(1, sizeof(struct meta_data_s));
}

int meta_data_add_string(meta_data_t *m, const char *key, const char *value) {
  assert_string_equal(key, "tcpinfo:member");
  sstrncpy(m->member, value, sizeof(m->member));
  return 0;
}

void meta_data_destroy(meta_data_t *m) { free(m); }

static char notification_member[128];

int plugin_notification_meta_add_string(notification_t *n, const char *name,
                                        const char *value) {
  (void)n;
  assert_string_equal(name, "tcpinfo:member");
  sstrncpy(notification_member, value, sizeof(notification_member));
  return 0;
}

int plugin_notification_meta_add_double(notification_t *n, const char *name,
                                        double value) {
  (void)n;
  (void)value;
  assert_string_equal(name, "CurrentValue");
  return 0;
}

int plugin_notification_meta_free(notification_meta_t *n) {
  assert_null(n);
  return 0;
}

int plugin_dispatch_notification(const notification_t *n) {
  assert_true(fake_daemon.notification_count < FAKE_NOTIFICATIONS_MAX);
  struct fake_notification *f =
      &fake_daemon.notification[fake_daemon.notification_count++];
  f->severity = n->severity;
  snprintf(f->name, sizeof(f->name), "%.60s-%.60s/%.60s-%.60s", n->plugin,
           n->plugin_instance, n->type, n->type_instance);
  sstrncpy(f->message, n->message, sizeof(f->message));
  sstrncpy(f->member, notification_member, sizeof(f->member));
  return 0;
}

static cdtime_t now = 1;

cdtime_t cdtime(void) { return now++; }

/* In the C library's place: the monotonic clock that the plugin reads. */
static unsigned passed; /* seconds */

int clock_gettime(clockid_t clock, struct timespec *out) {
  int result = (int)syscall(SYS_clock_gettime, clock, out);
  if (clock == CLOCK_MONOTONIC)
    out->tv_sec += passed;
  return result;
}

void fake_daemon_advance(unsigned seconds) {
  now += TIME_T_TO_CDTIME_T(seconds);
  passed += seconds;
}

void fake_daemon_set_clock(int seconds) {
  now += (cdtime_t)((int64_t)seconds * (int64_t)TIME_T_TO_CDTIME_T(1));
}

int plugin_dispatch_values(value_list_t const *vl) {
  struct fake_daemon *d = &fake_daemon;
  if (d->count == d->capacity)
    values_resize(d->capacity < 64 ? 64 : 2 * d->capacity);
  struct fake_value *v = &d->value[d->count++];
  memset(v, 0, sizeof(*v));
  assert_string_equal(vl->plugin, "tcpinfo");
  assert_true(vl->plugin_instance[0] != '\0');
  assert_true(vl->type_instance[0] != '\0');
  assert_int_equal(vl->values_len, 1);
  snprintf(v->group, sizeof(v->group), "%s", vl->plugin_instance);
  snprintf(v->instance, sizeof(v->instance), "%.60s-%.60s", vl->type,
           vl->type_instance);
  snprintf(v->name, sizeof(v->name), "tcpinfo-%.100s/%s", v->group,
           v->instance);
  v->derive = type_is_derive(vl->type);
  v->time = vl->time;
  if (v->derive)
    v->counter = vl->values[0].derive;
  else
    v->gauge = vl->values[0].gauge;
  if (vl->meta != NULL)
    sstrncpy(v->member, vl->meta->member, sizeof(v->member));
  return 0;
}

const struct fake_value *fake_daemon_find(const char *name) {
  for (size_t i = 0; i < fake_daemon.count; i++)
    if (strcmp(fake_daemon.value[i].name, name) == 0)
      return &fake_daemon.value[i];
  return NULL;
}

double fake_daemon_gauge(const char *name) {
  const struct fake_value *v = fake_daemon_find(name);
  if (v == NULL)
    fail_msg("%s was not dispatched", name);
  assert_false(v->derive);
  return v->gauge;
}

int64_t fake_daemon_counter(const char *name) {
  const struct fake_value *v = fake_daemon_find(name);
  if (v == NULL)
    fail_msg("%s was not dispatched", name);
  assert_true(v->derive);
  return v->counter;
}
