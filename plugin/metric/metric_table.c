/* The metric table: the rows of metric_rows.h with the getters of their kinds.
 * The only file that knows both the table and all functions that read values.
 */
#include "metric/accumulator.h"
#include "metric/metric.h"
#include "metric/plan.h"
#include "metric/socket_value.h"

/* --- Histograms ----------------------------------------------------------- */

#define HISTOGRAM(edges)                                                       \
  { .edge = edges, .count = sizeof(edges) / sizeof((edges)[0]) }

/* Microseconds; 1, 2, 5 a decade. */
static const uint64_t time_edges[] = {
    100,   200,    500,    1000,   2000,    5000,    10000,   20000,
    50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000};
static const struct histogram times = HISTOGRAM(time_edges);

static const uint64_t count_edges[] = {0,   1,   2,   5,    10,   20,   50,
                                       100, 200, 500, 1000, 2000, 5000, 10000};
static const struct histogram counts = HISTOGRAM(count_edges);

/* Four times a step. */
static const uint64_t byte_edges[] = {
    0,         1024,       4096,       16384,      65536,
    262144,    1048576,    4194304,    16777216,   67108864,
    268435456, 1073741824, 4294967296, 17179869184};
static const struct histogram bytes = HISTOGRAM(byte_edges);

/* Hundredths of a percent. */
static const uint64_t tenth_edges[] = {0,    1000, 2000, 3000, 4000, 5000,
                                       6000, 7000, 8000, 9000, 10000};
static const struct histogram tenths = HISTOGRAM(tenth_edges);

/* Parts of 1024, as DCTCP's alpha is. */
static const uint64_t eighth_edges[] = {0,   128, 256, 384, 512,
                                        640, 768, 896, 1024};
static const struct histogram eighths = HISTOGRAM(eighth_edges);

/* --- Columns of each kind ------------------------------------------------- */

/* Statistics of default metrics. */
static const struct statistic p50 = {STATISTIC_PERCENTILE, 500};
static const struct statistic p95 = {STATISTIC_PERCENTILE, 950};

/* Scales. */
#define SECONDS 1e-6 /* from microseconds */
#define US 1e-3      /* milliseconds from microseconds */
#define MS 1         /* milliseconds from milliseconds */

/* The getter of a distribution whose value is its field as the kernel sends
 * the field. */
#define AS_SENT NULL

#define NO_FIELD METRIC_NO_FIELD

/* The first field of struct tcp_info, for values of the message's header that
 * count only for sockets with a tcp_info. */
#define ANY_INFO FIELD_CA_STATE

/* Arguments: NAME, TYPE of types.db, UNIT, ASKS, FIELD, getter, other columns
 * of the kind, HELP; see struct metric. */

#define GAUGE(NAME, UNIT, ASKS, FIELD, GET, HELP)                              \
  .name = NAME, .kind = METRIC_KIND_GAUGE, .type = "count", .unit = UNIT,      \
  .help = HELP, .asks = ASKS, .field = FIELD, .gauge = GET

#define SOCKETS(NAME, ASKS, FIELD, HOLDS, HELP)                                \
  .name = NAME, .kind = METRIC_KIND_SOCKETS, .type = "count",                  \
  .unit = "sockets", .help = HELP, .asks = ASKS, .field = FIELD,               \
  .holds = HOLDS

#define SET(NAME, TYPE, ASKS, FIELD, CODES, COUNT, CODE_NAME, HELP)            \
  .name = NAME, .kind = METRIC_KIND_SET, .type = TYPE, .unit = "sockets",      \
  .help = HELP, .asks = ASKS, .field = FIELD, .codes = CODES,                  \
  .code_count = COUNT, .code_name = CODE_NAME

#define LIFE(NAME, GET, HELP)                                                  \
  .name = NAME, .kind = METRIC_KIND_LIFE, .type = "total_connections",         \
  .unit = "connections", .help = HELP, .field = NO_FIELD, .life = GET

#define DISTRIBUTION(NAME, TYPE, UNIT, ASKS, FIELD, VALUE, SCALE, POPULATION,  \
                     HISTOGRAM_EDGES, HELP)                                    \
  .name = NAME, .kind = METRIC_KIND_DISTRIBUTION, .type = TYPE, .unit = UNIT,  \
  .help = HELP, .asks = ASKS, .field = FIELD, .value = VALUE, .scale = SCALE,  \
  .population = POPULATION, .histogram = &HISTOGRAM_EDGES

#define LATENCY_BY(NAME, FIELD, VALUE, HELP)                                   \
  DISTRIBUTION(NAME, "latency", "s", ASK_INFO, FIELD, VALUE, SECONDS,          \
               METRIC_OF_ACTIVE, times, HELP)
#define LATENCY(NAME, FIELD, HELP) LATENCY_BY(NAME, FIELD, AS_SENT, HELP)
#define SEGMENTS(NAME, FIELD, HELP)                                            \
  DISTRIBUTION(NAME, "count", "segments", ASK_INFO, FIELD, AS_SENT, 1,         \
               METRIC_OF_CONNECTIONS, counts, HELP)
#define BYTES_BY(NAME, FIELD, VALUE, HELP)                                     \
  DISTRIBUTION(NAME, "bytes", "bytes", ASK_INFO, FIELD, VALUE, 1,              \
               METRIC_OF_CONNECTIONS, bytes, HELP)
#define BYTES(NAME, FIELD, HELP) BYTES_BY(NAME, FIELD, AS_SENT, HELP)
#define RATE(NAME, ASKS, FIELD, VALUE, HELP)                                   \
  DISTRIBUTION(NAME, "bytes", "bytes/s", ASKS, FIELD, VALUE, 1,                \
               METRIC_OF_CONNECTIONS, bytes, HELP)
#define MEMORY(NAME, FIELD, HELP)                                              \
  DISTRIBUTION(NAME, "memory", "bytes", ASK_INFO | ASK_SKMEM, FIELD, AS_SENT,  \
               1, METRIC_OF_CONNECTIONS, bytes, HELP)
#define LISTENER(NAME, TYPE, UNIT, VALUE, SCALE, HISTOGRAM_EDGES, HELP)        \
  DISTRIBUTION(NAME, TYPE, UNIT, ASK_LISTENERS, NO_FIELD, VALUE, SCALE,        \
               METRIC_OF_LISTENERS, HISTOGRAM_EDGES, HELP)

#define COUNTER(NAME, TYPE, UNIT, ASKS, FIELD, SCALE, HELP)                    \
  .name = NAME, .kind = METRIC_KIND_COUNTER, .type = TYPE, .unit = UNIT,       \
  .help = HELP, .asks = ASKS, .field = FIELD, .scale = SCALE

#define TOTAL_BYTES(NAME, FIELD, HELP)                                         \
  COUNTER(NAME, "total_bytes", "bytes", ASK_INFO, FIELD, 1, HELP)
#define PACKETS(NAME, ASKS, FIELD, HELP)                                       \
  COUNTER(NAME, "packets", "segments", ASKS, FIELD, 1, HELP)
#define EVENTS(NAME, FIELD, HELP)                                              \
  COUNTER(NAME, "total_events", "events", ASK_INFO, FIELD, 1, HELP)
#define TIME(NAME, FIELD, SCALE, HELP)                                         \
  COUNTER(NAME, "total_time_in_ms", "ms", ASK_INFO, FIELD, SCALE, HELP)

#define PERCENT(NAME, PART, WHOLE, HELP)                                       \
  .name = NAME, .kind = METRIC_KIND_PERCENT, .type = "percent", .unit = "%",   \
  .help = HELP, .asks = ASK_INFO, .field = PART, .whole = WHOLE

#define SHARES(NAME, FIELD, GET, SHARE_NAME, HELP)                             \
  .name = NAME, .kind = METRIC_KIND_LIMITED, .type = "percent", .unit = "%",   \
  .help = HELP, .asks = ASK_INFO, .field = FIELD, .shares = GET,               \
  .share_name = SHARE_NAME

/* --- The table ------------------------------------------------------------ */

#define METRIC(id, ...) [METRIC_##id] = {__VA_ARGS__},
const struct metric metric_table[METRIC_COUNT] = {
#include "metric/metric_rows.h"
};
