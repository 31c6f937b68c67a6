/* What one dump says of one connection. */
#ifndef TCPINFO_METRIC_OBSERVATION_H
#define TCPINFO_METRIC_OBSERVATION_H

#include "tcp/sample.h"

/* All pointers are borrowed for the call that gets the observation. */
struct observation {
  const struct sample *sample;
  const uint64_t *delta; /* by field id: the counters' growth since the
                            connection was last seen */
  bool changed;          /* some counter grew; if false, `delta` is all 0 */
  bool active;           /* an ACK arrived since the last read */
  uint64_t window_us;    /* microseconds since the connection was last seen; 0:
                            not known */
};

#endif
