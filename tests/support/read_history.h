/* A history of reads as one program: its bytes give a configuration
 * (config_input.h) and then steps (any_kernel.h, and time that passes), which
 * run through the whole plugin, from the messages of the kernel to the values
 * of the fake daemon. After each read all that holds in every history is
 * checked (dispatched.h, any_kernel.h, and below). The same bytes give the same
 * run (fixed_world.h).
 *
 *   - Each connection that begins ends at most once, and no other ends.
 *   - No more connections are counted as opened than have begun, nor as closed
 *     and failed.
 *   - No more connections are shown or begun than are remembered.
 *   - bytes_sent is between the bounds of any_kernel.h.
 *
 * The last three are checked if the configuration has the group
 * CONFIG_INPUT_GROUP. A program needs read_history() of
 * tests/CMakeLists.txt. */
#ifndef TEST_READ_HISTORY_H
#define TEST_READ_HISTORY_H

#include "support/complaint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct read_options {
  /* The configuration, which has the group CONFIG_INPUT_GROUP; NULL: the bytes
   * begin with it. */
  const char *config;
  /* Memory may fail (failing_memory.h): what was refused for want of memory is
   * tried again at once, until it succeeds. The failures that the bytes ask for
   * are left out. */
  bool memory_fails;
};

/* The number of a step, modulo READ_STEPS, stands before what the step takes.
 */
enum read_step {
  READ_STEP_READ, /* the functions of any_kernel.h: any_kernel_answer() ... */
  READ_STEP_SET,
  READ_STEP_GROW,
  READ_STEP_CLOSE,
  READ_STEP_FIELD,
  READ_STEP_REMOVE,
  READ_STEP_CROWD,
  READ_STEP_LISTEN,
  READ_STEP_TIME,
  READ_STEP_NAMES,
  READ_STEP_SNMP,
  READ_STEP_MESSAGE,
  READ_STEP_EVENT,
  READ_STEP_SPOIL,
  READ_STEP_SUBSCRIPTION,
  READ_STEP_READ_AGAIN, /* as READ_STEP_READ */
  READ_STEPS,
};

struct read_counter {
  char name[256];
  int64_t value;
};

struct read_outcome {
  struct complaint complaint;
  bool ran; /* false: the configuration is wrong */
  unsigned complete, failed;
  /* The counters of the last complete read, without those of tcpinfo-self and
   * of members. */
  struct read_counter *counter;
  size_t count;
};

void read_history_run(const uint8_t *data, size_t size,
                      const struct read_options *options,
                      struct read_outcome *out);
void read_outcome_free(struct read_outcome *out);

#endif
