#include "probe-cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Colour only where a person looks, and never when they said no (no-color.org). */
static bool want_colour(void)
{
        const char *term = getenv("TERM");
        return isatty(STDOUT_FILENO) && isempty(getenv("NO_COLOR")) && term && !streq(term, "dumb");
}

int output_text(const ProbeReport *r)
{
        const char *on = "", *off = "";
        if (want_colour()) {
                on = r->verdict == VERDICT_OK ? "\033[1;32m" : "\033[1;31m";
                off = "\033[0m";
        }
        printf("%s%s%s  %s%s\n", on, verdict_to_string(r->verdict), off, strempty(r->sentence),
               r->confidence == PROBE_LIKELY ? " (likely)" : "");
        if (!isempty(r->because))
                printf("Because: %s\n", r->because);
        if (!isempty(r->hint))
                printf("Try: %s\n", r->hint);
        return fflush(stdout) == EOF ? -EIO : 0;
}

int output_json(const ProbeReport *r)
{
        return -EOPNOTSUPP;
}
