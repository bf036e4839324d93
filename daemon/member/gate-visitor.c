/* One visitor:
 *
 *   ARRIVING ──no certificate──> ASKING ──Enrol──> LEAVING
 *      │──one that is over──> EXPIRED ──Renew────────> LEAVING
 *      └──one of the roster──> INTRODUCED ──Facts──> MEMBER ──lost──> LEAVING
 *                                  └──Renew: it is over by its clock──> LEAVING
 *
 * from all: hangs up, is too slow, says what makes no sense ──> away
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "member/clock-words.h"
#include "member/gate-private.h"

/* From the connect until it is a member, or has its answer and hung up. */
#define STRANGER_MAX (15 * USEC_PER_SEC)

static const uint32_t next_states[_VISITOR_STATE_MAX] = {
        [VISITOR_ARRIVING] = 1U << VISITOR_ASKING | 1U << VISITOR_LEAVING |
                             1U << VISITOR_INTRODUCED | 1U << VISITOR_EXPIRED,
        [VISITOR_ASKING] = 1U << VISITOR_LEAVING,
        [VISITOR_EXPIRED] = 1U << VISITOR_LEAVING,
        [VISITOR_INTRODUCED] = 1U << VISITOR_MEMBER | 1U << VISITOR_LEAVING,
        [VISITOR_MEMBER] = 1U << VISITOR_LEAVING,
};

/* Counts, too, and lets more strangers in when there is room. */
int visitor_set_state(Visitor *v, VisitorState state)
{
        Gate *g = v->gate;

        if (!(next_states[v->state] & 1U << state))
                return -EPROTO;
        if (v->state == VISITOR_MEMBER) { /* until it is away it is one of the strangers */
                guests_remove(&g->guests, &v->guest);
                guests_add(&g->guests, &v->guest, &v->from);
        }
        if (state == VISITOR_MEMBER) {
                /* a crowd of strangers must not keep it from being heard in time */
                int r = peer_prefer(v->peer);
                if (r >= 0)
                        r = guests_know(&g->guests, &v->guest, v->row.node);
                if (r < 0)
                        return r;
                acceptor_hold(g->acceptor, false);
        }
        v->state = state;
        return 0;
}

GateMember visitor_as_member(const Visitor *v)
{
        return (GateMember){
                .node = v->row.node, .name = v->row.name, .facts = &v->facts, .from = v->from};
}

void visitor_free(Visitor *v)
{
        const GateCommandResult lost = {.end = GATE_COMMAND_LOST, .text = ""};
        Gate *g = v->gate;

        guests_remove(&g->guests, &v->guest);
        gate_command_end(v->command, &lost);
        deadline_free(v->deadline);
        peer_free(v->peer);
        free(v);
        if (g->acceptor)
                acceptor_hold(g->acceptor, false);
}

/* Who waits for an answer hears of it last, when the member is not there any more. */
static void leave(Visitor *v, GateLoss why, bool for_good)
{
        const GateCommandResult lost = {.end = GATE_COMMAND_LOST, .text = ""};
        GateCommand *command = TAKE_PTR(v->command);
        Gate *g = v->gate;
        GateMember m = visitor_as_member(v);

        bool member = v->state == VISITOR_MEMBER;

        v->gone = true; /* whoever is told of it neither finds nor counts it any more */
        if (member)
                (void)visitor_set_state(v, VISITOR_LEAVING);
        if (member && for_good && g->ops.on_left)
                g->ops.on_left(g, &m, g->userdata);
        else if (member)
                g->ops.on_lost(g, &m, why, g->userdata);
        visitor_free(v);
        gate_command_end(command, &lost);
}

void visitor_send_away(Visitor *v, GateLoss why)
{
        leave(v, why, false);
}

static void abused(const Visitor *v, GateAbuse what)
{
        gate_abused(v->gate, what, &v->from, v->row.name);
}

/* A member is told to be lost then. */
static void on_deadline(void *userdata)
{
        Visitor *v = userdata;

        if (v->state != VISITOR_MEMBER)
                abused(v, GATE_ABUSE_SLOW);
        visitor_send_away(v, GATE_LOSS_SILENT);
}

/* --- refusals -----------------------------------------------------------------------------------
 */

/* It is told why, and given the time to read it. */
void visitor_refuse(Visitor *v, const MemberRefused *f, const char *name, int error, usec_t locked)
{
        const MemberMessage m = {.kind = MEMBER_REFUSED, .refused = *f};
        Gate *g = v->gate;

        g->ops.on_refused(g, f, name, &v->from, error, locked, g->userdata);
        if (visitor_set_state(v, VISITOR_LEAVING) < 0 || peer_send(v->peer, &m) < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
}

static void refuse_text(Visitor *v, MemberRefusal reason, const char *text)
{
        MemberRefused f = {.reason = reason};

        str_copy(f.text, sizeof(f.text), text);
        visitor_refuse(v, &f, v->row.name, 0, 0);
}

/* --- members ------------------------------------------------------------------------------------
 */

Visitor *visitor_of(Guest *x)
{
        return x ? (Visitor *)((char *)x - offsetof(Visitor, guest)) : NULL;
}

Visitor *visitor_find(const Gate *g, const char *node, const Visitor *but)
{
        Visitor *v = visitor_of(guests_find(&g->guests, node));

        return v && v != but && !v->gone ? v : NULL;
}

/* The same boot at the same address, with the certificate that was made for it a moment ago: it
 * goes on as if nothing had been. */
static bool take_over(Visitor *v, Visitor *other)
{
        if (!streq(v->serial, other->renewed) || !streq(v->facts.boot_id, other->facts.boot_id) ||
            !addr_equal(&v->from, &other->from))
                return false;
        visitor_inherit_command(v, other);
        v->events = other->events;
        v->replaced = other->replaced;
        v->replaced_at = other->replaced_at;
        other->gone = true;
        visitor_free(other);
        return true;
}

/* A boot id can be copied, too; but both want to be there. */
static bool is_copied(const Visitor *here, const Visitor *there)
{
        if (addr_equal(&here->from, &there->from))
                return false;
        if (!streq(here->facts.boot_id, there->facts.boot_id))
                return true;
        return addr_equal(&here->replaced, &there->from) &&
               now_mono() - here->replaced_at < GATE_IN_TURN;
}

/* The newer connection is the living one, unless two machines have one key. true: nobody has to be
 * told of it. */
static bool replace(Visitor *v)
{
        Visitor *other = visitor_find(v->gate, v->row.node, v);
        Gate *g = v->gate;

        if (!other)
                return false;
        if (take_over(v, other))
                return true;
        if (is_copied(other, v)) {
                GateMember here = visitor_as_member(other), there = visitor_as_member(v);
                g->ops.on_copied(g, &here, &there, g->userdata);
        }
        v->replaced = other->from;
        v->replaced_at = now_mono();
        visitor_send_away(other, GATE_LOSS_REPLACED);
        return false;
}

static void tell_facts(Visitor *v)
{
        Gate *g = v->gate;
        GateMember m = visitor_as_member(v);

        if (g->ops.on_facts)
                g->ops.on_facts(g, &m, g->userdata);
}

/* TLS has found that the certificate is ours and good today; the roster has the last word. */
static bool is_of_roster(Visitor *v, const uint8_t pin[static STORE_PIN_SIZE])
{
        Gate *g = v->gate;
        MemberRow row;

        v->roster_version = g->roster_version;
        int r = roster_find_pin(g->policy.db, pin, &row);
        if (r < 0)
                refuse_text(v, MEMBER_REFUSAL_STORE,
                            "the head cannot read its roster: see its journal");
        if (r == 0)
                refuse_text(v, MEMBER_REFUSAL_IDENTITY,
                            "the head has forgotten this machine: raycluster token create there, "
                            "raycluster join here");
        if (r <= 0)
                return false;
        v->row = row;
        if (row.revoked)
                refuse_text(v, MEMBER_REFUSAL_REVOKED,
                            "this machine was revoked by an admin of the head");
        return !row.revoked;
}

static void introduce(Visitor *v, const PkiCert *cert)
{
        uint8_t pin[PKI_PIN_SIZE];

        pki_cert_pin(cert, pin);
        str_copy(v->serial, sizeof(v->serial), pki_cert_serial(cert));
        if (is_of_roster(v, pin))
                (void)visitor_set_state(v, tls_link_is_expired(peer_tls(v->peer))
                                                   ? VISITOR_EXPIRED
                                                   : VISITOR_INTRODUCED);
}

/* Somebody was revoked since it was introduced: perhaps this one. */
static bool is_of_roster_still(Visitor *v)
{
        uint8_t pin[STORE_PIN_SIZE];

        if (v->roster_version == v->gate->roster_version)
                return true;
        memcpy(pin, v->row.pin, sizeof(pin));
        return is_of_roster(v, pin);
}

bool visitor_cut_off(Gate *g, const char *node)
{
        Visitor *v = visitor_find(g, node, NULL);
        bool there = v;

        g->roster_version++;
        if (v)
                visitor_send_away(v, GATE_LOSS_REVOKED);
        return there;
}

static void become_member(Visitor *v)
{
        Gate *g = v->gate;

        if (!is_of_roster_still(v))
                return;
        bool known = replace(v);
        /* for lists only: a disk that is full keeps no member out */
        (void)roster_seen(g->policy.db, v->row.node, now_real());
        int r = visitor_push(v);
        if (r >= 0)
                r = deadline_move(v->deadline, g->policy.beat * GATE_MISSED);
        if (r >= 0)
                r = visitor_set_state(v, VISITOR_MEMBER);
        GateMember m = visitor_as_member(v);
        if (r < 0 && known) /* it was there until now */
                g->ops.on_lost(g, &m, GATE_LOSS_CLOSED, g->userdata);
        if (r < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
        else if (known)
                tell_facts(v);
        else
                g->ops.on_member(g, &m, g->userdata);
}

static void on_facts(Visitor *v, const MemberFacts *f)
{
        v->facts = *f;
        if (v->state == VISITOR_INTRODUCED)
                become_member(v);
        else
                tell_facts(v);
}

static void on_beat(Visitor *v, const MemberBeat *b)
{
        MemberMessage m = {.kind = MEMBER_BEAT, .beat = *b};
        Gate *g = v->gate;

        m.beat.t2_usec = m.beat.t3_usec = (int64_t)now_real();
        int r = deadline_move(v->deadline, g->policy.beat * GATE_MISSED);
        if (r >= 0)
                r = peer_send(v->peer, &m);
        /* it has read what it was sent until now, or did not get it */
        if (r >= 0)
                r = visitor_push(v);
        if (r < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
}

static void on_event(Visitor *v, const MemberEvent *e)
{
        Gate *g = v->gate;
        GateMember m = visitor_as_member(v);

        if (!g->ops.on_event || !ratelimit_below(&v->events, now_mono()))
                return;
        unsigned dropped = v->events.suppressed;
        v->events.suppressed = 0;
        g->ops.on_event(g, &m, e, dropped, g->userdata);
}

/* It is no machine that knows that its certificate is over: that one renews. */
static void refuse_expired(Visitor *v)
{
        char words[MEMBER_TEXT_MAX];
        usec_t from, until;

        pki_cert_dates(tls_link_peer(peer_tls(v->peer)), &from, &until);
        refuse_text(v, MEMBER_REFUSAL_IDENTITY,
                    v->can & MEMBER_CAN_RENEW
                            ? clock_words_behind(words, sizeof(words), until, now_real())
                            : "this machine's certificate is over: raycluster leave, then join it "
                              "with a token");
}

/* --- what visitors say --------------------------------------------------------------------------
 */

static void on_up(Peer *p, const MemberHello *hello, void *userdata)
{
        Visitor *v = userdata;
        const PkiCert *cert = tls_link_peer(peer_tls(p));

        v->can = hello->capabilities;
        if (cert)
                introduce(v, cert);
        else
                (void)visitor_set_state(v, VISITOR_ASKING);
}

static void on_message(Peer *p, const MemberMessage *m, void *userdata)
{
        Visitor *v = userdata;
        bool member = v->state == VISITOR_MEMBER;

        if (v->state == VISITOR_LEAVING)
                return;
        if (v->state == VISITOR_ASKING && m->kind == MEMBER_ENROL)
                visitor_enrol(v, &m->enrol);
        else if ((v->state == VISITOR_EXPIRED || v->state == VISITOR_INTRODUCED || member) &&
                 m->kind == MEMBER_RENEW)
                visitor_renew(v, m->csr);
        else if (v->state == VISITOR_EXPIRED)
                refuse_expired(v);
        else if ((v->state == VISITOR_INTRODUCED || member) && m->kind == MEMBER_FACTS)
                on_facts(v, &m->facts);
        else if (member && m->kind == MEMBER_BEAT)
                on_beat(v, &m->beat);
        else if (member && m->kind == MEMBER_RAY_ISSUE)
                visitor_ray_issue(v, m->csr);
        else if (member && m->kind == MEMBER_COMMAND_DONE)
                visitor_done(v, &m->done);
        else if (member && m->kind == MEMBER_EVENT)
                on_event(v, &m->event);
        else if (member && m->kind == MEMBER_REFLECT_REQUEST)
                visitor_reflect(v, m->reflect);
        else if (member && m->kind == MEMBER_LEAVE)
                leave(v, GATE_LOSS_CLOSED, true);
        else {
                abused(v, GATE_ABUSE_TURN);
                visitor_send_away(v, GATE_LOSS_CLOSED);
        }
}

static bool is_nonsense(const PeerDown *down)
{
        return down->end == PEER_BAD ||
               (down->end == PEER_TLS &&
                (down->tls.end == TLS_LINK_NOT_TLS || down->tls.end == TLS_LINK_BROKEN));
}

/* To hang up is everybody's right, and so is a certificate of another cluster. */
static void on_down(Peer *p, const PeerDown *down, void *userdata)
{
        Visitor *v = userdata;

        if (is_nonsense(down))
                abused(v, GATE_ABUSE_NONSENSE);
        else if (down->end == PEER_SLOW)
                abused(v, GATE_ABUSE_SLOW);
        visitor_send_away(v, GATE_LOSS_CLOSED);
}

int visitor_new(Gate *g, int fd, const Addr *from)
{
        static const PeerOps ops = {.on_up = on_up, .on_message = on_message, .on_down = on_down};
        Visitor *v = new0(Visitor, 1);

        if (!v)
                return -ENOMEM;
        *v = (Visitor){.gate = g,
                       .from = *from,
                       .events = {.interval = USEC_PER_MIN, .burst = GATE_EVENTS},
                       .renewals = {.interval = USEC_PER_MIN, .burst = GATE_RENEWALS}};
        guests_add(&g->guests, &v->guest, &v->from);
        int r = deadline_new(g->event, STRANGER_MAX, USEC_PER_SEC / 4, on_deadline, v,
                             &v->deadline);
        if (r >= 0)
                r = peer_accept_late(g->event, fd, authority_party(g->policy.authority), GATE_GRACE,
                                     &ops, v, &v->peer);
        if (r < 0)
                visitor_free(v);
        return r;
}
