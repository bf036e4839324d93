#include "conf/conf.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/draft.h"

/* --- mistakes -----------------------------------------------------------------------------------
 */

void conf_errors_done(ConfErrors *e)
{
        for (size_t i = 0; i < e->n; i++) {
                free(e->errors[i].file);
                free(e->errors[i].path);
                free(e->errors[i].text);
        }
        free(e->errors);
        *e = (ConfErrors){};
}

char *conf_error_format(const ConfError *e)
{
        char line[16] = "";

        if (e->line > 0)
                snprintf(line, sizeof(line), ":%u", e->line);
        return str_printf("%s%s: %s%s%s", e->file, line, e->path, *e->path ? ": " : "", e->text);
}

_printf_(5, 0) static void add_error(Draft *d, const char *file, unsigned line, const char *path,
                                     const char *fmt, va_list ap)
{
        ConfErrors *e = d->errors;
        _cleanup_free_ char *text = NULL, *f = NULL, *p = NULL;

        if (e->n >= CONF_ERRORS_MAX) {
                e->n_more++;
                return;
        }
        f = strdup(file ? file : CONF_FILE);
        p = str_escape(path, strlen(path), 200);
        if (vasprintf(&text, fmt, ap) < 0)
                text = NULL;
        if (!f || !p || !text || ARRAY_RESERVE(e->errors, e->cap, e->n + 1) < 0) {
                d->oom = true;
                return;
        }
        e->errors[e->n++] = (ConfError){
                .file = TAKE_PTR(f), .line = line, .path = TAKE_PTR(p), .text = TAKE_PTR(text)};
}

void draft_error(Draft *d, unsigned line, const char *path, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        add_error(d, d->file, line, path, fmt, ap);
        va_end(ap);
}

void draft_error_at(Draft *d, const char *file, unsigned line, const char *path, const char *fmt,
                    ...)
{
        va_list ap;

        va_start(ap, fmt);
        add_error(d, file, line, path, fmt, ap);
        va_end(ap);
}

/* --- the finished configuration -----------------------------------------------------------------
 */

Conf *conf_free(Conf *c)
{
        if (!c)
                return NULL;
        settings_free(c->settings);
        for (size_t i = 0; i < c->n_values; i++) {
                free(c->values[i].key);
                free(c->values[i].value);
                free(c->values[i].origin);
                free(c->values[i].over);
        }
        free(c->values);
        free(c->room);
        free(c);
        return NULL;
}

static void origin_done(Origin *o)
{
        free(o->file);
        free(o->over);
}

void draft_done(Draft *d)
{
        settings_free(d->settings);
        for (size_t i = 0; i < CONF_KEYS_N; i++)
                origin_done(&d->origin[i]);
        for (size_t i = 0; i < d->n_entries; i++) {
                free(d->entries[i].name);
                free(d->entries[i].text);
                origin_done(&d->entries[i].origin);
        }
        free(d->entries);
        *d = (Draft){};
}

static char *copy_text(Draft *d, const char *s)
{
        char *copy = s ? strdup(s) : NULL;

        if (s && !copy)
                d->oom = true;
        return copy;
}

static Origin copy_origin(Draft *d, const Origin *o)
{
        return (Origin){copy_text(d, o->file), o->line, copy_text(d, o->over)};
}

/* Tables are in the entries until draft_finish(): of pointers, Settings holds texts alone. */
int draft_copy(Draft *to, const Draft *from)
{
        to->settings = new0(Settings, 1);
        if (!to->settings || ARRAY_RESERVE(to->entries, to->cap_entries, from->n_entries) < 0)
                return -ENOMEM;
        *to->settings = *from->settings;
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *key = &conf_keys[i];
                if (key->type == CONF_STRING || key->type == CONF_WORD) {
                        char **p = (char **)((char *)to->settings + key->offset);
                        *p = copy_text(to, *p);
                }
                to->origin[i] = copy_origin(to, &from->origin[i]);
        }
        for (size_t i = 0; i < from->n_entries; i++) {
                const DraftEntry *e = &from->entries[i];
                to->entries[to->n_entries++] =
                        (DraftEntry){e->key, copy_text(to, e->name), copy_text(to, e->text),
                                     copy_origin(to, &e->origin)};
        }
        return to->oom ? -ENOMEM : 0;
}

static char *origin_text(const Origin *o)
{
        if (!o->file)
                return strdup("default");
        return o->line > 0 ? str_printf("%s:%u", o->file, o->line) : strdup(o->file);
}

/* Takes key and value; NULL among them is out of memory. */
static int add_value(Conf *c, size_t *cap, char *key, char *value, const Origin *o)
{
        _cleanup_free_ char *k = key, *v = value, *origin = origin_text(o),
                            *over = o->over ? strdup(o->over) : NULL;

        if (!k || !v || !origin || (o->over && !over) ||
            ARRAY_RESERVE(c->values, *cap, c->n_values + 1) < 0)
                return -ENOMEM;
        c->values[c->n_values++] =
                (ConfValue){TAKE_PTR(k), TAKE_PTR(v), TAKE_PTR(origin), TAKE_PTR(over)};
        return 0;
}

/* NAME=value as "value"; a bare option is true, one that is not to be there false. */
static char *entry_value(const DraftEntry *e)
{
        const char *value = e->text ? strchr(e->text, '=') : NULL;

        return value ? conf_quote(value + 1) : strdup(e->text ? "true" : "false");
}

/* "engine.env.NAME" for each entry, "engine.env" with "{ }" when there is none. */
static int add_table(Conf *c, size_t *cap, Draft *d, const ConfKey *key)
{
        char ***list = (char ***)((char *)d->settings + key->offset);
        bool any = false;

        for (size_t i = 0; i < d->n_entries; i++) {
                const DraftEntry *e = &d->entries[i];
                if (e->key != key)
                        continue;
                any = true;
                int r = e->text ? strv_extend(list, e->text) : 0;
                if (r < 0)
                        return r;
                r = add_value(c, cap, str_printf("%s.%s", key->path, e->name), entry_value(e),
                              &e->origin);
                if (r < 0)
                        return r;
        }
        return any ? 0 : add_value(c, cap, strdup(key->path), strdup("{ }"), &(Origin){});
}

int draft_finish(Draft *d, Conf **ret)
{
        Conf *c _cleanup_(conf_freep) = new0(Conf, 1);
        size_t cap = 0;

        if (!c)
                return -ENOMEM;
        if (d->settings->disco.control_port == 0)
                d->settings->disco.control_port = d->settings->ports.control;
        d->settings->disco.gcs_port = d->settings->ports.gcs;
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *key = &conf_keys[i];
                int r = key->type == CONF_TABLE
                                ? add_table(c, &cap, d, key)
                                : add_value(c, &cap, strdup(key->path),
                                            conf_format(d->settings, key), &d->origin[i]);
                if (r < 0)
                        return r;
        }
        c->settings = TAKE_PTR(d->settings);
        *ret = TAKE_PTR(c);
        return 0;
}
