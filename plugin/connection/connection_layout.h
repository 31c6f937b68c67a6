/* Private header of connection.c, the life of a connection in dumps, and of
 * connection_end.c, its end. */
#ifndef TCPINFO_CONNECTION_CONNECTION_LAYOUT_H
#define TCPINFO_CONNECTION_CONNECTION_LAYOUT_H

#include "connection/connection.h"
#include "connection/dump_times.h"
#include "connection/membership.h"

/* The owner's part of a tracked socket. */
struct connection {
  uint32_t state : 4;   /* enum connection_state */
  uint32_t account : 3; /* enum connection_account */
  uint32_t inbound : 1; /* the host listened on its local port when it joined */
  uint32_t missing_since : 24; /* number of the dump, modulo 2^24 */
  /* A membership for each group; then, if any group looks at attributes that
   * may change or has a selection that may, a hash of these; then, if there are
   * hooks, when a dump first showed it: ms, two words.
   */
  uint32_t word[];
};

enum { DUMP_MASK = 0xffffff };

_Static_assert(CONNECTION_STATE_COUNT <= 16, "state has 4 bits");
_Static_assert(ACCOUNT_COUNT <= 8, "account has 3 bits");
_Static_assert(sizeof(struct connection) == sizeof(uint32_t), "one word");

/* The meaning of an account; see the table in connection.c. */
struct connection_account_row {
  bool counts_closed; /* its end counts as closed */
  bool awaits_event;  /* a close event may still come */
  bool by_event;      /* its close event counts begin and end */
};
extern const struct connection_account_row connection_account[ACCOUNT_COUNT];

struct connections {
  struct connections_options options;
  struct connection_hooks hooks;
  struct memberships memberships;
  size_t word_count; /* of struct connection */
  struct track *track;
  struct track_seen seen;
  struct connections_sums sums;

  uint32_t selections; /* the number of times that selections have changed */
  bool selected_again; /* since the last complete dump */

  struct dump_times times;
  uint64_t active_ms;    /* from the last complete dump to this one */
  size_t complete_count; /* sockets remembered after the last complete dump */
  unsigned failures;     /* failed dumps since */

  size_t missing; /* connections in CONNECTION_MISSING */

  bool events;              /* destroy events are received */
  uint32_t events_from;     /* the first dump that began so */
  uint32_t events_until;    /* the first dump after that; 0: none */
  uint64_t events_until_ms; /* begin of that dump */
  /* A socket that is not known and received an ACK later than this was never
   * counted. */
  uint64_t counted_before_ms;
  uint64_t ended_ms[3]; /* ends of the last complete dumps, this one first */
};

/* Corrects the growth in c->seen, which `s` brought: see growth.h. */
void connection_correct(struct connections *c, const struct sample *s,
                        enum growth_sight sight);

/* Enters the groups that match; the first time the connection begins. Its
 * direction is that of the first sight: listeners may go. */
void connection_join(struct connections *c, struct connection *x,
                     const struct socket_attrs *attrs);

/* Counts the connection as opened, closed or failed. */
void connection_count(struct connections *c, const struct connection *x,
                      enum accumulator_life life);

/* Counts the end of a connection as its account says, unless that was done. */
void connection_count_end(struct connections *c, const struct connection *x);

/* The connection has begun: calls the hook. `first_seen_ms`: 0 if no dump
 * shows it. */
void connection_begun(const struct connections *c, struct connection *x,
                      uint64_t cookie, uint64_t first_seen_ms);

/* The one exit: counts the end, unless that was done, leaves the groups, calls
 * the hook and clears the connection. The caller states cookie, reason, `seen`
 * and event, and the counters if the record does not hold the last ones. */
void connection_end(struct connections *c, struct connection *x,
                    struct connection_end end);

/* connection_end() of a connection whose cookie shows another one. */
void connection_replace(struct connections *c, struct connection *x,
                        uint64_t cookie);

#endif
