/* The load of a benchmark: established TCP connections over loopback, as
 * layout.h has them.
 *
 *      load CONNECTIONS IPV6_PERCENT
 *
 * Says "ready" on stdout when all are open. For every line on stdin, a byte
 * goes over each connection, both ends get an ACK, and then it says "done". It
 * ends with its stdin, and with its parent.
 *
 * The connections are reset when a worker ends, so that no TIME_WAIT is left.
 */
#include "layout.h"
#include "pairs.h"
#include "workers.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The part of one worker. */
struct part {
  unsigned first, count, ipv6_percent;
};

static void pulse(const struct pair *p, unsigned count) {
  char byte = 0;
  for (unsigned i = 0; i < count; i++)
    if (write(p[i].client, &byte, 1) != 1 || read(p[i].server, &byte, 1) != 1 ||
        write(p[i].server, &byte, 1) != 1 || read(p[i].client, &byte, 1) != 1)
      bench_fail("a byte");
}

/* Opens its part, and then lets a byte over it for every byte of `control`. */
static void work(unsigned worker, int control, void *data) {
  const struct part *part = data;
  struct pair *p = calloc(part->count, sizeof(*p));
  struct pairs pairs = {.ipv6_percent = part->ipv6_percent, .reset = true};
  char byte = 0;
  if (p == NULL)
    bench_fail("memory");
  pairs_listen(&pairs, worker);
  for (unsigned i = 0; i < part->count; i++)
    p[i] = pairs_open(&pairs, part->first + i, worker);
  while (write(control, &byte, 1) == 1 && read(control, &byte, 1) == 1)
    pulse(p, part->count);
  free(p);
}

static void say_when_all_did(const char *what, const int *control,
                             unsigned workers) {
  char byte;
  for (unsigned i = 0; i < workers; i++)
    if (read(control[i], &byte, 1) != 1)
      exit(1); /* the worker has said why */
  puts(what);
  fflush(stdout);
}

int main(int argc, char **argv) {
  static int control[LAYOUT_WORKERS];
  int total = argc == 3 ? atoi(argv[1]) : 0;
  int percent = argc == 3 ? atoi(argv[2]) : -1;
  if (total < 1 || percent < 0 || percent > 100) {
    fputs("load CONNECTIONS IPV6_PERCENT\n", stderr);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  unsigned count = (unsigned)total, share = workers_files() / 2;
  unsigned workers = 0;
  for (unsigned first = 0; first < count; first += share, workers++) {
    if (workers == LAYOUT_WORKERS) {
      fputs("load: too many connections for the limit of open files\n", stderr);
      return 1;
    }
    struct part part = {.first = first,
                        .count = count - first < share ? count - first : share,
                        .ipv6_percent = (unsigned)percent};
    workers_start(control, workers, work, &part);
  }
  say_when_all_did("ready", control, workers);
  for (int c; (c = getchar()) != EOF;) {
    if (c != '\n')
      continue;
    for (unsigned i = 0; i < workers; i++)
      if (write(control[i], "", 1) != 1)
        return 1;
    say_when_all_did("done", control, workers);
  }
  workers_end(control, workers);
  return 0;
}
