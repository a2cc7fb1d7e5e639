/* Threads, locks and conditions by the system's own functions: those of POSIX, or of Windows. */
#ifndef THREADS_H
#define THREADS_H

#include <stdlib.h>

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <malloc.h>
#include <process.h>
/* A type of Windows has the name of a number format in decoder.h. */
#define INT8 INT8_OF_WINDOWS
#include <windows.h>
#undef INT8

typedef HANDLE Thread;
typedef SRWLOCK Lock;
typedef CONDITION_VARIABLE Condition;
/* What a thread runs: static THREAD_RESULT name(void *argument) { ... return 0; } */
#define THREAD_RESULT unsigned __stdcall
typedef unsigned(__stdcall *ThreadFunction)(void *);

/* Returns whether the thread runs. */
static inline int thread_start(Thread *thread, ThreadFunction function, void *argument) {
    *thread = (HANDLE)_beginthreadex(NULL, 0, function, argument, 0, NULL);
    return *thread != NULL;
}
static inline void thread_join(Thread thread) {
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}
static inline void thread_yield(void) { SwitchToThread(); }

static inline void lock_init(Lock *lock) { InitializeSRWLock(lock); }
static inline void lock_take(Lock *lock) { AcquireSRWLockExclusive(lock); }
static inline void lock_release(Lock *lock) { ReleaseSRWLockExclusive(lock); }
static inline void lock_destroy(Lock *lock) { (void)lock; }

static inline void condition_init(Condition *condition) { InitializeConditionVariable(condition); }
static inline void condition_wait(Condition *condition, Lock *lock) {
    SleepConditionVariableSRW(condition, lock, INFINITE, 0);
}
static inline void condition_wake_all(Condition *condition) { WakeAllConditionVariable(condition); }
static inline void condition_destroy(Condition *condition) { (void)condition; }

static inline void *aligned_new(size_t alignment, size_t bytes) { return _aligned_malloc(bytes, alignment); }
static inline void aligned_delete(void *memory) { _aligned_free(memory); }

#else

#include <pthread.h>
#include <sched.h>

typedef pthread_t Thread;
typedef pthread_mutex_t Lock;
typedef pthread_cond_t Condition;
/* What a thread runs: static THREAD_RESULT name(void *argument) { ... return 0; } */
#define THREAD_RESULT void *
typedef void *(*ThreadFunction)(void *);

/* Returns whether the thread runs. */
static inline int thread_start(Thread *thread, ThreadFunction function, void *argument) {
    return pthread_create(thread, NULL, function, argument) == 0;
}
static inline void thread_join(Thread thread) { pthread_join(thread, NULL); }
static inline void thread_yield(void) { sched_yield(); }

static inline void lock_init(Lock *lock) { pthread_mutex_init(lock, NULL); }
static inline void lock_take(Lock *lock) { pthread_mutex_lock(lock); }
static inline void lock_release(Lock *lock) { pthread_mutex_unlock(lock); }
static inline void lock_destroy(Lock *lock) { pthread_mutex_destroy(lock); }

static inline void condition_init(Condition *condition) { pthread_cond_init(condition, NULL); }
static inline void condition_wait(Condition *condition, Lock *lock) { pthread_cond_wait(condition, lock); }
static inline void condition_wake_all(Condition *condition) { pthread_cond_broadcast(condition); }
static inline void condition_destroy(Condition *condition) { pthread_cond_destroy(condition); }

static inline void *aligned_new(size_t alignment, size_t bytes) {
    void *memory = NULL;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
}
static inline void aligned_delete(void *memory) { free(memory); }

#endif

#endif
