/* Parses a configuration text into the tree that collectd passes to a plugin.
 * collectd's own parser is part of the daemon and cannot be linked. The rules
 * are those of collectd (src/liboconfig/scanner.l, parser.y), including the
 * strange ones: 8000-8099 is two numbers, a character that fits no token is
 * skipped, and an empty block without values is dropped. */
#ifndef TEST_OCONFIG_TEXT_H
#define TEST_OCONFIG_TEXT_H

#include <collectd/liboconfig/oconfig.h>

/* Returns a root whose children are the statements, or NULL on a syntax error
 * or too deep nesting. The caller frees it with oconfig_text_free(). */
oconfig_item_t *oconfig_text_parse(const char *text);
void oconfig_text_free(oconfig_item_t *root);

#endif
