/* The table of metrics: for each metric its name, kind, type, unit and help,
 * the function that reads its value, and its part in the default configuration.
 *
 * A metric is added by one row in metric_rows.h. The option Metric is checked
 * against this table, plans and accumulators are laid out by it, and the manual
 * page is tested against it. This file must not know how accumulators are made:
 * it only declares the types of the functions that read them. */
#ifndef TCPINFO_METRIC_METRIC_H
#define TCPINFO_METRIC_METRIC_H

#include "tcp/tcp_info.h"

struct accumulator;
struct plan;
struct sample;

/* An enumerator METRIC_ID for each row of metric_rows.h, in the order of its
 * rows. */
#define METRIC(id, ...) METRIC_##id,
enum metric_id {
#include "metric/metric_rows.h"
  METRIC_COUNT
};
#undef METRIC

enum metric_kind {
  METRIC_KIND_GAUGE,        /* one number per dump */
  METRIC_KIND_SOCKETS,      /* number of sockets for which a condition holds */
  METRIC_KIND_SET,          /* number of sockets for each of several codes */
  METRIC_KIND_DISTRIBUTION, /* statistics over the sockets */
  METRIC_KIND_LIFE,         /* connections opened, closed, failed: only grows */
  METRIC_KIND_COUNTER,      /* sum of the sockets' growth: only grows */
  METRIC_KIND_PERCENT,      /* growth of one counter in percent of another's */
  METRIC_KIND_LIMITED,      /* shares of the sockets' time in the interval */
};

/* Requests to the kernel beside the list of connections; bits of a set. */
enum metric_ask {
  ASK_INFO = 1,           /* struct tcp_info */
  ASK_SKMEM = 2,          /* the socket's memory */
  ASK_ALGORITHM_INFO = 4, /* struct tcp_bbr_info, struct tcp_dctcp_info */
  ASK_CONGESTION = 8,     /* the congestion control algorithm's name */
  ASK_LISTENERS = 16,     /* listening sockets */
  ASK_ALL_STATES = 32,    /* sockets in states without traffic */
};

/* Sockets that a distribution is made of. */
enum metric_population {
  METRIC_OF_CONNECTIONS,
  METRIC_OF_ACTIVE, /* connections that received an ACK since the last read */
  METRIC_OF_LISTENERS,
  METRIC_POPULATION_COUNT,
};

enum statistic_kind {
  STATISTIC_MIN,
  STATISTIC_MAX,
  STATISTIC_AVG,
  STATISTIC_SUM,
  STATISTIC_PERCENTILE,
  STATISTIC_HISTOGRAM, /* by the option Histogram only */
};

struct statistic {
  enum statistic_kind kind;
  uint16_t permille; /* a percentile's: 10 (p1) to 999 (p99.9) */
};

/* Upper edges of a histogram's buckets, ascending, in the unit of the value
 * that the kernel sends; one more bucket takes the values above all edges. The
 * edges are fixed, so that buckets of several hosts may be added. */
struct histogram {
  const uint64_t *edge;
  size_t count;
};

/* --- Getters -------------------------------------------------------------- */

/* GAUGE: stores the number. False: not known in this dump, nothing is
 * dispatched. */
typedef bool metric_gauge_fn(const struct accumulator *a, double *out);

/* SOCKETS: true if the condition holds for the connection. */
typedef bool metric_condition_fn(const struct sample *s);

/* SET: the socket's codes as bits: bit n stands for code n. May give a name of
 * the sample a number in the plan. */
typedef uint64_t metric_codes_fn(struct plan *plan, const struct sample *s);

/* SET: the name of a code, borrowed from the plan or static. NULL: a code
 * without a name, which is not dispatched. */
typedef const char *metric_code_name_fn(const struct plan *plan, size_t code);

/* DISTRIBUTION: stores the socket's value, in the unit that `scale` starts
 * from. False: the socket has no such value; `out` then means nothing. */
typedef bool metric_value_fn(const struct sample *s, uint64_t *out);

/* LIFE: a count of connections since the accumulator was made. */
typedef uint64_t metric_life_fn(const struct accumulator *a);

/* LIMITED: stores METRIC_SHARES percentages, which add up to 100. False: no
 * time was observed. */
enum { METRIC_SHARES = 4 };
typedef bool metric_shares_fn(const struct accumulator *a,
                              double percent[METRIC_SHARES]);

/* --- The table ------------------------------------------------------------ */

/* Value of `field` in a row that depends on no field of the kernel's blocks. */
#define METRIC_NO_FIELD FIELD_COUNT

/* A row. Below the columns that every kind has stand the getters: each row has
 * the getter of its kind and no other. tests/metric/test_metric_table.c checks
 * all rows. Texts are static. */
struct metric {
  const char *name; /* argument of Metric; start of the type instance */
  enum metric_kind kind;
  const char *type; /* a type of collectd's own types.db */
  const char *unit; /* the dispatched value's */
  const char *help; /* one line for people */
  unsigned asks;    /* set of enum metric_ask */

  /* If the kernel's struct tcp_info does not hold this field, the metric is not
   * dispatched. For some kinds the field is the getter as well, see below. */
  enum field_id field;

  /* Reported by a group without the option Metric; a distribution with this
   * statistic, or, if NULL, with those that metric_list_complete() gives. */
  bool is_default;
  const struct statistic *default_statistic;

  /* GAUGE */
  metric_gauge_fn *gauge;

  /* SOCKETS */
  metric_condition_fn *holds;

  /* SET: codes from 0 to code_count - 1, at most 64. The type instance is
   * "NAME-CODE", or "CODE" if code_name_alone. If `asks` has ASK_ALL_STATES,
   * sockets in states without traffic count too. */
  metric_codes_fn *codes;
  metric_code_name_fn *code_name;
  size_t code_count;
  bool code_name_alone;

  /* DISTRIBUTION: the getter is `value`, or, if NULL, `field` as the kernel
   * sends it. */
  metric_value_fn *value;
  enum metric_population population;
  const struct histogram *histogram;

  /* LIFE */
  metric_life_fn *life;

  /* COUNTER: the getter is the growth of `field`.
   * PERCENT: the growth of `field` in percent of the growth of `whole`. */
  enum field_id whole;

  /* DISTRIBUTION, COUNTER: dispatched value = getter's value x scale. */
  double scale;

  /* LIMITED: `share_name` has METRIC_SHARES texts; the type instances are
   * "NAME-SHARE". */
  metric_shares_fn *shares;
  const char *const *share_name;
};

extern const struct metric metric_table[METRIC_COUNT];

/* Returns the id of the metric of that name, or -1. */
int metric_find(const char *name);

/* True if a tcp_info of `info_size` bytes holds the metric's field, or if the
 * metric needs no field of tcp_info. */
bool metric_is_sent(const struct metric *m, size_t info_size);

/* --- Statistics of distributions ------------------------------------------ */

enum { STATISTIC_TEXT_MAX = 10 }; /* "histogram" with the final NUL */

/* Parses "min", "max", "avg", "sum", "p50", "p99.9": percentiles from p1 to
 * p99.9, with at most one decimal. False: not of that form; `out` is then left
 * as it was. */
bool statistic_parse(const char *text, struct statistic *out);

/* Writes the text that statistic_parse() reads ("p50.0" becomes "p50"). Returns
 * `text`, which has room for STATISTIC_TEXT_MAX characters. */
char *statistic_format(struct statistic s, char *text);

/* --- Lists of metrics that a group reports -------------------------------- */

struct metric_choice {
  enum metric_id id;
  size_t statistic_count; /* 0 unless a distribution */
  struct statistic *statistic;
};

/* Zeroed is an empty list. The list owns its memory. */
struct metric_list {
  size_t count;
  struct metric_choice *choice; /* no metric twice; in the order of dispatch */
};

/* Adds the metric unless the list has it; then the statistic, if not NULL,
 * unless the metric has it. Returns 0, or -1 if memory ran out. */
int metric_list_add(struct metric_list *list, enum metric_id id,
                    const struct statistic *statistic);

/* Gives p50, p95 and max to each distribution without a statistic. Returns 0,
 * or -1 if memory ran out. */
int metric_list_complete(struct metric_list *list);

/* Adds the table's default metrics, in the order of the table, with their
 * statistics. Returns 0, or -1 if memory ran out. */
int metric_list_default(struct metric_list *list);

/* Adds all of `from` to `to`. Returns 0, or -1 if memory ran out. */
int metric_list_copy(struct metric_list *to, const struct metric_list *from);

/* Frees what the list owns and empties the list. */
void metric_list_clear(struct metric_list *list);

#endif
