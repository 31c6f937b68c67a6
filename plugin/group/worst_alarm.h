/* Decides when a notification about a group's worst member by one measure is
 * due. */
#ifndef TCPINFO_GROUP_WORST_ALARM_H
#define TCPINFO_GROUP_WORST_ALARM_H

#include <stdbool.h>
#include <stdint.h>

/* The verdict on a member's value. */
enum worst_alarm_severity {
  WORST_ALARM_OKAY,
  WORST_ALARM_WARNING,
  WORST_ALARM_FAILURE
};

enum { WORST_ALARM_NAME_MAX = 128, WORST_ALARM_PAUSE_MS = 60000 };

/* Zeroed: no notification yet. */
struct worst_alarm {
  /* The last notification: */
  enum worst_alarm_severity severity;
  char name[WORST_ALARM_NAME_MAX];
  uint64_t notified_ms;
  /* The worst member of the last read, empty if its verdict was okay, and the
   * time of the last read with another verdict. */
  char last[WORST_ALARM_NAME_MAX];
  uint64_t not_okay_ms;
};

/* Enters the worst member of a read. `name`: NULL if there is none. `value`,
 * `warning` and `failure` are in one unit; from `warning` up a value is not
 * okay. Returns true if a notification is due: `a` then holds its severity and
 * the member's name, which is that of the last notification if the severity is
 * okay. worst_alarm.c lists when it is due.
 *
 * `now_ms`: milliseconds of a clock that never goes back. */
bool worst_alarm_enter(struct worst_alarm *a, uint64_t now_ms, const char *name,
                       double value, double warning, double failure);

#endif
