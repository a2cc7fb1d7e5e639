/* Threads that take tasks from a common counter.
 *
 * A thread that the system has preempted delays one task, and not a share of the work fixed in advance. That
 * keeps decoding usable on a machine that is busy with other things. Between steps the threads spin for a
 * moment and then sleep.
 */
#include "pool.h"

#include <stdatomic.h>

#include "threads.h"

/* About 100 microseconds: longer than Python takes between two steps, shorter than anyone would notice. */
#define SPINS 4000
#define COUNT_BITS 24
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

struct Pool {
    int32_t threads;
    Thread *workers;
    /* round | number of tasks | next task: one word, so that whoever takes a task knows that it is one. */
    _Alignas(64) atomic_uint_fast64_t state;
    _Alignas(64) atomic_int done;
    /* Written before `state` announces a round, read only by those who took a task of that round. */
    _Alignas(64) void (*work)(void *, int32_t);
    void *context;
    atomic_int sleepers;
    atomic_bool closing;
    Lock lock;
    Condition wake;
};

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int is_idle(uint64_t state) { return (state & COUNT_MASK) >= ((state >> COUNT_BITS) & COUNT_MASK); }

/* Take tasks until none is left. */
static void help(Pool *pool) {
    while (!is_idle(atomic_load_explicit(&pool->state, memory_order_acquire))) {
        uint64_t taken = atomic_fetch_add_explicit(&pool->state, 1, memory_order_acq_rel);
        if (is_idle(taken)) return;
        pool->work(pool->context, (int32_t)(taken & COUNT_MASK));
        atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
    }
}

static void sleep_until_work(Pool *pool) {
    lock_take(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (is_idle(atomic_load(&pool->state)) && !atomic_load(&pool->closing))
        condition_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    lock_release(&pool->lock);
}

static THREAD_RESULT worker(void *argument) {
    Pool *pool = argument;
    while (!atomic_load(&pool->closing)) {
        int spins = SPINS;
        while (is_idle(atomic_load_explicit(&pool->state, memory_order_relaxed)) && --spins) relax();
        if (spins == 0) sleep_until_work(pool);
        help(pool);
    }
    return 0;
}

static void wake_sleepers(Pool *pool) {
    if (atomic_load(&pool->sleepers) == 0) return;
    lock_take(&pool->lock);
    condition_wake_all(&pool->wake);
    lock_release(&pool->lock);
}

void pool_run(Pool *pool, void (*work)(void *, int32_t), void *context, int32_t tasks) {
    if (tasks <= 1 || pool->threads == 1) {
        for (int32_t i = 0; i < tasks; i++) work(context, i);
        return;
    }
    pool->work = work;
    pool->context = context;
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    uint64_t round = (atomic_load_explicit(&pool->state, memory_order_relaxed) >> (2 * COUNT_BITS)) + 1;
    uint64_t state = (round << (2 * COUNT_BITS)) | ((uint64_t)tasks << COUNT_BITS);
    atomic_store(&pool->state, state);
    wake_sleepers(pool);
    help(pool);
    for (int waits = 0; atomic_load_explicit(&pool->done, memory_order_acquire) < tasks; waits++)
        waits < SPINS ? relax() : thread_yield();
}

Pool *pool_open(int32_t threads) {
    Pool *pool = aligned_new(64, sizeof *pool);
    if (pool == NULL) return NULL;
    *pool = (Pool){.threads = 1};
    lock_init(&pool->lock);
    condition_init(&pool->wake);
    pool->workers = calloc((size_t)(threads > 1 ? threads - 1 : 1), sizeof *pool->workers);
    /* With fewer threads than requested, the pool is slower but works. */
    while (pool->workers && pool->threads < threads &&
           thread_start(&pool->workers[pool->threads - 1], worker, pool))
        pool->threads++;
    return pool;
}

void pool_close(Pool *pool) {
    atomic_store(&pool->closing, 1);
    lock_take(&pool->lock);
    condition_wake_all(&pool->wake);
    lock_release(&pool->lock);
    for (int32_t i = 0; i + 1 < pool->threads; i++) thread_join(pool->workers[i]);
    condition_destroy(&pool->wake);
    lock_destroy(&pool->lock);
    free(pool->workers);
    aligned_delete(pool);
}
