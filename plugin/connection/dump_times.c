#include "connection/dump_times.h"

void dump_times_begin(struct dump_times *t, uint64_t now_ms) {
  t->dump++;
  t->begin[t->dump % DUMP_TIMES] = now_ms;
  for (uint32_t ago = 1; ago < DUMP_TIMES; ago++) {
    uint64_t then = t->begin[(t->dump - ago) % DUMP_TIMES];
    t->window[ago] = now_ms > then ? (now_ms - then) * 1000 : 0;
  }
}

void dump_times_complete(struct dump_times *t, uint64_t now_ms) {
  t->end[t->dump % DUMP_TIMES] = now_ms;
  t->complete = t->dump;
}

void dump_times_restart(struct dump_times *t) { t->complete = 0; }

uint64_t dump_times_now(const struct dump_times *t) {
  return t->begin[t->dump % DUMP_TIMES];
}

uint64_t dump_times_last(const struct dump_times *t, uint64_t otherwise) {
  return t->complete != 0 ? t->begin[t->complete % DUMP_TIMES] : otherwise;
}

uint64_t dump_times_end(const struct dump_times *t, uint32_t ago) {
  return t->end[(t->dump - ago) % DUMP_TIMES];
}
