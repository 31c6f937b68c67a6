/* A protocol has two lines in this file, of names and of values (linux:
 * net/ipv4/proc.c, snmp_seq_show()):
 *
 *      Tcp: RtoAlgorithm RtoMin ... ActiveOpens PassiveOpens ...
 *      Tcp: 1 200 ... 1039 27 ...
 */
#include "kernel/proc_snmp.h"

#include "kernel/proc_file.h"
#include "util/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
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

/* Cuts the next line off `rest`; NULL at the end of the text. */
static char *line_next(char **rest) {
  return **rest != '\0' ? strsep(rest, "\n") : NULL;
}

static bool is_tcp(const char *line) { return strncmp(line, "Tcp:", 4) == 0; }

/* Finds the two lines of TCP. Returns NULL, or the reason. */
static const char *lines_find(char *text, char **names, char **values) {
  static const char ends[] = "ends before the TCP values";
  char *rest = text;
  do {
    *names = rest != NULL ? line_next(&rest) : NULL;
    if (*names == NULL)
      return ends;
  } while (!is_tcp(*names));
  *values = rest != NULL ? line_next(&rest) : NULL;
  if (*values == NULL)
    return ends;
  return is_tcp(*values) ? NULL : "no values below the TCP names";
}

static int column_find(const char *name) {
  for (int i = 0; i < COLUMN_COUNT; i++)
    if (strcmp(column[i].name, name) == 0)
      return i;
  return -1;
}

/* Some columns may be negative, none of those that are read here. */
static bool count_parse(const char *text, uint64_t *out) {
  const char *end = text_parse_digits(text, UINT64_MAX, out);
  return end != NULL && *end == '\0';
}

/* Reads the columns out of the two lines, which are cut into words. */
static int columns_read(char *names, char *values, const char *path,
                        struct proc_snmp *out, struct error *error) {
  static const char separators[] = " \t\n";
  bool found[COLUMN_COUNT] = {false};
  char *names_rest, *values_rest;
  const char *name = strtok_r(names, separators, &names_rest);
  const char *value = strtok_r(values, separators, &values_rest);
  for (; name != NULL && value != NULL;
       name = strtok_r(NULL, separators, &names_rest),
       value = strtok_r(NULL, separators, &values_rest)) {
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

static int file_read(int fd, const char *path, struct proc_snmp *out,
                     struct error *error) {
  char *text, *names, *values;
  if (proc_file_read(fd, &text) < 0)
    return error_set(error, "%s: %s", path, strerror(errno));
  const char *problem = lines_find(text, &names, &values);
  int result = problem != NULL ? error_set(error, "%s: %s", path, problem)
                               : columns_read(names, values, path, out, error);
  free(text);
  return result;
}

int proc_snmp_read_again(int *fd, const char *path, struct proc_snmp *out,
                         struct error *error) {
  char found[PROC_FILE_PATH_MAX] = "net/snmp";
  if (*fd < 0)
    *fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC)
                       : proc_file_open_self(NULL, "net/snmp", found);
  path = path != NULL ? path : found;
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
