/* What a head has to tell all its members, and a member of the first version. */
#include "gate-world.h"

#include <signal.h>

static void test_settings(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        static char large[MEMBER_SETTINGS_MAX + 1];
        World w;

        member(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 1);
        assert_string_equal(w.order, "W");
        /* the same again is nothing new */
        assert_int_equal(gate_set_settings(w.gate, "a = 1;\n"), 0);
        assert_int_equal(gate_set_settings(w.gate, "a = 1;\n"), 0);
        WAIT(&w, w.settings == 1);
        assert_int_equal(w.settings_size, 7);
        memset(large, 'x', sizeof(large) - 1);
        assert_int_equal(gate_set_settings(w.gate, large), -EINVAL);
        assert_int_equal(gate_set_settings(w.gate, "\x1b"), -EINVAL);
        large[sizeof(large) - 2] = 0;
        assert_int_equal(gate_set_settings(w.gate, large), 0);
        WAIT(&w, w.settings == 2);
        assert_int_equal(w.settings_size, sizeof(large) - 2);
        assert_string_equal(w.order, "WSS");
        /* who comes has them before it is welcome */
        l = member_link_free(l);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 2);
        assert_string_equal(w.order, "WSSSW");
        assert_true(member_link_is_joined(l));
        world_done(&w);
}

static void test_ray_token(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char large[MEMBER_TOKEN_MAX + 1];
        World w;

        member(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 1);
        assert_string_equal(w.token, "ray's token");
        assert_int_equal(gate_set_ray_token(w.gate, "ray's token"), 0);
        assert_int_equal(gate_set_ray_token(w.gate, "another"), 0);
        WAIT(&w, w.welcomes == 2);
        assert_string_equal(w.token, "another");
        memset(large, 'x', sizeof(large));
        large[sizeof(large) - 1] = 0;
        assert_int_equal(gate_set_ray_token(w.gate, large), -EINVAL);
        assert_int_equal(gate_set_ray_token(w.gate, NULL), 0);
        WAIT(&w, w.welcomes == 3);
        assert_string_equal(w.token, "");
        assert_int_equal(w.losses, 0);
        world_done(&w);
}

/* Its Hello has no bits. */
static void test_old_member(void **state)
{
        _cleanup_identity_ Identity i = {0};
        MemberMessage facts = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b1"}};
        MemberMessage beat = {.kind = MEMBER_BEAT, .beat = {.number = 1}};
        World w;
        Raw o;

        member(&w, &i);
        assert_int_equal(gate_set_settings(w.gate, "a = 1;\n"), 0);
        raw_init(&o, &w, &i, "127.0.0.1", &facts);
        WAIT(&w, o.kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(gate_set_settings(w.gate, "a = 2;\n"), 0);
        assert_int_equal(gate_set_ray_token(w.gate, "another"), 0);
        WAIT(&w, o.kinds[MEMBER_WELCOME] == 2);
        raw_say(&o, &beat);
        WAIT(&w, o.kinds[MEMBER_BEAT] == 1);
        assert_int_equal(o.kinds[MEMBER_SETTINGS] + o.kinds[MEMBER_UNKNOWN], 0);
        assert_false(o.down);
        raw_done(&o);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_settings),
                cmocka_unit_test(test_ray_token),
                cmocka_unit_test(test_old_member),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
