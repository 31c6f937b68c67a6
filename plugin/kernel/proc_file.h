/* Files of /proc: found for the calling thread, and read whole from a
 * descriptor that may stay open, because opening a file is most of the cost. It
 * knows nothing of what the files contain. */
#ifndef TCPINFO_KERNEL_PROC_FILE_H
#define TCPINFO_KERNEL_PROC_FILE_H

#include <limits.h>
#include <sys/types.h>

enum {
  PROC_FILE_PATH_MAX = PATH_MAX, /* with the final NUL */
  PROC_FILE_SIZE_MAX = 1 << 20,  /* bytes; a larger file is not read */
};

/* Opens `name`, such as "net/snmp", as the calling thread sees it: in the
 * folder `proc`/thread-self or, before Linux 3.17, in `proc`/self. `proc` NULL:
 * "/proc". /proc/net would not do: it leads to the namespace of the main thread
 * (linux: fs/proc/proc_net.c, get_proc_task_net()). An open file keeps
 * reporting the namespace of the thread that opened it.
 *
 * Returns a descriptor, the caller's to close, or -1 with errno. `path` gets
 * the path that was tried last, for messages. */
int proc_file_open_self(const char *proc, const char *name,
                        char path[PROC_FILE_PATH_MAX]);

/* Opens `proc`/`name`; the rest as above. */
int proc_file_open(const char *proc, const char *name);

/* Reads the whole file from its start, wherever an earlier call has ended.
 * Returns its length in bytes and the text in `text`, the caller's to free(),
 * with a NUL behind it. -1 with errno, and `text` NULL: the file cannot be
 * read, memory ran out, or the file is too large (EFBIG). */
ssize_t proc_file_read(int fd, char **text);

#endif
