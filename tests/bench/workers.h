/* Starts processes that share the load, because the number of open files of a
 * process is limited. */
#ifndef BENCH_WORKERS_H
#define BENCH_WORKERS_H

enum { WORKERS_FILES = 20000 }; /* maximum number of files of one worker */

/* Raises the limit of open files as far as allowed; returns how many files a
 * worker may open. */
unsigned workers_files(void);

/* Runs in a worker. It gets orders and sends answers over the socket `control`,
 * and returns when the other end is closed. */
typedef void workers_fn(unsigned worker, int control, void *data);

/* Starts another worker and adds its control socket to `control`, which has
 * `count` of them so far. The worker ends with its parent. */
void workers_start(int *control, unsigned count, workers_fn *work, void *data);

/* Closes the control sockets and waits until all workers have ended. */
void workers_end(const int *control, unsigned count);

#endif
