#include "model/join-token.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base32.h"
#include "base/crc32.h"
#include "base/str.h"

#define PREFIX     "rc1-"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define PIN_LEN    BASE32_LENGTH(JOIN_PIN_SIZE)
#define SECRET_LEN BASE32_LENGTH(JOIN_SECRET_SIZE)
#define SUM_LEN    BASE32_LENGTH(sizeof(uint32_t))
/* Pins and id with what ends them. */
#define TOKEN_LEN(n_pins)                                                                          \
        (PREFIX_LEN + (n_pins) * (PIN_LEN + 1) + JOIN_ID_LEN + 1 + SECRET_LEN + SUM_LEN)

static_assert(TOKEN_LEN(JOIN_PINS_MAX) + 1 == JOIN_TOKEN_MAX, "the longest text");

void join_token_forget(JoinToken *t)
{
        explicit_bzero(t, sizeof(*t));
}

/* --- there -------------------------------------------------------------------------------------
 */

static void write_sum(char buf[static SUM_LEN + 1], const char *text, size_t n)
{
        uint32_t crc = crc32_of(text, n);
        uint8_t bytes[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                           (uint8_t)crc};
        base32_write(buf, bytes, sizeof(bytes));
}

int join_token_format(const JoinToken *t, char **ret)
{
        if (t->n_pins < 1 || t->n_pins > JOIN_PINS_MAX ||
            strnlen(t->id, sizeof(t->id)) != JOIN_ID_LEN ||
            strspn(t->id, BASE32_ALPHABET) != JOIN_ID_LEN)
                return -EINVAL;
        char *text = malloc(TOKEN_LEN(t->n_pins) + 1);
        if (!text)
                return -ENOMEM;
        char *p = stpcpy(text, PREFIX);
        for (size_t i = 0; i < t->n_pins; i++) {
                p = base32_write(p, t->pins[i], JOIN_PIN_SIZE);
                *p++ = i + 1 < t->n_pins ? '.' : '-';
        }
        p = stpcpy(p, t->id);
        *p++ = '-';
        p = base32_write(p, t->secret, JOIN_SECRET_SIZE);
        write_sum(p, text, (size_t)(p - text));
        *ret = text;
        return 0;
}

/* --- back: what is wrong with a text ------------------------------------------------------------
 * From what is told by a glance to what takes counting, so that the first sentence is the one that
 * helps. Of the text it shows the number of a version, or one character that is in no token. */

static int refuse(char **reterr, char *sentence)
{
        if (!sentence)
                return -ENOMEM;
        *reterr = sentence;
        return -EINVAL;
}

/* Not by <ctype.h>: no locale has a say in what a token is. */
static bool is_white(char c)
{
        return c && strchr(" \t\r\n\v\f", c);
}

static char fold(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_foreign(char c)
{
        return !strchr(BASE32_ALPHABET "-.", fold(c));
}

static int refuse_character(const char *s, size_t i, char **reterr)
{
        unsigned char c = (unsigned char)s[i];
        const char *white = c == ' '                 ? "blank"
                            : c == '\t'              ? "tab"
                            : c == '\n' || c == '\r' ? "line break"
                                                     : NULL;
        if (white)
                return refuse(reterr,
                              str_printf("the token has a %s as its character %zu: copy it again, "
                                         "all of it on one line without blanks",
                                         white, i + 1));
        if (c == '.')
                return refuse(reterr, str_printf("the token has a dot as its character %zu, and "
                                                 "a dot stands only between two pins: copy it "
                                                 "again",
                                                 i + 1));
        char name[] = "the byte 0x00";
        (void)snprintf(name, sizeof(name), c > ' ' && c < 0x7f ? "\"%c\"" : "the byte 0x%02x", c);
        return refuse(reterr, str_printf("the token has %s as its character %zu, and a token is "
                                         "made of a to z, 2 to 7 and \"-\": copy it again",
                                         name, i + 1));
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* The number behind "rc" and in front of "-"; 0 when there is none that a version could have. */
static unsigned version_of(const char *s)
{
        unsigned v = 0;

        if (strncasecmp(s, "rc", 2) != 0 || s[2] == '0')
                return 0;
        for (s += 2; is_digit(*s); s++) {
                v = v * 10 + (unsigned)(*s - '0');
                if (v > 999)
                        return 0;
        }
        return *s == '-' ? v : 0;
}

static int check_prefix(const char *s, size_t n, char **reterr)
{
        unsigned v = version_of(s);

        if (n == 0)
                return refuse(reterr, strdup("the token is empty: copy the line that begins "
                                             "with " PREFIX));
        if (v > 1)
                return refuse(reterr, str_printf("the token is of version %u and raycluster here "
                                                 "knows version 1: install the head's version of "
                                                 "raycluster on this machine",
                                                 v));
        /* A part of the prefix is cut off, and behind "rc1" a long dash is a wrong character. */
        size_t same = MIN(n, PREFIX_LEN - 1);
        if (v == 1 || (strncasecmp(s, PREFIX, same) == 0 &&
                       (n < PREFIX_LEN || (is_foreign(s[same]) && !is_digit(s[same])))))
                return 0;
        return refuse(reterr, strdup("this is no token of raycluster, which begins with " PREFIX
                                     ": copy all of it again"));
}

static int check_characters(const char *s, size_t n, char **reterr)
{
        for (size_t i = PREFIX_LEN - 1; i < n; i++)
                if (is_foreign(s[i]))
                        return refuse_character(s, i, reterr);
        return 0;
}

/* The separator in place i of a token with so many pins, 0 where it has none. */
static char separator_at(size_t i, size_t n_pins)
{
        size_t id = PREFIX_LEN + n_pins * (PIN_LEN + 1), secret = id + JOIN_ID_LEN + 1;

        if (i == PREFIX_LEN - 1 || i == id - 1 || i == secret - 1)
                return '-';
        return i > PREFIX_LEN && i < id && (i - PREFIX_LEN + 1) % (PIN_LEN + 1) == 0 ? '.' : 0;
}

static size_t count(const char *s, const char *end, char c)
{
        size_t n = 0;
        while (s < end)
                n += *s++ == c;
        return n;
}

static int refuse_length(const char *part, size_t n, size_t need, char **reterr)
{
        return refuse(reterr, str_printf("the %s in the token has %zu characters and needs %zu: "
                                         "copy all of the token again",
                                         part, n, need));
}

/* s begins with the prefix, and a separator is missing or not in its place. */
static int refuse_shape(const char *s, size_t n, char **reterr)
{
        const char *end = s + n, *pins = s + PREFIX_LEN;
        size_t parts = count(s, end, '-') + 1, len;

        if (parts != 4)
                return refuse(reterr, str_printf("the token has %zu parts with \"-\" between them "
                                                 "and needs 4, " PREFIX
                                                 "PIN-ID-SECRET: copy all of it again",
                                                 parts));
        const char *id = strchr(pins, '-') + 1, *secret = strchr(id, '-') + 1;
        const char *dot = memchr(id, '.', (size_t)(end - id));
        if (dot)
                return refuse_character(s, (size_t)(dot - s), reterr);
        size_t n_pins = count(pins, id, '.') + 1;
        if (n_pins > JOIN_PINS_MAX)
                return refuse(reterr, str_printf("the token has %zu pins and may have %d: copy it "
                                                 "again",
                                                 n_pins, JOIN_PINS_MAX));
        for (const char *p = pins; p < id; p += len + 1) {
                len = strcspn(p, ".-");
                if (len != PIN_LEN)
                        return refuse_length("pin", len, PIN_LEN, reterr);
        }
        len = (size_t)(secret - 1 - id);
        if (len != JOIN_ID_LEN)
                return refuse_length("id", len, JOIN_ID_LEN, reterr);
        return refuse_length("secret with its checksum", (size_t)(end - secret),
                             SECRET_LEN + SUM_LEN, reterr);
}

/* What ends early but is right up to there was cut off. */
static int check_shape(const char *s, size_t n, size_t *ret_n_pins, char **reterr)
{
        size_t n_pins = 1, i = 0;

        while (n_pins < JOIN_PINS_MAX && n >= PREFIX_LEN + n_pins * (PIN_LEN + 1) &&
               s[PREFIX_LEN + n_pins * (PIN_LEN + 1) - 1] == '.')
                n_pins++;
        size_t need = TOKEN_LEN(n_pins);
        while (i < n && i < need && separator_at(i, n_pins) == (strchr("-.", s[i]) ? s[i] : 0))
                i++;
        if (i < n || n > need)
                return refuse_shape(s, n, reterr);
        if (n < need)
                return refuse(reterr, str_printf("the token is cut off after %zu of %zu "
                                                 "characters: copy all of it again",
                                                 n, need));
        *ret_n_pins = n_pins;
        return 0;
}

/* --- back: the values ---------------------------------------------------------------------------
 */

/* -EINVAL: a part does not end as base 32 does. Only who made up the checksum, too, gets here. */
static int read_values(const char *s, JoinToken *t)
{
        const char *p = s + PREFIX_LEN;

        for (size_t i = 0; i < t->n_pins; i++, p += PIN_LEN + 1)
                if (base32_decode(p, PIN_LEN, t->pins[i], JOIN_PIN_SIZE) < 0)
                        return -EINVAL;
        memcpy(t->id, p, JOIN_ID_LEN);
        return base32_decode(p + JOIN_ID_LEN + 1, SECRET_LEN, t->secret, JOIN_SECRET_SIZE);
}

/* A text of the right shape; t->n_pins is set. The checksum is of the lower-case text. */
static int read_text(const char *s, JoinToken *t, char **reterr)
{
        char text[JOIN_TOKEN_MAX], sum[SUM_LEN + 1];
        size_t n = TOKEN_LEN(t->n_pins);
        int r;

        for (size_t i = 0; i < n; i++)
                text[i] = fold(s[i]);
        write_sum(sum, text, n - SUM_LEN);
        if (memcmp(sum, text + n - SUM_LEN, SUM_LEN) != 0)
                r = refuse(reterr, strdup("the token does not agree with its checksum, it was "
                                          "mistyped or altered: copy it again"));
        else if (read_values(text, t) < 0)
                r = refuse(reterr, strdup("the token has a pin that is none, it was altered: "
                                          "have a new one made"));
        else
                r = 0;
        explicit_bzero(text, sizeof(text));
        explicit_bzero(sum, sizeof(sum));
        return r;
}

int join_token_parse(const char *text, JoinToken *ret, char **reterr)
{
        _cleanup_(join_token_forget) JoinToken t = {0};

        while (is_white(*text))
                text++;
        size_t n = strlen(text);
        while (n > 0 && is_white(text[n - 1]))
                n--;
        int r = check_prefix(text, n, reterr);
        if (r >= 0)
                r = check_characters(text, n, reterr);
        if (r >= 0)
                r = check_shape(text, n, &t.n_pins, reterr);
        if (r >= 0)
                r = read_text(text, &t, reterr);
        if (r < 0)
                return r;
        *ret = t;
        return 0;
}
