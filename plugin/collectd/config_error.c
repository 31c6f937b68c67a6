#include "collectd/config_error.h"

#include <collectd/liboconfig/oconfig.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Copies the text without control characters, and cut. Returns `out`. */
static char *text_shown(const char *text, char out[CONFIG_ERROR_SHOWN_MAX]) {
  size_t length = strlen(text), end = length;
  if (length >= CONFIG_ERROR_SHOWN_MAX) {
    end = CONFIG_ERROR_SHOWN_MAX - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
      end--; /* does not cut inside a UTF-8 character */
  }
  for (size_t i = 0; i < end; i++)
    out[i] = iscntrl((unsigned char)text[i]) ? '?' : text[i];
  strcpy(out + end, end < length ? "..." : "");
  return out;
}

static char *value_shown(const oconfig_value_t *v,
                         char out[CONFIG_ERROR_SHOWN_MAX]) {
  if (v->type == OCONFIG_TYPE_STRING)
    return text_shown(v->value.string, out);
  if (v->type == OCONFIG_TYPE_NUMBER)
    snprintf(out, CONFIG_ERROR_SHOWN_MAX, "%.15g", v->value.number);
  else
    strcpy(out, v->value.boolean ? "true" : "false");
  return out;
}

int config_error_set(struct error *error, const struct config_error *e) {
  char group[CONFIG_ERROR_SHOWN_MAX + 16] = "";
  char value[CONFIG_ERROR_SHOWN_MAX + 4] = "";
  char text[CONFIG_ERROR_SHOWN_MAX];
  if (e->group != NULL)
    snprintf(group, sizeof(group),
             "Group \"%s\": ", text_shown(e->group, text));
  if (e->value != NULL)
    snprintf(value, sizeof(value), " \"%s\"", value_shown(e->value, text));
  return error_set(error, "%s%s%s: %s; legal is %s", group,
                   text_shown(e->option, text), value, e->problem, e->legal);
}

void config_error_absent(struct error *line, const char *group,
                         const struct selector_name *name) {
  static const struct {
    const char *condition, *problem;
  } row[SELECTOR_NAME_KIND_COUNT] = {
      [SELECTOR_NAME_DEVICE] =
          {"dev ", "no such network device yet; matches nothing until there is "
                   "one; looked up at every read"},
      [SELECTOR_NAME_CGROUP] =
          {"cgroup ", "no such control group yet; matches nothing until there "
                      "is one; looked up at every read"},
      [SELECTOR_NAME_LOCAL_PORTS] =
          {"autobound", "net.ipv4.ip_local_port_range cannot be read; matches "
                        "nothing until it can; looked up at every read"},
      [SELECTOR_NAME_SERVICE] =
          {"", "services cannot be looked up now; matches nothing until the "
               "port is known; looked up every minute"},
  };
  char group_text[CONFIG_ERROR_SHOWN_MAX], text[CONFIG_ERROR_SHOWN_MAX];
  error_set(line, "Group \"%s\": %s \"%s%s\": %s",
            text_shown(group, group_text), name->option,
            row[name->kind].condition, text_shown(name->text, text),
            row[name->kind].problem);
}

enum { LENGTH_MAX = 31 };

unsigned config_error_distance(const char *a, const char *b) {
  size_t length_a = strnlen(a, LENGTH_MAX), length_b = strnlen(b, LENGTH_MAX);
  /* cost[j]: from the first i characters of `a` to the first j of `b`. */
  unsigned cost[LENGTH_MAX + 1];
  for (size_t j = 0; j <= length_b; j++)
    cost[j] = (unsigned)j;
  for (size_t i = 1; i <= length_a; i++) {
    unsigned diagonal = cost[0];
    cost[0] = (unsigned)i;
    for (size_t j = 1; j <= length_b; j++) {
      unsigned replaced = diagonal + (tolower((unsigned char)a[i - 1]) !=
                                      tolower((unsigned char)b[j - 1]));
      diagonal = cost[j];
      unsigned least = cost[j - 1] < cost[j] ? cost[j - 1] : cost[j];
      cost[j] = replaced <= least ? replaced : least + 1;
    }
  }
  return cost[length_b];
}

bool config_error_is_slip(const char *text, unsigned distance) {
  return distance <= 1 + strlen(text) / 4;
}
