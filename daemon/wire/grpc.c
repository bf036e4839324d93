#include "wire/grpc.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "wire/text.h"

int grpc_frame(Buf *out, const void *message, size_t size)
{
        if (size > UINT32_MAX)
                return -EMSGSIZE;
        uint8_t head[GRPC_FRAME_HEAD] = {0, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
                                         (uint8_t)(size >> 8), (uint8_t)size};
        int r = buf_append(out, head, sizeof(head));
        if (r < 0)
                return r;
        return buf_append(out, message, size);
}

int grpc_unframe(const uint8_t *data, size_t size, size_t max, const uint8_t **ret_message,
                 size_t *ret_size, size_t *ret_used)
{
        if (size == 0)
                return 0;
        if (data[0] != 0)
                return -EBADMSG;
        if (size < GRPC_FRAME_HEAD)
                return 0;
        size_t n = (size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4];
        if (n > max)
                return -EMSGSIZE;
        if (size - GRPC_FRAME_HEAD < n)
                return 0;
        *ret_message = data + GRPC_FRAME_HEAD;
        *ret_size = n;
        *ret_used = GRPC_FRAME_HEAD + n;
        return 1;
}

int grpc_unframe_only(const uint8_t *data, size_t size, size_t max, const uint8_t **ret_message,
                      size_t *ret_size)
{
        const uint8_t *message;
        size_t n, used;

        int r = grpc_unframe(data, size, max, &message, &n, &used);
        if (r < 0)
                return r;
        if (r == 0 || used != size)
                return -EBADMSG;
        *ret_message = message;
        *ret_size = n;
        return 0;
}

bool grpc_is_content_type(const char *value)
{
        const char *rest = value ? startswith(value, "application/grpc") : NULL;

        return rest && (*rest == 0 || *rest == '+' || *rest == ';');
}

int grpc_parse_status(const char *value)
{
        unsigned n;

        if (parse_unsigned(value + strspn(value, " "), &n) < 0 || n > GRPC_STATUS_MAX)
                return -EINVAL;
        return (int)n;
}

const char *grpc_status_name(int status)
{
        static const char *const names[GRPC_STATUS_MAX + 1] = {
                "OK",
                "CANCELLED",
                "UNKNOWN",
                "INVALID_ARGUMENT",
                "DEADLINE_EXCEEDED",
                "NOT_FOUND",
                "ALREADY_EXISTS",
                "PERMISSION_DENIED",
                "RESOURCE_EXHAUSTED",
                "FAILED_PRECONDITION",
                "ABORTED",
                "OUT_OF_RANGE",
                "UNIMPLEMENTED",
                "INTERNAL",
                "UNAVAILABLE",
                "DATA_LOSS",
                "UNAUTHENTICATED",
        };

        return status >= 0 && status <= GRPC_STATUS_MAX ? names[status] : "unknown status";
}

static int hex_value(char c)
{
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
}

char *grpc_decode_message(const char *value)
{
        char decoded[GRPC_MESSAGE_MAX];
        size_t n = 0;

        value += strspn(value, " ");
        while (*value && n < sizeof(decoded)) {
                int hi = value[0] == '%' ? hex_value(value[1]) : -1;
                int lo = hi >= 0 ? hex_value(value[2]) : -1;
                if (lo >= 0) {
                        decoded[n++] = (char)(hi << 4 | lo);
                        value += 3;
                } else
                        decoded[n++] = *value++;
        }
        return text_clean(decoded, n, GRPC_MESSAGE_MAX);
}
