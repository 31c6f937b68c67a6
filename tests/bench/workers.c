#include "workers.h"

#include "bench_fail.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPARE_FILES = 32 };

unsigned workers_files(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0)
    bench_fail("getrlimit");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0)
    bench_fail("setrlimit");
  rlim_t most = files.rlim_max > WORKERS_FILES ? WORKERS_FILES : files.rlim_max;
  return (unsigned)most - SPARE_FILES;
}

void workers_start(int *control, unsigned count, workers_fn *work, void *data) {
  int end[2];
  pid_t parent = getpid();
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, end) != 0)
    bench_fail("socketpair");
  pid_t pid = fork();
  if (pid < 0)
    bench_fail("fork");
  if (pid == 0) {
    close(end[0]);
    for (unsigned i = 0; i < count; i++)
      close(control[i]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
      work(count, end[1], data);
    exit(getppid() != parent);
  }
  close(end[1]);
  control[count] = end[0];
}

void workers_end(const int *control, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    close(control[i]);
  while (wait(NULL) > 0)
    continue;
}
