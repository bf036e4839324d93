/* Frames, status lines and messages of gRPC. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/grpc.h"
#include "wire/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *message, *p = data;
        size_t n, used, left = size;

        while (grpc_unframe(p, left, 1 << 16, &message, &n, &used) > 0) {
                if (message < p || message + n > data + size || used > left)
                        abort();
                p += used;
                left -= used;
        }
        if (grpc_unframe_only(data, size, 1 << 16, &message, &n) == 0 && n + 5 != size)
                abort();

        _cleanup_free_ char *s = malloc(size + 1);
        if (!s)
                return 0;
        memcpy(s, data, size);
        s[size] = 0;
        _cleanup_free_ char *text = grpc_decode_message(s);
        if (text && strlen(text) > GRPC_MESSAGE_MAX)
                abort();
        (void)grpc_parse_status(s);
        (void)grpc_is_content_type(s);
        _cleanup_free_ char *clean = text_clean((const char *)data, size, 100);
        if (clean && strlen(clean) > 100)
                abort();
        return 0;
}
