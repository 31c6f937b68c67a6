#include "kernel/proc_limits.h"

#include "kernel/proc_file.h"
#include "util/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMITS_EVERY_MS = 60000 };

void proc_limits_clear(struct proc_limits *out) {
  *out = (struct proc_limits){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* Parses the count that `at` begins with, and moves `at` behind it; NAN if
 * there is none. The kernel prints some of them as signed, so a limit may read
 * -1. */
static double count_parse(const char **at) {
  uint64_t count;
  const char *end =
      text_parse_digits(*at + strspn(*at, " \t"), UINT64_MAX, &count);
  if (end == NULL || (*end != '\0' && !isspace((unsigned char)*end)))
    return NAN;
  *at = end;
  return (double)count;
}

/* Reads up to `count` numbers of a file in sys/net/ipv4. */
static void limits_read(const char *proc, const char *name, double *out,
                        size_t count) {
  char *text;
  int fd = proc_file_open(proc, name);
  if (fd < 0)
    return;
  if (proc_file_read(fd, &text) >= 0) {
    const char *at = text;
    for (size_t i = 0; i < count; i++) {
      out[i] = count_parse(&at);
      if (isnan(out[i]))
        break;
    }
    free(text);
  }
  close(fd);
}

/* "TCP: inuse 1 orphan 0 tw 72 alloc 1 mem 19"; more may follow. */
static double sockstat_get(const char *line, const char *name) {
  char word[16];
  const char *end = line + strcspn(line, "\n");
  int length = snprintf(word, sizeof(word), " %s ", name);
  const char *at = strstr(line, word);
  if (at == NULL || at >= end)
    return NAN;
  at += length;
  return count_parse(&at);
}

/* Returns the line of TCP, or NULL. */
static const char *tcp_line(const char *text) {
  while (text != NULL && strncmp(text, "TCP:", 4) != 0) {
    text = strchr(text, '\n');
    if (text != NULL)
      text++;
  }
  return text;
}

static void sockstat_read(int *fd, const char *proc, struct proc_limits *out,
                          double page) {
  char path[PROC_FILE_PATH_MAX], *text;
  out->orphans = out->time_wait = out->tcp_mem = NAN;
  if (*fd < 0)
    *fd = proc_file_open_self(proc, "net/sockstat", path);
  if (*fd < 0 || proc_file_read(*fd, &text) < 0)
    return;
  const char *line = tcp_line(text);
  if (line != NULL) {
    out->orphans = sockstat_get(line, "orphan");
    out->time_wait = sockstat_get(line, "tw");
    out->tcp_mem = sockstat_get(line, "mem") * page;
  }
  free(text);
}

/* Memory is counted in pages. From Linux 4.10 to 5.19 sockstat counted pieces
 * of 4096 bytes, which is the size of a page on nearly all machines (linux:
 * include/net/sock.h, SK_MEM_QUANTUM). */
static void all_limits_read(const char *proc, struct proc_limits *out,
                            double page) {
  double memory[3] = {NAN, NAN, NAN}; /* low, pressure, high */
  out->orphans_limit = out->time_wait_limit = NAN;
  limits_read(proc, "sys/net/ipv4/tcp_max_orphans", &out->orphans_limit, 1);
  limits_read(proc, "sys/net/ipv4/tcp_max_tw_buckets", &out->time_wait_limit,
              1);
  limits_read(proc, "sys/net/ipv4/tcp_mem", memory, 3);
  out->tcp_mem_pressure = memory[1] * page;
  out->tcp_mem_limit = memory[2] * page;
}

void proc_limits_read_again(struct proc_limits_files *files, const char *proc,
                            uint64_t now_ms, struct proc_limits *out) {
  double page = (double)sysconf(_SC_PAGESIZE);
  sockstat_read(&files->sockstat, proc, out, page);
  if (now_ms < files->due_ms)
    return;
  all_limits_read(proc, out, page);
  /* Every namespace has this limit: if it is not known, reading failed. */
  if (!isnan(out->time_wait_limit))
    files->due_ms = now_ms + LIMITS_EVERY_MS;
}

void proc_limits_read(const char *proc, struct proc_limits *out) {
  struct proc_limits_files files = {.sockstat = -1};
  proc_limits_read_again(&files, proc, 0, out);
  if (files.sockstat >= 0)
    close(files.sockstat);
}

double proc_limits_percent(double part, double whole) {
  if (isnan(part) || isnan(whole) || whole <= 0)
    return NAN;
  return part < whole ? 100 * part / whole : 100;
}
