#include "probe-cli/progress.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

/* What is over sooner needs no explanation. */
#define PATIENCE USEC_PER_SEC
#define LOOK     (250 * USEC_PER_MSEC)
#define TEXT_MAX 512

struct Progress {
        progress_say say;
        void *userdata;
        char shown[TEXT_MAX]; /* on the terminal now, or "" */
        sd_event_source *timer;
};

static size_t columns(void)
{
        struct winsize w;
        return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) >= 0 && w.ws_col > 1 ? w.ws_col - 1U : 79;
}

void progress_erase(Progress *p)
{
        if (!p || !*p->shown)
                return;
        fputs("\r\033[K", stderr);
        *p->shown = 0;
}

static void show(Progress *p, const char *line)
{
        if (streq(line, p->shown))
                return;
        progress_erase(p);
        fputs(line, stderr);
        str_copy(p->shown, sizeof(p->shown), line);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Progress *p = userdata;
        char text[TEXT_MAX - 32] = "", line[TEXT_MAX] = "";
        usec_t since = 0;

        p->say(text, sizeof(text), &since, p->userdata);
        usec_t passed = usec_sub(now_mono(), since);
        if (*text && passed >= PATIENCE)
                (void)snprintf(line, sizeof(line), "%s, %llu s", text,
                               (unsigned long long)(passed / USEC_PER_SEC));
        /* one that the terminal breaks in two could not be erased */
        line[MIN(columns(), sizeof(line) - 1)] = 0;
        show(p, line);
        (void)sd_event_source_set_time_relative(s, LOOK);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

int progress_new(sd_event *event, progress_say say, void *userdata, Progress **ret)
{
        const char *term = getenv("TERM");

        *ret = NULL;
        if (!isatty(STDERR_FILENO) || !term || streq(term, "dumb"))
                return 0;
        _cleanup_(progress_freep) Progress *p = new0(Progress, 1);
        if (!p)
                return -ENOMEM;
        *p = (Progress){.say = say, .userdata = userdata};
        int r = sd_event_add_time_relative(event, &p->timer, CLOCK_MONOTONIC, LOOK, USEC_PER_MSEC,
                                           on_timer, p);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

Progress *progress_free(Progress *p)
{
        if (!p)
                return NULL;
        progress_erase(p);
        sd_event_source_disable_unref(p->timer);
        free(p);
        return NULL;
}
