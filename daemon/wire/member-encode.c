/* Values to bytes; the other way is in member-codec.c. */
#include <string.h>

#include "base/str.h"
#include "wire/member-codec.h"
#include "wire/member-frame.h"
#include "wire/member.pb-c.h"
#include "wire/pb.h"

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
                Memberpb__Pending pending;
                Memberpb__Settings settings;
                Memberpb__Command command;
                Memberpb__CommandDone done;
                Memberpb__Event event;
                Memberpb__Leave leave;
                Memberpb__RayIssue ray_issue;
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
        o->enrol.proof = bytes(e->proof, isempty(e->token) ? 0 : sizeof(e->proof));
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

static int put_issued(Out *o, MemberKind kind, const MemberIssued *i)
{
        bool ours = kind == MEMBER_ISSUED;

        memberpb__issued__init(&o->issued);
        if (i->n_cas == 0 || i->n_cas > MEMBER_CAS_MAX)
                return -EINVAL;
        int r = put_bytes(&i->cert, MEMBER_CERT_MAX, &o->issued.cert);
        for (size_t k = 0; k < i->n_cas && r >= 0; k++)
                r = put_bytes(&i->cas[k], MEMBER_CERT_MAX, &o->cas[k]);
        o->issued.cas = o->cas;
        o->issued.n_cas = i->n_cas;
        o->m.what_case = ours ? MEMBERPB__MESSAGE__WHAT_ISSUED : MEMBERPB__MESSAGE__WHAT_RAY_ISSUED;
        *(ours ? &o->m.issued : &o->m.ray_issued) = &o->issued;
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

static int put_pending(Out *o, const MemberPending *p)
{
        memberpb__pending__init(&o->pending);
        o->pending.words = (char *)p->words;
        o->pending.retry_usec = p->retry;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_PENDING;
        o->m.pending = &o->pending;
        return 0;
}

static int put_settings(Out *o, const char *text)
{
        memberpb__settings__init(&o->settings);
        o->settings.text = (char *)text;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_SETTINGS;
        o->m.settings = &o->settings;
        return strlen(text) < MEMBER_SETTINGS_MAX && utf8_is_printable(text) ? 0 : -EINVAL;
}

static int put_command(Out *o, const MemberCommand *c)
{
        memberpb__command__init(&o->command);
        o->command.number = c->number;
        o->command.kind = (Memberpb__Command__Kind)c->order;
        o->command.argument = (char *)c->argument;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_COMMAND;
        o->m.command = &o->command;
        return c->number > 0 && c->order > MEMBER_ORDER_OTHER && c->order < _MEMBER_ORDER_MAX
                       ? 0
                       : -EINVAL;
}

static int put_done(Out *o, const MemberCommandDone *d)
{
        memberpb__command_done__init(&o->done);
        o->done.number = d->number;
        o->done.ok = d->ok;
        o->done.text = (char *)d->text;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_COMMAND_DONE;
        o->m.command_done = &o->done;
        return 0;
}

static int put_event(Out *o, const MemberEvent *e)
{
        memberpb__event__init(&o->event);
        o->event.message_id = (char *)e->message_id;
        o->event.text = (char *)e->text;
        o->event.time_usec = e->time;
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_EVENT;
        o->m.event = &o->event;
        return 0;
}

static int put_leave(Out *o)
{
        memberpb__leave__init(&o->leave);
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_LEAVE;
        o->m.leave = &o->leave;
        return 0;
}

static int put_ray_issue(Out *o, const MemberBytes *csr)
{
        memberpb__ray_issue__init(&o->ray_issue);
        o->m.what_case = MEMBERPB__MESSAGE__WHAT_RAY_ISSUE;
        o->m.ray_issue = &o->ray_issue;
        return put_bytes(csr, MEMBER_CERT_MAX, &o->ray_issue.csr);
}

/* What came after the first version. */
static int put_later(Out *o, const MemberMessage *m)
{
        switch (m->kind) {
        case MEMBER_PENDING:
                return put_pending(o, &m->pending);
        case MEMBER_SETTINGS:
                return put_settings(o, m->settings);
        case MEMBER_COMMAND:
                return put_command(o, &m->command);
        case MEMBER_COMMAND_DONE:
                return put_done(o, &m->done);
        case MEMBER_EVENT:
                return put_event(o, &m->event);
        case MEMBER_LEAVE:
                return put_leave(o);
        case MEMBER_RAY_ISSUE:
                return put_ray_issue(o, &m->csr);
        case MEMBER_RAY_ISSUED:
                return put_issued(o, m->kind, &m->issued);
        default:
                return -EINVAL;
        }
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
                return put_issued(o, m->kind, &m->issued);
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
                return put_later(o, m);
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
