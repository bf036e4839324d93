#include "probe-cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "probe-cli/timeline.h"

/* Colour only where a person looks, and never when they said no (no-color.org). */
static bool want_colour(void)
{
        const char *term = getenv("TERM");
        return isatty(STDOUT_FILENO) && isempty(getenv("NO_COLOR")) && term && !streq(term, "dumb");
}

/* Green: it works. Yellow: it works badly, or nobody knows. Red: it does not work. */
static const char *colour_of(Verdict v)
{
        if (v == VERDICT_OK)
                return "\033[1;32m";
        return verdict_is_degraded(v) || v == VERDICT_INCONCLUSIVE ? "\033[1;33m" : "\033[1;31m";
}

static void print_time(void)
{
        time_t now = (time_t)(now_real() / USEC_PER_SEC);
        char text[32];
        struct tm tm;
        if (localtime_r(&now, &tm) && strftime(text, sizeof(text), "%H:%M:%S", &tm) > 0)
                printf("%s ", text);
}

int output_text(const ProbeReport *r, const OutputStyle *style)
{
        bool colour = want_colour();

        if (style->stream)
                print_time();
        printf("%s%s%s  %s%s\n", colour ? colour_of(r->verdict) : "", verdict_to_string(r->verdict),
               colour ? "\033[0m" : "", strempty(r->sentence),
               r->confidence == PROBE_LIKELY ? " (likely)" : "");
        if (!isempty(r->because))
                printf("Because: %s\n", r->because);
        if (r->verdict == VERDICT_INCONCLUSIVE && !style->verbose)
                STRV_FOREACH (s, r->missing)
                        printf("Would decide: %s\n", *s);
        if (!isempty(r->hint))
                printf("Try: %s\n", r->hint);
        if (style->verbose)
                timeline_print(r);
        return fflush(stdout) == EOF ? -EIO : 0;
}

int output_report(const ProbeReport *r, const OutputStyle *style)
{
        return style->json ? output_json(r, style) : output_text(r, style);
}
