/* Two versions that have none in common: each side ends the connection for itself, and a machine
 * says what to do about it. */
#include "gate-world.h"

#include <signal.h>

/* One end of a connection that says one Hello, a member's end its facts, too; what comes is kept.
 */
typedef struct End {
        World *world;
        MemberHello hello;
        Stream *stream;
        sd_event_source *listener;
        Buf in;
        bool is_member, down;
} End;

static const MemberHello too_new = {.version = MEMBER_VERSION + 7, .oldest = MEMBER_VERSION + 1};
#if MEMBER_OLDEST > 1 /* before the first there is none */
static const MemberHello too_old = {.version = MEMBER_OLDEST - 1, .oldest = MEMBER_OLDEST - 1};
#endif
/* Newer than we are, and one that still speaks ours. */
static const MemberHello newer = {.version = MEMBER_VERSION + 1, .oldest = MEMBER_VERSION};

static void on_end_connected(Stream *s, void *userdata)
{
        End *o = userdata;
        const MemberMessage m = {.kind = MEMBER_HELLO, .hello = o->hello};
        const MemberMessage facts = {.kind = MEMBER_FACTS, .facts = {.name = "w1"}};
        _cleanup_buf_ Buf out = {0};

        assert_int_equal(member_encode(&out, &m), 0);
        if (o->is_member)
                assert_int_equal(member_encode(&out, &facts), 0);
        assert_int_equal(stream_write(s, buf_data(&out), buf_size(&out)), 0);
}

static void on_end_data(Stream *s, const uint8_t *data, size_t size, void *userdata)
{
        End *o = userdata;
        assert_int_equal(buf_append(&o->in, data, size), 0);
}

static void on_end_closed(Stream *s, int error, void *userdata)
{
        ((End *)userdata)->down = true;
}

static void end_begin(End *o, int fd, TlsParty *party, bool server)
{
        static const StreamOps ops = {.on_connected = on_end_connected,
                                      .on_data = on_end_data,
                                      .on_closed = on_end_closed};
        const TlsLinkPolicy policy = {.server = server};
        TlsLink *tls = NULL;

        assert_true(fcntl(fd, F_SETFL, O_NONBLOCK) >= 0);
        assert_int_equal(tls_link_new(party, &policy, &tls), 0);
        assert_int_equal(stream_new_fd(o->world->event, fd, &ops, o, &o->stream), 0);
        stream_set_layer(o->stream, &tls_link_layer, tls);
}

static void end_done(End *o)
{
        sd_event_source_disable_unref(o->listener);
        stream_free(o->stream);
        buf_done(&o->in);
}

/* As the member of i. */
static void end_dial(End *o, World *w, const Identity *i, const MemberHello *hello)
{
        _cleanup_(tls_party_unrefp) TlsParty *party = NULL;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        SockAddr sa;
        socklen_t len = addr_to_sockaddr(&w->at, &sa);

        *o = (End){
                .world = w, .hello = *hello, .in = {.limit = MEMBER_FRAME_MAX}, .is_member = true};
        assert_int_equal(connect(fd, &sa.sa, len), 0);
        assert_int_equal(identity_party(i, &party), 0);
        end_begin(o, fd, party, false);
}

static int on_listener(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        End *o = userdata;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        assert_true(client >= 0);
        o->listener = sd_event_source_disable_unref(o->listener);
        end_begin(o, client, authority_party(o->world->m.authority), true);
        return 0;
}

/* As the head. */
static void end_serve(End *o, World *w, const MemberHello *hello, Addr *ret)
{
        *o = (End){.world = w, .hello = *hello, .in = {.limit = MEMBER_FRAME_MAX}};
        int fd = listen_on(ret);
        assert_true(sd_event_add_io(w->event, &o->listener, fd, EPOLLIN, on_listener, o) >= 0);
        assert_int_equal(sd_event_source_set_io_fd_own(o->listener, true), 0);
}

static bool end_heard(const End *o, MemberKind kind)
{
        MemberFrame f;

        for (size_t n = 0; member_frame_parse(buf_data(&o->in) + n, buf_size(&o->in) - n,
                                              MEMBER_FRAME_MAX, &f) > 0;
             n += f.size) {
                _cleanup_member_message_ MemberMessage m = {0};
                assert_int_equal(member_decode(f.body, f.body_size, &m), 0);
                if (m.kind == kind)
                        return true;
        }
        return false;
}

/* All that came is one message, a Hello. */
static void check_hello_alone(const End *o)
{
        _cleanup_member_message_ MemberMessage m = {0};
        MemberFrame f;

        assert_int_equal(
                member_frame_parse(buf_data(&o->in), buf_size(&o->in), MEMBER_FRAME_MAX, &f), 1);
        assert_int_equal(member_decode(f.body, f.body_size, &m), 0);
        assert_int_equal(m.kind, MEMBER_HELLO);
        assert_int_equal(m.hello.version, MEMBER_VERSION);
        assert_int_equal(m.hello.oldest, MEMBER_OLDEST);
        assert_int_equal(f.size, buf_size(&o->in));
}

/* The head says its Hello, by which the machine knows why, and hangs up. */
static void head_refuses(const MemberHello *hello)
{
        _cleanup_identity_ Identity i = {0};
        World w;
        End o;

        member(&w, &i);
        WAIT(&w, gate_strangers(w.gate) == 0);
        end_dial(&o, &w, &i, hello);
        WAIT(&w, o.down || w.came == 1);
        assert_int_equal(w.came, 0);
        check_hello_alone(&o);
        WAIT(&w, gate_strangers(w.gate) == 0);
        end_done(&o);
        world_done(&w);
}

static void test_head_refuses_newer(void **state)
{
        head_refuses(&too_new);
}

#if MEMBER_OLDEST > 1
static void test_head_refuses_older(void **state)
{
        head_refuses(&too_old);
}
#endif

/* Nothing of a token is shown to it, and no facts. */
static void machine_refuses(const MemberHello *hello)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char to[ADDR_PORT_MAX];
        JoinToken t;
        World w;
        End o, p;
        Addr at;

        member(&w, &i);
        t = token_of(&w, "abcdefgh");
        end_serve(&o, &w, hello, &at);
        join_at(&w, &t, &at);
        _cleanup_free_ char *want = str_printf("the head at %s speaks another version: install the "
                                               "same raycluster on both",
                                               addr_format_port(to, &at));
        assert_string_equal(w.join.text, want);
        assert_int_equal(w.join.end, JOIN_UNREACHABLE);
        WAIT(&w, o.down);
        check_hello_alone(&o);
        end_done(&o);

        end_serve(&p, &w, hello, &w.at);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.losses == 1 && p.down);
        assert_string_equal(w.why, "the head speaks another version");
        check_hello_alone(&p);
        end_done(&p);
        world_done(&w);
}

static void test_machine_refuses_newer(void **state)
{
        machine_refuses(&too_new);
}

#if MEMBER_OLDEST > 1
static void test_machine_refuses_older(void **state)
{
        machine_refuses(&too_old);
}
#endif

/* A version in common is enough, either way. */
static void test_newer_is_taken(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        World w;
        End o, p;

        member(&w, &i);
        end_dial(&o, &w, &i, &newer);
        WAIT(&w, w.came == 1);
        end_serve(&p, &w, &newer, &w.at);
        l = link_as(&w, &i, "b1");
        WAIT(&w, end_heard(&p, MEMBER_FACTS));
        assert_int_equal(w.losses, 0);
        end_done(&o);
        end_done(&p);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_head_refuses_newer),
                cmocka_unit_test(test_machine_refuses_newer),
                cmocka_unit_test(test_newer_is_taken),
#if MEMBER_OLDEST > 1
                cmocka_unit_test(test_head_refuses_older),
                cmocka_unit_test(test_machine_refuses_older),
#endif
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
