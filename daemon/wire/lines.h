/* A stream of bytes -> lines, whatever the pieces it comes in. A line longer than LINES_MAX comes
 * in parts: a stranger's output without a line break is neither kept nor lost. */
#pragma once

#include "base/macro.h"

#define LINES_MAX ((size_t)8 << 10)

typedef struct Lines {
        char *buf; /* LINES_MAX + 1 bytes, made at the first part of a line */
        size_t n;
} Lines;

void lines_done(Lines *l);

/* line: NUL-ended, without the line break (\n or \r\n) and without trailing blanks; NULs in it are
 * shown as '?'. Valid during the call. Negative: stop, and lines_feed() returns it. */
typedef int (*line_cb)(const char *line, void *userdata);
int lines_feed(Lines *l, const char *data, size_t n, line_cb cb, void *userdata);
/* The end of the stream: what is left is a line. */
int lines_flush(Lines *l, line_cb cb, void *userdata);
