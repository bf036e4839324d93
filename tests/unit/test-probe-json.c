/* A report read back: what a probe writes is taken, and the first thing wrong with any other is
 * named. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "wire/probe-json.h"

/* One member of a good report in another's place; NULL: left out. */
static char *report(const char *key, const char *value)
{
        static const char *const members[][2] = {
                {"schema", "1"},
                {"at", "\"2026-11-23T14:03:22.123Z\""},
                {"verdict", "\"REJECTED_AT_HEAD\""},
                {"code", "40"},
                {"confidence", "\"proven\""},
                {"direction", "\"out\""},
                {"where", "{\"ip\": \"10.77.2.2\", \"role\": \"head\"}"},
                {"sentence", "\"the firewall of head 10.77.2.2 rejects port 6379\""},
                {"because", "null"},
                {"hint", "\"on 10.77.2.2: …\""},
                {"address", "\"10.77.2.2\""},
                {"port", "6379"},
                {"facts", "[\"address=10.77.2.2\", \"source=10.77.1.2\"]"},
                {"ports", "null"},
        };
        char *text = strdup("{");
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                const char *v = key && streq(members[i][0], key) ? value : members[i][1];
                if (!v)
                        continue;
                char *more = str_printf("%s%s\"%s\": %s", text, streq(text, "{") ? "" : ", ",
                                        members[i][0], v);
                free(text);
                text = more;
        }
        char *all = str_printf("%s}", text);
        free(text);
        return all;
}

static void test_good(void **state)
{
        _cleanup_free_ char *text = report(NULL, NULL), *error = NULL;
        _cleanup_probe_json_ ProbeJson p = {0};
        char addr[ADDR_MAX];

        if (probe_json_parse(text, strlen(text), &p, &error) < 0)
                fail_msg("%s", error);
        assert_int_equal(p.verdict, VERDICT_REJECTED_AT_HEAD);
        assert_int_equal(p.confidence, PROBE_PROVEN);
        assert_int_equal(p.direction, PROBE_DIRECTION_OUT);
        assert_int_equal(p.place, PROBE_PLACE_HEAD);
        assert_string_equal(addr_format(addr, &p.where), "10.77.2.2");
        assert_string_equal(addr_format(addr, &p.source), "10.77.1.2");
        assert_int_equal(p.port, 6379);
        assert_string_equal(p.at, "2026-11-23T14:03:22.123Z");
}

/* What may be null, or of another kind. */
static void test_allowed(void **state)
{
        static const struct {
                const char *key, *value;
        } rows[] = {
                {"where", "{\"ip\": null, \"role\": null}"},
                {"address", "null"},
                {"address", "\"fe80::1%a-link-of-another-machine\""},
                {"facts", "[]"},
                {"because", "[1, 2]"}, /* not used */
                {"hint", NULL},
                {"ports", NULL}, /* of an older release */
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *text = report(rows[i].key, rows[i].value), *error = NULL;
                _cleanup_probe_json_ ProbeJson p = {0};
                if (probe_json_parse(text, strlen(text), &p, &error) < 0)
                        fail_msg("row %zu: %s", i, error);
        }
}

static void test_wrong(void **state)
{
        char longer[PROBE_JSON_TEXT_MAX + 8];
        memset(longer, 'x', sizeof(longer) - 1);
        longer[0] = longer[sizeof(longer) - 2] = '"';
        longer[sizeof(longer) - 1] = '\0';
        const struct {
                const char *key, *value, *names;
        } rows[] = {
                {"schema", NULL, "schema: "},
                {"schema", "2", "schema: is 2"},
                {"schema", "\"1\"", "schema: "},
                {"verdict", NULL, "verdict: "},
                {"verdict", "\"SHRUG\"", "verdict: SHRUG"},
                {"verdict", "7", "verdict: "},
                {"code", "41", "code: is 41"},
                {"ports", "{\"forward\": []}", "ports: is there"},
                {"code", "4.5", "code: "},
                {"code", NULL, "code: "},
                {"confidence", "\"sure\"", "confidence: sure"},
                {"confidence", "\"inconclusive\"", "confidence: inconclusive does not go with"},
                {"direction", "null", "direction: "},
                {"direction", "\"up\"", "direction: up"},
                {"where", NULL, "where.ip: "},
                {"where", "{\"ip\": \"10.77\", \"role\": \"head\"}", "where.ip: 10.77"},
                {"where", "{\"ip\": null, \"role\": \"king\"}", "where.role: king"},
                {"where", "{\"ip\": null}", "where.role: "},
                {"sentence", "\"\"", "sentence: "},
                {"sentence", "null", "sentence: "},
                {"sentence", "\"two\\nlines\"", "sentence: is not one printable line"},
                {"sentence", "\"\\u001b[31mred\"", "sentence: is not one printable line"},
                {"sentence", longer, "sentence: is longer than"},
                {"address", "\"compute04\"", "address: compute04"},
                {"address", "7", "address: "},
                {"port", "0", "port: "},
                {"port", "65536", "port: "},
                {"port", NULL, "port: "},
                {"at", "\"yesterday\"", "at: yesterday"},
                {"at", "null", "at: "},
                {"facts", "null", "facts: "},
                {"facts", "{}", "facts: "},
                {"facts", "[1]", "facts[0]: "},
                {"facts", "[\"a=b\", \"c\"]", "facts[1]: "},
                {"facts", "[\"source=here\"]", "facts[0]: here"},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *text = report(rows[i].key, rows[i].value), *error = NULL;
                ProbeJson p;
                int r = probe_json_parse(text, strlen(text), &p, &error);
                if (r != -EBADMSG || !error || !startswith(error, rows[i].names))
                        fail_msg("row %zu: %d, %s", i, r, strna(error));
        }
}

/* No report at all. */
static void test_strange(void **state)
{
        static const char *const texts[] = {
                "",         "{",
                "[]",       "[1]",
                "null",     "1",
                "{} {}",    "{\"schema\": 1, \"schema\": 1}",
                "\xff\xfe", "{\"schema\": 1e400}",
        };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_free_ char *error = NULL;
                ProbeJson p;
                assert_int_equal(probe_json_parse(texts[i], strlen(texts[i]), &p, &error),
                                 -EBADMSG);
                assert_non_null(error);
        }
        size_t size = PROBE_JSON_MAX + 1;
        _cleanup_free_ char *big = malloc(size), *error = NULL;
        ProbeJson p;
        memset(big, ' ', size);
        assert_int_equal(probe_json_parse(big, size, &p, &error), -EBADMSG);
        assert_non_null(strstr(error, "larger"));
}

/* What is foreign in a complaint is cut and escaped. */
static void test_complaint(void **state)
{
        _cleanup_free_ char *text = report("verdict", "\"\\u001b]0;owned\\u0007\""), *error = NULL;
        ProbeJson p;
        assert_int_equal(probe_json_parse(text, strlen(text), &p, &error), -EBADMSG);
        for (const char *c = error; *c; c++)
                assert_true(*c >= ' ' && *c < 127);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),      cmocka_unit_test(test_allowed),
                cmocka_unit_test(test_wrong),     cmocka_unit_test(test_strange),
                cmocka_unit_test(test_complaint),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
