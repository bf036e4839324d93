/* One value into its place in Settings. */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/parse.h"
#include "conf/draft.h"

static void *member(Draft *d, const ConfKey *key)
{
        return (char *)d->settings + key->offset;
}

/* "4 is not a duration": the value as a person wrote it, cut and cleaned. */
static char *raw_text(const ConfRaw *raw)
{
        switch (raw->type) {
        case CONF_RAW_STRING: {
                _cleanup_free_ char *e = str_escape(raw->s, strlen(raw->s), 80);
                return e ? str_printf("\"%s\"", e) : NULL;
        }
        case CONF_RAW_INT:
                return str_printf("%lld", (long long)raw->i);
        case CONF_RAW_FLOAT:
                return str_printf("%g", raw->d);
        default:
                return strdup(raw->b ? "true" : "false");
        }
}

static void wrong(Draft *d, const ConfKey *key, const ConfRaw *raw, unsigned line, const char *what)
{
        _cleanup_free_ char *text = raw_text(raw);

        if (!text) {
                d->oom = true;
                return;
        }
        draft_error(d, line, key->path, "%s %s; allowed: %s", text, what, key->allowed);
}

static const char *set_text(Draft *d, const ConfKey *key, const char *s)
{
        if (free_and_strdup(member(d, key), s) < 0)
                d->oom = true;
        return NULL;
}

static bool control_characters(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < 0x20 || *s == 0x7f)
                        return true;
        return false;
}

static const char *set_word(Draft *d, const ConfKey *key, const char *s)
{
        for (int i = 0; key->words[i]; i++) {
                if (!streq(key->words[i], s))
                        continue;
                if (key->type == CONF_TARGET) /* the words stand in the order of LogTarget */
                        *(int *)member(d, key) = i;
                else if (key->type == CONF_LEVEL)
                        *(int *)member(d, key) = log_level_from_string(s);
                else
                        return set_text(d, key, s);
                return NULL;
        }
        return "is not known";
}

static const char *set_duration(Draft *d, const ConfKey *key, const char *s)
{
        usec_t t;
        int r = parse_duration(s, &t);

        if (r == -EINVAL)
                return strspn(s, "0123456789") == strlen(s) && *s
                               ? "has no unit: us, ms, s, min, h, d"
                               : "is not a duration";
        if (r < 0 || t < key->min || t > key->max)
                return "is out of range";
        *(usec_t *)member(d, key) = t;
        return NULL;
}

static const char *set_size(Draft *d, const ConfKey *key, const char *s)
{
        uint64_t n = 0;

        if (!streq(s, "auto")) {
                int r = parse_size(s, &n);
                if (r == -EINVAL)
                        return strspn(s, "0123456789") == strlen(s) && *s
                                       ? "has no unit: B, kB, KiB, MB, MiB, GB, GiB, TB, TiB"
                                       : "is not a size";
                if (r < 0 || n < key->min)
                        return "is out of range";
        }
        *(uint64_t *)member(d, key) = n;
        return NULL;
}

static const char *set_range(Draft *d, const ConfKey *key, const char *s)
{
        uint16_t first, last;

        if (parse_port_range(s, &first, &last) < 0)
                return "is not a range of ports";
        if (first < 1024)
                return "goes below 1024, where only root may listen";
        if ((uint64_t)(last - first) + 1 < key->min)
                return "is too small: every worker process and every driver takes a port";
        uint16_t *p = member(d, key); /* worker_first, worker_last: neighbours in PortPlan */
        p[0] = first;
        p[1] = last;
        return NULL;
}
_Static_assert(offsetof(PortPlan, worker_last) ==
                       offsetof(PortPlan, worker_first) + sizeof(uint16_t),
               "set_range() writes both");

static const char *set_number(Draft *d, const ConfKey *key, int64_t i)
{
        if (key->type == CONF_PORT) {
                if (i > 0 && i < 1024)
                        return "is below 1024, where only root may listen";
                if (i < (int64_t)key->min || i > (int64_t)key->max)
                        return "is not a port";
                *(uint16_t *)member(d, key) = (uint16_t)i;
        } else {
                if (i < (int64_t)key->min || i > (int64_t)key->max)
                        return "is out of range";
                *(int64_t *)member(d, key) = i;
        }
        return NULL;
}

static const char *set_string(Draft *d, const ConfKey *key, const char *s)
{
        const char *bad;

        if (control_characters(s))
                return "has control characters in it";
        switch (key->type) {
        case CONF_STRING:
                bad = key->check ? key->check(s) : NULL;
                return bad ? bad : set_text(d, key, s);
        case CONF_WORD:
        case CONF_LEVEL:
        case CONF_TARGET:
                return set_word(d, key, s);
        case CONF_DURATION:
                return set_duration(d, key, s);
        case CONF_SIZE:
                return set_size(d, key, s);
        case CONF_PORT_RANGE:
                return set_range(d, key, s);
        case CONF_COUNT:
                if (!streq(s, "auto"))
                        break;
                *(int64_t *)member(d, key) = -1;
                return NULL;
        default:
                break;
        }
        return s[strspn(s, "0123456789")] == 0 && *s
                       ? "is a string; write the number without quotes"
                       : "is a string";
}

/* line 0 = the default. A head's word has no line to look at, what it took the place of has. */
static void origin_set(Draft *d, Origin *o, unsigned line)
{
        const char *file = d->head ? ORIGIN_HEAD : line > 0 ? d->file : NULL;

        if (d->head && o->line > 0) {
                o->over = str_printf("%s:%u", o->file, o->line);
                if (!o->over)
                        d->oom = true;
        }
        o->line = d->head ? 0 : line;
        if (free_and_strdup(&o->file, file) < 0)
                d->oom = true;
}

static void remember(Draft *d, const ConfKey *key, unsigned line, bool bad)
{
        size_t i = (size_t)(key - conf_keys);

        if (d->head && bad)
                return; /* the value is still the one from before */
        d->wrong[i] = bad;
        origin_set(d, &d->origin[i], line);
}

void draft_set(Draft *d, const ConfKey *key, const ConfRaw *raw, unsigned line)
{
        bool number = key->type == CONF_PORT || key->type == CONF_COUNT;
        const char *bad;

        if (raw->type == CONF_RAW_STRING)
                bad = set_string(d, key, raw->s);
        else if (raw->type == CONF_RAW_INT && number)
                bad = set_number(d, key, raw->i);
        else if (raw->type == CONF_RAW_INT && key->type == CONF_DURATION)
                bad = "has no unit, and is written in quotes";
        else if (raw->type == CONF_RAW_INT && key->type == CONF_SIZE)
                bad = "has no unit, and is written in quotes";
        else
                bad = raw->type == CONF_RAW_BOOL              ? "is a boolean"
                      : raw->type == CONF_RAW_FLOAT && number ? "is not a whole number"
                                                              : "is a number";
        if (bad)
                wrong(d, key, raw, line, bad);
        remember(d, key, line, bad);
}

void draft_set_order(Draft *d, const ConfKey *key, char *const *words, unsigned line)
{
        DiscoSource order[_DISCO_SOURCE_MAX];
        size_t n = 0;
        bool bad = false;

        STRV_FOREACH (w, words) {
                DiscoSource s = disco_source_from_string(*w);
                const char *what = s < 0 ? "is not known" : NULL;
                for (size_t i = 0; i < n && !what; i++)
                        if (order[i] == s)
                                what = "stands there twice";
                if (what) {
                        wrong(d, key, &(ConfRaw){.type = CONF_RAW_STRING, .s = *w}, line, what);
                        bad = true;
                } else
                        order[n++] = s;
        }
        if (n == 0 && !bad) {
                draft_error(d, line, key->path, "is empty; allowed: %s", key->allowed);
                bad = true;
        }
        if (!bad) {
                memcpy(d->settings->disco.order, order, n * sizeof(order[0]));
                d->settings->disco.n_order = n;
        }
        remember(d, key, line, bad);
}

static DraftEntry *find_entry(Draft *d, const ConfKey *key, const char *name)
{
        for (size_t i = 0; i < d->n_entries; i++)
                if (d->entries[i].key == key && streq(d->entries[i].name, name))
                        return &d->entries[i];
        return NULL;
}

/* A later file's entry takes the place of an earlier one's of the same name. */
static void put_entry(Draft *d, const ConfKey *key, const char *name, char *text, unsigned line)
{
        DraftEntry *e = find_entry(d, key, name);

        if (!e) {
                _cleanup_free_ char *copy = strdup(name);
                if (!copy || ARRAY_RESERVE(d->entries, d->cap_entries, d->n_entries + 1) < 0) {
                        d->oom = true;
                        free(text);
                        return;
                }
                e = &d->entries[d->n_entries++];
                *e = (DraftEntry){.key = key, .name = TAKE_PTR(copy)};
        }
        free(e->text);
        e->text = text;
        origin_set(d, &e->origin, line);
}

void draft_set_entry(Draft *d, const ConfKey *key, const char *name, const ConfRaw *raw,
                     unsigned line)
{
        _cleanup_free_ char *text = NULL, *path = NULL, *clean = NULL;
        const char *bad;
        bool oom = false;

        clean = str_escape(name, strlen(name), 80);
        path = str_printf("%s.%s", key->path, strna(clean));
        if (!clean || !path) {
                d->oom = true;
                return;
        }
        if (d->n_entries >= DRAFT_ENTRIES_MAX) {
                draft_error(d, line, path, "is one entry too many; %d are allowed in all tables",
                            DRAFT_ENTRIES_MAX);
                return;
        }
        if (raw->type == CONF_RAW_STRING && control_characters(raw->s))
                bad = "has control characters in it";
        else
                bad = key->entry(name, raw, &text, &oom);
        if (oom)
                d->oom = true;
        else if (bad)
                draft_error(d, line, path, "%s", bad);
        else
                put_entry(d, key, name, TAKE_PTR(text), line);
}

static int set_default(Draft *d, const ConfKey *key)
{
        _cleanup_strv_free_ char **words = NULL;
        int64_t i;

        switch (key->type) {
        case CONF_TABLE:
                return 0;
        case CONF_ORDER:
                if (strv_split(key->value, " ", &words) < 0)
                        return -ENOMEM;
                draft_set_order(d, key, words, 0);
                return 0;
        case CONF_PORT:
                assert(parse_i64(key->value, &i) == 0);
                draft_set(d, key, &(ConfRaw){.type = CONF_RAW_INT, .i = i}, 0);
                return 0;
        default:
                draft_set(d, key, &(ConfRaw){.type = CONF_RAW_STRING, .s = key->value}, 0);
                return 0;
        }
}

int draft_defaults(Draft *d)
{
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                int r = set_default(d, &conf_keys[i]);
                if (r < 0)
                        return r;
        }
        return d->oom ? -ENOMEM : 0;
}
