/* A notification is due
 *   1. if a member is not okay, and it is not the member of the last
 *      notification, but was already the worst in the read before: a
 *      short-lived member causes none;
 *   2. if the member of the last notification is not okay, and more severe than
 *      then;
 *   3. if the last notification was not okay, and every member has been okay
 *      for WORST_ALARM_PAUSE_MS;
 * but only WORST_ALARM_PAUSE_MS after the last one. What holds by then is
 * notified then. */
#include "group/worst_alarm.h"

#include <stdio.h>
#include <string.h>

static void name_set(char *to, const char *name) {
  snprintf(to, WORST_ALARM_NAME_MAX, "%s", name);
}

/* Rules 1 and 2. */
static bool is_worse(const struct worst_alarm *a, const char *name,
                     enum worst_alarm_severity severity, bool repeated) {
  bool same_member = strcmp(name, a->name) == 0;
  return same_member ? severity > a->severity : repeated;
}

/* Rule 3. */
static bool is_over(const struct worst_alarm *a, uint64_t now_ms) {
  return a->severity != WORST_ALARM_OKAY &&
         now_ms - a->not_okay_ms >= WORST_ALARM_PAUSE_MS;
}

static bool is_pause(const struct worst_alarm *a, uint64_t now_ms) {
  bool first = a->name[0] == '\0';
  return !first && now_ms - a->notified_ms < WORST_ALARM_PAUSE_MS;
}

bool worst_alarm_enter(struct worst_alarm *a, uint64_t now_ms, const char *name,
                       double value, double warning, double failure) {
  enum worst_alarm_severity severity = WORST_ALARM_OKAY;
  if (name != NULL && value >= warning)
    severity = value >= failure ? WORST_ALARM_FAILURE : WORST_ALARM_WARNING;
  bool okay = severity == WORST_ALARM_OKAY;
  bool repeated = !okay && strcmp(name, a->last) == 0;
  name_set(a->last, okay ? "" : name);
  if (!okay)
    a->not_okay_ms = now_ms;

  bool due = okay ? is_over(a, now_ms) : is_worse(a, name, severity, repeated);
  if (!due || is_pause(a, now_ms))
    return false;
  a->severity = severity;
  a->notified_ms = now_ms;
  if (!okay)
    name_set(a->name, name);
  return true;
}
