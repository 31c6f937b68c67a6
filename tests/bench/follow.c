/* Measures the cost of receiving the kernel's destroy events, and checks that
 * none is missing: in the plugin's core, or in the floor (event_floor.h).
 *
 *      follow floor|default|by SECONDS
 *
 * Prints "ready" on stdout once the events are received. Then it reads every
 * SECONDS until a line of stdin gives the number of events. It waits for these
 * events (for some seconds at most) and prints one line, separated by commas:
 *
 *      events received, events lost, reads, CPU seconds of the thread that
 *      receives and of the thread that reads, resident memory in kB before the
 *      load, after a third of the time and at the end; then the group's
 *      counters bytes_sent, retrans, opened, closed and failed; uncounted
 *      events, and malformed messages
 *
 * The load (churn.c) must begin after "ready". */
#include "configure.h"
#include "event_floor.h"
#include "read/reader.h"

#include <dirent.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  SAMPLES_MAX = 10000, /* one a second */
  SETTLE_STEP_MS = 50,
  SETTLE_STEPS = 200,
};

struct scenario {
  const char *name, *text; /* `text` NULL: the floor */
};

static const struct scenario scenario_table[] = {
    {"floor", NULL},
    {"default",
     "CountClosed true\n<Group g>\nIgnoreLoopback false\n</Group>\n"},
    {"by", "CountClosed true\n<Group g>\nBy \"remote-address\"\n</Group>\n"},
};

struct sums {
  uint64_t bytes_sent, retrans, opened, closed, failed;
};

struct follower {
  const struct scenario *scenario;
  struct settings settings;
  struct reader *reader; /* NULL: the floor */
  pid_t thread;          /* receives the events */
  double read_cpu;       /* CPU seconds of the thread that reads */
  size_t reads;
  struct sums sums;
};

static void fail(const char *failed, const struct error *error) {
  fprintf(stderr, "follow: %s: %s\n", failed, error->text);
  exit(1);
}

/* --- CPU time and memory -------------------------------------------------- */

static double clock_seconds(clockid_t id) {
  struct timespec t;
  struct error error = {.text = "no clock"};
  if (clock_gettime(id, &t) != 0)
    fail("clock_gettime", &error);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Returns the user and system time of a thread of this process, in seconds. The
 * clock id is that of pthread_getcpuclockid(), which would need the pthread_t
 * (linux: include/linux/posix-timers.h, CPUCLOCK_PERTHREAD_MASK,
 * CPUCLOCK_SCHED). */
static double thread_cpu(pid_t thread) {
  return clock_seconds((clockid_t)(~(unsigned)thread << 3 | 4 | 2));
}

static double monotonic_ms(void) {
  return clock_seconds(CLOCK_MONOTONIC) * 1000;
}

/* Returns the exact resident memory; /proc/self/status may lack pages that CPUs
 * have not added yet. */
static unsigned long resident_kb(void) {
  char line[128];
  unsigned long kb = 0;
  FILE *f = fopen("/proc/self/smaps_rollup", "r");
  while (f != NULL && fgets(line, sizeof(line), f) != NULL)
    if (sscanf(line, "Rss: %lu", &kb) == 1)
      break;
  if (f != NULL)
    fclose(f);
  return kb;
}

static bool has_name(const char *thread, const char *name) {
  char path[300], got[32] = "";
  snprintf(path, sizeof(path), "/proc/self/task/%s/comm", thread);
  FILE *f = fopen(path, "r");
  if (f == NULL)
    return false;
  bool same = fgets(got, sizeof(got), f) != NULL &&
              strncmp(got, name, strlen(name)) == 0;
  fclose(f);
  return same;
}

/* Returns the id of the thread with that name, or 0. A thread sets its name
 * only after its start, so this waits for some time. */
static pid_t thread_find(const char *name) {
  pid_t found = 0;
  for (int i = 0; i < SETTLE_STEPS && found == 0; i++) {
    DIR *all = opendir("/proc/self/task");
    const struct dirent *e;
    while (all != NULL && (e = readdir(all)) != NULL)
      if (has_name(e->d_name, name))
        found = atoi(e->d_name);
    if (all != NULL)
      closedir(all);
    if (found == 0)
      usleep(SETTLE_STEP_MS * 1000);
  }
  return found;
}

/* --- Reading -------------------------------------------------------------- */

static void on_value(const struct accumulator_value *v, void *data) {
  struct sums *sums = data;
  const struct {
    const char *instance;
    uint64_t *sum;
  } row[] = {{"bytes_sent", &sums->bytes_sent},
             {"retrans", &sums->retrans},
             {"opened", &sums->opened},
             {"closed", &sums->closed},
             {"failed", &sums->failed}};
  for (size_t i = 0; v->derive && i < sizeof(row) / sizeof(row[0]); i++)
    if (strcmp(v->instance, row[i].instance) == 0)
      *row[i].sum += (uint64_t)v->counter;
}

static void on_ignored(const struct accumulator_value *v, void *data) {
  (void)v;
  (void)data;
}

/* Adds up the values of the total. The values of members are computed as for a
 * dispatch, but ignored. */
static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  struct follower *f = data;
  accumulator_emit(accumulator, reader_health(f->reader)->observer.info_size,
                   chosen ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL,
                   member == NULL ? on_value : on_ignored, &f->sums);
}

static void read_once(struct follower *f) {
  struct error error;
  if (f->reader == NULL)
    return;
  double begin = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
  if (reader_read(f->reader, &error) != DUMP_COMPLETE)
    fail("the read failed", &error);
  f->sums = (struct sums){.bytes_sent = 0};
  group_each(reader_group(f->reader, 0), on_series, f);
  reader_commit(f->reader);
  f->read_cpu += clock_seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
  f->reads++;
}

static uint64_t received(const struct follower *f) {
  return f->reader == NULL
             ? event_floor_count()
             : reader_health(f->reader)->observer.close_policy.received;
}

static uint64_t lost(const struct follower *f) {
  return f->reader == NULL
             ? event_floor_lost()
             : reader_health(f->reader)->observer.close_policy.lost;
}

static void start(struct follower *f, unsigned seconds) {
  struct error error = {.text = "no thread"};
  if (f->scenario->text == NULL) {
    f->thread = event_floor_start();
    return;
  }
  if (configure(&f->settings, f->scenario->text, &error) != 0)
    fail(f->scenario->name, &error);
  f->reader = reader_new(&f->settings, seconds * 1000, NULL, &error);
  if (f->reader == NULL)
    fail(f->scenario->name, &error);
  /* The first dump is the baseline. Only after another read is each event
   * certain to be newer than the baseline (`unclear` in connection.h). */
  read_once(f);
  usleep(SETTLE_STEP_MS * 1000);
  read_once(f);
  f->thread = thread_find("tcpinfo-close");
  if (f->thread == 0)
    fail("cannot find tcpinfo-close", &error);
}

/* Waits, after the end of the load, for its last events. One more read shows if
 * there are more events than expected. */
static void settle(struct follower *f, uint64_t expected) {
  for (int i = 0; i < SETTLE_STEPS && received(f) + lost(f) < expected; i++) {
    usleep(SETTLE_STEP_MS * 1000);
    read_once(f);
  }
  usleep(SETTLE_STEP_MS * 1000);
  read_once(f);
}

/* Waits for a line of stdin until `due_ms`; returns true if there is one. */
static bool line_before(double due_ms) {
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  double left = due_ms - monotonic_ms();
  return poll(&in, 1, left > 0 ? (int)left + 1 : 0) > 0;
}

static uint64_t expected_get(void) {
  char line[32];
  if (fgets(line, sizeof(line), stdin) == NULL)
    exit(1); /* the parent has ended */
  return strtoull(line, NULL, 10);
}

static void measure(struct follower *f, unsigned seconds) {
  static unsigned long resident[SAMPLES_MAX];
  unsigned samples = 1;
  resident[0] = resident_kb();
  puts("ready");
  fflush(stdout);

  double thread_begin = thread_cpu(f->thread), read_begin = f->read_cpu;
  double due = monotonic_ms() + 1000;
  while (samples < SAMPLES_MAX && !line_before(due)) {
    if (samples % seconds == 0)
      read_once(f);
    resident[samples++] = resident_kb();
    due = fmax(due + 1000, monotonic_ms()); /* a late read is not made up for */
  }
  settle(f, expected_get());
  const struct sums *s = &f->sums;
  printf("%llu,%llu,%zu,%.6f,%.6f,%lu,%lu,%lu,%llu,%llu,%llu,%llu,%llu",
         (unsigned long long)received(f), (unsigned long long)lost(f), f->reads,
         thread_cpu(f->thread) - thread_begin, f->read_cpu - read_begin,
         resident[0], resident[samples / 3], resident[samples - 1],
         (unsigned long long)s->bytes_sent, (unsigned long long)s->retrans,
         (unsigned long long)s->opened, (unsigned long long)s->closed,
         (unsigned long long)s->failed);
  const struct reader_health *h =
      f->reader != NULL ? reader_health(f->reader) : NULL;
  printf(",%llu,%llu\n",
         h != NULL ? (unsigned long long)h->observer.unclear : 0,
         h != NULL ? (unsigned long long)h->observer.malformed : 0);
}

int main(int argc, char **argv) {
  static struct follower f;
  int seconds = argc == 3 ? atoi(argv[2]) : 0;
  size_t count = sizeof(scenario_table) / sizeof(scenario_table[0]);
  for (size_t i = 0; argc == 3 && i < count; i++)
    if (strcmp(scenario_table[i].name, argv[1]) == 0)
      f.scenario = &scenario_table[i];
  if (f.scenario == NULL || seconds < 1 || seconds > 3600) {
    fputs("usage: follow floor|default|by SECONDS\n", stderr);
    return 2;
  }
  start(&f, (unsigned)seconds);
  measure(&f, (unsigned)seconds);
  reader_free(f.reader);
  if (f.scenario->text != NULL)
    settings_free(&f.settings);
  return 0;
}
