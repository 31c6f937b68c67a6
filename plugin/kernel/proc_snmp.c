/* See host.h.
 *
 * A protocol has two lines in this file, of names and of values (linux:
 * net/ipv4/proc.c, snmp_seq_show()):
 *
 *      Tcp: RtoAlgorithm RtoMin ... ActiveOpens PassiveOpens ...
 *      Tcp: 1 200 ... 1039 27 ...
 */
#include "kernel/proc_snmp.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
  const char *name;
  size_t offset; /* in struct proc_snmp */
} column[] = {
    {"ActiveOpens", offsetof(struct proc_snmp, active_opens)},
    {"PassiveOpens", offsetof(struct proc_snmp, passive_opens)},
    {"CurrEstab", offsetof(struct proc_snmp, curr_estab)},
    {"RetransSegs", offsetof(struct proc_snmp, retrans_segs)},
};
enum { COLUMN_COUNT = sizeof(column) / sizeof(column[0]) };

/* The two lines, with "Tcp:"; from getline(). */
struct lines {
  char *names, *values;
  size_t names_size, values_size; /* allocated */
};

enum { TEXT_USUAL = 4096 }; /* some 1,500 bytes are there */

/* /proc/net leads to self/net, the namespace of the main thread, which need not
 * be that of the caller (linux: fs/proc/proc_net.c, get_proc_task_net()). */
static int file_open(const char **path) {
  if (*path != NULL)
    return open(*path, O_RDONLY | O_CLOEXEC);
  *path = "/proc/thread-self/net/snmp";
  int fd = open(*path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0 || errno != ENOENT)
    return fd;
  *path = "/proc/self/net/snmp"; /* before Linux 3.17 */
  return open(*path, O_RDONLY | O_CLOEXEC);
}

/* All of it, from its start, to be freed; -1: it could not be read. What does
 * not fill the room is whole: to ask for more would have the kernel write it
 * all again. */
static ssize_t text_read(int fd, char **text) {
  size_t room = TEXT_USUAL;
  for (;; room *= 2) {
    char *grown = realloc(*text, room);
    if (grown == NULL)
      return -1;
    *text = grown;
    ssize_t length = pread(fd, *text, room, 0);
    if (length < (ssize_t)room)
      return length;
  }
}

static int line_read(FILE *f, const char *path, char **line, size_t *size,
                     struct error *error) {
  errno = 0;
  if (getline(line, size, f) >= 0)
    return 0;
  return error_set(error, "%s: %s", path,
                   errno != 0 ? strerror(errno) : "ends before the TCP values");
}

static bool is_tcp(const char *line) { return strncmp(line, "Tcp:", 4) == 0; }

static int lines_read(FILE *f, const char *path, struct lines *l,
                      struct error *error) {
  do
    if (line_read(f, path, &l->names, &l->names_size, error) != 0)
      return -1;
  while (!is_tcp(l->names));
  if (line_read(f, path, &l->values, &l->values_size, error) != 0)
    return -1;
  return is_tcp(l->values)
             ? 0
             : error_set(error, "%s: no values below the TCP names", path);
}

/* Some columns, though none of ours, may be negative. */
static bool count_parse(const char *text, uint64_t *out) {
  char *end;
  errno = 0;
  *out = strtoull(text, &end, 10);
  return isdigit((unsigned char)*text) && *end == '\0' && errno == 0;
}

static int column_find(const char *name) {
  for (int i = 0; i < COLUMN_COUNT; i++)
    if (strcmp(column[i].name, name) == 0)
      return i;
  return -1;
}

/* Takes the lines apart. */
static int columns_take(struct lines *l, const char *path,
                        struct proc_snmp *out, struct error *error) {
  static const char blank[] = " \t\n";
  bool found[COLUMN_COUNT] = {false};
  char *names_rest, *values_rest;
  const char *name = strtok_r(l->names, blank, &names_rest);
  const char *value = strtok_r(l->values, blank, &values_rest);
  for (; name != NULL && value != NULL;
       name = strtok_r(NULL, blank, &names_rest),
       value = strtok_r(NULL, blank, &values_rest)) {
    int i = column_find(name);
    if (i < 0)
      continue;
    if (!count_parse(value, (uint64_t *)((char *)out + column[i].offset)))
      return error_set(error, "%s: %s \"%.32s\" is no count", path, name,
                       value);
    found[i] = true;
  }
  for (int i = 0; i < COLUMN_COUNT; i++)
    if (!found[i])
      return error_set(error, "%s: no value of %s", path, column[i].name);
  return 0;
}

static int text_parse(char *text, size_t length, const char *path,
                      struct proc_snmp *out, struct error *error) {
  struct lines l = {.names = NULL};
  FILE *f = fmemopen(text, length, "r");
  if (f == NULL)
    return error_set(error, "%s: %s", path, strerror(errno));
  int result = lines_read(f, path, &l, error);
  if (result == 0)
    result = columns_take(&l, path, out, error);
  free(l.names);
  free(l.values);
  fclose(f);
  return result;
}

static int file_read(int fd, const char *path, struct proc_snmp *out,
                     struct error *error) {
  char *text = NULL;
  int result;
  ssize_t length = text_read(fd, &text);
  if (length < 0)
    result = error_set(error, "%s: %s", path, strerror(errno));
  else if (length == 0)
    result = error_set(error, "%s: ends before the TCP values", path);
  else
    result = text_parse(text, (size_t)length, path, out, error);
  free(text);
  return result;
}

int proc_snmp_read_again(int *fd, const char *path, struct proc_snmp *out,
                         struct error *error) {
  if (*fd < 0)
    *fd = file_open(&path);
  path = path != NULL ? path : "net/snmp";
  if (*fd < 0)
    return error_set(error, "%s: %s", path, strerror(errno));
  int result = file_read(*fd, path, out, error);
  if (result != 0) {
    close(*fd);
    *fd = -1;
  }
  return result;
}

int proc_snmp_read(const char *path, struct proc_snmp *out,
                   struct error *error) {
  int fd = -1;
  int result = proc_snmp_read_again(&fd, path, out, error);
  if (fd >= 0)
    close(fd);
  return result;
}
