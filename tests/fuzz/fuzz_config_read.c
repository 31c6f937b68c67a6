/* settings on any text as the inside of a configuration file. Built with
 * -fsanitize=fuzzer, and with -DFUZZ_STANDALONE instead to run files. */
#include "collectd/config_read.h"
#include "support/oconfig_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int condition, const char *what) {
  if (!condition) {
    fprintf(stderr, "%s\n", what);
    abort();
  }
}

static void check_error(const struct error *e) {
  size_t length = strlen(e->text);
  need(length > 0 && length < sizeof(e->text) - 1, "no error, or it is cut");
  for (size_t i = 0; i < length; i++)
    need(!iscntrl((unsigned char)e->text[i]), "not one line");
}

static void check_settings(const struct settings *s) {
  need(s->group_count > 0, "no group");
  for (size_t i = 0; i < s->group_count; i++) {
    const struct group_settings *g = &s->group[i];
    need(strlen(g->name) > 0 && strlen(g->name) <= 60, "name");
    need(g->selector != NULL && g->metrics.count > 0, "group is incomplete");
    need(g->max_members >= 1 && g->max_members <= 10000, "MaxMembers");
    need(g->member_timeout >= 1 && g->member_timeout <= 10000, "timeout");
    need(g->by_count <= DIMENSION_COUNT, "By");
    struct socket_attrs t = {.local_port = 443};
    selector_match(g->selector, &t);
  }
  need(s->dump_timeout >= 0 && s->dump_timeout <= 3600, "DumpTimeout");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = strndup((const char *)data, size);
  need(text != NULL, "out of memory");
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

#ifdef FUZZ_STANDALONE
int main(int argc, char **argv) {
  static uint8_t data[1 << 20];
  for (int i = 1; i < argc; i++) {
    FILE *f = fopen(argv[i], "rb");
    need(f != NULL, argv[i]);
    LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), f));
    fclose(f);
  }
  return 0;
}
#endif
