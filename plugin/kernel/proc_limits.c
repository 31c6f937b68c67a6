#include "kernel/proc_limits.h"

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

void proc_limits_clear(struct proc_limits *out) {
  *out = (struct proc_limits){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

enum { LIMITS_EVERY_MS = 60000 };

static int file_open(const char *proc, const char *file) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof(path), "%s/%s", proc, file) >= (int)sizeof(path))
    return -1;
  return open(path, O_RDONLY | O_CLOEXEC);
}

/* The begin of a file as text; more than fits is of no use. */
static bool text_read(int fd, char *text, size_t size) {
  ssize_t length = pread(fd, text, size - 1, 0); /* one seq_file buffer */
  if (length >= 0)
    text[length] = '\0';
  return length >= 0;
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
  int fd = file_open(proc, file);
  bool done = fd >= 0 && text_read(fd, text, sizeof(text));
  if (fd >= 0)
    close(fd);
  if (!done)
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
static int sockstat_open(const char *proc) {
  int fd = file_open(proc, "thread-self/net/sockstat");
  return fd >= 0 ? fd : file_open(proc, "self/net/sockstat");
}

static void sockstat_read(int *fd, const char *proc, struct proc_limits *out,
                          double page) {
  char text[1024]; /* some 200 are there */
  out->orphans = out->time_wait = out->tcp_mem = NAN;
  if (*fd < 0)
    *fd = sockstat_open(proc);
  if (*fd < 0 || !text_read(*fd, text, sizeof(text)))
    return;
  const char *line = text;
  while (strncmp(line, "TCP:", 4) != 0) {
    line = strchr(line, '\n');
    if (line == NULL)
      return;
    line++;
  }
  out->orphans = sockstat_get(line, "orphan");
  out->time_wait = sockstat_get(line, "tw");
  out->tcp_mem = sockstat_get(line, "mem") * page;
}

/* Memory is counted in pages (from Linux 4.10 to 5.19 sockstat told it in
 * pieces of 4096 bytes, which is another size on few machines: linux:
 * include/net/sock.h, SK_MEM_QUANTUM). */
static void limits_of(const char *proc, struct proc_limits *out, double page) {
  double memory[3] = {NAN, NAN, NAN}; /* low, pressure, high */
  out->orphans_limit = out->time_wait_limit = NAN;
  limits_read(proc, "tcp_max_orphans", &out->orphans_limit, 1);
  limits_read(proc, "tcp_max_tw_buckets", &out->time_wait_limit, 1);
  limits_read(proc, "tcp_mem", memory, 3);
  out->tcp_mem_pressure = memory[1] * page;
  out->tcp_mem_limit = memory[2] * page;
}

void proc_limits_read_again(struct proc_limits_files *files, const char *proc,
                            uint64_t now_ms, struct proc_limits *out) {
  double page = (double)sysconf(_SC_PAGESIZE);
  proc = proc != NULL ? proc : "/proc";
  sockstat_read(&files->sockstat, proc, out, page);
  if (now_ms < files->due_ms)
    return;
  limits_of(proc, out, page);
  /* Every namespace tells this one: where it is not known, something failed. */
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
