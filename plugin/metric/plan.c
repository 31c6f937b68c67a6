#include "metric/plan.h"

#include "tcp/sample.h"
#include "util/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the counter's index, which is new if no other metric uses the field.
 */
static size_t counter_add(struct plan *plan, enum field_id field) {
  for (size_t i = 0; i < plan->counter_count; i++)
    if (plan->counter[i] == field)
      return i;
  plan->counter[plan->counter_count] = field;
  return plan->counter_count++;
}

static size_t condition_add(struct plan *plan, const struct metric *m) {
  plan->condition[plan->condition_count] = m->holds;
  return plan->condition_count++;
}

static size_t set_add(struct plan *plan, const struct metric *m) {
  plan->set[plan->set_count] =
      (struct plan_set){.codes = m->codes,
                        .first = plan->code_count,
                        .all_states = (m->asks & ASK_ALL_STATES) != 0};
  plan->code_count += m->code_count;
  return plan->set_count++;
}

/* Sets population_end to where each population begins;
 * choice_add_distribution() moves it to the end. */
static void populations_begin(struct plan *plan,
                              const struct metric_list *list) {
  size_t count[METRIC_POPULATION_COUNT] = {0};
  for (size_t i = 0; i < list->count; i++) {
    const struct metric *m = &metric_table[list->choice[i].id];
    if (m->kind == METRIC_KIND_DISTRIBUTION)
      count[m->population]++;
  }
  for (size_t i = 0; i < METRIC_POPULATION_COUNT; i++) {
    plan->population_end[i] = plan->distribution_count;
    plan->distribution_count += count[i];
  }
}

static struct plan_distribution value_source(const struct metric *m) {
  struct plan_distribution d = {.value = m->value, .field = (uint8_t)m->field};
  if (m->value != NULL)
    return d;
  const struct field *f = &field_table[m->field];
  d.is_u32 = f->width == sizeof(uint32_t);
  d.block = f->block;
  d.offset = f->offset;
  d.unset = f->unset;
  return d;
}

/* Adds a distribution with one output for each of its statistics. */
static void choice_add_distribution(struct plan *plan,
                                    const struct metric_choice *c) {
  const struct metric *m = &metric_table[c->id];
  size_t index = plan->population_end[m->population]++;
  struct plan_distribution *d = &plan->distribution[index];
  *d = value_source(m);
  d->bucket = plan->bucket_count;
  for (size_t i = 0; i < c->statistic_count; i++) {
    char text[STATISTIC_TEXT_MAX];
    struct plan_output *o = &plan->output[plan->output_count++];
    *o = (struct plan_output){
        .metric = c->id, .index = index, .statistic = c->statistic[i]};
    snprintf(o->instance, sizeof(o->instance), "%s-%s", m->name,
             statistic_format(c->statistic[i], text));
    d->has_percentile |= o->statistic.kind == STATISTIC_PERCENTILE;
    if (o->statistic.kind == STATISTIC_HISTOGRAM)
      d->histogram = *m->histogram;
  }
  if (d->histogram.count > 0)
    plan->bucket_count += d->histogram.count + 1;
}

static void choice_add(struct plan *plan, const struct metric_choice *c) {
  const struct metric *m = &metric_table[c->id];
  plan->asks |= m->asks;
  if (m->kind == METRIC_KIND_DISTRIBUTION) {
    choice_add_distribution(plan, c);
    return;
  }
  struct plan_output *o = &plan->output[plan->output_count++];
  *o = (struct plan_output){.metric = c->id};
  snprintf(o->instance, sizeof(o->instance), "%s", m->name);
  switch (m->kind) {
  case METRIC_KIND_PERCENT:
    o->whole_index = counter_add(plan, m->whole);
    o->index = counter_add(plan, m->field);
    break;
  case METRIC_KIND_COUNTER:
    o->index = counter_add(plan, m->field);
    break;
  case METRIC_KIND_SET:
    o->index = set_add(plan, m);
    break;
  case METRIC_KIND_SOCKETS:
    o->index = condition_add(plan, m);
    break;
  case METRIC_KIND_LIMITED:
    plan->has_limits = true;
    break;
  case METRIC_KIND_GAUGE:
  case METRIC_KIND_LIFE:
  case METRIC_KIND_DISTRIBUTION:
    break;
  }
}

struct plan *plan_new(const struct metric_list *list) {
  struct plan *plan = calloc(1, sizeof(*plan));
  if (plan == NULL)
    return NULL;
  size_t outputs = 0;
  for (size_t i = 0; i < list->count; i++)
    outputs += 1 + list->choice[i].statistic_count;
  plan->output = calloc(outputs + 1, sizeof(*plan->output));
  if (plan->output == NULL) {
    free(plan);
    return NULL;
  }
  populations_begin(plan, list);
  for (size_t i = 0; i < list->count; i++)
    choice_add(plan, &list->choice[i]);
  return plan;
}

void plan_free(struct plan *plan) {
  if (plan == NULL)
    return;
  free(plan->output);
  free(plan);
}

void plan_fields(const struct plan *plan, bool wanted[FIELD_COUNT]) {
  for (size_t i = 0; i < plan->counter_count; i++)
    wanted[plan->counter[i]] = true;
  if (plan->has_limits) {
    wanted[FIELD_BUSY_TIME] = true;
    wanted[FIELD_RWND_LIMITED] = true;
    wanted[FIELD_SNDBUF_LIMITED] = true;
  }
}

/* --- Congestion control algorithms ---------------------------------------- */

/* Returns the algorithm's number, which is new if no socket had the algorithm
 * before; PLAN_ALGORITHMS_MAX: no name, or no room. */
static size_t algorithm_number(struct plan *plan, const char *name) {
  if (*name == '\0')
    return PLAN_ALGORITHMS_MAX;
  for (size_t i = 0; i < plan->algorithm_count; i++)
    if (strcmp(plan->algorithm[i], name) == 0)
      return i;
  size_t number = plan->algorithm_count;
  if (number == PLAN_ALGORITHMS_MAX)
    return PLAN_ALGORITHMS_MAX;
  char clean[TEXT_CLEAN_MAX];
  text_clean(name, clean);
  snprintf(plan->algorithm[number], PLAN_ALGORITHM_NAME_MAX, "%s", name);
  snprintf(plan->shown[number], PLAN_ALGORITHM_NAME_MAX, "%.15s", clean);
  plan->algorithm_count++;
  return number;
}

uint64_t plan_algorithm_codes(struct plan *plan, const struct sample *s) {
  size_t number = algorithm_number(plan, s->attrs.congestion);
  return number < PLAN_ALGORITHMS_MAX ? (uint64_t)1 << number : 0;
}

const char *plan_algorithm_name(const struct plan *plan, size_t code) {
  return code < plan->algorithm_count ? plan->shown[code] : NULL;
}
