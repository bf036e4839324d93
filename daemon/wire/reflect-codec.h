/* What a probe and a reflector say to each other (wire/reflect.proto), as values and as bytes. No
 * fd, no clock. Everything that repeats is bounded, every length is checked, every text cleaned. */
#pragma once

#include "base/buf.h"
#include "model/reflection.h"

#define REFLECT_VERSION    1
#define REFLECT_NONCE_SIZE 32
/* Most bytes of one transfer of DOWN and UP: more than any window begins with, so that full-sized
 * segments must pass. */
#define REFLECT_BULK_MAX ((size_t)64 << 10)

typedef enum ReflectKind {
        REFLECT_BEGIN = 1, /* remember the counters, say who we are to each other */
        REFLECT_LOOK,      /* the port, and what the counters rose by since BEGIN */
        REFLECT_BACK,      /* connect back */
        REFLECT_DOWN,      /* send `bulk` bytes in the answer */
        REFLECT_UP,        /* `filler` bytes come with the request, to be counted */
        _REFLECT_KIND_MAX,
        _REFLECT_KIND_INVALID = -EINVAL,
} ReflectKind;

DECLARE_STRTAB(reflect_kind, ReflectKind);

typedef struct ReflectBackPort {
        uint16_t port;
        bool nonce; /* the asker listens there and sends the nonce to whoever connects */
} ReflectBackPort;

/* Connect-backs are made to the address that the asker is seen to come from, then to each claimed
 * one in order, all ports of one address first, until BACK_TRIES_MAX of them are used up: what
 * matters most comes first. A whole range is tried at the first claimed address, where claims count
 * and there is one, else where the asker comes from. */
typedef struct ReflectRequest {
        ReflectKind kind;          /* decoded: 0 = one that is not known here */
        unsigned version;          /* 0 = ours, when encoded */
        int64_t t1_usec;           /* realtime of the asker */
        Addr dialled;              /* with port */
        Addr claimed[CLAIMED_MAX]; /* own addresses of the asker, without port */
        size_t n_claimed;
        uint16_t port; /* of the head, that the asker is after; 0 = none */
        Versions here;
        uint8_t nonce[REFLECT_NONCE_SIZE]; /* of BACK */
        bool has_nonce;
        ReflectBackPort back[BACK_TRIES_MAX];
        size_t n_back;
        uint16_t back_first, back_last; /* a whole range instead of `back`; 0 = none */
        uint32_t bulk;                  /* bytes wanted by DOWN, at most REFLECT_BULK_MAX */
        size_t filler;                  /* bytes that come with UP, at most REFLECT_BULK_MAX */
} ReflectRequest;

typedef enum ReflectRefusal {
        REFLECT_NONE,      /* the request was answered */
        REFLECT_VERSIONS,  /* the asker speaks a version that is not known there */
        REFLECT_RATE,      /* too soon after the last test; `retry` says when */
        REFLECT_FORBIDDEN, /* an address or port that is never connected to */
        REFLECT_BUSY,      /* too many tests at once */
        REFLECT_BAD,       /* not to be understood */
        _REFLECT_REFUSAL_MAX,
        _REFLECT_REFUSAL_INVALID = -EINVAL,
} ReflectRefusal;

DECLARE_STRTAB(reflect_refusal, ReflectRefusal);

/* What one answer says. Of what is not known: addresses unset, texts "", known flags false. */
typedef struct ReflectReply {
        ReflectRefusal refusal; /* one not known here is REFLECT_BAD */
        char text[160];         /* of a refusal, for people */
        usec_t retry;           /* of REFLECT_RATE */

        Addr observed, local;     /* with port; unset = not said */
        int64_t t2_usec, t3_usec; /* realtime there when the request came, and when this left */
        ClockSync clock_sync;
        Addr head_node;
        char hostname[64];
        Versions head;
        FirewallManager firewall;

        PortView port;
        CounterRise rise;
        bool route_known;
        int route_error; /* positive errno; 0 = there is a route */
        char route_dev[16];
        Addr route_source;
        unsigned route_mtu;

        BackTry back[BACK_TRIES_MAX];
        size_t n_back;
        size_t filler;     /* bytes that came, or that are to be sent */
        uint64_t received; /* bytes of UP */
} ReflectReply;

/* All return 0. Encoders: -EINVAL (over a bound: must not be sent), -ENOMEM. Decoders: -EBADMSG
 * (not such a message), -EMSGSIZE (a list or transfer over its bound), -ENOMEM. */
int reflect_encode_request(Buf *out, const ReflectRequest *q);
int reflect_decode_request(const void *data, size_t size, ReflectRequest *ret);
int reflect_encode_reply(Buf *out, const ReflectReply *p);
int reflect_decode_reply(const void *data, size_t size, ReflectReply *ret);
