/* Which addresses a member's certificate has, and the head's decision on a later one. */
#include "member-world.h"

#include "member/address-book.h"
#include "member/renewal.h"

#define NOW ((usec_t)1764000000 * USEC_PER_SEC)

static const uint8_t binding[PROOF_BINDING_SIZE] = {1, 2, 3};

/* Another machine of the same room: another key, and the node id `node`. */
static MemberEnrol machine(MemberWorld *w, const char *node, const char *name)
{
        uint8_t key[PROOF_KEY_SIZE];

        pki_key_free(w->key);
        buf_done(&w->csr);
        w->csr = (Buf){0};
        assert_int_equal(pki_key_new(&w->key), 0);
        assert_int_equal(pki_request_new(w->key, name, &w->csr), 0);
        MemberEnrol e = member_world_enrol(w, "abcdefgh", binding);
        str_copy(e.node, sizeof(e.node), node);
        str_copy(e.name, sizeof(e.name), name);
        assert_int_equal(proof_key(w->secret, sizeof(w->secret), key), 0);
        assert_int_equal(proof_make(key, binding, "abcdefgh", e.csr.data, e.csr.size, e.proof), 0);
        return e;
}

static void names_of(const EnrolmentAnswer *a, PkiNames *ret)
{
        assert_true(a->accepted);
        assert_int_equal(pki_cert_names(a->cert, ret), 0);
}

static void enrol(MemberWorld *w, const MemberEnrol *e, const char *from, PkiNames *ret_names,
                  MemberRow *ret_row)
{
        EnrolmentClaim c = {.enrol = e, .from = member_addr(from), .now = w->now, .mono = w->now};
        EnrolmentAnswer a;

        memcpy(c.binding, binding, sizeof(binding));
        assert_int_equal(enrolment_decide(&w->desk, &c, &a), 0);
        names_of(&a, ret_names);
        *ret_row = a.member;
        enrolment_answer_done(&a);
}

static bool has(const PkiNames *n, const char *addr)
{
        Addr want = member_addr(addr);

        for (size_t i = 0; i < n->n_addrs; i++)
                if (addr_equal(&n->addrs[i], &want))
                        return true;
        return false;
}

static void claim(MemberEnrol *e, const char *addr)
{
        e->addrs[e->n_addrs++] = member_addr(addr);
}

static void test_addresses(void **state)
{
        MemberRow first, second, third;
        MemberWorld w;
        PkiNames n;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 9);
        MemberEnrol e = machine(&w, "node1", "w1"); /* says it has 10.77.0.11 */
        claim(&e, "10.78.0.11");
        claim(&e, "127.0.0.1");
        claim(&e, "fe80::1");
        claim(&e, "224.0.0.1");
        enrol(&w, &e, "10.77.0.11", &n, &first);
        assert_int_equal(n.n_addrs, 2);
        assert_true(has(&n, "10.77.0.11") && has(&n, "10.78.0.11"));
        /* a claim to what is another's, or the head's (127.0.0.1 here), is passed over */
        e = machine(&w, "node2", "w2");
        claim(&e, "10.78.0.11");
        claim(&e, "10.78.0.12");
        enrol(&w, &e, "10.77.0.12", &n, &second);
        assert_int_equal(n.n_addrs, 2);
        assert_true(has(&n, "10.77.0.12") && has(&n, "10.78.0.12"));
        /* who comes from an address has it, however it was before */
        e = machine(&w, "node3", "w3");
        claim(&e, "10.78.0.11");
        enrol(&w, &e, "10.77.0.11", &n, &third);
        assert_int_equal(n.n_addrs, 1);
        assert_true(has(&n, "10.77.0.11"));
        /* what a revoked or forgotten one had is free */
        assert_int_equal(roster_revoke(w.db, "node1"), 1);
        assert_int_equal(roster_forget(w.db, "node2"), 1);
        e = machine(&w, "node4", "w4");
        claim(&e, "10.78.0.11");
        claim(&e, "10.78.0.12");
        enrol(&w, &e, "10.77.0.14", &n, &third);
        assert_int_equal(n.n_addrs, 3);
        member_world_done(&w);
}

/* The head's own address is nobody's claim, but loopback comes from loopback. */
static void test_addresses_of_head(void **state)
{
        PkiNames n, head = {.addrs = {member_addr("10.77.0.1")}, .n_addrs = 1};
        PkiNames mine = {.node = "node1"};
        Addr from = member_addr("127.0.0.1"), claims[PKI_ADDRS_MAX + 1];
        char text[32];
        MemberWorld w;

        member_world_init(&w, NOW);
        claims[0] = head.addrs[0];
        for (unsigned i = 1; i < ELEMENTSOF(claims); i++) {
                (void)snprintf(text, sizeof(text), "10.79.0.%u", i);
                claims[i] = member_addr(text);
        }
        from.port = 4711;
        n = mine;
        assert_int_equal(address_book_choose(w.db, &head, &from, claims, 2, &n), 0);
        assert_int_equal(n.n_addrs, 2);
        assert_true(has(&n, "127.0.0.1") && has(&n, "10.79.0.1"));
        assert_int_equal(n.addrs[0].port, 0);
        assert_int_equal(address_book_choose(w.db, &head, &from, claims, ELEMENTSOF(claims), &n),
                         0);
        assert_int_equal(n.n_addrs, PKI_ADDRS_MAX);
        member_world_done(&w);
}

static MemberRefusal renew(MemberWorld *w, const MemberRow *m, usec_t now, EnrolmentAnswer *ret)
{
        CertifyWish wish = {.csr = {buf_data(&w->csr), buf_size(&w->csr)},
                            .from = member_addr("10.77.0.99"),
                            .now = now};

        assert_int_equal(renewal_decide(&w->desk, m, &wish, ret), 0);
        assert_true(ret->accepted == (ret->cert != NULL));
        return ret->refused.reason;
}

static void test_renewal(void **state)
{
        MemberRow row, now;
        EnrolmentAnswer a;
        MemberWorld w;
        PkiNames n;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 1);
        MemberEnrol e = machine(&w, "node1", "w1");
        enrol(&w, &e, "10.77.0.11", &n, &row);
        /* no token, the same names, where it comes from now, and a later end */
        assert_int_equal(renew(&w, &row, NOW + 20 * DAY, &a), MEMBER_REFUSAL_OTHER);
        names_of(&a, &n);
        assert_string_equal(n.node, "node1");
        assert_string_equal(n.name, "w1");
        assert_true(has(&n, "10.77.0.99") && !has(&n, "10.77.0.11"));
        enrolment_answer_done(&a);
        assert_int_equal(roster_find_node(w.db, "node1", &now), 1);
        assert_true(now.not_after == row.not_after + 20 * DAY && now.enrolled == row.enrolled);
        /* another key, and members that are none */
        buf_done(&w.csr);
        w.csr = (Buf){0};
        PkiKey *mine = w.key;
        assert_int_equal(pki_key_new(&w.key), 0);
        assert_int_equal(pki_request_new(w.key, "w1", &w.csr), 0);
        assert_int_equal(renew(&w, &row, NOW, &a), MEMBER_REFUSAL_BAD);
        pki_key_free(w.key);
        w.key = mine;
        buf_done(&w.csr);
        w.csr = (Buf){0};
        assert_int_equal(pki_request_new(w.key, "w1", &w.csr), 0);
        assert_int_equal(roster_revoke(w.db, "node1"), 1);
        assert_int_equal(renew(&w, &row, NOW, &a), MEMBER_REFUSAL_REVOKED);
        assert_int_equal(roster_forget(w.db, "node1"), 1);
        assert_int_equal(renew(&w, &row, NOW, &a), MEMBER_REFUSAL_IDENTITY);
        assert_int_equal(roster_find_node(w.db, "node1", &now), 0);
        member_world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_addresses_of_head),
                cmocka_unit_test(test_renewal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
