/* A look at the text before libconfig sees it, for what libconfig says badly or must not do:
 *
 * - a quote that is never closed it reports at the end of the file;
 * - a whole number beyond 32 bits it cuts off silently (99999999999 becomes 1215752191);
 * - an @include it carries out, on any file of the machine: there is conf.d for this;
 * - what is nested it takes apart, and later frees, as deep as it goes.
 *
 * Comments, quotes and words are taken apart as its scanner does. */
#include <ctype.h>
#include <stdlib.h>

#include "conf/draft.h"

/* The key table goes down three levels; this leaves room for later versions. */
#define CONF_DEPTH_MAX 16

typedef struct Scan {
        Draft *draft;
        const char *p;
        unsigned line, depth;
        bool fresh; /* nothing but blanks so far in this line */
        bool bad;
} Scan;

static void bad(Scan *s, unsigned line, const char *text)
{
        draft_error(s->draft, line, "", "%s", text);
        s->bad = true;
}

static void skip_comment(Scan *s)
{
        unsigned opened = s->line;

        for (s->p += 2; *s->p && !(s->p[0] == '*' && s->p[1] == '/'); s->p++)
                s->line += *s->p == '\n';
        if (*s->p)
                s->p += 2;
        else
                bad(s, opened, "a comment /* opens here and is never closed");
}

static void skip_quote(Scan *s)
{
        for (s->p++; *s->p && *s->p != '\n' && *s->p != '"'; s->p++)
                if (*s->p == '\\' && s->p[1] && s->p[1] != '\n')
                        s->p++;
        if (*s->p == '"')
                s->p++;
        else
                bad(s, s->line, "a quote opens in this line and is not closed in it");
}

/* A word or number as a whole: no digit inside a name is taken for a number. */
static void skip_word(Scan *s, size_t n)
{
        const char *digits = s->p + strspn(s->p, "+-");
        char *end;

        if (isdigit((unsigned char)*digits)) {
                bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
                errno = 0;
                unsigned long long v = strtoull(digits, &end, hex ? 16 : 10);
                bool whole = end == s->p + n; /* else a fraction, or with the L of 64 bits */
                if (whole && (errno != 0 || v > INT32_MAX)) {
                        draft_error(s->draft, s->line, "", "%.*s is too large for a number",
                                    (int)MIN(n, (size_t)40), s->p);
                        s->bad = true;
                }
        }
        s->p += n;
}

static void bracket(Scan *s)
{
        if (strchr("})]", *s->p)) {
                s->depth -= s->depth > 0; /* one too many is libconfig's to tell */
                return;
        }
        if (++s->depth == CONF_DEPTH_MAX + 1)
                bad(s, s->line, "is nested deeper than any setting goes");
}

static void step(Scan *s)
{
        static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_.*+-";
        size_t n = strspn(s->p, word);
        bool fresh = s->fresh;

        s->fresh = false;
        if (n > 0)
                skip_word(s, n);
        else if (*s->p == '#' || (s->p[0] == '/' && s->p[1] == '/'))
                s->p += strcspn(s->p, "\n");
        else if (s->p[0] == '/' && s->p[1] == '*')
                skip_comment(s);
        else if (*s->p == '"')
                skip_quote(s);
        else {
                if (*s->p == '\n') {
                        s->line++;
                        s->fresh = true;
                } else if (*s->p == ' ' || *s->p == '\t')
                        s->fresh = fresh;
                else if (fresh && startswith(s->p, "@include"))
                        bad(s, s->line,
                            s->draft->head
                                    ? "@include is refused"
                                    : "@include is not supported; put the file into " CONF_DIR "/");
                else if (strchr("{([})]", *s->p))
                        bracket(s);
                s->p++;
        }
}

bool conf_prescan(Draft *d, const char *text)
{
        Scan s = {.draft = d, .p = text, .line = 1, .fresh = true};

        while (*s.p)
                step(&s);
        return !s.bad;
}
