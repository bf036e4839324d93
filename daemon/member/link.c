/*
 *   WAITING ──pause over──> DIALLING ──Hello──> INTRODUCING ──Welcome──> JOINED
 *      ^                       │                    │                      │
 *      └── no way, refused, silence, hung up ───────┴──────────────────────┤
 *                                                                          └─leave─> LEAVING ─>
 * LEFT
 */
#include "member/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/str.h"
#include "sys/deadline.h"

/* Hello to Welcome; and an answer to a beat. */
#define ANSWER_MAX (5 * USEC_PER_SEC)
/* Whatever the head asks for. */
#define BEAT_MIN (100 * USEC_PER_MSEC)
#define BEAT_MAX USEC_PER_MIN
/* Some ten thousand years; what is later would overflow. */
#define TIME_MAX (INT64_MAX / 32)

typedef enum LinkState {
        LINK_WAITING,
        LINK_DIALLING,    /* connect, TLS, Hello */
        LINK_INTRODUCING, /* our Facts are out */
        LINK_JOINED,
        LINK_LEAVING, /* the head was told; it hangs up */
        LINK_LEFT,
        _LINK_STATE_MAX,
        _LINK_STATE_INVALID = -EINVAL,
} LinkState;

struct MemberLink {
        sd_event *event; /* weak */
        Addr head;
        TlsParty *party;
        MemberFacts facts;
        MemberLinkOps ops;
        void *userdata;

        LinkState state;
        Peer *peer;
        Deadline *deadline; /* of the state: the next attempt, an answer, the next beat */
        Backoff backoff;
        uint64_t can; /* the head: MEMBER_CAN_* */
        usec_t beat;
        uint64_t number; /* of the last beat: */
        int64_t t1;
        bool awaits; /* its answer */
        bool clock_known;
        int64_t offset;
        usec_t offset_error;
};

static const uint32_t next_states[_LINK_STATE_MAX] = {
        [LINK_WAITING] = 1U << LINK_DIALLING,
        [LINK_DIALLING] = 1U << LINK_INTRODUCING | 1U << LINK_WAITING,
        [LINK_INTRODUCING] = 1U << LINK_JOINED | 1U << LINK_WAITING,
        [LINK_JOINED] = 1U << LINK_WAITING | 1U << LINK_LEAVING,
        [LINK_LEAVING] = 1U << LINK_LEFT,
};

static int link_set_state(MemberLink *l, LinkState state, usec_t deadline)
{
        if (!(next_states[l->state] & 1U << state))
                return -EPROTO;
        l->state = state;
        return deadline_move(l->deadline, deadline);
}

/* Tried again after a pause. */
static void fall_back(MemberLink *l)
{
        l->peer = peer_free(l->peer);
        l->awaits = false;
        (void)link_set_state(l, LINK_WAITING, backoff_next(&l->backoff));
}

static void go(MemberLink *l)
{
        l->peer = peer_free(l->peer);
        if (link_set_state(l, LINK_LEFT, USEC_INFINITY) >= 0 && l->ops.on_left)
                l->ops.on_left(l, l->userdata);
}

static void lose(MemberLink *l, const char *why)
{
        if (l->state == LINK_LEAVING) {
                go(l);
                return;
        }
        fall_back(l);
        l->ops.on_lost(l, why, l->userdata);
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
                r = deadline_move(l->deadline, ANSWER_MAX);
        l->awaits = true;
        if (r < 0)
                lose(l, "the head does not read what it is sent");
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

static void on_up(Peer *p, const MemberHello *hello, void *userdata)
{
        MemberMessage m = {.kind = MEMBER_FACTS};
        MemberLink *l = userdata;

        l->can = hello->capabilities;
        m.facts = l->facts;
        int r = link_set_state(l, LINK_INTRODUCING, ANSWER_MAX);
        if (r >= 0)
                r = peer_send(p, &m);
        if (r < 0)
                lose(l, strerror(-r));
}

static void take_welcome(MemberLink *l, const MemberWelcome *w)
{
        l->beat = MIN(MAX(w->beat, BEAT_MIN), BEAT_MAX);
        if (link_set_state(l, LINK_JOINED, l->beat) < 0)
                return;
        backoff_reset(&l->backoff);
        l->ops.on_welcome(l, w, l->userdata);
}

static void take_settings(MemberLink *l, const char *text)
{
        if (l->ops.on_settings && (l->state == LINK_INTRODUCING || l->state == LINK_JOINED))
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

static void on_message(Peer *p, const MemberMessage *m, void *userdata)
{
        MemberLink *l = userdata;

        if (l->state == LINK_LEAVING)
                return;
        if (m->kind == MEMBER_REFUSED) {
                MemberRefused refused = m->refused;
                fall_back(l);
                l->ops.on_refused(l, &refused, l->userdata);
        } else if (m->kind == MEMBER_WELCOME && l->state == LINK_INTRODUCING)
                take_welcome(l, &m->welcome);
        else if (m->kind == MEMBER_WELCOME && l->state == LINK_JOINED)
                l->ops.on_welcome(l, &m->welcome, l->userdata);
        else if (m->kind == MEMBER_SETTINGS)
                take_settings(l, m->settings);
        else if (m->kind == MEMBER_COMMAND && l->state == LINK_JOINED)
                take_command(l, &m->command);
        else if (m->kind == MEMBER_BEAT && l->state == LINK_JOINED)
                take_beat(l, &m->beat);
}

static const char *tls_words(const TlsLinkFacts *f)
{
        switch (f->end) {
        case TLS_LINK_NO_MEMBER:
                return f->defect == PKI_DEFECT_NOT_YET_VALID || f->defect == PKI_DEFECT_EXPIRED
                               ? "the head's certificate is not valid at this machine's time: "
                                 "compare the clocks (timedatectl)"
                               : "what answers there is not the head of this machine's cluster";
        case TLS_LINK_WRONG_ROLE:
                return "a worker answers there, not the head";
        case TLS_LINK_REFUSED:
                return "the head does not take this machine's certificate";
        default:
                return "what answers there is no control port of raycluster";
        }
}

static void on_down(Peer *p, const PeerDown *down, void *userdata)
{
        char why[160];

        if (down->end == PEER_NO_WAY)
                (void)snprintf(why, sizeof(why), "no connection: %s", strerror(down->error));
        else if (down->end == PEER_TLS)
                str_copy(why, sizeof(why), tls_words(&down->tls));
        else if (down->end == PEER_VERSION)
                str_copy(why, sizeof(why), "the head speaks another version");
        else if (down->end == PEER_CLOSED && down->error == 0)
                str_copy(why, sizeof(why), "the head hung up");
        else
                (void)snprintf(why, sizeof(why), "the connection broke: %s",
                               down->error ? strerror(down->error) : peer_end_to_string(down->end));
        lose(userdata, why);
}

static void dial(MemberLink *l)
{
        static const PeerOps ops = {.on_up = on_up, .on_message = on_message, .on_down = on_down};
        const TlsLinkPolicy policy = {0};

        /* the peer has a deadline of its own until it is up */
        int r = link_set_state(l, LINK_DIALLING, USEC_INFINITY);
        if (r >= 0)
                r = peer_connect(l->event, &l->head, l->party, &policy, &ops, l, &l->peer);
        if (r < 0)
                lose(l, strerror(-r));
}

static void on_deadline(void *userdata)
{
        MemberLink *l = userdata;

        switch (l->state) {
        case LINK_WAITING:
                dial(l);
                break;
        case LINK_INTRODUCING:
                lose(l, "the head does not answer");
                break;
        case LINK_JOINED:
                if (l->awaits)
                        lose(l, "the head is not heard any more");
                else
                        send_beat(l);
                break;
        case LINK_LEAVING:
                go(l);
                break;
        default:
                break;
        }
}

/* --- what we say --------------------------------------------------------------------------------
 */

static int tell(MemberLink *l, uint64_t can, const MemberMessage *m)
{
        if (l->state != LINK_JOINED)
                return -ENOTCONN;
        return l->can & can ? peer_send(l->peer, m) : -EOPNOTSUPP;
}

int member_link_done(MemberLink *l, uint64_t number, bool ok, const char *text)
{
        MemberMessage m = {.kind = MEMBER_COMMAND_DONE, .done = {.number = number, .ok = ok}};

        str_copy(m.done.text, sizeof(m.done.text), text);
        return tell(l, MEMBER_CAN_COMMANDS, &m);
}

int member_link_event(MemberLink *l, const char *message_id, const char *text)
{
        MemberMessage m = {.kind = MEMBER_EVENT, .event = {.time = now_real()}};

        str_copy(m.event.message_id, sizeof(m.event.message_id), message_id);
        str_copy(m.event.text, sizeof(m.event.text), text);
        return tell(l, MEMBER_CAN_EVENTS, &m);
}

int member_link_leave(MemberLink *l)
{
        const MemberMessage m = {.kind = MEMBER_LEAVE};

        int r = tell(l, MEMBER_CAN_EVENTS, &m);
        return r < 0 ? r : link_set_state(l, LINK_LEAVING, ANSWER_MAX);
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
                .party = tls_party_ref(p->party),
                .facts = *p->facts,
                .ops = *ops,
                .userdata = userdata,
                .backoff = {.base = MEMBER_LINK_PAUSE, .max = MEMBER_LINK_PAUSE_MAX},
        };
        int r = deadline_new(event, 0, USEC_PER_MSEC, on_deadline, l, &l->deadline);
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
        peer_free(l->peer);
        tls_party_unref(l->party);
        free(l);
        return NULL;
}

void member_link_set_head(MemberLink *l, const Addr *head)
{
        l->head = *head;
}

bool member_link_is_joined(const MemberLink *l)
{
        return l->state == LINK_JOINED;
}

bool member_link_clock(const MemberLink *l, int64_t *ret_offset_usec, usec_t *ret_error)
{
        if (!l->clock_known)
                return false;
        *ret_offset_usec = l->offset;
        *ret_error = l->offset_error;
        return true;
}
