#include "config/option.h"
#include "config/dimension.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct config_option *option_find(const char *name) {
  for (size_t i = 0; i < option_count; i++)
    if (strcasecmp(option_table[i].name, name) == 0)
      return &option_table[i];
  return NULL;
}

static bool takes_minimum(enum option_type type) {
  return type != OPTION_NUMBER && type != OPTION_SEVERITY;
}

bool option_in_range(const struct config_option *o, int i, double value) {
  double minimum = o->value[i].minimum;
  return (takes_minimum(o->type) ? value >= minimum : value > minimum) &&
         value <= o->value[i].maximum;
}

void option_store(struct option_field field, void *settings, double value) {
  void *to = (char *)settings + field.offset;
  switch (field.store) {
  case OPTION_STORE_NONE:
    break;
  case OPTION_STORE_BOOL:
    *(bool *)to = value != 0;
    break;
  case OPTION_STORE_BYTE:
    *(uint8_t *)to = (uint8_t)value;
    break;
  case OPTION_STORE_UNSIGNED:
    *(unsigned *)to = (unsigned)value;
    break;
  case OPTION_STORE_DOUBLE:
    *(double *)to = value;
    break;
  }
}

double option_load(struct option_field field, const void *settings) {
  const void *from = (const char *)settings + field.offset;
  switch (field.store) {
  case OPTION_STORE_NONE:
    break;
  case OPTION_STORE_BOOL:
    return *(const bool *)from;
  case OPTION_STORE_BYTE:
    return *(const uint8_t *)from;
  case OPTION_STORE_UNSIGNED:
    return *(const unsigned *)from;
  case OPTION_STORE_DOUBLE:
    return *(const double *)from;
  }
  return 0;
}

/* --- what is legal -------------------------------------------------------- */

struct text {
  char *at;
  size_t room;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t,
                                                      const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int length = vsnprintf(t->at, t->room, format, ap);
  va_end(ap);
  size_t used = length < 0 ? 0 : (size_t)length;
  if (t->room == 0)
    return;
  if (used >= t->room)
    used = t->room - 1;
  t->at += used;
  t->room -= used;
}

static void add_dimensions(struct text *t) {
  for (int d = 0; d < DIMENSION_COUNT; d++)
    add(t, "%s\"%s\"",
        d == 0                     ? ""
        : d == DIMENSION_COUNT - 1 ? " and "
                                   : ", ",
        dimension_name((enum dimension)d));
  add(t, ", in quotes, each once");
}

const char *option_need_text(enum option_need need) {
  switch (need) {
  case OPTION_NEEDS_NOTHING:
    break;
  case OPTION_NEEDS_REMOTE_NETWORK:
    return "By \"remote-network\"";
  case OPTION_NEEDS_BY:
    return "By";
  case OPTION_NEEDS_WORST:
    return "By and Worst";
  }
  return NULL;
}

const char *option_legal(const struct config_option *o,
                         char text[OPTION_LEGAL_MAX]) {
  const struct option_value *v = o->value;
  struct text t = {text, OPTION_LEGAL_MAX};
  *text = '\0';
  switch (o->type) {
  case OPTION_COUNT:
    add(&t, "one whole number of %s from %.15g to %.15g", o->unit, v->minimum,
        v->maximum);
    break;
  case OPTION_NUMBER:
    add(&t, "one number of %s, more than %.15g, at most %.15g", o->unit,
        v->minimum, v->maximum);
    break;
  case OPTION_BOOLEAN:
    add(&t, "one true or false");
    break;
  case OPTION_SEVERITY:
    add(&t,
        "two numbers of %s, of a warning and of a failure, more than %.15g, "
        "at most %.15g, such as %.15g %.15g",
        o->unit, v->minimum, v->maximum, v[0].preset, v[1].preset);
    break;
  case OPTION_PREFIX_LENGTHS:
    add(&t,
        "a length of %.15g to %.15g for IPv4 and one of %.15g to %.15g for "
        "IPv6, such as %.15g %.15g",
        v[0].minimum, v[0].maximum, v[1].minimum, v[1].maximum, v[0].preset,
        v[1].preset);
    break;
  case OPTION_GROUP:
    add(&t,
        "one name in quotes: %.15g to %.15g letters, digits, \"_\" and \".\", "
        "no other group's and not \"self\"",
        v->minimum, v->maximum);
    break;
  case OPTION_PORTS:
    add(&t, "%.15g to %.15g, \"low-high\" or the name of a TCP service",
        v->minimum, v->maximum);
    break;
  case OPTION_DIMENSIONS:
    add_dimensions(&t);
    break;
  case OPTION_COUNT_CLOSED:
  case OPTION_PATHS:
  case OPTION_ADDRESSES:
  case OPTION_FILTER:
  case OPTION_DIRECTIONS:
  case OPTION_DISTRIBUTIONS:
  case OPTION_METRICS:
  case OPTION_TYPE_COUNT:
    add(&t, "%s", o->legal);
    break;
  }
  if (o->need != OPTION_NEEDS_NOTHING)
    add(&t, ", in a group with %s", option_need_text(o->need));
  return text;
}
