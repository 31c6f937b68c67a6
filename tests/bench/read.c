/* Measures the cost of a read against the floor (dump_floor.h). This process
 * runs both, so that both run under the same conditions.
 *
 *      read SCENARIO IPV6_PERCENT
 *
 * Prints "ready", then executes the commands on stdin, one per line, and
 * answers each with one line of figures, separated by commas. COUNT times:
 *
 *      floor COUNT      makes the dump that the scenario requests from the
 *                       kernel, and drops the answers
 *      two-walks COUNT  makes the same dump as one dump for each family
 *      read COUNT       makes a read of the plugin, without the dispatch of
 *                       values
 *
 * These print the CPU seconds of one run, user seconds, system seconds, the
 * sockets in the dump and, for a read, the connections in the groups and the
 * series.
 *
 *      memory           prints the resident memory in KiB: now, and the maximum
 *                       so far
 */
#include "bench_fail.h"
#include "configure.h"
#include "dump_floor.h"
#include "layout.h"
#include "read/reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { TEXT_MAX = 1 << 16, INTERVAL_MS = 10000, COUNT_MAX = 100000 };

/* --- scenarios ------------------------------------------------------------ */

/* Writes the groups of a scenario. */
typedef void scenario_fn(FILE *out, unsigned ipv6_percent);

static void group(FILE *out, const char *name, const char *options) {
  fprintf(out, "<Group \"%s\">\n%s\n</Group>\n", name, options);
}

static void one_group(FILE *out, unsigned percent) {
  (void)percent;
  group(out, "g", "IgnoreLoopback true");
}

static void by_address(FILE *out, unsigned percent) {
  (void)percent;
  group(out, "g", "By \"remote-address\"\nMaxMembers 1000");
}

/* Writes one group of all connections, and nine groups of some ports each. */
static void ten_groups(FILE *out, unsigned percent) {
  one_group(out, percent);
  for (unsigned i = 0; i < 9; i++)
    fprintf(out,
            "<Group \"g%u\">\nFilter \"sport >= :%u and sport <= :%u or "
            "dport >= :%u and dport <= :%u\"\n</Group>\n",
            i, LAYOUT_PORT_COMMON + 6 * i, LAYOUT_PORT_COMMON + 6 * i + 5,
            LAYOUT_PORT_COMMON + 6 * i, LAYOUT_PORT_COMMON + 6 * i + 5);
}

/* Writes every metric, with the default percentiles of each distribution,
 * except outliers, which need members. */
static void all_metrics(FILE *out, unsigned percent) {
  (void)percent;
  fputs("<Group \"g\">\n", out);
  for (int id = 0; id < METRIC_COUNT; id++)
    if (id != METRIC_OUTLIERS)
      fprintf(out, "Metric \"%s\"\n", metric_table[id].name);
  fputs("</Group>\n", out);
}

static void one_percent(FILE *out, unsigned percent) {
  (void)percent;
  group(out, "g", "RemotePort \"4000-4999\"");
}
_Static_assert(LAYOUT_PORT_RARE == 4000 && LAYOUT_WORKERS == 1000,
               "the ports of one_percent");

static void one_prefix(FILE *out, unsigned percent) {
  fputs("<Group \"g\">\n", out);
  if (percent < 100)
    fputs("RemoteAddress \"" LAYOUT_IPV4 "\"\n", out);
  if (percent > 0)
    fputs("RemoteAddress \"" LAYOUT_IPV6 "\"\n", out);
  fputs("</Group>\n", out);
}

static void all_prefixes(FILE *out, unsigned percent) {
  fputs("<Group \"g\">\n", out);
  for (unsigned n = 0; n < LAYOUT_NETWORKS; n++) {
    char text[LAYOUT_TEXT_MAX];
    bool ipv6 = layout_is_ipv6(n, percent);
    layout_address(n, ipv6, 0, text);
    fprintf(out, "RemoteAddress \"%s/%d\"\n", text, ipv6 ? 64 : 24);
  }
  fputs("</Group>\n", out);
}

/* `run` defines the traffic between the reads; see SCENARIOS there. */
static const struct {
  const char *name;
  scenario_fn *write;
} scenario_table[] = {
    {"default", one_group},       {"active", one_group},
    {"by", by_address},           {"ten-groups", ten_groups},
    {"all-metrics", all_metrics}, {"one-percent", one_percent},
    {"prefix-1", one_prefix},     {"prefix-500", all_prefixes},
    {"churn", one_group},         {"memory", one_group},
};

static scenario_fn *scenario_find(const char *name) {
  size_t count = sizeof(scenario_table) / sizeof(scenario_table[0]);
  for (size_t i = 0; i < count; i++)
    if (strcmp(scenario_table[i].name, name) == 0)
      return scenario_table[i].write;
  return NULL;
}

static int scenario_configure(struct settings *s, scenario_fn *write,
                              unsigned percent, struct error *error) {
  static char text[TEXT_MAX];
  FILE *out = fmemopen(text, sizeof(text), "w");
  if (out == NULL)
    return error_set(error, "out of memory");
  write(out, percent);
  fclose(out);
  return configure(s, text, error);
}

/* --- measured code -------------------------------------------------------- */

struct measured {
  struct reader *reader;
  int floor;
};

struct figures {
  size_t sockets, matched, series;
};

static void fail(const char *failed, const struct error *error) {
  fprintf(stderr, "read: %s: %s\n", failed, error->text);
  exit(1);
}

static void floor_run(struct measured *m, struct figures *f) {
  f->sockets = floor_dump(m->floor, reader_request(m->reader), FLOOR_ONE_WALK);
}

static void two_walks_run(struct measured *m, struct figures *f) {
  f->sockets = floor_dump(m->floor, reader_request(m->reader), FLOOR_TWO_WALKS);
}

struct emitted {
  size_t info_size, series;
  double sum; /* keeps the compiler from removing a value */
};

static void on_value(const struct accumulator_value *v, void *data) {
  struct emitted *e = data;
  e->series++;
  e->sum += v->derive ? (double)v->counter : v->gauge;
}

static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  (void)member;
  struct emitted *e = data;
  accumulator_emit(accumulator, e->info_size,
                   chosen ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL, on_value,
                   e);
}

static void read_run(struct measured *m, struct figures *f) {
  struct error error;
  if (reader_read(m->reader, &error) != DUMP_COMPLETE)
    fail("the read failed", &error);
  const struct reader_health *health = reader_health(m->reader);
  struct emitted e = {.info_size = health->observer.info_size};
  for (size_t i = 0; i < reader_group_count(m->reader); i++)
    group_each(reader_group(m->reader, i), on_series, &e);
  reader_commit(m->reader);
  *f = (struct figures){.sockets = health->observer.dumped,
                        .matched = health->observer.matched,
                        .series = e.series};
}

/* --- figures -------------------------------------------------------------- */

static double cpu_seconds(void) { /* user and system, exact */
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds_of(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static void repeat(struct measured *m,
                   void (*run)(struct measured *, struct figures *),
                   unsigned count) {
  struct figures f = {0};
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  double begin = cpu_seconds();
  for (unsigned i = 0; i < count; i++)
    run(m, &f);
  double cpu = cpu_seconds() - begin;
  getrusage(RUSAGE_SELF, &after);
  double user = seconds_of(after.ru_utime) - seconds_of(before.ru_utime);
  double system = seconds_of(after.ru_stime) - seconds_of(before.ru_stime);
  printf("%.9f,%.9f,%.9f,%zu,%zu,%zu\n", cpu / count, user / count,
         system / count, f.sockets, f.matched, f.series);
}

static void memory_print(void) {
  char line[128];
  unsigned long now = 0, most = 0;
  FILE *f = fopen("/proc/self/status", "r");
  if (f == NULL)
    bench_fail("cannot open /proc/self/status");
  while (fgets(line, sizeof(line), f) != NULL) {
    sscanf(line, "VmHWM: %lu", &most);
    sscanf(line, "VmRSS: %lu", &now);
  }
  fclose(f);
  printf("%lu,%lu\n", now, most);
}

static int serve(struct measured *m) {
  static const struct {
    const char *verb;
    void (*run)(struct measured *, struct figures *);
  } verb_table[] = {
      {"floor", floor_run}, {"two-walks", two_walks_run}, {"read", read_run}};
  char line[64], verb[16];
  while (fgets(line, sizeof(line), stdin) != NULL) {
    unsigned count = 1, known = 0;
    if (sscanf(line, "%15s %u", verb, &count) < 1 || count < 1 ||
        count > COUNT_MAX)
      return 2;
    for (size_t i = 0; i < sizeof(verb_table) / sizeof(verb_table[0]); i++)
      if (strcmp(verb, verb_table[i].verb) == 0 && ++known)
        repeat(m, verb_table[i].run, count);
    if (strcmp(verb, "memory") == 0 && ++known)
      memory_print();
    if (!known) {
      fprintf(stderr, "read: unknown command: %s\n", verb);
      return 2;
    }
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char **argv) {
  scenario_fn *write = argc == 3 ? scenario_find(argv[1]) : NULL;
  int percent = argc == 3 ? atoi(argv[2]) : -1;
  if (write == NULL || percent < 0 || percent > 100) {
    fputs("usage: read SCENARIO IPV6_PERCENT\n", stderr);
    return 2;
  }
  struct settings settings;
  struct error error;
  if (scenario_configure(&settings, write, (unsigned)percent, &error) != 0)
    fail(argv[1], &error);
  struct measured m = {.reader =
                           reader_new(&settings, INTERVAL_MS, NULL, &error),
                       .floor = floor_open()};
  if (m.reader == NULL)
    fail(argv[1], &error);
  puts("ready");
  fflush(stdout);
  int code = serve(&m);
  reader_free(m.reader);
  settings_free(&settings);
  return code;
}
