/* TCP sockets as a kernel has them, for tests: connections are opened, used and
 * ended in the ways that it knows, by chance; and what its dumps and destroy
 * events would say of them. Nothing here knows who listens. */
#ifndef TEST_LIVES_H
#define TEST_LIVES_H

#include "kernel/decode.h"
#include "tcp/tcp_info.h"

enum {
  LIVES_SLOTS = 12, /* sockets at one time */
  LIVES_MAX = 160,  /* connections in one history */
  LIVES_INFO_MAX = 280,
  LIVES_PEERS = 6,
  LIVES_CGROUPS = 4,        /* numbers 1 to 3; see lives_cgroup() */
  LIVES_PORT = 443,         /* the remote port of about half of them */
  LIVES_OTHER_PORT = 50000, /* and of the others */
};

/* The counters that are followed. */
enum life_counter {
  LIFE_SENT,
  LIFE_RECEIVED,
  LIFE_RETRANS,  /* 32 bits */
  LIFE_SEGS_OUT, /* 32 bits */
  LIFE_RTO,      /* 16 bits */
  LIFE_BUSY,     /* outlives a disconnect */
  LIFE_COUNTERS,
};
extern const enum field_id life_field[LIFE_COUNTERS];

/* Small numbers by chance, the same for the same seed everywhere. */
struct dice {
  uint64_t state;
};
uint32_t dice_next(struct dice *d);
uint32_t dice_below(struct dice *d, uint32_t n); /* 0 to n - 1 */
bool dice_one_in(struct dice *d, uint32_t n);

enum life_stage {
  LIFE_SETUP,   /* a mini socket in SYN_RECV */
  LIFE_CONNECT, /* SYN_SENT */
  LIFE_OPEN,    /* established, or on its way to the end with the full socket */
  LIFE_FIN_WAIT2, /* a mini socket */
  LIFE_TIME_WAIT, /* a mini socket */
  LIFE_HIDDEN,    /* in no table; a process still holds it */
  LIFE_GONE,
};

/* One connection. */
struct life {
  enum life_stage stage;
  uint8_t state; /* of the full socket */
  uint64_t cookie;
  struct socket_attrs attrs;
  unsigned cgroup;  /* 1 to LIVES_CGROUPS - 1 */
  bool orphan;      /* no process holds it */
  bool event_due;   /* the full socket is still there, if in no table */
  bool established; /* it came to that */
  bool passive;     /* the peer opened it */
  int before;       /* the connection of that number had this socket; -1 */
  uint64_t now[LIFE_COUNTERS]; /* as the application would count */
  uint64_t opened_ms, sent_ms, received_ms, ack_ms;
  uint64_t mini_ms; /* since when it is a mini socket in that state */
};

enum event_kind {
  EVENT_WHOLE,
  EVENT_DISCONNECTED, /* linux: tcp_disconnect() was there before */
  EVENT_OTHER,        /* of a listener, or a socket that was never used */
};

/* A destroy event, as the socket was then. */
struct life_event {
  int life; /* number; -1: EVENT_OTHER */
  enum event_kind kind;
  bool late;         /* comes only after the next dump */
  uint64_t after_ms; /* it happened then or later */
  struct sample sample;
  uint8_t info[LIVES_INFO_MAX];
};

typedef void life_event_fn(const struct life_event *e, void *data);

struct lives {
  uint64_t now_ms;
  size_t info_size;      /* of struct tcp_info */
  bool old;              /* connections that are opened have a past */
  int slot[LIVES_SLOTS]; /* number of the connection; -1: free */
  int count;
  struct life life[LIVES_MAX];
  uint64_t next_cookie;
  bool late;            /* of events that come now */
  life_event_fn *event; /* called when a full socket is freed */
  void *data;
};

uint64_t lives_cgroup(unsigned number); /* its id */

/* Each does nothing where the slot is in no state for it. */
void life_open(struct lives *w, int slot, struct dice *d);
void life_establish(struct lives *w, int slot, struct dice *d);
void life_fail(struct lives *w, int slot, struct dice *d);
void life_traffic(struct lives *w, int slot, struct dice *d);
void life_traits(struct lives *w, int slot, struct dice *d);
void life_half_close(struct lives *w, int slot, struct dice *d);
void life_close(struct lives *w, int slot, struct dice *d);
void life_release(struct lives *w, int slot,
                  struct dice *d); /* the last process lets go */
void life_expire(struct lives *w, int slot,
                 struct dice *d); /* the mini socket's next stage */
void life_reconnect(struct lives *w, int slot, struct dice *d);
void lives_expire(struct lives *w); /* those whose time is over, now */
void lives_other_event(struct lives *w, struct dice *d);

/* What a dump says of it; false: nothing. `info` (LIVES_INFO_MAX bytes) is
 * borrowed by `out`. */
bool life_sample(const struct lives *w, const struct life *l,
                 struct sample *out, uint8_t *info);

/* The full socket is in the table. */
bool life_is_full(const struct life *l);

/* For people. */
void life_print(const struct life *l);

#endif
