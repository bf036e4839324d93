#include "probe/talk.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/fd.h"

struct Talk {
        sd_event *event; /* weak */
        Greeting greeting;
        talk_cb cb;
        void *userdata;

        ProbeSock *sock; /* while connecting */
        int fd;
        sd_event_source *io;
        sd_event_source *deadline_timer;
        usec_t begin;
        uint8_t data[SERVICE_BYTES_MAX];
        size_t size;
        bool ended;
};

Talk *talk_free(Talk *t)
{
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->io);
        sd_event_source_disable_unref(t->deadline_timer);
        probe_sock_free(t->sock);
        safe_close(t->fd);
        free(t);
        return NULL;
}

static void fill(Talk *t, TalkAnswer *a)
{
        a->connected = t->fd >= 0;
        a->data = t->data;
        a->size = t->size;
        a->took = usec_sub(now_mono(), t->begin);
        a->stream_known = t->fd >= 0 && probe_stream_facts(t->fd, &a->stream) >= 0;
}

void talk_snapshot(Talk *t, TalkAnswer *ret)
{
        *ret = (TalkAnswer){.kind = service_identify(t->data, t->size, false)};
        fill(t, ret);
}

int talk_take_fd(Talk *t)
{
        return t->io ? -EBADF : TAKE_FD(t->fd);
}

static void end(Talk *t, ServiceKind kind, int closed)
{
        TalkAnswer a = {.kind = kind, .closed = closed};
        if (t->ended)
                return;
        t->ended = true;
        fill(t, &a);
        t->io = sd_event_source_disable_unref(t->io);
        t->deadline_timer = sd_event_source_disable_unref(t->deadline_timer);
        t->cb(t, &a, t->userdata);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Talk *t = userdata;
        ssize_t n = recv(fd, t->data + t->size, sizeof(t->data) - t->size, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0)
                t->size += (size_t)n;
        int error = n < 0 ? errno : 0;
        ServiceKind kind = service_identify(t->data, t->size, n <= 0);
        /* what has filled the buffer and is still nothing known stays unknown */
        if (kind == SERVICE_UNKNOWN && t->size == sizeof(t->data))
                kind = SERVICE_OTHER;
        if (kind != SERVICE_UNKNOWN || n <= 0)
                end(t, kind, error);
        return 0;
}

static int greet(Talk *t)
{
        size_t size;
        const uint8_t *bytes = greeting_bytes(t->greeting, &size);

        t->begin = now_mono();
        int r = sd_event_add_io(t->event, &t->io, t->fd, EPOLLIN, on_io, t);
        if (r < 0)
                return r;
        /* a fresh socket takes far more than this; a reset is told by the first read */
        if (size > 0)
                (void)send(t->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        return 0;
}

static int on_deadline_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Talk *t = userdata;
        end(t, SERVICE_UNKNOWN, 0);
        return 0;
}

static void on_sock_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        Talk *t = userdata;
        int error = f->error;

        if (f->outcome == CONNECT_ESTABLISHED)
                t->fd = probe_sock_take_fd(p);
        t->sock = probe_sock_free(t->sock); /* and the facts with it */
        /* a reset, not a refusal: it was accepted first */
        if (t->fd < 0)
                end(t, error == ECONNRESET ? SERVICE_CLOSED : SERVICE_UNKNOWN, error);
        else if (greet(t) < 0)
                end(t, SERVICE_UNKNOWN, 0);
}

int talk_new(sd_event *event, int fd, const ConnectPolicy *policy, Greeting greeting,
             usec_t timeout, talk_cb cb, void *userdata, Talk **ret)
{
        _cleanup_(talk_freep) Talk *t = new0(Talk, 1);
        if (!t)
                return -ENOMEM;
        *t = (Talk){
                .event = event,
                .greeting = greeting,
                .cb = cb,
                .userdata = userdata,
                .fd = -EBADF,
                .begin = now_mono(),
        };
        int r = sd_event_add_time_relative(event, &t->deadline_timer, CLOCK_MONOTONIC, timeout,
                                           USEC_PER_MSEC, on_deadline_timer, t);
        if (r < 0)
                return r;
        if (fd >= 0) {
                t->fd = fd;
                r = greet(t);
                if (r < 0)
                        t->fd = -EBADF; /* stays the caller's */
        } else
                r = probe_sock_new(event, policy, on_sock_answer, t, &t->sock);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}
