#include "wire/member-frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

int member_frame_parse(const uint8_t *data, size_t size, size_t max, MemberFrame *ret)
{
        uint32_t length;

        if (size < sizeof(length))
                return 0;
        memcpy(&length, data, sizeof(length));
        length = be32toh(length);
        if (length > max)
                return -EMSGSIZE;
        if (length == 0)
                return -EBADMSG;
        if (size - sizeof(length) < length)
                return 0;
        *ret = (MemberFrame){
                .size = sizeof(length) + length,
                .body = data + sizeof(length),
                .body_size = length,
        };
        return 1;
}

int member_frame_put(Buf *out, const void *body, size_t size)
{
        uint8_t *p;

        if (size == 0)
                return -EINVAL;
        if (size > MEMBER_FRAME_MAX)
                return -EMSGSIZE;
        uint32_t length = htobe32((uint32_t)size);
        int r = buf_reserve(out, sizeof(length) + size, &p);
        if (r < 0)
                return r;
        memcpy(p, &length, sizeof(length));
        memcpy(p + sizeof(length), body, size);
        buf_commit(out, sizeof(length) + size);
        return 0;
}
