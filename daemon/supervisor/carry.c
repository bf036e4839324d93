#include "supervisor/carry.h"

#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/strv.h"

struct Carrier {
        const CarryOut *out; /* weak */
        char *name;
        RayLogFile file;
        char task[128]; /* of the task or actor whose prints follow, "" = not said */
        RateLimit rate;
        /* the entry that may still grow */
        bool holding;
        int level;
        char component[48];
        Buf text;
        unsigned n_kept, n_folded, n_repeats;
        usec_t since;
};

Carrier *carrier_new(const CarryOut *out, const char *name)
{
        _cleanup_(carrier_freep) Carrier *c = new0(Carrier, 1);

        if (!c)
                return NULL;
        *c = (Carrier){.out = out,
                       .rate = {.interval = CARRY_INTERVAL, .burst = CARRY_BURST},
                       .text = {.limit = LINES_TEXT_MAX}};
        if (raylog_file(name, &c->file) < 0 || !(c->name = strdup(name)))
                return NULL;
        return TAKE_PTR(c);
}

Carrier *carrier_free(Carrier *c)
{
        if (!c)
                return NULL;
        buf_done(&c->text);
        free(c->name);
        free(c);
        return NULL;
}

/* Of a worker's own core (its C++ half) only what went wrong is of interest: each writes screens of
 * statistics. */
static int level_limit(const Carrier *c)
{
        if (startswith(c->file.component, "core-"))
                return MIN(c->out->level, LOG_WARNING);
        return c->out->level;
}

static void entry(Carrier *c, int level, const char *component, const char *text, usec_t now)
{
        _cleanup_strv_free_ char **fields = NULL;
        char identifier[64];

        if (!ratelimit_below(&c->rate, now))
                return;
        if (c->rate.suppressed > 0) {
                c->out->held_back(c->name, c->rate.suppressed, c->out->userdata);
                c->rate.suppressed = 0;
        }
        (void)snprintf(identifier, sizeof(identifier), "%s%s",
                       startswith(component, "ray") ? "" : "ray-", component);
        int r = strv_extendf(&fields, "RAY_COMPONENT=%s", component);
        if (r >= 0 && !streq(c->name, CARRY_PIPE))
                r = strv_extendf(&fields, "RAY_LOG_FILE=%s", c->name);
        if (r >= 0 && *c->file.job_id)
                r = strv_extendf(&fields, "RAY_JOB_ID=%s", c->file.job_id);
        if (r >= 0 && *c->file.worker_id)
                r = strv_extendf(&fields, "RAY_WORKER_ID=%s", c->file.worker_id);
        if (r >= 0 && *c->task)
                r = strv_extendf(&fields, "RAY_TASK_NAME=%s", c->task);
        if (r >= 0)
                c->out->entry(level, identifier, fields, text, c->out->userdata);
}

static void emit_held(Carrier *c, usec_t now)
{
        char more[48] = "";

        if (!c->holding)
                return;
        c->holding = false;
        /* every minute each of Ray's processes writes screens of statistics */
        if (c->level == LOG_INFO && c->n_folded >= DUMP_LINES)
                c->level = LOG_DEBUG;
        if (c->n_repeats > 0)
                (void)snprintf(more, sizeof(more), " (%u times)", c->n_repeats + 1);
        else if (c->n_folded > 0)
                (void)snprintf(more, sizeof(more), " (+%u lines)", c->n_folded);
        if (c->level <= level_limit(c) && buf_append(&c->text, more, strlen(more) + 1) >= 0)
                entry(c, c->level, c->component, (const char *)buf_data(&c->text), now);
        buf_done(&c->text);
        c->text = (Buf){.limit = LINES_TEXT_MAX};
}

static void hold(Carrier *c, const RayLog *l, usec_t now)
{
        emit_held(c, now);
        c->holding = true;
        c->level = l->level;
        c->n_kept = c->n_folded = c->n_repeats = 0;
        c->since = now;
        /* raylet.err and its like hold what a dying process said last */
        if (l->shape == RAYLOG_PLAIN && endswith(c->name, ".err"))
                c->level = LOG_WARNING;
        (void)snprintf(c->component, sizeof(c->component), "%s",
                       *l->component ? l->component : c->file.component);
        (void)buf_append(&c->text, l->text, strlen(l->text));
}

/* The same again: Ray says some things hundreds of times in a row. */
static bool repeats(const Carrier *c, const RayLog *l, usec_t now)
{
        size_t n = strlen(l->text);

        return c->holding && l->level == c->level && c->n_kept + c->n_folded == 0 &&
               buf_size(&c->text) == n && memcmp(buf_data(&c->text), l->text, n) == 0 &&
               usec_sub(now, c->since) < CARRY_INTERVAL;
}

static void fold(Carrier *c, const char *line)
{
        size_t n = strlen(line);

        if (c->level > LOG_WARNING || c->n_kept >= FOLD_LINES ||
            buf_size(&c->text) + n + 1 > FOLD_BYTES || buf_append(&c->text, "\n", 1) < 0 ||
            buf_append(&c->text, line, n) < 0)
                c->n_folded++;
        else
                c->n_kept++;
}

/* Ray writes into the files of prints whose they are: ":job_id:01000000", ":task_name:f",
 * ":actor_name:A". True: it was such a line. */
static bool marker(Carrier *c, const char *line)
{
        const char *v;

        if (*line != ':')
                return false;
        if ((v = startswith(line, ":job_id:")))
                (void)snprintf(c->file.job_id, sizeof(c->file.job_id), "%s", v);
        else if ((v = startswith(line, ":task_name:")) || (v = startswith(line, ":actor_name:")))
                (void)snprintf(c->task, sizeof(c->task), "%s", v);
        return v;
}

/* "python-core-worker-<id>" is cut in the middle of the id. */
static void piped(Carrier *c, const RayLog *l, usec_t now)
{
        const char *component = *l->component ? l->component : c->file.component;
        int level = c->out->level;

        if (startswith(component, "python-core-")) {
                component = startswith(component, "python-core-d") ? "core-driver" : "core-worker";
                level = MIN(level, LOG_WARNING);
        }
        if (l->level <= level)
                entry(c, l->level, component, l->text, now);
}

void carrier_line(Carrier *c, const char *line, usec_t now)
{
        RayLog l;

        if (!*line)
                return;
        if (c->file.prints && marker(c, line))
                return;
        raylog_parse(line, &l);
        if (c->file.prints)
                /* as they are, one by one, and whatever the level: people look for them */
                entry(c, l.level, c->file.component, l.text, now);
        else if (streq(c->name, CARRY_PIPE)) {
                /* many writers, prints of tasks among them: nothing belongs together for sure */
                piped(c, &l, now);
        } else if (l.shape == RAYLOG_PLAIN && c->holding)
                fold(c, line);
        else if (repeats(c, &l, now))
                c->n_repeats++;
        else
                hold(c, &l, now);
}

void carrier_flush(Carrier *c, usec_t now)
{
        emit_held(c, now);
        if (c->rate.suppressed == 0)
                return;
        c->out->held_back(c->name, c->rate.suppressed, c->out->userdata);
        c->rate.suppressed = 0;
}

void carrier_skipped(Carrier *c, uint64_t bytes, usec_t now)
{
        char text[128];

        (void)snprintf(text, sizeof(text), "(%" PRIu64 " bytes of %.60s were not carried over)",
                       bytes, c->name);
        emit_held(c, now);
        entry(c, LOG_WARNING, c->file.component, text, now);
}
