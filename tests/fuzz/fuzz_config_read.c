/* Gives config_read() any text as the content of a configuration file. */
#include "fuzz_require.h"

#include "collectd/config_read.h"
#include "config/option.h"
#include "support/oconfig_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_error(const struct error *e) {
  size_t length = strlen(e->text);
  require(length > 0 && length < sizeof(e->text) - 1,
          "the error message is empty or cut off");
  for (size_t i = 0; i < length; i++)
    require(!iscntrl((unsigned char)e->text[i]),
            "the error message has a control character");
}

/* Checks that every number is in the range of its option or is the default. */
static void check_numbers(const struct settings *s,
                          const struct group_settings *g) {
  for (size_t i = 0; i < option_count; i++)
    for (int k = 0; k < OPTION_VALUES_MAX; k++) {
      const struct config_option *o = &option_table[i];
      const struct option_value *v = &o->value[k];
      double in_plugin = option_load(v->in_plugin, s);
      double in_group = option_load(v->in_group, g);
      require(v->in_plugin.store == OPTION_STORE_NONE ||
                  option_in_range(o, k, in_plugin) || in_plugin == v->preset,
              o->name);
      require(v->in_group.store == OPTION_STORE_NONE ||
                  option_in_range(o, k, in_group) || in_group == v->preset,
              o->name);
    }
}

static void check_settings(const struct settings *s) {
  require(s->group_count > 0, "the settings have no group");
  for (size_t i = 0; i < s->group_count; i++) {
    const struct group_settings *g = &s->group[i];
    require(strlen(g->name) > 0 && strlen(g->name) <= 60,
            "the name of a group is empty or too long");
    require(g->selector != NULL && g->metrics.count > 0,
            "a group has no selector or no metric");
    check_numbers(s, g);
    require(g->by_count <= DIMENSION_COUNT, "By has too many dimensions");
    struct socket_attrs t = {.local_port = 443};
    selector_match(g->selector, &t);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = strndup((const char *)data, size);
  require(text != NULL, "out of memory");
  oconfig_item_t *root = oconfig_text_parse(text);
  struct settings s;
  struct error error = {.text = ""};
  int result = 0;
  settings_init(&s);
  for (int i = 0; root != NULL && i < root->children_num && result == 0; i++)
    result = config_read(&s, &root->children[i], &error);
  if (result == 0)
    result = config_finish(&s, &error);
  if (result == 0)
    check_settings(&s);
  else
    check_error(&error);
  settings_free(&s);
  oconfig_text_free(root);
  free(text);
  return 0;
}
