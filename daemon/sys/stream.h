/* A non-blocking TCP connection on the event loop: connect, read, write with a buffer.
 *
 * Callbacks come from the loop only, one an event, and are the last thing the stream does in it: a
 * stream may be freed from inside its own callback. After on_closed nothing more comes. A stream
 * has no timers; deadlines belong to whoever waits. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/addr.h"

typedef struct Stream Stream;

typedef struct StreamOps {
        void (*on_connected)(Stream *s, void *userdata);
        /* `data` is valid during the callback only. */
        void (*on_data)(Stream *s, const uint8_t *data, size_t size, void *userdata);
        /* What was buffered is in the kernel; may be NULL. */
        void (*on_drained)(Stream *s, void *userdata);
        /* 0: the peer closed (EOF); else a negative errno: connect failed, reset, write failed. */
        void (*on_closed)(Stream *s, int error, void *userdata);
} StreamOps;

/* What lies between the socket and the bytes; NULL = nothing (plain TCP). TLS comes in here
 * (sys/tls-client). handshake is called after the connect and on every event until it returns 0;
 * read and write behave as the system calls but return a negative errno. -EAGAIN: *ret_events
 * (EPOLLIN, EPOLLOUT) says what to wait for. A read takes no more from the socket than it gives:
 * nobody asks again for what a layer keeps. */
typedef struct StreamLayer {
        int (*handshake)(void *layer, int fd, uint32_t *ret_events);
        ssize_t (*read)(void *layer, int fd, void *data, size_t size, uint32_t *ret_events);
        ssize_t (*write)(void *layer, int fd, const void *data, size_t size, uint32_t *ret_events);
        void (*free)(void *layer);
} StreamLayer;

/* Most bytes waiting to be written. Our requests are some hundred bytes; a peer that does not read
 * cannot make us keep more. */
#define STREAM_OUTPUT_MAX ((size_t)1 << 20)

/* addr needs a port. Failures of the connect come by on_closed, also those that are known at once.
 */
int stream_connect(sd_event *event, const Addr *addr, const StreamOps *ops, void *userdata,
                   Stream **ret);
/* Takes over a connected socket on success (made non-blocking by the caller); on_connected comes
 * from the loop. */
int stream_new_fd(sd_event *event, int fd, const StreamOps *ops, void *userdata, Stream **ret);
/* Before the first event; the stream owns `data` from then on and frees it by layer->free. */
void stream_set_layer(Stream *s, const StreamLayer *layer, void *data);
Stream *stream_free(Stream *s);
DEFINE_CLEANUP(Stream *, stream_free);

/* Written at once as far as the kernel takes it, the rest when it can. -EMSGSIZE beyond
 * STREAM_OUTPUT_MAX, -ENOTCONN after on_closed; errors of the socket come by on_closed. */
int stream_write(Stream *s, const void *data, size_t size);
/* What comes here has its turn before the sources of larger numbers (sd_event_source_set_priority).
 */
int stream_set_priority(Stream *s, int64_t priority);
/* Bytes that the kernel has not taken yet. */
size_t stream_pending(const Stream *s);
/* For TCP_INFO and the error queue; -EBADF when there is none. Stays the stream's. */
int stream_fd(const Stream *s);
