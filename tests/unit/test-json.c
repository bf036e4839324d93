/* wire/json: what we read of Ray's KV store, and what we print. */
#include "test.h"

#include <errno.h>
#include <math.h>

#include "base/str.h"
#include "wire/json.h"

static void test_metadata(void **state)
{
        static const char text[] = "{\"ray_version\": \"2.60.0\", \"python_version\": \"3.11.7\", "
                                   "\"ray_init_cluster\": false, \"n\": 3}";
        _cleanup_json_ Json *j = NULL;
        int64_t n;
        bool b = true;

        assert_int_equal(json_parse(text, strlen(text), &j), 0);
        assert_string_equal(json_get_str(j, "ray_version"), "2.60.0");
        assert_string_equal(json_get_str(j, "python_version"), "3.11.7");
        assert_null(json_get_str(j, "ray_init_cluster"));
        assert_null(json_get_str(j, "nothing"));
        assert_int_equal(json_get_bool(j, "ray_init_cluster", &b), 0);
        assert_false(b);
        assert_int_equal(json_get_int(j, "n", &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(json_get_int(j, "ray_version", &n), -ENOENT);
}

static void test_refused(void **state)
{
        Json *j = NULL;
        static char deep[100000];

        assert_int_equal(json_parse("", 0, &j), -EBADMSG);
        assert_int_equal(json_parse("{", 1, &j), -EBADMSG);
        assert_int_equal(json_parse("{\"a\":1,\"a\":2}", 13, &j), -EBADMSG);
        assert_int_equal(json_parse("\"\xff\"", 3, &j), -EBADMSG);
        assert_int_equal(json_parse("", JSON_BYTES_MAX + 1, &j), -E2BIG);
        memset(deep, '[', sizeof(deep));
        assert_int_equal(json_parse(deep, sizeof(deep), &j), -EBADMSG);
        assert_null(j);
}

static void test_format(void **state)
{
        _cleanup_json_ Json *j = json_object_new();
        Json *a = json_array_new();

        assert_int_equal(json_set_str(j, "z", "first"), 0);
        assert_int_equal(json_set_str(j, "bad", "a\xff"), 0);
        assert_int_equal(json_set_str(j, "none", NULL), 0);
        assert_int_equal(json_set_real(j, "r", 0.5), 0);
        assert_int_equal(json_set_real(j, "nan", NAN), 0);
        assert_int_equal(json_set_bool(j, "b", true), 0);
        assert_int_equal(json_push_str(a, "x"), 0);
        assert_int_equal(json_set(j, "a", a), 0);
        assert_int_equal(json_set(j, "oom", NULL), -ENOMEM);
        _cleanup_free_ char *s = json_format(j, false);
        assert_string_equal(s, "{\"z\":\"first\",\"bad\":\"a\\\\xff\",\"none\":null,\"r\":0.5,"
                               "\"nan\":null,\"b\":true,\"a\":[\"x\"]}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_metadata),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_format),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
