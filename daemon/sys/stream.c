/*
 *   CONNECTING --writable, SO_ERROR 0--> HANDSHAKE --layer done (at once without one)--> OPEN
 *       |                                    |                                           |
 *       +------ error --> CLOSED <-- error --+------------- EOF, error ------------------+
 */
#include "sys/stream.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fd.h"

/* One read an event: a table of ten thousand nodes is a few hundred events, and other sources get
 * their turn in between. */
#define READ_SIZE ((size_t)16 << 10)

typedef enum StreamState {
        STREAM_CONNECTING,
        STREAM_HANDSHAKE, /* connected; the layer is not through */
        STREAM_OPEN,
        STREAM_CLOSED, /* on_closed was or is being called */
} StreamState;

struct Stream {
        sd_event *event;
        int fd;
        StreamState state;
        sd_event_source *io;
        sd_event_source *defer; /* an error known before the first event */
        Buf output;
        int error; /* of a write or the connect, told when what came in is read */
        /* What the layer waits for when its turn to read (the handshake, too) or to write brought
         * -EAGAIN; 0 = input for the one, room for the other. */
        uint32_t read_wait, write_wait;
        const StreamLayer *layer;
        void *layer_data;
        StreamOps ops;
        void *userdata;
};

Stream *stream_free(Stream *s)
{
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->io);
        sd_event_source_disable_unref(s->defer);
        if (s->layer && s->layer->free)
                s->layer->free(s->layer_data);
        s->fd = safe_close(s->fd);
        buf_done(&s->output);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

static void stream_set_state(Stream *s, StreamState state)
{
        assert(state > s->state); /* forwards only */
        s->state = state;
}

static bool wants_to_write(const Stream *s)
{
        return buf_size(&s->output) > 0 && s->error == 0;
}

static void stream_watch(Stream *s)
{
        uint32_t events = EPOLLOUT;

        if (s->state != STREAM_CONNECTING)
                events = s->read_wait ? s->read_wait : EPOLLIN;
        if (s->state == STREAM_OPEN && wants_to_write(s))
                events |= s->write_wait ? s->write_wait : EPOLLOUT;
        (void)sd_event_source_set_io_events(s->io, events);
}

/* The last thing done in a dispatch: the owner may free the stream in it. */
static int stream_close(Stream *s, int error)
{
        stream_set_state(s, STREAM_CLOSED);
        s->io = sd_event_source_disable_unref(s->io);
        s->defer = sd_event_source_disable_unref(s->defer);
        s->fd = safe_close(s->fd);
        s->ops.on_closed(s, error, s->userdata);
        return 0;
}

static int on_defer(sd_event_source *source, void *userdata)
{
        Stream *s = userdata;

        return stream_close(s, s->error);
}

static ssize_t do_read(Stream *s, void *data, size_t size)
{
        s->read_wait = 0;
        if (s->layer)
                return s->layer->read(s->layer_data, s->fd, data, size, &s->read_wait);
        ssize_t n = recv(s->fd, data, size, MSG_DONTWAIT);
        return n < 0 ? -errno : n;
}

static ssize_t do_write(Stream *s, const void *data, size_t size)
{
        s->write_wait = 0;
        if (s->layer)
                return s->layer->write(s->layer_data, s->fd, data, size, &s->write_wait);
        ssize_t n = send(s->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
}

/* Sends what is buffered. An error is kept until the input is read to its end: what the peer said
 * before it closed is often the reason. */
static void stream_flush(Stream *s)
{
        while (wants_to_write(s)) {
                ssize_t n = do_write(s, buf_data(&s->output), buf_size(&s->output));
                if (n == -EINTR)
                        continue;
                if (n == -EAGAIN)
                        return;
                if (n < 0) {
                        s->error = (int)n;
                        return;
                }
                buf_consume(&s->output, (size_t)n);
        }
}

static int stream_read(Stream *s)
{
        uint8_t data[READ_SIZE];
        ssize_t n = do_read(s, data, sizeof(data));

        if (n == -EAGAIN || n == -EINTR) {
                stream_watch(s);
                return 0;
        }
        if (n <= 0)
                return stream_close(s, n < 0 ? (int)n : s->error);
        stream_watch(s);
        s->ops.on_data(s, data, (size_t)n, s->userdata);
        return 0;
}

static int stream_handshake(Stream *s)
{
        s->read_wait = 0;
        if (s->layer && s->layer->handshake) {
                int r = s->layer->handshake(s->layer_data, s->fd, &s->read_wait);
                if (r < 0 && r != -EAGAIN)
                        return stream_close(s, r);
                if (r == -EAGAIN) {
                        stream_watch(s);
                        return 0;
                }
        }
        stream_set_state(s, STREAM_OPEN);
        stream_flush(s);
        stream_watch(s);
        if (s->ops.on_connected)
                s->ops.on_connected(s, s->userdata);
        return 0;
}

static int stream_finish_connect(Stream *s)
{
        int error = 0;
        socklen_t len = sizeof(error);

        if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                error = errno;
        /* A refused SYN is ECONNREFUSED; ECONNRESET means that the handshake was through and the
         * reset came on its heels. */
        if (error != 0 && error != ECONNRESET)
                return stream_close(s, -error);
        s->error = -error;
        stream_set_state(s, STREAM_HANDSHAKE);
        return stream_handshake(s);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Stream *s = userdata;

        switch (s->state) {
        case STREAM_CONNECTING:
                return stream_finish_connect(s);
        case STREAM_HANDSHAKE:
                return stream_handshake(s);
        case STREAM_OPEN:
                break;
        case STREAM_CLOSED:
                return 0;
        }
        uint32_t input = (s->read_wait ? s->read_wait : EPOLLIN) | EPOLLHUP | EPOLLERR;
        bool waiting = buf_size(&s->output) > 0;
        if (revents & (EPOLLOUT | s->write_wait))
                stream_flush(s);
        if (waiting && buf_size(&s->output) == 0 && s->ops.on_drained) {
                stream_watch(s); /* input, if any, has the next event */
                s->ops.on_drained(s, s->userdata);
                return 0;
        }
        if (revents & input)
                return stream_read(s);
        stream_watch(s);
        return 0;
}

static int stream_new(sd_event *event, int fd, StreamState state, const StreamOps *ops,
                      void *userdata, Stream **ret)
{
        _cleanup_(stream_freep) Stream *s = new0(Stream, 1);
        if (!s)
                return -ENOMEM;
        *s = (Stream){
                .event = sd_event_ref(event),
                .fd = -EBADF,
                .state = state,
                .output.limit = STREAM_OUTPUT_MAX,
                .ops = *ops,
                .userdata = userdata,
        };
        /* Both states begin with "writable". */
        int r = sd_event_add_io(event, &s->io, fd, EPOLLOUT, on_io, s);
        if (r < 0)
                return r;
        (void)sd_event_source_set_description(s->io, "stream-io");
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        s->fd = fd;
        *ret = TAKE_PTR(s);
        return 0;
}

int stream_new_fd(sd_event *event, int fd, const StreamOps *ops, void *userdata, Stream **ret)
{
        return stream_new(event, fd, STREAM_CONNECTING, ops, userdata, ret);
}

int stream_connect(sd_event *event, const Addr *addr, const StreamOps *ops, void *userdata,
                   Stream **ret)
{
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(addr, &sa);

        if (addr->port == 0 || !addr_is_set(addr))
                return -EINVAL;
        _cleanup_close_ int fd =
                socket(sa.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        _cleanup_(stream_freep) Stream *s = NULL;
        int r = stream_new(event, fd, STREAM_CONNECTING, ops, userdata, &s);
        if (r < 0)
                return r;
        TAKE_FD(fd); /* the stream's now */
        if (connect(s->fd, &sa.sa, len) < 0 && errno != EINPROGRESS) {
                s->error = -errno;
                s->io = sd_event_source_disable_unref(s->io);
                r = sd_event_add_defer(event, &s->defer, on_defer, s);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

void stream_set_layer(Stream *s, const StreamLayer *layer, void *data)
{
        s->layer = layer;
        s->layer_data = data;
}

int stream_write(Stream *s, const void *data, size_t size)
{
        if (s->state == STREAM_CLOSED)
                return -ENOTCONN;
        if (s->error != 0)
                return 0; /* on_closed is on its way */
        int r = buf_append(&s->output, data, size);
        if (r < 0)
                return r;
        if (s->state == STREAM_OPEN) {
                stream_flush(s);
                stream_watch(s);
        }
        return 0;
}

int stream_set_priority(Stream *s, int64_t priority)
{
        return s->io ? sd_event_source_set_priority(s->io, priority) : -ENOTCONN;
}

size_t stream_pending(const Stream *s)
{
        return buf_size(&s->output);
}

int stream_fd(const Stream *s)
{
        return s->fd;
}
