/* A configuration while it is read: settings, where each value came from, and the mistakes so far.
 * Inside conf/ only. */
#pragma once

#include "conf/conf.h"
#include "conf/schema.h"

/* Where a value comes from. */
typedef struct Origin {
        char *file;    /* NULL = the default */
        unsigned line; /* 0 = no line to look at: a head said it */
        char *over;    /* "file:line" that a head's word took the place of, or NULL */
} Origin;

/* The file of what a head said. */
#define ORIGIN_HEAD "head"

/* A table's entry: which key it belongs to, its name, and where it stands. */
typedef struct DraftEntry {
        const ConfKey *key;
        char *name; /* "RAY_memory_usage_threshold" */
        char *text; /* as in Settings: "RAY_memory_usage_threshold=0.9"; NULL: it says nothing */
        Origin origin;
} DraftEntry;

/* More entries in all tables together than this are a mistake. */
#define DRAFT_ENTRIES_MAX 1024

typedef struct Draft {
        Settings *settings;
        Origin origin[CONF_KEYS_N];
        bool wrong[CONF_KEYS_N]; /* said already: cross-field checks leave it alone */
        DraftEntry *entries;
        size_t n_entries, cap_entries;
        const char *file; /* being read */
        bool head;        /* what a head said is being read: only what is right of it counts */
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
/* What is there, once more; not the mistakes. */
int draft_copy(Draft *to, const Draft *from);
/* One file over what is there; text is NUL-ended. False: nothing of it could be read. */
bool draft_read(Draft *d, const char *text, size_t size);
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

/* Conf.room of the files that were read. */
void room_write(Draft *d, char **ret);
/* Whether a head has a say in this key here; if not, that is said. */
bool room_takes(Draft *d, const ConfKey *key, unsigned line);
/* draft_finish() with a head's settings over it, unless they cannot be used: that is said in
 * ignored, and the draft as it is becomes the Conf. */
int room_finish(Draft *d, const char *text, size_t size, Conf **ret, ConfErrors *ignored);
