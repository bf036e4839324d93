#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void buf_done(Buf *b)
{
        free(b->data);
        *b = (Buf){.limit = b->limit};
}

int buf_reserve(Buf *b, size_t n, uint8_t **ret)
{
        size_t limit = b->limit ? b->limit : BUF_LIMIT_DEFAULT;

        if (n > limit || buf_size(b) > limit - n)
                return -EMSGSIZE;
        if (b->begin > 0 && b->end + n > b->cap) {
                memmove(b->data, b->data + b->begin, buf_size(b));
                b->end -= b->begin;
                b->begin = 0;
        }
        if (b->end + n > b->cap || !b->data) { /* also for no bytes: the caller gets a place */
                size_t want = MAX(b->end + n, b->cap * 2);
                want = MAX(want, (size_t)256);
                uint8_t *p = realloc(b->data, want);
                if (!p)
                        return -ENOMEM;
                b->data = p;
                b->cap = want;
        }
        *ret = b->data + b->end;
        return 0;
}

void buf_commit(Buf *b, size_t n)
{
        assert(b->end + n <= b->cap);
        b->end += n;
}

int buf_append(Buf *b, const void *data, size_t n)
{
        uint8_t *p;

        if (n == 0)
                return 0;
        int r = buf_reserve(b, n, &p);
        if (r < 0)
                return r;
        memcpy(p, data, n);
        buf_commit(b, n);
        return 0;
}

void buf_consume(Buf *b, size_t n)
{
        assert(n <= buf_size(b));
        b->begin += n;
        if (b->begin == b->end)
                b->begin = b->end = 0;
}
