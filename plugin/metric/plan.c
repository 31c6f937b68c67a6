#include "metric/plan.h"

#include "util/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t plan_counter(struct plan *r, enum field_id field) {
  for (size_t i = 0; i < r->counter_count; i++)
    if (r->counter[i] == field)
      return i;
  r->counter[r->counter_count] = field;
  return r->counter_count++;
}

static enum plan_over over_of(const struct metric *m) {
  if (m->listeners)
    return PLAN_LISTENERS;
  return m->active_only ? PLAN_ACTIVE : PLAN_ALL;
}

/* Where the distributions over one kind of sockets begin. */
static void distributions_sort(struct plan *r, const struct metric_list *list) {
  size_t count[PLAN_OVER_COUNT] = {0};
  for (size_t i = 0; i < list->count; i++) {
    const struct metric *m = &metric_table[list->choice[i].id];
    if (m->kind == METRIC_KIND_DISTRIBUTION)
      count[over_of(m)]++;
  }
  for (int over = 0; over < PLAN_OVER_COUNT; over++) {
    r->end[over] = r->distribution_count;
    r->distribution_count += count[over];
  }
}

static void distribution_outputs(struct plan *r,
                                 const struct metric_choice *c) {
  const struct metric *m = &metric_table[c->id];
  const struct field *f = &field_table[m->field];
  size_t number = r->end[over_of(m)]++;
  struct plan_distribution *d = &r->distribution[number];
  *d = (struct plan_distribution){
      .metric = c->id,
      .plain = m->rule == METRIC_RULE_FIELD && f->width == 4,
      .block = f->block,
      .offset = f->offset,
      .unset = f->unset,
      .bucket = r->bucket_count,
  };
  for (size_t i = 0; i < c->statistic_count; i++) {
    char text[STATISTIC_TEXT_MAX];
    struct output *o = &r->output[r->output_count++];
    *o = (struct output){
        .metric = c->id, .index = number, .statistic = c->statistic[i]};
    snprintf(o->instance, sizeof(o->instance), "%s-%s", m->name,
             statistic_format(c->statistic[i], text));
    d->keep |= o->statistic.kind == STATISTIC_PERCENTILE;
    if (o->statistic.kind == STATISTIC_HISTOGRAM)
      d->edges = metric_histogram(c->id);
  }
  if (d->edges.count > 0)
    r->bucket_count += d->edges.count + 1;
}

static void set_output(struct plan *r, enum metric_id id) {
  r->states |= id == METRIC_STATES;
  r->ca_state |= id == METRIC_CA_STATE;
  r->options |= id == METRIC_OPTIONS;
  r->congestion |= id == METRIC_CONGESTION;
  r->sets = true;
}

static void plan_outputs(struct plan *r, const struct metric_choice *c) {
  const struct metric *m = &metric_table[c->id];
  r->asks |= metric_asks(c->id);
  if (m->kind == METRIC_KIND_DISTRIBUTION) {
    distribution_outputs(r, c);
    return;
  }
  struct output *o = &r->output[r->output_count++];
  *o = (struct output){.metric = c->id};
  snprintf(o->instance, sizeof(o->instance), "%s", m->name);
  switch (m->kind) {
  case METRIC_KIND_PERCENT:
    o->whole_index = plan_counter(r, m->whole);
    o->index = plan_counter(r, m->field);
    break;
  case METRIC_KIND_COUNTER:
    o->index = plan_counter(r, m->field);
    break;
  case METRIC_KIND_SET:
    set_output(r, c->id);
    break;
  case METRIC_KIND_SOCKETS:
    o->index = r->condition_count;
    r->condition[r->condition_count++] = c->id;
    break;
  case METRIC_KIND_LIMITED:
    r->limited = true;
    break;
  case METRIC_KIND_GAUGE:
  case METRIC_KIND_LIFE:
  case METRIC_KIND_DISTRIBUTION:
    break;
  }
}

struct plan *plan_new(const struct metric_list *list) {
  struct plan *r = calloc(1, sizeof(*r));
  if (r == NULL)
    return NULL;
  size_t outputs = 0;
  for (size_t i = 0; i < list->count; i++)
    outputs += 1 + list->choice[i].statistic_count;
  r->output = calloc(outputs + 1, sizeof(*r->output));
  if (r->output == NULL) {
    free(r);
    return NULL;
  }
  distributions_sort(r, list);
  for (size_t i = 0; i < list->count; i++)
    plan_outputs(r, &list->choice[i]);
  return r;
}

void plan_free(struct plan *r) {
  if (r == NULL)
    return;
  free(r->output);
  free(r);
}

void plan_fields(const struct plan *r, bool wanted[FIELD_COUNT]) {
  for (size_t i = 0; i < r->counter_count; i++)
    wanted[r->counter[i]] = true;
  if (r->limited) {
    wanted[FIELD_BUSY_TIME] = true;
    wanted[FIELD_RWND_LIMITED] = true;
    wanted[FIELD_SNDBUF_LIMITED] = true;
  }
}

size_t plan_algorithm(struct plan *r, const char *name) {
  if (*name == '\0')
    return PLAN_ALGORITHMS_MAX;
  for (size_t i = 0; i < r->algorithm_count; i++)
    if (strcmp(r->algorithm[i], name) == 0)
      return i;
  if (r->algorithm_count == PLAN_ALGORITHMS_MAX)
    return PLAN_ALGORITHMS_MAX;
  char clean[TEXT_CLEAN_MAX];
  text_clean(name, clean);
  snprintf(r->algorithm[r->algorithm_count], PLAN_ALGORITHM_NAME_MAX, "%s",
           name);
  snprintf(r->shown[r->algorithm_count], PLAN_ALGORITHM_NAME_MAX, "%.15s",
           clean);
  return r->algorithm_count++;
}
