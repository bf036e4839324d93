#include "wire/probe-json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "base/str.h"
#include "wire/json.h"

#define SCHEMA 1
/* Lists are short; longer ones were not made by a probe. */
#define LIST_MAX 1024

void probe_json_done(ProbeJson *p)
{
        free(p->sentence);
        *p = (ProbeJson){0};
}

/* The foreign text is in it: cut, and nothing that a terminal acts on. */
static int wrong(char **reterr, const char *fmt, ...) _printf_(2, 3);
static int wrong(char **reterr, const char *fmt, ...)
{
        char text[256];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        *reterr = str_escape(text, strlen(text), sizeof(text) - 1);
        return *reterr ? -EBADMSG : -ENOMEM;
}

static int want_text(const Json *o, const char *key, const char **ret, char **reterr)
{
        *ret = json_get_str(o, key);
        return *ret ? 0 : wrong(reterr, "%s: is not there, or is no text", key);
}

/* A line for people. */
static int want_line(const Json *o, const char *key, char **ret, char **reterr)
{
        const char *s = json_get_str(o, key);

        if (isempty(s))
                return wrong(reterr, "%s: is not there, or is no text", key);
        if (strlen(s) > PROBE_JSON_TEXT_MAX)
                return wrong(reterr, "%s: is longer than %d bytes", key, PROBE_JSON_TEXT_MAX);
        if (!utf8_is_printable(s) || strchr(s, '\n'))
                return wrong(reterr, "%s: is not one printable line", key);
        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

/* A literal, or null. */
static int want_addr(const Json *o, const char *key, const char *name, Addr *ret, char **reterr)
{
        const char *s = json_get_str(o, key);
        char bare[ADDR_MAX];

        *ret = (Addr){0};
        if (!s)
                return json_is_nothing(json_get(o, key))
                               ? 0
                               : wrong(reterr, "%s: is not there, or is no address", name);
        /* a zone is an interface of the machine that said so, not of this one */
        str_copy(bare, sizeof(bare), s);
        char *zone = strchr(bare, '%');
        if (zone)
                *zone = '\0';
        if (strlen(s) >= sizeof(bare) || addr_parse(bare, ret) < 0)
                return wrong(reterr, "%s: %.64s is no address", name, s);
        return 0;
}

static int read_verdict(const Json *o, ProbeJson *p, char **reterr)
{
        int64_t schema, code;
        const char *s;

        if (json_get_int(o, "schema", &schema) < 0)
                return wrong(reterr, "schema: is not there, or is no number: this is no report of "
                                     "ray-probe --json");
        if (schema != SCHEMA)
                return wrong(reterr, "schema: is %lld, only %d is known here", (long long)schema,
                             SCHEMA);
        int r = want_text(o, "verdict", &s, reterr);
        if (r < 0)
                return r;
        p->verdict = verdict_from_string(s);
        if (p->verdict < 0)
                return wrong(reterr, "verdict: %.64s is not known here", s);
        if (json_get_int(o, "code", &code) < 0)
                return wrong(reterr, "code: is not there, or is no number");
        if (code != verdict_code(p->verdict))
                return wrong(reterr, "code: is %lld, which is not that of %s", (long long)code, s);
        return 0;
}

static int read_sureness(const Json *o, ProbeJson *p, char **reterr)
{
        const char *s;

        int r = want_text(o, "confidence", &s, reterr);
        if (r < 0)
                return r;
        p->confidence = probe_confidence_from_string(s);
        if (p->confidence < 0)
                return wrong(reterr, "confidence: %.64s is none", s);
        bool open = p->confidence == PROBE_INCONCLUSIVE;
        if (open != (p->verdict == VERDICT_INCONCLUSIVE))
                return wrong(reterr, "confidence: %s does not go with %s", s,
                             verdict_to_string(p->verdict));
        s = json_get_str(o, "direction");
        p->direction = s ? probe_direction_from_string(s) : PROBE_DIRECTION_OUT;
        if (p->direction < 0)
                return wrong(reterr, "direction: %.64s is none", s);
        if (!s && (!open || !json_is_nothing(json_get(o, "direction"))))
                return wrong(reterr, "direction: is not there, or is no text");
        return 0;
}

static int read_where(const Json *o, ProbeJson *p, char **reterr)
{
        const Json *where = json_get(o, "where");
        const char *role = json_get_str(where, "role");

        int r = want_addr(where, "ip", "where.ip", &p->where, reterr);
        if (r < 0)
                return r;
        p->place = role ? probe_place_from_string(role) : PROBE_PLACE_UNKNOWN;
        if (p->place < 0)
                return wrong(reterr, "where.role: %.64s is none", role);
        if (!role && !json_is_nothing(json_get(where, "role")))
                return wrong(reterr, "where.role: is not there, or is no text");
        return 0;
}

static int read_way(const Json *o, ProbeJson *p, char **reterr)
{
        int64_t port;
        const char *at;

        int r = want_addr(o, "address", "address", &p->address, reterr);
        if (r < 0)
                return r;
        if (json_get_int(o, "port", &port) < 0 || port < 1 || port > UINT16_MAX)
                return wrong(reterr, "port: is not there, or is no number from 1 to 65535");
        p->port = (uint16_t)port;
        r = want_text(o, "at", &at, reterr);
        if (r < 0)
                return r;
        if (strlen(at) >= sizeof(p->at) || strspn(at, "0123456789-:.TZ") != strlen(at))
                return wrong(reterr, "at: %.64s is no time", at);
        str_copy(p->at, sizeof(p->at), at);
        return 0;
}

/* Of the facts one is used. */
static int read_facts(const Json *o, ProbeJson *p, char **reterr)
{
        const Json *facts = json_get(o, "facts");
        size_t n = json_length(facts);

        if (!json_is_list(facts) || n > LIST_MAX)
                return wrong(reterr, "facts: is not there, or is no list of a probe's length");
        for (size_t i = 0; i < n; i++) {
                const char *s = json_str(json_at(facts, i));
                const char *source = s ? startswith(s, "source=") : NULL;
                if (!s || !strchr(s, '='))
                        return wrong(reterr, "facts[%zu]: is no key=value", i);
                if (source && addr_parse(source, &p->source) < 0)
                        return wrong(reterr, "facts[%zu]: %.64s is no address", i, source);
        }
        return 0;
}

static int read_all(const Json *o, ProbeJson *p, char **reterr)
{
        int r = read_verdict(o, p, reterr);
        if (r >= 0)
                r = read_sureness(o, p, reterr);
        if (r >= 0)
                r = read_where(o, p, reterr);
        if (r >= 0)
                r = read_way(o, p, reterr);
        if (r >= 0)
                r = read_facts(o, p, reterr);
        return r >= 0 ? want_line(o, "sentence", &p->sentence, reterr) : r;
}

int probe_json_parse(const char *data, size_t size, ProbeJson *ret, char **reterr)
{
        _cleanup_json_ Json *o = NULL;
        _cleanup_probe_json_ ProbeJson p = {0};

        if (size > PROBE_JSON_MAX)
                return wrong(reterr, "is larger than a report can be (%zu bytes)", PROBE_JSON_MAX);
        int r = json_parse(data, size, &o);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !json_is_map(o))
                return wrong(reterr, "is not one JSON object");
        if (json_is_map(json_get(o, "ports")))
                return wrong(reterr, "ports: is there: a report of --all is of many ports, and not "
                                     "of the one that is asked about");
        r = read_all(o, &p, reterr);
        if (r < 0)
                return r;
        *ret = p;
        p = (ProbeJson){0};
        return 0;
}
