/*
 *   GREETING ──TLS through, their Hello──> UP ──> DOWN
 *      └──────────── any failure ────────────────> DOWN
 */
#include "member/peer.h"

#include <poll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "sys/deadline.h"
#include "sys/probe-sock.h"
#include "wire/member-frame.h"

typedef enum PeerState {
        PEER_STATE_GREETING, /* connect, handshake, Hello */
        PEER_STATE_UP,
        PEER_STATE_DOWN, /* the owner was told, or is being told */
        _PEER_STATE_MAX,
        _PEER_STATE_INVALID = -EINVAL,
} PeerState;

struct Peer {
        PeerState state;
        PeerOps ops;
        void *userdata;
        Stream *stream;
        TlsLink *tls; /* the stream's */
        Buf in;
        size_t frame_max;
        Deadline *greeting;
        usec_t begin;        /* monotonic */
        bool taking, doomed; /* freed while frames are taken: when that is over */
};

static const char *const peer_end_table[_PEER_END_MAX] = {
        [PEER_NO_WAY] = "no-way",   [PEER_TLS] = "tls", [PEER_SLOW] = "slow",
        [PEER_VERSION] = "version", [PEER_BAD] = "bad", [PEER_CLOSED] = "closed",
};
DEFINE_STRTAB(peer_end, PeerEnd);

static const uint32_t next_states[_PEER_STATE_MAX] = {
        [PEER_STATE_GREETING] = 1U << PEER_STATE_UP | 1U << PEER_STATE_DOWN,
        [PEER_STATE_UP] = 1U << PEER_STATE_DOWN,
};

static int peer_set_state(Peer *p, PeerState state)
{
        if (!(next_states[p->state] & 1U << state))
                return -EPROTO;
        p->state = state;
        p->greeting = deadline_free(p->greeting);
        return 0;
}

Peer *peer_free(Peer *p)
{
        if (!p)
                return NULL;
        if (p->taking) {
                p->doomed = true;
                return NULL;
        }
        deadline_free(p->greeting);
        stream_free(p->stream);
        buf_done(&p->in);
        free(p);
        return NULL;
}

static void go_down(Peer *p, PeerEnd end, int error)
{
        PeerDown down = {.end = end, .error = error < 0 ? -error : error};

        if (peer_set_state(p, PEER_STATE_DOWN) < 0)
                return;
        tls_link_facts(p->tls, &down.tls);
        p->ops.on_down(p, &down, p->userdata);
}

static int put(Peer *p, const MemberMessage *m)
{
        _cleanup_buf_ Buf out = {0};

        int r = member_encode(&out, m);
        if (r >= 0)
                r = stream_write(p->stream, buf_data(&out), buf_size(&out));
        if (out.data)
                explicit_bzero(out.data, out.cap);
        return r;
}

int peer_send(Peer *p, const MemberMessage *m)
{
        return p->state == PEER_STATE_UP ? put(p, m) : -ENOTCONN;
}

static void take_hello(Peer *p, const MemberMessage *m)
{
        if (m->kind != MEMBER_HELLO)
                go_down(p, PEER_BAD, 0);
        else if (m->hello.version < MEMBER_OLDEST || m->hello.oldest > MEMBER_VERSION)
                go_down(p, PEER_VERSION, 0);
        else if (peer_set_state(p, PEER_STATE_UP) >= 0)
                p->ops.on_up(p, &m->hello, p->userdata);
}

static void take_message(Peer *p, const MemberMessage *m)
{
        if (p->state == PEER_STATE_GREETING)
                take_hello(p, m);
        else if (m->kind == MEMBER_HELLO)
                go_down(p, PEER_BAD, 0);
        else if (m->kind != MEMBER_UNKNOWN)
                p->ops.on_message(p, m, p->userdata);
}

/* One frame, if there is a whole one. 1: go on; the peer may be down or gone. */
static int take_frame(Peer *p)
{
        _cleanup_member_message_ MemberMessage m = {0};
        MemberFrame f;

        int r = member_frame_parse(buf_data(&p->in), buf_size(&p->in), p->frame_max, &f);
        if (r == 0)
                return 0;
        if (r > 0) {
                r = member_decode(f.body, f.body_size, &m);
                buf_consume(&p->in, f.size); /* what was decoded is a copy */
        }
        if (r < 0)
                go_down(p, PEER_BAD, 0);
        else
                take_message(p, &m);
        return 1;
}

static void on_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        Peer *p = userdata;

        int r = buf_append(&p->in, data, size);
        if (r < 0) {
                go_down(p, PEER_BAD, r);
                return;
        }
        p->taking = true;
        while (!p->doomed && p->state != PEER_STATE_DOWN && take_frame(p) > 0)
                ;
        p->taking = false;
        if (p->doomed)
                peer_free(p);
}

static void on_connected(Stream *s, void *userdata)
{
        Peer *p = userdata;
        const MemberMessage hello = {
                .kind = MEMBER_HELLO,
                .hello = {.version = MEMBER_VERSION,
                          .oldest = MEMBER_OLDEST,
                          .capabilities = PEER_CAPABILITIES,
                          .software = "raycluster " RAYCLUSTER_VERSION},
        };

        if (tls_link_peer(p->tls) && !tls_link_is_expired(p->tls))
                peer_trust(p);
        int r = put(p, &hello);
        if (r < 0)
                go_down(p, PEER_CLOSED, r);
}

static void on_closed(Stream *s, int error, void *userdata)
{
        Peer *p = userdata;
        TlsLinkFacts f;

        tls_link_facts(p->tls, &f);
        if (f.negotiated && f.end != TLS_LINK_REFUSED && f.end != TLS_LINK_NO_ALPN)
                go_down(p, PEER_CLOSED, error);
        else if (f.end == TLS_LINK_RUNS)
                go_down(p, PEER_NO_WAY, error);
        else
                go_down(p, PEER_TLS, error);
}

static void on_greeting(void *userdata)
{
        go_down(userdata, PEER_SLOW, ETIMEDOUT);
}

static const StreamOps stream_ops = {
        .on_connected = on_connected, .on_data = on_data, .on_closed = on_closed};

static int peer_new(sd_event *event, TlsParty *party, const TlsLinkPolicy *policy,
                    const PeerOps *ops, void *userdata, Peer **ret)
{
        _cleanup_(peer_freep) Peer *p = new0(Peer, 1);
        if (!p)
                return -ENOMEM;
        *p = (Peer){
                .ops = *ops,
                .userdata = userdata,
                .frame_max = MEMBER_FRAME_MAX_UNKNOWN,
                .begin = now_mono(),
                .in = {.limit = 2 * MEMBER_FRAME_MAX},
        };
        int r = deadline_new(event, PEER_GREETING_MAX, USEC_PER_SEC / 4, on_greeting, p,
                             &p->greeting);
        if (r >= 0)
                r = tls_link_new(party, policy, &p->tls);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

/* The stream is there: it owns the link from now on. */
static void set_layer(Peer *p)
{
        stream_set_layer(p->stream, &tls_link_layer, p->tls);
}

int peer_connect(sd_event *event, const Addr *to, TlsParty *party, const TlsLinkPolicy *policy,
                 const PeerOps *ops, void *userdata, Peer **ret)
{
        _cleanup_(peer_freep) Peer *p = NULL;
        int r = peer_new(event, party, policy, ops, userdata, &p);
        if (r < 0)
                return r;
        r = stream_connect(event, to, &stream_ops, p, &p->stream);
        if (r < 0) {
                tls_link_free(p->tls);
                return r;
        }
        set_layer(p);
        *ret = TAKE_PTR(p);
        return 0;
}

int peer_accept_late(sd_event *event, int fd, TlsParty *party, usec_t grace, const PeerOps *ops,
                     void *userdata, Peer **ret)
{
        const TlsLinkPolicy policy = {.server = true, .grace = grace};
        _cleanup_(peer_freep) Peer *p = NULL;
        int r = peer_new(event, party, &policy, ops, userdata, &p);
        if (r < 0)
                return r;
        r = stream_new_fd(event, fd, &stream_ops, p, &p->stream);
        if (r < 0) {
                tls_link_free(p->tls);
                return r;
        }
        set_layer(p);
        *ret = TAKE_PTR(p);
        return 0;
}

int peer_accept(sd_event *event, int fd, TlsParty *party, const PeerOps *ops, void *userdata,
                Peer **ret)
{
        return peer_accept_late(event, fd, party, 0, ops, userdata, ret);
}

void peer_trust(Peer *p)
{
        p->frame_max = MEMBER_FRAME_MAX;
}

int peer_prefer(Peer *p)
{
        return stream_set_priority(p->stream, SD_EVENT_PRIORITY_IMPORTANT);
}

static bool address_of(int fd, int (*ask)(int, struct sockaddr *, socklen_t *), Addr *ret)
{
        SockAddr sa;
        socklen_t len = sizeof(sa);

        if (ask(fd, &sa.sa, &len) < 0 || addr_from_sockaddr(&sa.sa, len, ret) < 0)
                return false;
        addr_unmap(ret);
        return true;
}

bool peer_ends(const Peer *p, Addr *ret_here, Addr *ret_there, usec_t *ret_rtt)
{
        int fd = stream_fd(p->stream);
        StreamFacts f;

        if (fd < 0 || !address_of(fd, getsockname, ret_here) ||
            !address_of(fd, getpeername, ret_there))
                return false;
        *ret_rtt = probe_stream_facts(fd, &f) < 0 ? 0 : f.rtt;
        return true;
}

bool peer_keeps_waiting(const Peer *p, usec_t so_long)
{
        struct pollfd in = {.fd = stream_fd(p->stream), .events = POLLIN};
        StreamFacts f;

        return usec_sub(now_mono(), p->begin) >= so_long && poll(&in, 1, 0) == 0 &&
               probe_stream_facts(in.fd, &f) >= 0 && f.idle >= so_long;
}

const TlsLink *peer_tls(const Peer *p)
{
        return p->tls;
}
