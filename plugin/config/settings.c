#include "config/settings.h"
#include "config/option.h"

#include <stdlib.h>
#include <string.h>

void settings_init(struct settings *s) {
  *s = (struct settings){.count_closed = COUNT_CLOSED_AUTO};
  for (size_t i = 0; i < option_count; i++)
    for (int k = 0; k < OPTION_VALUES_MAX; k++) {
      const struct option_value *v = &option_table[i].value[k];
      option_store(v->in_plugin, s, v->preset);
    }
}

static void group_init(struct group_settings *g, const struct settings *s) {
  *g = (struct group_settings){.by_count = 0};
  for (size_t i = 0; i < option_count; i++)
    for (int k = 0; k < OPTION_VALUES_MAX; k++) {
      const struct option_value *v = &option_table[i].value[k];
      bool inherited = v->in_plugin.store != OPTION_STORE_NONE;
      option_store(v->in_group, g,
                   inherited ? option_load(v->in_plugin, s) : v->preset);
    }
}

struct group_settings *settings_add_group(struct settings *s,
                                          const char *name) {
  struct group_settings *grown =
      realloc(s->group, (s->group_count + 1) * sizeof(*grown));
  if (grown == NULL)
    return NULL;
  s->group = grown;
  struct group_settings *g = &s->group[s->group_count++];
  group_init(g, s);
  g->name = strdup(name);
  g->selector = selector_new(SELECTOR_AND);
  return g->name != NULL && g->selector != NULL ? g : NULL;
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
