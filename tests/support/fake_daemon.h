/* Stands in for collectd: keeps what was dispatched in a read, by identifier
 * without the host: "tcpinfo-GROUP/TYPE-INSTANCE". */
#ifndef TEST_FAKE_DAEMON_H
#define TEST_FAKE_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_value {
  char name[256];
  char group[128];    /* plugin instance */
  char instance[128]; /* TYPE-INSTANCE */
  bool derive;        /* as the type's name says */
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
    char name[256]; /* as of a value */
    char message[256];
    char member[128];
  } notification[FAKE_NOTIFICATIONS_MAX];
  size_t notification_count;
};

extern struct fake_daemon fake_daemon;

void fake_daemon_clear(void); /* forgets the values; frees the memory */

/* The daemon's clock, which else stands nearly still, goes on. */
void fake_daemon_pass(unsigned seconds);

/* NULL: was not dispatched. */
const struct fake_value *fake_daemon_find(const char *name);

/* These fail the test where the value was not dispatched. */
double fake_daemon_gauge(const char *name);
int64_t fake_daemon_counter(const char *name);

#endif
