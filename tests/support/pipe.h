/* The whole pipe without a kernel: a recording that the test writes, dump by
 * dump, is read by scan, and its values go to the fake daemon.
 *
 *     struct pipe *p = pipe_new();
 *     pipe_want(pipe_group(p, "all"), "rtt", "p50");
 *     pipe_dump_begin(p);
 *     pipe_socket(p, (struct message_socket){.cookie = 1}, info, INFO_SIZE);
 *     pipe_dump_end(p, 0);
 *     pipe_start(p);
 *     assert_int_equal(pipe_read(p), DUMP_COMPLETE);
 *
 * What goes wrong fails the test. */
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
  struct reader *scan;
};

struct pipe *pipe_new(void);
void pipe_free(struct pipe *p);

/* A group of everything, without a metric; to be changed at will. */
struct group_settings *pipe_group(struct pipe *p, const char *name);

/* `statistic` NULL: none. */
void pipe_want(struct group_settings *g, const char *metric,
               const char *statistic);

/* One dump of the recording; `code`: the errno that it ends in. A socket's
 * `info` is left out where `size` is 0. */
void pipe_dump_begin(struct pipe *p);
void pipe_socket(struct pipe *p, struct message_socket s, const uint8_t *info,
                 size_t size);
void pipe_dump_end(struct pipe *p, int code);

/* The recording is whole: makes the scan. */
void pipe_start(struct pipe *p);

/* Reads one dump and dispatches, after the fake daemon forgot what it had. */
enum dump_result pipe_read(struct pipe *p);

/* Of what was dispatched. */
void absent(const char *name);
void gauge_is(const char *name, double value);
void counter_is(const char *name, int64_t value);

#endif
