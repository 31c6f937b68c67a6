/* Gives replay any bytes as a recording. Built with -fsanitize=fuzzer. */
#include "replay/replay.h"

#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the message from its first to its last byte. */
static void touch(const struct nlmsghdr *nlh, void *data) {
  uint8_t *sum = data;
  for (size_t i = 0; i < nlh->nlmsg_len; i++)
    *sum ^= ((const uint8_t *)nlh)[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  static char name[32];
  if (fd < 0) {
    fd = memfd_create("replay", MFD_CLOEXEC);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  }
  if (fd < 0 || ftruncate(fd, 0) < 0 ||
      pwrite(fd, data, size, 0) != (ssize_t)size)
    abort();
  char *files[] = {name, name};
  struct error error;
  struct replay *r = replay_new(files, 2, &error);
  if (r == NULL)
    return 0;
  volatile uint8_t sum = 0;
  uint8_t one = 0;
  uint64_t time_ms;
  while (replay_dump(r, touch, &one, &time_ms, &error) != DUMP_ENDED)
    sum ^= one;
  (void)sum;
  replay_free(r);
  return 0;
}
