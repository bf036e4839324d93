/* Exit statuses of the programs, as in sysexits(3) and raycluster(1). */
#pragma once

#define EXIT_OK          0
#define EXIT_INTERNAL    1  /* something failed that should not */
#define EXIT_USAGE       2  /* the command line is wrong */
#define EXIT_NOT_RUNNING 3  /* the daemon asked for is not there (as systemctl status) */
#define EXIT_TIMEOUT     4  /* what was waited for did not come in time */
#define EXIT_CONF        78 /* the configuration is wrong; never restarted (EX_CONFIG) */

/* How ray-engine ends, for the daemon that decides what comes next (ray-engine(8)). 0 means that
 * the stop was asked for; STATUS= holds the sentence. The first two do not get better by trying
 * again: wait until something changes. */
#define EXIT_ENGINE_VERSIONS 80 /* Ray or Python differ from the head's */
#define EXIT_ENGINE_BLOCKED  81 /* the machine is not ready: no Ray, disk full, port taken, … */
#define EXIT_ENGINE_START    82 /* Ray did not come up, or not in time */
#define EXIT_ENGINE_LOST     83 /* a process Ray cannot do without ended */
#define EXIT_ENGINE_FROZEN   84 /* a process does not answer any more */
