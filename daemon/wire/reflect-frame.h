/* How a probe and `ray-probe --serve` pack what they say. A frame is a length of four bytes, big
 * endian, and so many bytes; the first of these says what it is:
 *
 *   hello    both sides, once, first: what we are, the version, a fresh nonce
 *   sealed   sequence number, MAC, body (reflect/session.h makes and checks the MAC)
 *   bye      a reason, then the connection ends; not sealed, so a hint for people, never more
 *
 * Pure: no fd, no clock, no key. */
#pragma once

#include "base/buf.h"
#include "base/strtab.h"

/* One transfer of 64 KiB and what comes with it, twice over: nobody can make us keep more. */
#define REFLECT_FRAME_MAX     ((size_t)128 << 10)
#define REFLECT_FRAME_VERSION 1
#define REFLECT_HELLO_NONCE   32
#define REFLECT_MAC_SIZE      32
/* Length, kind, sequence number, MAC: what a sealed frame has in front of its body. */
#define REFLECT_SEALED_HEAD     (4 + 1 + 8 + REFLECT_MAC_SIZE)
#define REFLECT_SEALED_BODY_MAX (REFLECT_FRAME_MAX - (1 + 8 + REFLECT_MAC_SIZE))

typedef enum ReflectFrameKind {
        REFLECT_FRAME_HELLO = 1,
        REFLECT_FRAME_SEALED,
        REFLECT_FRAME_BYE,
        _REFLECT_FRAME_KIND_MAX,
        _REFLECT_FRAME_KIND_INVALID = -EINVAL,
} ReflectFrameKind;

typedef enum ReflectBye {
        REFLECT_BYE_OTHER,   /* one that is not known here */
        REFLECT_BYE_CODE,    /* the code is another one */
        REFLECT_BYE_OVER,    /* the code has expired, or was tried wrongly too often */
        REFLECT_BYE_BUSY,    /* too many connections at once */
        REFLECT_BYE_SLOW,    /* nothing was said for too long */
        REFLECT_BYE_VERSION, /* another version is spoken here */
        REFLECT_BYE_BAD,     /* not to be understood */
        _REFLECT_BYE_MAX,
        _REFLECT_BYE_INVALID = -EINVAL,
} ReflectBye;

/* What it means for people: "the code is another one". */
DECLARE_STRTAB(reflect_bye, ReflectBye);

typedef struct ReflectFrame {
        ReflectFrameKind kind;
        size_t size;          /* of the whole frame, to be consumed */
        unsigned version;     /* of a hello */
        const uint8_t *nonce; /* of a hello, REFLECT_HELLO_NONCE bytes */
        uint64_t seq;         /* of a sealed frame */
        const uint8_t *mac;   /* REFLECT_MAC_SIZE bytes */
        const uint8_t *body;  /* points into what was parsed */
        size_t body_size;
        ReflectBye bye;
} ReflectFrame;

/* The frame at the beginning of data. 1: *ret is set; 0: more is needed; -EMSGSIZE: longer than
 * REFLECT_FRAME_MAX, known from its first four bytes; -EBADMSG: no such frame. */
int reflect_frame_parse(const uint8_t *data, size_t size, ReflectFrame *ret);

/* All return 0, -EMSGSIZE, -ENOMEM. */
int reflect_frame_hello(Buf *out, const uint8_t nonce[static REFLECT_HELLO_NONCE]);
int reflect_frame_sealed(Buf *out, uint64_t seq, const uint8_t mac[static REFLECT_MAC_SIZE],
                         const void *body, size_t size);
int reflect_frame_bye(Buf *out, ReflectBye bye);
