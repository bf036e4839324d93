/* Tokens and members on disk, subnets, and the proof that a machine has a token. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "base/str.h"
#include "member/proof.h"
#include "member/roster.h"
#include "member/tokens.h"

#define NOW ((usec_t)1764000000 * USEC_PER_SEC)

static Addr A(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

static Db *memory(void)
{
        Db *db = NULL;
        assert_int_equal(store_open(":memory:", &db), 0);
        return db;
}

/* --- subnets */

static void test_subnet(void **state)
{
        static const char *const good[] = {"10.0.0.0/24", "0.0.0.0/0", "10.1.2.3/32",
                                           "fd00:1::/48", "::/0",      "fd00::1/128"};
        static const char *const bad[] = {
                "",          "/24",         "10.0.0.0/",   "10.0.0.0/33", "10.0.0.1/24",
                "10.0.0/24", "10.0.0.0/+8", "10.0.0.0/8x", "fd00::1/64",  "fe80::%lo/64"};
        char buf[SUBNET_MAX];
        Subnet s, none = {0};

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(subnet_parse(good[i], &s), 0);
                assert_string_equal(subnet_format(buf, &s), good[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(subnet_parse(bad[i], &s), -EINVAL);
        assert_int_equal(subnet_parse("10.1.2.3", &s), 0);
        assert_int_equal(s.bits, 32);
        assert_int_equal(subnet_parse("10.0.0.0/23", &s), 0);
        Addr in = A("10.0.1.255"), out = A("10.0.2.0"), six = A("fd00::1");
        assert_true(subnet_has(&s, &in));
        assert_false(subnet_has(&s, &out));
        assert_false(subnet_has(&s, &six));
        assert_true(subnet_has(&none, &six));
        assert_string_equal(subnet_format(buf, &none), "");
}

/* --- tokens */

static TokenRow token(const char *id)
{
        TokenRow t = {.key = {1, 2, 3},
                      .created = NOW,
                      .left = 2,
                      .terms = {.expires = NOW + USEC_PER_MIN, .uses = 2}};
        str_copy(t.id, sizeof(t.id), id);
        return t;
}

static void test_tokens(void **state)
{
        _cleanup_(db_freep) Db *db = memory();
        _cleanup_free_ TokenRow *all = NULL;
        TokenRow t = token("abcdefgh"), got;
        size_t n;

        str_copy(t.terms.pattern, sizeof(t.terms.pattern), "compute*");
        str_copy(t.terms.group, sizeof(t.terms.group), "gpu");
        assert_int_equal(subnet_parse("10.0.0.0/8", &t.terms.subnet), 0);
        assert_int_equal(tokens_add(db, &t, NOW), 0);
        assert_int_equal(tokens_add(db, &t, NOW), -EEXIST);
        assert_int_equal(tokens_find(db, "abcdefgi", &got), 0);
        assert_int_equal(tokens_find(db, "abcdefgh", &got), 1);
        assert_memory_equal(got.key, t.key, sizeof(t.key));
        assert_string_equal(got.terms.pattern, "compute*");
        assert_string_equal(got.terms.group, "gpu");
        assert_int_equal(got.terms.subnet.bits, 8);
        assert_true(got.created == NOW && got.terms.expires == t.terms.expires);
        assert_int_equal(got.left, 2);
        assert_int_equal(tokens_spend(db, "abcdefgh"), 1);
        assert_int_equal(tokens_spend(db, "abcdefgh"), 1);
        assert_int_equal(tokens_spend(db, "abcdefgh"), 0);
        TokenRow later = token("second");
        later.created++;
        assert_int_equal(tokens_add(db, &later, NOW), 0);
        assert_int_equal(tokens_list(db, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_string_equal(all[0].id, "second");
        assert_int_equal(all[1].left, 0);
        assert_int_equal(tokens_revoke(db, "second"), 1);
        assert_int_equal(tokens_revoke(db, "second"), 0);
        assert_int_equal(tokens_find(db, "second", &got), 1);
        assert_true(got.revoked);
}

/* A token is looked at in an order: what ended it for all goes before what is wrong with one. */
static void test_token_state(void **state)
{
        TokenRow t = token("a");
        Addr in = A("10.0.0.7"), out = A("192.168.1.1");

        assert_int_equal(token_state(&t, "w1", &in, NOW), TOKEN_GOOD);
        assert_int_equal(subnet_parse("10.0.0.0/24", &t.terms.subnet), 0);
        assert_int_equal(token_state(&t, "w1", &out, NOW), TOKEN_OTHER_SUBNET);
        str_copy(t.terms.pattern, sizeof(t.terms.pattern), "compute[0-9]?");
        assert_int_equal(token_state(&t, "w1", &out, NOW), TOKEN_OTHER_NAME);
        assert_int_equal(token_state(&t, "compute04", &in, NOW), TOKEN_GOOD);
        assert_int_equal(token_state(&t, "compute044", &in, NOW), TOKEN_OTHER_NAME);
        t.left = 0;
        assert_int_equal(token_state(&t, "w1", &out, NOW), TOKEN_USED_UP);
        assert_int_equal(token_state(&t, "w1", &out, NOW + USEC_PER_MIN), TOKEN_EXPIRED);
        t.revoked = true;
        assert_int_equal(token_state(&t, "w1", &out, NOW + USEC_PER_MIN), TOKEN_REVOKED);
}

static void test_many_tokens(void **state)
{
        _cleanup_(db_freep) Db *db = memory();
        char id[STORE_ID_MAX];

        assert_int_equal(db_begin(db), 0);
        for (unsigned i = 0; i < STORE_TOKENS_MAX; i++) {
                (void)snprintf(id, sizeof(id), "t%u", i);
                TokenRow t = token(id);
                assert_int_equal(tokens_add(db, &t, NOW), 0);
        }
        assert_int_equal(db_commit(db), 0);
        TokenRow more = token("more");
        assert_int_equal(tokens_add(db, &more, NOW), -EXFULL);
        assert_int_equal(tokens_revoke(db, "t7"), 1); /* makes room for one */
        assert_int_equal(tokens_add(db, &more, NOW), 0);
        TokenRow got, again = token("again");
        assert_int_equal(tokens_find(db, "t7", &got), 0);
        assert_int_equal(tokens_add(db, &again, NOW), -EXFULL);
        assert_int_equal(tokens_add(db, &again, NOW + USEC_PER_MIN), 0); /* all have expired */
}

/* --- members */

static MemberRow member(const char *node, const char *name, uint8_t pin)
{
        MemberRow m = {.pin = {pin}, .enrolled = NOW, .not_after = NOW + USEC_PER_MIN};
        str_copy(m.node, sizeof(m.node), node);
        str_copy(m.name, sizeof(m.name), name);
        return m;
}

static void test_roster(void **state)
{
        _cleanup_(db_freep) Db *db = memory();
        _cleanup_free_ MemberRow *all = NULL;
        MemberRow a = member("n1", "w1", 1), got;
        size_t n;

        str_copy(a.group, sizeof(a.group), "gpu");
        str_copy(a.token, sizeof(a.token), "abc");
        assert_int_equal(roster_put(db, &a), 0);
        a.not_after++; /* renewed */
        assert_int_equal(roster_put(db, &a), 0);
        assert_int_equal(roster_find_pin(db, a.pin, &got), 1);
        assert_true(got.not_after == a.not_after && got.seen == 0 && !got.revoked);
        assert_string_equal(got.group, "gpu");
        assert_string_equal(got.token, "abc");
        assert_int_equal(roster_seen(db, "n1", NOW + 5), 1);
        assert_int_equal(roster_find_node(db, "n1", &got), 1);
        assert_true(got.seen == NOW + 5);
        assert_int_equal(roster_find_node(db, "n2", &got), 0);

        MemberRow b = member("n2", "w1", 2); /* another machine of that name */
        assert_int_equal(roster_put(db, &b), -EEXIST);
        b = member("n1", "w2", 2); /* another key for that id */
        assert_int_equal(roster_put(db, &b), -EEXIST);
        b = member("n2", "w2", 1); /* a key that is another's */
        assert_int_equal(roster_put(db, &b), -EEXIST);
        assert_int_equal(roster_find_node(db, "n1", &got), 1);
        assert_int_equal(got.pin[0], 1);

        b = member("n2", "w1", 2); /* the name is free when the first is revoked */
        assert_int_equal(roster_revoke(db, "n1"), 1);
        assert_int_equal(roster_revoke(db, "n3"), 0);
        assert_int_equal(roster_find_revoked(db, "w1", &got), 1);
        assert_string_equal(got.node, "n1");
        assert_int_equal(roster_find_revoked(db, "w2", &got), 0);
        assert_int_equal(roster_find_name(db, "w1", &got), 0);
        assert_int_equal(roster_put(db, &b), 0);
        assert_int_equal(roster_find_name(db, "w1", &got), 1);
        assert_string_equal(got.node, "n2");
        assert_int_equal(roster_list(db, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_string_equal(all[0].node, "n2");
        assert_true(all[1].revoked);
        assert_int_equal(roster_forget(db, "n1"), 1);
        assert_int_equal(roster_forget(db, "n1"), 0);
        assert_int_equal(roster_find_pin(db, a.pin, &got), 0);
}

static void test_many_members(void **state)
{
        _cleanup_(db_freep) Db *db = memory();
        _cleanup_free_ MemberRow *all = NULL;
        char node[STORE_ID_MAX];
        size_t n;

        assert_int_equal(db_begin(db), 0);
        for (unsigned i = 0; i < STORE_MEMBERS_MAX; i++) {
                (void)snprintf(node, sizeof(node), "n%u", i);
                MemberRow m = member(node, node, 0);
                memcpy(m.pin, &i, sizeof(i));
                assert_int_equal(roster_put(db, &m), 0);
        }
        assert_int_equal(db_commit(db), 0);
        MemberRow more = member("more", "more", 0);
        memset(more.pin, 0xff, sizeof(more.pin));
        assert_int_equal(roster_put(db, &more), -EXFULL);
        assert_int_equal(roster_list(db, &all, &n), 0);
        assert_int_equal(n, STORE_MEMBERS_MAX);
        assert_int_equal(roster_put(db, &all[n - 1]), 0); /* one that is there is renewed */
}

/* --- the proof */

static void test_proof(void **state)
{
        static const char want_key[] =
                "74d3f28eb77c93a48efdbf41b786ac11fc55767853e032ded6d2dfb4595753fd";
        static const char want_proof[] =
                "d8a729f694d23fdba0e9bdcd77e5dc12d3c9a37ed1766ad734eae54049c4aa15";
        uint8_t secret[20] = {0}, key[PROOF_KEY_SIZE], binding[PROOF_BINDING_SIZE] = {9};
        uint8_t first[MAC_SIZE], second[MAC_SIZE];

        for (unsigned i = 0; i < sizeof(secret); i++)
                secret[i] = (uint8_t)i;
        assert_int_equal(proof_key(secret, sizeof(secret), key), 0);
        _cleanup_free_ char *hex = hex_encode(key, sizeof(key));
        assert_string_equal(hex, want_key);
        assert_int_equal(proof_make(key, binding, "abcdefgh", "csr", 3, first), 0);
        _cleanup_free_ char *proof = hex_encode(first, sizeof(first));
        assert_string_equal(proof, want_proof);
        /* another connection, token, request, secret */
        binding[31] = 1;
        assert_int_equal(proof_make(key, binding, "abcdefgh", "csr", 3, second), 0);
        assert_false(mac_equal(first, second, MAC_SIZE));
        binding[31] = 0;
        assert_int_equal(proof_make(key, binding, "abcdefgi", "csr", 3, second), 0);
        assert_false(mac_equal(first, second, MAC_SIZE));
        assert_int_equal(proof_make(key, binding, "abcdefgh", "csR", 3, second), 0);
        assert_false(mac_equal(first, second, MAC_SIZE));
        key[0] ^= 1;
        assert_int_equal(proof_make(key, binding, "abcdefgh", "csr", 3, second), 0);
        assert_false(mac_equal(first, second, MAC_SIZE));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_subnet),      cmocka_unit_test(test_tokens),
                cmocka_unit_test(test_token_state), cmocka_unit_test(test_many_tokens),
                cmocka_unit_test(test_roster),      cmocka_unit_test(test_many_members),
                cmocka_unit_test(test_proof),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
