/* Makes a configuration from the bytes of a fuzzer, as text that config_read()
 * reads, so that the settings are those that a user can have. */
#ifndef TEST_CONFIG_INPUT_H
#define TEST_CONFIG_INPUT_H

#include "config/settings.h"
#include "support/input.h"
#include "support/oconfig_text.h"
#include "util/error.h"

enum { CONFIG_INPUT_TEXT_MAX = 16384 };

/* The group that config_input_text() adds if `everything` is set: all
 * connections of a dump, without members. */
#define CONFIG_INPUT_GROUP "everything"

/* Writes the text: if the first byte is 0xff, the bytes up to the next NUL as
 * they are; else blocks that the bytes choose from tables, so that nearly every
 * byte string gives a legal configuration. The second byte, if odd, asks for
 * the group CONFIG_INPUT_GROUP; returns true if it is there. */
bool config_input_text(struct input *in, char text[CONFIG_INPUT_TEXT_MAX]);

/* Reads a tree of oconfig_text_parse() as the plugin does. Returns 0, or -1
 * with the reason; `s` is to be freed in any case. */
int config_input_read(const oconfig_item_t *root, struct settings *s,
                      struct error *error);

#endif
