/* When a group's worst member is worth a notification: when it is another one
 * than the last time, or worse, and bad at all; not more than one a minute. */
#ifndef TCPINFO_ALARM_H
#define TCPINFO_ALARM_H

#include <stdbool.h>
#include <stdint.h>

enum alarm_severity { ALARM_OKAY, ALARM_WARNING, ALARM_FAILURE };

enum { ALARM_NAME_MAX = 128, ALARM_PAUSE_MS = 60000 };

/* Zeroes: nothing was said yet. */
struct alarm {
  enum alarm_severity severity; /* of what was said last */
  char name[ALARM_NAME_MAX];    /* and of whom */
  uint64_t said_ms;
};

/* `name`: the worst member, NULL where there is none; `value` as `warning` and
 * `failure`, which it reaches from below. Whether to notify: then `a` says of
 * whom and how severe. ALARM_OKAY: of nobody any more, `name` being the last
 * one. `now_ms` never goes back. */
bool alarm_judge(struct alarm *a, uint64_t now_ms, const char *name,
                 double value, double warning, double failure);

#endif
