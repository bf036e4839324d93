#include "wire/member-codec.h"

#include <string.h>

#include "base/alloc.h"
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
};
DEFINE_STRTAB(member_refusal, MemberRefusal);

/* The numbers on the wire are those of the enum here. */
static_assert((int)MEMBER_REFUSAL_BAD == MEMBERPB__REFUSED__REASON__BAD, "refusals");
static_assert((int)MEMBER_REFUSAL_STORE == MEMBERPB__REFUSED__REASON__STORE, "refusals");

void member_message_done(MemberMessage *m)
{
        Memberpb__Message *raw = m->raw;

        if (raw && m->kind == MEMBER_WELCOME)
                explicit_bzero(raw->welcome->ray_token, strlen(raw->welcome->ray_token));
        if (raw)
                memberpb__message__free_unpacked(raw, NULL);
        explicit_bzero(m, sizeof(*m));
}

/* --- out ----------------------------------------------------------------------------------------
 */

/* Pointers into what is to be encoded, as protobuf-c wants them. */
typedef struct Out {
        Memberpb__Message m;
        union {
                Memberpb__Hello hello;
                Memberpb__Enrol enrol;
                Memberpb__Renew renew;
                Memberpb__Issued issued;
                Memberpb__Refused refused;
                Memberpb__Facts facts;
                Memberpb__Welcome welcome;
                Memberpb__Beat beat;
        };
        Memberpb__Address addrs[MEMBER_ADDRS_MAX], *addr_ps[MEMBER_ADDRS_MAX];
        ProtobufCBinaryData cas[MEMBER_CAS_MAX];
} Out;

static ProtobufCBinaryData bytes(const void *data, size_t size)
{
        return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)data};
}

static int put_bytes(const MemberBytes *b, size_t max, ProtobufCBinaryData *ret)
{
        if (b->size == 0 || b->size > max)
                return -EINVAL;
        *ret = bytes(b->data, b->size);
        return 0;
}

static int put_addrs(Out *o, const Addr *addrs, size_t n)
{
        if (n > MEMBER_ADDRS_MAX)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                if (!addr_is_set(&addrs[i]))
                        return -EINVAL;
                memberpb__address__init(&o->addrs[i]);
                o->addrs[i].ip =
                        bytes(&addrs[i].in, addrs[i].family == AF_INET ? sizeof(addrs[i].in)
                                                                       : sizeof(addrs[i].in6));
                o->addr_ps[i] = &o->addrs[i];
        }
        return 0;
}

static int put_hello(Out *o, const MemberHello *h)
{
        memberpb__hello__init(&o->hello);
        o->hello.version = h->version;
        o->hello.oldest = h->oldest;
        o->hello.capabilities = h->capabilities;
        o->hello.software = (char *)h->software;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_HELLO;
        o->m.hello = &o->hello;
        return h->oldest == 0 || h->oldest > h->version ? -EINVAL : 0;
}

static int put_enrol(Out *o, const MemberEnrol *e)
{
        memberpb__enrol__init(&o->enrol);
        o->enrol.token = (char *)e->token;
        o->enrol.node = (char *)e->node;
        o->enrol.name = (char *)e->name;
        o->enrol.proof = bytes(e->proof, sizeof(e->proof));
        o->enrol.n_addrs = e->n_addrs;
        o->enrol.addrs = o->addr_ps;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_ENROL;
        o->m.enrol = &o->enrol;
        int r = put_bytes(&e->csr, MEMBER_CERT_MAX, &o->enrol.csr);
        return r < 0 ? r : put_addrs(o, e->addrs, e->n_addrs);
}

static int put_renew(Out *o, const MemberBytes *csr)
{
        memberpb__renew__init(&o->renew);
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_RENEW;
        o->m.renew = &o->renew;
        return put_bytes(csr, MEMBER_CERT_MAX, &o->renew.csr);
}

static int put_issued(Out *o, const MemberIssued *i)
{
        memberpb__issued__init(&o->issued);
        if (i->n_cas == 0 || i->n_cas > MEMBER_CAS_MAX)
                return -EINVAL;
        int r = put_bytes(&i->cert, MEMBER_CERT_MAX, &o->issued.cert);
        for (size_t k = 0; k < i->n_cas && r >= 0; k++)
                r = put_bytes(&i->cas[k], MEMBER_CERT_MAX, &o->cas[k]);
        o->issued.cas = o->cas;
        o->issued.n_cas = i->n_cas;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_ISSUED;
        o->m.issued = &o->issued;
        return r;
}

static int put_refused(Out *o, const MemberRefused *f)
{
        memberpb__refused__init(&o->refused);
        o->refused.reason = (Memberpb__Refused__Reason)f->reason;
        o->refused.text = (char *)f->text;
        o->refused.retry_usec = f->retry;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_REFUSED;
        o->m.refused = &o->refused;
        return f->reason > MEMBER_REFUSAL_OTHER && f->reason < _MEMBER_REFUSAL_MAX ? 0 : -EINVAL;
}

static int put_facts(Out *o, const MemberFacts *f)
{
        memberpb__facts__init(&o->facts);
        o->facts.name = (char *)f->name;
        o->facts.boot_id = (char *)f->boot_id;
        o->facts.ray = (char *)f->versions.ray;
        o->facts.python = (char *)f->versions.python;
        o->facts.cpus = f->cpus;
        o->facts.gpus = f->gpus;
        o->facts.memory = f->memory;
        o->facts.addrs = o->addr_ps;
        o->facts.n_addrs = f->n_addrs;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_FACTS;
        o->m.facts = &o->facts;
        return put_addrs(o, f->addrs, f->n_addrs);
}

static int put_welcome(Out *o, const MemberWelcome *w)
{
        memberpb__welcome__init(&o->welcome);
        o->welcome.cluster = (char *)w->cluster;
        o->welcome.beat_usec = w->beat;
        o->welcome.ray_token = (char *)w->ray_token;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_WELCOME;
        o->m.welcome = &o->welcome;
        return w->beat == 0 ? -EINVAL : 0;
}

static int put_beat(Out *o, const MemberBeat *b)
{
        memberpb__beat__init(&o->beat);
        o->beat.number = b->number;
        o->beat.t1_usec = b->t1_usec;
        o->beat.t2_usec = b->t2_usec;
        o->beat.t3_usec = b->t3_usec;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_BEAT;
        o->m.beat = &o->beat;
        return 0;
}

static int put_reflect(Out *o, MemberKind kind, const MemberBytes *b)
{
        bool request = kind == MEMBER_REFLECT_REQUEST;

        o->m.what_case = request ? MEMBERPB__MESSAGE__WHAT_REFLECT_REQUEST
                                 : MEMBERPB__MESSAGE__WHAT_REFLECT_REPLY;
        return put_bytes(b, MEMBER_FRAME_MAX - 16,
                         request ? &o->m.reflect_request : &o->m.reflect_reply);
}

static int put(Out *o, const MemberMessage *m)
{
        switch (m->kind) {
        case MEMBER_HELLO:
                return put_hello(o, &m->hello);
        case MEMBER_ENROL:
                return put_enrol(o, &m->enrol);
        case MEMBER_RENEW:
                return put_renew(o, &m->csr);
        case MEMBER_ISSUED:
                return put_issued(o, &m->issued);
        case MEMBER_REFUSED:
                return put_refused(o, &m->refused);
        case MEMBER_FACTS:
                return put_facts(o, &m->facts);
        case MEMBER_WELCOME:
                return put_welcome(o, &m->welcome);
        case MEMBER_BEAT:
                return put_beat(o, &m->beat);
        case MEMBER_REFLECT_REQUEST:
        case MEMBER_REFLECT_REPLY:
                return put_reflect(o, m->kind, &m->reflect);
        default:
                return -EINVAL;
        }
}

int member_encode(Buf *out, const MemberMessage *m)
{
        Out o = {.m = MEMBERPB__MESSAGE__INIT};
        _cleanup_buf_ Buf body = {0};

        int r = put(&o, m);
        if (r >= 0)
                r = pb_pack(&body, &o.m.base);
        if (r >= 0)
                r = member_frame_put(out, buf_data(&body), buf_size(&body));
        if (body.data)
                explicit_bzero(body.data, body.cap);
        return r;
}

/* --- in -----------------------------------------------------------------------------------------
 */

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
        if (m->proof.len != sizeof(e->proof))
                return -EBADMSG;
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
        f->reason = m->reason > 0 && (int)m->reason < _MEMBER_REFUSAL_MAX ? (MemberRefusal)m->reason
                                                                          : MEMBER_REFUSAL_OTHER;
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
                m->kind = MEMBER_UNKNOWN;
                return 0;
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
