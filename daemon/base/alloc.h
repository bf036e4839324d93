/* Allocation. Everything may fail with NULL / -ENOMEM, which callers propagate: the loop goes on.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

#define new0(t, n) ((t *)calloc((n), sizeof(t)))

static inline void freep(void *p)
{
        free(*(void **)p);
}

#define _cleanup_free_ _cleanup_(freep)

/* Makes room for `need` elements of size `elem` in *p (capacity *cap, counted in elements), at
 * least doubling. */
int array_reserve(void **p, size_t *cap, size_t need, size_t elem);
#define ARRAY_RESERVE(p, cap, need) array_reserve((void **)&(p), &(cap), (need), sizeof(*(p)))
