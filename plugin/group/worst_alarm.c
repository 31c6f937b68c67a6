#include "group/worst_alarm.h"

#include <stdio.h>
#include <string.h>

static void name_set(char *to, const char *name) {
  snprintf(to, WORST_ALARM_NAME_MAX, "%s", name);
}

bool worst_alarm_judge(struct worst_alarm *a, uint64_t now_ms, const char *name,
                       double value, double warning, double failure) {
  enum worst_alarm_severity severity = WORST_ALARM_OKAY;
  if (name != NULL && value >= warning)
    severity = value >= failure ? WORST_ALARM_FAILURE : WORST_ALARM_WARNING;
  bool bad = severity != WORST_ALARM_OKAY;
  bool again = bad && strcmp(name, a->candidate) == 0;
  name_set(a->candidate, bad ? name : "");
  if (bad)
    a->bad_ms = now_ms;
  else if (a->severity == WORST_ALARM_OKAY ||
           now_ms - a->bad_ms < WORST_ALARM_PAUSE_MS)
    return false;

  bool other = bad && strcmp(name, a->name) != 0;
  if (bad && (other ? !again : severity <= a->severity))
    return false;
  bool first = a->name[0] == '\0';
  if (!first && now_ms - a->said_ms < WORST_ALARM_PAUSE_MS)
    return false;
  a->severity = severity;
  a->said_ms = now_ms;
  if (bad)
    name_set(a->name, name);
  return true;
}
