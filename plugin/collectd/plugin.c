/* The plugin: collectd's callbacks, and the log. All else is done by the
 * modules beside. */
#include "collectd/config_read.h"
#include "collectd/dispatch.h"
#include "read/reader.h"
#include "replay/replay.h"

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>
#include <collectd/core/utils/common/common.h>

#include <linux/capability.h>

static struct settings settings;
static bool configured; /* settings_init() was called */
static struct reader *scan;
static bool failing;     /* the last read was dropped, and that was said */
static bool ended;       /* the recording is over, and that was said */
static uint64_t refused; /* filters left to user space, and that was said */
static enum close_policy_state close_state; /* and that was said */

static void configure_once(void) {
  if (!configured)
    settings_init(&settings);
  configured = true;
}

/* A recording that cannot be read is a mistake of the configuration: better
 * said now than when the daemon runs. */
static int recordings_check(struct error *error) {
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
      recordings_check(&error) != 0) {
    ERROR("tcpinfo: %s", error.text);
    return -1;
  }
  return 0;
}

static void read_failed(const struct error *error) {
  if (!failing)
    WARNING("tcpinfo: This interval is dropped, and those that fail after it: "
            "%s",
            error->text);
  failing = true;
  dispatch_failure(reader_health(scan));
}

static void refusal_say(void) {
  if (reader_health(scan)->refused == refused)
    return;
  refused = reader_health(scan)->refused;
  NOTICE("tcpinfo: A part of the filter is left to this plugin, which costs "
         "more: %s",
         reader_refusal(scan));
}

/* At a change only. */
static void close_policy_log(void) {
  const struct close_policy_health *h = &reader_health(scan)->close_policy;
  if (h->state == close_state)
    return;
  switch (h->state) {
  case CLOSE_POLICY_FOLLOWED:
    if (close_state != CLOSE_POLICY_OFF) /* the usual case needs no words */
      NOTICE("tcpinfo: Closed connections are followed again. They were not "
             "for %.0f s so far, in all.",
             (double)h->suspended_ms / 1000);
    break;
  case CLOSE_POLICY_SUSPENDED:
    NOTICE("tcpinfo: Closed connections are not followed for now: %.0f "
           "destroyed sockets a second are more than MaxCloseRate %.0f. Until "
           "there are fewer, which is looked at after some reads, opened, "
           "closed, failed and all counters lack short connections and the "
           "last of long ones; see close_events_suspended. CountClosed true "
           "follows them at any rate.",
           h->rate, settings.max_close_rate);
    break;
  case CLOSE_POLICY_FAILED:
    WARNING("tcpinfo: Closed connections are not followed: %s. What a "
            "connection does between a read and its close is not seen.",
            h->reason.text);
    break;
  case CLOSE_POLICY_OFF:
    break;
  }
  close_state = h->state;
}

/* Always 0: collectd would stretch the interval after an error, but the next
 * dump may well be right. */
static int tcpinfo_read(__attribute__((unused)) user_data_t *ud) {
  struct error error;
  enum dump_result result = reader_read(scan, &error);
  close_policy_log();
  switch (result) {
  case DUMP_COMPLETE:
    if (failing)
      NOTICE("tcpinfo: Dumps are complete again; %llu were dropped so far.",
             (unsigned long long)reader_health(scan)->errors);
    failing = false;
    refusal_say();
    dispatch_read(scan);
    reader_commit(scan);
    break;
  case DUMP_FAILED:
  case DUMP_REFUSED: /* does not get here: scan.c tries a coarser filter */
    read_failed(&error);
    break;
  case DUMP_ENDED:
    if (!ended)
      NOTICE("tcpinfo: All recorded dumps have been read.");
    ended = true;
    break;
  }
  return 0;
}

/* What this host, or this user, cannot tell of what the groups look at. */
static void traits_check(void) {
  unsigned traits = reader_traits(scan);
  if (settings.replay_count > 0)
    return;
  if ((traits & ATTR_BIT(ATTR_MARK)) && check_capability(CAP_NET_ADMIN) != 0)
    WARNING("tcpinfo: A Filter asks for fwmark, but collectd has no "
            "CAP_NET_ADMIN: the kernel then tells no marks, and all count as "
            "0.");
  if ((traits & ATTR_BIT(ATTR_CGROUP)) && !name_lookup_has_cgroups())
    WARNING("tcpinfo: No cgroup v2 is mounted where collectd runs: members by "
            "cgroup have numbers for names.");
}

static int tcpinfo_init(void) {
  struct error error;
  if (scan != NULL)
    return 0;
  configure_once();
  unsigned interval_ms = (unsigned)CDTIME_T_TO_MS(plugin_get_interval());
  if (config_finish(&settings, &error) != 0)
    goto fail;
  scan = reader_new(&settings, interval_ms, NULL, &error);
  if (scan == NULL)
    goto fail;
  traits_check();
  plugin_register_complex_read(NULL, "tcpinfo", tcpinfo_read, 0, NULL);
  return 0;
fail:
  ERROR("tcpinfo: %s", error.text);
  return -1;
}

static int tcpinfo_shutdown(void) {
  reader_free(scan);
  scan = NULL;
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
