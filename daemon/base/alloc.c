#include "base/alloc.h"

#include <errno.h>

int array_reserve(void **p, size_t *cap, size_t need, size_t elem)
{
        if (need <= *cap)
                return 0;
        size_t want = MAX(need, *cap * 2);
        want = MAX(want, (size_t)8);
        void *q = reallocarray(*p, want, elem);
        if (!q)
                return -ENOMEM;
        *p = q;
        *cap = want;
        return 0;
}
