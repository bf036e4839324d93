/* How a member changes to its next certificate: asks for it by the connection that is there, makes
 * a second one with it, and lets go of the first when the second is welcome. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "member/link-private.h"

/* Hello and Welcome of the second connection; and the answer to a Renew. */
#define CHANGE_MAX (PEER_GREETING_MAX + LINK_ANSWER_MAX)

static void fail(MemberLink *l, const char *why)
{
        l->renews = false;
        identity_keeper_failed(l->keeper, now_real());
        if (l->ops.on_renewal_failed)
                l->ops.on_renewal_failed(l, why, l->userdata);
}

/* --- asking -------------------------------------------------------------------------------------
 */

/* The address that we come from, and those that we say we have; returns how many. */
static size_t own(const MemberLink *l, Addr ret[static MEMBER_ADDRS_MAX + 1])
{
        Addr there;
        usec_t rtt;

        bool known = peer_ends(l->peer, &ret[0], &there, &rtt);
        ret[0].port = 0;
        memcpy(&ret[known], l->facts.addrs, l->facts.n_addrs * sizeof(*ret));
        return known + l->facts.n_addrs;
}

static bool was_asked_for(const MemberLink *l, const Addr *a)
{
        for (size_t i = 0; i < l->n_asked_for; i++)
                if (addr_equal(&l->asked_for[i], a))
                        return true;
        return false;
}

int link_renewal_ask(MemberLink *l, Peer *p)
{
        MemberMessage m = {.kind = MEMBER_RENEW};
        _cleanup_buf_ Buf csr = {0};

        int r = identity_keeper_request(l->keeper, &csr);
        if (r < 0)
                return r;
        m.csr = (MemberBytes){buf_data(&csr), buf_size(&csr)};
        r = peer_send(p, &m);
        l->renews = r >= 0;
        l->asked = l->renewed = now_mono();
        l->n_asked_for = own(l, l->asked_for);
        l->moved = false;
        return r;
}

/* An address that the head does not give us, another machine's, is not asked for again: nobody is
 * connected back to there (raycluster-protocol(7)), but Ray and the connection do without. */
void link_renewal_look(MemberLink *l)
{
        Addr addrs[MEMBER_ADDRS_MAX + 1];

        l->moved = false;
        for (size_t i = l->keeper ? own(l, addrs) : 0; i > 0 && !l->moved; i--)
                l->moved = !identity_keeper_names(l->keeper, &addrs[i - 1]) &&
                           !was_asked_for(l, &addrs[i - 1]);
}

/* Addresses may come and go all day, as those of containers do. */
static bool is_due(const MemberLink *l)
{
        bool may = l->renewed == 0 || now_mono() - l->renewed >= IDENTITY_RETRY;

        return (l->moved && may) || identity_keeper_is_due(l->keeper, now_real());
}

void link_renewal_refused(MemberLink *l, const MemberRefused *f)
{
        fail(l, f->text);
}

/* --- the second connection ----------------------------------------------------------------------
 */

static void give_up(MemberLink *l, const char *why)
{
        l->next = peer_free(l->next);
        if (link_set_state(l, LINK_JOINED, l->awaits ? LINK_ANSWER_MAX : l->beat) >= 0)
                fail(l, why);
}

void link_renewal_issued(MemberLink *l, const MemberIssued *m)
{
        bool expired = l->state == LINK_RENEWING;
        char why[200];

        l->renews = false;
        int r = identity_keeper_take(l->keeper, m, tls_link_peer(peer_tls(l->peer)));
        if (r < 0) {
                (void)snprintf(why, sizeof(why), "the new certificate cannot be kept: %s",
                               strerror(-r));
                fail(l, why);
                if (expired)
                        link_lose(l, why);
                return;
        }
        if (expired) { /* the old one is good for nothing */
                link_fall_back(l);
                (void)deadline_move(l->deadline, 0);
                return;
        }
        r = link_set_state(l, LINK_CHANGING, l->awaits ? LINK_ANSWER_MAX : l->beat);
        l->next_up = false;
        l->next_since = now_mono();
        if (r >= 0)
                r = link_connect(l, &l->next);
        if (r < 0)
                give_up(l, strerror(-r));
}

void link_next_up(MemberLink *l, const MemberHello *hello)
{
        l->next_up = true;
        int r = link_say_facts(l, l->next);
        if (r < 0)
                give_up(l, strerror(-r));
}

void link_next_message(MemberLink *l, const MemberMessage *m)
{
        if (m->kind == MEMBER_REFUSED) {
                MemberRefused refused = m->refused;
                give_up(l, refused.text);
        } else if (m->kind == MEMBER_SETTINGS && l->ops.on_settings)
                l->ops.on_settings(l, m->settings, l->userdata);
        else if (m->kind == MEMBER_WELCOME) {
                l->before = peer_free(l->before);
                l->before = l->peer;
                l->peer = TAKE_PTR(l->next);
                l->awaits = false;
                link_welcome(l, &m->welcome);
        }
}

void link_next_down(MemberLink *l, const PeerDown *down)
{
        char why[200];

        link_down_words(down, why, sizeof(why));
        give_up(l, why);
}

void link_next_promote(MemberLink *l)
{
        peer_free(l->peer);
        l->peer = TAKE_PTR(l->next);
        l->awaits = false;
        if (l->next_up)
                (void)link_set_state(l, LINK_INTRODUCING, LINK_ANSWER_MAX);
        else
                (void)link_set_state(l, LINK_DIALLING, USEC_INFINITY);
}

void link_renewal_worked(MemberLink *l)
{
        char why[200];

        if (!l->keeper || !identity_keeper_tries(l->keeper))
                return;
        int r = identity_keeper_worked(l->keeper, now_real());
        if (r >= 0 && l->ops.on_renewed)
                l->ops.on_renewed(l, identity_keeper_until(l->keeper), l->userdata);
        else if (r < 0 && l->ops.on_renewal_failed) {
                (void)snprintf(why, sizeof(why), "the new certificate cannot take its place: %s",
                               strerror(-r));
                l->ops.on_renewal_failed(l, why, l->userdata);
        }
}

void link_renewal_tick(MemberLink *l)
{
        usec_t now = now_mono();

        l->before = peer_free(l->before);
        if (!l->keeper)
                return;
        if (l->state == LINK_CHANGING && now - l->next_since > CHANGE_MAX)
                give_up(l, "the head does not answer to the new certificate");
        else if (l->renews && now - l->asked > CHANGE_MAX)
                fail(l, "the head does not answer");
        else if (l->state == LINK_JOINED && !l->renews && !l->asks_ray &&
                 (l->can & MEMBER_CAN_RENEW) && is_due(l)) {
                int r = link_renewal_ask(l, l->peer);
                if (r < 0)
                        fail(l, strerror(-r));
        }
}
