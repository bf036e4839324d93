#include "supervisor/output.h"

#include <errno.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <unistd.h>

#include "base/str.h"
#include "wire/lines.h"
#include "wire/raylog.h"

/* What is kept of a line, for a sentence. */
#define REASON_MAX 300
/* A line may be the first of several for this long. */
#define QUIET (250 * USEC_PER_MSEC)

struct Output {
        int fd; /* weak */
        Lines lines;
        Carrier *carrier;
        char *last, *error;
        sd_event_source *source, *quiet;
};

/* "RuntimeError: …", "ValueError: …", "ray.exceptions.X: …" at the start of a line end a Python
 * traceback. */
static bool ends_traceback(const char *line)
{
        const char *colon = strstr(line, ": ");

        if (!colon || memchr(line, ' ', (size_t)(colon - line)))
                return false;
        size_t n = (size_t)(colon - line);
        return (n >= 5 && memcmp(colon - 5, "Error", 5) == 0) ||
               (n >= 9 && memcmp(colon - 9, "Exception", 9) == 0);
}

static void keep(char **at, const char *line)
{
        char *copy = str_escape(line, strlen(line), REASON_MAX);

        if (!copy)
                return;
        free(*at);
        *at = copy;
}

/* `ray start` tells the user what to type next, `ray stop` among it: not here. */
static bool is_advice(const RayLog *l)
{
        return l->shape == RAYLOG_PYTHON && l->level > LOG_WARNING &&
               (startswith(l->text, "scripts.py:") ||
                startswith(l->text, "cli_output_helpers.py:"));
}

static int on_line(const char *line, void *userdata)
{
        Output *o = userdata;
        RayLog l;

        if (!*line)
                return 0;
        raylog_parse(line, &l);
        if (!is_advice(&l))
                carrier_line(o->carrier, line, now_mono());
        if (ends_traceback(line) || l.level <= LOG_ERR)
                keep(&o->error, l.text);
        else if (l.shape == RAYLOG_PLAIN)
                keep(&o->last, line);
        return 0;
}

/* false: nothing more to come now; at the end of the stream the source goes. */
static bool read_some(Output *o)
{
        char buf[16 << 10];

        ssize_t n = read(o->fd, buf, sizeof(buf));
        if (n > 0) {
                (void)lines_feed(&o->lines, buf, (size_t)n, on_line, o);
                return true;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        (void)lines_flush(&o->lines, on_line, o);
        o->source = sd_event_source_disable_unref(o->source);
        return false;
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Output *o = userdata;

        (void)read_some(o);
        (void)sd_event_source_set_time_relative(o->quiet, QUIET);
        (void)sd_event_source_set_enabled(o->quiet, SD_EVENT_ONESHOT);
        return 0;
}

static int on_quiet(sd_event_source *source, uint64_t usec, void *userdata)
{
        Output *o = userdata;

        carrier_flush(o->carrier, now_mono());
        return 0;
}

int output_new(sd_event *event, int fd, const CarryOut *out, Output **ret)
{
        _cleanup_(output_freep) Output *o = new0(Output, 1);

        if (!o)
                return -ENOMEM;
        o->fd = fd;
        o->carrier = carrier_new(out, CARRY_PIPE);
        if (!o->carrier)
                return -ENOMEM;
        int r = sd_event_add_io(event, &o->source, fd, EPOLLIN, on_output, o);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &o->quiet, CLOCK_MONOTONIC, QUIET, 0,
                                               on_quiet, o);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

Output *output_free(Output *o)
{
        if (!o)
                return NULL;
        sd_event_source_disable_unref(o->source);
        sd_event_source_disable_unref(o->quiet);
        carrier_free(o->carrier);
        lines_done(&o->lines);
        free(o->last);
        free(o->error);
        free(o);
        return NULL;
}

void output_drain(Output *o)
{
        /* a bound, because what writes may still write */
        for (int i = 0; i < 64 && o->source; i++)
                if (!read_some(o))
                        break;
        carrier_flush(o->carrier, now_mono());
}

const char *output_reason(const Output *o)
{
        return o->error ? o->error : strempty(o->last);
}
