/* At most `burst` events an interval; counts what it held back. Plain value. */
#pragma once

#include "base/time.h"

typedef struct RateLimit {
        usec_t interval;
        unsigned burst;
        usec_t begin;
        unsigned n;
        unsigned suppressed; /* held back since the last event let through; the caller tells and
                                clears it */
} RateLimit;

bool ratelimit_below(RateLimit *r, usec_t now);
