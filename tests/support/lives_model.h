/* Computes the counts that follow from the dumps and destroy events of
 * simulated connections (lives.h), as a lower and an upper bound. If both are
 * equal, the count is exact: all that was reported is counted once. They differ
 * in the cases in which the kernel reports too little:
 *
 *  - The event of a connection that no dump showed has neither counters nor
 *    addresses (EVENT_DISCONNECTED): the connection may be counted or not.
 *  - The connection of an event was absent from two complete dumps, or no dump
 *    showed it and, by its last ACK, it may have been absent from two (see
 *    NEAR_MS): its counters may have been counted before.
 *  - Dumps show the connection in TIME_WAIT for longer than one dump, or while
 *    no events are received: a process may hold the full socket, whose event
 *    may then come at any time.
 *  - Dumps show only a mini socket: its connection may have been counted
 *    before.
 *
 * A connection that ended before the end of the first complete dump, and that
 * no dump showed, is not counted. */
#ifndef TEST_LIVES_MODEL_H
#define TEST_LIVES_MODEL_H

#include "support/lives.h"

enum { NEAR_MS = 50 }; /* assumed error of times */

struct tally {
  uint64_t low, high;
};

enum life_end { LIFE_OPENED, LIFE_CLOSED, LIFE_FAILED, LIFE_ENDS };

/* The state and the counts of one connection. */
struct model_life {
  bool known;   /* shown by a dump, not destroyed, not absent twice */
  bool awaited; /* absent twice; its event is still expected */
  bool open;    /* a dump showed the full socket, in a state after SYN_SENT */
  bool mini;    /* a dump showed a mini socket in FIN_WAIT2 */
  bool over;    /* its event came */
  bool based;   /* a message had counters, so `base` is set */
  bool early;   /* first shown before the end of the first complete dump */
  bool waiting; /* a dump showed it in TIME_WAIT */
  bool held;    /* a process may hold it: its event may come at any time */
  bool dead;    /* ended before the first complete dump did; in no dump */
  bool connecting;   /* a dump showed it in SYN_SENT */
  bool shown;        /* by this dump */
  bool remembered;   /* shown, and neither destroyed nor absent twice */
  bool port_unknown; /* counts by an event that does not tell its remote port */
  unsigned absences; /* complete dumps since it was last shown or opened */
  unsigned cgroup;   /* the cgroup that it is counted in; 0: unknown */
  uint64_t carried;  /* LIFE_BUSY of the connection before */
  uint64_t busy;     /* its own LIFE_BUSY in the last message */
  uint64_t base[LIFE_COUNTERS];
  struct tally counter[LIFE_COUNTERS];
  struct tally end[LIFE_ENDS];
  struct tally sent_in[LIVES_CGROUPS]; /* 0: connections without a cgroup */
};

struct lives_model {
  const struct lives *lives;
  bool followed; /* events are being received */
  bool forgot;   /* the last complete dump was the second without a socket */
  bool complete; /* a dump was complete */
  uint64_t end_ms[2]; /* of the last complete dump and of the one before it */
  uint64_t dumped;
  struct tally connections;  /* in the last dump */
  uint64_t uncertain_events; /* events that may be left out */
  bool cgroup_uncertain;     /* more than one cgroup would be right somewhere */
  struct model_life life[LIVES_MAX];
};

void model_begin(struct lives_model *t);
void model_socket(struct lives_model *t, int life, const struct sample *s);
void model_end(struct lives_model *t, bool complete); /* now */
void model_event(struct lives_model *t, const struct life_event *e);

/* Returns true if a complete dump may leave the connection out: at most every
 * second dump may. */
bool model_may_miss(const struct lives_model *t, int life);

/* Returns true if the connection was open before the end of the first complete
 * dump, so that it is counted as closed, but not as opened. If `sure` is false,
 * returns true also if this is only possible. */
bool model_was_before(const struct model_life *x, bool sure);

#endif
