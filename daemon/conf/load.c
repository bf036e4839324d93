/* Files: found, read with a bound, parsed by libconfig, walked against the key table. */
#include <dirent.h>
#include <libconfig.h>
#include <stdio.h>

#include "base/fd.h"
#include "conf/draft.h"

/* A room's configuration has some hundred lines; what is larger than this is another file. */
#define CONF_FILE_BYTES_MAX ((size_t)1 << 20)
/* More drop-ins than this are a mistake somewhere else. */
#define CONF_DROPINS_MAX 256

static void walk(Draft *d, config_setting_t *group, const char *prefix);

static const char *kind(const config_setting_t *s)
{
        switch (config_setting_type(s)) {
        case CONFIG_TYPE_GROUP:
                return "a group { … }";
        case CONFIG_TYPE_ARRAY:
                return "an array [ … ]";
        case CONFIG_TYPE_LIST:
                return "a list ( … )";
        default:
                return "a single value";
        }
}

/* -EINVAL for a group, array or list. */
static int raw_of(const config_setting_t *s, ConfRaw *ret)
{
        switch (config_setting_type(s)) {
        case CONFIG_TYPE_INT:
        case CONFIG_TYPE_INT64:
                *ret = (ConfRaw){.type = CONF_RAW_INT, .i = config_setting_get_int64(s)};
                return 0;
        case CONFIG_TYPE_FLOAT:
                *ret = (ConfRaw){.type = CONF_RAW_FLOAT, .d = config_setting_get_float(s)};
                return 0;
        case CONFIG_TYPE_STRING:
                *ret = (ConfRaw){.type = CONF_RAW_STRING, .s = config_setting_get_string(s)};
                return 0;
        case CONFIG_TYPE_BOOL:
                *ret = (ConfRaw){.type = CONF_RAW_BOOL, .b = config_setting_get_bool(s)};
                return 0;
        default:
                return -EINVAL;
        }
}

static void load_order(Draft *d, const ConfKey *key, const config_setting_t *s)
{
        _cleanup_strv_free_ char **words = NULL;
        unsigned line = config_setting_source_line(s);

        if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
                draft_error(d, line, key->path, "is %s; allowed: %s", kind(s), key->allowed);
                return;
        }
        for (int i = 0; i < config_setting_length(s); i++) {
                const char *w = config_setting_get_string_elem(s, i);
                if (!w) {
                        draft_error(d, line, key->path,
                                    "has an entry that is no string; allowed: %s", key->allowed);
                        return;
                }
                if (strv_extend(&words, w) < 0) {
                        d->oom = true;
                        return;
                }
        }
        draft_set_order(d, key, words, line);
}

/* { name = value; } */
static void load_table_group(Draft *d, const ConfKey *key, const config_setting_t *s)
{
        for (unsigned i = 0; i < (unsigned)config_setting_length(s); i++) {
                const config_setting_t *e = config_setting_get_elem(s, i);
                unsigned line = config_setting_source_line(e);
                ConfRaw raw;

                if (raw_of(e, &raw) < 0) {
                        _cleanup_free_ char *path =
                                str_printf("%s.%s", key->path, config_setting_name(e));
                        if (!path)
                                d->oom = true;
                        else
                                draft_error(d, line, path, "is %s; it wants a single value",
                                            kind(e));
                        continue;
                }
                draft_set_entry(d, key, config_setting_name(e), &raw, line);
        }
}

/* [ "name=value" ]: for names that libconfig's grammar does not have, such as
 * "ray.io/availability-zone". */
static void load_table_array(Draft *d, const ConfKey *key, const config_setting_t *s)
{
        for (int i = 0; i < config_setting_length(s); i++) {
                const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
                const char *text = config_setting_get_string(e);
                const char *equal = text ? strchr(text, '=') : NULL;
                unsigned line = config_setting_source_line(e);

                if (!equal || equal == text) {
                        draft_error(d, line, key->path, "has an entry without \"=\"; allowed: %s",
                                    key->allowed);
                        continue;
                }
                _cleanup_free_ char *name = strndup(text, (size_t)(equal - text));
                if (!name) {
                        d->oom = true;
                        return;
                }
                draft_set_entry(d, key, name, &(ConfRaw){.type = CONF_RAW_STRING, .s = equal + 1},
                                line);
        }
}

static void load_key(Draft *d, const ConfKey *key, const config_setting_t *s)
{
        unsigned line = config_setting_source_line(s);
        ConfRaw raw;

        if (key->type == CONF_ORDER)
                load_order(d, key, s);
        else if (key->type == CONF_TABLE && config_setting_is_group(s))
                load_table_group(d, key, s);
        else if (key->type == CONF_TABLE &&
                 (config_setting_is_array(s) || config_setting_is_list(s)))
                load_table_array(d, key, s);
        else if (key->type == CONF_TABLE || raw_of(s, &raw) < 0)
                draft_error(d, line, key->path, "is %s; allowed: %s", kind(s), key->allowed);
        else
                draft_set(d, key, &raw, line);
}

static void unknown(Draft *d, const char *path, unsigned line)
{
        const char *near = conf_key_suggest(path);

        if (d->head)
                draft_error(d, line, path,
                            "is not known to this version; is the head's raycluster a later one?");
        else if (conf_key_is_later(path))
                draft_error(d, line, path, "comes with a later version; leave it out");
        else if (near)
                draft_error(d, line, path, "no such key; did you mean %s?", near);
        else
                draft_error(d, line, path,
                            "no such key; `raycluster config --keys` lists all of them");
}

static void walk_child(Draft *d, config_setting_t *s, const char *path)
{
        const ConfKey *key = conf_key_find(path);
        unsigned line = config_setting_source_line(s);

        if (key && d->head && !room_takes(d, key, line))
                return;
        if (key)
                load_key(d, key, s);
        else if (!conf_section_exists(path))
                unknown(d, path, line);
        else if (!config_setting_is_group(s))
                draft_error(d, line, path, "is %s; write %s: { key = value; };", kind(s), path);
        else
                walk(d, s, path);
}

/* Goes down only where the key table does, so the file's depth is no concern. */
static void walk(Draft *d, config_setting_t *group, const char *prefix)
{
        for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
                config_setting_t *s = config_setting_get_elem(group, i);
                _cleanup_free_ char *path =
                        prefix ? str_printf("%s.%s", prefix, config_setting_name(s))
                               : strdup(config_setting_name(s));
                if (!path) {
                        d->oom = true;
                        return;
                }
                walk_child(d, s, path);
        }
}

static void config_destroyp(config_t *c)
{
        config_destroy(c);
}

/* Of the text as it is: the end that it was given is no line of it. */
static void syntax_error(Draft *d, const config_t *c, const char *text)
{
        const char *what = config_error_text(c);
        unsigned last = 1;

        for (const char *p = strchr(text, '\n'); p; p = strchr(p + 1, '\n'))
                last++;
        unsigned line = MIN((unsigned)config_error_line(c), last);
        if (what && startswith(what, "duplicate"))
                draft_error(d, line, "", "the same key stands twice in one group");
        else
                draft_error(d, line, "",
                            "%s; look here and at the end of the line before for a missing "
                            "\";\", quote or bracket",
                            what ? what : "syntax error");
}

bool draft_read(Draft *d, const char *text, size_t size)
{
        _cleanup_(config_destroyp) config_t c;
        _cleanup_free_ char *whole = NULL;

        config_init(&c);
        if (strlen(text) != size) {
                draft_error(d, 0, "", "has a NUL byte in it; it is not a text file");
                return false;
        }
        if (!conf_prescan(d, text))
                return false;
        /* a comment that ends with the text would be a mistake of syntax to libconfig */
        whole = str_printf("%s\n", text);
        if (!whole) {
                d->oom = true;
                return false;
        }
        /* a door behind the door: nothing can be opened below a file */
        config_set_include_dir(&c, "/dev/null");
        if (config_read_string(&c, whole) != CONFIG_TRUE) {
                syntax_error(d, &c, text);
                return false;
        }
        walk(d, config_root_setting(&c), NULL);
        return true;
}

static int read_one(Draft *d, const char *path, bool must)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        d->file = path;
        int r = read_file(path, CONF_FILE_BYTES_MAX, &text, &size);
        if (r == -ENOMEM)
                return r;
        if (r == -ENOENT && !must)
                return 0;
        if (r == -E2BIG)
                draft_error(d, 0, "", "is larger than 1 MiB; it is no configuration");
        else if (r == -EACCES)
                draft_error(d, 0, "",
                            "cannot be read: Permission denied; it holds no secrets: chmod a+r %s",
                            path);
        else if (r < 0) {
                errno = -r;
                draft_error(d, 0, "", "cannot be read: %m");
        } else
                (void)draft_read(d, text, size);
        return d->oom ? -ENOMEM : 0;
}

static int is_dropin(const struct dirent *e)
{
        return e->d_name[0] != '.' && endswith(e->d_name, ".conf");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name); /* not strcoll(): the same in every locale */
}

static int read_dropins(Draft *d, const char *dir)
{
        struct dirent **list = NULL;
        int n = scandir(dir, &list, is_dropin, by_name), r = 0;

        if (n < 0) {
                if (errno == ENOMEM)
                        return -ENOMEM;
                if (errno != ENOENT)
                        draft_error_at(d, dir, 0, "", "cannot be read: %m");
                return 0;
        }
        if (n > CONF_DROPINS_MAX)
                draft_error_at(d, dir, 0, "", "holds %d files; at most %d are read", n,
                               CONF_DROPINS_MAX);
        for (int i = 0; i < n; i++) {
                if (r == 0 && i < CONF_DROPINS_MAX) {
                        _cleanup_free_ char *path = path_join(dir, list[i]->d_name);
                        r = path ? read_one(d, path, true) : -ENOMEM;
                }
                free(list[i]);
        }
        free(list);
        return r;
}

static int draft_begin(Draft *d)
{
        d->settings = new0(Settings, 1);
        return d->settings ? draft_defaults(d) : -ENOMEM;
}

/* room: NULL = no head has said anything. The files have to be right without it. */
static int draft_end(Draft *d, const char *room, size_t size, Conf **ret, ConfErrors *ignored)
{
        _cleanup_free_ char *own = NULL;

        draft_check(d);
        if (d->errors->n == 0)
                room_write(d, &own);
        if (d->oom)
                return -ENOMEM;
        if (d->errors->n > 0)
                return -EBADMSG;
        int r = room ? room_finish(d, room, size, ret, ignored) : draft_finish(d, ret);
        if (r >= 0)
                (*ret)->room = TAKE_PTR(own);
        return r;
}

int conf_load_member(const char *file, const char *dir, const char *room, size_t size, Conf **ret,
                     ConfErrors *errors, ConfErrors *ignored)
{
        _cleanup_draft_ Draft d = {.errors = errors};

        int r = draft_begin(&d);
        if (r < 0)
                return r;
        r = read_one(&d, file ? file : CONF_FILE, file);
        if (r < 0)
                return r;
        r = read_dropins(&d, dir ? dir : CONF_DIR);
        if (r < 0)
                return r;
        return draft_end(&d, room, size, ret, ignored);
}

int conf_load(const char *file, const char *dir, Conf **ret, ConfErrors *errors)
{
        return conf_load_member(file, dir, NULL, 0, ret, errors, NULL);
}

int conf_load_text(const char *name, const char *text, size_t size, Conf **ret, ConfErrors *errors)
{
        _cleanup_draft_ Draft d = {.errors = errors, .file = name};

        int r = draft_begin(&d);
        if (r < 0)
                return r;
        (void)draft_read(&d, text, size);
        return draft_end(&d, NULL, 0, ret, NULL);
}
