/* A growing byte buffer with a limit: append at the end, consume at the front. Initialise with {0},
 * finish with buf_done(). */
#pragma once

#include "base/macro.h"

typedef struct Buf {
        uint8_t *data;
        size_t begin; /* first unread byte */
        size_t end;   /* one past the last byte */
        size_t cap;
        size_t limit; /* most unread bytes it will hold; 0 = BUF_LIMIT_DEFAULT */
} Buf;

/* 16 MiB: far above any reply we ask for, far below what a stranger could make us keep. */
#define BUF_LIMIT_DEFAULT ((size_t)16 << 20)

void buf_done(Buf *b);
#define _cleanup_buf_ _cleanup_(buf_done)

static inline size_t buf_size(const Buf *b)
{
        return b->end - b->begin;
}

static inline const uint8_t *buf_data(const Buf *b)
{
        return b->begin ? b->data + b->begin : b->data; /* NULL + 0 is undefined */
}

/* -EMSGSIZE beyond the limit, -ENOMEM. */
int buf_append(Buf *b, const void *data, size_t n);
/* Room for n more bytes; *ret is where they go, followed by buf_commit(). */
int buf_reserve(Buf *b, size_t n, uint8_t **ret);
void buf_commit(Buf *b, size_t n);
void buf_consume(Buf *b, size_t n);
