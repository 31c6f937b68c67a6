#include "host_limits.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void host_limits_clear(struct host_limits *out) {
  *out = (struct host_limits){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* The begin of a file as text; more than fits is of no use. */
static bool text_read(const char *proc, const char *file, char *text,
                      size_t size) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof(path), "%s/%s", proc, file) >= (int)sizeof(path))
    return false;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  ssize_t length = read(fd, text, size - 1); /* one seq_file buffer */
  close(fd);
  if (length < 0)
    return false;
  text[length] = '\0';
  return true;
}

/* The count that `at` begins with, and where it ends; NAN and `at` where there
 * is none. The kernel writes some as signed, so a limit may read as -1. */
static double count_parse(const char *at, const char **end) {
  char *behind;
  *end = at;
  at += strspn(at, " \t");
  if (!isdigit((unsigned char)*at))
    return NAN;
  errno = 0;
  unsigned long long count = strtoull(at, &behind, 10);
  if (errno != 0 || (*behind != '\0' && !isspace((unsigned char)*behind)))
    return NAN;
  *end = behind;
  return (double)count;
}

/* Up to `count` numbers of a file in sys/net/ipv4. */
static void limits_read(const char *proc, const char *name, double *out,
                        size_t count) {
  char file[64], text[128];
  const char *at = text;
  snprintf(file, sizeof(file), "sys/net/ipv4/%s", name);
  if (!text_read(proc, file, text, sizeof(text)))
    return;
  for (size_t i = 0; i < count; i++) {
    out[i] = count_parse(at, &at);
    if (isnan(out[i]))
      return;
  }
}

/* "TCP: inuse 1 orphan 0 tw 72 alloc 1 mem 19"; more may follow. */
static double sockstat_get(const char *line, const char *name) {
  char word[16];
  const char *end = line + strcspn(line, "\n"), *behind;
  int length = snprintf(word, sizeof(word), " %s ", name);
  const char *at = strstr(line, word);
  return at != NULL && at < end ? count_parse(at + length, &behind) : NAN;
}

/* See host.c of thread-self. */
static void sockstat_read(const char *proc, struct host_limits *out,
                          double page) {
  char text[1024]; /* some 200 are there */
  if (!text_read(proc, "thread-self/net/sockstat", text, sizeof(text)) &&
      !text_read(proc, "self/net/sockstat", text, sizeof(text)))
    return;
  const char *line = text;
  while (strncmp(line, "TCP:", 4) != 0) {
    line = strchr(line, '\n');
    if (line++ == NULL)
      return;
  }
  out->orphans = sockstat_get(line, "orphan");
  out->time_wait = sockstat_get(line, "tw");
  out->tcp_mem = sockstat_get(line, "mem") * page;
}

/* Memory is counted in pages (from Linux 4.10 to 5.19 sockstat told it in
 * pieces of 4096 bytes, which is another size on few machines: linux:
 * include/net/sock.h, SK_MEM_QUANTUM). */
void host_limits_read(const char *proc, struct host_limits *out) {
  double page = (double)sysconf(_SC_PAGESIZE);
  double memory[3] = {NAN, NAN, NAN}; /* low, pressure, high */
  proc = proc != NULL ? proc : "/proc";
  host_limits_clear(out);
  sockstat_read(proc, out, page);
  limits_read(proc, "tcp_max_orphans", &out->orphans_limit, 1);
  limits_read(proc, "tcp_max_tw_buckets", &out->time_wait_limit, 1);
  limits_read(proc, "tcp_mem", memory, 3);
  out->tcp_mem_pressure = memory[1] * page;
  out->tcp_mem_limit = memory[2] * page;
}

double host_limits_percent(double part, double whole) {
  if (isnan(part) || isnan(whole) || whole <= 0)
    return NAN;
  return part < whole ? 100 * part / whole : 100;
}
