/* When a group's worst member is worth a notification: when it is bad, and
 * another one than the last time in two reads on end, or worse than then; and
 * when nobody was bad for a minute. Not more than one a minute. */
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
  char candidate[ALARM_NAME_MAX]; /* who was bad in the last read */
  uint64_t bad_ms;                /* when somebody was, last */
};

/* `name`: the worst member, NULL where there is none; `value` as `warning` and
 * `failure`, which it reaches from below. Whether to notify: then `a` says of
 * whom and how severe. ALARM_OKAY: of nobody any more, `name` being the last
 * one. `now_ms` should never go back; after a step a notification may come too
 * early. */
bool alarm_judge(struct alarm *a, uint64_t now_ms, const char *name,
                 double value, double warning, double failure);

#endif
