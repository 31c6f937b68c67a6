/* The floor of receiving destroy events, the cost that no program can avoid: a
 * thread subscribes to the groups of both families, receives the events one by
 * one and drops them. */
#ifndef BENCH_EVENT_FLOOR_H
#define BENCH_EVENT_FLOOR_H

#include <stdint.h>
#include <sys/types.h>

/* Starts the thread and returns its id. May be called once. The thread runs
 * until the program ends; an error ends the program with a message. */
pid_t event_floor_start(void);

uint64_t event_floor_count(void); /* received so far */
uint64_t event_floor_lost(void);  /* dropped by the kernel so far */

#endif
