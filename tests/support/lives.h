/* Simulates the TCP sockets of a kernel for tests: random functions open, use
 * and end connections in the ways of the kernel, and make the messages of its
 * dumps and destroy events. Listening sockets are not simulated. */
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
  LIVES_PORT = 443,         /* remote port of about half of the connections */
  LIVES_OTHER_PORT = 50000, /* remote port of the others */
};

/* The counters that the simulation has. */
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

/* A generator of random numbers. The same state gives the same numbers on every
 * machine. */
struct dice {
  uint64_t state;
};
uint32_t dice_next(struct dice *d);
uint32_t dice_below(struct dice *d, uint32_t n); /* 0 to n - 1 */
bool dice_one_in(struct dice *d, uint32_t n);

enum life_stage {
  LIFE_SETUP,     /* a mini socket in SYN_RECV */
  LIFE_CONNECT,   /* SYN_SENT */
  LIFE_OPEN,      /* established or closing, still with the full socket */
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
  bool orphan;      /* no process holds the socket */
  bool event_due;   /* the full socket still exists, maybe in no table */
  bool established; /* the connection was established once */
  bool passive;     /* the peer opened the connection */
  bool busy;        /* LIFE_BUSY grows with the time, also after the end */
  int before; /* number of the connection that had this socket; -1: none */
  uint64_t now[LIFE_COUNTERS]; /* never wrapped */
  uint64_t opened_ms, sent_ms, received_ms, ack_ms;
  uint64_t mini_ms; /* start of the mini socket's state; 0: none */
};

enum event_kind {
  EVENT_WITH_COUNTERS,
  EVENT_DISCONNECTED, /* after tcp_disconnect(), so most counters are 0 */
  EVENT_OTHER,        /* of a listener or of a socket that was never used */
};

/* A destroy event with the state of the socket when it was destroyed. */
struct life_event {
  int life; /* number of the connection; -1: EVENT_OTHER */
  enum event_kind kind;
  bool late;         /* arrives after the next dump */
  uint64_t after_ms; /* the event happened at this time or later */
  struct sample sample;
  uint8_t info[LIVES_INFO_MAX];
};

typedef void life_event_fn(const struct life_event *e, void *data);

struct lives {
  uint64_t now_ms;
  size_t info_size;      /* of struct tcp_info */
  bool old;              /* new connections may have counters from before */
  int slot[LIVES_SLOTS]; /* number of the connection; -1: free */
  int count;
  struct life life[LIVES_MAX];
  uint64_t next_cookie;
  bool late;            /* `late` of the events from now on */
  life_event_fn *event; /* called when a full socket is freed */
  void *data;
};

/* Lets time pass. */
void lives_pass(struct lives *w, uint64_t ms);

uint64_t lives_cgroup(unsigned number); /* returns the id of the cgroup */

/* Each does nothing if the state of the slot does not allow the step. */
void life_open(struct lives *w, int slot, struct dice *d);
void life_establish(struct lives *w, int slot, struct dice *d);
void life_fail(struct lives *w, int slot, struct dice *d);
void life_traffic(struct lives *w, int slot, struct dice *d);
void life_change(struct lives *w, int slot, struct dice *d);
void life_half_close(struct lives *w, int slot, struct dice *d);
void life_close(struct lives *w, int slot, struct dice *d);
void life_release(struct lives *w, int slot,
                  struct dice *d); /* the last process closes the socket */
void life_expire(struct lives *w, int slot,
                 struct dice *d); /* moves a mini socket to its next stage */
void life_reconnect(struct lives *w, int slot, struct dice *d);
void lives_expire(struct lives *w); /* expires mini sockets after 60 s */
void lives_other_event(struct lives *w, struct dice *d);

/* Stores in `out` what a dump shows of the connection. Returns false if a dump
 * does not show it. `out` borrows `info` (LIVES_INFO_MAX bytes). */
bool life_sample(const struct lives *w, const struct life *l,
                 struct sample *out, uint8_t *info);

/* Returns true if the full socket is in the kernel's table. */
bool life_is_full(const struct life *l);

/* Prints the connection on one line, for people. */
void life_print(const struct life *l);

#endif
