/* Observes one network namespace. An observer holds all that exists once for
 * each: the dumps of its sockets, its close events, its connections and
 * listening ports, and its counts in /proc.
 *
 * An observer adds to the groups, which several observers may share; whoever
 * reads begins, settles and commits them. A recording (Replay) takes the place
 * of the kernel. */
#ifndef TCPINFO_READ_OBSERVER_H
#define TCPINFO_READ_OBSERVER_H

#include "group/group.h"
#include "kernel/proc_limits.h"
#include "read/close_policy.h"
#include "read/dump_request.h"

#include <pthread.h>

struct observer;

/* Tells if a read is under way. Between reads, the threads that receive destroy
 * events may enter them into the groups; during a read they must not. One gate
 * for all observers that share groups. */
struct read_gate {
  pthread_mutex_t lock;
  bool reading;
};

/* Waits until no thread is entering events, then closes the gate for them, or
 * opens it again. */
void read_gate_close(struct read_gate *gate);
void read_gate_open(struct read_gate *gate);

/* Stand-ins for the kernel, for tests. Zeroes: the kernel, in the network
 * namespace of the thread that reads. */
struct observer_world {
  sock_diag_open_fn *open;         /* socket for dumps */
  sock_diag_open_fn *open_destroy; /* socket for destroy events */
  void *data;                      /* of both functions */
  const char *snmp;                /* see proc_snmp_read() */
  const char *proc;                /* see proc_limits_read() */
};

/* All pointers are borrowed and outlive the observer. */
struct observer_options {
  const struct settings *settings;
  struct group *const *group;
  size_t group_count;
  struct dump_request *request; /* made coarser if the kernel refuses it */
  struct read_gate *gate;
  bool selections_change; /* observer_select_again() may be called */
  unsigned interval_ms;   /* taken for the time before the first dump */
  char *const *replay;    /* recordings to read instead of the kernel */
  size_t replay_count;    /* 0: the kernel */
  struct observer_world world;
};

/* Condition of the observer. Totals only grow. */
struct observer_health {
  uint64_t dumped;    /* sockets in the last dump */
  uint64_t matched;   /* of these, connections that belong to a group */
  uint64_t tracked;   /* sockets remembered */
  uint64_t errors;    /* total: failed dumps */
  uint64_t malformed; /* total: messages that could not be decoded */
  uint64_t refused;   /* total: filters that the kernel refused in part */
  uint64_t unclear, aborted; /* totals, see struct connections_sums */
  size_t info_size;          /* bytes of struct tcp_info; 0: not known */
  double coverage; /* percent of the namespace's retransmissions that were seen
                      since the last complete dump; negative: there were none */
  struct close_policy_health close_policy;
  struct proc_limits limits; /* at the end of the last complete dump; not known
                                for a recording */
};

/* Returns NULL with the reason if a recording cannot be read or memory runs
 * out. Destroy events are received from the first read on, by a thread that
 * ends in observer_free(), which accepts NULL. */
struct observer *observer_new(const struct observer_options *options,
                              struct error *error);
void observer_free(struct observer *o);

/* One read has three steps, with the gate closed from before the first step
 * until the groups are committed:
 *
 *  1. observer_events(): lists the listening ports if directions matter, and
 *     enters the destroy events that came since the last read.
 *  2. The caller begins the groups.
 *  3. observer_dump(): dumps the sockets.
 *
 * DUMP_COMPLETE: the groups may be settled. DUMP_FAILED: nothing of this dump
 * may be reported, and nothing is lost, because the next complete dump makes up
 * for it; `error` has the reason. DUMP_ENDED: the recordings are at their end.
 */
void observer_events(struct observer *o);
enum dump_result observer_dump(struct observer *o, struct error *error);

/* The selections of the groups have changed: the next dumps judge each
 * connection anew. To be called before observer_events(). */
void observer_select_again(struct observer *o);

/* Borrowed; valid until the next read. */
const struct observer_health *observer_health(const struct observer *o);

/* Returns the kernel's last reason for refusing a filter; empty: none. */
const char *observer_refusal(const struct observer *o);

#endif
