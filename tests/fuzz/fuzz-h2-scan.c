/* Frames of an HTTP/2 answer in any pieces: never read past their end, and what is known of them
 * does not depend on how they were cut. */
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "wire/h2-scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const H2Scan *a, const H2Scan *b)
{
        return a->greeted == b->greeted && a->pong == b->pong &&
               a->stream_ended == b->stream_ended && a->going == b->going;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        H2Scan whole = {0}, cut = {0};

        if (size < 1)
                return 0;
        size_t step = data[0] % 16 + 1U;
        int r = h2_scan(&whole, data + 1, size - 1), k = 0;
        for (size_t at = 1; at < size && k >= 0; at += step) {
                size_t n = MIN(step, size - at);
                uint8_t *exact = malloc(n);
                if (!exact)
                        return 0;
                memcpy(exact, data + at, n);
                k = h2_scan(&cut, exact, n);
                free(exact);
        }
        if (r != k || !same(&whole, &cut))
                abort();
        if (r >= 0 && (whole.received != size - 1 || whole.n_head > H2_FRAME_HEAD ||
                       whole.left > H2_FRAME_MAX))
                abort();
        return 0;
}
