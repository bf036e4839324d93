/*
 *   OUT ──acknowledged──> IN ──answered──────────────> DONE
 *    │                     └──nothing for 600 ms──┐
 *    └──two retransmissions, nothing acknowledged─┴──> SIZES ──1.5 s, and all sizes had 250 ms──>
 * DONE
 */
#include "probe/large.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fd.h"
#include "probe/service.h"
#include "wire/h2-scan.h"

#define TICK (50 * USEC_PER_MSEC)
/* An answer of a GCS takes a millisecond; its kernel sends again after 200 and 600 ms. */
#define IN_SILENCE (600 * USEC_PER_MSEC)
/* Before that a lost packet sent again three times would look like a hole. */
#define HOLE_AFTER (1500 * USEC_PER_MSEC)
#define SIZES_WAIT (250 * USEC_PER_MSEC)
#define GIVE_UP    (2100 * USEC_PER_MSEC)
/* An answer of less fits into one packet of any network. */
#define IN_SMALL  1024
#define IN_PLAIN  4096 /* whatever follows, large packets arrive */
#define OUT_PLAIN 2048U

#define IP4_TCP 40 /* bytes of the headers without options, which TCP_MAXSEG leaves out */
#define IP6_TCP 60

/* Largest packets of common paths: jumbo frames, Ethernet, PPPoE, VXLAN, WireGuard, GRE and other
 * tunnels, IPv6's least, and what fits through everything. */
static const unsigned sizes[] = {4000, 1500, 1492, 1450, 1420, 1400, 1280, 576};

typedef enum LargeState {
        LARGE_OUT,   /* 16 KiB are on their way */
        LARGE_IN,    /* they arrived; so does the large answer? */
        LARGE_SIZES, /* one of the two does not: in which sizes does it? */
        LARGE_DONE,  /* the owner was told */
        _LARGE_STATE_MAX,
        _LARGE_STATE_INVALID = -EINVAL,
} LargeState;

/* One connection. */
typedef struct Try {
        Large *large; /* weak */
        unsigned size;
        ProbeSock *sock; /* while connecting */
        int fd;
        sd_event_source *io;
        Buf out;
        H2Scan scan;
        bool dead, arrived;
} Try;

struct Large {
        sd_event *event; /* weak */
        ConnectPolicy policy;
        large_cb cb;
        void *userdata;

        LargeState state;
        LargeFacts facts;
        bool in; /* what is tried in sizes */
        Try first, tries[ELEMENTSOF(sizes)];
        size_t n_tries;
        uint64_t out_base, in_base; /* bytes_acked and bytes received before */
        usec_t since;               /* of OUT or IN */
        usec_t small_at;            /* the smallest size passed */
        sd_event_source *tick_timer;
};

static const uint32_t next_states[_LARGE_STATE_MAX] = {
        [LARGE_OUT] = 1U << LARGE_IN | 1U << LARGE_SIZES | 1U << LARGE_DONE,
        [LARGE_IN] = 1U << LARGE_SIZES | 1U << LARGE_DONE,
        [LARGE_SIZES] = 1U << LARGE_DONE,
};

static int large_set_state(Large *l, LargeState state)
{
        if (!(next_states[l->state] & 1U << state))
                return -EPROTO;
        l->state = state;
        return 0;
}

/* --- bytes -------------------------------------------------------------------------------------
 */

static const uint8_t settings_ack[] = {0, 0, 0, 4, 1, 0, 0, 0, 0};
/* of a type that RFC 9113 5.5 has every peer ignore, as long as a frame may be */
static const uint8_t unknown_head[] = {0, 0x40, 0, 0xfa, 0, 0, 0, 0, 0};
static const uint8_t ping[] = {0, 0, 8, 6, 0, 0, 0, 0, 0, 'r', 'a', 'y', 'p', 'r', 'o', 'b', 'e'};

/* HEADERS of stream 1 in HPACK's plainest form, and DATA: ServerReflectionRequest
 * {file_containing_symbol: "grpc.channelz.v1.Channelz"}. */
static const char request_fields[] =
        "\x83\x86" /* POST, http */
        "\x04\x3e/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        "\x01\x09ray-probe"
        "\x0f\x10\x10"
        "application/grpc"
        "\x00\x02te\x08trailers";
static const char request_message[] = "\x00\x00\x00\x00\x1b"
                                      "\x22\x19grpc.channelz.v1.Channelz";

static int add_frame(Buf *b, uint8_t type, uint8_t flags, const char *data, size_t n)
{
        const uint8_t head[H2_FRAME_HEAD] = {0, 0, (uint8_t)n, type, flags, 0, 0, 0, 1};
        int r = buf_append(b, head, sizeof(head));
        return r < 0 ? r : buf_append(b, data, n);
}

static int add_large(Buf *b)
{
        static const uint8_t nothing[H2_FRAME_MAX];
        int r = buf_append(b, settings_ack, sizeof(settings_ack));
        if (r >= 0)
                r = buf_append(b, unknown_head, sizeof(unknown_head));
        if (r >= 0)
                r = buf_append(b, nothing, sizeof(nothing));
        return r < 0 ? r : buf_append(b, ping, sizeof(ping));
}

static int add_question(Buf *b)
{
        int r = add_frame(b, 1, 4, request_fields, sizeof(request_fields) - 1);
        return r < 0 ? r : add_frame(b, 0, 1, request_message, sizeof(request_message) - 1);
}

/* --- one connection ----------------------------------------------------------------------------
 */

static void try_done(Try *t)
{
        t->io = sd_event_source_disable_unref(t->io);
        t->sock = probe_sock_free(t->sock);
        t->fd = safe_close(t->fd);
        buf_done(&t->out);
}

static void try_flush(Try *t)
{
        while (buf_size(&t->out) > 0) {
                ssize_t n = send(t->fd, buf_data(&t->out), buf_size(&t->out),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n < 0) {
                        t->dead = t->dead || (errno != EAGAIN && errno != EINTR);
                        break;
                }
                buf_consume(&t->out, (size_t)n);
        }
        (void)sd_event_source_set_io_events(t->io,
                                            EPOLLIN | (buf_size(&t->out) > 0 ? EPOLLOUT : 0));
}

static void try_read(Try *t)
{
        uint8_t data[16384];
        ssize_t n = recv(t->fd, data, sizeof(data), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0 || h2_scan(&t->scan, data, (size_t)n) < 0)
                t->dead = true;
}

/* All that was sent was taken by the head's kernel. */
static bool try_acked(const Try *t, StreamFacts *f)
{
        return t->fd >= 0 && probe_stream_facts(t->fd, f) >= 0 && buf_size(&t->out) == 0 &&
               f->unsent == 0;
}

static bool answer_arrived(const Try *t, uint64_t base)
{
        uint64_t n = t->scan.received - base;
        return n >= IN_PLAIN || (n >= IN_SMALL && t->scan.stream_ended);
}

static void look(Large *l);

static int on_try_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Try *t = userdata;
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                try_read(t);
        if (!t->dead && buf_size(&t->out) > 0)
                try_flush(t);
        if (t->dead)
                t->io = sd_event_source_disable_unref(t->io);
        look(t->large);
        return 0;
}

static int try_watch(Try *t)
{
        return sd_event_add_io(t->large->event, &t->io, t->fd, EPOLLIN, on_try_io, t);
}

static void on_try_connected(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        Try *t = userdata;
        Large *l = t->large;
        size_t size;
        const uint8_t *greeting = greeting_bytes(GREETING_HTTP2, &size);

        if (f->outcome == CONNECT_ESTABLISHED)
                t->fd = probe_sock_take_fd(p);
        t->sock = probe_sock_free(t->sock);
        int r = t->fd < 0 ? -ENOTCONN : buf_append(&t->out, greeting, size);
        if (r >= 0)
                r = l->in ? add_question(&t->out) : add_large(&t->out);
        if (r >= 0)
                r = try_watch(t);
        if (r < 0)
                t->dead = true;
        else
                try_flush(t);
}

/* --- the decision ------------------------------------------------------------------------------
 */

static void end(Large *l)
{
        StreamFacts f;
        if (large_set_state(l, LARGE_DONE) < 0)
                return;
        if (l->first.fd >= 0 && probe_stream_facts(l->first.fd, &f) >= 0) {
                l->facts.pmtu = f.pmtu;
                l->facts.lost = f.total_retrans;
        }
        l->tick_timer = sd_event_source_disable_unref(l->tick_timer);
        try_done(&l->first);
        for (size_t i = 0; i < l->n_tries; i++)
                try_done(&l->tries[i]);
        l->cb(l, &l->facts, l->userdata);
}

static bool still_lost(const Large *l, bool in)
{
        StreamFacts f;
        if (in)
                return l->first.scan.received - l->in_base < IN_SMALL;
        return l->first.fd >= 0 && probe_stream_facts(l->first.fd, &f) >= 0 && f.unsent > 0 &&
               f.bytes_acked <= l->out_base;
}

static void try_sizes(Large *l, bool in)
{
        int headers = l->policy.addr.family == AF_INET6 ? IP6_TCP : IP4_TCP;

        if (large_set_state(l, LARGE_SIZES) < 0)
                return;
        l->in = in;
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                if (sizes[i] >= l->facts.tried)
                        continue;
                Try *t = &l->tries[l->n_tries++];
                *t = (Try){.large = l, .size = sizes[i], .fd = -EBADF};
                ConnectPolicy policy = l->policy;
                policy.n_sockets = 2;
                policy.mss = (int)sizes[i] - headers;
                t->dead = probe_sock_new(l->event, &policy, on_try_connected, t, &t->sock) < 0;
        }
}

/* Two full packets at least, whatever is lost of the rest. */
static bool packets_arrived(const Try *t)
{
        StreamFacts f;
        return t->scan.pong ||
               (probe_stream_facts(t->fd, &f) >= 0 && f.bytes_acked >= MAX(2 * t->size, OUT_PLAIN));
}

static void judge_sizes(Large *l)
{
        usec_t now = now_mono();

        for (size_t i = 0; i < l->n_tries; i++) {
                Try *t = &l->tries[i];
                if (!t->arrived && t->fd >= 0)
                        t->arrived = l->in ? answer_arrived(t, 0) : packets_arrived(t);
                if (t->arrived && l->small_at == 0)
                        l->small_at = now;
                if (t->arrived && t->size > l->facts.fits)
                        l->facts.fits = t->size;
        }
        if (usec_sub(now, l->since) < HOLE_AFTER ||
            (l->small_at > 0 && usec_sub(now, l->small_at) < SIZES_WAIT) ||
            (l->small_at == 0 && usec_sub(now, l->since) < GIVE_UP))
                return;
        LargeOutcome o = !still_lost(l, l->in) ? LARGE_ARRIVED
                         : l->small_at > 0     ? LARGE_HOLE
                                               : LARGE_LOST;
        if (l->in)
                l->facts.in = o;
        else
                l->facts.out = o;
        l->facts.in_vain = o == LARGE_LOST;
        end(l);
}

/* Its time is over. */
static void give_up(Large *l)
{
        l->facts.in_vain = true;
        end(l);
}

static void ask(Large *l)
{
        if (large_set_state(l, LARGE_IN) < 0)
                return;
        l->facts.out = LARGE_ARRIVED;
        l->since = now_mono();
        l->in_base = l->first.scan.received;
        if (add_question(&l->first.out) < 0)
                end(l);
        else
                try_flush(&l->first);
}

static void look_out(Large *l)
{
        StreamFacts f = {0};

        if (l->first.scan.pong || try_acked(&l->first, &f))
                ask(l);
        else if (f.retransmits >= 2 && f.bytes_acked <= l->out_base)
                try_sizes(l, false);
        else if (usec_sub(now_mono(), l->since) >= HOLE_AFTER)
                give_up(l);
}

static void look_in(Large *l)
{
        StreamFacts f;
        Try *t = &l->first;

        if (answer_arrived(t, l->in_base)) {
                l->facts.in = LARGE_ARRIVED;
                end(l);
        } else if (t->scan.stream_ended)
                end(l); /* no reflection there, or one of few words */
        else if (usec_sub(now_mono(), l->since) >= IN_SILENCE && still_lost(l, true) &&
                 try_acked(t, &f))
                try_sizes(l, true);
        else if (usec_sub(now_mono(), l->since) >= HOLE_AFTER)
                give_up(l);
}

static void look(Large *l)
{
        bool dead = l->first.dead || l->first.scan.going;

        if (dead && l->state != LARGE_DONE)
                end(l); /* it hung up: that says nothing of sizes */
        else if (l->state == LARGE_OUT)
                look_out(l);
        else if (l->state == LARGE_IN)
                look_in(l);
        else if (l->state == LARGE_SIZES)
                judge_sizes(l);
}

static int on_tick_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Large *l = userdata;

        (void)sd_event_source_set_time_relative(s, TICK);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        look(l); /* the last thing: it may be freed inside */
        return 0;
}

/* --- the object --------------------------------------------------------------------------------
 */

Large *large_free(Large *l)
{
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->tick_timer);
        try_done(&l->first);
        for (size_t i = 0; i < l->n_tries; i++)
                try_done(&l->tries[i]);
        free(l);
        return NULL;
}

void large_snapshot(const Large *l, LargeFacts *ret)
{
        *ret = l->facts;
}

int large_new(sd_event *event, int fd, const uint8_t *seen, size_t n, const ConnectPolicy *policy,
              large_cb cb, void *userdata, Large **ret)
{
        _cleanup_(large_freep) Large *l = new0(Large, 1);
        StreamFacts f;
        if (!l)
                return -ENOMEM;
        *l = (Large){
                .event = event,
                .policy = *policy,
                .cb = cb,
                .userdata = userdata,
                .facts = {.asked = true},
                .first = {.large = l, .fd = -EBADF},
                .since = now_mono(),
        };
        int r = probe_stream_facts(fd, &f);
        if (r >= 0)
                r = h2_scan(&l->first.scan, seen, n);
        if (r >= 0)
                r = add_large(&l->first.out);
        if (r < 0)
                return r;
        l->facts.tried = f.pmtu;
        l->out_base = f.bytes_acked + f.unsent;
        r = sd_event_add_time_relative(event, &l->tick_timer, CLOCK_MONOTONIC, TICK, USEC_PER_MSEC,
                                       on_tick_timer, l);
        if (r < 0)
                return r;
        l->first.fd = fd;
        r = try_watch(&l->first);
        if (r < 0) {
                l->first.fd = -EBADF; /* stays the caller's */
                return r;
        }
        try_flush(&l->first);
        *ret = TAKE_PTR(l);
        return 0;
}
