/* A configuration while it is read: settings, where each value came from, and the mistakes so far.
 * Inside conf/ only. */
#pragma once

#include "conf/conf.h"
#include "conf/schema.h"

/* A table's entry: which key it belongs to, its name, and where it stands. */
typedef struct DraftEntry {
        const ConfKey *key;
        char *name; /* "RAY_memory_usage_threshold" */
        char *text; /* as in Settings: "RAY_memory_usage_threshold=0.9" */
        char *file;
        unsigned line;
} DraftEntry;

/* More entries in all tables together than this are a mistake. */
#define DRAFT_ENTRIES_MAX 1024

typedef struct Draft {
        Settings *settings;
        struct {
                char *file; /* NULL = the default */
                unsigned line;
                bool wrong; /* said already: cross-field checks leave it alone */
        } origin[CONF_KEYS_N];
        DraftEntry *entries;
        size_t n_entries, cap_entries;
        const char *file; /* being read */
        ConfErrors *errors;
        bool oom; /* sticky; conf_load() ends with -ENOMEM */
} Draft;

void draft_done(Draft *d);
#define _cleanup_draft_ _cleanup_(draft_done)

/* Adds a mistake; out of memory is kept in d->oom. */
void draft_error(Draft *d, unsigned line, const char *path, const char *fmt, ...) _printf_(4, 5);
void draft_error_at(Draft *d, const char *file, unsigned line, const char *path, const char *fmt,
                    ...) _printf_(5, 6);

/* Every key to its default. */
int draft_defaults(Draft *d);
/* One file over what is there; text is NUL-ended. */
void draft_read(Draft *d, const char *text, size_t size);
/* Whether the text may go to libconfig; what is wrong with it is said. */
bool conf_prescan(Draft *d, const char *text);
/* One scalar value, from the file or a default; line 0 = the default. */
void draft_set(Draft *d, const ConfKey *key, const ConfRaw *raw, unsigned line);
/* One entry of a table. */
void draft_set_entry(Draft *d, const ConfKey *key, const char *name, const ConfRaw *raw,
                     unsigned line);
/* discovery.order, from a list of words. */
void draft_set_order(Draft *d, const ConfKey *key, char *const *words, unsigned line);
/* Fields against each other, when all files are read. */
void draft_check(Draft *d);
/* The draft becomes a Conf. */
int draft_finish(Draft *d, Conf **ret);

/* A text as it would be written: in quotes, and printable whatever is in it. NULL: out of memory.
 */
char *conf_quote(const char *s);
/* One value as it would be written; caller frees. */
char *conf_format(const Settings *s, const ConfKey *key);
