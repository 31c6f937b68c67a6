/* Gives proc_snmp and proc_limits any text as the files of /proc. The first
 * byte chooses the file. A count that is read is a number and not negative. */
#include "fuzz_require.h"

#include "kernel/proc_limits.h"
#include "kernel/proc_snmp.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const files[] = {
    "self/net/snmp", "self/net/sockstat", "sys/net/ipv4/tcp_max_orphans",
    "sys/net/ipv4/tcp_max_tw_buckets", "sys/net/ipv4/tcp_mem"};
enum { FILES = sizeof(files) / sizeof(files[0]) };

static char folder[64];

static void path_of(const char *file, char path[128]) {
  snprintf(path, 128, "%s/%s", folder, file);
}

static void folder_remove(void) {
  static const char *const folders[] = {"sys/net/ipv4", "sys/net", "sys",
                                        "self/net",     "self",    ""};
  char path[128];
  for (size_t i = 0; i < FILES; i++) {
    path_of(files[i], path);
    unlink(path);
  }
  for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
    path_of(folders[i], path);
    rmdir(path);
  }
}

static void folder_make(void) {
  static const char *const folders[] = {"self", "self/net", "sys", "sys/net",
                                        "sys/net/ipv4"};
  char path[128];
  if (folder[0] != '\0')
    return;
  strcpy(folder, "/tmp/tcpinfo-XXXXXX");
  require(mkdtemp(folder) != NULL, folder);
  for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
    path_of(folders[i], path);
    require(mkdir(path, 0700) == 0, path);
  }
  atexit(folder_remove);
}

static void file_write(const char *file, const uint8_t *data, size_t size) {
  char path[128];
  path_of(file, path);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require(fd >= 0 && write(fd, data, size) == (ssize_t)size, path);
  close(fd);
}

static void count_check(double count) {
  require(isnan(count) || (isfinite(count) && count >= 0),
          "a count is negative or infinite");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct proc_limits limits;
  struct proc_snmp snmp;
  struct error error = {.text = ""};
  char path[128];
  if (size == 0)
    return 0;
  folder_make();
  file_write(files[data[0] % FILES], data + 1, size - 1);
  path_of("self/net/snmp", path);
  if (proc_snmp_read(path, &snmp, &error) != 0)
    require(error.text[0] != '\0', "there is no reason");
  proc_limits_clear(&limits);
  proc_limits_read(folder, &limits);
  const double counts[] = {limits.orphans,      limits.orphans_limit,
                           limits.time_wait,    limits.time_wait_limit,
                           limits.tcp_mem,      limits.tcp_mem_pressure,
                           limits.tcp_mem_limit};
  for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    count_check(counts[i]);
    double percent = proc_limits_percent(limits.tcp_mem, counts[i]);
    require(isnan(percent) || (percent >= 0 && percent <= 100),
            "a percentage is out of range");
  }
  file_write(files[data[0] % FILES], NULL, 0);
  return 0;
}
