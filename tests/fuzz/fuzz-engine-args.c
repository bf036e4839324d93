/* Any bytes as an args file: accepted ones must come out of format() as they go in again. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/engine-args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(engine_args_freep) EngineArgs *a = NULL, *b = NULL;
        _cleanup_free_ char *why = NULL, *text = NULL, *again = NULL;

        int r = engine_args_parse((const char *)data, size, &a, &why);
        assert((r >= 0) == (why == NULL) || r == -ENOMEM);
        if (r < 0)
                return 0;
        /* escapes may make it longer than what was read, never than twice that */
        if (engine_args_format(a, &text) < 0)
                return 0;
        r = engine_args_parse(text, strlen(text), &b, &why);
        assert(r >= 0);
        assert(engine_args_format(b, &again) >= 0 && strcmp(text, again) == 0);
        return 0;
}
