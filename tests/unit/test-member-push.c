/* What a head has to tell all its members, and a member of the first version. */
#include "gate-world.h"

#include <signal.h>

#include "wire/member-frame.h"

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

/* --- a member that knows the first version only: its Hello has no bits */

typedef struct Old {
        World *world;
        Stream *stream;
        Buf in;
        unsigned kinds[_MEMBER_KIND_MAX];
        bool down;
} Old;

static void say(Old *o, const MemberMessage *m)
{
        _cleanup_buf_ Buf out = {0};
        assert_int_equal(member_encode(&out, m), 0);
        assert_int_equal(stream_write(o->stream, buf_data(&out), buf_size(&out)), 0);
}

static void on_connected(Stream *s, void *userdata)
{
        Old *o = userdata;
        MemberMessage hello = {.kind = MEMBER_HELLO, .hello = {.version = 1, .oldest = 1}};
        MemberMessage facts = {.kind = MEMBER_FACTS, .facts = {.name = "w1", .boot_id = "b1"}};

        say(o, &hello);
        say(o, &facts);
}

static void on_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        Old *o = userdata;
        MemberFrame f;

        assert_int_equal(buf_append(&o->in, data, size), 0);
        while (member_frame_parse(buf_data(&o->in), buf_size(&o->in), MEMBER_FRAME_MAX, &f) > 0) {
                _cleanup_member_message_ MemberMessage m = {0};
                assert_int_equal(member_decode(f.body, f.body_size, &m), 0);
                o->kinds[m.kind]++;
                buf_consume(&o->in, f.size);
        }
}

static void on_closed(Stream *s, int error, void *userdata)
{
        ((Old *)userdata)->down = true;
}

static void old_init(Old *o, World *w, const Identity *i)
{
        static const StreamOps ops = {
                .on_connected = on_connected, .on_data = on_data, .on_closed = on_closed};
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        const TlsLinkPolicy policy = {0};
        TlsLink *tls = NULL;

        *o = (Old){.world = w, .in = {.limit = 2 * MEMBER_FRAME_MAX}};
        assert_int_equal(identity_party(i, &party), 0);
        assert_int_equal(tls_link_new(party, &policy, &tls), 0);
        assert_int_equal(stream_connect(w->event, &w->at, &ops, o, &o->stream), 0);
        stream_set_layer(o->stream, &tls_link_layer, tls);
}

static void old_done(Old *o)
{
        stream_free(o->stream);
        buf_done(&o->in);
}

static void test_old_member(void **state)
{
        _cleanup_identity_ Identity i = {0};
        MemberMessage beat = {.kind = MEMBER_BEAT, .beat = {.number = 1}};
        World w;
        Old o;

        member(&w, &i);
        assert_int_equal(gate_set_settings(w.gate, "a = 1;\n"), 0);
        old_init(&o, &w, &i);
        WAIT(&w, o.kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(gate_set_settings(w.gate, "a = 2;\n"), 0);
        assert_int_equal(gate_set_ray_token(w.gate, "another"), 0);
        WAIT(&w, o.kinds[MEMBER_WELCOME] == 2);
        say(&o, &beat);
        WAIT(&w, o.kinds[MEMBER_BEAT] == 1);
        assert_int_equal(o.kinds[MEMBER_SETTINGS] + o.kinds[MEMBER_UNKNOWN], 0);
        assert_false(o.down);
        old_done(&o);
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
