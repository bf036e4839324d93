/* One configuration for the room: what a head tells its members, and what a member takes of it.
 *
 *     head      files ──> draft ── room_write() ──> Conf.room ──> the connection
 *
 *     member    files ──> draft ── copy ── room_finish() <── what came, or was kept
 *                            │                  │
 *                            │ it cannot be     │ what it sets counts
 *                            │ used             │
 *                            └──> Conf <────────┘
 *
 * Keys that are each machine's own (ConfKey.room false) are not told to the room. Of these a member
 * takes only what a head may say to one machine (ConfKey.each). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "conf/draft.h"
#include "conf/words.h"

/* --- what a head tells --------------------------------------------------------------------------
 */

typedef struct Writer {
        Draft *draft;
        Buf text;
        const char *section; /* that is open, at the head of a path; NULL = none */
        bool full;           /* and said */
} Writer;

static void writer_done(Writer *w)
{
        buf_done(&w->text);
}

/* at, path: what is being written, for the mistake that there is too much of it. */
_printf_(4, 5) static void put(Writer *w, const Origin *at, const char *path, const char *fmt, ...)
{
        _cleanup_free_ char *s = NULL;
        va_list ap;

        va_start(ap, fmt);
        int n = vasprintf(&s, fmt, ap);
        va_end(ap);
        if (n < 0)
                s = NULL;
        int r = s ? buf_append(&w->text, s, (size_t)n) : -ENOMEM;
        if (r == -EMSGSIZE && !w->full) {
                w->full = true;
                draft_error_at(w->draft, at->file, at->line, path,
                               "is more than fits: what a head tells its workers is at most %zu "
                               "KiB",
                               (CONF_ROOM_MAX - CONF_ROOM_EACH) >> 10);
        } else if (r < 0 && r != -EMSGSIZE)
                w->draft->oom = true;
}

static size_t section_length(const char *path)
{
        return (size_t)(strchr(path, '.') - path);
}

static void open_section(Writer *w, const Origin *at, const char *path)
{
        size_t n = section_length(path);

        if (w->section && strncmp(w->section, path, n + 1) == 0)
                return;
        put(w, at, path, "%s%.*s: {\n", w->section ? "};\n" : "", (int)n, path);
        w->section = path;
}

static void write_value(Writer *w, const ConfKey *key, const Origin *at)
{
        _cleanup_free_ char *value = conf_format(w->draft->settings, key);

        if (!value) {
                w->draft->oom = true;
                return;
        }
        open_section(w, at, key->path);
        put(w, at, key->path, "    %s = %s;\n", strchr(key->path, '.') + 1, value);
}

static int by_name(const void *a, const void *b)
{
        return strcmp((*(const DraftEntry *const *)a)->name, (*(const DraftEntry *const *)b)->name);
}

/* NAME=value as one text: the grammar has no names that begin with "_". But options of ray start
 * may be bare, and the grammar has all their names. */
static char *format_entry(const DraftEntry *e)
{
        const char *value = e->text ? strchr(e->text, '=') : NULL;

        if (e->key->entry != entry_start_arg)
                return conf_quote(e->text);
        if (!value)
                return str_printf("%s = %s", e->name, e->text ? "true" : "false");
        _cleanup_free_ char *quoted = conf_quote(value + 1);
        return quoted ? str_printf("%s = %s", e->name, quoted) : NULL;
}

static void write_entries(Writer *w, const ConfKey *key, const DraftEntry **list, size_t n)
{
        bool group = key->entry == entry_start_arg;

        open_section(w, &list[0]->origin, key->path);
        put(w, &list[0]->origin, key->path, "    %s = %s\n", strchr(key->path, '.') + 1,
            group ? "{" : "[");
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *s = format_entry(list[i]);
                if (!s) {
                        w->draft->oom = true;
                        return;
                }
                put(w, &list[i]->origin, key->path, "        %s%s\n", s,
                    group       ? ";"
                    : i + 1 < n ? ","
                                : "");
        }
        put(w, &list[n - 1]->origin, key->path, "    %s;\n", group ? "}" : "]");
}

/* Sorted: the same entries in another order, or in another file, are the same settings. */
static void write_table(Writer *w, const ConfKey *key)
{
        Draft *d = w->draft;
        _cleanup_free_ const DraftEntry **list = calloc(d->n_entries + 1, sizeof(*list));
        size_t n = 0;

        if (!list) {
                d->oom = true;
                return;
        }
        for (size_t i = 0; i < d->n_entries; i++)
                if (d->entries[i].key == key)
                        list[n++] = &d->entries[i];
        if (n == 0)
                return;
        qsort(list, n, sizeof(*list), by_name);
        write_entries(w, key, list, n);
}

void room_write(Draft *d, char **ret)
{
        _cleanup_(writer_done)
                Writer w = {.draft = d, .text = {.limit = CONF_ROOM_MAX - CONF_ROOM_EACH - 1}};

        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *key = &conf_keys[i];
                if (!key->room)
                        continue;
                if (key->type == CONF_TABLE)
                        write_table(&w, key);
                else if (d->origin[i].file)
                        write_value(&w, key, &d->origin[i]);
        }
        if (w.section)
                put(&w, &(Origin){.file = (char *)d->file}, w.section, "};\n");
        if (w.full || d->oom)
                return;
        size_t n = buf_size(&w.text);
        *ret = n > 0 ? strndup((const char *)buf_data(&w.text), n) : strdup("");
        if (!*ret)
                d->oom = true;
}

/* --- what a member takes ------------------------------------------------------------------------
 */

bool room_takes(Draft *d, const ConfKey *key, unsigned line)
{
        if (!key->room && !key->each) {
                draft_error(d, line, key->path, "is each machine's own; the head has no say in it");
                return false;
        }
        /* an environment of this machine's own has the Ray it has */
        return isempty(d->settings->engine.venv) || !streq(key->path, "engine.version");
}

static bool read_text(Draft *d, const char *text, size_t size)
{
        if (size >= CONF_ROOM_MAX)
                draft_error(d, 0, "", "is larger than %zu KiB", CONF_ROOM_MAX >> 10);
        else if (!utf8_is_printable(text))
                draft_error(d, 0, "", "has bytes in it that are no text");
        else
                return draft_read(d, text, size);
        return false;
}

/* The files were right for themselves: what is wrong now came with the head's word. */
static bool is_contradiction(Draft *d)
{
        size_t before = d->errors->n + d->errors->n_more;

        draft_check(d);
        return d->errors->n + d->errors->n_more > before;
}

int room_finish(Draft *d, const char *text, size_t size, Conf **ret, ConfErrors *ignored)
{
        _cleanup_draft_ Draft m = {.errors = ignored, .file = ORIGIN_HEAD, .head = true};
        const char *why = NULL;

        int r = draft_copy(&m, d);
        if (r < 0)
                return r;
        /* where to knock is not left to a head that may have moved: a port in a file of this
         * machine is the way out */
        if (d->origin[conf_key_find("ports.control") - conf_keys].file)
                m.settings->disco.control_port = d->settings->ports.control;
        if (!read_text(&m, text, size))
                why = "it cannot be read";
        else if (is_contradiction(&m))
                why = "it does not go together with the files of this machine";
        if (why)
                draft_error(&m, 0, "", "what the head has set is left out as a whole: %s", why);
        if (m.oom)
                return -ENOMEM;
        return draft_finish(why ? d : &m, ret);
}
