/* The daemons' command line. */
#pragma once

#include "base/log.h"

typedef struct Options {
        char *config;   /* --config FILE, or NULL */
        bool check;     /* --check: read the configuration, say what is wrong, end */
        int log_target; /* LogTarget, or -1: as configured */
        int log_level;  /* syslog priority, or -1: as configured */
} Options;

void options_done(Options *o);

/* Returns 1 to go on; 0 when all is said (--help, --version); -EINVAL for a wrong command line,
 * which is said on stderr. name: "ray-headd"; what: one line of help. */
int options_parse(int argc, char **argv, const char *name, const char *what, Options *ret);
