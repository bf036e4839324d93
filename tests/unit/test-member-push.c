/* What a head has to tell all its members, and a member of the first version. */
#include "gate-world.h"

#include <signal.h>

static void test_settings(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        static char large[MEMBER_SETTINGS_MAX - GATE_SETTINGS_EACH + 1];
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

/* The group of the token that a machine came with is a setting of that machine alone. */
static void test_group(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        MemberRow row;
        World w;

        member(&w, &i);
        assert_int_equal(roster_find_name(w.m.db, "w1", &row), 1);
        strcpy(row.group, "gpu");
        assert_int_equal(roster_put(w.m.db, &row), 0);
        assert_int_equal(gate_set_settings(w.gate, "a: {\n};\n"), 0);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 1);
        assert_string_equal(w.order, "SW");
        assert_string_equal(w.settings_text, "a: {\n};\nnode: {\n    group = \"gpu\";\n};\n");

        /* what is no name stays where it is */
        l = member_link_free(l);
        strcpy(row.group, "g\"; };");
        assert_int_equal(roster_put(w.m.db, &row), 0);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 2);
        assert_string_equal(w.settings_text, "a: {\n};\n");
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

/* --- a head of the first version */

typedef struct OldHead {
        World *world;
        Stream *stream;
        Buf in;
} OldHead;

static void head_says(OldHead *o, const MemberMessage *m)
{
        _cleanup_buf_ Buf out = {0};
        assert_int_equal(member_encode(&out, m), 0);
        assert_int_equal(stream_write(o->stream, buf_data(&out), buf_size(&out)), 0);
}

static void on_head_connected(Stream *s, void *userdata)
{
        MemberMessage hello = {.kind = MEMBER_HELLO, .hello = {.version = 1, .oldest = 1}};
        head_says(userdata, &hello);
}

static void on_head_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        MemberMessage welcome = {.kind = MEMBER_WELCOME,
                                 .welcome = {.cluster = "lab1", .beat = USEC_PER_MIN}};
        OldHead *o = userdata;
        MemberFrame f;

        assert_int_equal(buf_append(&o->in, data, size), 0);
        while (member_frame_parse(buf_data(&o->in), buf_size(&o->in), MEMBER_FRAME_MAX, &f) > 0) {
                _cleanup_member_message_ MemberMessage m = {0};
                assert_int_equal(member_decode(f.body, f.body_size, &m), 0);
                buf_consume(&o->in, f.size);
                if (m.kind == MEMBER_FACTS)
                        head_says(o, &welcome);
                else
                        assert_int_equal(m.kind, MEMBER_HELLO); /* nothing that it would not know */
        }
}

static void on_head_closed(Stream *s, int error, void *userdata)
{
}

static void old_head_init(OldHead *o, World *w, int listening)
{
        static const StreamOps ops = {.on_connected = on_head_connected,
                                      .on_data = on_head_data,
                                      .on_closed = on_head_closed};
        const TlsLinkPolicy policy = {.server = true};
        TlsLink *tls = NULL;
        int fd = -1;

        *o = (OldHead){.world = w, .in = {.limit = 2 * MEMBER_FRAME_MAX}};
        WAIT(w, (fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
        assert_int_equal(tls_link_new(authority_party(w->m.authority), &policy, &tls), 0);
        assert_int_equal(stream_new_fd(w->event, fd, &ops, o, &o->stream), 0);
        stream_set_layer(o->stream, &tls_link_layer, tls);
}

static void old_head_done(OldHead *o)
{
        stream_free(o->stream);
        buf_done(&o->in);
}

static void test_old_head(void **state)
{
        static const char id[] = "00112233445566778899aabbccddeeff";
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_(join_freep) Join *j = NULL;
        _cleanup_identity_ Identity i = {0};
        MemberFacts facts = {.name = "w1"};
        char path[64], anew[80];
        OldHead o;
        World w;

        member(&w, &i);
        path_of(&w, path);
        int fd = listen_on(&w.at);
        MemberLinkPolicy p = {.head = w.at, .facts = &facts, .identity = path};
        assert_int_equal(member_link_new(w.event, &p, &link_ops, &w, &l), 0);
        old_head_init(&o, &w, fd);
        WAIT(&w, w.welcomes == 1);
        assert_int_equal(member_link_event(l, id, "x", 1), -EOPNOTSUPP);
        assert_int_equal(member_link_done(l, 1, true, "x"), -EOPNOTSUPP);
        assert_int_equal(member_link_leave(l), -EOPNOTSUPP);
        assert_true(member_link_is_joined(l));
        l = member_link_free(l);
        old_head_done(&o);
        /* and one that cannot be asked without a token says so */
        (void)snprintf(anew, sizeof(anew), "%s/anew.pem", w.m.dir);
        JoinPolicy jp = {.head = w.at, .path = anew, .node = "n2", .name = "w2"};
        assert_int_equal(join_new(w.event, &jp, on_join, &w, &j), 0);
        w.join_over = false;
        old_head_init(&o, &w, fd);
        WAIT(&w, w.join_over);
        assert_int_equal(w.join.end, JOIN_REFUSED);
        assert_non_null(strstr(w.join.text, "machines with a token only"));
        old_head_done(&o);
        safe_close(fd);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_settings),  cmocka_unit_test(test_group),
                cmocka_unit_test(test_ray_token), cmocka_unit_test(test_old_member),
                cmocka_unit_test(test_old_head),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
