/* Who keeps this machine's clock, so that a remedy can be said in its words. Nothing is started or
 * asked over a bus. */
#pragma once

#include <errno.h>

#include "base/strtab.h"

typedef enum ClockKeeper {
        CLOCK_KEEPER_UNKNOWN, /* not looked for, or none that is known here */
        CLOCK_KEEPER_CHRONY,
        CLOCK_KEEPER_TIMESYNCD,
        _CLOCK_KEEPER_MAX,
        _CLOCK_KEEPER_INVALID = -EINVAL,
} ClockKeeper;

DECLARE_STRTAB(clock_keeper, ClockKeeper);

/* The one that runs, else the one that is installed. root: NULL = this machine, else the files
 * below that folder. */
ClockKeeper clock_keeper(const char *root);
