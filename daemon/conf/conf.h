/* /etc/raycluster.conf and conf.d, read by libconfig against one key table. All mistakes in one
 * run. */
#pragma once

#include "base/strv.h"
#include "model/settings.h"

#define CONF_FILE "/etc/raycluster.conf"
#define CONF_DIR  "/etc/raycluster.conf.d"

typedef struct ConfError {
        char *file;
        unsigned line; /* 0 = the file as a whole */
        char *path;    /* "ports.gcs", "" for syntax */
        char *text;    /* what is wrong, what is allowed, did you mean */
} ConfError;

/* At most this many mistakes are kept; the rest is counted (a wrong file can have as many as
 * bytes). */
#define CONF_ERRORS_MAX 100

typedef struct ConfErrors {
        ConfError *errors;
        size_t n, cap;
        size_t n_more; /* beyond CONF_ERRORS_MAX */
} ConfErrors;

void conf_errors_done(ConfErrors *e);
#define _cleanup_conf_errors_ _cleanup_(conf_errors_done)
/* "file:line: path: text", caller frees. */
char *conf_error_format(const ConfError *e);

/* One effective value and its origin: key "ports.gcs", value as it would be written, origin
 * "default", "file:line", or "head" for what the head said. */
typedef struct ConfValue {
        char *key, *value, *origin;
        char *over; /* "file:line" that the head's word took the place of, or NULL */
} ConfValue;

/* What a head tells its members, and its end, is at most so large: a screenful of ports and some
 * hundred variables, and still one message and one D-Bus property. More is a mistake in the head's
 * files. */
#define CONF_ROOM_MAX ((size_t)16 << 10)
/* Of it, kept for what the head has to say to one member alone: node.group. */
#define CONF_ROOM_EACH ((size_t)1 << 10)

typedef struct Conf {
        Settings *settings;
        ConfValue *values;
        size_t n_values;
        /* What a head tells its members: the keys of the room that the files of this machine set,
         * not the defaults. libconfig's syntax, one setting a line, printable UTF-8; the same
         * settings give the same bytes. "" = nothing is set. */
        char *room;
} Conf;

Conf *conf_free(Conf *c);
DEFINE_CLEANUP(Conf *, conf_free);

/* file, dir: NULL = the default places. A missing default file is an empty one; a missing named
 * file is a mistake. Returns 0 and *ret; -EBADMSG with errors->n > 0 when the file is wrong;
 * another negative errno when it cannot be read. */
int conf_load(const char *file, const char *dir, Conf **ret, ConfErrors *errors);

/* The same on a member: room is what its head told (its Conf.room), as it came over the connection
 * or was kept, NUL-ended behind size bytes; NULL = there was no contact yet. It lies over the
 * files: what it sets counts, but for the keys that are each machine's own. Nothing in it makes
 * this fail: what is wrong with it, not known to this version or contradicts the files is left out,
 * alone if possible, and told in ignored, with "head" for the file. */
int conf_load_member(const char *file, const char *dir, const char *room, size_t size, Conf **ret,
                     ConfErrors *errors, ConfErrors *ignored);

/* conf_load() of a text in memory, without conf.d; name stands for the file in mistakes. text is
 * NUL-ended behind size bytes. */
int conf_load_text(const char *name, const char *text, size_t size, Conf **ret, ConfErrors *errors);
