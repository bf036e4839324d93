/* The remembered head, read from a disk: what is accepted is written and read again the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "wire/last-known.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(candidate_freep) Candidate *c = NULL, *again = NULL;
        _cleanup_free_ char *text = NULL;

        if (last_known_parse((const char *)data, size, &c) < 0)
                return 0;
        if (c->n_addrs == 0 || c->n_addrs > CANDIDATE_ADDRS_MAX)
                abort();
        if (last_known_format(c, c->cluster, &text) < 0 ||
            last_known_parse(text, strlen(text), &again) < 0 || !candidate_equal(c, again))
                abort();
        return 0;
}
