/* See selector_text.h. */
#include "support/selector_text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct out {
  char *text;
  size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void add(struct out *o,
                                                      const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  o->length +=
      (size_t)vsnprintf(o->text + o->length, o->size - o->length, format, ap);
  va_end(ap);
  assert_true(o->length < o->size);
}

static void add_port(struct out *o, const struct port_range *p) {
  add(o, " %u", p->low);
  if (p->high != p->low)
    add(o, "-%u", p->high);
}

static void add_prefix(struct out *o, const struct prefix *p) {
  char text[ADDRESS_TEXT_MAX];
  bool ipv4 = p->bits >= 96 && address_is_ipv4(&p->address);
  add(o, " %s", address_format(&p->address, text));
  if (p->bits != 128)
    add(o, "/%d", p->bits - (ipv4 ? 96 : 0));
}

static void add_value(struct out *o, const struct selector_value *v) {
  add(o, " %" PRIu64, v->value);
  if (v->mask != UINT64_MAX && v->mask != UINT32_MAX)
    add(o, "/%" PRIu64, v->mask);
}

static void add_selector(struct out *o, const struct selector *s) {
  add(o, "(%s", selector_table[s->op].name);
  if (s->name != NULL)
    add(o, " =%s", s->name->target);
  for (size_t i = 0; i < s->count; i++)
    if (s->child != NULL) {
      add(o, " ");
      add_selector(o, s->child[i]);
    } else if (s->port != NULL) {
      add_port(o, &s->port[i]);
    } else if (s->prefix != NULL) {
      add_prefix(o, &s->prefix[i]);
    } else {
      add_value(o, &s->value[i]);
    }
  add(o, ")");
}

char *selector_text(const struct selector *s, char *out, size_t size) {
  struct out o = {.text = out, .size = size};
  add_selector(&o, s);
  return out;
}
