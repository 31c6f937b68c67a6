#include "config/settings.h"

#include <stdlib.h>

enum { MEMBERS_USUAL = 100, CLOSE_RATE_USUAL = 5000 };

void settings_init(struct settings *s) {
  *s = (struct settings){.max_close_rate = CLOSE_RATE_USUAL,
                         .max_members = MEMBERS_USUAL};
}

void settings_free(struct settings *s) {
  for (size_t i = 0; i < s->group_count; i++) {
    free(s->group[i].name);
    selector_free(s->group[i].selector);
    metric_list_clear(&s->group[i].histograms);
    metric_list_clear(&s->group[i].metrics);
  }
  free(s->group);
  for (size_t i = 0; i < s->replay_count; i++)
    free(s->replay[i]);
  free(s->replay);
  metric_list_clear(&s->metrics);
  *s = (struct settings){.group = NULL};
}
