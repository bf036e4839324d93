/* The gate's answer to a member whose Ray speaks TLS. A member that is there stays one whatever
 * comes of it, and hears what is wrong in a sentence. */
#include <string.h>

#include "base/str.h"
#include "member/gate-private.h"

void gate_set_ray_authority(Gate *g, const RayAuthority *a)
{
        g->ray_authority = a;
}

static int refuse(Visitor *v, MemberRefusal reason, usec_t retry, const char *text)
{
        MemberMessage m = {.kind = MEMBER_REFUSED, .refused = {.reason = reason, .retry = retry}};

        str_copy(m.refused.text, sizeof(m.refused.text), text);
        return peer_send(v->peer, &m);
}

static int answer(Visitor *v, MemberBytes csr)
{
        const RayAuthority *a = v->gate->ray_authority;
        _cleanup_(pki_cert_freep) PkiCert *cert = NULL;

        if (!a)
                return refuse(v, MEMBER_REFUSAL_BUSY, USEC_PER_MIN,
                              "the head has no TLS for Ray now");
        if (!ratelimit_below(&v->renewals, now_mono()))
                return refuse(v, MEMBER_REFUSAL_BUSY, USEC_PER_MIN,
                              "this machine asks for certificates too often");
        int r = ray_authority_answer(a, tls_link_peer(peer_tls(v->peer)), csr.data, csr.size,
                                     now_real(), &cert);
        if (r == -EKEYREJECTED)
                return refuse(v, MEMBER_REFUSAL_BAD, 0,
                              "Ray's key must be another one than the membership's, on P-256");
        if (r == -EBADMSG || r == -EMSGSIZE)
                return refuse(v, MEMBER_REFUSAL_BAD, 0,
                              "what was sent is no request for a certificate");
        if (r < 0)
                return r;
        return visitor_send_issued(v, MEMBER_RAY_ISSUED, cert, ray_authority_cert(a));
}

void visitor_ray_issue(Visitor *v, MemberBytes csr)
{
        if (answer(v, csr) < 0)
                visitor_send_away(v, GATE_LOSS_CLOSED);
}
