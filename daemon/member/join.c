/*
 *   DIALLING ──TLS with the pin, Hello──> ASKING ──Issued, Pending──> DONE
 *      └─────── anything else ──────────────┴──────────────> DONE
 */
#include "member/join.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "member/clock-words.h"
#include "member/first-sight.h"
#include "member/issued.h"
#include "member/proof.h"
#include "sys/deadline.h"
#include "sys/pki-request.h"

typedef enum JoinState {
        JOIN_STATE_DIALLING,
        JOIN_STATE_ASKING,
        JOIN_STATE_DONE, /* the owner was told, or is being told */
        _JOIN_STATE_MAX,
        _JOIN_STATE_INVALID = -EINVAL,
} JoinState;

struct Join {
        JoinState state;
        join_cb cb;
        void *userdata;
        Addr head;
        JoinToken token;
        bool has_token;
        char *path;
        MemberEnrol enrol; /* csr points into `csr` */
        Buf csr;
        Identity identity;
        TlsParty *party;
        Peer *peer;
        Deadline *deadline;
};

static const char *const join_end_table[_JOIN_END_MAX] = {
        [JOIN_DONE] = "done",
        [JOIN_UNREACHABLE] = "unreachable",
        [JOIN_WRONG_HEAD] = "wrong-head",
        [JOIN_REFUSED] = "refused",
        [JOIN_PENDING] = "pending",
        [JOIN_FAILED] = "failed",
};
DEFINE_STRTAB(join_end, JoinEnd);

static const uint32_t next_states[_JOIN_STATE_MAX] = {
        [JOIN_STATE_DIALLING] = 1U << JOIN_STATE_ASKING | 1U << JOIN_STATE_DONE,
        [JOIN_STATE_ASKING] = 1U << JOIN_STATE_DONE,
};

static int join_set_state(Join *j, JoinState state)
{
        if (!(next_states[j->state] & 1U << state))
                return -EPROTO;
        j->state = state;
        return 0;
}

Join *join_free(Join *j)
{
        if (!j)
                return NULL;
        deadline_free(j->deadline);
        peer_free(j->peer);
        tls_party_unref(j->party);
        identity_done(&j->identity);
        buf_done(&j->csr);
        join_token_forget(&j->token);
        free(j->path);
        free(j);
        return NULL;
}

static void take_words(const Join *j, JoinResult *r)
{
        const PkiCert *ca = j->peer ? tls_link_authority(peer_tls(j->peer)) : NULL;
        uint8_t pin[PKI_PIN_SIZE];

        if (!ca || !j->identity.key)
                return;
        pki_cert_pin(ca, pin);
        key_words(pin, r->words_head);
        pki_key_pin(j->identity.key, pin);
        key_words(pin, r->words_own);
}

static void finish(Join *j, JoinResult *r, const char *fmt, ...) _printf_(3, 4);
static void finish(Join *j, JoinResult *r, const char *fmt, ...)
{
        va_list ap;

        if (join_set_state(j, JOIN_STATE_DONE) < 0)
                return;
        va_start(ap, fmt);
        (void)vsnprintf(r->text, sizeof(r->text), fmt, ap);
        va_end(ap);
        take_words(j, r);
        j->deadline = deadline_free(j->deadline);
        j->peer = peer_free(j->peer);
        j->cb(j, r, j->userdata);
}

/* --- asking -------------------------------------------------------------------------------------
 */

static int prove(Join *j)
{
        uint8_t binding[TLS_LINK_EXPORT_SIZE], key[PROOF_KEY_SIZE];
        MemberEnrol *e = &j->enrol;

        int r = tls_link_export(peer_tls(j->peer), binding);
        if (r >= 0)
                r = proof_key(j->token.secret, sizeof(j->token.secret), key);
        if (r >= 0)
                r = proof_make(key, binding, e->token, e->csr.data, e->csr.size, e->proof);
        mac_forget(key, sizeof(key));
        return r;
}

static void on_up(Peer *p, const MemberHello *hello, void *userdata)
{
        MemberMessage m = {.kind = MEMBER_ENROL};
        Join *j = userdata;

        if (!j->has_token && !(hello->capabilities & MEMBER_CAN_WAIT)) {
                finish(j, &(JoinResult){.end = JOIN_REFUSED, .refusal = MEMBER_REFUSAL_TOKEN},
                       "this head takes machines with a token only: raycluster token create there");
                return;
        }
        int r = join_set_state(j, JOIN_STATE_ASKING);
        if (r >= 0 && j->has_token)
                r = prove(j);
        if (r >= 0) {
                m.enrol = j->enrol;
                r = peer_send(p, &m);
        }
        if (r < 0)
                finish(j, &(JoinResult){.end = JOIN_FAILED}, "the head could not be asked: %s",
                       strerror(-r));
}

/* --- the answer ---------------------------------------------------------------------------------
 */

static int take_issued(Join *j, const MemberIssued *m)
{
        Identity i;

        int r = issued_read(m, j->identity.key, j->enrol.node,
                            tls_link_authority(peer_tls(j->peer)), &i);
        if (r < 0)
                return r;
        i.key = TAKE_PTR(j->identity.key);
        identity_done(&j->identity);
        j->identity = i;
        return 0;
}

static void on_issued(Join *j, const MemberIssued *m)
{
        JoinResult failed = {.end = JOIN_FAILED};

        int r = take_issued(j, m);
        if (r < 0) {
                finish(j, &failed,
                       "what the head sent is no certificate for this machine (%s): is raycluster "
                       "of one version on both?",
                       strerror(-r));
                return;
        }
        r = identity_save(j->path, &j->identity);
        if (r < 0)
                finish(j, &failed, "%s: %s; mend that, then join again%s", j->path, strerror(-r),
                       j->has_token ? ": this has cost the token one use" : "");
        else
                finish(j, &(JoinResult){.end = JOIN_DONE}, "this machine is a member");
}

/* Nobody else is believed from now on, also without the token, which may end before the admin has
 * said a word. */
static void on_pending(Join *j, const MemberPending *m)
{
        const PkiCert *ca = tls_link_authority(peer_tls(j->peer));
        uint8_t pin[PKI_PIN_SIZE];
        int r = 0;

        if (ca) {
                pki_cert_pin(ca, pin);
                r = first_sight_save(j->path, pin, &j->head);
        }
        if (r < 0)
                finish(j, &(JoinResult){.end = JOIN_FAILED},
                       "%s.pending: %s; mend that, then ask again", j->path, strerror(-r));
        else
                finish(j, &(JoinResult){.end = JOIN_PENDING, .retry = m->retry},
                       "an admin of the head has to approve this machine: raycluster node approve "
                       "%s, after both have compared the words",
                       j->enrol.name);
}

/* With a token it may be another head than the one whose admin is waited for. */
static bool is_first_sight(const Join *j)
{
        const PkiCert *ca = tls_link_authority(peer_tls(j->peer));
        uint8_t first[PKI_PIN_SIZE], pin[PKI_PIN_SIZE];

        if (!ca || first_sight_load(j->path, first, NULL) < 0)
                return false;
        pki_cert_pin(ca, pin);
        return memcmp(first, pin, sizeof(pin)) == 0;
}

/* Who was refused by a wrong head may ask another. */
static void on_refused(Join *j, const MemberRefused *m)
{
        JoinResult refused = {.end = JOIN_REFUSED, .refusal = m->reason, .retry = m->retry};

        if (m->reason == MEMBER_REFUSAL_DENIED && is_first_sight(j))
                first_sight_forget(j->path);
        finish(j, &refused, "%s", m->text);
}

static void on_message(Peer *p, const MemberMessage *m, void *userdata)
{
        Join *j = userdata;

        if (m->kind == MEMBER_ISSUED)
                on_issued(j, &m->issued);
        else if (m->kind == MEMBER_REFUSED)
                on_refused(j, &m->refused);
        else if (m->kind == MEMBER_PENDING)
                on_pending(j, &m->pending);
        /* anything else is not for us yet */
}

static void tell_tls(Join *j, const TlsLinkFacts *f)
{
        JoinResult wrong = {.end = JOIN_WRONG_HEAD}, unreachable = {.end = JOIN_UNREACHABLE};
        char to[ADDR_PORT_MAX], words[CLOCK_WORDS_MAX];

        addr_format_port(to, &j->head);
        switch (f->end) {
        case TLS_LINK_WRONG_PIN:
                if (!j->has_token)
                        finish(j, &wrong,
                               "%s is not the head that this machine asked first, nothing was sent "
                               "to it: if another is meant, remove %s.pending",
                               to, j->path);
                else
                        finish(j, &wrong,
                               "%s is not the head that made this token, nothing was sent to it: "
                               "take a "
                               "token of this head, or the address of that one",
                               to);
                break;
        case TLS_LINK_WRONG_ROLE:
                finish(j, &wrong, "%s is a worker, not the head; nothing was sent to it", to);
                break;
        case TLS_LINK_NO_MEMBER:
                if (clock_words(words, sizeof(words), f, now_real()))
                        finish(j, &wrong, "%s: %s", to, words);
                else
                        finish(j, &wrong,
                               "the certificate of %s is not that of a head; nothing was sent to "
                               "it",
                               to);
                break;
        case TLS_LINK_CLOSED:
                finish(j, &unreachable,
                       "%s closed the connection while it was being set up: the head there is "
                       "restarting or has too many connections, or it is another service; try "
                       "again in a moment, ray-probe says more",
                       to);
                break;
        default:
                finish(j, &unreachable,
                       "what answers at %s is no control port of raycluster; ray-probe says more",
                       to);
                break;
        }
}

static void too_late(Join *j)
{
        char to[ADDR_PORT_MAX];

        finish(j, &(JoinResult){.end = JOIN_UNREACHABLE},
               "the head at %s did not answer in time; ray-probe says why",
               addr_format_port(to, &j->head));
}

static void on_down(Peer *p, const PeerDown *down, void *userdata)
{
        Join *j = userdata;
        JoinResult unreachable = {.end = JOIN_UNREACHABLE};
        char to[ADDR_PORT_MAX];

        addr_format_port(to, &j->head);
        if (down->end == PEER_TLS)
                tell_tls(j, &down->tls);
        else if (down->end == PEER_NO_WAY)
                finish(j, &unreachable, "no connection to the head at %s: %s; ray-probe says why",
                       to, strerror(down->error));
        else if (down->end == PEER_VERSION)
                finish(j, &unreachable,
                       "the head at %s speaks another version: install the same raycluster on both",
                       to);
        else if (down->end == PEER_BAD)
                finish(j, &unreachable,
                       "what the head at %s says is not to be understood: is raycluster of one "
                       "version on both?",
                       to);
        else if (down->end == PEER_SLOW)
                too_late(j);
        else
                finish(j, &unreachable,
                       "the head at %s hung up before it had answered: it may be restarting; try "
                       "again in a moment",
                       to);
}

static void on_deadline(void *userdata)
{
        too_late(userdata);
}

/* --- the object ---------------------------------------------------------------------------------
 */

static int prepare(Join *j, const JoinPolicy *p)
{
        MemberEnrol *e = &j->enrol;

        if (p->n_addrs > MEMBER_ADDRS_MAX || strlen(p->node) >= sizeof(e->node) ||
            strlen(p->name) >= sizeof(e->name))
                return -EINVAL;
        int r = identity_key_as(p->path, PKI_WORKER, &j->identity.key);
        if (r >= 0)
                r = pki_request_new(j->identity.key, p->name, &j->csr);
        if (r >= 0)
                r = tls_party_new(NULL, NULL, NULL, 0, &j->party);
        if (r >= 0)
                r = free_and_strdup(&j->path, p->path);
        if (r < 0)
                return r;
        str_copy(e->token, sizeof(e->token), p->token ? p->token->id : "");
        str_copy(e->node, sizeof(e->node), p->node);
        str_copy(e->name, sizeof(e->name), p->name);
        e->csr = (MemberBytes){buf_data(&j->csr), buf_size(&j->csr)};
        if (p->n_addrs > 0)
                memcpy(e->addrs, p->addrs, p->n_addrs * sizeof(*p->addrs));
        e->n_addrs = p->n_addrs;
        return 0;
}

/* Whom to believe. */
static int choose(const JoinPolicy *p, TlsLinkPolicy *ret)
{
        static_assert(JOIN_PINS_MAX <= TLS_LINK_PINS_MAX && JOIN_PIN_SIZE == PKI_PIN_SIZE, "pins");

        if (p->token) {
                *ret = (TlsLinkPolicy){.n_pins = p->token->n_pins};
                memcpy(ret->pins, p->token->pins, sizeof(p->token->pins));
                return 0;
        }
        *ret = (TlsLinkPolicy){.n_pins = 1};
        int r = first_sight_load(p->path, ret->pins[0], NULL);
        if (r == -ENOENT) {
                *ret = (TlsLinkPolicy){.first_sight = true};
                r = 0;
        }
        return r;
}

int join_new(sd_event *event, const JoinPolicy *p, join_cb cb, void *userdata, Join **ret)
{
        static const PeerOps ops = {.on_up = on_up, .on_message = on_message, .on_down = on_down};
        _cleanup_(join_freep) Join *j = new0(Join, 1);
        TlsLinkPolicy policy;

        if (!j)
                return -ENOMEM;
        *j = (Join){.cb = cb, .userdata = userdata, .head = p->head, .has_token = p->token};
        if (p->token)
                j->token = *p->token;
        int r = choose(p, &policy);
        if (r >= 0)
                r = prepare(j, p);
        if (r >= 0)
                r = deadline_new(event, JOIN_TIMEOUT, USEC_PER_SEC / 4, on_deadline, j,
                                 &j->deadline);
        if (r >= 0)
                r = peer_connect(event, &p->head, j->party, &policy, &ops, j, &j->peer);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(j);
        return 0;
}
