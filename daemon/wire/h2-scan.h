/* The frames of an HTTP/2 server's answer, counted and not understood (RFC 9113 4.1): enough to
 * know that a PING came back and that the answer to the one request ended. In any pieces; keeps
 * nothing of what it reads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_FRAME_HEAD 9
/* What a peer may send that was told of no greater limit. */
#define H2_FRAME_MAX 16384U

typedef struct H2Scan {
        uint8_t head[H2_FRAME_HEAD];
        size_t n_head; /* of the frame under way */
        uint32_t left; /* of its payload */

        bool greeted;      /* SETTINGS came, the first frame of all */
        bool pong;         /* the acknowledgement of a PING, whole */
        bool stream_ended; /* the last frame of a stream with a number, whole */
        bool going;        /* GOAWAY */
        uint64_t received; /* bytes in all */
} H2Scan;

/* -EPROTO: not HTTP/2, or a frame over H2_FRAME_MAX; the scan is at its end then. */
int h2_scan(H2Scan *s, const uint8_t *data, size_t n);
