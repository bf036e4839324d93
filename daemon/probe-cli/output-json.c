#include "probe-cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "probe-cli/output-other.h"
#include "probe-cli/output-ports.h"

/* RFC 3339, UTC. */
static const char *format_at(char buf[40])
{
        usec_t now = now_real();
        time_t seconds = (time_t)(now / USEC_PER_SEC);
        char text[32];
        struct tm tm;

        if (!gmtime_r(&seconds, &tm) || strftime(text, sizeof(text), "%FT%T", &tm) == 0)
                return NULL;
        (void)snprintf(buf, 40, "%s.%03uZ", text, (unsigned)(now % USEC_PER_SEC / USEC_PER_MSEC));
        return buf;
}

static int set_addr(Json *j, const char *key, const Addr *a)
{
        char buf[ADDR_MAX];
        return json_set_str(j, key, addr_is_set(a) ? addr_format(buf, a) : NULL);
}

/* What is not known is null, never false, and never left out. */
static int set_verdict(Json *j, const ProbeReport *r)
{
        Json *where = json_object_new();
        int k = where ? 0 : -ENOMEM;

        if (k >= 0)
                k = set_addr(where, "ip", &r->where);
        if (k >= 0)
                k = json_set_str(where, "role",
                                 r->place == PROBE_PLACE_UNKNOWN ? NULL
                                                                 : probe_place_to_string(r->place));
        char at[40];
        if (k >= 0)
                k = json_set_int(j, "schema", 1);
        if (k >= 0)
                k = json_set_str(j, "at", format_at(at));
        if (k >= 0)
                k = json_set_str(j, "verdict", verdict_to_string(r->verdict));
        if (k >= 0)
                k = json_set_int(j, "code", verdict_code(r->verdict));
        if (k >= 0)
                k = json_set_str(j, "confidence", probe_confidence_to_string(r->confidence));
        if (k >= 0)
                k = json_set_str(j, "direction",
                                 r->confidence == PROBE_INCONCLUSIVE
                                         ? NULL
                                         : probe_direction_to_string(r->direction));
        if (k < 0) {
                json_free(where);
                return k;
        }
        return json_set(j, "where", where);
}

static int set_words(Json *j, const ProbeReport *r)
{
        int k = json_set_str(j, "sentence", r->sentence);
        if (k >= 0)
                k = json_set_str(j, "because", isempty(r->because) ? NULL : r->because);
        if (k >= 0)
                k = json_set_str(j, "hint", isempty(r->hint) ? NULL : r->hint);
        if (k >= 0)
                k = set_addr(j, "address", &r->addr);
        if (k >= 0)
                k = json_set_int(j, "port", r->port);
        if (k >= 0)
                k = json_set_str(j, "ray_version", isempty(r->head.ray) ? NULL : r->head.ray);
        if (k >= 0)
                k = json_set_str(j, "python_version",
                                 isempty(r->head.python) ? NULL : r->head.python);
        return k >= 0 ? json_set_strv(j, "facts", r->facts) : k;
}

/* "fact: what would be needed to know it" as an object of the two. */
static int push_missing(Json *array, const char *s)
{
        const char *colon = strstr(s, ": ");
        _cleanup_free_ char *name = strndup(s, colon ? (size_t)(colon - s) : strlen(s));
        _cleanup_json_ Json *o = json_object_new();
        if (!name || !o)
                return -ENOMEM;
        int k = json_set_str(o, "name", name);
        if (k >= 0)
                k = json_set_str(o, "needs", colon ? colon + 2 : NULL);
        return k < 0 ? k : json_push(array, TAKE_PTR(o));
}

static int push_step(Json *array, const ProbeStep *s)
{
        _cleanup_json_ Json *o = json_object_new();
        int k = o ? json_set_str(o, "name", s->name) : -ENOMEM;
        if (k >= 0)
                k = json_set_real(o, "at_ms", (double)s->at / (double)USEC_PER_MSEC);
        if (k >= 0)
                k = json_set_real(o, "t_ms", (double)s->took / (double)USEC_PER_MSEC);
        if (k >= 0)
                k = json_set_str(o, "result", s->result);
        return k < 0 ? k : json_push(array, TAKE_PTR(o));
}

static int set_lists(Json *j, const ProbeReport *r)
{
        _cleanup_json_ Json *missing = json_array_new();
        _cleanup_json_ Json *others = json_array_new();
        _cleanup_json_ Json *steps = json_array_new();
        int k = missing && others && steps ? 0 : -ENOMEM;

        STRV_FOREACH (s, r->missing) {
                if (k >= 0)
                        k = push_missing(missing, *s);
        }
        for (size_t i = 0; i < r->n_alternatives && k >= 0; i++)
                k = json_push_str(others, verdict_to_string(r->alternatives[i]));
        for (size_t i = 0; i < r->n_steps && k >= 0; i++)
                k = push_step(steps, &r->steps[i]);
        if (k >= 0)
                k = json_set(j, "alternatives", TAKE_PTR(others));
        if (k >= 0)
                k = json_set(j, "missing_facts", TAKE_PTR(missing));
        return k >= 0 ? json_set(j, "steps", TAKE_PTR(steps)) : k;
}

int output_json(const ProbeReport *r, const OutputStyle *style)
{
        _cleanup_json_ Json *j = json_object_new();
        if (!j)
                return -ENOMEM;
        int k = set_verdict(j, r);
        if (k >= 0)
                k = set_words(j, r);
        if (k >= 0)
                k = json_set(j, "other_side", other_side_json(r));
        if (k >= 0)
                k = json_set(j, "ports", ports_json(r));
        if (k >= 0)
                k = set_lists(j, r);
        if (k < 0)
                return k;
        _cleanup_free_ char *text = json_format(j, !style->stream);
        if (!text)
                return -ENOMEM;
        puts(text);
        return fflush(stdout) == EOF ? -EIO : 0;
}
