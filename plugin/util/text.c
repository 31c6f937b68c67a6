#include "util/text.h"

#include <stdbool.h>
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
