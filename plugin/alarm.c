#include "alarm.h"

#include <stdio.h>
#include <string.h>

bool alarm_judge(struct alarm *a, uint64_t now_ms, const char *name,
                 double value, double warning, double failure) {
  enum alarm_severity severity = ALARM_OKAY;
  if (name != NULL && value >= warning)
    severity = value >= failure ? ALARM_FAILURE : ALARM_WARNING;
  if (severity == ALARM_OKAY && a->severity == ALARM_OKAY)
    return false;
  bool other = severity != ALARM_OKAY && strcmp(name, a->name) != 0;
  if (!other && severity != ALARM_OKAY && severity <= a->severity)
    return false;
  bool first = a->name[0] == '\0';
  if (!first && now_ms - a->said_ms < ALARM_PAUSE_MS)
    return false;
  a->severity = severity;
  a->said_ms = now_ms;
  if (severity != ALARM_OKAY)
    snprintf(a->name, sizeof(a->name), "%s", name);
  return true;
}
