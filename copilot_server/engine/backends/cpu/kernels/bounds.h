/* What the entry points check before they compute: that every size, index and array of a call fits the others. */
#ifndef BOUNDS_H
#define BOUNDS_H

#include "decoder.h"

/* What an entry point returns in place of a result; library.py has a sentence for each. */
enum {
    REFUSED_SIZE = -1,
    REFUSED_WEIGHTS = -2,
    REFUSED_CACHE = -3,
    REFUSED_ARRAY = -4,
    REFUSED_TOKEN = -5,
    REFUSED_POSITION = -6,
    REFUSED_PAGE = -7,
    REFUSED_ROW = -8,
    REFUSED_MEMORY = -9,
};

/* 0, or what is wrong with a model: its sizes, its weights or its cache. */
int32_t check_model(const Model *model);
/* 0, or REFUSED_SIZE if a step cannot have so many tokens. */
int32_t check_length(int32_t tokens);
/* 0, or what is wrong with a step of a model that check_model accepts. */
int32_t check_step(const Model *model, const Step *step);
/* 0, or REFUSED_PAGE if the cache has no such page. */
int32_t check_page(const Model *model, int32_t page);
/* 0, or what is wrong with rows to pack. */
int32_t check_packing(const Rows *rows);

#endif
