#include "sys/probe-sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/probe-fd.h"

#define STATE_CLOSE 7 /* tcpi_state; the kernel's own header for these is not for user space */

#define STAGGER_DEFAULT (200 * USEC_PER_MSEC)

typedef struct Attempt {
        ProbeSock *sock; /* weak */
        int fd;
        sd_event_source *io;
} Attempt;

struct ProbeSock {
        sd_event *event; /* weak */
        ConnectPolicy policy;
        char interface[IF_NAMESIZE];
        probe_sock_cb cb;
        void *userdata;

        Attempt attempts[PROBE_SOCK_MAX];
        unsigned n_attempts;
        sd_event_source *stagger_timer;
        usec_t begin;
        Attempt *winner; /* weak */
        ConnectFacts facts;
};

ProbeSock *probe_sock_free(ProbeSock *p)
{
        if (!p)
                return NULL;
        sd_event_source_disable_unref(p->stagger_timer);
        for (unsigned i = 0; i < PROBE_SOCK_MAX; i++) {
                sd_event_source_disable_unref(p->attempts[i].io);
                safe_close(p->attempts[i].fd);
        }
        free(p);
        return NULL;
}

static void note_rtt(ProbeSock *p, int fd)
{
        struct tcp_info ti;
        if (probe_fd_tcp_info(fd, &ti) >= 0)
                p->facts.rtt = ti.tcpi_rtt;
}

static void gather(ProbeSock *p)
{
        ConnectFacts *f = &p->facts;
        f->n_sockets = p->n_attempts;
        f->n_unsent = f->retransmits = f->total_retrans = f->segs_in = 0;
        for (unsigned i = 0; i < p->n_attempts; i++) {
                struct tcp_info ti;
                if (p->attempts[i].fd < 0 || probe_fd_tcp_info(p->attempts[i].fd, &ti) < 0)
                        continue;
                f->retransmits += ti.tcpi_retransmits;
                f->total_retrans += ti.tcpi_total_retrans;
                f->segs_in += ti.tcpi_segs_in;
                if (ti.tcpi_retransmits > 0 && ti.tcpi_total_retrans == 0 && ti.tcpi_segs_out == 1)
                        f->n_unsent++;
        }
        if (f->outcome == CONNECT_PENDING)
                f->took = usec_sub(now_mono(), p->begin);
}

/* The one place where an attempt ends. */
static void finish(ProbeSock *p, ConnectOutcome outcome, int error)
{
        if (p->facts.outcome != CONNECT_PENDING)
                return;
        p->facts.took = usec_sub(now_mono(), p->begin);
        p->facts.outcome = outcome;
        p->facts.error = error;
        gather(p);
        p->stagger_timer = sd_event_source_disable_unref(p->stagger_timer);
        for (unsigned i = 0; i < PROBE_SOCK_MAX; i++)
                p->attempts[i].io = sd_event_source_disable_unref(p->attempts[i].io);
        p->cb(p, &p->facts, p->userdata);
}

static int on_attempt_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Attempt *a = userdata;
        ProbeSock *p = a->sock;

        int error;
        IcmpNote note = {0};
        ConnectOutcome outcome = probe_fd_look(fd, &error, &note);

        if (note.seen)
                p->facts.icmp = note;
        if (outcome == CONNECT_ESTABLISHED) {
                p->winner = a;
                note_rtt(p, fd);
        }
        if (outcome != CONNECT_PENDING)
                finish(p, outcome, error);
        return 0;
}

static int attempt_start(ProbeSock *p)
{
        Attempt *a = &p->attempts[p->n_attempts];
        int r = a->fd = probe_fd_open(&p->policy, SOCK_STREAM);
        if (r < 0)
                return r;
        if (p->policy.mss > 0)
                (void)setsockopt(a->fd, IPPROTO_TCP, TCP_MAXSEG, &p->policy.mss,
                                 sizeof(p->policy.mss));
        r = sd_event_add_io(p->event, &a->io, a->fd, EPOLLOUT, on_attempt_io, a);
        if (r < 0)
                return r;
        p->n_attempts++;

        SockAddr sa;
        socklen_t len = addr_to_sockaddr(&p->policy.addr, &sa);
        r = connect(a->fd, &sa.sa, len) < 0 ? -errno : 0;
        if (p->n_attempts == 1) {
                struct tcp_info ti;
                p->facts.instant = r == -EINPROGRESS && probe_fd_tcp_info(a->fd, &ti) >= 0 &&
                                   ti.tcpi_state == STATE_CLOSE;
                SockAddr local;
                socklen_t n = sizeof(local);
                if (getsockname(a->fd, &local.sa, &n) == 0)
                        (void)addr_from_sockaddr(&local.sa, n, &p->facts.local);
        }
        /* what is decided already is told by poll at once, from the loop */
        return r == -EINPROGRESS ? 0 : r;
}

static int on_stagger_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        ProbeSock *p = userdata;
        /* a later socket that cannot be opened (descriptors, ports) takes nothing from the first */
        if (attempt_start(p) < 0 || p->n_attempts >= p->policy.n_sockets)
                p->stagger_timer = sd_event_source_disable_unref(p->stagger_timer);
        else {
                (void)sd_event_source_set_time_relative(s, p->policy.stagger);
                (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        }
        return 0;
}

static int on_refused_at_once(sd_event_source *s, void *userdata)
{
        ProbeSock *p = userdata;
        p->facts.at_once = true;
        if (p->attempts[0].fd >= 0) {
                IcmpNote note = {0};
                probe_fd_icmp(p->attempts[0].fd, &note);
                p->facts.icmp = note;
        }
        finish(p, CONNECT_FAILED, p->facts.error);
        return 0;
}

int probe_sock_new(sd_event *event, const ConnectPolicy *policy, probe_sock_cb cb, void *userdata,
                   ProbeSock **ret)
{
        _cleanup_(probe_sock_freep) ProbeSock *p = new0(ProbeSock, 1);
        if (!p)
                return -ENOMEM;
        *p = (ProbeSock){
                .event = event,
                .policy = *policy,
                .cb = cb,
                .userdata = userdata,
                .begin = now_mono(),
        };
        for (unsigned i = 0; i < PROBE_SOCK_MAX; i++)
                p->attempts[i] = (Attempt){.sock = p, .fd = -EBADF};
        if (policy->interface) {
                if (strlen(policy->interface) >= sizeof(p->interface))
                        return -ENODEV;
                str_copy(p->interface, sizeof(p->interface), policy->interface);
                p->policy.interface = p->interface;
        }
        if (p->policy.n_sockets == 0 || p->policy.n_sockets > PROBE_SOCK_MAX)
                p->policy.n_sockets = PROBE_SOCK_MAX;
        if (p->policy.stagger == 0)
                p->policy.stagger = STAGGER_DEFAULT;

        int r = attempt_start(p);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                /* an answer as any other, but never from inside the constructor */
                p->facts.error = -r;
                p->attempts[0].io = sd_event_source_disable_unref(p->attempts[0].io);
                r = sd_event_add_defer(event, &p->stagger_timer, on_refused_at_once, p);
        } else if (p->policy.n_sockets > 1)
                r = sd_event_add_time_relative(event, &p->stagger_timer, CLOCK_MONOTONIC,
                                               p->policy.stagger, USEC_PER_MSEC, on_stagger_timer,
                                               p);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

void probe_sock_snapshot(ProbeSock *p, ConnectFacts *ret)
{
        if (p->facts.outcome == CONNECT_PENDING)
                gather(p);
        *ret = p->facts;
}

int probe_sock_take_fd(ProbeSock *p)
{
        if (!p->winner || p->winner->fd < 0)
                return -ENOTCONN;
        if (probe_fd_recverr(p->winner->fd, p->policy.addr.family, 0) < 0)
                return -errno;
        int error;
        socklen_t len = sizeof(error);
        (void)getsockopt(p->winner->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        return TAKE_FD(p->winner->fd);
}

int probe_stream_facts(int fd, StreamFacts *ret)
{
        struct tcp_info ti;
        int r = probe_fd_tcp_info(fd, &ti);
        if (r < 0)
                return r;
        int outq = 0;
        if (ioctl(fd, SIOCOUTQ, &outq) < 0)
                return -errno;
        *ret = (StreamFacts){
                .bytes_acked = ti.tcpi_bytes_acked,
                .unsent = (unsigned)MAX(outq, 0),
                .retransmits = ti.tcpi_retransmits,
                .total_retrans = ti.tcpi_total_retrans,
                .segs_in = ti.tcpi_segs_in,
                .pmtu = ti.tcpi_pmtu,
                .rtt = ti.tcpi_rtt,
                .idle = ti.tcpi_last_data_sent * USEC_PER_MSEC,
        };
        return 0;
}

struct ProbeUdp {
        int fd;
        bool forbidden;
        IcmpNote icmp;
};

ProbeUdp *probe_udp_free(ProbeUdp *u)
{
        if (!u)
                return NULL;
        safe_close(u->fd);
        free(u);
        return NULL;
}

int probe_udp_new(const ConnectPolicy *policy, ProbeUdp **ret)
{
        _cleanup_(probe_udp_freep) ProbeUdp *u = new0(ProbeUdp, 1);
        if (!u)
                return -ENOMEM;
        u->fd = probe_fd_open(policy, SOCK_DGRAM);
        if (u->fd < 0)
                return u->fd;
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(&policy->addr, &sa);
        if (connect(u->fd, &sa.sa, len) < 0)
                return -errno;
        /* one byte: nothing that a service could take for a request */
        if (send(u->fd, "", 1, MSG_DONTWAIT) < 0 && errno == EPERM)
                u->forbidden = true;
        *ret = TAKE_PTR(u);
        return 0;
}

bool probe_udp_forbidden(const ProbeUdp *u)
{
        return u && u->forbidden;
}

void probe_udp_poll(ProbeUdp *u, IcmpNote *ret)
{
        probe_fd_icmp(u->fd, &u->icmp);
        *ret = u->icmp;
}
