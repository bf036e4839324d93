/* What a person may paste as a token: taken or named, what is taken is written as it is read, and
 * no sentence depends on the secret. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base32.h"
#include "base/crc32.h"
#include "base/str.h"
#include "model/join-token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a token is written as is read as that token. */
static void check_round(const JoinToken *t)
{
        _cleanup_free_ char *text = NULL, *error = NULL;
        JoinToken again;

        if (join_token_format(t, &text) < 0 || join_token_parse(text, &again, &error) < 0 ||
            strlen(text) >= JOIN_TOKEN_MAX || again.n_pins != t->n_pins ||
            memcmp(again.pins, t->pins, t->n_pins * JOIN_PIN_SIZE) != 0 ||
            !streq(again.id, t->id) || memcmp(again.secret, t->secret, JOIN_SECRET_SIZE) != 0)
                abort();
}

static void check_sentence(const char *error)
{
        if (isempty(error) || strlen(error) > 200)
                abort();
        for (const char *p = error; *p; p++)
                if (*p < ' ' || *p > '~')
                        abort();
}

/* The same text with other letters behind the last hyphen, where the secret is, is refused with the
 * same words. */
static void check_secret(const char *s, const char *error)
{
        _cleanup_free_ char *other = strdup(s), *words = NULL;
        JoinToken t;

        char *p = other ? strrchr(other, '-') : NULL;
        if (!p || strstr(error, "has a pin that is none")) /* here its checksum fits */
                return;
        for (unsigned i = 0; *++p; i++)
                if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ234567", *p))
                        *p = BASE32_ALPHABET[i % 32];
        if (join_token_parse(other, &t, &words) < 0 && !streq(words, error))
                abort();
}

static void check_text(const char *s)
{
        _cleanup_free_ char *error = NULL;
        JoinToken t;

        if (join_token_parse(s, &t, &error) >= 0) {
                check_round(&t);
                return;
        }
        check_sentence(error);
        check_secret(s, error);
}

/* With a checksum that fits, which chance does not find. */
static void check_with_sum(char *s, size_t size)
{
        size_t n = BASE32_LENGTH(4);

        if (size < n)
                return;
        for (size_t i = 0; i < size; i++)
                if (s[i] >= 'A' && s[i] <= 'Z')
                        s[i] = (char)(s[i] - 'A' + 'a');
        uint32_t crc = crc32_of(s, size - n);
        uint8_t bytes[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                           (uint8_t)crc};
        base32_write(s + size - n, bytes, sizeof(bytes));
        check_text(s);
}

/* Any bytes as a token. */
static void check_bytes(const uint8_t *data, size_t size)
{
        JoinToken t = {.n_pins = size % 2 + 1, .id = "aaaaaaaa"};

        size_t n = MIN(size, sizeof(t.pins[0]) * t.n_pins);
        memcpy(t.pins, data, n);
        memcpy(t.secret, data + n, MIN(size - n, sizeof(t.secret)));
        t.id[0] = BASE32_ALPHABET[size % 32];
        check_round(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *s = malloc(size + 1);
        if (!s)
                return 0;
        if (size > 0)
                memcpy(s, data, size);
        s[size] = 0;
        check_text(s);
        check_with_sum(s, strlen(s));
        if (size > 0)
                check_bytes(data, size);
        return 0;
}
