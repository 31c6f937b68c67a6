/* See expression.h. The grammar, as ss(8) has it:
 *
 *      LIST  = TERM { [or | and] TERM }     from the left; nothing is `and`
 *      TERM  = "(" LIST ")" | not TERM | CONDITION
 *
 * `and` does not bind closer than `or`, whatever ss's manual page says: `a or b
 * and c` is `(a or b) and c`, for ss and here. Beyond ss, operators and
 * parentheses need no spaces around them, and src and dst accept `!=`.
 *
 * Words and operators are read here; the values of conditions in condition.c.
 */
#include "filter/expression.h"
#include "filter/condition.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACE " \t\r\n"
#define SPECIAL "()!&|=<>" /* the characters of operators */
#define DEPTH_EXPECTED "at most 64 levels"

enum {
  LENGTH_MAX = 65535, /* characters of an expression */
  DEPTH_MAX = 64,     /* levels of its tree, and of its parentheses */
  SHOWN_MAX = 24,     /* bytes of a word in a message */
};

/* --- words ---------------------------------------------------------------- */

/* The kinds of words, if no value is expected. */
enum token {
  TOKEN_END,
  TOKEN_OPEN,
  TOKEN_CLOSE,
  TOKEN_NOT,
  TOKEN_AND,
  TOKEN_OR,
  TOKEN_RELATION, /* + enum relation */
  TOKEN_WORD = TOKEN_RELATION + RELATION_COUNT,
};

struct parser {
  const char *text;
  const char *start, *at; /* of the current token, and behind it */
  unsigned open;          /* parentheses and `not` around the current token */
  struct error *error;
};

/* A part of the expression that has been read. */
struct part {
  struct selector *selector; /* NULL: p->error holds the reason */
  unsigned levels;           /* of its tree */
};

static const struct part nothing = {.selector = NULL};

/* The column of `at`, in characters, not bytes. */
static size_t column(const struct parser *p, const char *at) {
  size_t n = 1;
  for (const char *c = p->text; c < at; c++)
    n += ((unsigned char)*c & 0xc0) != 0x80;
  return n;
}

/* The word at `at` in quotes, fit for a message. Returns `out` or a constant.
 */
static const char *shown(const char *at, char out[SHOWN_MAX + 6]) {
  size_t length = strcspn(at, SPACE), kept = length;
  if (length == 0)
    return "the end";
  if (length > SHOWN_MAX) {
    kept = SHOWN_MAX;
    while (kept > 0 && ((unsigned char)at[kept] & 0xc0) == 0x80)
      kept--; /* keep UTF-8 characters whole */
  }
  out[0] = '"';
  for (size_t i = 0; i < kept; i++)
    out[1 + i] = iscntrl((unsigned char)at[i]) ? '?' : at[i];
  strcpy(out + 1 + kept, kept < length ? "...\"" : "\"");
  return out;
}

static struct part refuse(const struct parser *p, const char *at,
                          const char *expected) {
  char word[SHOWN_MAX + 6];
  error_set(p->error, "column %zu: expected %s, found %s", column(p, at),
            expected, shown(at, word));
  return nothing;
}

static struct part out_of_memory(const struct parser *p) {
  error_set(p->error, "out of memory");
  return nothing;
}

static bool word_is(const char *word, size_t length, const char *name) {
  return strlen(name) == length && memcmp(word, name, length) == 0;
}

static enum token token_of(const char *word, size_t length) {
  static const struct {
    const char *name;
    int token;
  } table[] = {
      {"(", TOKEN_OPEN},
      {")", TOKEN_CLOSE},
      {"!", TOKEN_NOT},
      {"not", TOKEN_NOT},
      {"&", TOKEN_AND},
      {"&&", TOKEN_AND},
      {"and", TOKEN_AND},
      {"|", TOKEN_OR},
      {"||", TOKEN_OR},
      {"or", TOKEN_OR},
      {"=", TOKEN_RELATION + RELATION_EQ},
      {"==", TOKEN_RELATION + RELATION_EQ},
      {"eq", TOKEN_RELATION + RELATION_EQ},
      {"!=", TOKEN_RELATION + RELATION_NE},
      {"ne", TOKEN_RELATION + RELATION_NE},
      {"neq", TOKEN_RELATION + RELATION_NE},
      {">=", TOKEN_RELATION + RELATION_GE},
      {"ge", TOKEN_RELATION + RELATION_GE},
      {"geq", TOKEN_RELATION + RELATION_GE},
      {"<=", TOKEN_RELATION + RELATION_LE},
      {"le", TOKEN_RELATION + RELATION_LE},
      {"leq", TOKEN_RELATION + RELATION_LE},
      {">", TOKEN_RELATION + RELATION_GT},
      {"gt", TOKEN_RELATION + RELATION_GT},
      {"<", TOKEN_RELATION + RELATION_LT},
      {"lt", TOKEN_RELATION + RELATION_LT},
  };
  if (length == 0)
    return TOKEN_END;
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
    if (word_is(word, length, table[i].name))
      return (enum token)table[i].token;
  return TOKEN_WORD;
}

static enum token next(struct parser *p) {
  p->start = p->at + strspn(p->at, SPACE);
  size_t length = strcspn(p->start, SPACE SPECIAL);
  if (length == 0 && *p->start != '\0') {
    /* Operators have one or two characters; the longer one wins. */
    length = token_of(p->start, 2) != TOKEN_WORD ? 2 : 1;
  }
  p->at = p->start + length;
  return token_of(p->start, length);
}

/* --- conditions ----------------------------------------------------------- */

enum value {
  VALUE_PLAIN, /* ends before any operator */
  VALUE_NAME,  /* ends before a space or a ")" without a "(" in the value; "\"
                  quotes the next character, as for ss */
  VALUE_NONE,
};

/* A new condition needs a row here, and its lines in the manual page. */
static const struct condition {
  const char *name;
  enum selector_op op;
  enum value value;
  bool ordered; /* accepts >= <= > <, too */
  condition_fn *make;
  const char *expected; /* if there is no value */
} condition_table[] = {
    {"src", SELECTOR_LOCAL_ADDRESS, VALUE_PLAIN, false, condition_host,
     "an address"},
    {"dst", SELECTOR_REMOTE_ADDRESS, VALUE_PLAIN, false, condition_host,
     "an address"},
    {"sport", SELECTOR_LOCAL_PORT, VALUE_PLAIN, true, condition_port, "a port"},
    {"dport", SELECTOR_REMOTE_PORT, VALUE_PLAIN, true, condition_port,
     "a port"},
    {"dev", SELECTOR_INTERFACE, VALUE_NAME, false, condition_device,
     "a network device"},
    {"fwmark", SELECTOR_MARK, VALUE_PLAIN, false, condition_mark, "a mark"},
    {"cgroup", SELECTOR_CGROUP, VALUE_NAME, false, condition_cgroup,
     "the path of a control group"},
    {"autobound", SELECTOR_LOCAL_PORT, VALUE_NONE, false, condition_autobound,
     NULL},
};
enum { CONDITION_COUNT = sizeof(condition_table) / sizeof(condition_table[0]) };

/* Copies the value at p->at to `out`, which has room for the rest of the text,
 * and moves p->at behind it. */
static void take_value(struct parser *p, enum value kind, char *out) {
  unsigned open = 0;
  p->start = p->at + strspn(p->at, SPACE);
  p->at = p->start;
  if (kind == VALUE_PLAIN) {
    p->at += strcspn(p->start, SPACE SPECIAL);
    memcpy(out, p->start, (size_t)(p->at - p->start));
    out += p->at - p->start;
  }
  for (; kind == VALUE_NAME && *p->at != '\0'; p->at++) {
    if (strchr(SPACE, *p->at) != NULL || (*p->at == ')' && open == 0))
      break;
    open += *p->at == '(';
    open -= *p->at == ')';
    if (*p->at == '\\' && *++p->at == '\0')
      break;
    *out++ = *p->at;
  }
  *out = '\0';
}

static struct part read_value(struct parser *p, const struct condition *c,
                              enum relation relation) {
  char *value = malloc(strlen(p->at) + 1);
  if (value == NULL)
    return out_of_memory(p);
  take_value(p, c->value, value);
  struct condition_problem problem = {.expected = c->expected};
  struct part part = {.levels = 3}; /* not (address and port) */
  if (c->value == VALUE_NONE || p->at > p->start)
    part.selector = c->make(c->op, relation, value, &problem);
  free(value);
  if (part.selector != NULL)
    return part;
  return problem.expected == NULL
             ? out_of_memory(p)
             : refuse(p, p->start + problem.at, problem.expected);
}

static struct part refuse_name(const struct parser *p) {
  char expected[256];
  size_t at = 0;
  for (size_t i = 0; i < CONDITION_COUNT && at < sizeof(expected); i++)
    at += (size_t)snprintf(expected + at, sizeof(expected) - at, "%s, ",
                           condition_table[i].name);
  if (at < sizeof(expected))
    snprintf(expected + at, sizeof(expected) - at, "not or (");
  return refuse(p, p->start, expected);
}

/* The condition's name is the current token. */
static struct part read_condition(struct parser *p) {
  const struct condition *c = condition_table;
  while (c < condition_table + CONDITION_COUNT &&
         !word_is(p->start, (size_t)(p->at - p->start), c->name))
    c++;
  if (c == condition_table + CONDITION_COUNT)
    return refuse_name(p);
  if (c->value == VALUE_NONE)
    return read_value(p, c, RELATION_EQ);

  struct parser before = *p;
  enum token token = next(p);
  if (token < TOKEN_RELATION || token >= TOKEN_WORD) {
    *p = before;
    return read_value(p, c, RELATION_EQ);
  }
  enum relation relation = (enum relation)(token - TOKEN_RELATION);
  if (relation > RELATION_NE && !c->ordered)
    return refuse(p, p->start, "= or !=");
  return read_value(p, c, relation);
}

/* --- expressions ---------------------------------------------------------- */

/* Adds the list of `from` to that of `to`, a node of the same kind. */
static int list_append(struct selector *to, const struct selector *from) {
  int status = 0;
  for (size_t i = 0; i < from->count && status == 0; i++)
    switch (selector_table[from->op].list) {
    case SELECTOR_PORTS:
      status = selector_add_port(to, from->port[i]);
      break;
    case SELECTOR_PREFIXES:
      status = selector_add_prefix(to, from->prefix[i]);
      break;
    case SELECTOR_VALUES:
      status = selector_add_value(to, from->value[i]);
      break;
    case SELECTOR_CHILDREN:
    case SELECTOR_NO_LIST:
      break;
    }
  return status;
}

/* A name that is followed needs a list of its own. */
static bool list_joins(const struct selector *to, const struct selector *node) {
  return to->op == node->op && to->name == NULL && node->name == NULL;
}

/* The node of `to` (itself, or a child of OR) whose list can take up that of
 * `node`, so that hundreds of alternatives become one list; or NULL. */
static struct selector *list_find(struct selector *to,
                                  const struct selector *node) {
  if (selector_table[node->op].list == SELECTOR_CHILDREN)
    return NULL;
  if (list_joins(to, node))
    return to;
  for (size_t i = 0; to->op == SELECTOR_OR && i < to->count; i++)
    if (list_joins(to->child[i], node))
      return to->child[i];
  return NULL;
}

/* Combines both parts, and owns them. `at`: where the right one begins. */
static struct part join(const struct parser *p, const char *at,
                        enum selector_op op, struct part left,
                        struct part right) {
  struct selector *list =
      op == SELECTOR_OR ? list_find(left.selector, right.selector) : NULL;
  int status;
  if (list != NULL) {
    status = list_append(list, right.selector);
    selector_free(right.selector);
  } else {
    if (left.selector->op != op) {
      left.selector = selector_wrap(op, left.selector);
      left.levels++;
    }
    if (left.levels <= right.levels)
      left.levels = right.levels + 1;
    status = -1;
    if (left.selector != NULL)
      status = selector_add_child(left.selector, right.selector);
    else
      selector_free(right.selector);
  }
  if (status == 0 && left.levels <= DEPTH_MAX)
    return left;
  selector_free(left.selector);
  return status != 0 ? out_of_memory(p) : refuse(p, at, DEPTH_EXPECTED);
}

static struct part read_term(struct parser *p);

static struct part read_list(struct parser *p) {
  struct part left = read_term(p);
  while (left.selector != NULL) {
    struct parser before = *p;
    enum token token = next(p);
    const char *at = p->start;
    if (token != TOKEN_AND && token != TOKEN_OR)
      *p = before;
    if (token == TOKEN_END || token == TOKEN_CLOSE)
      break;
    struct part right = read_term(p);
    if (right.selector == NULL) {
      selector_free(left.selector);
      return nothing;
    }
    left = join(p, at, token == TOKEN_OR ? SELECTOR_OR : SELECTOR_AND, left,
                right);
  }
  return left;
}

static struct part read_parentheses(struct parser *p) {
  struct part part = read_list(p);
  if (part.selector == NULL || next(p) == TOKEN_CLOSE)
    return part;
  selector_free(part.selector);
  return refuse(p, p->start, "another condition or )");
}

static struct part read_not(struct parser *p) {
  const char *at = p->start;
  struct part part = read_term(p);
  if (part.selector == NULL)
    return nothing;
  part.selector = selector_wrap(SELECTOR_NOT, part.selector);
  if (part.selector == NULL)
    return out_of_memory(p);
  if (++part.levels <= DEPTH_MAX)
    return part;
  selector_free(part.selector);
  return refuse(p, at, DEPTH_EXPECTED);
}

static struct part read_term(struct parser *p) {
  enum token token = next(p);
  if (token != TOKEN_OPEN && token != TOKEN_NOT)
    return read_condition(p);
  if (p->open == DEPTH_MAX)
    return refuse(p, p->start, DEPTH_EXPECTED);
  p->open++;
  struct part part = token == TOKEN_NOT ? read_not(p) : read_parentheses(p);
  p->open--;
  return part;
}

struct selector *expression_parse(const char *text, struct error *error) {
  struct parser p = {.text = text, .at = text, .error = error};
  if (strnlen(text, LENGTH_MAX + 1) > LENGTH_MAX) {
    refuse(&p, text + LENGTH_MAX, "the end after 65535 characters");
    return NULL;
  }
  struct part part = read_list(&p);
  if (part.selector == NULL || next(&p) == TOKEN_END)
    return part.selector;
  selector_free(part.selector);
  refuse(&p, p.start, "another condition or the end");
  return NULL;
}
