#include "kernel/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIZE_USUAL = 4096 }; /* /proc/net/snmp has some 1,500 bytes */

static int path_open(const char *proc, const char *folder, const char *name,
                     char path[PROC_FILE_PATH_MAX]) {
  int length = snprintf(path, PROC_FILE_PATH_MAX, "%s%s/%s",
                        proc != NULL ? proc : "/proc", folder, name);
  if (length < PROC_FILE_PATH_MAX)
    return open(path, O_RDONLY | O_CLOEXEC);
  errno = ENAMETOOLONG;
  return -1;
}

int proc_file_open(const char *proc, const char *name) {
  char path[PROC_FILE_PATH_MAX];
  return path_open(proc, "", name, path);
}

int proc_file_open_self(const char *proc, const char *name,
                        char path[PROC_FILE_PATH_MAX]) {
  int fd = path_open(proc, "/thread-self", name, path);
  if (fd >= 0 || errno != ENOENT)
    return fd;
  return path_open(proc, "/self", name, path);
}

/* A short read means the end of the file: reading on would make the kernel
 * write all of the file again. */
ssize_t proc_file_read(int fd, char **text) {
  *text = NULL;
  for (size_t size = SIZE_USUAL; size <= PROC_FILE_SIZE_MAX; size *= 2) {
    char *larger = realloc(*text, size);
    if (larger == NULL)
      goto fail;
    *text = larger;
    ssize_t length = pread(fd, *text, size, 0);
    if (length < 0)
      goto fail;
    if (length < (ssize_t)size) {
      (*text)[length] = '\0';
      return length;
    }
  }
  errno = EFBIG;
fail:;
  int code = errno;
  free(*text);
  *text = NULL;
  errno = code;
  return -1;
}
