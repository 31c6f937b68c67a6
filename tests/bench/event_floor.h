/* The least that following destroy events can cost: a thread that subscribes to
 * both groups, receives one after the other and throws them away. */
#ifndef BENCH_EVENT_FLOOR_H
#define BENCH_EVENT_FLOOR_H

#include <stdint.h>
#include <sys/types.h>

/* Its thread runs until the program ends. Whatever fails ends the program. To
 * be called once. */
pid_t event_floor_start(void); /* the thread's id */

uint64_t event_floor_count(void); /* received so far */
uint64_t event_floor_lost(void);  /* dropped by the kernel so far */

#endif
