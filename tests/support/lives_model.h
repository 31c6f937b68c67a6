/* What somebody who was told of lives (lives.h) by dumps and destroy events
 * must have counted of them, at least and at most. Where both are the same it
 * is exact: what was told is counted once. They differ where the kernel says
 * too little:
 *
 *  - an event without counters or ends (EVENT_DISCONNECTED) of a connection
 * that no dump showed: it may be counted as such;
 *  - an event of a connection that was absent from two complete dumps, or that
 *    no dump showed, but may have been so, by its last ACK (see NEAR_MS): what
 *    it says may have been counted before;
 *  - an event of a connection that is shown in TIME_WAIT for longer than one
 *    dump, or while no events are received: some process holds it;
 *  - a mini socket alone: it may be the rest of what was counted before.
 *
 * What was over before the first complete dump ended, and was in none, counts
 * nowhere. */
#ifndef TEST_LIVES_MODEL_H
#define TEST_LIVES_MODEL_H

#include "support/lives.h"

enum { NEAR_MS = 50 }; /* by which times are taken to be not exact */

struct tally {
  uint64_t low, high;
};

enum life_end { LIFE_OPENED, LIFE_CLOSED, LIFE_FAILED, LIFE_ENDS };

/* What is to be counted of one connection. */
struct model_life {
  bool known;   /* by its cookie: shown, not destroyed, not absent twice */
  bool awaited; /* absent twice, and remembered for its event */
  bool open;    /* a dump told of the full socket, beyond SYN_SENT */
  bool mini;    /* a dump told of it in FIN_WAIT2 without more */
  bool over;    /* its event came */
  bool based;   /* some message had counters */
  bool early; /* the first dump to tell of it was before a complete one ended */
  bool waiting; /* shown in TIME_WAIT */
  bool held;    /* shown so that its event may come at any time, or never */
  bool dead;    /* was over when the first complete dump ended, and in none */
  bool connecting;   /* a dump told of it in SYN_SENT */
  bool shown;        /* by this dump */
  bool remembered;   /* shown, and neither destroyed nor absent twice */
  bool portless;     /* counts by an event that does not tell its remote port */
  unsigned absences; /* complete dumps since it was shown, or opened */
  unsigned cgroup;   /* by which it is counted; 0: not known */
  uint64_t carried;  /* LIFE_BUSY of the connection before */
  uint64_t base[LIFE_COUNTERS];
  struct tally counter[LIFE_COUNTERS];
  struct tally end[LIFE_ENDS];
  struct tally sent_in[LIVES_CGROUPS]; /* 0: that of who has none */
};

struct lives_model {
  const struct lives *lives;
  bool followed; /* events are being received */
  bool forgot;   /* the last complete dump was the second without some socket */
  bool complete; /* there was a complete dump */
  uint64_t end_ms[2]; /* of the last complete dump, and the one before it */
  uint64_t dumped;
  struct tally connections; /* of the last dump */
  uint64_t doubtful;        /* events that may be left out */
  bool cgroup_open;         /* more than one cgroup would be right somewhere */
  struct model_life life[LIVES_MAX];
};

void model_begin(struct lives_model *t);
void model_socket(struct lives_model *t, int life, const struct sample *s);
void model_end(struct lives_model *t, bool complete); /* now */
void model_event(struct lives_model *t, const struct life_event *e);

/* Whether a complete dump may leave it out: at most every second one. */
bool model_may_miss(const struct lives_model *t, int life);

/* It was there, and open, before the first complete dump ended: it closes
 * without having opened. Not `sure`: it may be so. */
bool model_was_before(const struct model_life *x, bool sure);

#endif
