/* Tests the table "The order of a close event and a dump" of doc/internals.md,
 * row by row: a fake kernel answers dumps and sends close events in each order,
 * and a reader counts. One connection; its history is a text:
 *
 *   ( )   a read; the first one subscribes. Within, in the order of the dump:
 *   m f     the dump shows the connection: as a full socket, or as a mini
 * socket in FIN_WAIT2; each time that it is a full one it has sent 1000 bytes
 *           more
 *   x       the kernel sends its close event, with 500 bytes more; between
 * reads as well !       the dump fails */
#include "read/reader.h"
#include "support/fake_kernel.h"
#include "support/info.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { INFO_SIZE = 280, READS_MAX = 6, INTERVAL_MS = 1000 };

/* Milliseconds from the last ACK to the event. */
enum { NOW = 0, LONG_AGO = 24 * 3600 * 1000 };

static const struct row {
  const char *name, *steps;
  uint32_t last_ack_ms;
  unsigned opened, closed, bytes, unclear;
} table[] = {
    {"in the first dump, then closed: only what it did since", "(m)x()", NOW, 0,
     1, 500, 0},
    {"in the first dump, closed before the dump ends", "(mx)", NOW, 0, 1, 500,
     0},
    {"in the first dump, closed long after its last ACK", "(m)x()", LONG_AGO, 0,
     1, 500, 0},
    {"closed while the first dump runs, not shown: it was open before", "(x)",
     NOW, 0, 0, 0, 1},
    {"closed while the first dump runs and fails", "(x!)()", NOW, 0, 0, 0, 0},
    {"closed after a failed first dump, not shown", "(!)x()", NOW, 0, 0, 0, 0},
    {"shown by a failed first dump, then closed", "(m!)x()", NOW, 0, 1, 500, 0},
    {"opened after the first dump and closed before the second", "()x()", NOW,
     1, 1, 500, 0},
    {"over before the first dump, closed by its owner later", "()x()", LONG_AGO,
     0, 0, 0, 1},
    {"opened after the first dump, closed while the second runs", "()(x)", NOW,
     1, 1, 500, 0},
    {"over before the first dump, closed while the second runs", "()(x)",
     LONG_AGO, 0, 0, 0, 1},
    {"shown by the second dump, and closed before that ends", "()(mx)", NOW, 1,
     1, 1500, 0},
    {"shown by the second dump, then closed", "()(m)x()", NOW, 1, 1, 1500, 0},
    {"shown by the second dump, closed long after its last ACK", "()(m)x()",
     LONG_AGO, 1, 1, 1500, 0},
    {"shown by a second dump that fails, then closed", "()(m!)x()", NOW, 1, 1,
     1500, 0},
    {"closed while the second dump runs and fails", "()(x!)()", NOW, 1, 1, 500,
     0},
    {"shown, and its event is lost", "()(m)()()", NOW, 1, 1, 1000, 0},
    {"shown, and its event comes after two dumps without it", "()(m)()()x()",
     NOW, 1, 1, 1500, 0},
    {"closed, then shown as a mini socket", "()x(f)()()", NOW, 1, 1, 500, 0},
    {"shown as a mini socket, then its event comes", "()(fx)()()", NOW, 1, 1,
     500, 0},
};

static struct world {
  struct fake_kernel *kernel;
  int events; /* the kernel's end of the subscription; -1: none */
  const struct row *row;
  const char *step; /* the next one */
  uint64_t sent;    /* bytes */
} world;

static int on_open(void *data) {
  (void)data;
  return fake_kernel_open(world.kernel);
}

static int on_open_events(void *data) {
  (void)data;
  int fd[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
    return -1;
  world.events = fd[0];
  return fd[1];
}

static void connection_put(struct messages *m, uint8_t state, bool full,
                           uint32_t last_ack_ms) {
  uint8_t info[INFO_SIZE] = {0};
  messages_socket(m, &(struct message_socket){.cookie = 7,
                                              .state = state,
                                              .local = "10.0.0.1",
                                              .local_port = 50000,
                                              .remote = "10.0.0.2",
                                              .remote_port = 443,
                                              .inode = full});
  if (!full)
    return;
  info_put(info, FIELD_BYTES_SENT, world.sent);
  info_put(info, FIELD_BYTES_ACKED, world.sent + 1);
  info_put(info, FIELD_SEGS_IN, 10);
  info_put(info, FIELD_SEGS_OUT, 10);
  info_put(info, FIELD_SND_WND, 65536);
  info_put(info, FIELD_LAST_ACK_RECV, last_ack_ms);
  messages_info(m, info, sizeof(info));
}

static void event_send(void) {
  static struct messages m;
  world.sent += 500;
  messages_begin(&m, 0, 0);
  connection_put(&m, TCP_STATE_CLOSE, true, world.row->last_ack_ms);
  if (send(world.events, m.bytes, m.size, MSG_NOSIGNAL) < 0)
    perror("send");
}

/* Makes the dump of this read, up to its ")". */
static void answer(struct fake_socket *s, uint32_t sequence) {
  static struct messages m;
  int code = 0;
  messages_begin(&m, sequence, 0);
  for (; *world.step != ')'; world.step++) {
    if (*world.step == 'x') {
      if (m.size > 0) /* what was shown before is on its way */
        fake_socket_send(s, &m);
      messages_begin(&m, sequence, 0);
      event_send();
    } else if (*world.step == 'm') {
      world.sent += 1000;
      connection_put(&m, TCP_STATE_ESTABLISHED, true, 0);
    } else if (*world.step == 'f') {
      connection_put(&m, TCP_STATE_FIN_WAIT2, false, 0);
    } else {
      code = ENOENT;
    }
  }
  messages_done(&m, code);
  fake_socket_send(s, &m);
}

struct values {
  unsigned opened, closed, bytes;
};

static void on_value(const struct accumulator_value *v, void *data) {
  struct values *out = data;
  if (strcmp(v->instance, "opened") == 0)
    out->opened = (unsigned)v->counter;
  else if (strcmp(v->instance, "closed") == 0)
    out->closed = (unsigned)v->counter;
  else if (strcmp(v->instance, "bytes_sent") == 0)
    out->bytes = (unsigned)v->counter;
}

static void on_series(const char *member, struct accumulator *a, bool chosen,
                      void *data) {
  (void)member, (void)chosen;
  accumulator_emit(a, INFO_SIZE, ACCUMULATOR_COUNTERS, on_value, data);
}

static void steps_run(struct reader *reader, const char *steps) {
  struct error error;
  for (world.step = steps; *world.step != '\0'; world.step++) {
    if (*world.step == 'x') {
      event_send();
      continue;
    }
    world.step++; /* the "(" */
    bool fails = strcspn(world.step, "!") < strcspn(world.step, ")");
    enum dump_result result = reader_read(reader, &error);
    assert_int_equal(result, fails ? DUMP_FAILED : DUMP_COMPLETE);
    if (!fails)
      reader_commit(reader);
  }
}

static void row_check(const struct row *row) {
  static fake_answer_fn *const answers[READS_MAX] = {answer, answer, answer,
                                                     answer, answer, answer};
  static const enum metric_id metrics[] = {METRIC_OPENED, METRIC_CLOSED,
                                           METRIC_BYTES_SENT};
  struct group_settings group = {.name = (char *)"all",
                                 .selector = selector_new(SELECTOR_AND)};
  struct settings settings = {.group = &group,
                              .group_count = 1,
                              .count_closed = COUNT_CLOSED_ALWAYS,
                              .max_close_rate = 1000};
  const struct observer_world kernel = {.open = on_open,
                                        .open_destroy = on_open_events};
  struct error error;
  for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
    assert_int_equal(metric_list_add(&group.metrics, metrics[i], NULL), 0);
  world = (struct world){
      .kernel = fake_kernel_new(answers, READS_MAX), .events = -1, .row = row};
  struct reader *reader = reader_new(&settings, INTERVAL_MS, &kernel, &error);
  assert_non_null(reader);
  steps_run(reader, row->steps);
  struct values v = {0};
  group_each(reader_group(reader, 0), on_series, &v);
  unsigned unclear = (unsigned)reader_health(reader)->observer.unclear;
  if (v.opened != row->opened || v.closed != row->closed ||
      v.bytes != row->bytes || unclear != row->unclear)
    fail_msg("%s %s: opened %u, closed %u, bytes %u, unclear %u", row->name,
             row->steps, v.opened, v.closed, v.bytes, unclear);
  reader_free(reader);
  close(world.events);
  fake_kernel_stop(world.kernel);
  fake_kernel_free(world.kernel);
  selector_free(group.selector);
  metric_list_clear(&group.metrics);
}

static void each_order_of_event_and_dump_counts_once(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
    row_check(&table[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_order_of_event_and_dump_counts_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
