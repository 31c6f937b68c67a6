/* Gives any bytes as the messages of dumps to decode, track and an accumulator
 * with every metric and histogram: nothing is read out of bounds, and every
 * value is a number. */
#include "fuzz_require.h"

#include "connection/track.h"
#include "kernel/decode.h"
#include "metric/accumulator.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pipe {
  struct decoder decoder;
  struct plan *plan;
  struct accumulator *accumulator;
  struct track *track;
};

static void on_value(const struct accumulator_value *v, void *data) {
  (void)data;
  require(v->derive || (isfinite(v->gauge) && v->gauge >= 0), v->instance);
  require(strcmp(v->type, "percent") != 0 || v->gauge <= 100, v->instance);
}

static bool on_gone(uint64_t cookie, void *owner, void *data) {
  (void)cookie, (void)owner;
  (void)data;
  return false;
}

static void message(struct pipe *p, const uint8_t *payload, size_t size) {
  struct nlmsghdr *nlh = calloc(1, MNL_NLMSG_HDRLEN + size);
  struct sample s;
  require(nlh != NULL, "out of memory");
  nlh->nlmsg_len = (uint32_t)(MNL_NLMSG_HDRLEN + size);
  memcpy(mnl_nlmsg_get_payload(nlh), payload, size);
  if (decode(&p->decoder, nlh, &s) == 0) {
    struct track_seen seen;
    track_see(p->track, &s, &seen);
    if ((TCP_STATES_REST & 1u << s.state) != 0) {
      accumulator_add_without_traffic(p->accumulator, &s);
    } else if (seen.event != TRACK_REPEAT) {
      struct observation r = {.sample = &s,
                              .delta = seen.delta,
                              .changed = seen.changed,
                              .active = s.timer & 1,
                              .window_us = seen.dumps_ago * 1000};
      accumulator_add(p->accumulator, &r);
    }
  }
  free(nlh);
}

static struct pipe pipe_new(void) {
  static const struct statistic histogram = {.kind = STATISTIC_HISTOGRAM};
  struct metric_list list = {0};
  struct pipe p = {0};
  bool wanted[FIELD_COUNT] = {false};
  enum field_id field[FIELD_COUNT];
  size_t count = 0;
  for (int id = 0; id < METRIC_COUNT; id++)
    require(metric_list_add(&list, (enum metric_id)id, NULL) == 0,
            "out of memory");
  require(metric_list_complete(&list) == 0, "out of memory");
  for (int id = 0; id < METRIC_COUNT; id++)
    if (metric_table[id].kind == METRIC_KIND_DISTRIBUTION)
      require(metric_list_add(&list, (enum metric_id)id, &histogram) == 0,
              "out of memory");
  p.plan = plan_new(&list);
  p.accumulator = accumulator_new(p.plan);
  plan_fields(p.plan, wanted);
  for (int id = 0; id < FIELD_COUNT; id++)
    if (wanted[id])
      field[count++] = (enum field_id)id;
  p.track = track_new(field, count, 1);
  metric_list_clear(&list);
  return p;
}

/* Two bytes before each message are its length; a length of 0 ends a dump. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct pipe p = pipe_new();
  track_begin(p.track);
  accumulator_begin(p.accumulator);
  while (size >= 2) {
    size_t length = data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    length = length < size ? length : size;
    if (length > 0) {
      message(&p, data, length);
    } else {
      track_end(p.track, on_gone, NULL);
      accumulator_emit(p.accumulator, 280, ACCUMULATOR_ALL, on_value, NULL);
      accumulator_commit(p.accumulator);
      track_begin(p.track);
      accumulator_begin(p.accumulator);
    }
    data += length;
    size -= length;
  }
  accumulator_emit(p.accumulator, 280, ACCUMULATOR_ALL, on_value, NULL);
  track_free(p.track);
  accumulator_free(p.accumulator);
  plan_free(p.plan);
  return 0;
}
