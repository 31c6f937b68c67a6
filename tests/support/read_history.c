#include "support/read_history.h"

#include "collectd/dispatch.h"
#include "connection/connection.h"
#include "read/reader.h"
#include "support/any_kernel.h"
#include "support/config_input.h"
#include "support/dispatched.h"
#include "support/failing_memory.h"
#include "support/fake_daemon.h"
#include "support/fake_names.h"
#include "support/fixed_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  INTERVAL_MS = 10000,
  START_MS = 100000000,
  STEPS_MAX = 250,
  READS_MAX = 24,
  ALIVE_MAX = 4096,
  LAST_READS = 3, /* complete ones; an absence then counts */
  TRIES = 64,     /* until memory must be there again */
  VALUES_MAX = 1500,
};

struct read_history {
  const struct read_options *options;
  struct read_outcome *out;
  struct settings settings;
  bool everything; /* there is the group CONFIG_INPUT_GROUP */
  struct reader *reader;
  struct dispatched *dispatched;
  uint64_t alive[ALIVE_MAX]; /* cookies: begun and not ended */
  size_t alive_count;
  uint64_t begun;
  unsigned reads;
};

static struct read_history h; /* for __wrap_connections_new() */

/* --- Every connection that begins ends at most once ----------------------- */

static size_t alive_find(uint64_t cookie) {
  size_t i = h.alive_count;
  while (i > 0 && h.alive[i - 1] != cookie)
    i--;
  return i > 0 ? i - 1 : h.alive_count;
}

static void on_begun(uint64_t cookie, void *data) {
  (void)data;
  h.begun++;
  if (alive_find(cookie) < h.alive_count)
    complain(&h.out->complaint, "cookie %" PRIu64 " begins twice", cookie);
  if (h.alive_count == ALIVE_MAX)
    abort();
  h.alive[h.alive_count++] = cookie;
}

static void on_ended(const struct connection_end *end, void *data) {
  (void)data;
  size_t i = alive_find(end->cookie);
  if (i == h.alive_count) {
    complain(&h.out->complaint, "cookie %" PRIu64 " ends, but has not begun",
             end->cookie);
    return;
  }
  h.alive[i] = h.alive[--h.alive_count];
  bool by_event = end->reason == CONNECTION_END_CLOSED ||
                  end->reason == CONNECTION_END_FAILED ||
                  end->reason == CONNECTION_END_DISCARDED;
  if (by_event != (end->event != NULL))
    complain(&h.out->complaint, "cookie %" PRIu64 " ends by reason %d%s",
             end->cookie, end->reason,
             end->event != NULL ? " with an event" : " without an event");
}

struct connections *
__real_connections_new(const struct connections_options *options);
struct connections *
__wrap_connections_new(const struct connections_options *options);

/* The observer has no hooks of its own. */
struct connections *
__wrap_connections_new(const struct connections_options *options) {
  static const struct connection_hooks hooks = {on_begun, on_ended, NULL};
  struct connections_options with = *options;
  if (h.out != NULL)
    with.hooks = &hooks;
  return __real_connections_new(&with);
}

/* --- Checks of a read ----------------------------------------------------- */

static int64_t counter_of(const char *instance) {
  char name[256];
  snprintf(name, sizeof(name), "tcpinfo-" CONFIG_INPUT_GROUP "/%s", instance);
  return dispatched_counter(h.dispatched, name);
}

static void bounds_check(void) {
  struct any_kernel_bounds b = any_kernel_bounds();
  uint64_t sent = (uint64_t)counter_of("total_bytes-bytes_sent");
  if (b.valid && (sent < b.least || sent > b.most))
    complain(&h.out->complaint,
             "bytes_sent is %" PRIu64 ", not %" PRIu64 " to %" PRIu64, sent,
             b.least, b.most);
}

static void counts_check(void) {
  const struct reader_health *health = reader_health(h.reader);
  uint64_t opened = (uint64_t)counter_of("total_connections-opened");
  uint64_t ended = (uint64_t)counter_of("total_connections-closed") +
                   (uint64_t)counter_of("total_connections-failed");
  const struct fake_value *shown =
      fake_daemon_find("tcpinfo-" CONFIG_INPUT_GROUP "/count-connections");
  if (opened > h.begun || ended > h.begun)
    complain(&h.out->complaint,
             "%" PRIu64 " connections have begun, %" PRIu64
             " are counted as opened, %" PRIu64 " as closed or failed",
             h.begun, opened, ended);
  if (shown == NULL || shown->gauge > (double)h.alive_count)
    complain(&h.out->complaint, "%g connections are shown, %zu are alive",
             shown != NULL ? shown->gauge : -1, h.alive_count);
  if (health->observer.tracked < h.alive_count)
    complain(&h.out->complaint, "%" PRIu64 " sockets are remembered, %zu alive",
             health->observer.tracked, h.alive_count);
}

static void counters_keep(void) {
  struct read_outcome *out = h.out;
  size_t most = fake_daemon.count + 1;
  free(out->counter);
  out->count = 0;
  out->counter = calloc(most, sizeof(*out->counter));
  if (out->counter == NULL)
    abort();
  for (size_t i = 0; i < fake_daemon.count; i++) {
    const struct fake_value *v = &fake_daemon.value[i];
    if (!v->derive || strchr(v->group, '-') != NULL ||
        strcmp(v->group, "self") == 0)
      continue;
    struct read_counter *c = &out->counter[out->count++];
    snprintf(c->name, sizeof(c->name), "%s", v->name);
    c->value = v->counter;
  }
}

/* --- A read --------------------------------------------------------------- */

static enum dump_result read_once(void) {
  struct error error = {.text = ""};
  fake_daemon_clear();
  if (h.options->memory_fails)
    fake_daemon_reserve(VALUES_MAX);
  failing_memory.on = h.options->memory_fails;
  enum dump_result result = reader_read(h.reader, &error);
  if (result == DUMP_COMPLETE)
    dispatch_read(h.reader);
  else
    dispatch_failure(reader_health(h.reader));
  failing_memory.on = false;
  any_kernel_read(result == DUMP_COMPLETE);
  if (result != DUMP_COMPLETE && error.text[0] == '\0')
    complain(&h.out->complaint, "a dump fails without a reason");
  return result;
}

static void read_checked(void) {
  enum dump_result result = read_once();
  if (result != DUMP_COMPLETE) {
    h.out->failed++;
    dispatched_check_failure(h.dispatched, &h.out->complaint);
    return;
  }
  h.out->complete++;
  dispatched_check(h.dispatched, &h.out->complaint);
  if (h.everything) {
    bounds_check();
    counts_check();
  }
  counters_keep();
  failing_memory.on = h.options->memory_fails;
  reader_commit(h.reader);
  failing_memory.on = false;
}

static void read_step(void) {
  unsigned failed = h.out->failed;
  h.reads++;
  fixed_world.now_ms += INTERVAL_MS;
  read_checked();
  for (int i = 0; h.options->memory_fails && h.out->failed > failed; i++) {
    failed = h.out->failed;
    if (i == TRIES)
      complain(&h.out->complaint, "there is memory, but every dump fails");
    if (i == TRIES)
      return;
    read_checked();
  }
}

/* --- Steps ---------------------------------------------------------------- */

static int snmp_file = -1;

static void snmp_write(uint64_t opens, uint64_t established,
                       uint64_t retransmitted) {
  char text[256];
  int length =
      snprintf(text, sizeof(text),
               "Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n"
               "Tcp: %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
               opens, opens, established, retransmitted);
  if (ftruncate(snmp_file, 0) < 0 ||
      pwrite(snmp_file, text, (size_t)length, 0) != length)
    abort();
}

static void step_time(struct input *in) {
  static const unsigned unit[] = {1, 1000, 20000, 3600000};
  uint8_t n = input_byte(in);
  fixed_world.now_ms += (uint64_t)(n >> 2) * unit[n & 3];
}

static void step_snmp(struct input *in) {
  uint64_t opens = input_take(in, 3), established = input_take(in, 2);
  snmp_write(opens, established, input_take(in, 3));
}

/* Renames or removes a cgroup or a device. */
static void step_names(struct input *in) {
  static const char *const name[] = {NULL, fake_names_gone, "a.slice/x.service",
                                     "b.slice/x.service", "other"};
  uint8_t which = input_byte(in);
  const char *chosen = name[which / 16 % 5];
  if (which % 2 != 0)
    fake_names.cgroup[which / 2 % 8] = chosen;
  else
    fake_names.device[which / 2 % 8] = chosen;
}

static void step_read(struct input *in) {
  any_kernel_answer(in);
  if (h.options->memory_fails)
    any_kernel_complete();
  if (h.reads < READS_MAX)
    read_step();
}

typedef void step_fn(struct input *in);

static step_fn *const step_table[READ_STEPS] = {
    [READ_STEP_READ] = step_read,
    [READ_STEP_SET] = any_kernel_set,
    [READ_STEP_GROW] = any_kernel_grow,
    [READ_STEP_CLOSE] = any_kernel_close,
    [READ_STEP_FIELD] = any_kernel_field,
    [READ_STEP_REMOVE] = any_kernel_remove,
    [READ_STEP_CROWD] = any_kernel_crowd,
    [READ_STEP_LISTEN] = any_kernel_listen,
    [READ_STEP_TIME] = step_time,
    [READ_STEP_NAMES] = step_names,
    [READ_STEP_SNMP] = step_snmp,
    [READ_STEP_MESSAGE] = any_kernel_message,
    [READ_STEP_EVENT] = any_kernel_event,
    [READ_STEP_SPOIL] = any_kernel_spoil,
    [READ_STEP_SUBSCRIPTION] = any_kernel_subscription,
    [READ_STEP_READ_AGAIN] = step_read,
};

static void steps_run(struct input *in) {
  for (int i = 0; i < STEPS_MAX && in->left > 0; i++) {
    step_table[input_byte(in) % READ_STEPS](in);
    if (h.out->complaint.text[0] != '\0')
      return;
  }
  for (int i = 0; i < LAST_READS && h.out->complaint.text[0] == '\0'; i++) {
    any_kernel_complete();
    read_step();
  }
}

/* --- A history ------------------------------------------------------------ */

static const char *config_text(struct input *in) {
  static char text[CONFIG_INPUT_TEXT_MAX];
  h.everything = h.options->config != NULL || config_input_text(in, text);
  return h.options->config != NULL ? h.options->config : text;
}

/* Without memory, a configuration is read again. */
static int config_try(const oconfig_item_t *root, struct error *error) {
  int result = -1;
  for (int i = 0; i <= TRIES && result != 0; i++) {
    settings_free(&h.settings);
    failing_memory.on = h.options->memory_fails;
    result = config_input_read(root, &h.settings, error);
    failing_memory.on = false;
    if (!h.options->memory_fails)
      break;
  }
  return result;
}

static bool configure(struct input *in) {
  struct error error = {.text = "no configuration"};
  oconfig_item_t *root = oconfig_text_parse(config_text(in));
  int result = root != NULL ? config_try(root, &error) : -1;
  oconfig_text_free(root);
  if (result == 0 && h.settings.replay_count == 0)
    return true;
  if (h.options->config != NULL)
    complain(&h.out->complaint, "the configuration is refused: %s", error.text);
  settings_free(&h.settings);
  return false;
}

static void reader_make(void) {
  static char snmp[32];
  struct error error = {.text = ""};
  snprintf(snmp, sizeof(snmp), "/proc/self/fd/%d", snmp_file);
  const struct observer_world world = {.open = any_kernel_open,
                                       .open_destroy = any_kernel_open_events,
                                       .snmp = snmp,
                                       .proc = "/nonexistent"};
  for (int i = 0; i <= TRIES && h.reader == NULL; i++) {
    failing_memory.on = h.options->memory_fails;
    h.reader = reader_new(&h.settings, INTERVAL_MS, &world, &error);
    failing_memory.on = false;
  }
  if (h.reader == NULL)
    complain(&h.out->complaint, "there is no reader: %s", error.text);
}

static void world_begin(void) {
  if (snmp_file < 0)
    snmp_file = memfd_create("snmp", MFD_CLOEXEC);
  snmp_write(0, 0, 0);
  memset(&fake_names, 0, sizeof(fake_names));
  any_kernel_begin();
  fixed_world.now_ms = START_MS;
  fixed_world.on = true;
}

static void world_end(void) {
  fixed_world.on = false;
  any_kernel_end();
  fake_daemon_clear();
}

void read_history_run(const uint8_t *data, size_t size,
                      const struct read_options *options,
                      struct read_outcome *out) {
  struct input in = {data, size};
  *out = (struct read_outcome){.ran = false};
  memset(&h, 0, sizeof(h));
  h.options = options;
  h.out = out;
  world_begin();
  if (configure(&in)) {
    out->ran = true;
    reader_make();
    h.dispatched = dispatched_new(&h.settings, !options->memory_fails);
    if (h.reader != NULL)
      steps_run(&in);
    reader_free(h.reader);
    dispatched_free(h.dispatched);
    settings_free(&h.settings);
  }
  world_end();
  h.out = NULL;
}

void read_outcome_free(struct read_outcome *out) {
  free(out->counter);
  *out = (struct read_outcome){.ran = false};
}
