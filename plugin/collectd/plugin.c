/* The plugin's entry points: collectd's callbacks, and all that is logged.
 * Other modules do the work, and report errors and states to this file. */
#include "collectd/config_error.h"
#include "collectd/config_read.h"
#include "collectd/dispatch.h"
#include "collectd/lost_events.h"
#include "group/name_registry.h"
#include "read/reader.h"
#include "replay/replay.h"

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>
#include <collectd/core/utils/common/common.h>

#include <linux/capability.h>

static struct settings settings;
static bool configured; /* settings_init() was called */
static struct reader *reader;

/* The states that were logged last: a message is logged at a change only. */
static bool failing;     /* the last dump failed */
static bool ended;       /* the recording has ended */
static uint64_t refused; /* filters that the kernel rejected */
static enum close_policy_state close_state;
static size_t full; /* groups that have used up their members' names */
static bool lost;   /* close events were lost: logged once */

static void configure_once(void) {
  if (!configured)
    settings_init(&settings);
  configured = true;
}

/* Refuses a recording that cannot be read while the configuration is read, not
 * later when the daemon runs. */
static int check_recordings(struct error *error) {
  if (settings.replay_count == 0)
    return 0;
  struct error reason;
  struct replay *r =
      replay_new(settings.replay, settings.replay_count, &reason);
  if (r == NULL)
    return error_set(error,
                     "Replay: %s; legal are recordings of link type 253, see "
                     "collectd-tcpinfo(5)",
                     reason.text);
  replay_free(r);
  return 0;
}

static int tcpinfo_config(oconfig_item_t *block) {
  struct error error;
  configure_once();
  if (config_read(&settings, block, &error) != 0 ||
      check_recordings(&error) != 0) {
    ERROR("tcpinfo: %s", error.text);
    return -1;
  }
  return 0;
}

static void read_failed(const struct error *error) {
  if (!failing)
    WARNING("tcpinfo: dump failed; no values for this interval; counters make "
            "up for it at the next complete dump: %s",
            error->text);
  failing = true;
  dispatch_failure(reader_health(reader));
}

static void read_succeeded(void) {
  if (failing)
    NOTICE("tcpinfo: dumps are complete again; %llu failed since collectd "
           "started",
           (unsigned long long)reader_health(reader)->observer.errors);
  failing = false;
}

static void log_refusal(void) {
  if (reader_health(reader)->observer.refused == refused)
    return;
  refused = reader_health(reader)->observer.refused;
  NOTICE("tcpinfo: kernel rejected part of the socket filter; filtering in the "
         "plugin instead (more CPU, same values): %s",
         reader_refusal(reader));
}

static void log_close_policy(void) {
  const struct close_policy_health *h =
      &reader_health(reader)->observer.close_policy;
  if (h->state == close_state)
    return;
  switch (h->state) {
  case CLOSE_POLICY_RECEIVING:
    if (close_state != CLOSE_POLICY_OFF) /* at the start there is no message */
      NOTICE("tcpinfo: close events resumed; they were suspended for %.0f s "
             "since collectd started",
             (double)h->suspended_ms / 1000);
    break;
  case CLOSE_POLICY_SUSPENDED:
    NOTICE("tcpinfo: close events suspended: %.0f destroyed sockets per second "
           "exceed MaxCloseRate %.15g; until the rate falls, opened, closed, "
           "failed and all counters miss short connections and the end of long "
           "ones; raise MaxCloseRate or set CountClosed true to keep them",
           h->rate, settings.max_close_rate);
    break;
  case CLOSE_POLICY_FAILED:
    WARNING("tcpinfo: close events not available; opened, closed, failed and "
            "all counters miss short connections and the end of long ones; the "
            "plugin tries again: %s",
            h->reason.text);
    break;
  case CLOSE_POLICY_OFF:
    break;
  }
  close_state = h->state;
}

static void log_full_groups(void) {
  size_t count = 0;
  const char *name = NULL;
  for (size_t i = 0; i < reader_group_count(reader); i++)
    if (group_members_are_full(reader_group(reader, i))) {
      name = group_name(reader_group(reader, i));
      count++;
    }
  if (count > full)
    NOTICE("tcpinfo: group %s: %d different members have been reported since "
           "collectd started; members that come now are counted in the member "
           "other; choose a coarser By (remote-network), or fewer members "
           "(MaxMembers)",
           name, NAME_REGISTRY_MOST);
  full = count;
}

static void log_lost(void) {
  const struct close_policy_health *h =
      &reader_health(reader)->observer.close_policy;
  struct error message;
  if (lost || h->lost == 0)
    return;
  lost = true;
  lost_events_describe(h, &message);
  NOTICE("tcpinfo: %s", message.text);
}

/* Always returns 0: after an error collectd would lengthen the interval, but
 * the next dump may be complete. */
static int tcpinfo_read(__attribute__((unused)) user_data_t *ud) {
  struct error error;
  enum dump_result result = reader_read(reader, &error);
  log_close_policy();
  log_lost();
  switch (result) {
  case DUMP_COMPLETE:
    read_succeeded();
    log_refusal();
    log_full_groups();
    dispatch_read(reader);
    reader_commit(reader);
    break;
  case DUMP_FAILED:
  case DUMP_REFUSED: /* not returned: reader.c tries a coarser filter */
    read_failed(&error);
    break;
  case DUMP_ENDED:
    if (!ended)
      NOTICE("tcpinfo: end of the recording (Replay); no more values");
    ended = true;
    break;
  }
  return 0;
}

/* Warns of attributes that the groups use and that collectd cannot read here.
 */
static void check_attributes(void) {
  uint32_t attributes = reader_attributes(reader);
  if (settings.replay_count > 0)
    return;
  if ((attributes & ATTR_BIT(ATTR_MARK)) &&
      check_capability(CAP_NET_ADMIN) != 0)
    WARNING("tcpinfo: no CAP_NET_ADMIN, so the kernel reports no marks; a "
            "Filter with fwmark sees every mark as 0; give collectd "
            "CAP_NET_ADMIN");
  if ((attributes & ATTR_BIT(ATTR_CGROUP)) && !name_lookup_has_cgroups())
    WARNING("tcpinfo: no cgroup v2 file system is mounted where collectd runs; "
            "members by cgroup are named by numbers; mount it at "
            "/sys/fs/cgroup");
}

static void on_name(struct selector *condition, void *data) {
  const struct group_settings *g = data;
  struct error line;
  if (condition->count > 0)
    return;
  config_error_absent(&line, g->name, condition->name);
  NOTICE("tcpinfo: %s", line.text);
}

/* Tells of the names in selections that nothing has: they may be typing errors,
 * or what they name comes later. */
static void check_names(void) {
  for (size_t i = 0; i < settings.group_count; i++)
    selector_each_name(settings.group[i].selector, on_name, &settings.group[i]);
}

static int tcpinfo_init(void) {
  struct error error;
  if (reader != NULL)
    return 0;
  configure_once();
  unsigned interval_ms = (unsigned)CDTIME_T_TO_MS(plugin_get_interval());
  if (config_finish(&settings, &error) != 0)
    goto fail;
  reader = reader_new(&settings, interval_ms, NULL, &error);
  if (reader == NULL)
    goto fail;
  check_attributes();
  check_names();
  plugin_register_complex_read(NULL, "tcpinfo", tcpinfo_read, 0, NULL);
  return 0;
fail:
  ERROR("tcpinfo: %s", error.text);
  return -1;
}

static int tcpinfo_shutdown(void) {
  reader_free(reader);
  reader = NULL;
  if (configured)
    settings_free(&settings);
  configured = false;
  return 0;
}

__attribute__((visibility("default"))) void module_register(void);

void module_register(void) {
  plugin_register_complex_config("tcpinfo", tcpinfo_config);
  plugin_register_init("tcpinfo", tcpinfo_init);
  plugin_register_shutdown("tcpinfo", tcpinfo_shutdown);
}
