/* The head's reflector, over the connection that there is. */
#include <errno.h>
#include <string.h>

#include "member/link-private.h"

int member_link_reflect(MemberLink *l, const void *request, size_t size)
{
        const MemberMessage m = {.kind = MEMBER_REFLECT_REQUEST, .reflect = {request, size}};

        if (!member_link_is_joined(l))
                return -ENOTCONN;
        return l->can & MEMBER_CAN_REFLECT ? peer_send(l->peer, &m) : -EOPNOTSUPP;
}

bool member_link_head(const MemberLink *l, MemberLinkHead *ret)
{
        PkiNames names;
        usec_t rtt;

        *ret = (MemberLinkHead){0};
        if (!member_link_is_joined(l) || !peer_ends(l->peer, &ret->here, &ret->there, &rtt))
                return false;
        ret->reflects = l->can & MEMBER_CAN_REFLECT;
        const PkiCert *cert = tls_link_peer(peer_tls(l->peer));
        if (cert && pki_cert_names(cert, &names) >= 0) {
                memcpy(ret->addrs, names.addrs, sizeof(ret->addrs));
                ret->n_addrs = names.n_addrs;
        }
        return true;
}
