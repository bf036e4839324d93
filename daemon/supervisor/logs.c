#include "supervisor/logs.h"

#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "supervisor/carry.h"
#include "supervisor/tail.h"

struct Logs {
        sd_event *event; /* weak */
        bool files;
        char *temp_dir;
        char *session; /* the folder of the session that is followed, NULL = none */
        Tail *tail;
        CarryOut out;
};

static void out_entry(int priority, const char *identifier, char *const *fields, const char *text,
                      void *userdata)
{
        log_forward(priority, identifier, fields, text);
}

static void out_held_back(const char *file, uint64_t lines, void *userdata)
{
        log_event(LOG_NOTICE, MSG_RAY_LOG_SUPPRESSED, NULL,
                  "Held back %" PRIu64 " lines of Ray's %s; they are in the file.", lines, file);
}

static void *on_file(const char *name, void *userdata)
{
        Logs *l = userdata;

        return carrier_new(&l->out, name);
}

static void on_line(void *file, const char *line, void *userdata)
{
        carrier_line(file, line, now_mono());
}

static void on_skipped(void *file, uint64_t bytes, void *userdata)
{
        carrier_skipped(file, bytes, now_mono());
}

static void on_quiet(void *file, void *userdata)
{
        carrier_flush(file, now_mono());
}

static void on_gone(void *file, void *userdata)
{
        carrier_flush(file, now_mono());
        carrier_free(file);
}

static void on_full(void *userdata)
{
        log_event(LOG_WARNING, MSG_RAY_LOG_SUPPRESSED, NULL,
                  "More than %d log files of Ray: the newest are not carried to the journal.",
                  TAIL_FILES_MAX);
}

static const TailOps tail_ops = {
        .on_file = on_file,
        .on_line = on_line,
        .on_skipped = on_skipped,
        .on_quiet = on_quiet,
        .on_gone = on_gone,
        .on_full = on_full,
};

/* Where session_latest points, NULL when nowhere. */
static char *session_dir(const Logs *l)
{
        _cleanup_free_ char *link = path_join(l->temp_dir, "session_latest");
        char target[PATH_MAX];

        if (!link)
                return NULL;
        ssize_t n = readlink(link, target, sizeof(target) - 1);
        if (n <= 0)
                return NULL;
        target[n] = 0;
        return *target == '/' ? strdup(target) : path_join(l->temp_dir, target);
}

static void look(Logs *l, bool from_end)
{
        _cleanup_free_ char *session = session_dir(l), *dir = NULL;
        _cleanup_(tail_freep) Tail *tail = NULL;

        if (!l->files || !session || (l->session && streq(session, l->session)))
                return;
        dir = path_join(session, "logs");
        if (!dir || tail_new(l->event, dir, from_end, &tail_ops, l, &tail) < 0)
                return; /* Ray makes the link first and its folder a moment later */
        log_debug("Following the logs in %s.", dir);
        tail_free(l->tail);
        l->tail = TAKE_PTR(tail);
        free(l->session);
        l->session = TAKE_PTR(session);
}

int logs_new(sd_event *event, const char *temp_dir, int level, bool files, Logs **ret)
{
        _cleanup_(logs_freep) Logs *l = new0(Logs, 1);

        if (!l)
                return -ENOMEM;
        *l = (Logs){.event = event,
                    .files = files,
                    .temp_dir = strdup(temp_dir),
                    .out = {.entry = out_entry, .held_back = out_held_back, .level = level}};
        if (!l->temp_dir)
                return -ENOMEM;
        look(l, true);
        *ret = TAKE_PTR(l);
        return 0;
}

Logs *logs_free(Logs *l)
{
        if (!l)
                return NULL;
        tail_free(l->tail);
        free(l->session);
        free(l->temp_dir);
        free(l);
        return NULL;
}

const CarryOut *logs_out(const Logs *l)
{
        return &l->out;
}

void logs_look(Logs *l)
{
        look(l, false);
}

void logs_drain(Logs *l)
{
        if (l->tail)
                tail_drain(l->tail);
}
