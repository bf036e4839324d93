/* The client's side of one HTTP/2 connection over a stream, in the clear by prior knowledge unless
 * it is given a layer: requests with a body, answers with body and trailers.
 *
 * It belongs to the GCS client and to the probe, which wants to know how far things came. No
 * timers: a deadline is its caller's (sys/grpc-call). It sends no PINGs of its own: gRPC servers
 * answer frequent ones with GOAWAY "too many pings" (ray-reference 1.1); PINGs of the peer are
 * answered.
 *
 * Callbacks come from the loop only, one an event; the connection and every request may be freed
 * from inside any of them. */
#pragma once

#include <errno.h>
#include <systemd/sd-event.h>

#include "base/addr.h"
#include "base/buf.h"
#include "sys/stream.h"

typedef struct H2 H2;
typedef struct H2Request H2Request;

/* How far a connection came, or how it ended. */
typedef enum H2Phase {
        H2_CONNECTING, /* the TCP handshake is not through */
        H2_CONNECTED,  /* nothing that is HTTP/2 came yet */
        H2_SERVING,    /* the server's SETTINGS came: it speaks HTTP/2 */
        H2_GOING,      /* GOAWAY came: no new requests, those under way may still end */
        H2_NOT_HTTP2,  /* ended: what came first is not HTTP/2; see h2_first_bytes() */
        H2_BROKEN,     /* ended: the peer spoke HTTP/2 and then broke its rules (-EPROTO) */
        H2_FAILED,     /* ended: connect or connection failed (negative errno) */
        H2_EOF,        /* ended: the peer closed */
        _H2_PHASE_MAX,
        _H2_PHASE_INVALID = -EINVAL,
} H2Phase;

const char *h2_phase_to_string(H2Phase p);
static inline bool h2_phase_ended(H2Phase p)
{
        return p >= H2_NOT_HTTP2;
}

/* An answer is a table of nodes at most; one header block of it a status and a few lines. What is
 * over ends the request with -EMSGSIZE. */
#define H2_HEADERS_MAX     64
#define H2_HEADERS_SIZE    ((size_t)16 << 10)
#define H2_REQUESTS_MAX    64  /* under way on one connection */
#define H2_FIRST_BYTES_MAX 256 /* kept of what the peer said first, to tell what it is */

typedef struct H2Header {
        const char *name; /* lower case */
        const char *value;
} H2Header;

typedef struct H2Response {
        /* 0: the stream ended in order. Else a negative errno: -EMSGSIZE over a limit, -EPROTO
         * broken HTTP/2, -ECONNREFUSED etc. of the connect, -ECONNRESET, -EPIPE closed by the peer
         * before the end, -ECONNABORTED reset or refused this stream by the peer (h2_code). */
        int error;
        uint32_t h2_code;        /* RST_STREAM's or GOAWAY's error code, 0 = none */
        const H2Header *headers; /* headers and trailers in the order they came */
        size_t n_headers;
        const uint8_t *body;
        size_t body_size;
} H2Response;

typedef struct H2Ops {
        /* All may be NULL. */
        void (*on_phase)(H2 *h, H2Phase before, H2Phase now, void *userdata);
} H2Ops;

/* Begins to connect. Failures known at once come by the callbacks as well. */
int h2_connect(sd_event *event, const Addr *addr, const H2Ops *ops, void *userdata, H2 **ret);
/* Over a connected non-blocking socket, which it owns on success. */
int h2_new_fd(sd_event *event, int fd, const char *authority, const H2Ops *ops, void *userdata,
              H2 **ret);
/* Right behind either: TLS or the like below HTTP/2. `data` is the connection's from then on, as
 * with stream_set_layer(). */
void h2_set_layer(H2 *h, const StreamLayer *layer, void *data);
/* Requests under way are forgotten without a callback; their owners still free them. */
H2 *h2_free(H2 *h);
DEFINE_CLEANUP(H2 *, h2_free);

H2Phase h2_phase(const H2 *h);
/* The TCP handshake went through once. */
bool h2_was_connected(const H2 *h);
/* The negative errno of H2_FAILED, -EPROTO of H2_BROKEN, else 0. */
int h2_error(const H2 *h);
/* What the peer sent first, at most H2_FIRST_BYTES_MAX bytes; *ret valid while h lives. */
size_t h2_first_bytes(const H2 *h, const uint8_t **ret);
/* Bytes received in all. */
uint64_t h2_received(const H2 *h);
/* The socket, for TCP_INFO; -EBADF when it is closed. */
int h2_fd(const H2 *h);

typedef void (*h2_response_cb)(H2Request *q, const H2Response *response, void *userdata);

/* POST path with headers and body (both copied); sent when the connection stands. The answer's body
 * may have body_max bytes. One callback, unless freed before. -EBUSY over H2_REQUESTS_MAX, -EPIPE
 * when the connection takes no more (phase H2_GOING and later). */
int h2_post(H2 *h, const char *path, const H2Header *headers, size_t n_headers, const void *body,
            size_t body_size, size_t body_max, h2_response_cb cb, void *userdata, H2Request **ret);
/* Cancels it when it is under way. */
H2Request *h2_request_free(H2Request *q);
DEFINE_CLEANUP(H2Request *, h2_request_free);

/* The last value of that name (trailers win over headers), or NULL. */
const char *h2_response_header(const H2Response *r, const char *name);
