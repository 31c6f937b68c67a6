/* Lets the same bytes give the same run. While it is on, the monotonic clock
 * stands still until the test moves it, hash tables have a fixed key, and no
 * thread is started: destroy events are received when they are taken. A wait
 * for a file descriptor takes no time: the test is asked to provide what is
 * waited for; if it does not, the clock moves to the end of the wait. A sleep
 * moves the clock.
 *
 * A program that links it needs fixed_world() of tests/CMakeLists.txt, which
 * makes the linker send the calls here. Only the main thread may switch it. */
#ifndef TEST_FIXED_WORLD_H
#define TEST_FIXED_WORLD_H

#include <stdbool.h>
#include <stdint.h>

struct fixed_world {
  bool on;
  uint64_t now_ms;
  void (*waiting)(void *data); /* called by poll(2); NULL: nobody */
  void *data;
};
extern struct fixed_world fixed_world;

#endif
