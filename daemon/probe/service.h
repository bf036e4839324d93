/* Which service speaks, from the first bytes it sends after an HTTP/2 greeting. A pure parser of
 * foreign bytes: it reads at most SERVICE_BYTES_MAX of them and keeps none. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strtab.h"

/* Enough for every banner; a server cannot make us read more. */
#define SERVICE_BYTES_MAX 1024

typedef enum ServiceKind {
        SERVICE_UNKNOWN, /* not enough bytes yet */
        SERVICE_GRPC,    /* HTTP/2 SETTINGS with gRPC core's private id 0xfe03 (probe.md 1.9) */
        SERVICE_HTTP2,   /* HTTP/2 of another make */
        SERVICE_HTTP1,   /* HTTP/1 text */
        SERVICE_REDIS,   /* "-ERR unknown command", "-DENIED …" */
        SERVICE_SSH,     /* "SSH-2.0-…" */
        SERVICE_TLS,     /* a TLS record: handshake or alert */
        SERVICE_OTHER,   /* bytes of no known kind */
        SERVICE_CLOSED,  /* closed before a byte came */
        _SERVICE_KIND_MAX,
        _SERVICE_KIND_INVALID = -EINVAL,
} ServiceKind;

/* "gRPC", "Redis", … */
DECLARE_STRTAB(service_kind, ServiceKind);

/* SERVICE_UNKNOWN = more bytes are needed (never at `eof` unless n == 0, and then SERVICE_CLOSED).
 */
ServiceKind service_identify(const uint8_t *data, size_t n, bool eof);

/* The greetings that bring a service to speak. */
typedef enum Greeting {
        GREETING_HTTP2, /* connection preface and an empty SETTINGS: 33 bytes */
        GREETING_TLS,   /* a TLS 1.2/1.3 ClientHello, ALPN h2 */
        GREETING_HTTP1, /* GET / */
        GREETING_NONE,  /* nothing is said */
        _GREETING_MAX,
        _GREETING_INVALID = -EINVAL,
} Greeting;

const uint8_t *greeting_bytes(Greeting g, size_t *ret_size);
