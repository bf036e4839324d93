#include "sys/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <systemd/sd-daemon.h>

/* One line for STATUS=: a line break would begin a new assignment. */
__attribute__((format(printf, 2, 0))) static void one_line(char buf[NOTIFY_STATUS_MAX],
                                                           const char *fmt, va_list ap)
{
        (void)vsnprintf(buf, NOTIFY_STATUS_MAX, fmt, ap);
        for (char *p = buf; *p; p++)
                if (*p == '\n' || *p == '\r')
                        *p = ' ';
}

void notify_ready(const char *fmt, ...)
{
        char text[NOTIFY_STATUS_MAX];
        va_list ap;

        va_start(ap, fmt);
        one_line(text, fmt, ap);
        va_end(ap);
        (void)sd_notifyf(0, "READY=1\nSTATUS=%s", text);
}

void notify_status(const char *fmt, ...)
{
        char text[NOTIFY_STATUS_MAX];
        va_list ap;

        va_start(ap, fmt);
        one_line(text, fmt, ap);
        va_end(ap);
        (void)sd_notifyf(0, "STATUS=%s", text);
}

void notify_stopping(const char *fmt, ...)
{
        char text[NOTIFY_STATUS_MAX];
        va_list ap;

        va_start(ap, fmt);
        one_line(text, fmt, ap);
        va_end(ap);
        (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", text);
}

void notify_reloading(void)
{
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_mono());
}

void notify_extend_timeout(usec_t t)
{
        (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, t);
}

int notify_watchdog(sd_event *event)
{
        int r = sd_event_set_watchdog(event, true);

        return r < 0 ? r : 0;
}
