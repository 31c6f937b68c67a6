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
};

struct fake_daemon {
  struct fake_value *value;
  size_t count, capacity;
};

extern struct fake_daemon fake_daemon;

void fake_daemon_clear(void); /* forgets the values; frees the memory */

/* NULL: was not dispatched. */
const struct fake_value *fake_daemon_find(const char *name);

/* These fail the test where the value was not dispatched. */
double fake_daemon_gauge(const char *name);
int64_t fake_daemon_counter(const char *name);

#endif
