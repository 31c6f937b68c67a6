#include "util/text.h"

#include <stddef.h>
#include <string.h>

void text_clean(const char *name, char *text) {
  size_t i = 0;
  for (; name[i] != '\0' && i < TEXT_CLEAN_MAX - 1; i++) {
    char c = name[i];
    bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 (c >= '0' && c <= '9') || strchr("_.@-", c) != NULL;
    text[i] = stays ? c : '_';
  }
  text[i] = '\0';
}

bool text_equal_in_graphite(const char *a, const char *b) {
  while (*a != '\0' && text_in_graphite(*a) == text_in_graphite(*b)) {
    a++;
    b++;
  }
  return text_in_graphite(*a) == text_in_graphite(*b);
}

/* The digit's value; 255 if `c` is none of base 16. */
static unsigned digit_value(char c) {
  if (c >= '0' && c <= '9')
    return (unsigned)(c - '0');
  if (c >= 'a' && c <= 'f')
    return (unsigned)(c - 'a') + 10;
  if (c >= 'A' && c <= 'F')
    return (unsigned)(c - 'A') + 10;
  return 255;
}

static const char *digits_parse(const char *text, unsigned base, uint64_t max,
                                uint64_t *out) {
  const char *at = text;
  uint64_t value = 0;
  for (unsigned digit; (digit = digit_value(*at)) < base; at++)
    if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
        __builtin_add_overflow(value, (uint64_t)digit, &value) || value > max)
      return NULL;
  if (at == text)
    return NULL;
  *out = value;
  return at;
}

const char *text_parse_digits(const char *text, uint64_t max, uint64_t *out) {
  return digits_parse(text, 10, max, out);
}

static bool whole_parse(const char *text, unsigned base, uint64_t max,
                        uint64_t *out) {
  uint64_t value;
  const char *end = digits_parse(text, base, max, &value);
  if (end == NULL || *end != '\0')
    return false;
  *out = value;
  return true;
}

bool text_parse_decimal(const char *text, uint64_t max, uint64_t *out) {
  bool leading_zero = text[0] == '0' && text[1] != '\0';
  return !leading_zero && whole_parse(text, 10, max, out);
}

bool text_parse_number(const char *text, uint64_t max, uint64_t *out) {
  if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
    return whole_parse(text + 2, 16, max, out);
  return text_parse_decimal(text, max, out);
}
