/* What is inside a connection: for h2.c and h2-request.c only. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "sys/h2.h"
#include "sys/stream.h"

struct H2Request {
        H2 *h;      /* weak; NULL once the connection let go of it */
        int stream; /* nghttp2's id, < 0 = not under way any more */
        H2Request *next;
        Buf body; /* what is sent, then what came */
        size_t body_max;
        bool sent, done;
        H2Response response;
        char *names[H2_HEADERS_MAX]; /* "name\0value", owned */
        H2Header headers[H2_HEADERS_MAX];
        size_t headers_size;
        h2_response_cb cb;
        void *userdata;
};

struct H2 {
        Stream *stream;
        nghttp2_session *session;
        sd_event_source *defer;
        char *authority;
        bool secure;         /* there is a layer below */
        H2Phase phase, told; /* told: the last one on_phase heard of */
        int error;
        uint32_t goaway_code;
        bool was_connected;
        uint64_t received;
        uint8_t first[H2_FIRST_BYTES_MAX];
        size_t n_first;
        H2Request *requests;
        size_t n_requests; /* under way */
        H2Ops ops;
        void *userdata;
};

/* Have the defer source tell callers what is new. */
void h2_wake(H2 *h);
/* As much to the stream as it takes; may end the connection. */
void h2_flush(H2 *h);

/* Have nghttp2 tell the requests what comes for them. */
void h2_request_set_callbacks(nghttp2_session_callbacks *callbacks);
/* The end of a request that is not done yet: the answer is whole, the callback is due. */
void h2_request_finish(H2Request *q, int error, uint32_t code);
/* The connection forgets it; nothing happens when it has done so before. */
void h2_request_unlink(H2Request *q);
