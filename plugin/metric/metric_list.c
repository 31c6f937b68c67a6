/* Statistics as text, and lists of metrics with their statistics. */
#include "metric/metric.h"

#include "util/array.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool statistic_parse(const char *text, struct statistic *out) {
  static const struct {
    const char *name;
    enum statistic_kind kind;
  } named[] = {{"min", STATISTIC_MIN},
               {"max", STATISTIC_MAX},
               {"avg", STATISTIC_AVG},
               {"sum", STATISTIC_SUM}};
  for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
    if (strcmp(text, named[i].name) == 0) {
      *out = (struct statistic){.kind = named[i].kind};
      return true;
    }
  }

  if (*text++ != 'p')
    return false;
  unsigned permille = 0;
  size_t digits = strspn(text, "0123456789");
  if (digits < 1 || digits > 2)
    return false;
  for (; digits > 0; digits--)
    permille = permille * 10 + (unsigned)(*text++ - '0');
  permille *= 10;
  if (*text == '.') {
    text++;
    if (!isdigit((unsigned char)*text))
      return false;
    permille += (unsigned)(*text++ - '0');
  }
  if (*text != '\0' || permille < 10 || permille > 999)
    return false;
  *out = (struct statistic){.kind = STATISTIC_PERCENTILE,
                            .permille = (uint16_t)permille};
  return true;
}

char *statistic_format(struct statistic s, char *text) {
  static const char *const name[] = {[STATISTIC_MIN] = "min",
                                     [STATISTIC_MAX] = "max",
                                     [STATISTIC_AVG] = "avg",
                                     [STATISTIC_SUM] = "sum",
                                     [STATISTIC_HISTOGRAM] = "histogram"};
  if (s.kind != STATISTIC_PERCENTILE)
    snprintf(text, STATISTIC_TEXT_MAX, "%s", name[s.kind]);
  else if (s.permille % 10 == 0)
    snprintf(text, STATISTIC_TEXT_MAX, "p%u", s.permille / 10u % 100);
  else
    snprintf(text, STATISTIC_TEXT_MAX, "p%u.%u", s.permille / 10u % 100,
             s.permille % 10u);
  return text;
}

static int choice_add_statistic(struct metric_choice *c, struct statistic s) {
  for (size_t i = 0; i < c->statistic_count; i++)
    if (c->statistic[i].kind == s.kind &&
        c->statistic[i].permille == s.permille)
      return 0;
  if (!ARRAY_RESIZE(c->statistic, c->statistic_count + 1))
    return -1;
  c->statistic[c->statistic_count++] = s;
  return 0;
}

int metric_list_add(struct metric_list *list, enum metric_id id,
                    const struct statistic *statistic) {
  size_t i = 0;
  while (i < list->count && list->choice[i].id != id)
    i++;
  if (i == list->count) {
    if (!ARRAY_RESIZE(list->choice, list->count + 1))
      return -1;
    list->choice[list->count++] = (struct metric_choice){.id = id};
  }
  if (statistic == NULL)
    return 0;
  return choice_add_statistic(&list->choice[i], *statistic);
}

int metric_list_complete(struct metric_list *list) {
  static const struct statistic statistic[] = {
      {.kind = STATISTIC_PERCENTILE, .permille = 500},
      {.kind = STATISTIC_PERCENTILE, .permille = 950},
      {.kind = STATISTIC_MAX}};
  for (size_t i = 0; i < list->count; i++) {
    struct metric_choice *c = &list->choice[i];
    if (metric_table[c->id].kind != METRIC_KIND_DISTRIBUTION ||
        c->statistic_count > 0)
      continue;
    for (size_t k = 0; k < sizeof(statistic) / sizeof(statistic[0]); k++)
      if (choice_add_statistic(c, statistic[k]) != 0)
        return -1;
  }
  return 0;
}

int metric_list_default(struct metric_list *list) {
  for (int id = 0; id < METRIC_COUNT; id++)
    if (metric_table[id].is_default &&
        metric_list_add(list, (enum metric_id)id,
                        metric_table[id].default_statistic) != 0)
      return -1;
  return metric_list_complete(list);
}

int metric_list_copy(struct metric_list *to, const struct metric_list *from) {
  for (size_t i = 0; i < from->count; i++) {
    const struct metric_choice *c = &from->choice[i];
    if (metric_list_add(to, c->id, NULL) != 0)
      return -1;
    for (size_t k = 0; k < c->statistic_count; k++)
      if (metric_list_add(to, c->id, &c->statistic[k]) != 0)
        return -1;
  }
  return 0;
}

void metric_list_clear(struct metric_list *list) {
  for (size_t i = 0; i < list->count; i++)
    free(list->choice[i].statistic);
  free(list->choice);
  *list = (struct metric_list){0};
}
