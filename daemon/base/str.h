/* Strings. */
#pragma once

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macro.h"

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/* NULL equals NULL only. */
static inline bool streq_ptr(const char *a, const char *b)
{
        return a && b ? streq(a, b) : a == b;
}

static inline bool isempty(const char *s)
{
        return !s || !*s;
}

static inline const char *strempty(const char *s)
{
        return s ? s : "";
}

static inline const char *strna(const char *s)
{
        return s ? s : "n/a";
}

/* The rest of s behind prefix, or NULL. */
const char *startswith(const char *s, const char *prefix);
bool endswith(const char *s, const char *suffix);

/* A new string (caller frees), or NULL when out of memory. */
char *str_printf(const char *fmt, ...) _printf_(1, 2) _warn_unused_result_;

/* Copies s into buf of `size` bytes, cutting what does not fit; always NUL-ended. Returns buf. */
char *str_copy(char *buf, size_t size, const char *s);

/* Replaces *p by a copy of s (NULL allowed). Returns 0 when equal already, 1 when changed, -ENOMEM.
 */
int free_and_strdup(char **p, const char *s);

/* Cuts trailing and skips leading white space, in place; returns the new start. */
char *str_strip(char *s);
/* 1 to max of A-Z, a-z, 0-9, ".", "_", "-", and none of the last three at its ends. */
bool str_is_name(const char *s, size_t max);

/* Damerau–Levenshtein distance (adjacent swaps count 1), capped: strings over 64 bytes return
 * SIZE_MAX. */
size_t str_distance(const char *a, const char *b);

/* The entry of the NULL-ended list nearest to s, if near enough to be a slip (at most a third of
 * its length), else NULL. */
const char *str_nearest(const char *s, const char *const *list);

/* A copy of s (at most max bytes of it) in which everything outside printable ASCII is written
 * \xNN: foreign text for people. */
char *str_escape(const char *s, size_t len, size_t max) _warn_unused_result_;

/* Well-formed UTF-8 without control characters but tab and newline: what D-Bus and a terminal take.
 */
bool utf8_is_printable(const char *s);
