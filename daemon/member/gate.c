#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "member/gate-private.h"
#include "sys/mac.h"

static const char *const gate_loss_table[_GATE_LOSS_MAX] = {
        [GATE_LOSS_CLOSED] = "closed",
        [GATE_LOSS_SILENT] = "silent",
        [GATE_LOSS_REPLACED] = "replaced",
        [GATE_LOSS_REVOKED] = "revoked",
};
DEFINE_STRTAB(gate_loss, GateLoss);

static void on_accept(Acceptor *a, int fd, const Addr *peer, const Addr *local, void *userdata)
{
        _cleanup_close_ int conn = fd;
        Gate *g = userdata;

        /* who gave up while it waited in the kernel: a handshake for it is time that the next ones
         * wait, until they give up, too */
        if (tcp_has_hung_up(conn) || guests_from(&g->guests, peer) >= GATE_PER_SOURCE)
                return;
        if (visitor_new(g, conn, peer) < 0)
                return;
        (void)TAKE_FD(conn);
        if (g->guests.n_strangers >= GATE_STRANGERS)
                acceptor_hold(g->acceptor, true);
}

/* --- the object ---------------------------------------------------------------------------------
 */

int gate_new(sd_event *event, int fd, const GatePolicy *p, const GateOps *ops, void *userdata,
             Gate **ret)
{
        _cleanup_(gate_freep) Gate *g = new0(Gate, 1);
        if (!g)
                return -ENOMEM;
        *g = (Gate){
                .event = event,
                .policy = *p,
                .ops = *ops,
                .userdata = userdata,
                .ray_token_version = 1,
                .desk = {.db = p->db, .authority = p->authority},
        };
        g->policy.cluster = g->policy.ray_token = NULL;
        if (g->policy.beat == 0)
                g->policy.beat = GATE_BEAT;
        int r = free_and_strdup(&g->cluster, p->cluster);
        if (r >= 0)
                r = free_and_strdup(&g->ray_token, p->ray_token);
        if (r >= 0)
                r = acceptor_new(event, fd, on_accept, g, &g->acceptor);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(g);
        return 0;
}

Gate *gate_free(Gate *g)
{
        if (!g)
                return NULL;
        g->acceptor = acceptor_free(g->acceptor);
        while (g->guests.strangers)
                visitor_free(visitor_of(g->guests.strangers));
        while (g->guests.members)
                visitor_free(visitor_of(g->guests.members));
        if (g->ray_token)
                mac_forget(g->ray_token, strlen(g->ray_token));
        free(g->ray_token);
        free(g->cluster);
        free(g->settings);
        free(g);
        return NULL;
}

size_t gate_count(const Gate *g)
{
        return g->guests.n_members;
}

size_t gate_strangers(const Gate *g)
{
        return g->guests.n_strangers;
}

bool gate_find(const Gate *g, const char *node, GateMember *ret)
{
        const Visitor *v = visitor_find(g, node, NULL);

        if (v)
                *ret = visitor_as_member(v);
        return v;
}

bool gate_revoke(Gate *g, const char *node)
{
        return visitor_cut_off(g, node);
}
