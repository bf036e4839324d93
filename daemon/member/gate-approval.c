/* Machines that wait for an admin, and what he says. */
#include "base/str.h"
#include "member/gate-private.h"

static_assert(PKI_PIN_SIZE == KEY_WORDS_FP_SIZE, "pins");
static_assert(KEY_WORDS_MAX <= MEMBER_WORDS_MAX, "words");

char *gate_words(const Gate *g, char buf[static KEY_WORDS_MAX])
{
        uint8_t pin[PKI_PIN_SIZE];

        pki_cert_pin(authority_cert(g->policy.authority), pin);
        return key_words(pin, buf);
}

static GatePending as_pending(const Gate *g, const WaitingMachine *m)
{
        GatePending p = {.node = m->node,
                         .name = m->name,
                         .takes = isempty(m->takes) ? NULL : m->takes,
                         .takes_living = visitor_find(g, m->takes_node, NULL),
                         .approved = m->approved,
                         .from = m->from,
                         .pin = m->pin,
                         .first = m->first,
                         .last = m->last};

        key_words(m->pin, p.words);
        return p;
}

bool gate_pending(Gate *g, size_t i, GatePending *ret)
{
        WaitingList *l = &g->desk.waiting;

        if (i == 0)
                waiting_expire(l, now_real());
        if (i >= l->n)
                return false;
        l->machines[i].unseen = false;
        *ret = as_pending(g, &l->machines[i]);
        return true;
}

static int say(Gate *g, const char *who, Verdict verdict, WaitingMachine **ret)
{
        VerdictRow v = {.verdict = verdict};
        WaitingMachine *m;

        waiting_expire(&g->desk.waiting, now_real());
        int r = waiting_find(&g->desk.waiting, who, &m);
        if (r <= 0)
                return r;
        if (verdict == VERDICT_APPROVED && m->unseen)
                return -ESTALE;
        str_copy(v.node, sizeof(v.node), m->node);
        str_copy(v.name, sizeof(v.name), m->name);
        str_copy(v.takes, sizeof(v.takes), m->takes_node);
        r = approvals_put(g->policy.db, m->pin, &v, now_real());
        if (r < 0)
                return r;
        *ret = m;
        return 1;
}

int gate_approve(Gate *g, const char *who)
{
        WaitingMachine *m;

        int r = say(g, who, VERDICT_APPROVED, &m);
        if (r > 0)
                m->approved = true;
        return r;
}

int gate_deny(Gate *g, const char *who)
{
        WaitingMachine *m;

        int r = say(g, who, VERDICT_DENIED, &m);
        if (r > 0)
                waiting_remove(&g->desk.waiting, m->pin);
        return r;
}

int gate_auto_approve(Gate *g, const Subnet *subnet, usec_t until)
{
        return auto_approvals_put(g->policy.db, subnet, until, now_real());
}

int visitor_wait(Visitor *v, const EnrolmentAnswer *a)
{
        MemberMessage m = {.kind = MEMBER_PENDING, .pending = {.retry = WAITING_RETRY}};
        Gate *g = v->gate;
        GatePending p = as_pending(g, &a->waits);

        str_copy(m.pending.words, sizeof(m.pending.words), p.words);
        if (a->news && g->ops.on_pending)
                g->ops.on_pending(g, &p, g->userdata);
        int r = visitor_set_state(v, VISITOR_LEAVING);
        return r < 0 ? r : peer_send(v->peer, &m);
}
