#include "reflect/doors.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"

#define BACKLOG 16

typedef struct Door {
        Doors *doors; /* weak */
        uint16_t port;
        int fd;
        sd_event_source *io;
} Door;

typedef struct Guest {
        int fd; /* -EBADF: the place is free */
        sd_event_source *io;
} Guest;

struct Doors {
        sd_event *event; /* weak */
        uint8_t nonce[REFLECT_NONCE_SIZE];
        Door doors[BACK_PORTS_MAX];
        size_t n_doors;
        Guest guests[DOORS_GUESTS_MAX];
        size_t oldest;
};

/* The other side closes first, and keeps the TIME_WAIT; if it did not, a reset does without. */
static void guest_leave(Guest *g)
{
        const struct linger reset = {.l_onoff = 1};

        g->io = sd_event_source_disable_unref(g->io);
        if (g->fd >= 0)
                (void)setsockopt(g->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        g->fd = safe_close(g->fd);
}

Doors *doors_free(Doors *d)
{
        if (!d)
                return NULL;
        for (size_t i = 0; i < d->n_doors; i++) {
                sd_event_source_disable_unref(d->doors[i].io);
                safe_close(d->doors[i].fd);
        }
        for (size_t i = 0; i < DOORS_GUESTS_MAX; i++)
                guest_leave(&d->guests[i]);
        free(d);
        return NULL;
}

bool doors_have(const Doors *d, uint16_t port)
{
        for (size_t i = 0; i < d->n_doors; i++)
                if (d->doors[i].port == port)
                        return true;
        return false;
}

static int on_guest_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Guest *g = userdata;
        uint8_t ignored[64];

        ssize_t n = recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        /* it is to read and to close; what talks is not the head */
        guest_leave(g);
        return 0;
}

static int on_door_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Doors *d = ((Door *)userdata)->doors;
        _cleanup_close_ int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (conn < 0)
                return 0;
        Guest *g = &d->guests[d->oldest];
        d->oldest = (d->oldest + 1) % DOORS_GUESTS_MAX;
        guest_leave(g);
        /* 32 bytes always fit into a fresh socket */
        (void)send(conn, d->nonce, sizeof(d->nonce), MSG_DONTWAIT | MSG_NOSIGNAL);
        g->fd = TAKE_FD(conn);
        if (sd_event_add_io(d->event, &g->io, g->fd, EPOLLIN, on_guest_io, g) < 0)
                guest_leave(g);
        return 0;
}

/* One listener for both families, or for IPv4 where there is no IPv6. Connections of yesterday in
 * TIME_WAIT do not count, listeners do. */
static int listen_on(uint16_t port)
{
        static const int families[] = {AF_INET6, AF_INET};
        int one = 1, zero = 0, r = -EAFNOSUPPORT;

        for (size_t i = 0; i < ELEMENTSOF(families) && r == -EAFNOSUPPORT; i++) {
                Addr any = {.family = families[i], .port = port};
                SockAddr sa;
                socklen_t len = addr_to_sockaddr(&any, &sa);
                _cleanup_close_ int fd =
                        socket(families[i], SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                if (fd < 0) {
                        r = -errno;
                        continue;
                }
                (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
                if (families[i] == AF_INET6)
                        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
                if (bind(fd, &sa.sa, len) >= 0 && listen(fd, BACKLOG) >= 0)
                        return TAKE_FD(fd);
                /* a machine with IPv6 switched off has the family, but no such address */
                r = errno == EADDRNOTAVAIL ? -EAFNOSUPPORT : -errno;
        }
        return r;
}

int doors_open(sd_event *event, const uint16_t *ports, size_t n_ports,
               const uint8_t nonce[static REFLECT_NONCE_SIZE], Doors **ret)
{
        _cleanup_(doors_freep) Doors *d = new0(Doors, 1);
        if (!d)
                return -ENOMEM;
        d->event = event;
        memcpy(d->nonce, nonce, sizeof(d->nonce));
        for (size_t i = 0; i < DOORS_GUESTS_MAX; i++)
                d->guests[i].fd = -EBADF;
        for (size_t i = 0; i < n_ports && d->n_doors < BACK_PORTS_MAX; i++) {
                Door *o = &d->doors[d->n_doors];
                *o = (Door){.doors = d, .port = ports[i], .fd = listen_on(ports[i])};
                if (o->fd < 0)
                        continue;
                if (sd_event_add_io(event, &o->io, o->fd, EPOLLIN, on_door_io, o) < 0) {
                        o->fd = safe_close(o->fd);
                        continue;
                }
                d->n_doors++;
        }
        *ret = TAKE_PTR(d);
        return 0;
}
