/* The states of a connection, how it is counted, and how it ends.
 *
 * A socket that is tracked has a connection from the first time that a dump
 * shows it in a state with traffic (TCP_STATES_TRAFFIC) until its end. The
 * table of transitions stands in connection.c. */
#ifndef TCPINFO_CONNECTION_CONNECTION_STATE_H
#define TCPINFO_CONNECTION_CONNECTION_STATE_H

#include <stdint.h>

enum connection_state {
  CONNECTION_NONE, /* the socket has no connection: no dump showed it in a
                      state with traffic, or its connection has ended */
  CONNECTION_LIVE, /* the last dump that showed it showed traffic */
  CONNECTION_OVER, /* shown in TIME_WAIT; its close event must be on its way */
  CONNECTION_COUNTED, /* its end is counted, and dumps may still show it; its
                         close event may still come */
  CONNECTION_MISSING, /* its end is counted, and two complete dumps did not show
                         it; remembered for its close event */
  CONNECTION_STATE_COUNT,
};

/* Decides how the begin and the end of a connection are counted. */
enum connection_account {
  ACCOUNT_CONNECTING, /* only seen in SYN_SENT: nothing is counted yet */
  ACCOUNT_OPEN,       /* counted as opened, or open before the first complete
                         dump: its end counts as closed */
  ACCOUNT_OPEN_MINI,  /* a mini socket before the first complete dump: as
                         ACCOUNT_OPEN, but its close event was earlier */
  ACCOUNT_BY_EVENT,   /* a mini socket that no dump showed as a full one, while
                         close events are received: the close event counts it
                         as opened and closed, and comes before or after */
  ACCOUNT_NOTHING,    /* a mini socket as the one above, before the first
                         complete dump: neither begin nor end is counted */
  ACCOUNT_COUNT,
};

/* The reason of a connection's end, as far as the kernel tells. */
enum connection_end_reason {
  CONNECTION_END_CLOSED,    /* a close event with its final counters */
  CONNECTION_END_FAILED,    /* a close event; it was never established */
  CONNECTION_END_DISCARDED, /* a close event whose counters tcp_disconnect() had
                               cleared (SO_LINGER 0): its last growth is not
                               known */
  CONNECTION_END_VANISHED,  /* dumps no longer show it, and no close event came
                               in time */
  CONNECTION_END_REPLACED,  /* its cookie shows another connection, or it is
                               shown with traffic after its end was counted */
  CONNECTION_END_RESTARTED, /* tracking began anew after too many failed dumps:
                               its end is not counted */
  CONNECTION_END_REASON_COUNT,
};

#endif
