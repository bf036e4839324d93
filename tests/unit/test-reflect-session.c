/* A conversation sealed by a code: who knows it is understood, and nobody else; nothing can be
 * replayed, reordered, changed or sent back. And the MAC under it. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/hex.h"
#include "reflect/session.h"
#include "sys/mac.h"

static const ReflectCode code = {.secret = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, .port = 6388};

typedef struct Pair {
        Session server, client;
        Buf to_server, to_client;
} Pair;

static void pair_done(Pair *p)
{
        session_done(&p->server);
        session_done(&p->client);
        buf_done(&p->to_server);
        buf_done(&p->to_client);
}

static SessionEvent next(Session *s, Buf *in)
{
        SessionWord w;
        assert_int_equal(session_next(s, in, &w), 0);
        return w.event;
}

static int error_of(Session *s, Buf *in)
{
        SessionWord w;
        return session_next(s, in, &w);
}

static void greet(Pair *p, const ReflectCode *other)
{
        *p = (Pair){0};
        assert_int_equal(session_init(&p->server, SESSION_SERVER, &code), 0);
        assert_int_equal(session_init(&p->client, SESSION_CLIENT, other), 0);
        assert_int_equal(session_hello(&p->server, &p->to_client), 0);
        assert_int_equal(session_hello(&p->client, &p->to_server), 0);
        assert_int_equal(next(&p->client, &p->to_client), SESSION_HELLO);
        assert_int_equal(next(&p->server, &p->to_server), SESSION_HELLO);
        assert_int_equal(next(&p->server, &p->to_server), SESSION_MORE);
}

static void say(Session *s, Buf *out, const char *text)
{
        assert_int_equal(session_seal(s, out, text, strlen(text)), 0);
}

static void hear(Session *s, Buf *in, const char *text)
{
        SessionWord w;

        assert_int_equal(session_next(s, in, &w), 0);
        assert_int_equal(w.event, SESSION_BODY);
        assert_int_equal(w.body_size, strlen(text));
        assert_memory_equal(w.body, text, w.body_size);
}

static void test_hmac(void **state)
{
        /* RFC 4231, test case 2, in two parts */
        const struct iovec parts[] = {{(void *)"what do ya want ", 16},
                                      {(void *)"for nothing?", 12}};
        uint8_t mac[MAC_SIZE], want[MAC_SIZE];

        assert_int_equal(
                hex_decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", want,
                           sizeof(want)),
                0);
        assert_int_equal(mac_hmac_sha256("Jefe", 4, parts, 2, mac), 0);
        assert_memory_equal(mac, want, sizeof(want));
        assert_true(mac_equal(mac, want, sizeof(want)));
        want[31] ^= 1;
        assert_false(mac_equal(mac, want, sizeof(want)));
        mac_forget(mac, sizeof(mac));
        assert_int_equal(mac[0] | mac[31], 0);

        uint8_t a[32] = {0}, b[32] = {0};
        assert_int_equal(random_bytes(a, sizeof(a)), 0);
        assert_int_equal(random_bytes(b, sizeof(b)), 0);
        assert_memory_not_equal(a, b, sizeof(a));
}

static void test_talk(void **state)
{
        _cleanup_(pair_done) Pair p;

        greet(&p, &code);
        assert_false(p.server.proven);
        say(&p.client, &p.to_server, "one");
        say(&p.client, &p.to_server, "");
        hear(&p.server, &p.to_server, "one");
        assert_true(p.server.proven);
        hear(&p.server, &p.to_server, "");
        say(&p.server, &p.to_client, "answer");
        hear(&p.client, &p.to_client, "answer");
        /* the port is where to go, no part of the secret */
        ReflectCode elsewhere = code;
        elsewhere.port = 7000;
        pair_done(&p);
        greet(&p, &elsewhere);
        say(&p.client, &p.to_server, "one");
        hear(&p.server, &p.to_server, "one");

        /* the code never travels */
        pair_done(&p);
        greet(&p, &code);
        say(&p.client, &p.to_server, "x");
        assert_null(memmem(buf_data(&p.to_server), buf_size(&p.to_server), code.secret,
                           sizeof(code.secret)));
}

static void test_wrong_code(void **state)
{
        _cleanup_(pair_done) Pair p;
        ReflectCode wrong = code;

        wrong.secret[9] ^= 1;
        greet(&p, &wrong);
        say(&p.client, &p.to_server, "one");
        assert_int_equal(error_of(&p.server, &p.to_server), -EACCES);
        assert_false(p.server.proven);
        /* and the other way round: who does not know the code cannot answer either */
        say(&p.server, &p.to_client, "one");
        assert_int_equal(error_of(&p.client, &p.to_client), -EACCES);
}

static void test_tampered(void **state)
{
        _cleanup_buf_ Buf clean = {0};
        _cleanup_(pair_done) Pair p;

        greet(&p, &code);
        say(&p.client, &clean, "body");
        /* every single byte behind length and kind */
        for (size_t i = 5; i < buf_size(&clean); i++) {
                Session server = p.server;
                _cleanup_buf_ Buf b = {0};
                assert_int_equal(buf_append(&b, buf_data(&clean), buf_size(&clean)), 0);
                b.data[i] ^= 0x10;
                assert_int_equal(error_of(&server, &b), -EACCES);
        }
        hear(&p.server, &clean, "body");
}

static void test_replay(void **state)
{
        _cleanup_buf_ Buf first = {0}, again = {0}, second = {0};
        _cleanup_(pair_done) Pair p, q;

        /* in the same conversation */
        greet(&p, &code);
        say(&p.client, &first, "one");
        say(&p.client, &second, "two");
        assert_int_equal(buf_append(&again, buf_data(&first), buf_size(&first)), 0);
        Session server = p.server;
        assert_int_equal(error_of(&server, &second), -EBADMSG); /* out of turn */
        hear(&p.server, &first, "one");
        assert_int_equal(error_of(&p.server, &again), -EBADMSG);

        /* in another one */
        greet(&q, &code);
        assert_int_equal(error_of(&q.server, &again), -EACCES);

        /* to whom it came from */
        say(&q.client, &q.to_server, "mine");
        assert_int_equal(error_of(&q.client, &q.to_server), -EACCES);
}

static void test_out_of_turn(void **state)
{
        _cleanup_(pair_done) Pair p;
        SessionWord w;

        /* sealed before greeted */
        greet(&p, &code);
        Session fresh;
        assert_int_equal(session_init(&fresh, SESSION_SERVER, &code), 0);
        assert_int_equal(session_seal(&fresh, &p.to_client, "x", 1), -EBADMSG);
        say(&p.client, &p.to_server, "one");
        assert_int_equal(error_of(&fresh, &p.to_server), -EBADMSG);

        /* greeted twice */
        buf_done(&p.to_server);
        assert_int_equal(session_hello(&p.client, &p.to_server), 0);
        assert_int_equal(error_of(&p.server, &p.to_server), -EBADMSG);

        /* greeted with our own words */
        _cleanup_buf_ Buf echo = {0};
        assert_int_equal(session_hello(&fresh, &echo), 0);
        assert_int_equal(error_of(&fresh, &echo), -EBADMSG);

        /* another version */
        _cleanup_buf_ Buf later = {0};
        assert_int_equal(session_hello(&p.client, &later), 0);
        later.data[4 + 1 + 8 + 1] = 9;
        assert_int_equal(error_of(&fresh, &later), -EPROTONOSUPPORT);

        /* bye is heard at any time */
        _cleanup_buf_ Buf bye = {0};
        assert_int_equal(reflect_frame_bye(&bye, REFLECT_BYE_CODE), 0);
        assert_int_equal(session_next(&fresh, &bye, &w), 0);
        assert_int_equal(w.event, SESSION_BYE);
        assert_int_equal(w.bye, REFLECT_BYE_CODE);

        /* too long */
        _cleanup_buf_ Buf huge = {0};
        assert_int_equal(buf_append(&huge, "\x7f\xff\xff\xff", 4), 0);
        assert_int_equal(error_of(&fresh, &huge), -EMSGSIZE);
        session_done(&fresh);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hmac),       cmocka_unit_test(test_talk),
                cmocka_unit_test(test_wrong_code), cmocka_unit_test(test_tampered),
                cmocka_unit_test(test_replay),     cmocka_unit_test(test_out_of_turn),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
