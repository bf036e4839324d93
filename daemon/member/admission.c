#include "member/admission.h"

#include <string.h>

#include "base/str.h"

static Admission let_wait(EnrolmentDesk *d, const EnrolmentClaim *c,
                          const uint8_t pin[static STORE_PIN_SIZE], const MemberRow *other,
                          EnrolmentAnswer *a)
{
        WaitingMachine m = {.from = c->from};

        memcpy(m.pin, pin, sizeof(m.pin));
        str_copy(m.node, sizeof(m.node), c->enrol->node);
        str_copy(m.name, sizeof(m.name), c->enrol->name);
        str_copy(m.takes, sizeof(m.takes), other ? other->name : "");
        str_copy(m.takes_node, sizeof(m.takes_node), other ? other->node : "");
        str_copy(m.group, sizeof(m.group), a->member.group);
        int r = waiting_add(&d->waiting, &m, c->now);
        if (r < 0) {
                a->refused.retry = WAITING_FORGOTTEN;
                answer_refuse(
                        a, MEMBER_REFUSAL_BUSY,
                        "too many machines%s wait for approval: an admin of the head approves "
                        "or denies them, or join with a token",
                        r != -EDQUOT                 ? ""
                        : c->from.family == AF_INET6 ? " of this network"
                                                     : " of this address");
                return ADMISSION_REFUSED;
        }
        a->pending = true;
        a->news = r > 0;
        a->waits = m;
        return ADMISSION_REFUSED;
}

/* Whoever is approved as one machine is not approved as another. */
static bool is_for(const VerdictRow *v, const MemberEnrol *e, const MemberRow *other)
{
        return v->verdict == VERDICT_APPROVED && streq(v->node, e->node) &&
               streq(v->name, e->name) && (!other || streq(v->takes, other->node));
}

Admission admission_decide(EnrolmentDesk *d, const EnrolmentClaim *c,
                           const uint8_t pin[static STORE_PIN_SIZE], const MemberRow *other,
                           EnrolmentAnswer *a)
{
        VerdictRow v;

        int r = approvals_find(d->db, pin, c->now, &v);
        if (answer_store_failed(a, r))
                return ADMISSION_REFUSED;
        if (v.verdict == VERDICT_DENIED) {
                answer_refuse(a, MEMBER_REFUSAL_DENIED,
                              "an admin of the head has denied this machine; it may ask again in a "
                              "day, or be approved by then");
                return ADMISSION_REFUSED;
        }
        if (is_for(&v, c->enrol, other))
                return ADMISSION_GRANTED;
        r = other ? 0 : auto_approvals_match(d->db, &c->from, c->now);
        if (answer_store_failed(a, r))
                return ADMISSION_REFUSED;
        return r > 0 ? ADMISSION_GRANTED : let_wait(d, c, pin, other, a);
}

int admission_clear_way(Db *db, const MemberRow *other, usec_t now)
{
        const VerdictRow denied = {.verdict = VERDICT_DENIED};

        int r = approvals_put(db, other->pin, &denied, now);
        if (r < 0 && r != -EXFULL) /* it is no member, that is what counts */
                return r;
        return roster_forget(db, other->node);
}
