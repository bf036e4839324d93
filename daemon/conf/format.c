/* Values as they would be written in the file: what is read back is the same. */
#include <stdio.h>

#include "base/log.h"
#include "conf/draft.h"

char *conf_quote(const char *s)
{
        static const char hex[] = "0123456789abcdef";
        bool raw = utf8_is_printable(s);
        char *out = malloc(4 * strlen(s) + 3), *o = out;

        if (!out)
                return NULL;
        *o++ = '"';
        for (; *s; s++) {
                unsigned char c = (unsigned char)*s;
                if (c >= 0x80 && !raw) {
                        *o++ = '\\';
                        *o++ = 'x';
                        *o++ = hex[c >> 4];
                        *o++ = hex[c & 15];
                        continue;
                }
                if (c == '"' || c == '\\')
                        *o++ = '\\';
                *o++ = *s;
        }
        *o++ = '"';
        *o = 0;
        return out;
}

static char *format_order(const DiscoSettings *s)
{
        char *out = strdup("[ ");

        for (size_t i = 0; i < s->n_order && out; i++) {
                char *more = str_printf("%s%s\"%s\"", out, i > 0 ? ", " : "",
                                        disco_source_to_string(s->order[i]));
                free(out);
                out = more;
        }
        char *whole = out ? str_printf("%s ]", out) : NULL;
        free(out);
        return whole;
}

/* A duration or size that reads back as exactly the same number. */
static char *format_exact(uint64_t n, const char *const *units, const uint64_t *factors, size_t k)
{
        for (size_t i = 0; i < k; i++)
                if (n % factors[i] == 0)
                        return str_printf("\"%llu%s\"", (unsigned long long)(n / factors[i]),
                                          units[i]);
        return NULL;
}

static char *format_usec(usec_t t)
{
        static const char *const units[] = {"h", "min", "s", "ms", "us"};
        static const uint64_t factors[] = {60 * USEC_PER_MIN, USEC_PER_MIN, USEC_PER_SEC,
                                           USEC_PER_MSEC, 1};

        return t == 0 ? strdup("\"0s\"") : format_exact(t, units, factors, 5);
}

static char *format_bytes(uint64_t n)
{
        static const char *const units[] = {"TiB", "GiB", "MiB", "KiB", "B"};
        static const uint64_t factors[] = {1ULL << 40, 1ULL << 30, 1ULL << 20, 1ULL << 10, 1};

        return n == 0 ? strdup("\"auto\"") : format_exact(n, units, factors, 5);
}

char *conf_format(const Settings *s, const ConfKey *key)
{
        static const char *const targets[] = {"auto", "journal", "stderr"};
        const void *p = (const char *)s + key->offset;

        switch (key->type) {
        case CONF_STRING:
        case CONF_WORD:
                return conf_quote(*(char *const *)p);
        case CONF_LEVEL:
                return conf_quote(log_level_to_string(*(const int *)p));
        case CONF_TARGET:
                return conf_quote(targets[*(const int *)p]);
        case CONF_ORDER:
                return format_order(&s->disco);
        case CONF_PORT:
                return str_printf("%u", *(const uint16_t *)p);
        case CONF_PORT_RANGE:
                return str_printf("\"%u-%u\"", s->ports.worker_first, s->ports.worker_last);
        case CONF_DURATION:
                return format_usec(*(const usec_t *)p);
        case CONF_SIZE:
                return format_bytes(*(const uint64_t *)p);
        case CONF_COUNT:
                if (*(const int64_t *)p < 0)
                        return strdup("\"auto\"");
                return str_printf("%lld", (long long)*(const int64_t *)p);
        default:
                return strdup("{ }");
        }
}
