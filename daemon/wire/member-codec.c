#include "wire/member-codec.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "wire/member-frame.h"
#include "wire/member.pb-c.h"
#include "wire/pb.h"
#include "wire/text.h"

static const char *const member_kind_table[_MEMBER_KIND_MAX] = {
        [MEMBER_UNKNOWN] = "unknown",
        [MEMBER_HELLO] = "hello",
        [MEMBER_ENROL] = "enrol",
        [MEMBER_RENEW] = "renew",
        [MEMBER_ISSUED] = "issued",
        [MEMBER_REFUSED] = "refused",
        [MEMBER_FACTS] = "facts",
        [MEMBER_WELCOME] = "welcome",
        [MEMBER_BEAT] = "beat",
        [MEMBER_REFLECT_REQUEST] = "reflect-request",
        [MEMBER_REFLECT_REPLY] = "reflect-reply",
        [MEMBER_PENDING] = "pending",
        [MEMBER_SETTINGS] = "settings",
        [MEMBER_COMMAND] = "command",
        [MEMBER_COMMAND_DONE] = "command-done",
        [MEMBER_EVENT] = "event",
        [MEMBER_LEAVE] = "leave",
        [MEMBER_RAY_ISSUE] = "ray-issue",
        [MEMBER_RAY_ISSUED] = "ray-issued",
};
DEFINE_STRTAB(member_kind, MemberKind);

static const char *const member_refusal_table[_MEMBER_REFUSAL_MAX] = {
        [MEMBER_REFUSAL_OTHER] = "other",
        [MEMBER_REFUSAL_BAD] = "bad",
        [MEMBER_REFUSAL_VERSION] = "version",
        [MEMBER_REFUSAL_IDENTITY] = "identity",
        [MEMBER_REFUSAL_REVOKED] = "revoked",
        [MEMBER_REFUSAL_TOKEN] = "token",
        [MEMBER_REFUSAL_TOKEN_EXPIRED] = "token-expired",
        [MEMBER_REFUSAL_TOKEN_USED] = "token-used",
        [MEMBER_REFUSAL_TOKEN_SCOPE] = "token-scope",
        [MEMBER_REFUSAL_LOCKED] = "locked",
        [MEMBER_REFUSAL_NAME_TAKEN] = "name-taken",
        [MEMBER_REFUSAL_BUSY] = "busy",
        [MEMBER_REFUSAL_STORE] = "store",
        [MEMBER_REFUSAL_DENIED] = "denied",
};
DEFINE_STRTAB(member_refusal, MemberRefusal);

static const char *const member_order_table[_MEMBER_ORDER_MAX] = {
        [MEMBER_ORDER_OTHER] = "other",
        [MEMBER_ORDER_START] = "start",
        [MEMBER_ORDER_STOP] = "stop",
        [MEMBER_ORDER_DRAIN] = "drain",
        [MEMBER_ORDER_RESTART_ENGINE] = "restart-engine",
        [MEMBER_ORDER_PROBE] = "probe",
};
DEFINE_STRTAB(member_order, MemberOrder);

/* The numbers on the wire are those of the enum here. */
static_assert((int)MEMBER_REFUSAL_BAD == MEMBERPB__REFUSED__REASON__BAD, "refusals");
static_assert((int)MEMBER_REFUSAL_DENIED == MEMBERPB__REFUSED__REASON__DENIED, "refusals");
static_assert((int)MEMBER_ORDER_START == MEMBERPB__COMMAND__KIND__START, "orders");
static_assert((int)MEMBER_ORDER_PROBE == MEMBERPB__COMMAND__KIND__PROBE, "orders");

void member_message_done(MemberMessage *m)
{
        Memberpb__Message *raw = m->raw;

        if (raw && m->kind == MEMBER_WELCOME)
                explicit_bzero(raw->welcome->ray_token, strlen(raw->welcome->ray_token));
        if (raw)
                memberpb__message__free_unpacked(raw, NULL);
        explicit_bzero(m, sizeof(*m));
}

/* What is shown is cleaned; what is too long is no name, not a cut one. */
static int take_text(char *dest, size_t size, const char *s)
{
        size_t n = strlen(s);

        if (n >= size)
                return -EMSGSIZE;
        _cleanup_free_ char *clean = text_clean(s, n, size - 1);
        if (!clean)
                return -ENOMEM;
        str_copy(dest, size, clean);
        return 0;
}

/* What is compared or used as a name in files has few characters. */
static int take_id(char *dest, size_t size, const char *s)
{
        if (s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")])
                return -EBADMSG;
        return take_text(dest, size, s);
}

static int take_bytes(const ProtobufCBinaryData *b, size_t max, MemberBytes *ret)
{
        if (b->len == 0)
                return -EBADMSG;
        if (b->len > max)
                return -EMSGSIZE;
        *ret = (MemberBytes){.data = b->data, .size = b->len};
        return 0;
}

static int take_addrs(Memberpb__Address *const *addrs, size_t n, Addr *ret, size_t *ret_n)
{
        if (n > MEMBER_ADDRS_MAX)
                return -EMSGSIZE;
        for (size_t i = 0; i < n; i++) {
                const ProtobufCBinaryData *ip = &addrs[i]->ip;
                if (ip->len != sizeof(ret->in) && ip->len != sizeof(ret->in6))
                        return -EBADMSG;
                ret[i] = (Addr){.family = ip->len == sizeof(ret->in) ? AF_INET : AF_INET6};
                memcpy(&ret[i].in, ip->data, ip->len);
                addr_unmap(&ret[i]); /* it is compared with addresses of others */
        }
        *ret_n = n;
        return 0;
}

static int take_hello(const Memberpb__Hello *m, MemberHello *h)
{
        if (m->oldest == 0 || m->oldest > m->version)
                return -EBADMSG;
        h->version = m->version;
        h->oldest = m->oldest;
        h->capabilities = m->capabilities;
        return take_text(h->software, sizeof(h->software), m->software);
}

static int take_enrol(const Memberpb__Enrol *m, MemberEnrol *e)
{
        bool asks = isempty(m->token) && m->proof.len == 0;

        if (!asks && (isempty(m->token) || m->proof.len != sizeof(e->proof)))
                return -EBADMSG;
        if (!asks)
                memcpy(e->proof, m->proof.data, sizeof(e->proof));
        int r = take_bytes(&m->csr, MEMBER_CERT_MAX, &e->csr);
        if (r >= 0)
                r = take_id(e->token, sizeof(e->token), m->token);
        if (r >= 0)
                r = take_id(e->node, sizeof(e->node), m->node);
        if (r >= 0)
                r = take_text(e->name, sizeof(e->name), m->name);
        return r < 0 ? r : take_addrs(m->addrs, m->n_addrs, e->addrs, &e->n_addrs);
}

static int take_issued(const Memberpb__Issued *m, MemberIssued *i)
{
        if (m->n_cas == 0)
                return -EBADMSG;
        if (m->n_cas > MEMBER_CAS_MAX)
                return -EMSGSIZE;
        int r = take_bytes(&m->cert, MEMBER_CERT_MAX, &i->cert);
        for (size_t k = 0; k < m->n_cas && r >= 0; k++)
                r = take_bytes(&m->cas[k], MEMBER_CERT_MAX, &i->cas[k]);
        i->n_cas = m->n_cas;
        return r;
}

static int take_refused(const Memberpb__Refused *m, MemberRefused *f)
{
        unsigned reason = (unsigned)m->reason; /* a negative one is as foreign as a large one */

        f->reason = reason < _MEMBER_REFUSAL_MAX ? (MemberRefusal)reason : MEMBER_REFUSAL_OTHER;
        f->retry = m->retry_usec;
        return take_text(f->text, sizeof(f->text), m->text);
}

static int take_facts(const Memberpb__Facts *m, MemberFacts *f)
{
        f->cpus = m->cpus;
        f->gpus = m->gpus;
        f->memory = m->memory;
        int r = take_text(f->name, sizeof(f->name), m->name);
        if (r >= 0)
                r = take_id(f->boot_id, sizeof(f->boot_id), m->boot_id);
        if (r >= 0)
                r = text_version(f->versions.ray, m->ray);
        if (r >= 0)
                r = text_version(f->versions.python, m->python);
        return r < 0 ? r : take_addrs(m->addrs, m->n_addrs, f->addrs, &f->n_addrs);
}

static int take_welcome(const Memberpb__Welcome *m, MemberWelcome *w)
{
        if (m->beat_usec == 0)
                return -EBADMSG;
        w->beat = m->beat_usec;
        int r = take_text(w->cluster, sizeof(w->cluster), m->cluster);
        return r < 0 ? r : take_text(w->ray_token, sizeof(w->ray_token), m->ray_token);
}

static void take_beat(const Memberpb__Beat *m, MemberBeat *b)
{
        *b = (MemberBeat){
                .number = m->number,
                .t1_usec = m->t1_usec,
                .t2_usec = m->t2_usec,
                .t3_usec = m->t3_usec,
        };
}

static int take_pending(const Memberpb__Pending *m, MemberPending *p)
{
        p->retry = m->retry_usec;
        return take_text(p->words, sizeof(p->words), m->words);
}

/* Lines that are read as a configuration: not mended, but taken or not. */
static int take_settings(const Memberpb__Settings *m, const char **ret)
{
        if (strlen(m->text) >= MEMBER_SETTINGS_MAX)
                return -EMSGSIZE;
        if (!utf8_is_printable(m->text))
                return -EBADMSG;
        *ret = m->text;
        return 0;
}

static int take_command(const Memberpb__Command *m, MemberCommand *c)
{
        unsigned order = (unsigned)m->kind;

        if (m->number == 0)
                return -EBADMSG;
        c->number = m->number;
        c->order = order < _MEMBER_ORDER_MAX ? (MemberOrder)order : MEMBER_ORDER_OTHER;
        return take_text(c->argument, sizeof(c->argument), m->argument);
}

static int take_done(const Memberpb__CommandDone *m, MemberCommandDone *d)
{
        d->number = m->number;
        d->ok = m->ok;
        return take_text(d->text, sizeof(d->text), m->text);
}

static int take_event(const Memberpb__Event *m, MemberEvent *e)
{
        e->time = m->time_usec;
        int r = take_id(e->message_id, sizeof(e->message_id), m->message_id);
        return r < 0 ? r : take_text(e->text, sizeof(e->text), m->text);
}

/* What came after the first version. */
static int take_later(const Memberpb__Message *p, MemberMessage *m)
{
        switch (p->what_case) {
        case MEMBERPB__MESSAGE__WHAT_PENDING:
                m->kind = MEMBER_PENDING;
                return take_pending(p->pending, &m->pending);
        case MEMBERPB__MESSAGE__WHAT_SETTINGS:
                m->kind = MEMBER_SETTINGS;
                return take_settings(p->settings, &m->settings);
        case MEMBERPB__MESSAGE__WHAT_COMMAND:
                m->kind = MEMBER_COMMAND;
                return take_command(p->command, &m->command);
        case MEMBERPB__MESSAGE__WHAT_COMMAND_DONE:
                m->kind = MEMBER_COMMAND_DONE;
                return take_done(p->command_done, &m->done);
        case MEMBERPB__MESSAGE__WHAT_EVENT:
                m->kind = MEMBER_EVENT;
                return take_event(p->event, &m->event);
        case MEMBERPB__MESSAGE__WHAT_LEAVE:
                m->kind = MEMBER_LEAVE;
                return 0;
        case MEMBERPB__MESSAGE__WHAT_RAY_ISSUE:
                m->kind = MEMBER_RAY_ISSUE;
                return take_bytes(&p->ray_issue->csr, MEMBER_CERT_MAX, &m->csr);
        case MEMBERPB__MESSAGE__WHAT_RAY_ISSUED:
                m->kind = MEMBER_RAY_ISSUED;
                return take_issued(p->ray_issued, &m->issued);
        default:
                m->kind = MEMBER_UNKNOWN;
                return 0;
        }
}

static int take(const Memberpb__Message *p, MemberMessage *m)
{
        switch (p->what_case) {
        case MEMBERPB__MESSAGE__WHAT_HELLO:
                m->kind = MEMBER_HELLO;
                return take_hello(p->hello, &m->hello);
        case MEMBERPB__MESSAGE__WHAT_ENROL:
                m->kind = MEMBER_ENROL;
                return take_enrol(p->enrol, &m->enrol);
        case MEMBERPB__MESSAGE__WHAT_RENEW:
                m->kind = MEMBER_RENEW;
                return take_bytes(&p->renew->csr, MEMBER_CERT_MAX, &m->csr);
        case MEMBERPB__MESSAGE__WHAT_ISSUED:
                m->kind = MEMBER_ISSUED;
                return take_issued(p->issued, &m->issued);
        case MEMBERPB__MESSAGE__WHAT_REFUSED:
                m->kind = MEMBER_REFUSED;
                return take_refused(p->refused, &m->refused);
        case MEMBERPB__MESSAGE__WHAT_FACTS:
                m->kind = MEMBER_FACTS;
                return take_facts(p->facts, &m->facts);
        case MEMBERPB__MESSAGE__WHAT_WELCOME:
                m->kind = MEMBER_WELCOME;
                return take_welcome(p->welcome, &m->welcome);
        case MEMBERPB__MESSAGE__WHAT_BEAT:
                m->kind = MEMBER_BEAT;
                take_beat(p->beat, &m->beat);
                return 0;
        case MEMBERPB__MESSAGE__WHAT_REFLECT_REQUEST:
                m->kind = MEMBER_REFLECT_REQUEST;
                return take_bytes(&p->reflect_request, MEMBER_FRAME_MAX, &m->reflect);
        case MEMBERPB__MESSAGE__WHAT_REFLECT_REPLY:
                m->kind = MEMBER_REFLECT_REPLY;
                return take_bytes(&p->reflect_reply, MEMBER_FRAME_MAX, &m->reflect);
        default:
                return take_later(p, m);
        }
}

int member_decode(const void *data, size_t size, MemberMessage *ret)
{
        _cleanup_member_message_ MemberMessage m = {0};

        int r = pb_unpack(&memberpb__message__descriptor, data, size, &m.raw);
        if (r >= 0)
                r = take(m.raw, &m);
        if (r < 0)
                return r;
        *ret = m;
        m.raw = NULL;
        return 0;
}
