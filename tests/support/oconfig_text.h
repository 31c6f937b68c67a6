/* Text -> the tree that collectd's daemon would hand to a plugin: its own
 * parser is inside the daemon and cannot be linked. Words are taken apart as
 * its scanner does (collectd: src/liboconfig/scanner.l, parser.y), with what is
 * odd about that: 8000-8099 is two numbers, a character that fits nothing is
 * passed over, and an empty block without values does not exist. */
#ifndef TEST_OCONFIG_TEXT_H
#define TEST_OCONFIG_TEXT_H

#include <collectd/liboconfig/oconfig.h>

/* A root whose children are the statements; NULL where the text is not of that
 * form or nests too deep. */
oconfig_item_t *oconfig_text_parse(const char *text);
void oconfig_text_free(oconfig_item_t *root);

#endif
