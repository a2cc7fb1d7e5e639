#ifndef POOL_H
#define POOL_H

#include "decoder.h"

/* Call work(context, i) for every i below `tasks`, on all threads of the pool; returns when all are done. */
void pool_run(Pool *pool, void (*work)(void *context, int32_t task), void *context, int32_t tasks);

#endif
