#include "connection/dump_times.h"

#include <stdbool.h>

void dump_times_begin(struct dump_times *t, uint64_t now_ms) {
  t->dump++;
  t->begin[t->dump % DUMP_TIMES] = now_ms;
  for (uint32_t ago = 1; ago < DUMP_TIMES; ago++) {
    uint64_t then = t->begin[(t->dump - ago) % DUMP_TIMES];
    t->window[ago] = now_ms > then ? (now_ms - then) * 1000 : 0;
  }
}

static uint64_t elapsed(uint64_t from, uint64_t to) {
  return to > from ? to - from : 0;
}

void dump_times_complete(struct dump_times *t, uint64_t now_ms) {
  if (t->complete != 0)
    t->gap[t->gaps++ % DUMP_TIMES] = elapsed(dump_times_last(t, 0), now_ms);
  t->before = t->complete;
  t->end[t->dump % DUMP_TIMES] = now_ms;
  t->complete = t->dump;
  t->complete_ms = dump_times_now(t);
}

void dump_times_restart(struct dump_times *t) { t->complete = t->before = 0; }

/* A dump before the last complete one had ended when that began. */
uint32_t dump_times_ended(const struct dump_times *t, uint64_t at_ms) {
  uint32_t ago = t->dump - t->complete;
  bool ended = ago >= DUMP_TIMES || dump_times_end(t, ago) <= at_ms;
  uint32_t dump = ended ? t->complete : t->before;
  return dump != 0 ? t->dump - dump : UINT32_MAX;
}

uint64_t dump_times_since(const struct dump_times *t, uint32_t ago,
                          uint64_t now_ms) {
  return ago < DUMP_TIMES
             ? elapsed(t->begin[(t->dump - ago) % DUMP_TIMES], now_ms)
             : INT64_MAX;
}

uint64_t dump_times_unseen(const struct dump_times *t, uint64_t now_ms) {
  uint64_t longest = elapsed(dump_times_last(t, now_ms), now_ms);
  for (uint32_t i = 0; i < t->gaps && i < DUMP_TIMES; i++)
    if (longest < t->gap[i])
      longest = t->gap[i];
  return longest;
}

uint64_t dump_times_now(const struct dump_times *t) {
  return t->begin[t->dump % DUMP_TIMES];
}

uint64_t dump_times_last(const struct dump_times *t, uint64_t otherwise) {
  return t->complete != 0 ? t->complete_ms : otherwise;
}

uint64_t dump_times_end(const struct dump_times *t, uint32_t ago) {
  return t->end[(t->dump - ago) % DUMP_TIMES];
}
