/* Runs one random history: connections are simulated (lives.h), struct
 * connections reads their dumps and destroy events, and after every complete
 * dump the groups must have the counts of the model (lives_model.h). */
#ifndef TEST_HISTORY_H
#define TEST_HISTORY_H

#include "connection/connection.h"
#include "support/history_groups.h"

enum { STEPS_MAX = 160, EVENTS_MAX = 256 };

enum step_kind {
  STEP_OPEN, /* from here to STEP_RECONNECT: steps of one slot */
  STEP_ESTABLISH,
  STEP_FAIL,
  STEP_TRAFFIC,
  STEP_CHANGE,
  STEP_HALF_CLOSE,
  STEP_CLOSE,
  STEP_RELEASE,
  STEP_EXPIRE,
  STEP_RECONNECT,
  STEP_OTHER, /* an event of a listener or of an unused socket */
  STEP_TAKE,  /* the events that arrived are handed over */
  STEP_DUMP,  /* the events are handed over, then a dump follows */
  STEP_KINDS,
};

/* Each step has its own seed, so that the others stay the same if one step is
 * removed. */
struct step {
  enum step_kind kind;
  int slot;
  uint64_t seed;
};

struct scenario {
  size_t info_size; /* of struct tcp_info; 0: dumps have no INFO */
  uint32_t states;  /* that a dump shows */
  bool loses;       /* some events are lost */
  bool real_bytes;  /* samples are decoded from messages */
  bool followed;    /* events are received from the start */
  bool hooks;       /* the begin and end of each connection are checked */
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
  struct dice luck;             /* decides about the events of this step */
  uint64_t next_dump_ms;
  bool listens; /* a listener exists */
  bool verbose;
  unsigned complete;         /* dumps */
  uint64_t alive[LIVES_MAX]; /* cookies: begun and not ended */
  size_t alive_count;
  size_t events;
  struct life_event pending[EVENTS_MAX];
};

/* Runs all steps, or until a check fails: then returns false, and h->complaint
 * describes the failure. `verbose` prints each step. */
bool history_run(struct history *h, const struct scenario *p, bool verbose);

#endif
