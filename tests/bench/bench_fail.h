/* How a program of a benchmark ends early. */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

/* Says what failed, and why by errno. */
_Noreturn void bench_fail(const char *what);

#endif
