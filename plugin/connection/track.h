/* Keeps each socket's counters of the last message, by cookie, and returns how
 * much they grew. Sums of such growth never fall, whichever sockets come and
 * go.
 *
 * A failed dump needs no undoing: its growth has been handed out once, and the
 * next dump's growth starts from there.
 *
 * The caller (connection.c) keeps some bytes of its own with each socket, the
 * owner's part of the record. track knows nothing about connections, groups or
 * states of TCP beside SYN_RECV. */
#ifndef TCPINFO_CONNECTION_TRACK_H
#define TCPINFO_CONNECTION_TRACK_H

#include "tcp/sample.h"
#include "tcp/tcp_info.h"

struct track;

enum track_event {
  TRACK_BASELINE, /* first seen before any dump was complete: its past does not
                     count, so nothing has grown */
  TRACK_NEW,      /* first seen: all of its counters are growth */
  TRACK_KNOWN,    /* the difference since it was last seen is growth */
  TRACK_REUSED,   /* same cookie, other ends: the program disconnected the
                     socket and connected it again; all of its counters are
                     growth, and the owner's part still belongs to the
                     connection that is gone */
  TRACK_REPEAT,   /* seen before in this dump: must not count again */
  TRACK_NO_MEMORY,
};

struct track_seen {
  enum track_event event;
  /* Dumps since a known socket was last seen. 0: it was not seen since the last
   * complete dump, or never. */
  uint32_t dumps_ago;
  /* Dumps since the last one, complete or not, that showed the known socket;
   * a close event that comes before the next dump counts as 0. */
  uint32_t dumps_since;
  bool mini_before; /* the message before had no counters: a mini socket */
  bool missed;  /* a complete dump since then did not show the known socket */
  bool changed; /* false: no counter grew */
  bool first;   /* no message before had counters of these ends */
  /* The owner's part, aligned to 4 bytes, zeroed for a new socket; valid until
   * the next call of a function of track. */
  void *owner;
  /* Growth by field id, valid until the next call of a function of track; set
   * for the tracked fields, 0 if the message lacks the field. u32 and u16
   * counters are unwrapped. Times of a known socket are whole milliseconds, in
   * microseconds; their sum is off by less than 1 ms for each socket. The
   * caller may lower numbers.
   *
   * FIELD_DATA_RETRANS, which is not tracked, is the growth of total_retrans,
   * but 0 as long as the socket has retransmitted no payload
   * (tcpi_bytes_retrans; before Linux 4.19 that is not known): SYNs and FINs
   * have none. It is 0 in SYN_SENT. */
  uint64_t *delta;
  /* TRACK_REUSED: the last counters of the connection that is gone, as
   * track_counters() has them; else NULL. */
  const uint64_t *replaced;
};

/* Called for each socket that is about to be forgotten. Returns true if track
 * shall remember it and ask again after the next complete dump. */
typedef bool track_gone_cb(uint64_t cookie, void *owner, void *data);

/* `field`: the counters to track. `owner_size`: bytes, a multiple of 4. Returns
 * NULL if memory runs out; track_free() accepts NULL. */
struct track *track_new(const enum field_id *field, size_t field_count,
                        size_t owner_size);
void track_free(struct track *t);

/* Begins a dump. A dump that fails gets no track_end(). */
void track_begin(struct track *t);

/* Takes in one socket of the dump. If a byte counter fell, the program
 * disconnected the socket (linux: net/ipv4/tcp.c, tcp_disconnect() clears most
 * counters, see struct field, lasting) and all of its counters are growth;
 * therefore a byte counter of each direction has to be among the tracked ones.
 */
void track_see(struct track *t, const struct sample *s, struct track_seen *out);

/* Returns the owner's part of the socket that probably comes `sockets` sockets
 * later in this dump, or NULL. Prefetch hint only; may be stale. */
const void *track_ahead(const struct track *t, unsigned sockets);

/* Takes in the last message about a socket, its destroy event, and forgets the
 * socket. To be called between two dumps only. TRACK_NEW: no dump showed it;
 * all of its counters are growth, and the owner's part is zeroed.
 * `disconnected`: tcp_disconnect() has cleared the event's ends and counters,
 * so nothing has grown. */
void track_close(struct track *t, const struct sample *s, bool disconnected,
                 struct track_seen *out);

/* Ends a complete dump: calls `gone` for each socket that was missing in this
 * complete dump and in the one before. One absence is no close: if sockets come
 * and go, a dump may miss one (linux: net/ipv4/inet_diag.c,
 * inet_diag_dump_icsk() resumes at the n-th socket of a hash chain). */
void track_end(struct track *t, track_gone_cb *gone, void *data);

/* Forgets every socket, whatever `gone` returns, as if there had been no dump.
 */
void track_restart(struct track *t, track_gone_cb *gone, void *data);

/* The counters that track keeps of the socket with that owner's part, by field
 * id; fields that are not tracked are left as they are. Units as in
 * struct tcp_info, times cut to milliseconds. */
void track_counters(const struct track *t, const void *owner, uint64_t *out);

/* Returns the number of sockets remembered. */
size_t track_count(const struct track *t);

#endif
