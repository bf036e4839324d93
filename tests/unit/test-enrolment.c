/* The head's authority on disk, and its decision on every kind of machine that wants to join. */
#include "member-world.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sys/mac.h"

#define NOW ((usec_t)1764000000 * USEC_PER_SEC)

static const uint8_t binding[PROOF_BINDING_SIZE] = {1, 2, 3};

/* --- the authority */

static void pin_of(const PkiCert *c, uint8_t ret[static PKI_PIN_SIZE])
{
        pki_cert_pin(c, ret);
}

static void test_authority(void **state)
{
        uint8_t first[PKI_PIN_SIZE], second[PKI_PIN_SIZE], own[PKI_PIN_SIZE], own2[PKI_PIN_SIZE];
        char path[64], serial[PKI_SERIAL_MAX];
        struct stat st;
        MemberWorld w;
        PkiNames n;

        member_world_init(&w, NOW);
        pin_of(authority_cert(w.authority), first);
        pin_of(authority_own(w.authority), own);
        str_copy(serial, sizeof(serial), pki_cert_serial(authority_own(w.authority)));
        assert_int_equal(strlen(authority_cluster(w.authority)), 32);
        assert_int_equal(pki_cert_names(authority_own(w.authority), &n), 0);
        assert_int_equal(n.role, PKI_HEAD);
        assert_string_equal(n.cluster, authority_cluster(w.authority));
        (void)snprintf(path, sizeof(path), "%s/authority.pem", w.dir);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);

        /* the same again, and the same certificate while it is young */
        w.authority = authority_free(w.authority);
        w.authority = authority_at(w.dir, NOW + 19 * DAY, "127.0.0.1");
        pin_of(authority_cert(w.authority), second);
        assert_memory_equal(first, second, PKI_PIN_SIZE);
        assert_string_equal(pki_cert_serial(authority_own(w.authority)), serial);
        /* a new one when two thirds are over, or the address is another; the key stays */
        w.authority = authority_free(w.authority);
        w.authority = authority_at(w.dir, NOW + 21 * DAY, "127.0.0.1");
        assert_string_not_equal(pki_cert_serial(authority_own(w.authority)), serial);
        str_copy(serial, sizeof(serial), pki_cert_serial(authority_own(w.authority)));
        w.authority = authority_free(w.authority);
        w.authority = authority_at(w.dir, NOW + 21 * DAY, "127.0.0.2");
        assert_string_not_equal(pki_cert_serial(authority_own(w.authority)), serial);
        pin_of(authority_own(w.authority), own2);
        assert_memory_equal(own, own2, PKI_PIN_SIZE);
        member_world_done(&w);
}

/* A machine that was a worker, and the other way round: the key of the one is none for the other.
 */
static void test_other_role(void **state)
{
        uint8_t of_head[PKI_PIN_SIZE], of_worker[PKI_PIN_SIZE], next[PKI_PIN_SIZE];
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        _cleanup_(pki_key_freep) PkiKey *key = NULL;
        _cleanup_identity_ Identity i = {0};
        const PkiNames names = {.node = "workernode", .name = "w1"};
        char path[64];
        MemberWorld w;

        member_world_init(&w, NOW);
        pin_of(authority_own(w.authority), of_head);
        (void)snprintf(path, sizeof(path), "%s/identity.pem", w.dir);
        assert_int_equal(identity_key_as(path, PKI_HEAD, &key), 0);
        pki_key_pin(key, next);
        assert_memory_equal(next, of_head, sizeof(next));
        key = pki_key_free(key);
        assert_int_equal(identity_key_as(path, PKI_WORKER, &key), 0);
        pki_key_pin(key, of_worker);
        assert_memory_not_equal(of_worker, of_head, sizeof(of_head));
        key = pki_key_free(key);
        assert_int_equal(identity_key_as(path, PKI_WORKER, &key), 0); /* asked again */
        pki_key_pin(key, next);
        assert_memory_equal(next, of_worker, sizeof(next));

        Buf csr = {0};
        assert_int_equal(pki_request_new(key, "w1", &csr), 0);
        assert_int_equal(pki_request_read(buf_data(&csr), buf_size(&csr), &q), 0);
        buf_done(&csr);
        assert_int_equal(authority_issue(w.authority, q, &names, NOW, &i.cert), 0);
        i.key = TAKE_PTR(key);
        assert_int_equal(identity_save(path, &i), 0);
        w.authority = authority_free(w.authority);
        w.authority = authority_at(w.dir, NOW, "127.0.0.1");
        pin_of(authority_own(w.authority), next);
        assert_memory_not_equal(next, of_worker, sizeof(next));
        member_world_done(&w);
}

/* While it runs: a connection from then on shows the new one, and a full disk keeps the old. */
static void test_authority_renews(void **state)
{
        Addr addrs[] = {member_addr("10.1.0.1"), member_addr("127.0.0.1")};
        Addr turned[] = {addrs[1], addrs[0]};
        _cleanup_free_ char *error = NULL;
        struct rlimit before, none = {0};
        char serial[PKI_SERIAL_MAX];
        MemberWorld w;

        member_world_init(&w, NOW);
        str_copy(serial, sizeof(serial), pki_cert_serial(authority_own(w.authority)));
        TlsParty *party = authority_party(w.authority);
        assert_int_equal(authority_renew(w.authority, NOW + 19 * DAY, addrs + 1, 1, &error), 0);
        assert_ptr_equal(authority_party(w.authority), party);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        none.rlim_max = before.rlim_max;
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        int r = authority_renew(w.authority, NOW + 21 * DAY, addrs + 1, 1, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_true(r < 0);
        assert_non_null(strstr(error, "identity.pem: "));
        assert_string_equal(pki_cert_serial(authority_own(w.authority)), serial);
        assert_ptr_equal(authority_party(w.authority), party);
        tls_party_ref(party); /* of a connection that is open */
        assert_int_equal(authority_renew(w.authority, NOW + 21 * DAY, addrs + 1, 1, &error), 1);
        assert_string_not_equal(pki_cert_serial(authority_own(w.authority)), serial);
        assert_ptr_not_equal(authority_party(w.authority), party);
        tls_party_unref(party);
        /* another address is one more reason, their order is none */
        assert_int_equal(authority_renew(w.authority, NOW + 21 * DAY, addrs, 2, &error), 1);
        assert_int_equal(authority_renew(w.authority, NOW + 21 * DAY, turned, 2, &error), 0);
        member_world_done(&w);
}

/* The members know the old key: a damaged file is said, and left as it is. */
static void test_damaged_authority(void **state)
{
        _cleanup_free_ char *error = NULL, *after = NULL;
        Addr own = member_addr("127.0.0.1");
        Authority *a = NULL;
        char path[64];
        MemberWorld w;
        size_t n;

        member_world_init(&w, NOW);
        AuthorityPolicy p = {
                .dir = w.dir, .node = "headnode", .name = "head", .addrs = &own, .n_addrs = 1};
        (void)snprintf(path, sizeof(path), "%s/authority.pem", w.dir);
        assert_int_equal(write_file_atomic(path, "junk", 4, 0600, (gid_t)-1), 0);
        assert_int_equal(authority_open(&p, NOW, &a, &error), -EBADMSG);
        assert_non_null(strstr(error, "authority.pem: is damaged; restore it from a backup"));
        assert_int_equal(read_file(path, 100, &after, &n), 0);
        assert_string_equal(after, "junk");
        /* the head's own certificate is no loss */
        assert_int_equal(unlink(path), 0);
        (void)snprintf(path, sizeof(path), "%s/identity.pem", w.dir);
        assert_int_equal(write_file_atomic(path, "junk", 4, 0600, (gid_t)-1), 0);
        w.authority = authority_free(w.authority);
        w.authority = authority_at(w.dir, NOW, "127.0.0.1");
        member_world_done(&w);
}

static void test_authority_on_full_disk(void **state)
{
        _cleanup_free_ char *error = NULL;
        struct rlimit before, none = {0};
        Addr own = member_addr("127.0.0.1");
        Authority *a = NULL;
        MemberWorld w;

        member_world_init(&w, NOW);
        AuthorityPolicy p = {
                .dir = w.dir, .node = "headnode", .name = "head", .addrs = &own, .n_addrs = 1};
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/authority.pem", w.dir);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        none.rlim_max = before.rlim_max;
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        int r = authority_open(&p, NOW, &a, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_true(r < 0);
        assert_non_null(strstr(error, "authority.pem: "));
        assert_int_equal(access(path, F_OK), -1); /* not half of it either */
        member_world_done(&w);
}

/* --- who may come in */

static MemberRefusal decide_at(MemberWorld *w, const MemberEnrol *e, const char *from, usec_t now,
                               EnrolmentAnswer *ret)
{
        EnrolmentClaim c = {.enrol = e, .from = member_addr(from), .now = now, .mono = now};

        memcpy(c.binding, binding, sizeof(binding));
        assert_int_equal(enrolment_decide(&w->desk, &c, ret), 0);
        assert_true(ret->accepted == (ret->refused.reason == MEMBER_REFUSAL_OTHER));
        assert_true(ret->accepted == (ret->cert != NULL));
        return ret->refused.reason;
}

static MemberRefusal decide(MemberWorld *w, const MemberEnrol *e, EnrolmentAnswer *ret)
{
        return decide_at(w, e, "10.77.0.11", w->now, ret);
}

/* Decides and lets go. */
static MemberRefusal refusal(MemberWorld *w, const MemberEnrol *e)
{
        EnrolmentAnswer a;
        MemberRefusal r = decide(w, e, &a);
        enrolment_answer_done(&a);
        return r;
}

static unsigned left(MemberWorld *w, const char *id)
{
        TokenRow t;
        assert_int_equal(tokens_find(w->db, id, &t), 1);
        return t.left;
}

static void test_accepted(void **state)
{
        EnrolmentAnswer a;
        MemberWorld w;
        MemberRow m;
        PkiNames n;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 2);
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", binding);
        assert_int_equal(decide(&w, &e, &a), MEMBER_REFUSAL_OTHER);
        assert_true(a.accepted);
        assert_int_equal(pki_cert_names(a.cert, &n), 0);
        assert_int_equal(n.role, PKI_WORKER);
        assert_string_equal(n.cluster, authority_cluster(w.authority));
        assert_string_equal(n.node, "workernode");
        assert_int_equal(n.n_addrs, 1);
        assert_int_equal(roster_find_pin(w.db, a.member.pin, &m), 1);
        assert_string_equal(m.name, "w1");
        assert_string_equal(m.token, "abcdefgh");
        assert_int_equal(left(&w, "abcdefgh"), 1);
        enrolment_answer_done(&a);
        /* the answer was lost on the way: the same machine asks again */
        assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_OTHER);
        assert_int_equal(left(&w, "abcdefgh"), 0);
        assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_TOKEN_USED);
        member_world_done(&w);
}

static void test_wrong_proofs(void **state)
{
        static const uint8_t other[PROOF_BINDING_SIZE] = {9};
        EnrolmentAnswer a, unknown;
        MemberWorld w;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 9);
        /* a proof that was made for another connection */
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", other);
        assert_int_equal(decide(&w, &e, &a), MEMBER_REFUSAL_TOKEN);
        /* and a token that never was: the very same answer */
        MemberEnrol no = member_world_enrol(&w, "zzzzzzzz", binding);
        assert_int_equal(decide(&w, &no, &unknown), MEMBER_REFUSAL_TOKEN);
        assert_string_equal(a.refused.text, unknown.refused.text);
        assert_true(a.locked == 0);
        for (unsigned i = 2; i < GUARD_FREE; i++)
                assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_TOKEN);
        MemberEnrol right = member_world_enrol(&w, "abcdefgh", binding);
        assert_int_equal(decide(&w, &right, &a), MEMBER_REFUSAL_LOCKED);
        assert_true(a.refused.retry == GUARD_PAUSE);
        assert_non_null(strstr(a.refused.text, "try again in 10s"));
        /* others are not locked out by it, and the time passes */
        MemberEnrol elsewhere = right;
        assert_int_equal(decide_at(&w, &elsewhere, "10.77.0.12", NOW, &a), MEMBER_REFUSAL_OTHER);
        enrolment_answer_done(&a);
        assert_int_equal(decide_at(&w, &right, "10.77.0.11", NOW + GUARD_PAUSE, &a),
                         MEMBER_REFUSAL_OTHER);
        enrolment_answer_done(&a);
        assert_int_equal(left(&w, "abcdefgh"), 7);
        member_world_done(&w);
}

static void test_terms(void **state)
{
        TokenRow t = {.id = "scoped22",
                      .created = NOW,
                      .left = 5,
                      .terms = {.expires = NOW + DAY, .uses = 5, .pattern = "gpu*"}};
        EnrolmentAnswer a;
        MemberWorld w;

        member_world_init(&w, NOW);
        assert_int_equal(subnet_parse("10.78.0.0/16", &t.terms.subnet), 0);
        assert_int_equal(proof_key(w.secret, sizeof(w.secret), t.key), 0);
        assert_int_equal(tokens_add(w.db, &t, NOW), 0);
        MemberEnrol e = member_world_enrol(&w, "scoped22", binding);
        assert_int_equal(decide(&w, &e, &a), MEMBER_REFUSAL_TOKEN_SCOPE);
        assert_non_null(strstr(a.refused.text, "named gpu*, and this one is w1"));
        str_copy(e.name, sizeof(e.name), "gpu7");
        assert_int_equal(decide(&w, &e, &a), MEMBER_REFUSAL_TOKEN_SCOPE);
        assert_non_null(strstr(a.refused.text, "in 10.78.0.0/16, and this one comes from "
                                               "10.77.0.11"));
        assert_int_equal(decide_at(&w, &e, "10.78.1.1", NOW + DAY, &a),
                         MEMBER_REFUSAL_TOKEN_EXPIRED);
        assert_int_equal(decide_at(&w, &e, "10.78.1.1", NOW, &a), MEMBER_REFUSAL_OTHER);
        enrolment_answer_done(&a);
        assert_int_equal(tokens_revoke(w.db, "scoped22"), 1);
        assert_int_equal(decide_at(&w, &e, "10.78.1.1", NOW, &a), MEMBER_REFUSAL_TOKEN_EXPIRED);
        assert_non_null(strstr(a.refused.text, "revoked"));
        member_world_done(&w);
}

/* Names and keys that are somebody's already. */
static void test_taken(void **state)
{
        EnrolmentAnswer a;
        MemberWorld w;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 9);
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", binding);
        assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_OTHER);
        str_copy(e.node, sizeof(e.node), "copied"); /* the same disk in another machine */
        assert_int_equal(decide(&w, &e, &a), MEMBER_REFUSAL_NAME_TAKEN);
        assert_non_null(strstr(a.refused.text, "if the disk was copied, remove"));

        /* installed anew: another key */
        pki_key_free(w.key);
        buf_done(&w.csr);
        w.csr = (Buf){0};
        assert_int_equal(pki_key_new(&w.key), 0);
        assert_int_equal(pki_request_new(w.key, "w1", &w.csr), 0);
        e = member_world_enrol(&w, "abcdefgh", binding);
        assert_int_equal(decide(&w, &e, &a), MEMBER_REFUSAL_NAME_TAKEN);
        assert_non_null(strstr(a.refused.text, "raycluster node forget w1"));
        str_copy(e.node, sizeof(e.node), "second");
        assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_NAME_TAKEN); /* the name alone, too */
        assert_int_equal(left(&w, "abcdefgh"), 8);
        assert_int_equal(roster_forget(w.db, "workernode"), 1);
        assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_OTHER);
        assert_int_equal(roster_revoke(w.db, "second"), 1);
        assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_REVOKED);
        member_world_done(&w);
}

static void test_bad_requests(void **state)
{
        uint8_t key[PROOF_KEY_SIZE];
        EnrolmentAnswer a;
        MemberWorld w;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 9);
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", binding);
        str_copy(e.name, sizeof(e.name), "w 1");
        assert_int_equal(decide(&w, &e, &a), MEMBER_REFUSAL_BAD);
        assert_non_null(strstr(a.refused.text, "host name"));
        /* a right proof over what is no request */
        e = member_world_enrol(&w, "abcdefgh", binding);
        e.csr = (MemberBytes){(const uint8_t *)"no csr", 6};
        assert_int_equal(proof_key(w.secret, sizeof(w.secret), key), 0);
        assert_int_equal(proof_make(key, binding, "abcdefgh", "no csr", 6, e.proof), 0);
        assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_BAD);
        assert_int_equal(left(&w, "abcdefgh"), 9);
        member_world_done(&w);
}

/* A head whose disk is full refuses, and keeps the token's use and the roster as they were. */
static void test_full_store(void **state)
{
        char path[64];
        EnrolmentAnswer a;
        MemberWorld w;
        MemberRow m;

        member_world_init(&w, NOW);
        (void)snprintf(path, sizeof(path), "%s/store", w.dir);
        w.db = db_free(w.db);
        assert_int_equal(store_open(path, &w.db), 0);
        w.desk.db = w.db;
        member_world_token(&w, "abcdefgh", 9);
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", binding);
        struct rlimit before, none = {.rlim_cur = 1};
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        none.rlim_max = before.rlim_max;
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        MemberRefusal r = decide(&w, &e, &a);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(r, MEMBER_REFUSAL_STORE);
        assert_true(a.error < 0);
        assert_int_equal(left(&w, "abcdefgh"), 9);
        assert_int_equal(roster_find_node(w.db, "workernode", &m), 0);
        assert_int_equal(refusal(&w, &e), MEMBER_REFUSAL_OTHER); /* there is room again */
        member_world_done(&w);
}

/* So many members that no more are taken: who asks is told the limit and the way out. */
static void test_full_roster(void **state)
{
        DbQuery *q = NULL;
        EnrolmentAnswer a;
        MemberWorld w;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 9);
        int r = db_query_new(w.db,
                             "INSERT INTO member(node, name, node_group, token, pin, enrolled,"
                             " not_after, seen, revoked)"
                             " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
                             " SELECT i + 1 FROM n WHERE i < ?1)"
                             " SELECT 'n' || i, 'n' || i, '', '',"
                             " CAST(printf('%032d', i) AS BLOB), 0, 0, 0, 0 FROM n",
                             &q);
        assert_int_equal(r, 0);
        db_bind_int(q, 1, STORE_MEMBERS_MAX);
        assert_int_equal(db_query_run(q), 0);
        db_query_free(q); /* before its store */
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", binding);
        assert_int_equal(decide(&w, &e, &a), MEMBER_REFUSAL_STORE);
        assert_string_equal(a.refused.text,
                            "the head has 10000 members, and room for no more: on the head, "
                            "raycluster node forget one that is gone");
        assert_int_equal(a.error, 0);
        assert_int_equal(left(&w, "abcdefgh"), 9);
        member_world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_authority),
                cmocka_unit_test(test_other_role),
                cmocka_unit_test(test_authority_renews),
                cmocka_unit_test(test_damaged_authority),
                cmocka_unit_test(test_authority_on_full_disk),
                cmocka_unit_test(test_accepted),
                cmocka_unit_test(test_wrong_proofs),
                cmocka_unit_test(test_terms),
                cmocka_unit_test(test_taken),
                cmocka_unit_test(test_bad_requests),
                cmocka_unit_test(test_full_store),
                cmocka_unit_test(test_full_roster),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
