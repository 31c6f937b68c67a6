/* Makes the load of a benchmark: established TCP connections over loopback, at
 * the addresses of layout.h.
 *
 *      load CONNECTIONS IPV6_PERCENT
 *
 * Executes the commands on stdin, one per line, and answers each with "done":
 *
 *      open             opens all connections
 *      send PERCENT     sends a byte to and fro over so many connections, so
 *                       that both ends get an ACK
 *      replace PERCENT  closes so many connections and opens equal ones
 *
 * Each command takes the next connections in turn. The program ends at the end
 * of its stdin and with its parent. */
#include "bench_fail.h"
#include "layout.h"
#include "pairs.h"
#include "workers.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The connections of one worker. */
struct part {
  unsigned first, count, ipv6_percent;
};

enum verb { OPEN, SEND, REPLACE, VERBS };

static const char *const verb_name[VERBS] = {"open", "send", "replace"};

/* The order for a worker: of each hundred connections, it takes `percent` from
 * `from` on, modulo 100. */
struct order {
  uint8_t verb, percent, from;
};

struct worker {
  const struct part *part;
  unsigned number;
  struct pairs pairs;
  struct pair *pair;
};

static void pair_open(struct worker *w, unsigned i) {
  w->pair[i] = pairs_open(&w->pairs, w->part->first + i, w->number);
}

static void pair_close(struct worker *w, unsigned i) {
  close(w->pair[i].client);
  close(w->pair[i].server);
}

static void pair_send(const struct pair *p) {
  char byte = 0;
  if (write(p->client, &byte, 1) != 1 || read(p->server, &byte, 1) != 1 ||
      write(p->server, &byte, 1) != 1 || read(p->client, &byte, 1) != 1)
    bench_fail("cannot send or receive a byte");
}

static void pair_do(struct worker *w, unsigned i, uint8_t verb) {
  if (verb == SEND)
    pair_send(&w->pair[i]);
  if (verb == REPLACE)
    pair_close(w, i);
  if (verb == REPLACE || verb == OPEN)
    pair_open(w, i);
}

static void order_follow(struct worker *w, struct order o) {
  for (unsigned i = 0; i < w->part->count; i++)
    if ((i + 100u - o.from) % 100 < o.percent)
      pair_do(w, i, o.verb);
}

/* Executes orders; writes a byte to `control` after the start and after each
 * order. */
static void work(unsigned number, int control, void *data) {
  struct worker w = {.part = data, .number = number};
  struct order o;
  w.pairs.ipv6_percent = w.part->ipv6_percent;
  w.pair = calloc(w.part->count, sizeof(*w.pair));
  if (w.pair == NULL)
    bench_fail("cannot allocate memory");
  pairs_listen(&w.pairs, number);
  while (write(control, "", 1) == 1 && read(control, &o, sizeof(o)) > 0)
    order_follow(&w, o);
  free(w.pair);
}

static unsigned workers_make(int *control, unsigned count, unsigned percent) {
  unsigned share = workers_files() / 2, workers = 0;
  for (unsigned first = 0; first < count; first += share, workers++) {
    if (workers == LAYOUT_WORKERS) {
      fputs("load: too many connections for the limit of open files\n", stderr);
      exit(1);
    }
    struct part part = {.first = first,
                        .count = count - first < share ? count - first : share,
                        .ipv6_percent = percent};
    workers_start(control, workers, work, &part);
  }
  return workers;
}

static void wait_for(const int *control, unsigned workers) {
  char byte;
  for (unsigned i = 0; i < workers; i++)
    if (read(control[i], &byte, 1) != 1)
      exit(1); /* the worker has printed the reason */
}

static bool order_parse(const char *line, struct order *o) {
  char verb[16];
  unsigned percent = 100;
  if (sscanf(line, "%15s %u", verb, &percent) < 1 || percent > 100)
    return false;
  o->percent = (uint8_t)percent;
  for (o->verb = 0; o->verb < VERBS; o->verb++)
    if (strcmp(verb, verb_name[o->verb]) == 0)
      return true;
  return false;
}

static int serve(const int *control, unsigned workers) {
  struct order o = {.from = 0};
  char line[32];
  wait_for(control, workers);
  while (fgets(line, sizeof(line), stdin) != NULL) {
    if (!order_parse(line, &o)) {
      fprintf(stderr, "load: unknown command: %s", line);
      return 2;
    }
    for (unsigned i = 0; i < workers; i++)
      if (write(control[i], &o, sizeof(o)) != sizeof(o))
        return 1;
    wait_for(control, workers);
    o.from = (uint8_t)((o.from + o.percent) % 100);
    puts("done");
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char **argv) {
  static int control[LAYOUT_WORKERS];
  int count = argc == 3 ? atoi(argv[1]) : 0;
  int percent = argc == 3 ? atoi(argv[2]) : -1;
  if (count < 1 || percent < 0 || percent > 100) {
    fputs("usage: load CONNECTIONS IPV6_PERCENT\n", stderr);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  unsigned workers = workers_make(control, (unsigned)count, (unsigned)percent);
  int code = serve(control, workers);
  workers_end(control, workers);
  return code;
}
