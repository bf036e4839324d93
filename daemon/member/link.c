/*
 *   WAITING ──pause over──> DIALLING ──Hello──> INTRODUCING ──Welcome──> JOINED <──> CHANGING
 *      ^                     │    └─certificate over─> RENEWING            │  └─leave─> LEAVING
 *      └── no way, refused, silence, hung up, renewed ──┴──────────────────┘              └> LEFT
 *
 * CHANGING is joined, too; when its first connection ends, the second goes on as DIALLING or
 * INTRODUCING.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "member/clock-words.h"
#include "member/link-private.h"
#include "wire/tls-record.h"

/* Whatever the head asks for. */
#define BEAT_MIN (100 * USEC_PER_MSEC)
#define BEAT_MAX USEC_PER_MIN
/* Some ten thousand years; what is later would overflow. */
#define TIME_MAX (INT64_MAX / 32)

static const uint32_t next_states[_LINK_STATE_MAX] = {
        [LINK_WAITING] = 1U << LINK_DIALLING,
        [LINK_DIALLING] = 1U << LINK_INTRODUCING | 1U << LINK_RENEWING | 1U << LINK_WAITING,
        [LINK_INTRODUCING] = 1U << LINK_JOINED | 1U << LINK_WAITING,
        [LINK_RENEWING] = 1U << LINK_WAITING,
        [LINK_JOINED] = 1U << LINK_CHANGING | 1U << LINK_WAITING | 1U << LINK_LEAVING,
        [LINK_CHANGING] = 1U << LINK_JOINED | 1U << LINK_DIALLING | 1U << LINK_INTRODUCING |
                          1U << LINK_WAITING | 1U << LINK_LEAVING,
        [LINK_LEAVING] = 1U << LINK_LEFT,
};

int link_set_state(MemberLink *l, LinkState state, usec_t deadline)
{
        if (!(next_states[l->state] & 1U << state))
                return -EPROTO;
        l->state = state;
        return deadline_move(l->deadline, deadline);
}

static void hang_up(MemberLink *l)
{
        l->peer = peer_free(l->peer);
        l->next = peer_free(l->next);
        l->before = peer_free(l->before);
        if (l->renews) /* nobody knows what became of it */
                l->n_asked_for = 0;
        l->awaits = l->renews = l->asks_ray = false;
}

void link_fall_back(MemberLink *l)
{
        hang_up(l);
        (void)link_set_state(l, LINK_WAITING, backoff_next(&l->backoff));
}

static void go(MemberLink *l, bool heard)
{
        l->heard = heard;
        hang_up(l);
        if (link_set_state(l, LINK_LEFT, USEC_INFINITY) >= 0 && l->ops.on_left)
                l->ops.on_left(l, l->userdata);
}

void link_lose(MemberLink *l, const char *why)
{
        if (l->state == LINK_LEAVING) /* it hangs up on who leaves */
                go(l, true);
        else if (l->state == LINK_CHANGING)
                link_next_promote(l);
        else {
                link_fall_back(l);
                l->ops.on_lost(l, why, l->userdata);
        }
}

static bool is_joined(const MemberLink *l)
{
        return l->state == LINK_JOINED || l->state == LINK_CHANGING;
}

/* --- beats --------------------------------------------------------------------------------------
 */

static void send_beat(MemberLink *l)
{
        MemberMessage m = {.kind = MEMBER_BEAT};

        m.beat.number = ++l->number;
        m.beat.t1_usec = l->t1 = (int64_t)now_real();
        int r = peer_send(l->peer, &m);
        if (r >= 0)
                r = deadline_move(l->deadline, LINK_ANSWER_MAX);
        l->awaits = true;
        if (r < 0)
                link_lose(l, "the head does not read what it is sent");
}

/* The answer may have taken any part of the way's time. */
static void take_beat(MemberLink *l, const MemberBeat *b)
{
        int64_t t4 = (int64_t)now_real();

        if (!l->awaits || b->number != l->number)
                return;
        l->awaits = false;
        (void)deadline_move(l->deadline, l->beat);
        if (b->t2_usec <= 0 || b->t3_usec < b->t2_usec || b->t3_usec > TIME_MAX)
                return;
        int64_t all = t4 - l->t1, there = b->t3_usec - b->t2_usec;
        if (all < there)
                return;
        l->clock_known = true;
        l->offset = ((b->t2_usec - l->t1) + (b->t3_usec - t4)) / 2;
        l->offset_error = (usec_t)(all - there) / 2;
}

/* --- what the head says -------------------------------------------------------------------------
 */

int link_say_facts(MemberLink *l, Peer *p)
{
        MemberMessage m = {.kind = MEMBER_FACTS};

        m.facts = l->facts;
        return peer_send(p, &m);
}

static bool is_expired(const MemberLink *l)
{
        return l->keeper && (l->can & MEMBER_CAN_RENEW) &&
               identity_keeper_is_expired(l->keeper, now_real());
}

static void on_up(Peer *p, const MemberHello *hello, void *userdata)
{
        MemberLink *l = userdata;

        if (p == l->next) {
                link_next_up(l, hello);
                return;
        }
        l->can = hello->capabilities;
        bool expired = is_expired(l);
        int r = link_set_state(l, expired ? LINK_RENEWING : LINK_INTRODUCING, LINK_ANSWER_MAX);
        if (r >= 0)
                r = expired ? link_renewal_ask(l, p) : link_say_facts(l, p);
        if (r < 0)
                link_lose(l, strerror(-r));
}

void link_welcome(MemberLink *l, const MemberWelcome *w)
{
        l->beat = MIN(MAX(w->beat, BEAT_MIN), BEAT_MAX);
        if (!is_joined(l))
                link_renewal_look(l);
        if (!is_joined(l) || l->state == LINK_CHANGING) {
                if (link_set_state(l, LINK_JOINED, l->beat) < 0)
                        return;
                backoff_reset(&l->backoff);
                link_renewal_worked(l);
        }
        l->ops.on_welcome(l, w, l->userdata);
}

static void take_settings(MemberLink *l, const char *text)
{
        if (l->ops.on_settings && (l->state == LINK_INTRODUCING || is_joined(l)))
                l->ops.on_settings(l, text, l->userdata);
}

static void take_command(MemberLink *l, const MemberCommand *c)
{
        if (c->order == MEMBER_ORDER_OTHER || !l->ops.on_command)
                (void)member_link_done(l, c->number, false,
                                       "raycluster on this machine does not know this command");
        else
                l->ops.on_command(l, c, l->userdata);
}

/* An admin may change it, but this certificate is not tried again. */
static void take_refusal(MemberLink *l, const MemberRefused *f)
{
        MemberRefused refused = *f;

        if (is_joined(l) && l->renews) {
                link_renewal_refused(l, &refused);
                return;
        }
        if (is_joined(l) && l->asks_ray) {
                link_ray_refused(l, refused.text);
                return;
        }
        if (l->keeper && identity_keeper_tries(l->keeper))
                identity_keeper_failed(l->keeper, now_real());
        link_fall_back(l);
        l->ops.on_refused(l, &refused, l->userdata);
}

static void take_message(MemberLink *l, const MemberMessage *m)
{
        bool joined = is_joined(l);

        if (m->kind == MEMBER_REFUSED)
                take_refusal(l, &m->refused);
        else if (m->kind == MEMBER_ISSUED && l->renews)
                link_renewal_issued(l, &m->issued);
        else if (m->kind == MEMBER_RAY_ISSUED && l->asks_ray)
                link_ray_issued(l, &m->issued);
        else if (m->kind == MEMBER_WELCOME && l->state == LINK_INTRODUCING)
                link_welcome(l, &m->welcome);
        else if (m->kind == MEMBER_WELCOME && joined)
                l->ops.on_welcome(l, &m->welcome, l->userdata);
        else if (m->kind == MEMBER_SETTINGS)
                take_settings(l, m->settings);
        else if (m->kind == MEMBER_COMMAND && joined)
                take_command(l, &m->command);
        else if (m->kind == MEMBER_REFLECT_REPLY && joined && l->ops.on_reflect)
                l->ops.on_reflect(l, m->reflect, l->userdata);
        else if (m->kind == MEMBER_BEAT && joined)
                take_beat(l, &m->beat);
}

static void on_message(Peer *p, const MemberMessage *m, void *userdata)
{
        MemberLink *l = userdata;

        if (l->state == LINK_LEAVING)
                return;
        if (p == l->next)
                link_next_message(l, m);
        else if (p == l->peer)
                take_message(l, m);
        else if (m->kind == MEMBER_COMMAND) /* said just before: what else is old by now */
                take_command(l, &m->command);
}

static const char *tls_words(const TlsLinkFacts *f)
{
        switch (f->end) {
        case TLS_LINK_NO_MEMBER:
                return "what answers there is not the head of this machine's cluster";
        case TLS_LINK_WRONG_ROLE:
                return "a worker answers there, not the head";
        case TLS_LINK_REFUSED:
                return f->alert == TLS_ALERT_CERTIFICATE_EXPIRED
                               ? "by the head's clock this machine's certificate is over for too "
                                 "long: compare the clocks (timedatectl), else join with a token"
                               : "the head does not take this machine's certificate";
        case TLS_LINK_CLOSED:
                return "the connection was closed while it was being set up: the head is "
                       "restarting, or has too many connections";
        default:
                return "what answers there is no control port of raycluster";
        }
}

void link_down_words(const PeerDown *down, char *buf, size_t size)
{
        if (down->end == PEER_NO_WAY)
                (void)snprintf(buf, size, "no connection: %s", strerror(down->error));
        else if (down->end == PEER_TLS) {
                if (down->tls.end != TLS_LINK_NO_MEMBER ||
                    !clock_words(buf, size, &down->tls, now_real()))
                        str_copy(buf, size, tls_words(&down->tls));
        } else if (down->end == PEER_VERSION)
                str_copy(buf, size, "the head speaks another version");
        else if (down->end == PEER_CLOSED && down->error == 0)
                str_copy(buf, size, "the head hung up");
        else
                (void)snprintf(buf, size, "the connection broke: %s",
                               down->error ? strerror(down->error) : peer_end_to_string(down->end));
}

/* A wrong date may be our clock's. */
static bool is_stranger(const PeerDown *down)
{
        const TlsLinkFacts *f = &down->tls;

        return down->end == PEER_TLS &&
               (f->end == TLS_LINK_WRONG_ROLE ||
                (f->end == TLS_LINK_NO_MEMBER && f->defect != PKI_DEFECT_NOT_YET_VALID &&
                 f->defect != PKI_DEFECT_EXPIRED));
}

static void on_down(Peer *p, const PeerDown *down, void *userdata)
{
        MemberLink *l = userdata;
        char why[CLOCK_WORDS_MAX];

        if (p == l->before)
                l->before = peer_free(l->before);
        else if (p == l->next)
                link_next_down(l, down);
        else {
                if (down->end == PEER_TLS && down->tls.end == TLS_LINK_REFUSED && l->keeper &&
                    identity_keeper_tries(l->keeper))
                        identity_keeper_failed(l->keeper, now_real());
                l->stranger = is_stranger(down);
                link_down_words(down, why, sizeof(why));
                link_lose(l, why);
        }
}

int link_connect(MemberLink *l, Peer **ret)
{
        static const PeerOps ops = {.on_up = on_up, .on_message = on_message, .on_down = on_down};
        const TlsLinkPolicy policy = {0};
        TlsParty *party = l->keeper ? identity_keeper_party(l->keeper) : l->party;

        return peer_connect(l->event, &l->head, party, &policy, &ops, l, ret);
}

static void dial(MemberLink *l)
{
        l->stranger = false;
        /* the peer has a deadline of its own until it is up */
        int r = link_set_state(l, LINK_DIALLING, USEC_INFINITY);
        if (r >= 0)
                r = link_connect(l, &l->peer);
        if (r < 0)
                link_lose(l, strerror(-r));
}

static void beat(MemberLink *l)
{
        if (l->awaits) {
                link_lose(l, "the head is not heard any more");
                return;
        }
        link_ray_tick(l);
        link_renewal_tick(l);
        if (is_joined(l))
                send_beat(l);
}

static void on_deadline(void *userdata)
{
        MemberLink *l = userdata;

        switch (l->state) {
        case LINK_WAITING:
                dial(l);
                break;
        case LINK_INTRODUCING:
        case LINK_RENEWING:
                link_lose(l, "the head does not answer");
                break;
        case LINK_JOINED:
        case LINK_CHANGING:
                beat(l);
                break;
        case LINK_LEAVING:
                go(l, false);
                break;
        default:
                break;
        }
}

/* --- what we say --------------------------------------------------------------------------------
 */

static int tell(MemberLink *l, uint64_t can, const MemberMessage *m)
{
        if (!is_joined(l))
                return -ENOTCONN;
        return l->can & can ? peer_send(l->peer, m) : -EOPNOTSUPP;
}

int member_link_done(MemberLink *l, uint64_t number, bool ok, const char *text)
{
        MemberMessage m = {.kind = MEMBER_COMMAND_DONE, .done = {.number = number, .ok = ok}};

        str_copy(m.done.text, sizeof(m.done.text), text);
        return tell(l, MEMBER_CAN_COMMANDS, &m);
}

int member_link_event(MemberLink *l, const char *message_id, const char *text, usec_t at)
{
        MemberMessage m = {.kind = MEMBER_EVENT, .event = {.time = at}};

        str_copy(m.event.message_id, sizeof(m.event.message_id), message_id);
        str_copy(m.event.text, sizeof(m.event.text), text);
        return tell(l, MEMBER_CAN_EVENTS, &m);
}

int member_link_leave(MemberLink *l)
{
        const MemberMessage m = {.kind = MEMBER_LEAVE};

        int r = tell(l, MEMBER_CAN_EVENTS, &m);
        if (r < 0)
                return r;
        l->next = peer_free(l->next);
        return link_set_state(l, LINK_LEAVING, LINK_ANSWER_MAX);
}

bool member_link_was_heard(const MemberLink *l)
{
        return l->heard;
}

int member_link_set_facts(MemberLink *l, const MemberFacts *facts)
{
        l->facts = *facts;
        if (is_joined(l))
                link_renewal_look(l);
        int r = is_joined(l) || l->state == LINK_INTRODUCING ? link_say_facts(l, l->peer) : 0;
        /* of what is said there before, the head would go by the old ones after the change */
        int q = l->next && l->next_up ? link_say_facts(l, l->next) : 0;
        return r < 0 ? r : q;
}

/* --- the object ---------------------------------------------------------------------------------
 */

int member_link_new(sd_event *event, const MemberLinkPolicy *p, const MemberLinkOps *ops,
                    void *userdata, MemberLink **ret)
{
        _cleanup_(member_link_freep) MemberLink *l = new0(MemberLink, 1);
        if (!l)
                return -ENOMEM;
        *l = (MemberLink){
                .event = event,
                .head = p->head,
                .party = p->party ? tls_party_ref(p->party) : NULL,
                .facts = *p->facts,
                .ops = *ops,
                .userdata = userdata,
                .backoff = {.base = MEMBER_LINK_PAUSE, .max = MEMBER_LINK_PAUSE_MAX},
        };
        if (!p->party && !p->identity)
                return -EINVAL;
        int r = p->identity ? identity_keeper_new(p->identity, &l->keeper) : 0;
        if (r >= 0)
                r = deadline_new(event, 0, USEC_PER_MSEC, on_deadline, l, &l->deadline);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

MemberLink *member_link_free(MemberLink *l)
{
        if (!l)
                return NULL;
        deadline_free(l->deadline);
        hang_up(l);
        tls_party_unref(l->party);
        identity_keeper_free(l->keeper);
        free(l);
        return NULL;
}

void member_link_set_head(MemberLink *l, const Addr *head)
{
        l->head = *head;
}

void member_link_hurry(MemberLink *l)
{
        if (l->state != LINK_WAITING)
                return;
        if (l->backoff.attempt > 0)
                l->backoff.attempt--;
        (void)deadline_move(l->deadline, 0);
}

bool member_link_is_joined(const MemberLink *l)
{
        return is_joined(l);
}

const PkiCert *member_link_head_cert(const MemberLink *l)
{
        return l->peer ? tls_link_peer(peer_tls(l->peer)) : NULL;
}

bool member_link_met_stranger(const MemberLink *l)
{
        return l->stranger;
}

bool member_link_clock(const MemberLink *l, int64_t *ret_offset_usec, usec_t *ret_error)
{
        if (!l->clock_known)
                return false;
        *ret_offset_usec = l->offset;
        *ret_error = l->offset_error;
        return true;
}
