/* The code of a two-way test: there and back, and what a slip is called. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "wire/reflect-code.h"

static const ReflectCode some = {
        .secret = {0x9e, 0x37, 0x79, 0xb9, 0x7f, 0x4a, 0x7c, 0x15, 0xf3, 0x9c},
        .port = REFLECT_PORT_DEFAULT,
};

static CodeError refused(const char *s)
{
        ReflectCode code = {.port = 1};
        CodeError e = {0};
        char text[CODE_ERROR_MAX];

        assert_int_equal(reflect_code_parse(s, &code, &e), -EINVAL);
        assert_int_equal(code.port, 1);
        assert_true(e.mistake > CODE_FINE && e.mistake < _CODE_MISTAKE_MAX);
        assert_true(strlen(reflect_code_error(text, s, &e)) > 5);
        return e;
}

static void accepted(const char *s, const ReflectCode *want)
{
        ReflectCode code;
        CodeError e;

        assert_int_equal(reflect_code_parse(s, &code, &e), 0);
        assert_memory_equal(code.secret, want->secret, sizeof(code.secret));
        assert_int_equal(code.port, want->port);
}

static void test_round(void **state)
{
        char text[REFLECT_CODE_MAX], again[REFLECT_CODE_MAX];
        ReflectCode code = some;

        assert_string_equal(reflect_code_format(text, &code), "KRVQ-KEBZ-99Y1-BWWW-42");
        accepted(text, &code);
        accepted("krvq kebz 99yl bwww 42", &code); /* l for 1 */
        accepted("KRVQKEBZ99YIBWWW42", &code);     /* I for 1 */
        for (unsigned i = 0; i < 80; i++) {
                ReflectCode one = {.port = (uint16_t)(1 + i * 800)};
                one.secret[i / 8] = (uint8_t)(0x80 >> i % 8);
                accepted(reflect_code_format(text, &one), &one);
        }
        memset(code.secret, 0, sizeof(code.secret));
        accepted(reflect_code_format(text, &code), &code);
        assert_string_equal(text, "0000-0000-0000-0000-00");
        accepted("OOOO-oooo-0000-0000-00", &code);
        memset(code.secret, 0xff, sizeof(code.secret));
        code.port = 65535;
        accepted(reflect_code_format(text, &code), &code);
        assert_int_equal(strlen(text), 28);
        assert_string_equal(reflect_code_format(again, &code), text);
}

static void test_port(void **state)
{
        char text[REFLECT_CODE_MAX];
        ReflectCode code = some;

        code.port = 7000;
        assert_string_equal(reflect_code_format(text, &code), "7000-KRVQ-KEBZ-99Y1-BWWW-42");
        accepted(text, &code);
        code.port = 1;
        accepted("1-KRVQ-KEBZ-99Y1-BWWW-42", &code);
        assert_int_equal(refused("0-KRVQ-KEBZ-99Y1-BWWW-42").mistake, CODE_PORT);
        assert_int_equal(refused("65536-KRVQ-KEBZ-99Y1-BWWW-42").mistake, CODE_PORT);
        assert_int_equal(refused("123456789-KRVQ-KEBZ-99Y1-BWWW-42").mistake, CODE_PORT);
        /* digits in front of a whole code, but no port: the code is too long then */
        assert_int_equal(refused("7000KRVQ-KEBZ-99Y1-BWWW-42").mistake, CODE_LONG);
}

static void test_mistakes(void **state)
{
        CodeError e;
        char text[CODE_ERROR_MAX];

        assert_int_equal(refused("").mistake, CODE_EMPTY);
        assert_int_equal(refused(" - -").mistake, CODE_EMPTY);
        e = refused("KRVQ-KEBZ-99Y1-BWW");
        assert_int_equal(e.mistake, CODE_SHORT);
        assert_int_equal(e.n, 15);
        assert_int_equal(refused("KRVQ-KEBZ-99Y1-BWWW-42-A").mistake, CODE_LONG);
        e = refused("KRVQ-KEBZ-99U1-BWWW-42");
        assert_int_equal(e.mistake, CODE_CHARACTER);
        assert_int_equal(e.at, 13);
        assert_string_equal(reflect_code_error(text, "KRVQ-KEBZ-99U1-BWWW-42", &e),
                            "character 13 (U) is in no code; it has letters and digits without U");
        assert_int_equal(refused("KRVQ-KEBZ-99Y1-BWWW-4\x80").at, 22);
        e = refused("KRVQ-KEBZ-99Y1-BWWX-42");
        assert_int_equal(e.mistake, CODE_CHECKSUM);
        assert_int_equal(e.at, 19);
        assert_string_equal(reflect_code_error(text, "KRVQ-KEBZ-99Y1-BWWX-42", &e),
                            "has a slip, perhaps in character 19 (X)");
}

/* Every single slip is found and its place told; so is every swap of two neighbours found. */
static void test_checksum(void **state)
{
        static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        char text[REFLECT_CODE_MAX];

        (void)reflect_code_format(text, &some);
        size_t n = strlen(text);
        for (size_t i = 0; i < n; i++) {
                char was = text[i];
                if (was == '-')
                        continue;
                for (const char *p = letters; *p; p++) {
                        if (*p == was)
                                continue;
                        text[i] = *p;
                        CodeError e = refused(text);
                        assert_int_equal(e.mistake, CODE_CHECKSUM);
                        assert_int_equal(e.at, i + 1);
                }
                text[i] = was;
                size_t next = text[i + 1] == '-' ? i + 2 : i + 1;
                if (next >= n || text[next] == was)
                        continue;
                text[i] = text[next];
                text[next] = was;
                assert_int_equal(refused(text).mistake, CODE_CHECKSUM);
                text[next] = text[i];
                text[i] = was;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round),
                cmocka_unit_test(test_port),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_checksum),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
