#include "sys/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/time.h"

/* How long nothing is accepted when descriptors or memory ran out: the kernel keeps the connection,
 * and poll would tell of it again at once. */
#define PAUSE (100 * USEC_PER_MSEC)

static int listen_on(const Addr *addr, int backlog, int *ret_fd)
{
        SockAddr sa;
        int on = 1, off = 0;

        _cleanup_close_ int fd =
                socket(addr->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        if (addr->family == AF_INET6 &&
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
                return -errno;
        socklen_t len = addr_to_sockaddr(addr, &sa);
        if (bind(fd, &sa.sa, len) < 0 || listen(fd, backlog) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int tcp_listen(uint16_t port, int backlog, int *ret_fd)
{
        const Addr both = {.family = AF_INET6, .port = port};
        const Addr v4 = {.family = AF_INET, .port = port};

        int r = listen_on(&both, backlog, ret_fd);
        /* without IPv6 in the kernel, and with IPv6 switched off in it */
        if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)
                r = listen_on(&v4, backlog, ret_fd);
        return r;
}

int tcp_listen_inherited(uint16_t port, int *ret_fd)
{
        int n = sd_listen_fds(0);

        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
                int flags = fcntl(fd, F_GETFL);
                if (flags < 0 || sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, port) <= 0)
                        continue;
                if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                        return -errno;
                /* the environment still names it: a copy, so that it can be closed and asked for
                 * again */
                int copy = fcntl(fd, F_DUPFD_CLOEXEC, SD_LISTEN_FDS_START + n);
                if (copy < 0)
                        return -errno;
                *ret_fd = copy;
                return 0;
        }
        return n < 0 ? n : -ENOENT;
}

bool tcp_has_hung_up(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLRDHUP};

        return poll(&p, 1, 0) > 0;
}

struct Acceptor {
        int fd;
        sd_event_source *io;
        sd_event_source *pause_timer;
        bool held;
        acceptor_cb cb;
        void *userdata;
};

static int on_pause_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Acceptor *a = userdata;

        if (!a->held)
                (void)sd_event_source_set_enabled(a->io, SD_EVENT_ON);
        return 0;
}

static void accept_pause(Acceptor *a)
{
        (void)sd_event_source_set_enabled(a->io, SD_EVENT_OFF);
        (void)sd_event_source_set_time_relative(a->pause_timer, PAUSE);
        (void)sd_event_source_set_enabled(a->pause_timer, SD_EVENT_ONESHOT);
}

static int on_accept(sd_event_source *s, int listener, uint32_t revents, void *userdata)
{
        Acceptor *a = userdata;
        SockAddr peer, local;
        socklen_t peer_len = sizeof(peer), local_len = sizeof(local);
        Addr from, to;

        _cleanup_close_ int fd =
                accept4(listener, &peer.sa, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                        accept_pause(a);
                return 0; /* all else is a connection that is gone again */
        }
        if (getsockname(fd, &local.sa, &local_len) < 0 ||
            addr_from_sockaddr(&peer.sa, peer_len, &from) < 0 ||
            addr_from_sockaddr(&local.sa, local_len, &to) < 0)
                return 0;
        addr_unmap(&from);
        addr_unmap(&to);
        a->cb(a, TAKE_FD(fd), &from, &to, a->userdata);
        return 0;
}

int acceptor_new(sd_event *event, int fd, acceptor_cb cb, void *userdata, Acceptor **ret)
{
        _cleanup_(acceptor_freep) Acceptor *a = new0(Acceptor, 1);
        if (!a)
                return -ENOMEM;
        *a = (Acceptor){.fd = -EBADF, .cb = cb, .userdata = userdata};
        int r = sd_event_add_io(event, &a->io, fd, EPOLLIN, on_accept, a);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &a->pause_timer, CLOCK_MONOTONIC, PAUSE, 0,
                                               on_pause_timer, a);
        if (r >= 0)
                r = sd_event_source_set_enabled(a->pause_timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        a->fd = fd;
        *ret = TAKE_PTR(a);
        return 0;
}

void acceptor_hold(Acceptor *a, bool hold)
{
        a->held = hold;
        (void)sd_event_source_set_enabled(a->io, hold ? SD_EVENT_OFF : SD_EVENT_ON);
}

Acceptor *acceptor_free(Acceptor *a)
{
        if (!a)
                return NULL;
        sd_event_source_disable_unref(a->io);
        sd_event_source_disable_unref(a->pause_timer);
        safe_close(a->fd);
        free(a);
        return NULL;
}
