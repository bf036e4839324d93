/* How messages of members follow one another on a connection: a length of four bytes, big endian,
 * and so many bytes of one wire/member.proto Message. Pure: no fd, no clock. */
#pragma once

#include "base/buf.h"

/* One transfer of the reflector is 64 KiB; nothing else has more than a few. Whoever is not known
 * yet gets less: an Enrol has some hundred bytes. */
#define MEMBER_FRAME_MAX         ((size_t)128 << 10)
#define MEMBER_FRAME_MAX_UNKNOWN ((size_t)8 << 10)

typedef struct MemberFrame {
        size_t size;         /* of the whole frame, to be consumed */
        const uint8_t *body; /* points into what was parsed */
        size_t body_size;    /* at least 1 */
} MemberFrame;

/* The frame at the beginning of data. 1: *ret is set; 0: more is needed; -EMSGSIZE: longer than
 * max, known from its first four bytes; -EBADMSG: an empty one. */
int member_frame_parse(const uint8_t *data, size_t size, size_t max, MemberFrame *ret);
/* -EMSGSIZE over MEMBER_FRAME_MAX, -EINVAL for an empty one, -ENOMEM. */
int member_frame_put(Buf *out, const void *body, size_t size);
