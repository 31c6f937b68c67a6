/* Reads the values of Metric and Histogram, which are names of metrics and of
 * their statistics. The functions return as config_option_read(). */
#ifndef TCPINFO_COLLECTD_CONFIG_METRIC_H
#define TCPINFO_COLLECTD_CONFIG_METRIC_H

#include "collectd/config_walk.h"

/* Adds a metric, or a statistic of the metric before it in the same line. */
int config_metric_read(struct config_walk *w, const oconfig_value_t *v);

/* Adds a distribution's histogram. */
int config_metric_read_histogram(struct config_walk *w,
                                 const oconfig_value_t *v);

#endif
