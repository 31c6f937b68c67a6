/* Measures how a read delays other traffic of the host: a byte goes to and fro
 * over one TCP connection on loopback, on one CPU, as fast as possible.
 *
 *      echo CPU
 *
 * Prints "ready". The line "begin" on stdin starts a measurement. The line
 * "end" stops the measurement and prints one line: the number of round trips,
 * and their median and 99th percentile in microseconds. The program ends at the
 * end of its stdin and with its parent. */
#include "bench_fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES_MAX = 4000000 }; /* later round trips are not measured */

static uint32_t sample[SAMPLES_MAX]; /* nanoseconds */
static size_t sample_count;
static atomic_bool stop;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void thread_start(pthread_t *thread, void *(*run)(void *), int *fd) {
  errno = pthread_create(thread, NULL, run, fd);
  if (errno != 0)
    bench_fail("cannot start a thread");
}

static void *answer(void *data) {
  int fd = *(int *)data;
  char byte;
  while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
    continue;
  return NULL;
}

static void *ask(void *data) {
  int fd = *(int *)data;
  char byte = 0;
  while (!stop && sample_count < SAMPLES_MAX) {
    int64_t begin = now_ns();
    if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
      bench_fail("cannot send or receive a byte");
    sample[sample_count++] = (uint32_t)(now_ns() - begin);
  }
  return NULL;
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0)
    bench_fail("cannot bind to the CPU");
}

static void connect_both(int end[2]) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(a);
  const int on = 1;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  end[0] = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || end[0] < 0 ||
      bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
      listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr *)&a, &size) != 0 ||
      connect(end[0], (struct sockaddr *)&a, sizeof(a)) != 0)
    bench_fail("cannot open a connection");
  end[1] = accept(listener, NULL, NULL);
  close(listener);
  for (int i = 0; i < 2; i++)
    if (end[i] < 0 ||
        setsockopt(end[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
      bench_fail("cannot set TCP_NODELAY");
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double percentile_us(double part) {
  return sample_count == 0
             ? 0
             : sample[(size_t)(part * (double)(sample_count - 1))] * 1e-3;
}

static void serve(int *end) {
  char line[16];
  pthread_t asking;
  while (fgets(line, sizeof(line), stdin) != NULL) {
    if (strcmp(line, "begin\n") == 0) {
      stop = false;
      sample_count = 0;
      thread_start(&asking, ask, &end[0]);
    } else if (strcmp(line, "end\n") == 0) {
      stop = true;
      pthread_join(asking, NULL);
      qsort(sample, sample_count, sizeof(sample[0]), compare);
      printf("%zu,%.3f,%.3f\n", sample_count, percentile_us(0.5),
             percentile_us(0.99));
      fflush(stdout);
    }
  }
}

int main(int argc, char **argv) {
  int end[2];
  pthread_t answering;
  if (argc != 2) {
    fputs("usage: echo CPU\n", stderr);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin(atoi(argv[1]));
  connect_both(end);
  thread_start(&answering, answer, &end[1]);
  puts("ready");
  fflush(stdout);
  serve(end);
  return 0;
}
