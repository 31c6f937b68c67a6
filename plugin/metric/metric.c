#include "metric/metric.h"

#include <string.h>

int metric_find(const char *name) {
  for (int i = 0; i < METRIC_COUNT; i++)
    if (strcmp(metric_table[i].name, name) == 0)
      return i;
  return -1;
}

/* The kernel sends blocks other than tcp_info whole or not at all. */
bool metric_is_sent(const struct metric *m, size_t info_size) {
  return m->field == METRIC_NO_FIELD ||
         field_table[m->field].block != BLOCK_INFO ||
         field_present(m->field, info_size);
}
