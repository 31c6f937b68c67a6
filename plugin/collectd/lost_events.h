/* The log message about lost close events: what that means for the values, and
 * what to do. Logs nothing itself. */
#ifndef TCPINFO_COLLECTD_LOST_EVENTS_H
#define TCPINFO_COLLECTD_LOST_EVENTS_H

#include "read/close_policy.h"

/* The message, if `h` counts lost events. */
void lost_events_describe(const struct close_policy_health *h,
                          struct error *out);

#endif
