/* When a group's worst member is worth a notification: when it is bad, and
 * another one than the last time in two reads on end, or worse than then; and
 * when nobody was bad for a minute. Not more than one a minute. */
#ifndef TCPINFO_GROUP_WORST_ALARM_H
#define TCPINFO_GROUP_WORST_ALARM_H

#include <stdbool.h>
#include <stdint.h>

enum worst_alarm_severity {
  WORST_ALARM_OKAY,
  WORST_ALARM_WARNING,
  WORST_ALARM_FAILURE
};

enum { WORST_ALARM_NAME_MAX = 128, WORST_ALARM_PAUSE_MS = 60000 };

/* Zeroes: nothing was said yet. */
struct worst_alarm {
  enum worst_alarm_severity severity; /* of what was said last */
  char name[WORST_ALARM_NAME_MAX];    /* and of whom */
  uint64_t said_ms;
  char candidate[WORST_ALARM_NAME_MAX]; /* who was bad in the last read */
  uint64_t bad_ms;                      /* when somebody was, last */
};

/* `name`: the worst member, NULL where there is none; `value` as `warning` and
 * `failure`, which it reaches from below. Whether to notify: then `a` says of
 * whom and how severe. WORST_ALARM_OKAY: of nobody any more, `name` being the
 * last one. `now_ms` should never go back; after a step a notification may come
 * too early. */
bool worst_alarm_judge(struct worst_alarm *a, uint64_t now_ms, const char *name,
                       double value, double warning, double failure);

#endif
