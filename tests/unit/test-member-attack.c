/* Who must not get in, or not in somebody's place, over real TLS; members are served meanwhile. */
#include "gate-world.h"

#include <signal.h>

static void test_stolen_certificate(void **state)
{
        MemberMessage mine = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b1"}};
        MemberMessage theirs = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b2"}};
        _cleanup_identity_ Identity i = {0};
        World w;
        Raw a, b, c;

        member(&w, &i);
        raw_init(&a, &w, &i, "127.0.0.2", &mine);
        WAIT(&w, a.kinds[MEMBER_WELCOME] == 1);
        raw_init(&b, &w, &i, "127.0.0.3", &theirs);
        WAIT(&w, b.kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(w.copied, 1);
        assert_int_equal(w.loss, GATE_LOSS_REPLACED);
        WAIT(&w, a.down);
        assert_int_equal(gate_count(w.gate), 1);
        /* a reboot, or another address of the same boot, is no copy */
        raw_init(&c, &w, &i, "127.0.0.3", &mine);
        WAIT(&w, c.kinds[MEMBER_WELCOME] == 1);
        raw_done(&a);
        raw_init(&a, &w, &i, "127.0.0.2", &mine);
        WAIT(&w, a.kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(w.copied, 1);
        /* but two that take it from each other are two, whatever boot they say they are of */
        raw_done(&b);
        raw_init(&b, &w, &i, "127.0.0.3", &mine);
        WAIT(&w, b.kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(w.copied, 2);
        raw_done(&a);
        raw_done(&b);
        raw_done(&c);
        world_done(&w);
}

/* The thief renews, too: his is not the connection that the owner's renewal stands for. */
static void test_stolen_and_renewed(void **state)
{
        MemberMessage theirs = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b1"}};
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        World w;
        Raw thief;

        member(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 1);
        raw_init(&thief, &w, &i, "127.0.0.3", &theirs);
        WAIT(&w, thief.kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(w.lost, 1); /* it is told, not taken for a renewal */
        assert_int_equal(w.loss, GATE_LOSS_REPLACED);
        assert_int_equal(w.facts, 0);
        raw_done(&thief);
        world_done(&w);
}

/* A whole Enrol, with a proof that was good, said again by another connection. */
static void test_replayed_proof(void **state)
{
        uint8_t binding[TLS_LINK_EXPORT_SIZE];
        MemberMessage enrol = {.kind = MEMBER_ENROL};
        TokenRow token;
        World w;
        Raw first, second;

        world_init(&w);
        raw_init(&first, &w, NULL, "127.0.0.2", NULL);
        WAIT(&w, first.up);
        assert_int_equal(tls_link_export(first.tls, binding), 0);
        enrol.enrol = member_world_enrol(&w.m, "abcdefgh", binding);
        raw_say(&first, &enrol);
        WAIT(&w, first.kinds[MEMBER_ISSUED] == 1);
        assert_int_equal(w.enrolled, 1);
        raw_init(&second, &w, NULL, "127.0.0.3", &enrol);
        WAIT(&w, second.kinds[MEMBER_REFUSED] == 1);
        assert_int_equal(second.refused.reason, MEMBER_REFUSAL_TOKEN);
        assert_int_equal(second.kinds[MEMBER_ISSUED], 0);
        assert_int_equal(w.enrolled, 1);
        assert_int_equal(tokens_find(w.m.db, "abcdefgh", &token), 1);
        assert_int_equal(token.left, 2);
        raw_done(&first);
        raw_done(&second);
        world_done(&w);
}

/* Guessing locks its source, and the members notice nothing. */
static void test_brute_force(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        uint8_t nothing[TLS_LINK_EXPORT_SIZE] = {0};
        MemberMessage guess = {.kind = MEMBER_ENROL};
        World w;

        member(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 1);
        guess.enrol = member_world_enrol(&w.m, "abcdefgh", nothing);
        for (unsigned n = 1; n <= 3 * GUARD_FREE; n++) {
                Raw o;
                raw_init(&o, &w, NULL, "127.0.0.9", &guess);
                WAIT(&w, o.kinds[MEMBER_REFUSED] == 1);
                assert_int_equal(o.refused.reason,
                                 n <= GUARD_FREE ? MEMBER_REFUSAL_TOKEN : MEMBER_REFUSAL_LOCKED);
                raw_done(&o);
        }
        /* from elsewhere a machine with a token is served */
        JoinToken t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        usec_t until = now_mono() + 5 * BEAT;
        WAIT(&w, now_mono() > until);
        assert_int_equal(w.lost + w.losses, 0);
        world_done(&w);
}

/* A locked source may not ask for approval either: it would fill a list. */
static void test_locked_asks(void **state)
{
        uint8_t nothing[TLS_LINK_EXPORT_SIZE] = {0};
        MemberMessage guess = {.kind = MEMBER_ENROL};
        World w;

        world_init(&w);
        guess.enrol = member_world_enrol(&w.m, "abcdefgh", nothing);
        for (unsigned n = 0; n <= GUARD_FREE; n++) {
                Raw o;
                if (n == GUARD_FREE)
                        guess.enrol.token[0] = 0;
                raw_init(&o, &w, NULL, "127.0.0.9", &guess);
                WAIT(&w, o.kinds[MEMBER_REFUSED] == 1);
                assert_int_equal(o.refused.reason,
                                 n < GUARD_FREE ? MEMBER_REFUSAL_TOKEN : MEMBER_REFUSAL_LOCKED);
                raw_done(&o);
        }
        assert_int_equal(w.pending, 0);
        world_done(&w);
}

/* What a token is not for: told apart, and none of its uses is gone. */
static void test_out_of_scope(void **state)
{
        TokenRow t = {.id = "scoped22", .left = 5, .terms = {.uses = 5, .pattern = "gpu*"}};
        JoinToken token;
        TokenRow after;
        World w;

        world_init(&w);
        t.created = w.m.now;
        t.terms.expires = w.m.now + DAY;
        assert_int_equal(subnet_parse("127.0.0.0/8", &t.terms.subnet), 0);
        assert_int_equal(proof_key(w.m.secret, sizeof(w.m.secret), t.key), 0);
        assert_int_equal(tokens_add(w.m.db, &t, w.m.now), 0);
        token = token_of(&w, "scoped22");
        join(&w, &token);
        assert_int_equal(w.join.refusal, MEMBER_REFUSAL_TOKEN_SCOPE);
        assert_non_null(strstr(w.join.text, "named gpu*"));
        str_copy(t.id, sizeof(t.id), "scoped33");
        t.terms.pattern[0] = 0;
        assert_int_equal(subnet_parse("10.0.0.0/8", &t.terms.subnet), 0);
        assert_int_equal(tokens_add(w.m.db, &t, w.m.now), 0);
        token = token_of(&w, "scoped33");
        join(&w, &token);
        assert_int_equal(w.join.refusal, MEMBER_REFUSAL_TOKEN_SCOPE);
        assert_non_null(strstr(w.join.text, "in 10.0.0.0/8"));
        assert_int_equal(tokens_find(w.m.db, "scoped33", &after), 1);
        assert_int_equal(after.left, 5);
        assert_int_equal(w.enrolled, 0);
        world_done(&w);
}

/* A stranger says what only members may say. */
static void test_stranger_out_of_turn(void **state)
{
        const MemberKind kinds[] = {MEMBER_FACTS, MEMBER_BEAT,         MEMBER_LEAVE,
                                    MEMBER_EVENT, MEMBER_COMMAND_DONE, MEMBER_RENEW};
        static const uint8_t csr[] = {0x30, 0x00};
        World w;

        world_init(&w);
        for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                MemberMessage m = {.kind = kinds[k]};
                Raw o;
                if (m.kind == MEMBER_RENEW)
                        m.csr = (MemberBytes){csr, sizeof(csr)};
                raw_init(&o, &w, NULL, "127.0.0.2", &m);
                WAIT(&w, o.down);
                assert_int_equal(o.kinds[MEMBER_ISSUED] + o.kinds[MEMBER_WELCOME], 0);
                raw_done(&o);
        }
        assert_int_equal(w.came + w.left + w.events + w.renewed, 0);
        assert_int_equal(w.abuses[GATE_ABUSE_TURN], ELEMENTSOF(kinds));
        world_done(&w);
}

/* Introduced, and silent until it is revoked: its Facts come too late. */
static void test_revoked_in_between(void **state)
{
        MemberMessage facts = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b1"}};
        _cleanup_identity_ Identity i = {0};
        World w;
        Raw o;

        member(&w, &i);
        raw_init(&o, &w, &i, "127.0.0.2", NULL);
        WAIT(&w, is_introduced(w.gate));
        assert_int_equal(roster_revoke(w.m.db, "workernode"), 1);
        assert_false(gate_revoke(w.gate, "workernode"));
        raw_say(&o, &facts);
        WAIT(&w, o.kinds[MEMBER_REFUSED] == 1);
        assert_int_equal(o.refused.reason, MEMBER_REFUSAL_REVOKED);
        assert_int_equal(w.came, 0);
        raw_done(&o);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stolen_certificate),
                cmocka_unit_test(test_stolen_and_renewed),
                cmocka_unit_test(test_replayed_proof),
                cmocka_unit_test(test_brute_force),
                cmocka_unit_test(test_locked_asks),
                cmocka_unit_test(test_out_of_scope),
                cmocka_unit_test(test_stranger_out_of_turn),
                cmocka_unit_test(test_revoked_in_between),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
