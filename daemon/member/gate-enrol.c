/* The gate's answers to who wants a certificate. */
#include "base/str.h"
#include "member/gate-private.h"
#include "member/renewal.h"

int visitor_send_issued(Visitor *v, MemberKind kind, const PkiCert *cert, const PkiCert *ca)
{
        MemberMessage m = {.kind = kind};
        _cleanup_buf_ Buf of_cert = {0}, of_ca = {0};

        int r = pki_cert_to_der(cert, &of_cert);
        if (r >= 0)
                r = pki_cert_to_der(ca, &of_ca);
        if (r < 0)
                return r;
        m.issued = (MemberIssued){
                .cert = {buf_data(&of_cert), buf_size(&of_cert)},
                .cas = {{buf_data(&of_ca), buf_size(&of_ca)}},
                .n_cas = 1,
        };
        return peer_send(v->peer, &m);
}

static int send_issued(Visitor *v, const EnrolmentAnswer *a)
{
        return visitor_send_issued(v, MEMBER_ISSUED, a->cert,
                                   authority_cert(v->gate->policy.authority));
}

void visitor_enrol(Visitor *v, const MemberEnrol *e)
{
        Gate *g = v->gate;
        EnrolmentClaim c = {.enrol = e,
                            .from = v->from,
                            .now = now_real(),
                            .mono = now_mono(),
                            .can_wait = v->can & MEMBER_CAN_WAIT};
        EnrolmentAnswer a = {0};

        c.from.port = 0;
        int r = tls_link_export(peer_tls(v->peer), c.binding);
        if (r >= 0)
                r = enrolment_decide(&g->desk, &c, &a);
        if (r < 0) {
                visitor_send_away(v, GATE_LOSS_CLOSED);
                return;
        }
        if (a.pending && visitor_wait(v, &a) < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
        if (a.pending)
                return;
        if (!a.accepted) {
                visitor_refuse(v, &a.refused, e->name, a.error, a.locked);
                return;
        }
        if (!isempty(a.replaced.node)) /* its name is another's now */
                (void)visitor_cut_off(g, a.replaced.node);
        g->ops.on_enrolled(g, &a.member, &v->from, g->userdata);
        r = visitor_set_state(v, VISITOR_LEAVING);
        if (r >= 0)
                r = send_issued(v, &a);
        enrolment_answer_done(&a);
        if (r < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
}

/* A member that is there stays one whatever comes of it. */
static void refuse_renewal(Visitor *v, const MemberRefused *f, int error)
{
        const MemberMessage m = {.kind = MEMBER_REFUSED, .refused = *f};
        Gate *g = v->gate;

        if (v->state != VISITOR_MEMBER) {
                visitor_refuse(v, f, v->row.name, error, 0);
                return;
        }
        g->ops.on_refused(g, f, v->row.name, &v->from, error, 0, g->userdata);
        if (peer_send(v->peer, &m) < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
}

/* Of a machine that was off nobody knows more than its last certificate says. */
static int wish(const Visitor *v, MemberBytes csr, PkiNames *names, CertifyWish *ret)
{
        *ret = (CertifyWish){.csr = csr,
                             .addrs = v->facts.addrs,
                             .n_addrs = v->facts.n_addrs,
                             .from = v->from,
                             .now = now_real()};
        if (v->state == VISITOR_MEMBER)
                return 0;
        int r = pki_cert_names(tls_link_peer(peer_tls(v->peer)), names);
        ret->addrs = names->addrs;
        ret->n_addrs = names->n_addrs;
        return r;
}

static int answer_renewal(Visitor *v, const EnrolmentAnswer *a)
{
        Gate *g = v->gate;
        bool member = v->state == VISITOR_MEMBER;

        v->row = a->member;
        str_copy(v->renewed, sizeof(v->renewed), pki_cert_serial(a->cert));
        if (g->ops.on_renewed)
                g->ops.on_renewed(g, &a->member, &v->from, g->userdata);
        int r = member ? 0 : visitor_set_state(v, VISITOR_LEAVING);
        return r < 0 ? r : send_issued(v, a);
}

void visitor_renew(Visitor *v, MemberBytes csr)
{
        MemberRefused busy = {.reason = MEMBER_REFUSAL_BUSY, .retry = USEC_PER_MIN};
        EnrolmentAnswer a = {0};
        CertifyWish w;
        PkiNames names;

        if (!ratelimit_below(&v->renewals, now_mono())) {
                str_copy(busy.text, sizeof(busy.text), "this machine renews too often");
                refuse_renewal(v, &busy, 0);
                return;
        }
        int r = wish(v, csr, &names, &w);
        if (r >= 0)
                r = renewal_decide(&v->gate->desk, &v->row, &w, &a);
        if (r >= 0 && !a.accepted) {
                refuse_renewal(v, &a.refused, a.error);
                return;
        }
        if (r >= 0)
                r = answer_renewal(v, &a);
        enrolment_answer_done(&a);
        if (r < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
}
