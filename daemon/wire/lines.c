#include "wire/lines.h"

#include "base/alloc.h"

#include <errno.h>

void lines_done(Lines *l)
{
        free(l->buf);
        *l = (Lines){};
}

static int give(Lines *l, line_cb cb, void *userdata)
{
        size_t n = l->n;

        while (n > 0 && (l->buf[n - 1] == '\r' || l->buf[n - 1] == ' '))
                n--;
        l->buf[n] = 0;
        l->n = 0;
        return cb(l->buf, userdata);
}

int lines_feed(Lines *l, const char *data, size_t n, line_cb cb, void *userdata)
{
        if (!l->buf && !(l->buf = malloc(LINES_MAX + 1)))
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                if (data[i] != '\n')
                        l->buf[l->n++] = data[i] ? data[i] : '?';
                if (data[i] == '\n' || l->n == LINES_MAX) {
                        int r = give(l, cb, userdata);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int lines_flush(Lines *l, line_cb cb, void *userdata)
{
        return l->n > 0 ? give(l, cb, userdata) : 0;
}
