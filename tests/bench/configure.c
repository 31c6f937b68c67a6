#include "configure.h"

#include "support/oconfig_text.h"

int configure(struct settings *s, const char *text, struct error *error) {
  settings_init(s);
  oconfig_item_t *root = oconfig_text_parse(text);
  int status = root != NULL ? config_read(s, root, error)
                            : error_set(error, "invalid configuration");
  oconfig_text_free(root);
  if (status == 0)
    status = config_finish(s, error);
  if (status != 0)
    settings_free(s);
  return status;
}
