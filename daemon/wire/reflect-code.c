#include "wire/reflect-code.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define DATA_SYMBOLS  16 /* of five bits: ten bytes */
#define CHECK_SYMBOLS 2
#define SYMBOLS       (DATA_SYMBOLS + CHECK_SYMBOLS)

/* --- the check: a Reed-Solomon code over GF(32) -------------------------------------------------
 * Both sums, of c[i] and of a^i c[i], are zero. That finds any two slips, swapped neighbours among
 * them, and tells the place of a single one. */

/* a^0 to a^30, a = x, modulo x^5 + x^2 + 1. */
static uint8_t power(unsigned n)
{
        unsigned v = 1;
        for (n %= 31; n > 0; n--) {
                v <<= 1;
                if (v & 0x20)
                        v ^= 0x25;
        }
        return (uint8_t)v;
}

/* v != 0 */
static unsigned log_of(uint8_t v)
{
        unsigned n = 0;
        while (power(n) != v)
                n++;
        return n;
}

static uint8_t times(uint8_t a, uint8_t b)
{
        return a && b ? power(log_of(a) + log_of(b)) : 0;
}

static void sums(const uint8_t *c, unsigned n, uint8_t *ret_plain, uint8_t *ret_weighted)
{
        uint8_t plain = 0, weighted = 0;
        for (unsigned i = 0; i < n; i++) {
                plain ^= c[i];
                weighted ^= times(power(i), c[i]);
        }
        *ret_plain = plain;
        *ret_weighted = weighted;
}

static void add_check(uint8_t c[static SYMBOLS])
{
        uint8_t plain, weighted;
        sums(c, DATA_SYMBOLS, &plain, &weighted);
        /* p + q = plain; a^16 p + a^17 q = weighted */
        uint8_t a = power(DATA_SYMBOLS), b = power(DATA_SYMBOLS + 1);
        uint8_t inverse = power(31 - log_of(a ^ b));
        uint8_t q = times(weighted ^ times(a, plain), inverse);
        c[DATA_SYMBOLS] = plain ^ q;
        c[DATA_SYMBOLS + 1] = q;
}

/* 0: sound; else *ret_at is the index of the slip, SYMBOLS when it cannot be told. */
static bool check(const uint8_t c[static SYMBOLS], unsigned *ret_at)
{
        uint8_t plain, weighted;
        sums(c, SYMBOLS, &plain, &weighted);
        *ret_at = SYMBOLS;
        if (!plain && !weighted)
                return true;
        if (plain && weighted)
                *ret_at = MIN((log_of(weighted) + 31 - log_of(plain)) % 31, (unsigned)SYMBOLS);
        return false;
}

/* --- text ---------------------------------------------------------------------------------------
 */

char *reflect_code_format(char buf[static REFLECT_CODE_MAX], const ReflectCode *code)
{
        uint8_t c[SYMBOLS];
        size_t k = 0;

        for (unsigned i = 0; i < DATA_SYMBOLS; i++) {
                unsigned bit = i * 5, byte = bit / 8;
                unsigned two = (unsigned)code->secret[byte] << 8;
                if (byte + 1 < REFLECT_CODE_BYTES)
                        two |= code->secret[byte + 1];
                c[i] = two >> (11 - bit % 8) & 0x1f;
        }
        add_check(c);
        buf[0] = 0;
        if (code->port != REFLECT_PORT_DEFAULT)
                k = (size_t)snprintf(buf, REFLECT_CODE_MAX, "%u-", code->port);
        for (unsigned i = 0; i < SYMBOLS; i++) {
                if (i > 0 && i % 4 == 0)
                        buf[k++] = '-';
                buf[k++] = digits[c[i]];
        }
        buf[k] = 0;
        return buf;
}

static bool is_separator(char ch)
{
        return ch == '-' || ch == ' ';
}

static int symbol_of(char ch)
{
        char up = (char)toupper((unsigned char)ch);
        const char *p = up == 'O'                ? digits
                        : up == 'I' || up == 'L' ? digits + 1
                        : up                     ? strchr(digits, up)
                                                 : NULL;
        return p ? (int)(p - digits) : -1;
}

/* How many characters of code stand in s; counted no further than matters. */
static unsigned count(const char *s)
{
        unsigned n = 0;
        for (; *s && n < 1000; s++)
                n += !is_separator(*s);
        return n;
}

/* A group of digits in front of what is otherwise whole is the port. Returns what is behind it, or
 * s when there is none, or NULL when it is no port. */
static const char *take_port(const char *s, uint16_t *ret)
{
        char text[8];
        size_t n = strspn(s, "0123456789");

        *ret = REFLECT_PORT_DEFAULT;
        if (count(s) <= SYMBOLS || s[n] != '-' || n == 0 || count(s + n) > SYMBOLS)
                return s;
        if (n >= sizeof(text))
                return NULL;
        memcpy(text, s, n);
        text[n] = 0;
        return parse_port(text, ret) < 0 ? NULL : s + n;
}

static int mistake(CodeError *ret, CodeMistake m, unsigned at, unsigned n)
{
        *ret = (CodeError){.mistake = m, .at = at, .n = n};
        return -EINVAL;
}

int reflect_code_parse(const char *s, ReflectCode *ret, CodeError *reterr)
{
        uint8_t c[SYMBOLS] = {0};
        unsigned where[SYMBOLS + 1] = {0}, n = 0, at;
        ReflectCode code = {0};

        if (count(s) == 0)
                return mistake(reterr, CODE_EMPTY, 0, 0);
        for (const char *p = s; *p; p++)
                if (!is_separator(*p) && symbol_of(*p) < 0)
                        return mistake(reterr, CODE_CHARACTER, (unsigned)(p - s) + 1, 0);
        const char *begin = take_port(s, &code.port);
        if (!begin)
                return mistake(reterr, CODE_PORT, 1, 0);
        unsigned there = count(begin);
        if (there != SYMBOLS)
                return mistake(reterr, there < SYMBOLS ? CODE_SHORT : CODE_LONG, 0, there);
        for (const char *p = begin; *p; p++)
                if (!is_separator(*p)) {
                        c[n] = (uint8_t)symbol_of(*p);
                        where[n++] = (unsigned)(p - s) + 1;
                }
        if (!check(c, &at))
                return mistake(reterr, CODE_CHECKSUM, where[at], 0);
        for (unsigned i = 0; i < DATA_SYMBOLS; i++)
                for (unsigned bit = 0; bit < 5; bit++)
                        if (c[i] & (0x10 >> bit)) {
                                unsigned k = i * 5 + bit;
                                code.secret[k / 8] |= (uint8_t)(0x80 >> k % 8);
                        }
        *ret = code;
        return 0;
}

char *reflect_code_error(char buf[static CODE_ERROR_MAX], const char *s, const CodeError *e)
{
        size_t size = strlen(s);
        char ch = e->at > 0 && e->at <= size ? s[e->at - 1] : '?';
        if (!isprint((unsigned char)ch))
                ch = '?';

        switch (e->mistake) {
        case CODE_EMPTY:
                return str_copy(buf, CODE_ERROR_MAX, "is empty");
        case CODE_CHARACTER:
                (void)snprintf(
                        buf, CODE_ERROR_MAX,
                        "character %u (%c) is in no code; it has letters and digits without U",
                        e->at, ch);
                break;
        case CODE_SHORT:
        case CODE_LONG:
                (void)snprintf(buf, CODE_ERROR_MAX, "has %u letters and digits, a code has %d",
                               e->n, SYMBOLS);
                break;
        case CODE_PORT:
                (void)snprintf(buf, CODE_ERROR_MAX,
                               "what stands in front of the code is no port (1 to 65535)");
                break;
        case CODE_CHECKSUM:
                if (e->at > 0)
                        (void)snprintf(buf, CODE_ERROR_MAX,
                                       "has a slip, perhaps in character %u (%c)", e->at, ch);
                else
                        (void)snprintf(
                                buf, CODE_ERROR_MAX,
                                "has a slip: two characters swapped, or more than one wrong");
                break;
        default:
                return str_copy(buf, CODE_ERROR_MAX, "is fine");
        }
        return buf;
}
