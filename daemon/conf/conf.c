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
        }
        free(c->values);
        free(c);
        return NULL;
}

void draft_done(Draft *d)
{
        settings_free(d->settings);
        for (size_t i = 0; i < CONF_KEYS_N; i++)
                free(d->origin[i].file);
        for (size_t i = 0; i < d->n_entries; i++) {
                free(d->entries[i].name);
                free(d->entries[i].text);
                free(d->entries[i].file);
        }
        free(d->entries);
        *d = (Draft){};
}

static char *origin_text(const char *file, unsigned line)
{
        return file ? str_printf("%s:%u", file, line) : strdup("default");
}

/* Takes key, value and origin; NULL among them is out of memory. */
static int add_value(Conf *c, size_t *cap, char *key, char *value, char *origin)
{
        if (!key || !value || !origin || ARRAY_RESERVE(c->values, *cap, c->n_values + 1) < 0) {
                free(key);
                free(value);
                free(origin);
                return -ENOMEM;
        }
        c->values[c->n_values++] = (ConfValue){.key = key, .value = value, .origin = origin};
        return 0;
}

/* "engine.env.NAME" for each entry, "engine.env" with "{ }" when there is none. */
static int add_table(Conf *c, size_t *cap, Draft *d, const ConfKey *key)
{
        char ***list = (char ***)((char *)d->settings + key->offset);
        bool any = false;

        for (size_t i = 0; i < d->n_entries; i++) {
                const DraftEntry *e = &d->entries[i];
                if (e->key != key || !e->text)
                        continue;
                any = true;
                const char *value = strchr(e->text, '=');
                int r = strv_extend(list, e->text);
                if (r < 0)
                        return r;
                r = add_value(c, cap, str_printf("%s.%s", key->path, e->name),
                              value ? conf_quote(value + 1) : strdup("true"),
                              origin_text(e->file, e->line));
                if (r < 0)
                        return r;
        }
        return any ? 0 : add_value(c, cap, strdup(key->path), strdup("{ }"), strdup("default"));
}

int draft_finish(Draft *d, Conf **ret)
{
        Conf *c _cleanup_(conf_freep) = new0(Conf, 1);
        size_t cap = 0;

        if (!c)
                return -ENOMEM;
        d->settings->disco.control_port = d->settings->ports.control;
        d->settings->disco.gcs_port = d->settings->ports.gcs;
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *key = &conf_keys[i];
                int r = key->type == CONF_TABLE
                                ? add_table(c, &cap, d, key)
                                : add_value(c, &cap, strdup(key->path),
                                            conf_format(d->settings, key),
                                            origin_text(d->origin[i].file, d->origin[i].line));
                if (r < 0)
                        return r;
        }
        c->settings = TAKE_PTR(d->settings);
        *ret = TAKE_PTR(c);
        return 0;
}
