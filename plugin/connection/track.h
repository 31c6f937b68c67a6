/* What each socket's counters were when it was last seen, by cookie, and so
 * what is new since. Sums of such differences only grow, whatever sockets come
 * and go.
 *
 * The caller may keep a few words with each socket (tags); track does not look
 * at them. A dump that fails half-way needs no undoing: what it found new has
 * been handed out once, and the next dump's differences start from there. */
#ifndef TCPINFO_CONNECTION_TRACK_H
#define TCPINFO_CONNECTION_TRACK_H

#include "tcp/sample.h"
#include "tcp/tcp_info.h"

struct track;

enum track_event {
  TRACK_BASELINE, /* first seen before any dump was complete: its past is not
                     ours, nothing is new */
  TRACK_NEW,      /* first seen: all of it is new */
  TRACK_KNOWN,    /* the difference since it was last seen is new */
  TRACK_REUSED,   /* same cookie, other ends: the socket was disconnected and
                     connected anew; all of it is new, and the tags are still
                     those of the connection that is gone */
  TRACK_REPEAT,   /* came before in this dump: to be passed over */
  TRACK_NO_MEMORY,
};

struct track_seen {
  enum track_event event;
  /* Of a known socket: so many dumps ago it was seen last. 0: that was before
   * the last complete one, or never. */
  uint32_t dumps_ago;
  bool changed;  /* false: no counter grew */
  uint32_t *tag; /* zeroes for a new socket; until the next call of track */
  /* What is new, by field, until the next call of track; set for the tracked
   * fields, 0 where the message had no such field. Wrapped u32 and u16 counters
   * are unwrapped. Times come in whole milliseconds once a socket is known; the
   * sum is off by less than one for each. */
  const uint64_t *delta;
};

/* Called for each socket that is about to be forgotten. True: it is to be
 * remembered for longer, until it is asked for again. */
typedef bool track_gone_cb(uint32_t *tag, void *data);

/* `field`: the counters to follow. NULL where memory ran out. */
struct track *track_new(const enum field_id *field, size_t field_count,
                        size_t tag_count);
void track_free(struct track *t);

/* A dump begins; one that failed before simply gets no track_end(). */
void track_begin(struct track *t);

/* One socket of the dump. Where a byte counter fell, the socket was
 * disconnected (linux: tcp_disconnect() clears most counters, see
 * field.lasting) and all of it is new: let one of each direction be followed.
 */
void track_see(struct track *t, const struct sample *s, struct track_seen *out);

/* The tags of the socket that most likely comes so many sockets later, or NULL.
 * To look at and not to rely on: it may be another, or gone. */
const uint32_t *track_ahead(const struct track *t, unsigned sockets);

/* The last word on a socket, from its destroy event: as track_see(), and then
 * the socket is forgotten. To be called between two dumps. TRACK_NEW: it was
 * not known; all of it is new, and the tags are zeroes. `blank`: the message
 * has lost its ends and its counters, so nothing is new. */
void track_close(struct track *t, const struct sample *s, bool blank,
                 struct track_seen *out);

/* The dump is complete: forgets the sockets that were missing in it and in the
 * complete one before, or asks for them again. One absence is no close: under
 * churn a dump may miss a socket (linux: inet_diag resumes at the n-th of a
 * chain). */
void track_end(struct track *t, track_gone_cb *gone, void *data);

/* Forgets every socket, whatever `gone` says, as if no dump had been. */
void track_restart(struct track *t, track_gone_cb *gone, void *data);

/* Sockets remembered. */
size_t track_count(const struct track *t);

#endif
