#include "sys/port-try.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "sys/probe-fd.h"

/* A connection to a port of this very machine can be one with itself, when the kernel chose the
 * same number on our side. */
static bool is_own_echo(int fd)
{
        SockAddr a, b;
        socklen_t n = sizeof(a), m = sizeof(b);
        Addr here, there;

        return getsockname(fd, &a.sa, &n) == 0 && getpeername(fd, &b.sa, &m) == 0 &&
               addr_from_sockaddr(&a.sa, n, &here) >= 0 &&
               addr_from_sockaddr(&b.sa, m, &there) >= 0 && addr_equal(&here, &there) &&
               here.port == there.port;
}

static bool is_lack(int error)
{
        return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
               error == EADDRNOTAVAIL || error == EADDRINUSE || error == EAGAIN;
}

static PortAnswer failure(int error, const IcmpNote *icmp)
{
        if (icmp->seen)
                return (PortAnswer){.state = PORT_REJECTED, .icmp = *icmp};
        if (error == ECONNREFUSED)
                return (PortAnswer){.state = PORT_REFUSED};
        /* a SYN that is refused gives ECONNREFUSED: this one was accepted first */
        if (error == ECONNRESET || error == EPIPE)
                return (PortAnswer){.state = PORT_OPEN};
        return (PortAnswer){.state = PORT_FAILED, .error = error};
}

int port_try_begin(const ConnectPolicy *policy, int *ret_fd, PortAnswer *ret)
{
        _cleanup_close_ int fd = probe_fd_open(policy, SOCK_STREAM);
        IcmpNote icmp = {0};
        SockAddr sa;

        if (fd < 0 && is_lack(-fd))
                return fd;
        if (fd < 0) {
                *ret = (PortAnswer){.state = PORT_FAILED, .error = -fd};
                return 0;
        }
        socklen_t len = addr_to_sockaddr(&policy->addr, &sa);
        if (connect(fd, &sa.sa, len) < 0 && errno != EINPROGRESS) {
                int error = errno;
                if (is_lack(error))
                        return -error;
                probe_fd_icmp(fd, &icmp);
                *ret = failure(error, &icmp);
                return 0;
        }
        *ret = (PortAnswer){.state = PORT_SILENT};
        *ret_fd = TAKE_FD(fd);
        return 1;
}

bool port_try_look(int fd, PortAnswer *ret)
{
        static const struct linger reset = {.l_onoff = 1};
        IcmpNote icmp = {0};
        int error;

        switch (probe_fd_look(fd, &error, &icmp)) {
        case CONNECT_ESTABLISHED: {
                bool echo = is_own_echo(fd);
                (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
                *ret = (PortAnswer){.state = echo ? PORT_REFUSED : PORT_OPEN};
                return true;
        }
        case CONNECT_FAILED:
                *ret = failure(error, &icmp);
                return true;
        default:
                return false;
        }
}
