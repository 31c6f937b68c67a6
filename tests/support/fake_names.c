#include "support/fake_names.h"

#include "kernel/name_lookup.h"
#include "util/text.h"

#include <inttypes.h>
#include <stdio.h>

const char fake_names_gone[] = "gone";

struct fake_names fake_names;

void __wrap_name_lookup_user(struct name_lookup *n, uint32_t uid, char *text);
const char *__wrap_name_lookup_interface(struct name_lookup *n, uint32_t index);
const char *__wrap_name_lookup_cgroup(struct name_lookup *n, uint64_t id,
                                      bool *gone);

void __wrap_name_lookup_user(struct name_lookup *n, uint32_t uid, char *text) {
  (void)n;
  snprintf(text, TEXT_CLEAN_MAX, "u%" PRIu32, uid);
}

const char *__wrap_name_lookup_interface(struct name_lookup *n,
                                         uint32_t index) {
  static char name[32];
  const char *chosen =
      index < FAKE_NAMES_MOST ? fake_names.device[index] : NULL;
  (void)n;
  if (chosen != NULL)
    return chosen != fake_names_gone ? chosen : NULL;
  snprintf(name, sizeof(name), "dev %" PRIu32, index);
  return name;
}

const char *__wrap_name_lookup_cgroup(struct name_lookup *n, uint64_t id,
                                      bool *gone) {
  const char *path = id < FAKE_NAMES_MOST ? fake_names.cgroup[id] : NULL;
  (void)n;
  *gone = path == fake_names_gone;
  return *gone ? NULL : path;
}
