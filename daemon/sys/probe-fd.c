#include "sys/probe-fd.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "base/fd.h"
#include "base/str.h"

/* tcpi_state; the kernel's own header for these is not for user space */
#define STATE_ESTABLISHED 1
#define STATE_CLOSE_WAIT  8

int probe_fd_recverr(int fd, int family, int on)
{
        return family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on))
                                  : setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
}

static void set_ttl(int fd, const ConnectPolicy *policy)
{
        bool six = policy->addr.family == AF_INET6;
        if (policy->ttl > 0)
                (void)setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
                                 six ? IPV6_UNICAST_HOPS : IP_TTL, &policy->ttl,
                                 sizeof(policy->ttl));
}

int probe_fd_open(const ConnectPolicy *policy, int type)
{
        _cleanup_close_ int fd =
                socket(policy->addr.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (probe_fd_recverr(fd, policy->addr.family, 1) < 0)
                return -errno;
        set_ttl(fd, policy);
        if (policy->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, policy->interface,
                                            (socklen_t)strlen(policy->interface)) < 0)
                return -errno;
        if (addr_is_set(&policy->from)) {
                int one = 1;
                (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
                Addr from = policy->from;
                from.port = 0;
                SockAddr sa;
                socklen_t len = addr_to_sockaddr(&from, &sa);
                if (bind(fd, &sa.sa, len) < 0)
                        return -errno;
        }
        return TAKE_FD(fd);
}

void probe_fd_icmp(int fd, IcmpNote *note)
{
        for (;;) {
                uint8_t control[512];
                uint8_t payload[64];
                struct iovec iov = {.iov_base = payload, .iov_len = sizeof(payload)};
                struct msghdr m = {
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control),
                };
                if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
                        return;
                for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
                        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
                        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
                        if ((!v4 && !v6) ||
                            c->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err) +
                                                   sizeof(struct sockaddr_in)))
                                continue;
                        struct sock_extended_err e;
                        memcpy(&e, CMSG_DATA(c), sizeof(e));
                        if (e.ee_origin != SO_EE_ORIGIN_ICMP && e.ee_origin != SO_EE_ORIGIN_ICMP6)
                                continue;
                        if (e.ee_errno == EMSGSIZE || e.ee_errno == 0)
                                continue;
                        SockAddr sa = {0};
                        size_t off = CMSG_LEN(sizeof(e)), n = MIN(c->cmsg_len - off, sizeof(sa));
                        memcpy(&sa, (const uint8_t *)c + off, n);
                        *note = (IcmpNote){.seen = true,
                                           .type = e.ee_type,
                                           .code = e.ee_code,
                                           .error = (int)e.ee_errno};
                        if (addr_from_sockaddr(&sa.sa, (socklen_t)n, &note->from) < 0)
                                note->from = (Addr){0};
                        note->from.port = 0;
                }
        }
}

int probe_fd_tcp_info(int fd, struct tcp_info *ret)
{
        socklen_t len = sizeof(*ret);
        memset(ret, 0, sizeof(*ret));
        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len) < 0 ? -errno : 0;
}

ConnectOutcome probe_fd_look(int fd, int *ret_error, IcmpNote *note)
{
        int error = 0;
        socklen_t len = sizeof(error);
        IcmpNote seen = {0};
        struct tcp_info ti = {0};

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                error = errno;
        probe_fd_icmp(fd, &seen);
        if (seen.seen)
                *note = seen;
        if (error == 0)
                error = -probe_fd_tcp_info(fd, &ti);
        /* CLOSE_WAIT: it was established and the other side has closed already */
        bool up = ti.tcpi_state == STATE_ESTABLISHED || ti.tcpi_state == STATE_CLOSE_WAIT;
        /* the ICMP met a locked socket: the kernel counts LockDroppedIcmps and goes on */
        if (error == 0 && !up && seen.seen)
                error = seen.error;
        *ret_error = error;
        return error != 0 ? CONNECT_FAILED : up ? CONNECT_ESTABLISHED : CONNECT_PENDING;
}
