/* A worker's way into a cluster: heads that refuse, an admin's word that is waited for, and what
 * may come in between. */
#include "machine-world.h"

#include <signal.h>

static void run_sql(Db *db, const char *text)
{
        _cleanup_(db_query_freep) DbQuery *q = NULL;

        assert_int_equal(db_query_new(db, text, &q), 0);
        assert_true(db_query_run(q) >= 0);
}

/* The disk of the head is full, and then it is not. */
static void test_head_cannot_note_it(void **state)
{
        Machine o;
        World other;

        machine_init(&o);
        run_sql(o.w.m.db, "ALTER TABLE verdict RENAME TO away");
        membership_ask(o.m);
        membership_set_heads(o.m, &o.w.at, 1, false);
        WAIT(&o.w, strstr(membership_text(o.m), "the head cannot write it down"));
        check_text(&o, "not a member yet: ");
        run_sql(o.w.m.db, "ALTER TABLE away RENAME TO verdict");
        /* which is in a quarter of a minute, or when another address of it is found */
        twin_init(&other, &o, o.w.m.db);
        membership_set_heads(o.m, &other.at, 1, false);
        WAIT(&o.w, other.pending == 1);
        gate_free(other.gate);
        machine_done(&o);
}

/* A head that cannot take it, before one that can, keeps it from that one neither for ever nor for
 * as long as the first one wants to be left alone. */
static void test_first_head_refuses(void **state)
{
        World busy = {0};
        Machine o;

        machine_init(&o);
        member_world_init(&busy.m, now_real());
        busy.event = sd_event_ref(o.w.event);
        open_gate(&busy);
        run_sql(busy.m.db, "ALTER TABLE verdict RENAME TO away");
        Addr heads[] = {busy.at, o.w.at};
        membership_ask(o.m);
        membership_set_heads(o.m, heads, 2, false);
        WAIT(&o.w, strstr(membership_text(o.m), "has to approve"));
        assert_int_equal(busy.refusal.reason, MEMBER_REFUSAL_STORE);
        world_done(&busy);
        machine_done(&o);
}

/* What the one head says is told, not that there is none at the other address. */
static void test_refusal_goes_before(void **state)
{
        Machine o;

        machine_init(&o);
        run_sql(o.w.m.db, "ALTER TABLE verdict RENAME TO away");
        Addr heads[] = {o.w.at, o.w.at};
        heads[1].port = 1;
        membership_join(o.m, NULL, heads, 2, on_answer, &o);
        WAIT(&o.w, o.answers == 1);
        assert_int_equal(o.answer.error, -ECONNREFUSED);
        assert_non_null(strstr(o.text, "the head cannot write it down"));
        machine_done(&o);
}

/* It asked at an address that somebody gave, and nothing finds it there: after a restart it asks
 * there again. */
static void test_waits_over_restart(void **state)
{
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        assert_int_equal(o.answer.error, 0);
        membership_free(o.m);
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        machine_start(&o);
        WAIT(&o.w, membership_is_connected(o.m));
        machine_done(&o);
}

/* Another machine has the name, by another key: with a token, too, an admin has to say a word. */
static void wait_for_name(Machine *o)
{
        JoinToken t = token_of(&o->w, "abcdefgh");
        _cleanup_free_ char *text = NULL;
        GatePending p;

        join(&o->w, &t);
        assert_int_equal(o->w.join.end, JOIN_DONE);
        assert_int_equal(join_token_format(&t, &text), 0);
        join_with(o, text);
        assert_int_equal(o->answer.error, 0);
        check_text(o, "has to approve");
        assert_true(gate_pending(o->w.gate, 0, &p));
        assert_string_equal(p.takes, "w1");
}

/* The token ends before the admin says his word, which is for the key. */
static void test_token_ends_while_waiting(void **state)
{
        TokenRow token;
        World other;
        Machine o;

        machine_init(&o);
        wait_for_name(&o);
        assert_int_equal(tokens_revoke(o.w.m.db, "abcdefgh"), 1);
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        twin_init(&other, &o, o.w.m.db);
        membership_set_heads(o.m, &other.at, 1, false); /* it asks now */
        WAIT(&o.w, membership_is_connected(o.m));
        assert_int_equal(tokens_find(o.w.m.db, "abcdefgh", &token), 1);
        assert_int_equal(token.left, 2); /* the other machine's */
        gate_free(other.gate);
        machine_done(&o);
}

/* So that it waits on after a restart, which has forgotten the token. */
static void test_waits_with_token_over_restart(void **state)
{
        Machine o;

        machine_init(&o);
        wait_for_name(&o);
        membership_free(o.m);
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        machine_start(&o);
        WAIT(&o.w, membership_is_connected(o.m));
        machine_done(&o);
}

/* While it waits the head comes to be elsewhere, which discovery finds; so does another head, which
 * is not asked. */
static void test_head_moves(void **state)
{
        World moved, other = {0};
        Machine o;

        machine_init(&o);
        membership_ask(o.m);
        membership_set_heads(o.m, &o.w.at, 1, false);
        WAIT(&o.w, strstr(membership_text(o.m), "has to approve"));
        o.w.gate = gate_free(o.w.gate);
        member_world_init(&other.m, now_real());
        other.event = sd_event_ref(o.w.event);
        open_gate(&other);
        twin_init(&moved, &o, o.w.m.db);
        Addr heads[] = {other.at, moved.at};
        membership_set_heads(o.m, heads, 2, false);
        WAIT(&o.w, moved.pending == 1);
        assert_int_equal(other.pending, 0);
        gate_free(moved.gate);
        world_done(&other);
        machine_done(&o);
}

/* A token that is none costs a machine that waits nothing. */
static void test_no_token_while_waiting(void **state)
{
        World other;
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        assert_int_equal(o.answer.error, 0);
        join_with(&o, "rc1-typo");
        assert_int_equal(o.answer.error, -EINVAL);
        check_text(&o, "not a member yet: ");
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        twin_init(&other, &o, o.w.m.db);
        membership_set_heads(o.m, &other.at, 1, false);
        WAIT(&o.w, membership_is_connected(o.m));
        gate_free(other.gate);
        machine_done(&o);
}

/* Nor does one that has ended, or a head that is not there. */
static void test_join_fails_while_waiting(void **state)
{
        JoinToken t;
        _cleanup_free_ char *text = NULL;
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        assert_int_equal(o.answer.error, 0);
        t = token_of(&o.w, "abcdefgh");
        assert_int_equal(tokens_revoke(o.w.m.db, "abcdefgh"), 1);
        assert_int_equal(join_token_format(&t, &text), 0);
        join_with(&o, text);
        assert_int_equal(o.answer.error, -ECONNREFUSED);
        assert_non_null(strstr(o.text, "the token was revoked"));
        WAIT(&o.w, strstr(membership_text(o.m), "has to approve"));
        assert_int_equal(gate_approve(o.w.gate, "w1"), 1);
        Addr nowhere = o.w.at;
        nowhere.port = 1;
        unsigned before = o.answers;
        membership_join(o.m, NULL, &nowhere, 1, on_answer, &o);
        WAIT(&o.w, o.answers == before + 1);
        assert_int_equal(o.answer.error, -ECONNREFUSED);
        WAIT(&o.w, membership_is_connected(o.m));
        machine_done(&o);
}

/* Denied, it asks no more, whatever it did before. */
static void test_denied_is_last(void **state)
{
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        assert_int_equal(gate_deny(o.w.gate, "w1"), 1);
        join_with(&o, NULL);
        assert_int_equal(o.answer.error, -ECONNREFUSED);
        check_text(&o, "no member of a cluster: an admin of the head has denied");
        membership_leave(o.m, on_answer, &o);
        assert_int_equal(o.answer.error, -ENOENT);
        machine_done(&o);
}

/* Ray, which somebody may run without a membership, is none of the business of who only waited. */
static void test_leave_while_waiting(void **state)
{
        Machine o;

        machine_init(&o);
        join_with(&o, NULL);
        membership_leave(o.m, on_answer, &o);
        assert_int_equal(o.answer.error, 0);
        check_text(&o, "no member of a cluster: this machine has left");
        assert_int_equal(o.tokens, 0);
        machine_done(&o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_head_cannot_note_it),
                cmocka_unit_test(test_first_head_refuses),
                cmocka_unit_test(test_refusal_goes_before),
                cmocka_unit_test(test_waits_over_restart),
                cmocka_unit_test(test_token_ends_while_waiting),
                cmocka_unit_test(test_waits_with_token_over_restart),
                cmocka_unit_test(test_head_moves),
                cmocka_unit_test(test_no_token_while_waiting),
                cmocka_unit_test(test_join_fails_while_waiting),
                cmocka_unit_test(test_denied_is_last),
                cmocka_unit_test(test_leave_while_waiting),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
