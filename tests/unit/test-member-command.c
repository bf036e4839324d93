/* Commands to a member, events of it, and its leaving. */
#include "gate-world.h"

#include <signal.h>

typedef struct Answer {
        World *world;
        unsigned n;
        GateCommandEnd end;
        bool ok, was_there;
        char text[MEMBER_ANSWER_MAX];
} Answer;

static void on_answer(Gate *g, const char *node, const GateCommandResult *r, void *userdata)
{
        Answer *a = userdata;
        GateMember m;

        assert_string_equal(node, "workernode");
        a->n++;
        a->end = r->end;
        a->ok = r->ok;
        a->was_there = gate_find(g, node, &m);
        str_copy(a->text, sizeof(a->text), r->text);
}

static int command(World *w, MemberOrder order, usec_t deadline, Answer *a)
{
        *a = (Answer){.world = w};
        return gate_command(w->gate, "workernode", order, "10min", deadline, on_answer, a);
}

static void test_command(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char large[2 * MEMBER_ANSWER_MAX];
        Answer a, b;
        World w;

        member(&w, &i);
        assert_int_equal(command(&w, MEMBER_ORDER_STOP, 0, &a), -ENOENT);
        l = link_as(&w, &i, "b1");
        assert_int_equal(member_link_done(l, 1, true, ""), -ENOTCONN);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(command(&w, MEMBER_ORDER_DRAIN, 0, &a), 0);
        assert_int_equal(command(&w, MEMBER_ORDER_STOP, 0, &b), -EBUSY);
        WAIT(&w, w.commands == 1);
        assert_int_equal(w.command.order, MEMBER_ORDER_DRAIN);
        assert_string_equal(w.command.argument, "10min");
        /* the answer to another one is none */
        assert_int_equal(member_link_done(l, w.command.number + 1, true, "x"), 0);
        assert_int_equal(member_link_done(l, w.command.number, true, "drained"), 0);
        WAIT(&w, a.n == 1);
        assert_int_equal(a.end, GATE_COMMAND_DONE);
        assert_true(a.ok && a.was_there);
        assert_string_equal(a.text, "drained");
        /* a long answer is cut, not refused */
        assert_int_equal(command(&w, MEMBER_ORDER_PROBE, 0, &a), 0);
        WAIT(&w, w.commands == 2);
        memset(large, 'x', sizeof(large));
        large[sizeof(large) - 1] = 0;
        assert_int_equal(member_link_done(l, w.command.number, false, large), 0);
        WAIT(&w, a.n == 1);
        assert_false(a.ok);
        assert_int_equal(strlen(a.text), MEMBER_ANSWER_MAX - 1);
        world_done(&w);
}

static void test_command_without_answer(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        Answer a;
        World w;

        member(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(command(&w, MEMBER_ORDER_START, BEAT, &a), 0);
        WAIT(&w, a.n == 1);
        assert_int_equal(a.end, GATE_COMMAND_LATE);
        assert_true(a.was_there);
        assert_int_equal(w.lost, 0);
        /* the place is free again; then the machine goes away */
        assert_int_equal(command(&w, MEMBER_ORDER_START, 0, &a), 0);
        l = member_link_free(l);
        WAIT(&w, a.n == 1);
        assert_int_equal(a.end, GATE_COMMAND_LOST);
        assert_false(a.was_there);
        assert_int_equal(w.lost, 1);
        /* a gate that is freed has no answers any more, and says so */
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 2);
        assert_int_equal(command(&w, MEMBER_ORDER_START, 0, &a), 0);
        w.gate = gate_free(w.gate);
        assert_int_equal(a.n, 1);
        assert_int_equal(a.end, GATE_COMMAND_LOST);
        world_done(&w);
}

static void test_events(void **state)
{
        static const char id[] = "00112233445566778899aabbccddeeff";
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        Answer a;
        World w;

        member(&w, &i);
        l = link_as(&w, &i, "b1");
        assert_int_equal(member_link_event(l, id, "x", 1), -ENOTCONN);
        WAIT(&w, w.welcomes == 1);
        for (unsigned k = 0; k < GATE_EVENTS + 5; k++)
                assert_int_equal(
                        member_link_event(l, id, "the engine \x1b[1mfailed", w.m.now - DAY), 0);
        /* all of them were seen when this is answered */
        assert_int_equal(command(&w, MEMBER_ORDER_PROBE, 0, &a), 0);
        WAIT(&w, w.commands == 1);
        assert_int_equal(member_link_done(l, w.command.number, true, ""), 0);
        WAIT(&w, a.n == 1);
        assert_int_equal(w.events, GATE_EVENTS);
        assert_string_equal(w.event_told.message_id, id);
        assert_string_equal(w.event_told.text, "the engine ?[1mfailed");
        assert_true(w.event_told.time == w.m.now - DAY); /* not when it was told */
        assert_int_equal(w.dropped, 0);
        assert_int_equal(w.lost, 0);
        world_done(&w);
}

static void test_leave(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        Answer a;
        MemberRow row;
        World w;

        member(&w, &i);
        l = link_as(&w, &i, "b1");
        assert_int_equal(member_link_leave(l), -ENOTCONN);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(command(&w, MEMBER_ORDER_STOP, 0, &a), 0);
        assert_int_equal(member_link_leave(l), 0);
        WAIT(&w, w.link_left == 1);
        assert_int_equal(w.left, 1);
        assert_int_equal(w.lost + w.losses, 0);
        assert_int_equal(a.end, GATE_COMMAND_LOST);
        assert_int_equal(gate_count(w.gate), 0);
        assert_false(member_link_is_joined(l));
        /* to forget it is for whoever owns the gate */
        assert_int_equal(roster_find_node(w.m.db, "workernode", &row), 1);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_command),
                cmocka_unit_test(test_command_without_answer),
                cmocka_unit_test(test_events),
                cmocka_unit_test(test_leave),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
