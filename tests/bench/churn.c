/* Makes the load of a benchmark: TCP connections over loopback that open and
 * close at a steady rate, at the addresses of layout.h.
 *
 *      churn RATE IPV6_PERCENT
 *
 * Prints "ready" on stdout. Each line of stdin is a number of connections; the
 * program makes them at RATE a second. When all are closed, it prints their
 * number, the bytes that both ends sent, and the seconds that passed. The
 * program ends at the end of its stdin, with its parent, or if the connections
 * take much longer than they should.
 *
 * Each connection sends a request, stays open for OPEN_MS, gets an answer and
 * is closed by both ends, by the client or the server first. The lengths of
 * requests and answers vary, so that the sum of the bytes shows if one is
 * missing. */
#include "bench_fail.h"
#include "layout.h"
#include "pairs.h"
#include "workers.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  RATE_MAX = 1000000,
  WORKER_RATE = 5000, /* maximum connections per second of one worker */
  PHASE_MAX = 100000000,
  OPEN_MS = 100, /* lifetime of a connection */
  REQUEST = 100, /* bytes, and up to SPREAD - 1 more */
  ANSWER = 300,
  SPREAD = 128,
  GRACE_SECONDS = 15, /* added to twice the planned time */
};

struct part {
  unsigned rate, ipv6_percent;
};

/* The order for a worker and its answer. */
struct count {
  uint64_t connections, bytes;
};

struct worker {
  struct pairs pairs;
  unsigned number, rate;
  struct pair *open; /* a ring */
  unsigned open_count;
  struct count count;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wait_until(double when) {
  struct timespec t = {.tv_sec = (time_t)when};
  t.tv_nsec = (long)((when - (double)t.tv_sec) * 1e9);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
    continue;
}

/* --- One connection ------------------------------------------------------- */

/* Sends and receives `size` bytes, and counts them. */
static void transfer(struct worker *w, int from, int to, size_t size) {
  static const char bytes[REQUEST + ANSWER + SPREAD];
  char got[sizeof(bytes)];
  if (send(from, bytes, size, MSG_NOSIGNAL) != (ssize_t)size ||
      recv(to, got, size, MSG_WAITALL) != (ssize_t)size)
    bench_fail("cannot transfer bytes");
  w->count.bytes += size;
}

static void connection_begin(struct worker *w, unsigned i) {
  struct pair *p = &w->open[i % w->open_count];
  *p = pairs_open(&w->pairs, i, w->number);
  transfer(w, p->client, p->server, REQUEST + i % SPREAD);
}

static void connection_end(struct worker *w, unsigned i) {
  const struct pair *p = &w->open[i % w->open_count];
  transfer(w, p->server, p->client, ANSWER + i / SPREAD % SPREAD);
  bool client_first = i % 3 == 0;
  close(client_first ? p->client : p->server);
  close(client_first ? p->server : p->client);
  w->count.connections++;
}

/* --- A worker ------------------------------------------------------------- */

/* Makes `count` connections, each at its planned time. Before a connection
 * begins, the earlier connection in its slot ends. */
static void phase(struct worker *w, unsigned count) {
  double begin = now(), planned = (double)count / w->rate;
  w->count = (struct count){.connections = 0};
  for (unsigned i = 0; i < count + w->open_count; i++) {
    double due = begin + (double)i / w->rate, time = now();
    if (time < due)
      wait_until(due);
    if (time > begin + 2 * planned + GRACE_SECONDS) {
      fputs("churn: the connections take too long\n", stderr);
      exit(1);
    }
    if (i >= w->open_count && i - w->open_count < count)
      connection_end(w, i - w->open_count);
    if (i < count)
      connection_begin(w, i);
  }
}

static void work(unsigned number, int control, void *data) {
  const struct part *part = data;
  struct worker w = {.number = number, .rate = part->rate};
  w.pairs.ipv6_percent = part->ipv6_percent;
  w.open_count = part->rate * OPEN_MS / 1000 + 1;
  w.open = calloc(w.open_count, sizeof(*w.open));
  if (w.open == NULL)
    bench_fail("cannot allocate memory");
  pairs_listen(&w.pairs, number);
  while (send(control, &w.count, sizeof(w.count), MSG_NOSIGNAL) > 0 &&
         recv(control, &w.count, sizeof(w.count), MSG_WAITALL) > 0)
    phase(&w, (unsigned)w.count.connections);
  free(w.open);
}

/* --- All workers ---------------------------------------------------------- */

static struct count answers(const int *control, unsigned workers) {
  struct count all = {.connections = 0}, c;
  for (unsigned i = 0; i < workers; i++) {
    if (recv(control[i], &c, sizeof(c), MSG_WAITALL) != sizeof(c))
      exit(1); /* the worker has printed the reason */
    all.connections += c.connections;
    all.bytes += c.bytes;
  }
  return all;
}

static void share_out(const int *control, unsigned workers, unsigned total) {
  for (unsigned i = 0; i < workers; i++) {
    struct count c = {.connections = total / workers + (i < total % workers)};
    if (send(control[i], &c, sizeof(c), MSG_NOSIGNAL) != sizeof(c))
      exit(1);
  }
}

static int serve(const int *control, unsigned workers) {
  char line[32];
  answers(control, workers);
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof(line), stdin) != NULL) {
    long total = strtol(line, NULL, 10);
    if (total < 1 || total > PHASE_MAX)
      return 2;
    double begin = now();
    share_out(control, workers, (unsigned)total);
    struct count c = answers(control, workers);
    printf("%llu %llu %.3f\n", (unsigned long long)c.connections,
           (unsigned long long)c.bytes, now() - begin);
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char **argv) {
  static int control[LAYOUT_WORKERS];
  int rate = argc == 3 ? atoi(argv[1]) : 0;
  int percent = argc == 3 ? atoi(argv[2]) : -1;
  if (rate < 1 || rate > RATE_MAX || percent < 0 || percent > 100) {
    fputs("usage: churn RATE IPV6_PERCENT\n", stderr);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  workers_files();
  unsigned workers = ((unsigned)rate + WORKER_RATE - 1) / WORKER_RATE;
  struct part part = {.rate = (unsigned)rate / workers,
                      .ipv6_percent = (unsigned)percent};
  for (unsigned i = 0; i < workers; i++)
    workers_start(control, i, work, &part);
  int code = serve(control, workers);
  workers_end(control, workers);
  return code;
}
