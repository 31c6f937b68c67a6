/* The clocks of the plugin: no other file reads them. */
#ifndef TCPINFO_UTIL_CLOCK_H
#define TCPINFO_UTIL_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC: time since some moment before the host's start. Never goes
 * back, not even if the wall clock is set. */
uint64_t clock_monotonic_us(void); /* microseconds */
uint64_t clock_monotonic_ms(void); /* milliseconds */

/* Sleeps until clock_monotonic_ms() returns `ms`; signals do not end it. */
void clock_sleep_until(uint64_t ms);

/* CPU time that the calling thread has used, in microseconds. */
uint64_t clock_thread_cpu_us(void);

#endif
