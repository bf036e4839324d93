/* A gate on loopback, machines that join it and links to it, all on one loop; what it tells is
 * counted. */
#pragma once

#include "member-world.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "member/gate-private.h"
#include "member/join.h"
#include "member/link.h"
#include "wire/member-frame.h"

/* SLACK=4: under valgrind all is slower, and a member is lost after three beats. */
static inline usec_t slack(void)
{
        const char *s = getenv("SLACK");
        unsigned long n = s ? strtoul(s, NULL, 10) : 1;

        return n > 0 ? n : 1;
}

#define BOUND (slack() * 20 * USEC_PER_SEC)
/* Three of them are what a loaded machine may be late. */
#define BEAT (slack() * 300 * USEC_PER_MSEC)

typedef struct World {
        MemberWorld m;
        sd_event *event;
        Gate *gate;
        Addr at;

        /* what the gate told */
        unsigned enrolled, refused, came, lost, copied;
        MemberRefused refusal;
        usec_t locked;
        GateLoss loss;
        char facts_name[MEMBER_NAME_MAX];
        unsigned facts_gpus;
        unsigned events, dropped, left, renewed, facts, pending;
        MemberEvent event_told;
        unsigned abuses[_GATE_ABUSE_MAX];
        Addr abuser; /* the last */

        bool join_over;
        JoinResult join;
        /* what a link told */
        unsigned welcomes, losses, link_refusals;
        char token[MEMBER_TOKEN_MAX], why[200];
        MemberRefused link_refusal;
        unsigned settings;
        size_t settings_size;
        char settings_text[100]; /* its beginning */
        char order[64];          /* S and W, as they came */
        unsigned commands, link_left, link_renewed, renewals_failed;
        char renewal_why[200];
        MemberCommand command;
} World;

static inline void on_enrolled(Gate *g, const MemberRow *m, const Addr *from, void *userdata)
{
        World *w = userdata;
        assert_string_equal(m->name, "w1");
        w->enrolled++;
}

static inline void on_refused(Gate *g, const MemberRefused *r, const char *name, const Addr *from,
                              int error, usec_t locked, void *userdata)
{
        World *w = userdata;
        w->refused++;
        w->refusal = *r;
        w->locked = locked;
}

static inline void on_member(Gate *g, const GateMember *m, void *userdata)
{
        World *w = userdata;
        w->came++;
        str_copy(w->facts_name, sizeof(w->facts_name), m->facts->name);
        w->facts_gpus = m->facts->gpus;
}

static inline void on_lost(Gate *g, const GateMember *m, GateLoss why, void *userdata)
{
        World *w = userdata;
        w->lost++;
        w->loss = why;
}

static inline void on_copied(Gate *g, const GateMember *here, const GateMember *there,
                             void *userdata)
{
        ((World *)userdata)->copied++;
}

static inline void on_event(Gate *g, const GateMember *m, const MemberEvent *e, unsigned dropped,
                            void *userdata)
{
        World *w = userdata;
        w->events++;
        w->dropped += dropped;
        w->event_told = *e;
}

static inline void on_left(Gate *g, const GateMember *m, void *userdata)
{
        ((World *)userdata)->left++;
}

static inline void on_renewed(Gate *g, const MemberRow *m, const Addr *from, void *userdata)
{
        ((World *)userdata)->renewed++;
}

static inline void on_facts(Gate *g, const GateMember *m, void *userdata)
{
        World *w = userdata;
        w->facts++;
        str_copy(w->facts_name, sizeof(w->facts_name), m->facts->name);
        w->facts_gpus = m->facts->gpus;
}

static inline void on_pending(Gate *g, const GatePending *p, void *userdata)
{
        ((World *)userdata)->pending++;
}

static inline void on_abused(Gate *g, GateAbuse what, const Addr *from, const char *name,
                             void *userdata)
{
        World *w = userdata;
        w->abuses[what]++;
        w->abuser = from ? *from : (Addr){0};
}

static const GateOps gate_ops _unused_ = {.on_pending = on_pending,
                                          .on_abused = on_abused,
                                          .on_renewed = on_renewed,
                                          .on_facts = on_facts,
                                          .on_event = on_event,
                                          .on_left = on_left,
                                          .on_enrolled = on_enrolled,
                                          .on_refused = on_refused,
                                          .on_member = on_member,
                                          .on_lost = on_lost,
                                          .on_copied = on_copied};

/* at: with the port, or without for any. */
static inline int listen_at(const Addr *at, Addr *ret)
{
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(at, &sa);
        int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        assert_int_equal(listen(fd, 64), 0);
        len = sizeof(sa);
        assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&sa.sa, len, ret), 0);
        return fd;
}

static inline int listen_on(Addr *ret)
{
        Addr any = member_addr("127.0.0.1");
        return listen_at(&any, ret);
}

static inline void open_gate_at(World *w, const Addr *at)
{
        GatePolicy p = {.authority = w->m.authority,
                        .db = w->m.db,
                        .cluster = "lab1",
                        .ray_token = "ray's token",
                        .beat = BEAT};

        assert_int_equal(gate_new(w->event, listen_at(at, &w->at), &p, &gate_ops, w, &w->gate), 0);
}

static inline void open_gate(World *w)
{
        Addr any = member_addr("127.0.0.1");
        open_gate_at(w, &any);
}

static inline void world_init(World *w)
{
        *w = (World){0};
        member_world_init(&w->m, now_real());
        member_world_token(&w->m, "abcdefgh", 3);
        assert_true(sd_event_new(&w->event) >= 0);
        open_gate(w);
}

static inline void world_done(World *w)
{
        gate_free(w->gate);
        sd_event_unref(w->event);
        member_world_done(&w->m);
}

#define WAIT(w, condition)                                                                         \
        do {                                                                                       \
                usec_t _end = now_mono() + BOUND;                                                  \
                while (!(condition)) {                                                             \
                        assert_true(now_mono() < _end);                                            \
                        assert_true(sd_event_run((w)->event, USEC_PER_SEC) >= 0);                  \
                }                                                                                  \
        } while (0)

static inline JoinToken token_of(const World *w, const char *id)
{
        JoinToken t = {.n_pins = 1};

        str_copy(t.id, sizeof(t.id), id);
        memcpy(t.secret, w->m.secret, sizeof(t.secret));
        pki_cert_pin(authority_cert(w->m.authority), t.pins[0]);
        return t;
}

static inline void on_join(Join *j, const JoinResult *r, void *userdata)
{
        World *w = userdata;
        w->join = *r;
        w->join_over = true;
}

static inline void path_of(const World *w, char ret[64])
{
        (void)snprintf(ret, 64, "%s/worker.pem", w->m.dir);
}

static inline void join_at(World *w, const JoinToken *t, const Addr *head)
{
        _cleanup_(join_freep) Join *j = NULL;
        Addr own = member_addr("127.0.0.1");
        char path[64];

        path_of(w, path);
        JoinPolicy p = {.head = *head,
                        .token = t,
                        .path = path,
                        .node = "workernode",
                        .name = "w1",
                        .addrs = &own,
                        .n_addrs = 1};
        w->join_over = false;
        assert_int_equal(join_new(w->event, &p, on_join, w, &j), 0);
        WAIT(w, w->join_over);
}

static inline void join(World *w, const JoinToken *t)
{
        join_at(w, t, &w->at);
}

/* --- a member's connection */

static inline void note(World *w, const char *what)
{
        (void)strncat(w->order, what, sizeof(w->order) - strlen(w->order) - 1);
}

static inline void on_settings(MemberLink *l, const char *text, void *userdata)
{
        World *w = userdata;
        w->settings++;
        w->settings_size = strlen(text);
        (void)snprintf(w->settings_text, sizeof(w->settings_text), "%s", text);
        note(w, "S");
}

static inline void on_welcome(MemberLink *l, const MemberWelcome *m, void *userdata)
{
        World *w = userdata;
        w->welcomes++;
        note(w, "W");
        str_copy(w->token, sizeof(w->token), m->ray_token);
        assert_string_equal(m->cluster, "lab1");
}

static inline void on_link_lost(MemberLink *l, const char *why, void *userdata)
{
        World *w = userdata;
        w->losses++;
        str_copy(w->why, sizeof(w->why), why);
}

static inline void on_link_refused(MemberLink *l, const MemberRefused *r, void *userdata)
{
        World *w = userdata;
        w->link_refusals++;
        w->link_refusal = *r;
}

static inline void on_command(MemberLink *l, const MemberCommand *c, void *userdata)
{
        World *w = userdata;
        w->commands++;
        w->command = *c;
}

static inline void on_link_left(MemberLink *l, void *userdata)
{
        ((World *)userdata)->link_left++;
}

static inline void on_link_renewed(MemberLink *l, usec_t until, void *userdata)
{
        ((World *)userdata)->link_renewed++;
}

static inline void on_renewal_failed(MemberLink *l, const char *why, void *userdata)
{
        World *w = userdata;
        w->renewals_failed++;
        str_copy(w->renewal_why, sizeof(w->renewal_why), why);
}

static const MemberLinkOps link_ops _unused_ = {.on_renewed = on_link_renewed,
                                                .on_renewal_failed = on_renewal_failed,
                                                .on_welcome = on_welcome,
                                                .on_settings = on_settings,
                                                .on_command = on_command,
                                                .on_left = on_link_left,
                                                .on_lost = on_link_lost,
                                                .on_refused = on_link_refused};

static inline MemberLink *link_as(World *w, const Identity *i, const char *boot)
{
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        MemberFacts facts = {.name = "w1"};
        MemberLinkPolicy p = {.head = w->at, .facts = &facts};
        MemberLink *l = NULL;

        str_copy(facts.boot_id, sizeof(facts.boot_id), boot);
        assert_int_equal(identity_party(i, &party), 0);
        p.party = party;
        assert_int_equal(member_link_new(w->event, &p, &link_ops, w, &l), 0);
        return l;
}

static inline void load(World *w, Identity *ret)
{
        char path[64];
        path_of(w, path);
        assert_int_equal(identity_load(path, ret), 0);
}

/* A gate, and the identity of a machine that has joined. */
static inline void member(World *w, Identity *ret)
{
        JoinToken t;

        world_init(w);
        t = token_of(w, "abcdefgh");
        join(w, &t);
        load(w, ret);
}

/* --- members that do not keep to the order */

typedef struct Rude {
        World *world;
        MemberMessage say; /* when it is up */
        unsigned answers;
        bool down;
} Rude;

static inline void on_rude_up(Peer *p, const MemberHello *hello, void *userdata)
{
        Rude *r = userdata;
        assert_int_equal(hello->version, MEMBER_VERSION);
        assert_int_equal(peer_send(p, &r->say), 0);
}

static inline void on_rude_message(Peer *p, const MemberMessage *m, void *userdata)
{
        ((Rude *)userdata)->answers++;
}

static inline void on_rude_down(Peer *p, const PeerDown *d, void *userdata)
{
        Rude *r = userdata;
        assert_int_equal(d->end, PEER_CLOSED);
        r->down = true;
}

static inline Peer *rude_peer(Rude *r, const Identity *i)
{
        static const PeerOps ops = {
                .on_up = on_rude_up, .on_message = on_rude_message, .on_down = on_rude_down};
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        const TlsLinkPolicy policy = {0};
        Peer *p = NULL;

        assert_int_equal(identity_party(i, &party), 0);
        assert_int_equal(peer_connect(r->world->event, &r->world->at, party, &policy, &ops, r, &p),
                         0);
        return p;
}

/* --- one that speaks for itself: a member of the first version, or somebody who has its key */

typedef struct Raw {
        World *world;
        Stream *stream;
        TlsLink *tls;        /* the stream's */
        uint64_t can;        /* of Hello */
        MemberMessage first; /* after it */
        Buf in;
        unsigned kinds[_MEMBER_KIND_MAX];
        MemberRefused refused;
        bool up, down;
} Raw;

static inline void raw_say(Raw *o, const MemberMessage *m)
{
        _cleanup_buf_ Buf out = {0};
        assert_int_equal(member_encode(&out, m), 0);
        assert_int_equal(stream_write(o->stream, buf_data(&out), buf_size(&out)), 0);
}

static inline void on_raw_connected(Stream *s, void *userdata)
{
        Raw *o = userdata;
        MemberMessage hello = {.kind = MEMBER_HELLO,
                               .hello = {.version = 1, .oldest = 1, .capabilities = o->can}};

        o->up = true;
        raw_say(o, &hello);
        if (o->first.kind)
                raw_say(o, &o->first);
}

static inline void on_raw_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        Raw *o = userdata;
        MemberFrame f;

        assert_int_equal(buf_append(&o->in, data, size), 0);
        while (member_frame_parse(buf_data(&o->in), buf_size(&o->in), MEMBER_FRAME_MAX, &f) > 0) {
                _cleanup_member_message_ MemberMessage m = {0};
                assert_int_equal(member_decode(f.body, f.body_size, &m), 0);
                o->kinds[m.kind]++;
                if (m.kind == MEMBER_REFUSED)
                        o->refused = m.refused;
                buf_consume(&o->in, f.size);
        }
}

static inline void on_raw_closed(Stream *s, int error, void *userdata)
{
        ((Raw *)userdata)->down = true;
}

/* From the address `from`; with the party of an identity, or as somebody who has none. */
static inline void raw_init(Raw *o, World *w, const Identity *i, const char *from,
                            const MemberMessage *first)
{
        static const StreamOps ops = {.on_connected = on_raw_connected,
                                      .on_data = on_raw_data,
                                      .on_closed = on_raw_closed};
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        TlsLinkPolicy policy = {0};
        Addr own = member_addr(from);
        SockAddr sa;

        *o = (Raw){.world = w, .in = {.limit = 2 * MEMBER_FRAME_MAX}};
        if (first)
                o->first = *first;
        if (!i) {
                policy.n_pins = 1;
                pki_cert_pin(authority_cert(w->m.authority), policy.pins[0]);
                assert_int_equal(tls_party_new(NULL, NULL, NULL, 0, &party), 0);
        } else
                assert_int_equal(identity_party(i, &party), 0);
        assert_int_equal(tls_link_new(party, &policy, &o->tls), 0);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t len = addr_to_sockaddr(&own, &sa);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        len = addr_to_sockaddr(&w->at, &sa);
        assert_int_equal(connect(fd, &sa.sa, len), 0);
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(stream_new_fd(w->event, fd, &ops, o, &o->stream), 0);
        stream_set_layer(o->stream, &tls_link_layer, o->tls);
}

/* The head has read the Hello of one that has said no more yet, and has looked it up. */
static inline bool is_introduced(const Gate *g)
{
        for (Guest *x = g->guests.strangers; x; x = x->next)
                if (visitor_of(x)->state == VISITOR_INTRODUCED)
                        return true;
        return false;
}

static inline void raw_done(Raw *o)
{
        stream_free(o->stream);
        buf_done(&o->in);
}
