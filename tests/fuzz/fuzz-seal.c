/* A file that says it was sealed: what its header asks for stays within bounds, and nothing comes
 * out of it that was not put in. */
#include <stdlib.h>
#include <string.h>

#include "sys/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_buf_ Buf plain = {.limit = SEAL_MAX};
        SealHeader h;

        if (seal_read_header(data, size, &h) < 0)
                return 0;
        if (h.cost < SEAL_COST_MIN || h.cost > SEAL_COST_MAX || h.passes < 1 ||
            h.passes > SEAL_PASSES_MAX || size < SEAL_OVERHEAD ||
            memcmp(h.salt, data + 12, sizeof(h.salt)) != 0)
                abort();
        /* dearer ones would be all that is done here */
        if (h.cost > SEAL_COST_MIN)
                return 0;
        if (seal_open("not this one", 12, data, size, &plain) >= 0 || buf_size(&plain) > 0)
                abort();
        return 0;
}
