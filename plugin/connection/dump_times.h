/* When the last dumps began and ended, by the number of the dump. Times are
 * milliseconds of one clock that never goes back. */
#ifndef TCPINFO_CONNECTION_DUMP_TIMES_H
#define TCPINFO_CONNECTION_DUMP_TIMES_H

#include <stdint.h>

enum { DUMP_TIMES = 32 }; /* dumps remembered, this one included */

/* Zeroes: no dump has begun. */
struct dump_times {
  uint32_t dump;               /* number of this dump, from 1 */
  uint32_t complete;           /* number of the last complete one; 0: none */
  uint64_t complete_ms;        /* its begin */
  uint32_t before;             /* the complete one before that; 0: none */
  uint64_t begin[DUMP_TIMES];  /* by number modulo DUMP_TIMES */
  uint64_t end[DUMP_TIMES];    /* likewise; of complete dumps only */
  uint64_t window[DUMP_TIMES]; /* microseconds, see dump_times_window() */
  /* Milliseconds from the begin of a complete dump to the end of the next: the
   * last ones, in a ring, the first one not included. */
  uint64_t gap[DUMP_TIMES];
  uint32_t gaps; /* so many were stored */
};

void dump_times_begin(struct dump_times *t, uint64_t now_ms);
void dump_times_complete(struct dump_times *t, uint64_t now_ms);

/* From now on no dump counts as complete. */
void dump_times_restart(struct dump_times *t);

/* Returns when this dump began. */
uint64_t dump_times_now(const struct dump_times *t);

/* Returns when the last complete dump began; if there was none, `otherwise`. */
uint64_t dump_times_last(const struct dump_times *t, uint64_t otherwise);

/* Returns when the complete dump that was `ago` dumps before this one ended.
 * `ago` is below DUMP_TIMES. */
uint64_t dump_times_end(const struct dump_times *t, uint32_t ago);

/* Returns how many dumps ago the last complete dump was that had ended at that
 * time: the last one, or the one before if the last was under way; UINT32_MAX:
 * there was none. */
uint32_t dump_times_ended(const struct dump_times *t, uint64_t at_ms);

/* Returns the milliseconds from the begin of the dump that was `ago` dumps
 * before this one to `now_ms`; INT64_MAX if that is not known any more. */
uint64_t dump_times_since(const struct dump_times *t, uint32_t ago,
                          uint64_t now_ms);

/* Returns how long a connection can have lived, in milliseconds, that no
 * complete dump has shown and that is over at `now_ms`: the longest time
 * between two complete dumps, or since the last one. */
uint64_t dump_times_unseen(const struct dump_times *t, uint64_t now_ms);

/* Returns the time from the begin of the dump that was `ago` dumps before to
 * the begin of this one, in microseconds. 0: not known, also for an `ago` of 0.
 */
static inline uint64_t dump_times_window(const struct dump_times *t,
                                         uint32_t ago) {
  return ago < DUMP_TIMES ? t->window[ago] : 0;
}

#endif
