/* Who speaks, from its first bytes. */
#include "test.h"

#include "probe/service.h"

#define B(s) (const uint8_t *)(s), sizeof(s) - 1

/* as a gRPC core server sends it: SETTINGS with 0xfe03 among the ids */
#define GRPC_SETTINGS                                                                              \
        "\0\0\x18\4\0\0\0\0\0"                                                                     \
        "\0\4\0\x3f\0\0"                                                                           \
        "\0\5\0\x3f\0\0"                                                                           \
        "\0\6\0\0\x40\0"                                                                           \
        "\xfe\3\0\0\0\1"

static void test_kinds(void **state)
{
        assert_int_equal(service_identify(B(GRPC_SETTINGS), false), SERVICE_GRPC);
        assert_int_equal(service_identify(B("\0\0\6\4\0\0\0\0\0\0\4\0\0\xff\xff"), false),
                         SERVICE_HTTP2);
        assert_int_equal(service_identify(B("\0\0\0\4\0\0\0\0\0"), false), SERVICE_HTTP2);
        assert_int_equal(service_identify(B("HTTP/1.1 400 Bad Request\r\n"), false), SERVICE_HTTP1);
        assert_int_equal(service_identify(B("SSH-2.0-OpenSSH_9.2p1\r\n"), false), SERVICE_SSH);
        assert_int_equal(service_identify(B("-ERR unknown command 'PRI', with args"), false),
                         SERVICE_REDIS);
        assert_int_equal(service_identify(B("-DENIED Redis is running in protected mode"), false),
                         SERVICE_REDIS);
        assert_int_equal(service_identify(B("\x15\3\1\0\2\2\x28"), false), SERVICE_TLS);
        assert_int_equal(service_identify(B("\x16\3\3\0\x7a\2\0"), false), SERVICE_TLS);
        assert_int_equal(service_identify(B("220 mail ready\r\n"), false), SERVICE_OTHER);
        assert_int_equal(service_identify(B("\0\0\4\4\0\0\0\0\0abcd"), false), SERVICE_OTHER);
        assert_int_equal(service_identify(B("\0\0\6\4\0\0\0\0\1\0\4\0\0\xff\xff"), false),
                         SERVICE_OTHER);
        assert_int_equal(service_identify(B(""), true), SERVICE_CLOSED);
}

/* Whatever the pieces it comes in: never a wrong name on the way, and the right one at the end. */
static void test_pieces(void **state)
{
        static const uint8_t settings[] = GRPC_SETTINGS;
        for (size_t n = 0; n < sizeof(settings) - 1; n++) {
                ServiceKind k = service_identify(settings, n, false);
                assert_true(k == SERVICE_UNKNOWN || k == SERVICE_GRPC);
        }
        static const char ssh[] = "SSH-2.0-x";
        for (size_t n = 0; n < 4; n++)
                assert_int_equal(service_identify((const uint8_t *)ssh, n, false), SERVICE_UNKNOWN);
        /* cut off in between it may have been anything that begins so */
        assert_int_equal(service_identify(settings, 12, true), SERVICE_UNKNOWN);
        assert_int_equal(service_identify((const uint8_t *)ssh, 2, true), SERVICE_UNKNOWN);
}

static void test_names(void **state)
{
        for (ServiceKind k = 0; k < _SERVICE_KIND_MAX; k++) {
                assert_non_null(service_kind_to_string(k));
                assert_int_equal(service_kind_from_string(service_kind_to_string(k)), k);
        }
}

static void test_greetings(void **state)
{
        size_t n;
        assert_non_null(greeting_bytes(GREETING_HTTP2, &n));
        assert_int_equal(n, 33);
        const uint8_t *tls = greeting_bytes(GREETING_TLS, &n);
        assert_int_equal(n, 5 + (tls[3] << 8 | tls[4]));
        assert_int_equal(n, 9 + (tls[6] << 16 | tls[7] << 8 | tls[8]));
        assert_memory_equal(greeting_bytes(GREETING_HTTP1, &n), "GET / HTTP/1.1\r\n", 16);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_greetings),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
