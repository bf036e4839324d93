/* wire/txt: a head's TXT record. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "wire/txt.h"

static void test_head(void **state)
{
        const HeadTxt t = {.cluster = "lab1",
                           .id = "0a1b2c",
                           .role = "head",
                           .gcs = 6379,
                           .ray = "2.60.0",
                           .python = "3.11.2",
                           .auth = "off"};
        _cleanup_strv_free_ char **l = NULL, **again = NULL;
        _cleanup_buf_ Buf b = {0};
        HeadTxt u;

        assert_int_equal(head_txt_format(&t, &l), 0);
        assert_string_equal(l[0], "txtvers=1");
        assert_int_equal(txt_encode(l, &b), 0);
        assert_true(buf_size(&b) < TXT_SIZE_MAX);
        assert_int_equal(txt_decode(buf_data(&b), buf_size(&b), &again), 0);
        assert_true(strv_equal(l, again));
        head_txt_parse(again, &u);
        assert_string_equal(u.cluster, "lab1");
        assert_string_equal(u.id, "0a1b2c");
        assert_string_equal(u.ray, "2.60.0");
        assert_string_equal(u.python, "3.11.2");
        assert_string_equal(u.role, "head");
        assert_string_equal(u.auth, "off");
        assert_int_equal(u.gcs, 6379);
}

static void test_foreign(void **state)
{
        _cleanup_strv_free_ char **l = NULL;
        HeadTxt t;

        assert_int_equal(txt_decode("\x02"
                                    "=x\x03GCS\x04"
                                    "a\0=1\x05"
                                    "b=\033[m",
                                    18, &l),
                         0);
        assert_int_equal(strv_length(l), 1);
        assert_string_equal(txt_get(l, "gcs"), "");
        assert_null(txt_get(l, "a"));
        head_txt_parse(l, &t);
        assert_int_equal(t.gcs, 0);
        assert_string_equal(t.cluster, "");

        _cleanup_strv_free_ char **bad = NULL;
        assert_int_equal(txt_decode("\x09txtvers", 8, &bad), -EBADMSG);
        assert_null(bad);
}

static void test_first_counts(void **state)
{
        char *const l[] = {(char *)"Cluster=a", (char *)"cluster=b", (char *)"clusterx=c", NULL};
        assert_string_equal(txt_get(l, "cluster"), "a");
        assert_string_equal(txt_get(l, "clusterx"), "c");
        assert_null(txt_get(l, "clust"));
}

static void test_limits(void **state)
{
        _cleanup_strv_free_ char **l = NULL, **big = NULL;
        _cleanup_buf_ Buf b = {0};
        char s[TXT_STRING_MAX + 2];

        for (int i = 0; i < TXT_ENTRIES_MAX; i++)
                assert_int_equal(txt_accept(&l, "k=v", 3), 1);
        assert_int_equal(txt_accept(&l, "k=v", 3), 0);
        assert_int_equal(strv_length(l), TXT_ENTRIES_MAX);

        memset(s, 'x', sizeof(s) - 1);
        s[sizeof(s) - 1] = 0;
        assert_int_equal(strv_extend(&big, s), 0);
        assert_int_equal(txt_encode(big, &b), -E2BIG);
        big[0][200] = 0;
        assert_int_equal(strv_extend(&big, big[0]), 0);
        assert_int_equal(txt_encode(big, &b), -E2BIG); /* 402 bytes together */
        big[1][190] = 0;
        assert_int_equal(txt_encode(big, &b), 0);
        big[1][0] = '=';
        assert_int_equal(txt_encode(big, &b), -EINVAL);

        char *const odd[] = {s, NULL};
        HeadTxt t;
        memcpy(s, "cluster=", 8);
        head_txt_parse(odd, &t);
        assert_string_equal(t.cluster, ""); /* too long to be one */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_head),
                cmocka_unit_test(test_foreign),
                cmocka_unit_test(test_first_counts),
                cmocka_unit_test(test_limits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
