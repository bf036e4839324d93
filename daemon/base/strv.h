/* NULL-ended lists of owned strings. NULL is the empty list. */
#pragma once

#include "base/macro.h"

char **strv_free(char **l);
DEFINE_CLEANUP(char **, strv_free);
#define _cleanup_strv_free_ _cleanup_(strv_freep)

size_t strv_length(char *const *l);
bool strv_contains(char *const *l, const char *s);
bool strv_equal(char *const *a, char *const *b);

/* Append; on failure the list is unchanged and -ENOMEM comes back. _consume takes s (frees it on
 * failure). */
int strv_extend(char ***l, const char *s);
int strv_extendf(char ***l, const char *fmt, ...) _printf_(2, 3);
int strv_consume(char ***l, char *s);

char **strv_copy(char *const *l) _warn_unused_result_;
char *strv_join(char *const *l, const char *sep) _warn_unused_result_;

/* Splits at any byte of `seps`, leaving out empty pieces. */
int strv_split(const char *s, const char *seps, char ***ret);

#define STRV_FOREACH(s, l) for (char *const *s = (l); s && *s; s++)
