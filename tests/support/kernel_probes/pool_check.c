/* Exercises the thread pool; a sanitizer watches. Prints what it ran and exits 0 where every sum was right.
 *
 * Usage: pool_check ROUNDS
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pool.h"

#define MOST_TASKS 300

typedef struct {
    const int32_t *input;
    int64_t output[MOST_TASKS];
    int32_t last;
} Round;

/* What the threads read and write needs no atomics: the pool alone orders it. */
static void square(void *context, int32_t task) {
    Round *round = context;
    round->output[task] = (int64_t)round->input[task] * round->input[task];
}

#ifdef RACE
/* A race between two tasks, which no order of the threads hides: each waits for the other to be taken. */
static void race(void *context, int32_t task) {
    static atomic_int taken;
    atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
    while (atomic_load_explicit(&taken, memory_order_relaxed) < 2) sched_yield();
    ((Round *)context)->last = task;
}

static void run_race(void) {
    Round round = {0};
    Pool *pool = pool_open(2);
    pool_run(pool, race, &round, 2);
    pool_close(pool);
}
#endif

static int check_round(Pool *pool, int32_t number, int32_t tasks) {
    int32_t input[MOST_TASKS];
    Round round = {.input = input};
    for (int32_t i = 0; i < tasks; i++) input[i] = number + i;
    pool_run(pool, square, &round, tasks);
    for (int32_t i = 0; i < tasks; i++)
        if (round.output[i] != (int64_t)(number + i) * (number + i)) return 0;
    return 1;
}

/* Long enough that the threads fall asleep between rounds. */
static void pause_for_sleep(void) {
    const struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
}

static int check_pool(int32_t threads, int32_t rounds) {
    static const int32_t counts[] = {0, 1, 2, 3, 7, 64, MOST_TASKS};
    Pool *pool = pool_open(threads);
    if (pool == NULL) return 0;
    for (int32_t i = 0; i < rounds; i++) {
        if (!check_round(pool, i, counts[i % (int32_t)(sizeof counts / sizeof *counts)])) return 0;
        if (i % 50 == 0) pause_for_sleep();
    }
    pool_close(pool);
    printf("%d threads: %d rounds\n", threads, rounds);
    return 1;
}

int main(int count, char **arguments) {
    const int32_t rounds = count > 1 ? atoi(arguments[1]) : 100;
#ifdef RACE /* shows that the sanitizer would find one */
    run_race();
#endif
    for (int32_t threads = 1; threads <= 8; threads *= 2)
        if (!check_pool(threads, rounds)) return 1;
    for (int32_t i = 0; i < rounds; i++) { /* opened and closed at once, before the threads run */
        Pool *pool = pool_open(3);
        if (pool == NULL || (i % 2 && !check_round(pool, i, 5))) return 1;
        pool_close(pool);
    }
    printf("%d pools opened and closed\n", rounds);
    return 0;
}
