/* Any bytes as a log of Ray, and its lines as names of files: pieces of any size give the same
 * lines, and what is parsed points into them. */
#include <assert.h>
#include <string.h>

#include "wire/lines.h"
#include "wire/raylog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Sum {
        size_t n, bytes;
} Sum;

static int on_line(const char *line, void *userdata)
{
        Sum *s = userdata;
        size_t n = strlen(line);
        RayLogFile f;
        RayLog l;

        assert(n <= LINES_MAX);
        raylog_parse(line, &l);
        assert(l.text >= line && l.text <= line + n);
        assert(!l.time || (l.time >= line && l.time + l.time_len <= line + n));
        assert(strlen(l.component) < sizeof(l.component));
        (void)raylog_file(line, &f);
        s->n++;
        s->bytes += n;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(lines_done) Lines a = {}, b = {};
        Sum whole = {}, pieces = {};

        if (lines_feed(&a, (const char *)data, size, on_line, &whole) < 0)
                return 0;
        (void)lines_flush(&a, on_line, &whole);
        for (size_t i = 0, k; i < size; i += k) {
                k = 1 + data[i] % 7;
                if (k > size - i)
                        k = size - i;
                if (lines_feed(&b, (const char *)data + i, k, on_line, &pieces) < 0)
                        return 0;
        }
        (void)lines_flush(&b, on_line, &pieces);
        assert(whole.n == pieces.n && whole.bytes == pieces.bytes);
        return 0;
}
