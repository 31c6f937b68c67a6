/* Processes that share the load out: one may only have so many open files. */
#ifndef BENCH_WORKERS_H
#define BENCH_WORKERS_H

enum { WORKERS_FILES = 20000 }; /* that one uses at most */

/* How many files one may have open, raised as far as allowed. */
unsigned workers_files(void);

/* A worker: it is told and tells by `control`, and ends where that ends. */
typedef void workers_fn(unsigned worker, int control, void *data);

/* Starts one more, beside the `count` whose other ends of their controls are in
 * `control`, and adds its own there. It ends with its parent. */
void workers_start(int *control, unsigned count, workers_fn *work, void *data);

/* Closes the controls and waits until all have ended. */
void workers_end(const int *control, unsigned count);

#endif
