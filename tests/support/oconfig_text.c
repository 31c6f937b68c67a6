/* See oconfig_text.h. */
#include "support/oconfig_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum token {
  END,
  LINE,
  SLASH,
  OPEN,
  CLOSE,
  VALUE, /* a number or a boolean */
  QUOTED,
  WORD,
};

enum { DEPTH_MAX = 16 };

struct text {
  const char *at;
  enum token token;
  oconfig_value_t value; /* of VALUE, QUOTED, WORD; we own a string */
};

/* --- words: each function returns how many characters of `s` match -------- */

static size_t digits(const char *s) { return strspn(s, "0123456789"); }

static size_t number_length(const char *s) {
  if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') &&
      isxdigit((unsigned char)s[2]))
    return 2 + strspn(s + 2, "0123456789abcdefABCDEF");
  size_t sign = *s == '+' || *s == '-';
  size_t integer = sign + digits(s + sign);
  if (s[integer] != '.' || digits(s + integer + 1) == 0)
    return integer > sign ? integer : 0;
  size_t length = integer + 1 + digits(s + integer + 1);
  if ((s[length] == 'e' || s[length] == 'E') &&
      (s[length + 1] == '+' || s[length + 1] == '-') &&
      digits(s + length + 2) > 0)
    length += 2 + digits(s + length + 2);
  return length;
}

static size_t word_length(const char *s) {
  return strspn(s, "0123456789_abcdefghijklmnopqrstuvwxyz"
                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static size_t port_length(const char *s) {
  if (s[0] != ':' || s[1] < '1' || s[1] > '9')
    return 0;
  size_t length = digits(s + 1) < 5 ? digits(s + 1) : 5;
  char port[6] = "";
  memcpy(port, s + 1, length);
  return 1 + length - (atoi(port) > 65535);
}

/* Returns the length of the longest prefix of `s` that is an address. */
static size_t bare_address_length(const char *s, int family) {
  char text[INET6_ADDRSTRLEN], binary[16];
  size_t length =
      strspn(s, family == AF_INET ? "0123456789." : "0123456789abcdefABCDEF:.");
  if (length >= sizeof(text))
    length = sizeof(text) - 1;
  for (; length > 0; length--) {
    memcpy(text, s, length);
    text[length] = '\0';
    if (inet_pton(family, text, binary) == 1)
      return length;
  }
  return 0;
}

static size_t address_length(const char *s) {
  size_t v4 = bare_address_length(s, AF_INET);
  if (v4 > 0)
    v4 += port_length(s + v4);
  bool bracket = *s == '[';
  size_t v6 = bare_address_length(s + bracket, AF_INET6);
  if (bracket) {
    v6 = v6 > 0 && s[1 + v6] == ']' ? v6 + 2 : 0;
    v6 += v6 > 0 ? port_length(s + v6) : 0;
  }
  return v4 > v6 ? v4 : v6;
}

static bool boolean_of(const char *s, size_t length, int *out) {
  static const char *const name[] = {"false", "no", "off", "true", "yes", "on"};
  for (int i = 0; i < 6; i++)
    if (strlen(name[i]) == length && memcmp(name[i], s, length) == 0) {
      *out = i >= 3;
      return true;
    }
  return false;
}

/* --- tokens --------------------------------------------------------------- */

static enum token take(struct text *t, size_t length, enum token token) {
  t->at += length;
  return token;
}

/* Takes a quoted string, which may contain line ends. Returns false if the
 * closing quote is missing. */
static bool take_quoted(struct text *t) {
  const char *s = t->at + 1;
  char *out = malloc(strlen(s) + 1), *p = out;
  if (out == NULL)
    abort();
  bool continued = false; /* after "\" and a line end: skip the indentation */
  for (; *s != '\0' && *s != '"'; s++) {
    if (continued && (*s == ' ' || *s == '\t'))
      continue;
    continued = *s == '\\' && s[1] == '\n';
    if (*s == '\\' && *++s == '\0')
      break;
    if (!continued)
      *p++ = *s;
  }
  *p = '\0';
  if (*s != '"') {
    free(out);
    return false;
  }
  t->value.type = OCONFIG_TYPE_STRING;
  t->value.value.string = out;
  t->at = s + 1;
  return true;
}

static enum token take_word(struct text *t) {
  size_t number = number_length(t->at), word = word_length(t->at);
  size_t address = address_length(t->at);
  size_t length = address > word ? address : word;
  if (number >= length && number > address) {
    char text[64];
    size_t kept = number < sizeof(text) ? number : sizeof(text) - 1;
    memcpy(text, t->at, kept);
    text[kept] = '\0';
    t->value.type = OCONFIG_TYPE_NUMBER;
    t->value.value.number = strtod(text, NULL);
    return take(t, number, VALUE);
  }
  if (boolean_of(t->at, length, &t->value.value.boolean)) {
    t->value.type = OCONFIG_TYPE_BOOLEAN;
    return take(t, length, VALUE);
  }
  t->value.type = OCONFIG_TYPE_STRING;
  t->value.value.string = strndup(t->at, length);
  if (t->value.value.string == NULL)
    abort();
  return take(t, length, WORD);
}

static enum token next_token(struct text *t) {
  for (;; t->at++) {
    if (*t->at == '#')
      t->at += strcspn(t->at, "\n");
    if (t->at[0] == '\\' && t->at[1] == '\n') {
      t->at++;
      continue;
    }
    switch (*t->at) {
    case '\0':
      return END;
    case '\n':
      return take(t, 1, LINE);
    case '/':
      return take(t, 1, SLASH);
    case '<':
      return take(t, 1, OPEN);
    case '>':
      return take(t, 1, CLOSE);
    case '"':
      if (take_quoted(t))
        return QUOTED;
      continue;
    }
    if (number_length(t->at) > 0 || word_length(t->at) > 0 ||
        address_length(t->at) > 0)
      return take_word(t);
  }
}

static void next(struct text *t) { t->token = next_token(t); }

static void drop(struct text *t) {
  if (t->token == QUOTED || t->token == WORD)
    free(t->value.value.string);
  t->token = END;
}

/* --- statements ----------------------------------------------------------- */

static void *grow(void *array, int count, size_t size) {
  array = realloc(array, ((size_t)count + 1) * size);
  if (array == NULL)
    abort();
  return array;
}

static void item_clear(oconfig_item_t *item) {
  for (int i = 0; i < item->children_num; i++)
    item_clear(&item->children[i]);
  for (int i = 0; i < item->values_num; i++)
    if (item->values[i].type == OCONFIG_TYPE_STRING)
      free(item->values[i].value.string);
  free(item->key);
  free(item->values);
  free(item->children);
}

static bool parse_key(struct text *t, oconfig_item_t *item) {
  if (t->token != WORD)
    return false;
  item->key = t->value.value.string;
  next(t);
  return true;
}

static void parse_values(struct text *t, oconfig_item_t *item) {
  for (; t->token == VALUE || t->token == QUOTED || t->token == WORD; next(t)) {
    item->values = grow(item->values, item->values_num, sizeof(*item->values));
    item->values[item->values_num++] = t->value;
  }
}

static bool expect(struct text *t, enum token token) {
  if (t->token != token)
    return false;
  next(t);
  return true;
}

static bool parse_statements(struct text *t, oconfig_item_t *parent, int depth);

/* Parses from after "<" to after the line of "</KEY>". */
static bool parse_block(struct text *t, oconfig_item_t *item, int depth) {
  if (depth == 0 || !parse_key(t, item))
    return false;
  parse_values(t, item);
  if (!expect(t, CLOSE) || !expect(t, LINE) ||
      !parse_statements(t, item, depth - 1) || !expect(t, SLASH) ||
      t->token != WORD || strcmp(t->value.value.string, item->key) != 0)
    return false;
  free(t->value.value.string);
  next(t);
  return expect(t, CLOSE) && expect(t, LINE);
}

static bool parse_option(struct text *t, oconfig_item_t *item) {
  if (!parse_key(t, item))
    return false;
  parse_values(t, item);
  return item->values_num > 0 && expect(t, LINE);
}

/* Parses until after the "<" of "</", or until the end of the text. */
static bool parse_statements(struct text *t, oconfig_item_t *parent,
                             int depth) {
  for (;;) {
    if (expect(t, LINE))
      continue;
    if (t->token == END)
      return true;
    bool block = expect(t, OPEN);
    if (block && t->token == SLASH)
      return true;
    oconfig_item_t item = {.parent = parent};
    if (!(block ? parse_block(t, &item, depth) : parse_option(t, &item))) {
      item_clear(&item);
      return false;
    }
    if (item.values_num == 0 && item.children_num == 0) {
      item_clear(&item);
      continue;
    }
    parent->children =
        grow(parent->children, parent->children_num, sizeof(item));
    parent->children[parent->children_num++] = item;
  }
}

oconfig_item_t *oconfig_text_parse(const char *text) {
  struct text t = {.at = text};
  oconfig_item_t *root = calloc(1, sizeof(*root));
  if (root == NULL)
    abort();
  next(&t);
  if (parse_statements(&t, root, DEPTH_MAX) && t.token == END)
    return root;
  drop(&t);
  oconfig_text_free(root);
  return NULL;
}

void oconfig_text_free(oconfig_item_t *root) {
  if (root != NULL)
    item_clear(root);
  free(root);
}
