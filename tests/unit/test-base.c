/* base/: strings, time, sizes, addresses, buffers, codings, files. */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/backoff.h"
#include "base/base32.h"
#include "base/buf.h"
#include "base/crc32.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/ratelimit.h"
#include "base/str.h"
#include "base/strv.h"

static void test_distance(void **state)
{
        static const char *const list[] = {"head", "name", "dashboard", NULL};

        assert_int_equal(str_distance("", "abc"), 3);
        assert_int_equal(str_distance("kitten", "sitting"), 3);
        assert_int_equal(str_distance("haed", "head"), 1);
        assert_string_equal(str_nearest("haed", list), "head");
        assert_string_equal(str_nearest("dashbord", list), "dashboard");
        assert_null(str_nearest("xyz", list));
}

static void test_name(void **state)
{
        assert_true(str_is_name("a", 1));
        assert_true(str_is_name("gpu-2.x_Y", 9));
        assert_false(str_is_name("gpu-2.x_Y", 8));
        for (const char *const *s =
                     (const char *const[]){"", "-a", "a.", "a b", "a\"", "\xc3\xa4", NULL};
             *s; s++)
                assert_false(str_is_name(*s, 63));
}

static void test_escape(void **state)
{
        _cleanup_free_ char *s = str_escape("a\033[0m\\b", 8, 100);
        assert_string_equal(s, "a\\x1b[0m\\x5cb\\x00");
        _cleanup_free_ char *cut = str_escape("abcdef", 6, 3);
        assert_string_equal(cut, "abc...");
}

static void test_strv(void **state)
{
        _cleanup_strv_free_ char **l = NULL;
        assert_int_equal(strv_split(" a, b ,c,", " ,", &l), 0);
        assert_int_equal(strv_length(l), 3);
        _cleanup_free_ char *j = strv_join(l, "|");
        assert_string_equal(j, "a|b|c");
        assert_true(strv_contains(l, "b"));
        _cleanup_strv_free_ char **c = strv_copy(l);
        assert_true(strv_equal(l, c));
        assert_int_equal(strv_extendf(&c, "%d", 7), 0);
        assert_false(strv_equal(l, c));
}

static void test_duration(void **state)
{
        usec_t t;
        char buf[DURATION_MAX];

        assert_int_equal(parse_duration("4s", &t), 0);
        assert_int_equal(t, 4 * USEC_PER_SEC);
        assert_int_equal(parse_duration("1min 30s", &t), 0);
        assert_int_equal(t, 90 * USEC_PER_SEC);
        assert_int_equal(parse_duration("250 ms", &t), 0);
        assert_int_equal(t, 250 * USEC_PER_MSEC);
        assert_int_equal(parse_duration("4", &t), -EINVAL);
        assert_int_equal(parse_duration("", &t), -EINVAL);
        assert_int_equal(parse_duration("-4s", &t), -EINVAL);
        assert_int_equal(parse_duration("99999999999999999d", &t), -ERANGE);
        assert_int_equal(parse_duration("99999999999999999999999s", &t), -ERANGE);
        assert_string_equal(format_duration(buf, 90 * USEC_PER_SEC), "1min 30s");
        assert_string_equal(format_duration(buf, 1250 * USEC_PER_MSEC), "1.250s");
        assert_string_equal(format_duration(buf, 3 * USEC_PER_MSEC), "3ms");
        assert_string_equal(format_duration(buf, 0), "0");
}

static void test_sizes(void **state)
{
        uint64_t n;
        uint16_t a, b;
        char buf[SIZE_STR_MAX];

        assert_int_equal(parse_size("8GiB", &n), 0);
        assert_int_equal(n, 8ULL << 30);
        assert_int_equal(parse_size("1GB", &n), 0);
        assert_int_equal(n, 1000000000);
        assert_int_equal(parse_size("8", &n), -EINVAL);
        assert_int_equal(parse_size("999999999TiB", &n), -ERANGE);
        assert_string_equal(format_size(buf, 7ULL << 29), "3.5GiB");
        assert_string_equal(format_size(buf, 512), "512B");
        assert_int_equal(parse_port("0", &a), -ERANGE);
        assert_int_equal(parse_port("65536", &a), -ERANGE);
        assert_int_equal(parse_port("6379", &a), 0);
        assert_int_equal(parse_port_range("10002-19999", &a, &b), 0);
        assert_int_equal(a, 10002);
        assert_int_equal(b, 19999);
        assert_int_equal(parse_port_range("5-4", &a, &b), -ERANGE);
        assert_int_equal(parse_port_range("5", &a, &b), -EINVAL);
}

static void test_addr(void **state)
{
        Addr a;
        char buf[ADDR_PORT_MAX];

        assert_int_equal(addr_parse("10.77.0.1", &a), 0);
        a.port = 6379;
        assert_string_equal(addr_format_port(buf, &a), "10.77.0.1:6379");
        assert_true(addr_is_usable(&a));
        assert_int_equal(addr_parse("127.0.1.1", &a), 0);
        assert_true(addr_is_loopback(&a));
        assert_int_equal(addr_parse("[2001:db8::1]", &a), 0);
        a.port = 1;
        assert_string_equal(addr_format_port(buf, &a), "[2001:db8::1]:1");
        assert_int_equal(addr_parse("fe80::1%lo", &a), 0);
        assert_string_equal(addr_format(buf, &a), "fe80::1%lo");
        assert_false(addr_is_usable(&a));
        assert_int_equal(addr_parse("::ffff:127.0.0.1", &a), 0);
        assert_true(addr_is_loopback(&a));
        assert_int_equal(addr_parse("compute04", &a), -EINVAL);
        assert_int_equal(addr_parse("", &a), -EINVAL);
        assert_int_equal(addr_parse("fe80::1%nosuchif", &a), -ENODEV);

        SockAddr s;
        Addr back;
        assert_int_equal(addr_parse("10.0.0.9", &a), 0);
        a.port = 7;
        socklen_t len = addr_to_sockaddr(&a, &s);
        assert_int_equal(addr_from_sockaddr(&s.sa, len, &back), 0);
        assert_true(addr_equal(&a, &back));
        assert_int_equal(back.port, 7);
}

static void test_buf(void **state)
{
        _cleanup_buf_ Buf b = {.limit = 1000};
        uint8_t block[300] = {1};

        for (int i = 0; i < 3; i++)
                assert_int_equal(buf_append(&b, block, sizeof(block)), 0);
        assert_int_equal(buf_append(&b, block, sizeof(block)), -EMSGSIZE);
        buf_consume(&b, 600);
        assert_int_equal(buf_append(&b, block, sizeof(block)), 0);
        assert_int_equal(buf_size(&b), 600);
        assert_int_equal(buf_data(&b)[0], 1);
}

static void test_hex(void **state)
{
        uint8_t out[3];
        _cleanup_free_ char *s = hex_encode("\x00\xab\xff", 3);
        assert_string_equal(s, "00abff");
        assert_int_equal(hex_decode("00ABff", out, 3), 0);
        assert_memory_equal(out, "\x00\xab\xff", 3);
        assert_int_equal(hex_decode("00ab", out, 3), -EINVAL);
        assert_int_equal(hex_decode("00abfg", out, 3), -EINVAL);
}

/* The vectors of RFC 4648, section 10. */
static void test_base32(void **state)
{
        static const char *const text[] = {"",        "my",       "mzxq",      "mzxw6",
                                           "mzxw6yq", "mzxw6ytb", "mzxw6ytboi"};
        uint8_t out[8];

        for (size_t n = 0; n < ELEMENTSOF(text); n++) {
                _cleanup_free_ char *s = base32_encode("foobar", n);
                assert_string_equal(s, text[n]);
                assert_int_equal(strlen(s), BASE32_LENGTH(n));
                assert_int_equal(base32_decode(s, strlen(s), out, n), 0);
                assert_memory_equal(out, "foobar", n);
        }
        assert_int_equal(base32_decode("MZxW6YTBOI", 10, out, 6), 0);
        assert_memory_equal(out, "foobar", 6);
        assert_int_equal(base32_decode("my", 2, out, 2), -EINVAL);
        assert_int_equal(base32_decode("mya", 3, out, 1), -EINVAL);
        static const char *const foreign[] = {"m1", "m8", "m-", "m=", "m\xe4"};
        for (size_t i = 0; i < ELEMENTSOF(foreign); i++)
                assert_int_equal(base32_decode(foreign[i], 2, out, 1), -EINVAL);
}

/* Of the characters that could stand last, only the one without spare bits is taken. */
static void test_base32_spare(void **state)
{
        uint8_t out[8];

        for (size_t n = 1; n < 8; n++) {
                _cleanup_free_ char *s = base32_encode("\xff\xfe\xfd\xfc\xfb\xfa\xf9", n);
                size_t len = strlen(s), taken = 0;
                for (const char *c = BASE32_ALPHABET; *c; c++) {
                        s[len - 1] = *c;
                        taken += base32_decode(s, len, out, n) == 0;
                }
                assert_int_equal(taken, 32 >> (len * 5 - n * 8));
        }
}

static void test_crc32(void **state)
{
        assert_int_equal(crc32_of("123456789", 9), 0xcbf43926);
        assert_int_equal(crc32_of("", 0), 0);
        assert_int_equal(crc32_of("\0", 1), 0xd202ef8d);
}

static void test_backoff(void **state)
{
        Backoff b = {.base = USEC_PER_SEC, .max = 8 * USEC_PER_SEC};
        usec_t least[] = {750, 1500, 3000, 6000, 6000}, most[] = {1250, 2500, 5000, 10000, 10000};

        for (size_t i = 0; i < ELEMENTSOF(least); i++) {
                usec_t t = backoff_next(&b);
                assert_in_range(t, least[i] * USEC_PER_MSEC, most[i] * USEC_PER_MSEC);
        }
        backoff_reset(&b);
        assert_in_range(backoff_next(&b), 750 * USEC_PER_MSEC, 1250 * USEC_PER_MSEC);
}

static void test_ratelimit(void **state)
{
        RateLimit r = {.interval = 10, .burst = 2};

        assert_true(ratelimit_below(&r, 100));
        assert_true(ratelimit_below(&r, 101));
        assert_false(ratelimit_below(&r, 102));
        assert_int_equal(r.suppressed, 1);
        assert_true(ratelimit_below(&r, 110));
}

static void test_files(void **state)
{
        char dir[] = "/tmp/test-base.XXXXXX";
        struct stat st;

        assert_non_null(mkdtemp(dir));
        _cleanup_free_ char *path = path_join(dir, "f");
        assert_int_equal(write_file_atomic(path, "hello", 5, 0640, (gid_t)-1), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        _cleanup_free_ char *data = NULL;
        size_t size;
        assert_int_equal(read_file(path, 100, &data, &size), 0);
        assert_string_equal(data, "hello");
        assert_int_equal(size, 5);
        char *big = NULL;
        assert_int_equal(read_file(path, 4, &big, NULL), -E2BIG);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
}

static void test_messages(void **state)
{
        for (int i = 0; i < _MSG_MAX; i++) {
                assert_int_equal(strlen(message_id_string((MessageId)i)), 32);
                for (int k = 0; k < i; k++)
                        assert_string_not_equal(message_id_string((MessageId)i),
                                                message_id_string((MessageId)k));
        }
        for (int l = LOG_EMERG; l <= LOG_DEBUG; l++)
                assert_int_equal(log_level_from_string(log_level_to_string(l)), l);
}

static void on_event(MessageId id, const char *text, void *userdata)
{
        unsigned *n = userdata;

        assert_int_equal(id, MSG_BLOCKED);
        assert_string_equal(text, "no room: 7");
        (*n)++;
}

static void test_log_observer(void **state)
{
        unsigned n = 0;

        /* whatever the log is to hear */
        log_set(LOG_TARGET_STDERR, LOG_ERR);
        log_set_observer(on_event, &n);
        log_event(LOG_INFO, MSG_BLOCKED, NULL, "no room: %d", 7);
        log_info("no event");
        assert_int_equal(n, 1);
        log_set_observer(NULL, NULL);
        log_event(LOG_INFO, MSG_BLOCKED, NULL, "no room: %d", 7);
        assert_int_equal(n, 1);
        log_set(LOG_TARGET_AUTO, LOG_INFO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_distance),     cmocka_unit_test(test_name),
                cmocka_unit_test(test_escape),       cmocka_unit_test(test_strv),
                cmocka_unit_test(test_duration),     cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_addr),         cmocka_unit_test(test_buf),
                cmocka_unit_test(test_hex),          cmocka_unit_test(test_base32),
                cmocka_unit_test(test_base32_spare), cmocka_unit_test(test_crc32),
                cmocka_unit_test(test_backoff),      cmocka_unit_test(test_ratelimit),
                cmocka_unit_test(test_files),        cmocka_unit_test(test_messages),
                cmocka_unit_test(test_log_observer),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
