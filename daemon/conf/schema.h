/* The key table: every key of raycluster.conf once, with its type, default, bounds and place in
 * Settings. The loader, the shipped file, raycluster.conf(5) and `raycluster config --keys` follow
 * it. */
#pragma once

#include "model/role.h"
#include "model/settings.h"

typedef enum ConfType {
        CONF_STRING,     /* free text, judged by check() */
        CONF_WORD,       /* one of words[], kept as text */
        CONF_LEVEL,      /* log.level */
        CONF_TARGET,     /* log.target */
        CONF_ORDER,      /* discovery.order: a list of sources, each once */
        CONF_PORT,       /* a number */
        CONF_PORT_RANGE, /* "first-last" */
        CONF_DURATION,   /* "4s", between min and max (usec) */
        CONF_SIZE,       /* "8GiB" of at least min bytes, or "auto" = 0 */
        CONF_COUNT,      /* a number from min to max, or "auto" = -1 */
        CONF_TABLE,      /* { name = value; } or [ "name=value" ], kept as a list of entries */
        _CONF_TYPE_MAX,
        _CONF_TYPE_INVALID = -EINVAL,
} ConfType;

DECLARE_STRTAB(conf_type, ConfType);

/* One value as the file has it; strings belong to the parser. */
typedef enum ConfRawType {
        CONF_RAW_STRING,
        CONF_RAW_INT,
        CONF_RAW_FLOAT,
        CONF_RAW_BOOL,
} ConfRawType;

typedef struct ConfRaw {
        ConfRawType type;
        const char *s;
        int64_t i;
        double d;
        bool b;
} ConfRaw;

typedef struct ConfKey {
        const char *path; /* "ports.gcs" */
        ConfType type;
        const char *value;   /* the default, without quotes; "" for an empty table */
        const char *allowed; /* completes "…; allowed: " */
        const char *const *words;
        uint64_t min, max;
        size_t offset;    /* of the member in Settings */
        unsigned restart; /* 1 << ROLE_HEAD, 1 << ROLE_WORKER: there Ray has to restart for it;
                             role/due tells when */
        bool room;        /* the head's word counts for it; else it is each machine's own */
        bool each;        /* each machine's own, but a head may have a word for one member */
        /* CONF_STRING: NULL, or what is wrong with s (a literal). */
        const char *(*check)(const char *s);
        /* CONF_TABLE: what is wrong with the entry (a literal), or NULL and *ret = its text (caller
         * frees), NULL when the entry says nothing, or when memory ran out: then *oom is set. */
        const char *(*entry)(const char *name, const ConfRaw *raw, char **ret, bool *oom);
        const char *doc; /* one line */
} ConfKey;

#define CONF_KEYS_N 42
extern const ConfKey conf_keys[CONF_KEYS_N];

const ConfKey *conf_key_find(const char *path);
/* "ports" for "ports.gcs": is there any key below it? */
bool conf_section_exists(const char *name);
/* Which later version's key this is, or NULL. */
bool conf_key_is_later(const char *path);
/* The key or section a person may have meant by an unknown path: "ports.gcs", or NULL. */
const char *conf_key_suggest(const char *path);
