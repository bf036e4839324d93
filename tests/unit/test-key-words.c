/* A fingerprint as words: which, how many, and that no two words pass for one another. */
#include "test.h"

#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "model/key-words.h"

/* The word of one value of a byte, the first of eight; caller frees. */
static char *word_of(unsigned value)
{
        uint8_t fp[KEY_WORDS_FP_SIZE] = {(uint8_t)value};
        char buf[KEY_WORDS_MAX];

        key_words(fp, buf);
        return strndup(buf, strcspn(buf, " "));
}

static void test_list(void **state)
{
        char *words[256];

        for (unsigned i = 0; i < ELEMENTSOF(words); i++) {
                words[i] = word_of(i);
                size_t n = strlen(words[i]);
                if (n < 3 || n > 6 || strspn(words[i], "abcdefghijklmnopqrstuvwxyz") != n)
                        fail_msg("\"%s\" is not three to six letters", words[i]);
                if (i > 0 && strcmp(words[i - 1], words[i]) >= 0)
                        fail_msg("%s is not behind %s", words[i], words[i - 1]);
                for (unsigned k = 0; k < i; k++)
                        if (str_distance(words[k], words[i]) < 3)
                                fail_msg("%s is too near to %s", words[i], words[k]);
        }
        for (unsigned i = 0; i < ELEMENTSOF(words); i++)
                free(words[i]);
}

/* The words of a fingerprint do not change from one version to the next. */
static void test_words(void **state)
{
        static const uint8_t ascending[KEY_WORDS_FP_SIZE] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
        static const uint8_t some[KEY_WORDS_FP_SIZE] = {0xe3, 0xb0, 0xc4, 0x42, 0x98,
                                                        0xfc, 0x1c, 0x14, 0x9a};
        char buf[KEY_WORDS_MAX];

        assert_ptr_equal(key_words(ascending, buf), buf);
        assert_string_equal(buf, "acorn album alley almond anchor ankle arrow artist");
        assert_string_equal(key_words(some, buf),
                            "timber poppy scout family octave zebra canyon bishop");
}

/* Each of the first eight bytes has its word, and no other byte has a say. */
static void test_places(void **state)
{
        uint8_t fp[KEY_WORDS_FP_SIZE];
        char buf[KEY_WORDS_MAX], again[KEY_WORDS_MAX];

        for (unsigned value = 0; value < 256; value++) {
                memset(fp, 0xff, sizeof(fp));
                for (unsigned i = 0; i < KEY_WORDS_N; i++)
                        fp[i] = (uint8_t)(value + i * 31);
                assert_true(strlen(key_words(fp, buf)) < sizeof(buf));
                _cleanup_strv_free_ char **l = NULL;
                assert_int_equal(strv_split(buf, " ", &l), 0);
                assert_int_equal(strv_length(l), KEY_WORDS_N);
                for (unsigned i = 0; i < KEY_WORDS_N; i++) {
                        _cleanup_free_ char *word = word_of(fp[i]);
                        assert_string_equal(l[i], word);
                }
                memset(fp + KEY_WORDS_N, 0, sizeof(fp) - KEY_WORDS_N);
                assert_string_equal(key_words(fp, again), buf);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_places),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
