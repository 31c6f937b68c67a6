/* Gives expression_parse() any text: it returns a selector that can be matched,
 * or an error of one line with a column. */
#include "fuzz_require.h"

#include "filter/expression.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_error(const struct error *e, const char *text) {
  size_t length = strlen(e->text), column;
  require(length > 0 && length < sizeof(e->text) - 1,
          "the error message is empty or cut off");
  for (size_t i = 0; i < length; i++)
    require(!iscntrl((unsigned char)e->text[i]),
            "the error message has a control character");
  require(sscanf(e->text, "column %zu: expected ", &column) == 1,
          "the error message has no column");
  require(column >= 1 && column <= strlen(text) + 1,
          "the column is beyond the text");
}

static size_t depth_of(const struct selector *s) {
  size_t most = 0;
  for (size_t i = 0; s->child != NULL && i < s->count; i++) {
    size_t depth = depth_of(s->child[i]);
    if (depth > most)
      most = depth;
  }
  require(s->op != SELECTOR_NOT || s->count == 1,
          "NOT has not exactly one operand");
  return most + 1;
}

/* Checks the depth, and that exactly one of the selector and its negation
 * matches. */
static void check_selector(const struct selector *s, const char *text) {
  static const struct address address[] = {
      {{0}},
      {{[15] = 1}},
      {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}},
      {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}},
      {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
  };
  enum { ADDRESSES = sizeof(address) / sizeof(address[0]) };
  require(depth_of(s) <= 64, "the selector is too deep");

  char *negated = malloc(strlen(text) + sizeof("not ()"));
  require(negated != NULL, "out of memory");
  sprintf(negated, "not (%s)", text);
  struct error error;
  struct selector *rest = expression_parse(negated, &error);
  for (size_t i = 0; i < ADDRESSES * ADDRESSES; i++) {
    struct socket_attrs t = {.local = address[i / ADDRESSES],
                             .remote = address[i % ADDRESSES],
                             .local_port = (uint16_t)(i * 443),
                             .remote_port = (uint16_t)(i * 40),
                             .interface = (uint32_t)i % 3,
                             .mark = (uint32_t)i};
    bool match = selector_match(s, &t);
    require(rest == NULL || selector_match(rest, &t) != match,
            "the negation matches the same sockets");
  }
  selector_free(rest);
  free(negated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = strndup((const char *)data, size);
  require(text != NULL, "out of memory");
  struct error error = {.text = ""};
  struct selector *s = expression_parse(text, &error);
  if (s != NULL)
    check_selector(s, text);
  else
    check_error(&error, text);
  selector_free(s);
  free(text);
  return 0;
}
