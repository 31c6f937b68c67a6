/* What a read costs, against the floor: a program that sends the same request
 * and throws the replies away. Both in this process, by turns, so that both
 * meet the same machine.
 *
 *      read SCENARIO IPV6_PERCENT PAIRS
 *
 * The load (load.c) is already there. Where a scenario wants traffic before
 * each pair, it says "pulse" on stdout and waits for a line on stdin. At last
 * it prints one line, separated by commas:
 *
 *      scenario, sockets in a dump, connections in the group, series, pairs,
 *      CPU seconds of the floor and of the read (medians), the ratio of a pair
 *      (median, lower and upper quartile), CPU seconds of the very first
 *      read, highest resident memory in MB
 *
 * The ratio is that of pairs, because a machine that gets slower meanwhile
 * moves the medians of both sides, and not by the same amount.
 */
#include "configure.h"
#include "layout.h"
#include "scan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAIRS_MAX = 1000, TEXT_MAX = 1 << 16, INTERVAL_MS = 10000 };

/* --- scenarios ------------------------------------------------------------ */

struct scenario {
  const char *name;
  const char *options; /* of the one group */
  bool one_prefix, all_prefixes, pulse;
};

static const struct scenario scenario_table[] = {
    {.name = "default", .options = "IgnoreLoopback true"},
    {.name = "active", .options = "IgnoreLoopback true", .pulse = true},
    {.name = "by", .options = "By \"remote-address\"\nMaxMembers 1000"},
    {.name = "prefix-1", .options = "", .one_prefix = true},
    {.name = "prefix-500", .options = "", .all_prefixes = true},
    {.name = "one-percent", .options = "RemotePort \"4000-4999\""},
};
_Static_assert(LAYOUT_PORT_RARE == 4000 && LAYOUT_WORKERS == 1000,
               "the ports of one-percent");

static const struct scenario *scenario_find(const char *name) {
  size_t count = sizeof(scenario_table) / sizeof(scenario_table[0]);
  for (size_t i = 0; i < count; i++)
    if (strcmp(scenario_table[i].name, name) == 0)
      return &scenario_table[i];
  return NULL;
}

static void prefixes_write(FILE *out, const struct scenario *c,
                           unsigned percent) {
  if (c->one_prefix && percent < 100)
    fputs("RemoteAddress \"" LAYOUT_IPV4 "\"\n", out);
  if (c->one_prefix && percent > 0)
    fputs("RemoteAddress \"" LAYOUT_IPV6 "\"\n", out);
  for (unsigned n = 0; c->all_prefixes && n < LAYOUT_NETWORKS; n++) {
    char text[LAYOUT_TEXT_MAX];
    bool ipv6 = layout_is_ipv6(n, percent);
    layout_address(n, ipv6, 0, text);
    fprintf(out, "RemoteAddress \"%s/%d\"\n", text, ipv6 ? 64 : 24);
  }
}

static int scenario_configure(struct settings *s, const struct scenario *c,
                              unsigned percent, struct error *error) {
  static char text[TEXT_MAX];
  FILE *out = fmemopen(text, sizeof(text), "w");
  if (out == NULL)
    return error_set(error, "out of memory");
  fprintf(out, "<Group g>\n%s\n", c->options);
  prefixes_write(out, c, percent);
  fputs("</Group>\n", out);
  fclose(out);
  return configure(s, text, error);
}

/* --- what is measured ----------------------------------------------------- */

static double cpu_seconds(void) { /* user and system */
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fail(const char *what, const struct error *error) {
  fprintf(stderr, "read: %s: %s\n", what, error->text);
  exit(1);
}

static void throw_away(const struct nlmsghdr *nlh, void *data) {
  (void)nlh;
  ++*(size_t *)data;
}

static double floor_run(struct diag *d, const struct source_request *request,
                        size_t *sockets) {
  struct error error;
  double begin = cpu_seconds();
  *sockets = 0;
  if (diag_dump(d, request, throw_away, sockets, &error) != SOURCE_COMPLETE)
    fail("the floor", &error);
  return cpu_seconds() - begin;
}

struct emitted {
  size_t info_size, series;
  double sum; /* so that no value is left out by the compiler */
};

static void on_value(const struct cell_value *v, void *data) {
  struct emitted *e = data;
  e->series++;
  e->sum += v->derive ? (double)v->counter : v->gauge;
}

static void on_series(const char *member, struct cell *cell, bool chosen,
                      void *data) {
  (void)member;
  struct emitted *e = data;
  cell_emit(cell, e->info_size, chosen ? CELL_COUNTERS : CELL_ALL, on_value, e);
}

static double read_run(struct scan *s, struct emitted *e) {
  struct error error;
  double begin = cpu_seconds();
  if (scan_read(s, &error) != SOURCE_COMPLETE)
    fail("the read", &error);
  *e = (struct emitted){.info_size = scan_health(s)->info_size};
  for (size_t i = 0; i < scan_group_count(s); i++)
    group_each(scan_group(s, i), on_series, e);
  scan_commit(s);
  return cpu_seconds() - begin;
}

static void wait_for_traffic(void) {
  char line[8];
  puts("pulse");
  fflush(stdout);
  if (fgets(line, sizeof(line), stdin) == NULL)
    exit(1);
}

/* --- figures -------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *value, size_t count) {
  qsort(value, count, sizeof(*value), compare);
  return (value[(count - 1) / 2] + value[count / 2]) / 2;
}

/* The highest so far. What getrusage() says is also that of the program which
 * was in this process before. */
static double resident_mb(void) {
  char line[128];
  unsigned long kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f != NULL && fgets(line, sizeof(line), f) != NULL)
    if (sscanf(line, "VmHWM: %lu", &kb) == 1)
      break;
  if (f != NULL)
    fclose(f);
  return (double)kb / 1024;
}

static void measure(struct scan *s, struct diag *d, const struct scenario *c,
                    size_t pairs) {
  static double floor[PAIRS_MAX], read[PAIRS_MAX], ratio[PAIRS_MAX];
  struct emitted e;
  size_t sockets;
  double first = read_run(s, &e);
  floor_run(d, scan_request(s), &sockets);
  read_run(s, &e);
  for (size_t i = 0; i < pairs; i++) {
    if (c->pulse)
      wait_for_traffic();
    if (i % 2 == 0)
      floor[i] = floor_run(d, scan_request(s), &sockets);
    read[i] = read_run(s, &e);
    if (i % 2 != 0)
      floor[i] = floor_run(d, scan_request(s), &sockets);
    ratio[i] = read[i] / floor[i];
  }
  double floor_median = median(floor, pairs), read_median = median(read, pairs);
  double ratio_median = median(ratio, pairs); /* which sorts */
  printf("%s,%zu,%llu,%zu,%zu,%.6f,%.6f,%.4f,%.4f,%.4f,%.6f,%.1f\n", c->name,
         sockets, (unsigned long long)scan_health(s)->matched, e.series, pairs,
         floor_median, read_median, ratio_median, ratio[pairs / 4],
         ratio[pairs - 1 - pairs / 4], first, resident_mb());
}

int main(int argc, char **argv) {
  const struct scenario *c = argc == 4 ? scenario_find(argv[1]) : NULL;
  int percent = argc == 4 ? atoi(argv[2]) : 0;
  int pairs = argc == 4 ? atoi(argv[3]) : 0;
  if (c == NULL || percent < 0 || percent > 100 || pairs < 1 ||
      pairs > PAIRS_MAX) {
    fputs("read SCENARIO IPV6_PERCENT PAIRS\n", stderr);
    return 2;
  }
  struct settings settings;
  struct error error;
  if (scenario_configure(&settings, c, (unsigned)percent, &error) != 0)
    fail(c->name, &error);
  struct scan *s = scan_new(&settings, INTERVAL_MS, NULL, &error);
  struct diag *d = diag_new(NULL, NULL);
  if (s == NULL || d == NULL)
    fail("out of memory", &error);
  measure(s, d, c, (size_t)pairs);
  diag_free(d);
  scan_free(s);
  settings_free(&settings);
  return 0;
}
