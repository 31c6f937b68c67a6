/* What one socket says of a metric: the rules that take more than one field. */
#ifndef TCPINFO_METRIC_SOCKET_VALUE_H
#define TCPINFO_METRIC_SOCKET_VALUE_H

#include "metric/metric.h"
#include "tcp/sample.h"

/* What the socket adds to the distribution `m`, in the field's unit. False
 * where it has no such value. */
bool socket_value_get(const struct metric *m, const struct sample *s,
                      uint64_t *out);

/* Whether the condition of a METRIC_KIND_SOCKETS holds, `active` being decided
 * by the caller. */
bool socket_value_holds(enum metric_id id, const struct sample *s);

/* TCP options as the kernel numbers them in tcpi_options (linux:
 * include/uapi/linux/tcp.h, TCPI_OPT_*), by bit. NULL: not reported. */
enum { SOCKET_VALUE_OPTION_BITS = 6 };
extern const char *const socket_value_option_name[SOCKET_VALUE_OPTION_BITS];

/* States of congestion control (linux: enum tcp_ca_state). */
enum { SOCKET_VALUE_CA_STATES = 5 };
extern const char *const socket_value_ca_state_name[SOCKET_VALUE_CA_STATES];

/* The states as collectd's tcpconns plugin writes them; NULL: not shown. */
extern const char *const socket_value_state_name[TCP_STATE_COUNT];

#endif
