/* Reads any bytes as a recording, to its end, with a group of all metrics and
 * one with members: what holds in every history holds for the dispatched
 * values (support/dispatched.h). */
#include "fuzz_require.h"

#include "collectd/dispatch.h"
#include "read/reader.h"
#include "replay/replay.h"
#include "support/config_input.h"
#include "support/dispatched.h"
#include "support/fake_daemon.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DUMPS_MAX = 32 };

/* All metrics but `failed`, which a recording cannot have. */
static oconfig_item_t *config_make(void) {
  static char text[CONFIG_INPUT_TEXT_MAX];
  char *at = text;
  at += sprintf(at, "<Plugin tcpinfo>\n<Group \"all\">\n");
  for (int id = 0; id < METRIC_COUNT; id++)
    if (id != METRIC_FAILED && id != METRIC_OUTLIERS)
      at += sprintf(at, "Metric \"%s\"\n", metric_table[id].name);
  sprintf(at, "</Group>\n<Group \"peers\">\n"
              "By \"remote-address\" \"local-port\"\nMaxMembers 3\n"
              "Metric connections states opened closed bytes_sent retrans "
              "outliers\nHistogram rtt\nWorst 2\n"
              "</Group>\n</Plugin>\n");
  return oconfig_text_parse(text);
}

static const char *file_make(const uint8_t *data, size_t size) {
  static int fd = -1;
  static char name[32];
  if (fd < 0)
    fd = memfd_create("replay", MFD_CLOEXEC);
  snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  require(fd >= 0 && ftruncate(fd, 0) == 0 &&
              pwrite(fd, data, size, 0) == (ssize_t)size,
          "memfd");
  return name;
}

static void read_all(struct reader *r, const struct settings *s) {
  struct dispatched *d = dispatched_new(s, true);
  struct complaint complaint = {.text = ""};
  struct error error;
  for (int i = 0; i < DUMPS_MAX; i++) {
    fake_daemon_clear();
    enum dump_result result = reader_read(r, &error);
    if (result == DUMP_ENDED)
      break;
    if (result == DUMP_COMPLETE) {
      dispatch_read(r);
      dispatched_check(d, &complaint);
      reader_commit(r);
    } else {
      dispatch_failure(reader_health(r));
      dispatched_check_failure(d, &complaint);
    }
    require(complaint.text[0] == '\0', complaint.text);
  }
  fake_daemon_clear();
  dispatched_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static oconfig_item_t *root;
  struct settings s;
  struct error error = {.text = ""};
  if (root == NULL)
    root = config_make();
  require(root != NULL && config_input_read(root, &s, &error) == 0, error.text);
  char *file = strdup(file_make(data, size));
  char **list = malloc(sizeof(*list));
  require(file != NULL && list != NULL, "out of memory");
  *list = file;
  s.replay = list; /* settings_free() frees both */
  s.replay_count = 1;
  struct reader *r = reader_new(&s, 10000, NULL, &error);
  if (r != NULL)
    read_all(r, &s);
  else
    require(error.text[0] != '\0', "there is no reason");
  reader_free(r);
  settings_free(&s);
  return 0;
}
