/* A member asks for its certificate of Ray's TLS by the connection that is there. What comes is
 * kept by whoever asked (member/ray-certificate.h). */
#include "member/link-private.h"

int member_link_ask_ray(MemberLink *l, MemberBytes csr)
{
        const MemberMessage m = {.kind = MEMBER_RAY_ISSUE, .csr = csr};

        if (l->state == LINK_CHANGING || l->renews || l->asks_ray)
                return -EBUSY;
        if (l->state != LINK_JOINED)
                return -ENOTCONN;
        if (!(l->can & MEMBER_CAN_RAY_TLS))
                return -EOPNOTSUPP;
        int r = peer_send(l->peer, &m);
        l->asks_ray = r >= 0;
        l->asked = now_mono();
        return r;
}

void link_ray_issued(MemberLink *l, const MemberIssued *m)
{
        l->asks_ray = false;
        if (l->ops.on_ray_issued)
                l->ops.on_ray_issued(l, m, l->userdata);
}

void link_ray_refused(MemberLink *l, const char *why)
{
        l->asks_ray = false;
        if (l->ops.on_ray_refused)
                l->ops.on_ray_refused(l, why, l->userdata);
}

void link_ray_tick(MemberLink *l)
{
        if (l->asks_ray && now_mono() - l->asked > LINK_ANSWER_MAX)
                link_ray_refused(l, "the head does not answer");
}
