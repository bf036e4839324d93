/* The frames of an HTTP/2 answer, counted. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "wire/h2-scan.h"

static const uint8_t answer[] = {
        0, 0, 6, 4, 0, 0, 0, 0, 0, 0xfe, 3,   0,   0, 0, 1,       /* SETTINGS, gRPC core's */
        0, 0, 4, 8, 0, 0, 0, 0, 0, 0,    0,   1,   0,             /* WINDOW_UPDATE */
        0, 0, 8, 6, 0, 0, 0, 0, 0, 1,    2,   3,   4, 5, 6, 7, 8, /* a PING of its own */
        0, 0, 8, 6, 1, 0, 0, 0, 0, 1,    2,   3,   4, 5, 6, 7, 8, /* ours, acknowledged */
        0, 0, 2, 1, 4, 0, 0, 0, 1, 0x88, 0,                       /* HEADERS */
        0, 0, 3, 0, 0, 0, 0, 0, 1, 'a',  'b', 'c',                /* DATA */
        0, 0, 1, 1, 5, 0, 0, 0, 1, 0,                             /* trailers, END_STREAM */
        0, 0, 8, 7, 0, 0, 0, 0, 0, 0,    0,   0,   0, 0, 0, 0, 0, /* GOAWAY */
};

static void test_whole(void **state)
{
        H2Scan s = {0};
        assert_int_equal(h2_scan(&s, answer, sizeof(answer)), 0);
        assert_true(s.greeted && s.pong && s.stream_ended && s.going);
        assert_int_equal(s.received, sizeof(answer));
}

/* What is known depends on whole frames only, whatever the pieces. */
static void test_pieces(void **state)
{
        H2Scan s = {0};
        for (size_t i = 0; i < sizeof(answer); i++) {
                assert_int_equal(h2_scan(&s, answer + i, 1), 0);
                assert_int_equal(s.greeted, i >= 14);
                assert_int_equal(s.pong, i >= 61);
                assert_int_equal(s.stream_ended, i >= 94);
                assert_int_equal(s.going, i == sizeof(answer) - 1);
        }
}

static void test_refused(void **state)
{
        H2Scan s = {0};
        const uint8_t ping_first[] = {0, 0, 8, 6, 1, 0, 0, 0, 0};
        assert_int_equal(h2_scan(&s, ping_first, sizeof(ping_first)), -EPROTO);
        s = (H2Scan){0};
        assert_int_equal(h2_scan(&s, (const uint8_t *)"HTTP/1.1 400", 12), -EPROTO);
        s = (H2Scan){.greeted = true};
        const uint8_t huge[] = {0, 0x40, 1, 0, 0, 0, 0, 0, 1};
        assert_int_equal(h2_scan(&s, huge, sizeof(huge)), -EPROTO);
        s = (H2Scan){.greeted = true};
        const uint8_t largest[] = {0, 0x40, 0, 0, 1, 0, 0, 0, 1};
        assert_int_equal(h2_scan(&s, largest, sizeof(largest)), 0);
        assert_false(s.stream_ended); /* 16 KiB are to come */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whole),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
