#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include "base/str.h"
#include "base/strv.h"

/* The one mutable global of the tree (house.md 4): where lines go. */
static struct {
        const char *identifier;
        const char *role;
        bool journal;
        int level;
        log_observer observer;
        void *userdata;
} sink = {.identifier = "raycluster", .level = LOG_INFO};

static const char *const levels[] = {
        [LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",     [LOG_CRIT] = "critical",
        [LOG_ERR] = "error",   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

void log_init(const char *identifier, LogTarget target, int level)
{
        sink.identifier = identifier;
        log_set(target, level);
}

void log_set(LogTarget target, int level)
{
        sink.level = level;
        sink.journal = target == LOG_TARGET_JOURNAL ||
                       (target == LOG_TARGET_AUTO && getenv("JOURNAL_STREAM"));
}

void log_set_role(const char *role)
{
        sink.role = role;
}

int log_level(void)
{
        return sink.level;
}

int log_level_from_string(const char *s)
{
        for (size_t i = 0; i < ELEMENTSOF(levels); i++)
                if (streq(levels[i], s))
                        return (int)i;
        return -EINVAL;
}

const char *log_level_to_string(int level)
{
        return level >= 0 && (size_t)level < ELEMENTSOF(levels) ? levels[level] : NULL;
}

/* A list that grows on the stack as long as it is short: our own lines have few fields. */
#define FIELDS_MAX 32

static void send(char **owned, char *const *fields)
{
        struct iovec iov[FIELDS_MAX * 2];
        int n = 0;

        STRV_FOREACH (f, owned)
                if (n < FIELDS_MAX)
                        iov[n++] = (struct iovec){.iov_base = *f, .iov_len = strlen(*f)};
        STRV_FOREACH (f, fields)
                if (n < FIELDS_MAX * 2)
                        iov[n++] = (struct iovec){.iov_base = *f, .iov_len = strlen(*f)};
        (void)sd_journal_sendv(iov, n);
}

static void to_stderr(int priority, const char *text)
{
        if (priority <= LOG_WARNING)
                (void)fprintf(stderr, "%s: %s: %s\n", sink.identifier, levels[priority], text);
        else
                (void)fprintf(stderr, "%s: %s\n", sink.identifier, text);
}

static int own_fields(char ***l, int priority, const char *text)
{
        int r = strv_extendf(l, "MESSAGE=%s", text);
        if (r >= 0)
                r = strv_extendf(l, "PRIORITY=%d", priority);
        if (r >= 0)
                r = strv_extendf(l, "SYSLOG_IDENTIFIER=%s", sink.identifier);
        if (r >= 0 && sink.role)
                r = strv_extendf(l, "RAYCLUSTER_ROLE=%s", sink.role);
        return r;
}

int log_full(int priority, int error, const char *file, int line, const char *func, const char *fmt,
             ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        int ret = error > 0 ? -error : error;
        if (priority > sink.level)
                return ret;
        errno = -ret;
        va_start(ap, fmt);
        int n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0)
                return ret;
        if (!sink.journal) {
                to_stderr(priority, text);
                return ret;
        }
        _cleanup_strv_free_ char **l = NULL;
        if (own_fields(&l, priority, text) >= 0 && strv_extendf(&l, "CODE_FILE=%s", file) >= 0 &&
            strv_extendf(&l, "CODE_LINE=%d", line) >= 0 &&
            strv_extendf(&l, "CODE_FUNC=%s", func) >= 0 &&
            (ret == 0 || strv_extendf(&l, "ERRNO=%d", -ret) >= 0))
                send(l, NULL);
        return ret;
}

void log_set_observer(log_observer observer, void *userdata)
{
        sink.observer = observer;
        sink.userdata = userdata;
}

void log_event(int priority, MessageId id, char *const *fields, const char *fmt, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        if (priority > sink.level && !sink.observer)
                return;
        va_start(ap, fmt);
        int n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0)
                return;
        if (sink.observer)
                sink.observer(id, text, sink.userdata);
        if (priority > sink.level)
                return;
        if (!sink.journal) {
                to_stderr(priority, text);
                return;
        }
        _cleanup_strv_free_ char **l = NULL;
        if (own_fields(&l, priority, text) >= 0 &&
            strv_extendf(&l, "MESSAGE_ID=%s", message_id_string(id)) >= 0)
                send(l, fields);
}

void log_forward(int priority, const char *identifier, char *const *fields, const char *text)
{
        if (!sink.journal) {
                (void)fprintf(stderr, "%s: %s\n", identifier, text);
                return;
        }
        _cleanup_strv_free_ char **l = NULL;
        if (strv_extendf(&l, "MESSAGE=%s", text) >= 0 &&
            strv_extendf(&l, "PRIORITY=%d", priority) >= 0 &&
            strv_extendf(&l, "SYSLOG_IDENTIFIER=%s", identifier) >= 0)
                send(l, fields);
}
