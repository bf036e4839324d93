/* The gate's answers to who wants a certificate. */
#include "base/str.h"
#include "member/gate-private.h"

static int send_issued(Visitor *v, const EnrolmentAnswer *a)
{
        MemberMessage m = {.kind = MEMBER_ISSUED};
        _cleanup_buf_ Buf cert = {0}, ca = {0};

        int r = pki_cert_to_der(a->cert, &cert);
        if (r >= 0)
                r = pki_cert_to_der(authority_cert(v->gate->policy.authority), &ca);
        if (r < 0)
                return r;
        m.issued = (MemberIssued){
                .cert = {buf_data(&cert), buf_size(&cert)},
                .cas = {{buf_data(&ca), buf_size(&ca)}},
                .n_cas = 1,
        };
        return peer_send(v->peer, &m);
}

void visitor_enrol(Visitor *v, const MemberEnrol *e)
{
        Gate *g = v->gate;
        EnrolmentClaim c = {.enrol = e, .from = v->from, .now = now_real(), .mono = now_mono()};
        EnrolmentAnswer a = {0};

        c.from.port = 0;
        int r = tls_link_export(peer_tls(v->peer), c.binding);
        if (r >= 0)
                r = enrolment_decide(&g->desk, &c, &a);
        if (r < 0) {
                visitor_send_away(v, GATE_LOSS_CLOSED);
                return;
        }
        if (!a.accepted) {
                visitor_refuse(v, &a.refused, e->name, a.error, a.locked);
                return;
        }
        g->ops.on_enrolled(g, &a.member, &v->from, g->userdata);
        r = visitor_set_state(v, VISITOR_LEAVING);
        if (r >= 0)
                r = send_issued(v, &a);
        enrolment_answer_done(&a);
        if (r < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
}
