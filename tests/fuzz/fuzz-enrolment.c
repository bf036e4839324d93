/* Any Enrol at the desk of a head with a store in memory. As it came it has no proof of this
 * connection, and no admin has approved it: nothing is issued and nothing written down. With the
 * proof that its sender could make if he had the token, or when it is approved, it is either a
 * member, with a certificate for what he asked and no more, or refused, and then nothing is written
 * down either. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "member/renewal.h"
#include "wire/member-codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW      ((usec_t)1764000000 * USEC_PER_SEC)
#define DAY      (24 * 60 * USEC_PER_MIN)
#define TOKEN    "abcdefgh"
#define USES     1000
#define HEAD_IP  0x0a4d0001U /* 10.77.0.1 */
#define GUEST_IP 0x0a4d000bU

static const uint8_t binding[PROOF_BINDING_SIZE] = {1, 2, 3}, elsewhere[PROOF_BINDING_SIZE] = {4};
static const uint8_t secret[20] = {7};

static Addr ipv4(uint32_t ip)
{
        return (Addr){.family = AF_INET, .in.s_addr = htobe32(ip)};
}

static void must(bool good)
{
        if (!good)
                abort();
}

/* --- the head
 */

static void remove_all(const char *dir)
{
        DIR *d = opendir(dir);
        struct dirent *e;

        while (d && (e = readdir(d)))
                (void)unlinkat(dirfd(d), e->d_name, 0);
        if (d)
                closedir(d);
        (void)rmdir(dir);
}

static void make_desk(EnrolmentDesk *d)
{
        char dir[] = "/tmp/fuzz-enrolment-XXXXXX", *error = NULL;
        const Addr own = ipv4(HEAD_IP);
        AuthorityPolicy p = {.node = "headnode", .name = "head", .addrs = &own, .n_addrs = 1};
        TokenRow t = {.id = TOKEN,
                      .created = NOW,
                      .left = USES,
                      .terms = {.expires = NOW + DAY, .uses = USES, .pattern = "[!x]*"}};
        Authority *a = NULL;
        Db *db = NULL;

        p.dir = mkdtemp(dir);
        must(p.dir && authority_open(&p, NOW, &a, &error) >= 0);
        remove_all(dir);
        must(store_open(":memory:", &db) >= 0 && proof_key(secret, sizeof(secret), t.key) >= 0 &&
             tokens_add(db, &t, NOW) >= 0);
        *d = (EnrolmentDesk){.db = db, .authority = a};
}

static unsigned uses_left(EnrolmentDesk *d)
{
        TokenRow t;

        must(tokens_find(d->db, TOKEN, &t) == 1);
        return t.left;
}

static size_t members(EnrolmentDesk *d)
{
        size_t n;

        must(roster_count(d->db, &n) >= 0);
        return n;
}

/* As before the first input. */
static void tidy(EnrolmentDesk *d, const char *node)
{
        _cleanup_(db_query_freep) DbQuery *uses = NULL, *verdicts = NULL;

        must(roster_forget(d->db, node) == 1);
        must(db_query_new(d->db, "UPDATE token SET left = uses", &uses) >= 0 &&
             db_query_run(uses) >= 0);
        must(db_query_new(d->db, "DELETE FROM verdict", &verdicts) >= 0 &&
             db_query_run(verdicts) >= 0);
}

/* --- what comes of it
 */

static void check_refused(EnrolmentDesk *d, const EnrolmentAnswer *a, unsigned left, size_t n)
{
        must(!a->accepted && !a->pending && !a->cert && !isempty(a->refused.text));
        must(a->refused.reason > MEMBER_REFUSAL_OTHER && a->refused.reason < _MEMBER_REFUSAL_MAX);
        must(uses_left(d) == left && members(d) == n);
}

static void check_cert(EnrolmentDesk *d, const EnrolmentAnswer *a, const EnrolmentClaim *c)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        PkiCert *ca = (PkiCert *)authority_cert(d->authority);
        uint8_t of_request[PKI_PIN_SIZE], of_cert[PKI_PIN_SIZE];
        const Addr head = ipv4(HEAD_IP);
        PkiDefect defect;
        PkiNames names;

        must(pki_request_read(c->enrol->csr.data, c->enrol->csr.size, &q) >= 0);
        pki_request_pin(q, of_request);
        pki_cert_pin(a->cert, of_cert);
        must(memcmp(of_request, of_cert, PKI_PIN_SIZE) == 0);
        must(pki_cert_verify(a->cert, &ca, 1, NOW, &defect) >= 0 && defect == PKI_DEFECT_NONE);
        must(pki_cert_names(a->cert, &names) >= 0 && names.role == PKI_WORKER);
        must(streq(names.node, c->enrol->node) && streq(names.name, c->enrol->name));
        must(streq(names.cluster, authority_cluster(d->authority)));
        must(names.n_addrs >= 1 && addr_equal(&names.addrs[0], &c->from));
        for (size_t i = 0; i < names.n_addrs; i++)
                must(!addr_equal(&names.addrs[i], &head));
}

/* The same request, as a Renew of that member and of another one. */
static void renew(EnrolmentDesk *d, const MemberRow *m, const EnrolmentClaim *c, unsigned left)
{
        const CertifyWish w = {.csr = c->enrol->csr,
                               .addrs = c->enrol->addrs,
                               .n_addrs = c->enrol->n_addrs,
                               .from = c->from,
                               .now = NOW};
        EnrolmentAnswer a = {0};
        MemberRow other = *m;

        must(renewal_decide(d, m, &w, &a) >= 0 && a.accepted);
        check_cert(d, &a, c);
        enrolment_answer_done(&a);
        other.pin[0] ^= 1;
        must(renewal_decide(d, &other, &w, &a) >= 0);
        check_refused(d, &a, left, 1);
}

/* A second machine with the same key is none. */
static void again_elsewhere(EnrolmentDesk *d, const EnrolmentClaim *c, unsigned left)
{
        MemberEnrol e = *c->enrol;
        EnrolmentClaim other = *c;
        EnrolmentAnswer a = {0};

        str_copy(e.node, sizeof(e.node), streq(e.node, "another") ? "other" : "another");
        other.enrol = &e;
        must(enrolment_decide(d, &other, &a) >= 0);
        check_refused(d, &a, left, 1);
        must(a.refused.reason == MEMBER_REFUSAL_NAME_TAKEN);
}

/* Decided when it has the proof, or an admin's word: a member, or refused. */
static void check_answer(EnrolmentDesk *d, const EnrolmentClaim *c, unsigned left)
{
        EnrolmentAnswer a = {0};

        must(enrolment_decide(d, c, &a) >= 0);
        if (!a.accepted) {
                check_refused(d, &a, USES, 0);
                return;
        }
        must(uses_left(d) == left && members(d) == 1 && d->waiting.n == 0);
        check_cert(d, &a, c);
        again_elsewhere(d, c, left);
        renew(d, &a.member, c, left);
        tidy(d, c->enrol->node);
        enrolment_answer_done(&a);
}

/* Decided when it has neither: refused, or, without a token, an admin is asked. */
static bool is_pending(EnrolmentDesk *d, const EnrolmentClaim *c, VerdictRow *ret, uint8_t *pin)
{
        EnrolmentAnswer a = {0};

        must(enrolment_decide(d, c, &a) >= 0);
        if (!a.pending) {
                check_refused(d, &a, USES, 0);
                return false;
        }
        must(isempty(c->enrol->token) && !a.accepted && !a.cert && d->waiting.n == 1);
        must(uses_left(d) == USES && members(d) == 0);
        *ret = (VerdictRow){.verdict = VERDICT_APPROVED};
        str_copy(ret->node, sizeof(ret->node), a.waits.node);
        str_copy(ret->name, sizeof(ret->name), a.waits.name);
        memcpy(pin, a.waits.pin, STORE_PIN_SIZE);
        return true;
}

static void prove(MemberEnrol *e, const uint8_t of[static PROOF_BINDING_SIZE])
{
        uint8_t key[PROOF_KEY_SIZE];

        str_copy(e->token, sizeof(e->token), TOKEN);
        must(proof_key(secret, sizeof(secret), key) >= 0 &&
             proof_make(key, of, e->token, e->csr.data, e->csr.size, e->proof) >= 0);
}

static void decide(EnrolmentDesk *d, EnrolmentClaim *c, MemberEnrol *e)
{
        uint8_t pin[STORE_PIN_SIZE];
        VerdictRow yes;

        if (is_pending(d, c, &yes, pin)) {
                must(approvals_put(d->db, pin, &yes, NOW) >= 0);
                check_answer(d, c, USES);
        }
        prove(e, elsewhere);
        must(!is_pending(d, c, &yes, pin));
        prove(e, binding);
        check_answer(d, c, USES - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static EnrolmentDesk desk;
        _cleanup_member_message_ MemberMessage m = {0};
        EnrolmentClaim c = {.enrol = &m.enrol,
                            .from = ipv4(GUEST_IP),
                            .now = NOW,
                            .mono = NOW,
                            .can_wait = true};

        if (!desk.db)
                make_desk(&desk);
        memcpy(c.binding, binding, sizeof(binding));
        memset(&desk.guard, 0, sizeof(desk.guard)); /* locked sources are for test-guard */
        desk.waiting.n = 0;
        if (member_decode(data, size, &m) >= 0 && m.kind == MEMBER_ENROL)
                decide(&desk, &c, &m.enrol);
        return 0;
}
