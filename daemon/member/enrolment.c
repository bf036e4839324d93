#include "member/enrolment.h"

#include <string.h>

#include "base/str.h"
#include "member/admission.h"
#include "member/certify.h"

#define AGAIN "raycluster token create on the head makes another"

/* --- the token ----------------------------------------------------------------------------------
 */

/* A token that does not exist costs the same as a wrong proof, and has the same answer. */
static int check_proof(EnrolmentDesk *d, const EnrolmentClaim *c, TokenRow *token,
                       EnrolmentAnswer *a)
{
        const MemberEnrol *e = c->enrol;
        uint8_t right[MAC_SIZE];

        int known = tokens_find(d->db, e->token, token);
        if (answer_store_failed(a, known))
                return 0;
        if (known == 0)
                *token = (TokenRow){0};
        int r = proof_make(token->key, c->binding, e->token, e->csr.data, e->csr.size, right);
        if (r < 0)
                return r;
        bool good = mac_equal(right, e->proof, MAC_SIZE) && known > 0;
        mac_forget(right, sizeof(right));
        if (good) {
                guard_right(&d->guard, &c->from);
                return 1;
        }
        a->locked = guard_wrong(&d->guard, &c->from, c->mono);
        answer_refuse(a, MEMBER_REFUSAL_TOKEN, "the head does not know this token; " AGAIN);
        return 0;
}

static bool check_terms(const EnrolmentClaim *c, const TokenRow *t, EnrolmentAnswer *a)
{
        char subnet[SUBNET_MAX], from[ADDR_MAX];

        switch (token_state(t, c->enrol->name, &c->from, c->now)) {
        case TOKEN_GOOD:
                return true;
        case TOKEN_REVOKED:
                answer_refuse(a, MEMBER_REFUSAL_TOKEN_EXPIRED, "the token was revoked; " AGAIN);
                return false;
        case TOKEN_EXPIRED:
                answer_refuse(a, MEMBER_REFUSAL_TOKEN_EXPIRED, "the token has expired; " AGAIN);
                return false;
        case TOKEN_USED_UP:
                answer_refuse(a, MEMBER_REFUSAL_TOKEN_USED,
                              "the token was good for %u machine%s, and is used up; " AGAIN,
                              t->terms.uses, t->terms.uses == 1 ? "" : "s");
                return false;
        case TOKEN_OTHER_NAME:
                answer_refuse(a, MEMBER_REFUSAL_TOKEN_SCOPE,
                              "the token is for machines named %s, and this one is %s; " AGAIN,
                              t->terms.pattern, c->enrol->name);
                return false;
        default:
                answer_refuse(a, MEMBER_REFUSAL_TOKEN_SCOPE,
                              "the token is for machines in %s, and this one comes from %s; " AGAIN,
                              subnet_format(subnet, &t->terms.subnet), addr_format(from, &c->from));
                return false;
        }
}

/* --- who has it already -------------------------------------------------------------------------
 */

/* Who has that node id or name by another key: *other, -EEXIST; 1: nobody; 0: refused, as the node
 * id of one and the name of another is no machine that was installed anew. */
static int check_names(EnrolmentDesk *d, const MemberEnrol *e,
                       const uint8_t pin[static STORE_PIN_SIZE], MemberRow *other,
                       EnrolmentAnswer *a)
{
        MemberRow named;

        int node = roster_find_node(d->db, e->node, other);
        int name = roster_find_name(d->db, e->name, &named);
        if (answer_store_failed(a, MIN(node, name)))
                return 0;
        bool has_node = node > 0 && memcmp(other->pin, pin, STORE_PIN_SIZE) != 0;
        bool has_name = name > 0 && memcmp(named.pin, pin, STORE_PIN_SIZE) != 0;
        if (node > 0 && has_name && !streq(other->node, named.node)) {
                answer_refuse(
                        a, MEMBER_REFUSAL_NAME_TAKEN,
                        "the head knows this machine as %s, and %s is another member: give it "
                        "a name of its own, or on the head: raycluster node forget %s",
                        other->name, named.name, named.name);
                return 0;
        }
        if (has_name)
                *other = named;
        return has_node || has_name ? -EEXIST : 1;
}

/* 1: it is the same key again, or a name that is free; 0: refused; -EEXIST: *other has the name or
 * the node id by another key. */
static int check_roster(EnrolmentDesk *d, const EnrolmentClaim *c,
                        const uint8_t pin[static STORE_PIN_SIZE], MemberRow *other,
                        EnrolmentAnswer *a)
{
        const MemberEnrol *e = c->enrol;
        MemberRow m;

        int r = roster_find_pin(d->db, pin, &m);
        if (answer_store_failed(a, r))
                return 0;
        if (r > 0 && m.revoked) {
                answer_refuse(
                        a, MEMBER_REFUSAL_REVOKED,
                        "this machine was revoked as %s; on the head: raycluster node forget %s, "
                        "then join again",
                        m.name, m.name);
                return 0;
        }
        if (r > 0 && !streq(m.node, e->node)) {
                answer_refuse(a, MEMBER_REFUSAL_NAME_TAKEN,
                              "this key is that of %s: if the disk was copied, remove "
                              "/var/lib/raycluster/identity.pem, restart ray-worker and join again",
                              m.name);
                return 0;
        }
        return check_names(d, e, pin, other, a);
}

/* A machine that was installed anew takes its old name over, that of a->replaced, when an admin
 * says so. */
static bool may_have_name(EnrolmentDesk *d, const EnrolmentClaim *c,
                          const uint8_t pin[static STORE_PIN_SIZE], EnrolmentAnswer *a)
{
        bool has_token = !isempty(c->enrol->token);
        MemberRow other = {0};

        int r = check_roster(d, c, pin, &other, a);
        if (r == 0 || (r > 0 && has_token))
                return r > 0;
        if (!c->can_wait && !has_token)
                answer_refuse(a, MEMBER_REFUSAL_TOKEN,
                              "the head takes this machine with a token only; " AGAIN);
        else if (!c->can_wait)
                answer_refuse(a, MEMBER_REFUSAL_NAME_TAKEN,
                              "%s is a member already, with another key: if it was installed anew, "
                              "on the head: raycluster node forget %s",
                              other.name, other.name);
        if (!c->can_wait ||
            admission_decide(d, c, pin, r == -EEXIST ? &other : NULL, a) != ADMISSION_GRANTED)
                return false;
        if (!has_token) /* it may have waited with one, which has ended */
                str_copy(a->member.group, sizeof(a->member.group),
                         waiting_group(&d->waiting, pin, c->enrol->node, c->enrol->name));
        if (r == -EEXIST)
                a->replaced = other;
        return true;
}

/* --- the certificate ----------------------------------------------------------------------------
 */

static_assert(MEMBER_ADDRS_MAX <= PKI_ADDRS_MAX, "addresses");

static void fill_row(const EnrolmentClaim *c, const TokenRow *token, MemberRow *m)
{
        *m = (MemberRow){.enrolled = c->now};
        str_copy(m->node, sizeof(m->node), c->enrol->node);
        str_copy(m->name, sizeof(m->name), c->enrol->name);
        str_copy(m->group, sizeof(m->group), token->terms.group);
        str_copy(m->token, sizeof(m->token), isempty(token->id) ? ENROLMENT_APPROVED : token->id);
}

static int spend(EnrolmentDesk *d, const TokenRow *token)
{
        if (isempty(token->id))
                return 0;
        int r = tokens_spend(d->db, token->id);
        /* it was good a moment ago: nobody else writes here */
        return r == 0 ? -EKEYEXPIRED : r;
}

/* One use of the token, if there is one, and one line of the roster, out of which whoever had the
 * name goes. */
static void write_down(EnrolmentDesk *d, const TokenRow *token, const PkiNames *names, usec_t now,
                       EnrolmentAnswer *a)
{
        int r = db_begin(d->db);
        if (answer_store_failed(a, r))
                return;
        r = spend(d, token);
        if (r >= 0)
                r = isempty(a->replaced.node) ? 0 : admission_clear_way(d->db, &a->replaced, now);
        if (r >= 0)
                r = certify_record(d->db, &a->member, names);
        if (r >= 0)
                r = db_commit(d->db);
        if (r < 0)
                db_rollback(d->db);
        a->accepted = !answer_store_failed(a, r);
        if (a->accepted)
                waiting_remove(&d->waiting, a->member.pin);
}

/* The token, when it has one: 1; 0: refused; -ENOMEM. */
static int check_token(EnrolmentDesk *d, const EnrolmentClaim *c, TokenRow *token,
                       EnrolmentAnswer *a)
{
        *token = (TokenRow){0};
        if (isempty(c->enrol->token))
                return 1;
        int r = check_proof(d, c, token, a);
        if (r <= 0)
                return r;
        bool good = check_terms(c, token, a);
        mac_forget(token->key, sizeof(token->key));
        return good;
}

static bool has_names(const MemberEnrol *e, EnrolmentAnswer *a)
{
        if (pki_label_is_valid(e->node) && pki_host_name_is_valid(e->name))
                return true;
        answer_refuse(a, MEMBER_REFUSAL_BAD,
                      "a machine needs a host name of letters, digits, dots and hyphens");
        return false;
}

static int decide(EnrolmentDesk *d, const EnrolmentClaim *c, EnrolmentAnswer *a)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        uint8_t pin[PKI_PIN_SIZE];
        const CertifyWish wish = {.csr = c->enrol->csr,
                                  .addrs = c->enrol->addrs,
                                  .n_addrs = c->enrol->n_addrs,
                                  .from = c->from,
                                  .now = c->now};
        char wait[DURATION_MAX];
        PkiNames names;
        TokenRow token;

        usec_t locked = guard_wait(&d->guard, &c->from, c->mono);
        if (locked > 0) {
                a->refused.retry = locked;
                answer_refuse(a, MEMBER_REFUSAL_LOCKED,
                              "too many wrong tokens came from here; try again in %s",
                              format_duration(wait, locked));
                return 0;
        }
        int r = check_token(d, c, &token, a);
        if (r <= 0)
                return r;
        r = certify_read(&wish, &q, a);
        if (r <= 0)
                return r;
        pki_request_pin(q, pin);
        fill_row(c, &token, &a->member);
        if (!has_names(c->enrol, a) || !may_have_name(d, c, pin, a))
                return 0;
        r = certify(d->db, d->authority, q, &wish, &names, a);
        if (r > 0)
                write_down(d, &token, &names, c->now, a);
        return MIN(r, 0);
}

int enrolment_decide(EnrolmentDesk *d, const EnrolmentClaim *c, EnrolmentAnswer *ret)
{
        EnrolmentAnswer a = {0};

        int r = decide(d, c, &a);
        if (r < 0 || !a.accepted)
                enrolment_answer_done(&a);
        if (r >= 0)
                *ret = a;
        return r;
}
