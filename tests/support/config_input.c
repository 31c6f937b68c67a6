#include "support/config_input.h"

#include "collectd/config_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct text_out {
  char *text;
  size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct text_out *o,
                                                      const char *format, ...) {
  va_list list;
  va_start(list, format);
  int n = vsnprintf(o->text + o->length, CONFIG_INPUT_TEXT_MAX - o->length,
                    format, list);
  va_end(list);
  o->length += (size_t)n;
  if (o->length >= CONFIG_INPUT_TEXT_MAX)
    o->length = CONFIG_INPUT_TEXT_MAX - 1; /* cut: config_read() refuses it */
}

static const char *const selections[] = {
    "",
    "IgnoreLoopback true",
    "LocalPort 80 443 \"8000-8099\"",
    "RemotePort 443 50000",
    "LocalAddress \"10.0.0.0/8\" \"2001:db8::/32\"",
    "RemoteAddress \"10.0.0.1\" \"2001:db8::3\"",
    "Direction \"inbound\"",
    "Direction \"outbound\"",
    "Filter \"dst 10.0.0.0/8 and not dport = :22\"",
    "Filter \"dev lo or fwmark 0x10/0xff\"",
    "Filter \"not sport = :443\"\nFilter \"src [2001:db8::]/32\"",
    "Filter \"sport >= :1024 and dport <= :443 or not dst 10.0.0.1\"",
};

/* A few metrics or all, beginning anywhere in the table. */
static void metrics_add(struct text_out *o, struct input *in, bool by,
                        bool events) {
  static const char *const statistics[] = {"p50", "p99.9", "min",
                                           "max", "avg",   "sum"};
  unsigned first = input_byte(in), count = input_byte(in) % METRIC_COUNT;
  unsigned statistic = input_byte(in);
  add(o, "Metric connections opened closed bytes_sent\n");
  for (unsigned i = 0; i < count; i++) {
    const struct metric *m = &metric_table[(first + i) % METRIC_COUNT];
    if ((!by && strcmp(m->name, "outliers") == 0) ||
        (!events && strcmp(m->name, "failed") == 0))
      continue;
    add(o, "Metric \"%s\"\n", m->name);
    for (unsigned k = 0; m->kind == METRIC_KIND_DISTRIBUTION && k < 3; k++)
      add(o, "Metric \"%s\" \"%s\"\n", m->name,
          statistics[(statistic + i + k) % COUNT(statistics)]);
    if (m->kind == METRIC_KIND_DISTRIBUTION && (statistic + i) % 5 == 0)
      add(o, "Histogram \"%s\"\n", m->name);
  }
}

static void group_add_text(struct text_out *o, struct input *in,
                           unsigned number, bool events) {
  unsigned by = input_byte(in), limits = input_byte(in);
  unsigned worst = input_byte(in), flags = input_byte(in);
  const char *const name[2] = {
      dimension_name((enum dimension)(by % DIMENSION_COUNT)),
      dimension_name((enum dimension)(by / DIMENSION_COUNT % DIMENSION_COUNT))};
  bool has_by = (flags & 1) != 0;
  add(o, "<Group \"g%u\">\n%s\n", number,
      selections[input_byte(in) % COUNT(selections)]);
  if (has_by) {
    add(o, "By \"%s\"\n", name[0]);
    if ((flags & 2) != 0 && name[1] != name[0])
      add(o, "By \"%s\"\n", name[1]);
    add(o, "MemberTimeout %u\n", 1 + limits / 8 % 4);
    if (worst % 4 != 0)
      add(o, "Worst %u\nWorstRetrans %u %u\nWorstRtt 0.001 0.5\n", worst % 4,
          worst / 4 % 8, worst / 4 % 8 + 1);
  }
  add(o, "MaxMembers %u\n", 1 + limits % 8);
  metrics_add(o, in, has_by, events);
  add(o, "</Group>\n");
}

bool config_input_text(struct input *in, char text[CONFIG_INPUT_TEXT_MAX]) {
  static const char *const close[] = {"", "CountClosed true",
                                      "CountClosed false", "MaxCloseRate 1"};
  struct text_out o = {.text = text};
  unsigned first = input_byte(in), flags = input_byte(in);
  if (first == 0xff) {
    const uint8_t *end = memchr(in->at, 0, in->left);
    size_t length;
    const uint8_t *from = input_bytes(
        in, end != NULL ? (size_t)(end - in->at) : in->left, &length);
    input_byte(in);
    add(&o, "%.*s", (int)length, (const char *)from);
    return false;
  }
  bool events = flags / 2 % 4 != 2;
  add(&o, "<Plugin tcpinfo>\nDumpTimeout 2\n%s\n", close[flags / 2 % 4]);
  for (unsigned i = 0; i < 1 + first % 4; i++)
    group_add_text(&o, in, i, events);
  if (flags % 2 != 0)
    add(&o,
        "<Group \"" CONFIG_INPUT_GROUP "\">\n"
        "Metric connections opened closed bytes_sent %s\n</Group>\n",
        events ? "failed" : "");
  add(&o, "</Plugin>\n");
  return flags % 2 != 0;
}

int config_input_read(const oconfig_item_t *root, struct settings *s,
                      struct error *error) {
  int result = 0;
  settings_init(s);
  for (int i = 0; i < root->children_num && result == 0; i++)
    result = config_read(s, &root->children[i], error);
  if (result == 0)
    result = config_finish(s, error);
  return result;
}
