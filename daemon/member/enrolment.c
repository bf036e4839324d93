#include "member/enrolment.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define AGAIN "raycluster token create on the head makes another"

void enrolment_answer_done(EnrolmentAnswer *a)
{
        a->cert = pki_cert_free(a->cert);
}

static void refuse(EnrolmentAnswer *a, MemberRefusal reason, const char *fmt, ...) _printf_(3, 4);
static void refuse(EnrolmentAnswer *a, MemberRefusal reason, const char *fmt, ...)
{
        va_list ap;

        a->refused.reason = reason;
        va_start(ap, fmt);
        (void)vsnprintf(a->refused.text, sizeof(a->refused.text), fmt, ap);
        va_end(ap);
}

/* What the head could not write down it has not done. */
static bool store_failed(EnrolmentAnswer *a, int r)
{
        if (r >= 0)
                return false;
        a->error = r;
        refuse(a, MEMBER_REFUSAL_STORE, "the head cannot write it down (%s): see its journal",
               strerror(-r));
        return true;
}

/* --- the token ----------------------------------------------------------------------------------
 */

/* A token that does not exist costs the same as a wrong proof, and has the same answer. */
static int check_proof(EnrolmentDesk *d, const EnrolmentClaim *c, TokenRow *token,
                       EnrolmentAnswer *a)
{
        const MemberEnrol *e = c->enrol;
        uint8_t right[MAC_SIZE];

        int known = tokens_find(d->db, e->token, token);
        if (store_failed(a, known))
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
        refuse(a, MEMBER_REFUSAL_TOKEN, "the head does not know this token; " AGAIN);
        return 0;
}

static bool check_terms(const EnrolmentClaim *c, const TokenRow *t, EnrolmentAnswer *a)
{
        char subnet[SUBNET_MAX], from[ADDR_MAX];

        switch (token_state(t, c->enrol->name, &c->from, c->now)) {
        case TOKEN_GOOD:
                return true;
        case TOKEN_REVOKED:
                refuse(a, MEMBER_REFUSAL_TOKEN_EXPIRED, "the token was revoked; " AGAIN);
                return false;
        case TOKEN_EXPIRED:
                refuse(a, MEMBER_REFUSAL_TOKEN_EXPIRED, "the token has expired; " AGAIN);
                return false;
        case TOKEN_USED_UP:
                refuse(a, MEMBER_REFUSAL_TOKEN_USED, "all %u uses of the token are gone; " AGAIN,
                       t->terms.uses);
                return false;
        case TOKEN_OTHER_NAME:
                refuse(a, MEMBER_REFUSAL_TOKEN_SCOPE,
                       "the token is for machines named %s, and this one is %s; " AGAIN,
                       t->terms.pattern, c->enrol->name);
                return false;
        default:
                refuse(a, MEMBER_REFUSAL_TOKEN_SCOPE,
                       "the token is for machines in %s, and this one comes from %s; " AGAIN,
                       subnet_format(subnet, &t->terms.subnet), addr_format(from, &c->from));
                return false;
        }
}

/* --- who has it already -------------------------------------------------------------------------
 */

/* The same key again is the same machine; anything else that is known stays with who has it. */
static bool check_roster(EnrolmentDesk *d, const EnrolmentClaim *c,
                         const uint8_t pin[static STORE_PIN_SIZE], EnrolmentAnswer *a)
{
        const MemberEnrol *e = c->enrol;
        MemberRow m;

        int r = roster_find_pin(d->db, pin, &m);
        if (store_failed(a, r))
                return false;
        if (r > 0 && m.revoked) {
                refuse(a, MEMBER_REFUSAL_REVOKED,
                       "this machine was revoked as %s; on the head: raycluster node forget %s, "
                       "then join again",
                       m.name, m.name);
                return false;
        }
        if (r > 0 && !streq(m.node, e->node)) {
                refuse(a, MEMBER_REFUSAL_NAME_TAKEN,
                       "this key is that of %s: was the disk copied? raycluster leave, then join "
                       "again",
                       m.name);
                return false;
        }
        if (r > 0)
                return true;
        r = roster_find_node(d->db, e->node, &m);
        if (r == 0)
                r = roster_find_name(d->db, e->name, &m);
        if (store_failed(a, r))
                return false;
        if (r > 0)
                refuse(a, MEMBER_REFUSAL_NAME_TAKEN,
                       "%s is a member already, with another key: if it was installed anew, on "
                       "the head: raycluster node forget %s",
                       m.name, m.name);
        return r == 0;
}

/* --- the certificate ----------------------------------------------------------------------------
 */

static bool fill_names(const EnrolmentClaim *c, PkiNames *ret, EnrolmentAnswer *a)
{
        const MemberEnrol *e = c->enrol;

        if (!pki_label_is_valid(e->node) || !pki_host_name_is_valid(e->name)) {
                refuse(a, MEMBER_REFUSAL_BAD,
                       "a machine needs a host name of letters, digits, dots and hyphens");
                return false;
        }
        *ret = (PkiNames){.n_addrs = e->n_addrs};
        str_copy(ret->node, sizeof(ret->node), e->node);
        str_copy(ret->name, sizeof(ret->name), e->name);
        memcpy(ret->addrs, e->addrs, e->n_addrs * sizeof(*e->addrs));
        return true;
}

static_assert(MEMBER_ADDRS_MAX <= PKI_ADDRS_MAX, "addresses");

static int issue(EnrolmentDesk *d, const EnrolmentClaim *c, const PkiRequest *q,
                 const TokenRow *token, EnrolmentAnswer *a)
{
        MemberRow *m = &a->member;
        PkiNames names;
        usec_t from;

        if (!fill_names(c, &names, a))
                return 0;
        int r = authority_issue(d->authority, q, &names, c->now, &a->cert);
        if (r == -ENOMEM)
                return r;
        if (store_failed(a, r))
                return 0;
        *m = (MemberRow){.enrolled = c->now};
        pki_cert_dates(a->cert, &from, &m->not_after);
        pki_cert_pin(a->cert, m->pin);
        str_copy(m->node, sizeof(m->node), names.node);
        str_copy(m->name, sizeof(m->name), names.name);
        str_copy(m->group, sizeof(m->group), token->terms.group);
        str_copy(m->token, sizeof(m->token), token->id);
        return 1;
}

/* One use of the token and one line of the roster. */
static void write_down(EnrolmentDesk *d, EnrolmentAnswer *a)
{
        int r = db_begin(d->db);
        if (store_failed(a, r))
                return;
        r = tokens_spend(d->db, a->member.token);
        if (r == 0)
                r = -EKEYEXPIRED; /* it was good a moment ago: nobody else writes here */
        if (r > 0)
                r = roster_put(d->db, &a->member);
        if (r >= 0)
                r = db_commit(d->db);
        if (r < 0)
                db_rollback(d->db);
        a->accepted = !store_failed(a, r);
}

static int decide(EnrolmentDesk *d, const EnrolmentClaim *c, EnrolmentAnswer *a)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        uint8_t pin[PKI_PIN_SIZE];
        char wait[DURATION_MAX];
        TokenRow token;

        usec_t locked = guard_wait(&d->guard, &c->from, c->mono);
        if (locked > 0) {
                a->refused.retry = locked;
                refuse(a, MEMBER_REFUSAL_LOCKED,
                       "too many wrong tokens came from here; try again in %s",
                       format_duration(wait, locked));
                return 0;
        }
        int r = check_proof(d, c, &token, a);
        if (r <= 0)
                return r;
        bool good = check_terms(c, &token, a);
        mac_forget(token.key, sizeof(token.key));
        if (!good)
                return 0;
        r = pki_request_read(c->enrol->csr.data, c->enrol->csr.size, &q);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                refuse(a, MEMBER_REFUSAL_BAD,
                       "the certificate request makes no sense here: is "
                       "raycluster of one version on both machines?");
                return 0;
        }
        pki_request_pin(q, pin);
        if (!check_roster(d, c, pin, a))
                return 0;
        r = issue(d, c, q, &token, a);
        if (r > 0)
                write_down(d, a);
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
