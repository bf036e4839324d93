/* The reflector is another room's: what members ask it is passed on, and only what they ask.
 * Whoever is not a member gets this far with nothing (gate-visitor.c). */
#include "member/address-book.h"
#include "member/gate-private.h"

void visitor_reflect(Visitor *v, MemberBytes request)
{
        Gate *g = v->gate;
        GateMember m = visitor_as_member(v);

        if (g->ops.on_reflect)
                g->ops.on_reflect(g, &m, request, g->userdata);
}

/* A certificate goes on naming an address that another member has come from since. Where it is
 * connected from now, it is. */
static bool is_its_own(const Visitor *v, const Addr *a, const Addr *there)
{
        return addr_equal(a, there) ||
               address_book_is_taken(v->gate->policy.db, v->row.node, a) == 0;
}

bool gate_reach(const Gate *g, const char *node, GateReach *ret)
{
        const Visitor *v = visitor_find(g, node, NULL);
        const PkiCert *cert = v ? tls_link_peer(peer_tls(v->peer)) : NULL;
        PkiNames names;

        *ret = (GateReach){0};
        if (!cert || pki_cert_names(cert, &names) < 0 ||
            !peer_ends(v->peer, &ret->here, &ret->there, &ret->rtt))
                return false;
        for (size_t i = 0; i < names.n_addrs; i++)
                if (is_its_own(v, &names.addrs[i], &ret->there))
                        ret->certified[ret->n_certified++] = names.addrs[i];
        return true;
}

int gate_reflect(Gate *g, const char *node, const void *reply, size_t size)
{
        const MemberMessage m = {.kind = MEMBER_REFLECT_REPLY, .reflect = {reply, size}};
        Visitor *v = visitor_find(g, node, NULL);

        return v ? peer_send(v->peer, &m) : -ENOENT;
}
