#include "wire/pb.h"

#include <errno.h>
#include <stdlib.h>

typedef struct Budget {
        size_t left;
        int error;
} Budget;

static void *budget_alloc(void *data, size_t size)
{
        Budget *b = data;

        if (size > b->left) {
                b->error = -EMSGSIZE;
                return NULL;
        }
        b->left -= size;
        void *p = malloc(size);
        if (!p)
                b->error = -ENOMEM;
        return p;
}

static void budget_free(void *data, void *p)
{
        free(p);
}

int pb_unpack(const ProtobufCMessageDescriptor *type, const void *data, size_t size, void *ret)
{
        Budget budget = {.left = PB_BUDGET};
        ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};

        ProtobufCMessage *m = protobuf_c_message_unpack(type, &allocator, size, data);
        if (!m)
                return budget.error ? budget.error : -EBADMSG;
        *(ProtobufCMessage **)ret = m;
        return 0;
}

static int varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
        uint64_t v = 0;

        for (unsigned shift = 0; shift < 64; shift += 7) {
                if (*p == end)
                        return -EBADMSG;
                uint8_t c = *(*p)++;
                v |= (uint64_t)(c & 0x7f) << shift;
                if (!(c & 0x80)) {
                        *ret = v;
                        return 0;
                }
        }
        return -EBADMSG;
}

static int fixed(const uint8_t **p, const uint8_t *end, size_t n, uint64_t *ret)
{
        uint64_t v = 0;

        if ((size_t)(end - *p) < n)
                return -EBADMSG;
        for (size_t i = n; i > 0; i--)
                v = v << 8 | (*p)[i - 1];
        *p += n;
        *ret = v;
        return 0;
}

int pb_next(const uint8_t **p, const uint8_t *end, PbField *ret)
{
        uint64_t tag, size;
        PbField f = {0};

        if (*p == end)
                return 0;
        int r = varint(p, end, &tag);
        if (r < 0)
                return r;
        if (tag >> 3 == 0 || tag >> 3 > (1U << 29) - 1)
                return -EBADMSG;
        f.number = (uint32_t)(tag >> 3);
        switch (tag & 7) {
        case 0:
                r = varint(p, end, &f.value);
                break;
        case 1:
                r = fixed(p, end, 8, &f.value);
                break;
        case 2:
                r = varint(p, end, &size);
                if (r < 0)
                        break;
                if (size > (size_t)(end - *p))
                        return -EBADMSG;
                f.data = *p;
                f.size = (size_t)size;
                *p += size;
                break;
        case 5:
                r = fixed(p, end, 4, &f.value);
                break;
        default:
                return -EBADMSG;
        }
        if (r < 0)
                return r;
        *ret = f;
        return 1;
}

int pb_pack(Buf *out, const ProtobufCMessage *m)
{
        size_t size = protobuf_c_message_get_packed_size(m);
        uint8_t *p;

        int r = buf_reserve(out, size, &p);
        if (r < 0)
                return r;
        buf_commit(out, protobuf_c_message_pack(m, p));
        return 0;
}
