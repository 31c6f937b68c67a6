#include "collectd/lost_events.h"

/* A buffer that the kernel granted in part is too small; one that it granted in
 * full was not emptied in time. */
void lost_events_describe(const struct close_policy_health *h,
                          struct error *out) {
  unsigned long long count = h->lost;
  const char *values = "opened, closed, failed and all counters miss these "
                       "connections if they were short, else their last part; "
                       "close_events_lost counts further ones";
  if (h->buffer < h->buffer_asked)
    error_set(out,
              "%llu close events lost, because their receive buffer was full: "
              "the kernel granted %zu of %zu bytes; %s; raise "
              "net.core.rmem_max (up to %zu) or give collectd CAP_NET_ADMIN, "
              "then restart it",
              count, h->buffer, h->buffer_asked, values, h->buffer_asked);
  else
    error_set(out,
              "%llu close events lost, because collectd did not get the CPU "
              "time to read them before their receive buffer of %zu bytes was "
              "full; %s; give collectd more CPU time",
              count, h->buffer, values);
}
