#include "sys/dns-channel.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/strv.h"
#include "sys/deadline.h"

/* A socket each for UDP and TCP of a handful of servers. */
#define SOCKETS_MAX    32
#define TIMER_ACCURACY (1 * USEC_PER_MSEC)

struct DnsChannel {
        sd_event *event;
        ares_channel ares;
        Deadline *again; /* c-ares wants to send once more, or to give up */
        struct {
                int fd;
                sd_event_source *io;
        } sockets[SOCKETS_MAX];
        size_t n_sockets;
};

ares_channel dns_channel_ares(DnsChannel *c)
{
        return c->ares;
}

static void on_again(void *userdata)
{
        DnsChannel *c = userdata;

        ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        (void)dns_channel_arm(c);
}

int dns_channel_arm(DnsChannel *c)
{
        struct timeval tv;

        if (!ares_timeout(c->ares, NULL, &tv))
                return deadline_move(c->again, USEC_INFINITY);
        return deadline_move(c->again, (usec_t)tv.tv_sec * USEC_PER_SEC + (usec_t)tv.tv_usec);
}

static int on_socket_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        DnsChannel *c = userdata;

        /* An error condition is for c-ares to read, whichever way it waits. */
        bool bad = revents & (EPOLLERR | EPOLLHUP);
        ares_process_fd(c->ares, bad || (revents & EPOLLIN) ? fd : ARES_SOCKET_BAD,
                        revents & EPOLLOUT ? fd : ARES_SOCKET_BAD);
        (void)dns_channel_arm(c);
        return 0;
}

static void on_socket_state(void *userdata, ares_socket_t fd, int readable, int writable)
{
        DnsChannel *c = userdata;
        size_t i = 0;

        while (i < c->n_sockets && c->sockets[i].fd != fd)
                i++;
        uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
        if (events == 0) {
                if (i < c->n_sockets) {
                        sd_event_source_disable_unref(c->sockets[i].io);
                        c->sockets[i] = c->sockets[--c->n_sockets];
                }
        } else if (i < c->n_sockets)
                (void)sd_event_source_set_io_events(c->sockets[i].io, events);
        else if (c->n_sockets < SOCKETS_MAX &&
                 sd_event_add_io(c->event, &c->sockets[i].io, fd, events, on_socket_io, c) >= 0) {
                c->sockets[i].fd = fd;
                c->n_sockets++;
        }
        /* A socket that could not be watched ends in the time-out, not in a hang. */
}

static int ares_to_errno(int status)
{
        switch (status) {
        case ARES_SUCCESS:
                return 0;
        case ARES_ENOMEM:
                return -ENOMEM;
        case ARES_EFILE:
                return -EIO;
        default:
                return -EINVAL;
        }
}

int dns_channel_new(sd_event *event, const DnsChannelOptions *options, DnsChannel **ret)
{
        _cleanup_(dns_channel_freep) DnsChannel *c = new0(DnsChannel, 1);
        if (!c)
                return -ENOMEM;
        c->event = sd_event_ref(event);

        struct ares_options o = {
                .flags = options->raw_rcode ? ARES_FLAG_NOCHECKRESP : 0,
                .timeout = (int)(options->try_timeout / USEC_PER_MSEC),
                .tries = options->raw_rcode ? 1 : 3,
                .lookups = (char *)options->lookups,
                .sock_state_cb = on_socket_state,
                .sock_state_cb_data = c,
        };
        int r = ares_to_errno(ares_init_options(&c->ares, &o,
                                                ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
                                                        ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                                        ARES_OPT_SOCK_STATE_CB));
        if (r < 0) {
                c->ares = NULL;
                return r;
        }
        if (options->servers)
                r = ares_to_errno(ares_set_servers_ports_csv(c->ares, options->servers));
        if (r >= 0)
                r = deadline_new(event, USEC_INFINITY, TIMER_ACCURACY, on_again, c, &c->again);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

DnsChannel *dns_channel_free(DnsChannel *c)
{
        if (!c)
                return NULL;
        if (c->ares)
                ares_destroy(c->ares);
        for (size_t i = 0; i < c->n_sockets; i++)
                sd_event_source_disable_unref(c->sockets[i].io);
        deadline_free(c->again);
        sd_event_unref(c->event);
        free(c);
        return NULL;
}

char *dns_channel_servers(DnsChannel *c)
{
        _cleanup_strv_free_ char **list = NULL;
        struct ares_addr_port_node *nodes = NULL;
        int r = 0;

        if (ares_get_servers_ports(c->ares, &nodes) != ARES_SUCCESS)
                return NULL;
        for (struct ares_addr_port_node *n = nodes; n && r >= 0; n = n->next) {
                Addr a = {.family = n->family, .port = (uint16_t)n->udp_port};
                char buf[ADDR_PORT_MAX];
                memcpy(&a.in, &n->addr, n->family == AF_INET ? 4 : 16);
                bool plain = a.port == 0 || a.port == 53;
                r = strv_extend(&list, plain ? addr_format(buf, &a) : addr_format_port(buf, &a));
        }
        ares_free_data(nodes);
        return r < 0 ? NULL : strv_join(list, ", ");
}
