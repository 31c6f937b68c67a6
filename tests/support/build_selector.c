#include "support/build_selector.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct prefix build_prefix(const char *text) {
  struct prefix p;
  if (!prefix_parse(text, &p))
    fail_msg("%s is no prefix", text);
  return p;
}

struct selector *build_ports(enum selector_op op, int count, ...) {
  struct selector *s = selector_new(op);
  va_list ap;
  va_start(ap, count);
  for (int i = 0; i < count; i++) {
    uint16_t low = (uint16_t)va_arg(ap, int);
    struct port_range r = {low, (uint16_t)va_arg(ap, int)};
    assert_int_equal(selector_add_port(s, r), 0);
  }
  va_end(ap);
  return s;
}

struct selector *build_addresses(enum selector_op op, int count, ...) {
  struct selector *s = selector_new(op);
  va_list ap;
  va_start(ap, count);
  for (int i = 0; i < count; i++)
    assert_int_equal(
        selector_add_prefix(s, build_prefix(va_arg(ap, const char *))), 0);
  va_end(ap);
  return s;
}

struct selector *build_values(enum selector_op op, int count, ...) {
  struct selector *s = selector_new(op);
  va_list ap;
  va_start(ap, count);
  for (int i = 0; i < count; i++) {
    struct selector_value v = {va_arg(ap, unsigned), UINT64_MAX};
    assert_int_equal(selector_add_value(s, v), 0);
  }
  va_end(ap);
  return s;
}

struct selector *build_tree(enum selector_op op, int count, ...) {
  struct selector *s = selector_new(op);
  va_list ap;
  va_start(ap, count);
  for (int i = 0; i < count; i++)
    assert_int_equal(selector_add_child(s, va_arg(ap, struct selector *)), 0);
  va_end(ap);
  return s;
}
