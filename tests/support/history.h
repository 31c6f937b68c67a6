/* One random history: sockets (lives.h) live, dumps and destroy events tell the
 * connections of them, and after every complete dump its groups must have
 * counted what was told (lives_told.h). */
#ifndef TEST_HISTORY_H
#define TEST_HISTORY_H

#include "connection/connection.h"
#include "support/history_groups.h"

enum { STEPS_MAX = 160, EVENTS_MAX = 256 };

enum step_kind {
  STEP_OPEN, /* these are of one slot */
  STEP_ESTABLISH,
  STEP_FAIL,
  STEP_TRAFFIC,
  STEP_CHANGE,
  STEP_HALF_CLOSE,
  STEP_CLOSE,
  STEP_RELEASE,
  STEP_EXPIRE,
  STEP_RECONNECT,
  STEP_OTHER, /* an event of a listener or an unused socket */
  STEP_TAKE,  /* the events that came are handed over */
  STEP_DUMP,  /* the same, then a dump */
  STEP_KINDS,
};

/* Each has its own dice: without one of them the others do the same. */
struct step {
  enum step_kind kind;
  int slot;
  uint64_t seed;
};

struct scenario {
  size_t info_size; /* of struct tcp_info; 0: dumps come without */
  uint32_t states;  /* that dumps are asked for */
  bool loses;       /* some events */
  bool real_bytes;  /* samples are decoded from messages */
  bool followed;    /* events are received at first */
  bool hooks;       /* begin and end of each connection are checked */
  size_t count;
  struct step step[STEPS_MAX];
};

struct history {
  struct listeners listeners;
  const struct scenario *scenario;
  struct complaint complaint;
  struct lives lives;
  struct lives_model model;
  struct groups groups;
  struct connections *connections;
  struct connections_sums sums; /* at the last complete dump */
  struct dice luck;             /* of what happens to events in this step */
  uint64_t next_dump_ms;
  bool listens; /* there is a listener */
  bool verbose;
  unsigned complete;         /* dumps */
  uint64_t alive[LIVES_MAX]; /* cookies of connections that have begun */
  size_t alive_count;
  size_t events;
  struct life_event pending[EVENTS_MAX];
};

/* Runs all of it, or until something is wrong: false, and h->complaint says
 * what. `verbose`: prints what happens. */
bool history_run(struct history *h, const struct scenario *p, bool verbose);

#endif
