/* Ends a program of the benchmarks after an error. */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

/* Prints `failed` and the text of errno to stderr and exits with 1. */
_Noreturn void bench_fail(const char *failed);

#endif
