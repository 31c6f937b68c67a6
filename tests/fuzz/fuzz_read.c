/* Runs the bytes as a history of reads, from the kernel's messages to the
 * dispatched values, and checks what holds in every history: see
 * support/read_history.h. */
#include "fuzz_require.h"

#include "support/read_history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct read_options options;
  struct read_outcome outcome;
  read_history_run(data, size, &options, &outcome);
  require(outcome.complaint.text[0] == '\0', outcome.complaint.text);
  read_outcome_free(&outcome);
  return 0;
}
