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

static const char *const gate_abuse_table[_GATE_ABUSE_MAX] = {
        [GATE_ABUSE_SOURCE] = "source",     [GATE_ABUSE_FULL] = "full", [GATE_ABUSE_SLOW] = "slow",
        [GATE_ABUSE_NONSENSE] = "nonsense", [GATE_ABUSE_TURN] = "turn",
};
DEFINE_STRTAB(gate_abuse, GateAbuse);

/* Between two looks at all strangers in which nobody is found to go: a room that comes back is not
 * held up by them. */
#define LOOK_EVERY (USEC_PER_SEC / 4)

void gate_abused(Gate *g, GateAbuse what, const Addr *from, const char *name)
{
        if (g->ops.on_abused)
                g->ops.on_abused(g, what, from, name, g->userdata);
}

/* The oldest of the source that has the most places; NULL: nobody keeps the head waiting. */
static Visitor *find_idle(const Gate *g)
{
        Guest *found = NULL;
        size_t most = 0;

        for (Guest *x = g->guests.strangers; x; x = x->next) {
                if (!peer_keeps_waiting(visitor_of(x)->peer, GATE_PATIENCE))
                        continue;
                size_t n = guests_of_source(&g->guests, x->from);
                if (n < most)
                        continue;
                most = n;
                found = x;
        }
        return visitor_of(found);
}

/* One place is free afterwards, or the rest waits. */
static void make_room(void *userdata)
{
        Gate *g = userdata;
        Visitor *idle = NULL;

        if (g->guests.n_strangers < GATE_STRANGERS)
                return;
        if (usec_sub(now_mono(), g->in_vain) >= LOOK_EVERY) {
                idle = find_idle(g);
                g->in_vain = idle ? 0 : now_mono();
        }
        if (idle) { /* else a room comes back at once, and everybody is served */
                gate_abused(g, GATE_ABUSE_FULL, &idle->from, "");
                visitor_send_away(idle, GATE_LOSS_SILENT);
                return;
        }
        acceptor_hold(g->acceptor, true);
        (void)deadline_move(g->room, LOOK_EVERY);
}

static void on_accept(Acceptor *a, int fd, const Addr *peer, const Addr *local, void *userdata)
{
        _cleanup_close_ int conn = fd;
        Gate *g = userdata;

        /* who gave up while it waited in the kernel: a handshake for it is time that the next ones
         * wait, until they give up, too */
        if (tcp_has_hung_up(conn))
                return;
        if (guests_from(&g->guests, peer) >= GATE_PER_SOURCE) {
                gate_abused(g, GATE_ABUSE_SOURCE, peer, "");
                return;
        }
        if (visitor_new(g, conn, peer) < 0)
                return;
        (void)TAKE_FD(conn);
        make_room(g);
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
                r = deadline_new(event, USEC_INFINITY, LOOK_EVERY, make_room, g, &g->room);
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
        deadline_free(g->room);
        while (g->guests.strangers)
                visitor_free(visitor_of(g->guests.strangers));
        while (g->guests.members)
                visitor_free(visitor_of(g->guests.members));
        mac_forget_text(&g->ray_token);
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
