/* The line that enrols a machine: there and back, what a slip is called, and that no sentence tells
 * the secret. */
#include "test.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base32.h"
#include "base/crc32.h"
#include "base/str.h"
#include "model/join-token.h"

/* Made by other programs than ours, of the bytes that some() has. */
#define PIN_1  "amfbcga7eywtio2cjfifoxtfnrzxvamir6lj3jflwk44br6o2xoa"
#define PIN_2  "zdsqehz4lf3jhmgn5idsiqk6pomlluxpbquumy4atw5np5arfzfq"
#define ID     "k3x7abcz"
#define SECRET "cfdhxmhfdjhyjopoenmi3qxxfrqznsya"
static const char one[] = "rc1-" PIN_1 "-" ID "-" SECRET "3t6ewbq";
static const char two[] = "rc1-" PIN_1 "." PIN_2 "-" ID "-" SECRET "iq3ubtq";

static JoinToken some(size_t n_pins)
{
        JoinToken t = {.n_pins = n_pins, .id = ID};
        for (unsigned i = 0; i < JOIN_PIN_SIZE; i++) {
                t.pins[0][i] = (uint8_t)(i * 7 + 3);
                if (n_pins > 1)
                        t.pins[1][i] = (uint8_t)(i * 29 + 200);
        }
        for (unsigned i = 0; i < JOIN_SECRET_SIZE; i++)
                t.secret[i] = (uint8_t)(i * 53 + 17);
        return t;
}

static void assert_same(const JoinToken *a, const JoinToken *b)
{
        assert_int_equal(a->n_pins, b->n_pins);
        assert_memory_equal(a->pins, b->pins, sizeof(a->pins[0]) * a->n_pins);
        assert_string_equal(a->id, b->id);
        assert_memory_equal(a->secret, b->secret, sizeof(a->secret));
}

static void accepted(const char *s, const JoinToken *want)
{
        JoinToken t;
        char *error = NULL;

        if (join_token_parse(s, &t, &error) < 0)
                fail_msg("%s: %s", s, strna(error));
        assert_null(error);
        assert_same(&t, want);
}

/* Any three letters of the secret or its checksum would be too many. */
static void check_words(const char *error)
{
        for (size_t k = 0; k < 2; k++) {
                const char *secret = strrchr(k ? two : one, '-') + 1;
                for (size_t i = 0; secret[i + 2]; i++) {
                        char part[] = {secret[i], secret[i + 1], secret[i + 2], 0};
                        if (strcasestr(error, part))
                                fail_msg("has \"%s\" of the secret: %s", part, error);
                }
        }
        for (const char *p = error; *p; p++)
                if (!isprint((unsigned char)*p))
                        fail_msg("not for a terminal: %s", error);
        if (!strstr(error, ": ") || endswith(error, "."))
                fail_msg("does not say what to do, or ends with a full stop: %s", error);
}

/* Caller frees. */
static char *refused(const char *s)
{
        JoinToken t = {.n_pins = 77};
        char *error = NULL;

        if (join_token_parse(s, &t, &error) != -EINVAL)
                fail_msg("was taken: %s", s);
        assert_int_equal(t.n_pins, 77);
        assert_non_null(error);
        check_words(error);
        return error;
}

/* words: what the sentence has to say */
static void refused_as(const char *s, const char *words)
{
        _cleanup_free_ char *error = refused(s);
        if (!strstr(error, words))
                fail_msg("%s: not \"%s\": %s", s, words, error);
}

static void test_round(void **state)
{
        for (size_t n = 1; n <= JOIN_PINS_MAX; n++) {
                JoinToken t = some(n);
                _cleanup_free_ char *s = NULL;
                assert_int_equal(join_token_format(&t, &s), 0);
                assert_string_equal(s, n == 1 ? one : two);
                assert_true(strlen(s) < JOIN_TOKEN_MAX);
                accepted(s, &t);
        }
        assert_int_equal(strlen(two), JOIN_TOKEN_MAX - 1);
}

/* Every bit of a token comes back where it was. */
static void test_bits(void **state)
{
        for (unsigned i = 0; i < JOIN_PIN_SIZE * 8; i++) {
                JoinToken t = {.n_pins = 2, .id = "abcdefgh"};
                t.pins[0][i / 8] = t.pins[1][31 - i / 8] = (uint8_t)(1 << i % 8);
                t.secret[i / 8 % JOIN_SECRET_SIZE] = (uint8_t)(1 << i % 8);
                _cleanup_free_ char *s = NULL;
                assert_int_equal(join_token_format(&t, &s), 0);
                accepted(s, &t);
        }
}

static void test_not_formatted(void **state)
{
        static const char *const ids[] = {"", "k3x7abc", "K3X7ABCZ", "k3x7abc1", "k3x7-bcz"};
        char *s = NULL;

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                JoinToken t = some(1);
                strcpy(t.id, ids[i]);
                assert_int_equal(join_token_format(&t, &s), -EINVAL);
        }
        JoinToken t = some(1);
        memset(t.id, 'a', sizeof(t.id)); /* no NUL */
        assert_int_equal(join_token_format(&t, &s), -EINVAL);
        t = some(0);
        assert_int_equal(join_token_format(&t, &s), -EINVAL);
        t = some(1);
        t.n_pins = JOIN_PINS_MAX + 1;
        assert_int_equal(join_token_format(&t, &s), -EINVAL);
        assert_null(s);
        join_token_forget(&t);
        for (size_t i = 0; i < JOIN_SECRET_SIZE; i++)
                assert_int_equal(t.secret[i], 0);
}

static void test_tolerance(void **state)
{
        JoinToken t = some(1);
        char upper[sizeof(one)];

        for (size_t i = 0; i < sizeof(one); i++)
                upper[i] = (char)toupper((unsigned char)one[i]);
        accepted(upper, &t);
        for (size_t i = 0; i < sizeof(one); i += 2)
                upper[i] = one[i];
        accepted(upper, &t);
        _cleanup_free_ char *s = str_printf(" \t\r\n%s \v\f\r\n", one);
        accepted(s, &t);
}

/* Whatever one character becomes, but the same in the other case, the token is refused. */
static void test_every_change(void **state)
{
        for (size_t k = 0; k < 2; k++) {
                _cleanup_free_ char *s = strdup(k ? two : one);
                for (size_t i = 0; s[i]; i++) {
                        char was = s[i];
                        for (int c = 1; c < 256; c++) {
                                if (tolower(c) == was)
                                        continue;
                                s[i] = (char)c;
                                free(refused(s));
                        }
                        s[i] = was;
                }
        }
}

/* So it is when one is left out, is there twice, or has changed places with the next. */
static void test_every_slip(void **state)
{
        for (size_t k = 0; k < 2; k++) {
                const char *token = k ? two : one;
                for (size_t i = 0; token[i]; i++) {
                        int n = (int)i;
                        _cleanup_free_ char *less = str_printf("%.*s%s", n, token, token + i + 1);
                        free(refused(less));
                        _cleanup_free_ char *more = str_printf("%.*s%s", n + 1, token, token + i);
                        free(refused(more));
                        if (!token[i + 1] || token[i] == token[i + 1])
                                continue;
                        _cleanup_free_ char *swap = str_printf("%.*s%c%c%s", n, token, token[i + 1],
                                                               token[i], token + i + 2);
                        free(refused(swap));
                }
        }
}

/* Cut at the end it says how much is there; at the front it is no token any more. */
static void test_every_cut(void **state)
{
        for (size_t k = 0; k < 2; k++) {
                const char *token = k ? two : one;
                size_t n = strlen(token), both = strlen("rc1-" PIN_1);
                for (size_t i = 1; i < n; i++) {
                        _cleanup_free_ char *s = strndup(token, i);
                        _cleanup_free_ char *words =
                                str_printf("is cut off after %zu of %zu characters: ", i,
                                           i > both ? n : sizeof(one) - 1);
                        refused_as(s, words);
                        _cleanup_free_ char *line = str_printf("  %s\n", s);
                        refused_as(line, words);
                        refused_as(token + i, "is no token of raycluster");
                }
        }
}

static void test_prefix(void **state)
{
        refused_as("", "is empty");
        refused_as(" \n\t", "is empty");
        refused_as("rc2-" PIN_1 "-" ID "-" SECRET, "is of version 2 and");
        refused_as("RC17-0189_!", "is of version 17 and");
        static const char *const others[] = {"rc0-" PIN_1,
                                             "rc01-" PIN_1,
                                             "rc1000-" PIN_1,
                                             "rc-" PIN_1,
                                             "rcl-" PIN_1,
                                             "rc2",
                                             "rc1x",
                                             "rc1.",
                                             "rd1-",
                                             "x",
                                             "K10abc::server:0123",
                                             "ray join rc1-",
                                             "\"rc1-",
                                             "\xef\xbb\xbfrc1-"};
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                refused_as(others[i],
                           "is no token of raycluster, which begins with rc1-: copy all of it");
}

static void test_characters(void **state)
{
        refused_as("rc1-" PIN_1 "-" ID "-\n" SECRET "3t6ewbq",
                   "has a line break as its character 67:");
        refused_as("rc1-" PIN_1 "-" ID "-\r\n" SECRET "3t6ewbq", "has a line break as its char");
        refused_as(" \trc1-" PIN_1 " -" ID "-" SECRET "3t6ewbq",
                   "has a blank as its character 57:");
        refused_as("rc1-" PIN_1 "-\t" ID "-" SECRET "3t6ewbq", "has a tab as its character 58:");
        refused_as("rc1-" PIN_1 "-" ID "-" SECRET "3t6ewb0", "has \"0\" as its character 105,");
        refused_as("rc1-1" PIN_1, "has \"1\" as its character 5,");
        refused_as("rc1-%n%s" PIN_1, "has \"%\" as its character 5,");
        refused_as("rc1-" PIN_1 "\xe2\x80\x93" ID, "has the byte 0xe2 as its character 57,");
        refused_as("rc1\xe2\x80\x93" PIN_1, "has the byte 0xe2 as its character 4,");
        refused_as("rc1 -" PIN_1, "has a blank as its character 4:");
        refused_as("rc1-\x1b[31m", "has the byte 0x1b as its character 5,");
        refused_as("rc1-" PIN_1 "-k3.7abcz-" SECRET "3t6ewbq", "has a dot as its character 60,");
        refused_as("rc1-" PIN_1 "-" ID "." SECRET "-3t6ewbq", "has a dot as its character 66,");
}

static void test_parts(void **state)
{
        refused_as("rc1-" PIN_1 "-" SECRET "3t6ewbq", "has 3 parts");
        refused_as("rc1-" ID "-" SECRET "3t6ewbq", "has 3 parts");
        refused_as("rc1-" PIN_1 "-" ID SECRET "3t6ewbq", "has 3 parts");
        refused_as("rc1-" PIN_1 "-" PIN_2 "-" ID "-" SECRET "3t6ewbq", "has 5 parts");
        refused_as("rc1-" PIN_1 "-" ID "-" SECRET "-3t6ewbq", "has 5 parts");
        refused_as("rc1-" PIN_1 "-" ID "-" SECRET "3t6ewbq-", "has 5 parts");
        refused_as("rc1---", "the pin in the token has 0 characters and needs 52:");
        refused_as("rc1-" PIN_1 "aa-" ID "-" SECRET "3t6ewbq", "the pin in the token has 54 char");
        refused_as("rc1-" PIN_1 ".-" ID "-" SECRET "3t6ewbq", "the pin in the token has 0 char");
        refused_as("rc1-." PIN_1 "-" ID "-" SECRET "3t6ewbq", "the pin in the token has 0 char");
        refused_as("rc1-" PIN_1 "." PIN_2 "." PIN_1 "-" ID "-" SECRET "3t6ewbq",
                   "has 3 pins and may have 2:");
        refused_as("rc1-" PIN_1 "-k3x7abc-" SECRET "3t6ewbq", "the id in the token has 7 char");
        refused_as("rc1-" PIN_1 "--" SECRET "3t6ewbq", "the id in the token has 0 char");
        refused_as("rc1-" PIN_1 "-" ID "-" SECRET "3t6ewbqa",
                   "the secret with its checksum in the token has 40 characters and needs 39:");
}

/* s has no checksum yet; caller frees. */
static char *with_sum(const char *s)
{
        uint32_t crc = crc32_of(s, strlen(s));
        uint8_t bytes[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                           (uint8_t)crc};
        _cleanup_free_ char *sum = base32_encode(bytes, sizeof(bytes));
        return str_printf("%s%s", s, sum);
}

static void test_checksum(void **state)
{
        refused_as("rc1-" PIN_2 "-" ID "-" SECRET "3t6ewbq", "does not agree with its checksum");
        refused_as("rc1-" PIN_1 "-k3x7abca-" SECRET "3t6ewbq", "does not agree with its checksum");
        refused_as("rc1-" PIN_1 "-" ID "-" SECRET "3t6ewba", "does not agree with its checksum");
        /* spare bits, in the checksum and, with a checksum that fits, in either pin */
        refused_as("rc1-" PIN_1 "-" ID "-" SECRET "3t6ewbr", "does not agree with its checksum");
        _cleanup_free_ char *fits = with_sum("rc1-" PIN_1 "-" ID "-" SECRET);
        assert_string_equal(fits, one);
        char pins[] = "rc1-" PIN_1 "." PIN_2 "-" ID "-" SECRET;
        for (size_t at = strlen("rc1-" PIN_1) - 1; at < 110; at += sizeof(PIN_1)) {
                char was = pins[at];
                pins[at]++;
                _cleanup_free_ char *s = with_sum(pins);
                refused_as(s, "has a pin that is none");
                pins[at] = was;
        }
}

/* The sentence is the same whatever the letters of the secret and the checksum are. */
static void test_secret(void **state)
{
        _cleanup_free_ char *s = strdup(one), *other = strdup(one);
        size_t secret = (size_t)(strrchr(one, '-') + 1 - one), n = strlen(one);

        for (size_t i = secret; i < n; i++)
                other[i] = BASE32_ALPHABET[i % 32];
        for (size_t i = 0; i < n; i++)
                for (int c = 1; c < 256; c++) {
                        if (tolower(c) == one[i] || (i >= secret && isalnum(c)))
                                continue;
                        s[i] = other[i] = (char)c;
                        _cleanup_free_ char *a = refused(s), *b = refused(other);
                        assert_string_equal(a, b);
                        s[i] = one[i];
                        other[i] = i >= secret ? BASE32_ALPHABET[i % 32] : one[i];
                }
}

/* A text of any length is refused, and in time. */
static void test_long(void **state)
{
        size_t n = (size_t)1 << 20;
        _cleanup_free_ char *s = malloc(n + 1);
        static const char fill[] = "a-. \n";

        for (const char *f = fill; *f; f++) {
                memset(s, *f, n);
                s[n] = 0;
                free(refused(s));
                memcpy(s, "rc1-", 4);
                _cleanup_free_ char *error = refused(s);
                assert_true(strlen(error) < 160);
                memcpy(s, one, sizeof(one) - 1);
                if (*f == ' ' || *f == '\n') {
                        JoinToken t = some(1);
                        accepted(s, &t);
                } else
                        free(refused(s));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round),         cmocka_unit_test(test_bits),
                cmocka_unit_test(test_not_formatted), cmocka_unit_test(test_tolerance),
                cmocka_unit_test(test_every_change),  cmocka_unit_test(test_every_slip),
                cmocka_unit_test(test_every_cut),     cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_characters),    cmocka_unit_test(test_parts),
                cmocka_unit_test(test_checksum),      cmocka_unit_test(test_secret),
                cmocka_unit_test(test_long),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
