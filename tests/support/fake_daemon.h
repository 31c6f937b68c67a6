/* Replaces collectd in tests: stores the values that a read dispatches, by
 * identifier without the host: "tcpinfo-GROUP/TYPE-INSTANCE". */
#ifndef TEST_FAKE_DAEMON_H
#define TEST_FAKE_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_value {
  char name[256];
  char group[128];    /* plugin instance */
  char instance[128]; /* TYPE-INSTANCE */
  bool derive;        /* by the type, as in collectd's types.db */
  double gauge;
  int64_t counter;
  uint64_t time;
  char member[128]; /* meta data "tcpinfo:member"; empty: none */
};

enum { FAKE_NOTIFICATIONS_MAX = 16 };

struct fake_daemon {
  struct fake_value *value;
  size_t count, capacity;
  struct fake_notification {
    int severity;
    char name[256]; /* as in struct fake_value */
    char message[256];
    char member[128];
  } notification[FAKE_NOTIFICATIONS_MAX];
  size_t notification_count;
};

extern struct fake_daemon fake_daemon;

void fake_daemon_clear(void); /* deletes the values and frees the memory */

/* Makes room for values, so that none of the next `count` allocates. */
void fake_daemon_reserve(size_t count);

/* Advances the daemon's clock, which otherwise nearly stands still. */
void fake_daemon_advance(unsigned seconds);

/* Sets the wall clock, cdtime(), that much later; the monotonic clock, which
 * the plugin reads, goes on. */
void fake_daemon_set_clock(int seconds);

/* Returns NULL if the value was not dispatched. */
const struct fake_value *fake_daemon_find(const char *name);

/* These fail the test if the value was not dispatched. */
double fake_daemon_gauge(const char *name);
int64_t fake_daemon_counter(const char *name);

#endif
