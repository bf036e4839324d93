#include "wire/reflect-frame.h"

#include <endian.h>
#include <string.h>

/* Says in a packet dump what it is, and to the parser that the other side is none of ours. */
static const char magic[8] = {'r', 'a', 'y', 'p', 'r', 'o', 'b', 'e'};

static const char *const reflect_bye_table[_REFLECT_BYE_MAX] = {
        [REFLECT_BYE_OTHER] = "for a reason that this version does not know",
        [REFLECT_BYE_CODE] = "the code is another one",
        [REFLECT_BYE_OVER] = "the code has expired, or was tried wrongly too often",
        [REFLECT_BYE_BUSY] = "too many connections at once",
        [REFLECT_BYE_SLOW] = "nothing was said for too long",
        [REFLECT_BYE_VERSION] = "another version is spoken there",
        [REFLECT_BYE_BAD] = "what was said is not to be understood",
};
DEFINE_STRTAB(reflect_bye, ReflectBye);

#define HELLO_SIZE (sizeof(magic) + 2 + REFLECT_HELLO_NONCE)

static int parse_hello(const uint8_t *p, size_t n, ReflectFrame *f)
{
        uint16_t version;

        if (n < HELLO_SIZE || memcmp(p, magic, sizeof(magic)) != 0)
                return -EBADMSG;
        memcpy(&version, p + sizeof(magic), sizeof(version));
        f->version = be16toh(version);
        /* a later version may have more to say */
        if (f->version == 0 || (f->version == REFLECT_FRAME_VERSION && n != HELLO_SIZE))
                return -EBADMSG;
        f->nonce = p + sizeof(magic) + 2;
        return 1;
}

static int parse_sealed(const uint8_t *p, size_t n, ReflectFrame *f)
{
        if (n < sizeof(f->seq) + REFLECT_MAC_SIZE)
                return -EBADMSG;
        memcpy(&f->seq, p, sizeof(f->seq));
        f->seq = be64toh(f->seq);
        f->mac = p + sizeof(f->seq);
        f->body = f->mac + REFLECT_MAC_SIZE;
        f->body_size = n - sizeof(f->seq) - REFLECT_MAC_SIZE;
        return 1;
}

static int parse_bye(const uint8_t *p, size_t n, ReflectFrame *f)
{
        if (n != 1)
                return -EBADMSG;
        f->bye = *p < _REFLECT_BYE_MAX ? (ReflectBye)*p : REFLECT_BYE_OTHER;
        return 1;
}

int reflect_frame_parse(const uint8_t *data, size_t size, ReflectFrame *ret)
{
        uint32_t length;

        if (size < sizeof(length))
                return 0;
        memcpy(&length, data, sizeof(length));
        length = be32toh(length);
        if (length > REFLECT_FRAME_MAX)
                return -EMSGSIZE;
        if (length == 0)
                return -EBADMSG;
        if (size == sizeof(length))
                return 0;
        const uint8_t *p = data + sizeof(length);
        if (*p == 0 || *p >= _REFLECT_FRAME_KIND_MAX)
                return -EBADMSG;
        if (size - sizeof(length) < length)
                return 0;
        ReflectFrame f = {.kind = (ReflectFrameKind)*p, .size = sizeof(length) + length};
        p++;
        length--;
        int r = f.kind == REFLECT_FRAME_HELLO    ? parse_hello(p, length, &f)
                : f.kind == REFLECT_FRAME_SEALED ? parse_sealed(p, length, &f)
                                                 : parse_bye(p, length, &f);
        if (r > 0)
                *ret = f;
        return r;
}

/* Length and kind, and room for n more bytes at *ret, which are counted already. */
static int put_head(Buf *out, ReflectFrameKind kind, size_t n, uint8_t **ret)
{
        uint8_t *p;

        if (n > REFLECT_FRAME_MAX - 1)
                return -EMSGSIZE;
        uint32_t length = htobe32((uint32_t)n + 1);
        int r = buf_reserve(out, sizeof(length) + 1 + n, &p);
        if (r < 0)
                return r;
        memcpy(p, &length, sizeof(length));
        p[sizeof(length)] = (uint8_t)kind;
        *ret = p + sizeof(length) + 1;
        buf_commit(out, sizeof(length) + 1 + n);
        return 0;
}

int reflect_frame_hello(Buf *out, const uint8_t nonce[static REFLECT_HELLO_NONCE])
{
        uint16_t version = htobe16(REFLECT_FRAME_VERSION);
        uint8_t *p;

        int r = put_head(out, REFLECT_FRAME_HELLO, HELLO_SIZE, &p);
        if (r < 0)
                return r;
        memcpy(p, magic, sizeof(magic));
        memcpy(p + sizeof(magic), &version, sizeof(version));
        memcpy(p + sizeof(magic) + sizeof(version), nonce, REFLECT_HELLO_NONCE);
        return 0;
}

int reflect_frame_sealed(Buf *out, uint64_t seq, const uint8_t mac[static REFLECT_MAC_SIZE],
                         const void *body, size_t size)
{
        uint64_t be = htobe64(seq);
        uint8_t *p;

        if (size > REFLECT_SEALED_BODY_MAX)
                return -EMSGSIZE;
        int r = put_head(out, REFLECT_FRAME_SEALED, sizeof(be) + REFLECT_MAC_SIZE + size, &p);
        if (r < 0)
                return r;
        memcpy(p, &be, sizeof(be));
        memcpy(p + sizeof(be), mac, REFLECT_MAC_SIZE);
        if (size > 0)
                memcpy(p + sizeof(be) + REFLECT_MAC_SIZE, body, size);
        return 0;
}

int reflect_frame_bye(Buf *out, ReflectBye bye)
{
        uint8_t *p;

        int r = put_head(out, REFLECT_FRAME_BYE, 1, &p);
        if (r >= 0)
                *p = (uint8_t)bye;
        return r;
}
