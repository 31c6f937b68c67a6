/* Runs the plugin from its input to its output without a kernel: the test
 * writes a recording, dump by dump; the reader reads it; the values go to the
 * fake daemon.
 *
 *     struct pipe *p = pipe_new();
 *     pipe_want(pipe_group(p, "all"), "rtt", "p50");
 *     pipe_dump_begin(p);
 *     pipe_socket(p, (struct message_socket){.cookie = 1}, info, INFO_SIZE);
 *     pipe_dump_end(p, 0);
 *     pipe_start(p);
 *     assert_int_equal(pipe_read(p), DUMP_COMPLETE);
 *
 * Every error fails the test. */
#ifndef TEST_PIPE_H
#define TEST_PIPE_H

#include "read/reader.h"
#include "support/fake_daemon.h"
#include "support/info.h"
#include "support/messages.h"
#include "support/pcap_writer.h"

enum { INFO_SIZE = 280, INTERVAL_MS = 10000 };

struct pipe {
  struct pcap *pcap;
  struct messages messages;
  struct settings settings;
  struct group_settings group[4];
  char *file;
  struct reader *reader;
};

struct pipe *pipe_new(void);
void pipe_free(struct pipe *p);

/* Adds a group of all connections, without metrics. The caller may change it
 * until pipe_start(). */
struct group_settings *pipe_group(struct pipe *p, const char *name);

/* Adds a metric to the group. A `statistic` of NULL stands for none. */
void pipe_want(struct group_settings *g, const char *metric,
               const char *statistic);

/* These write one dump of the recording. `code` is the errno that the dump ends
 * with. If `size` is 0, the socket has no `info`. */
void pipe_dump_begin(struct pipe *p);
void pipe_socket(struct pipe *p, struct message_socket s, const uint8_t *info,
                 size_t size);
void pipe_dump_end(struct pipe *p, int code);

/* Ends the recording and makes the reader. */
void pipe_start(struct pipe *p);

/* Clears the fake daemon, reads one dump and dispatches its values. */
enum dump_result pipe_read(struct pipe *p);

/* These check the dispatched values. */
void absent(const char *name);
void gauge_is(const char *name, double value);
void counter_is(const char *name, int64_t value);

#endif
