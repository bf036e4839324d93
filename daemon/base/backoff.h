/* Exponential back-off with jitter, for every retry in the tree. Plain value; no allocation. */
#pragma once

#include "base/time.h"

typedef struct Backoff {
        usec_t base;      /* first delay */
        usec_t max;       /* cap before jitter */
        unsigned attempt; /* failures since the last reset */
} Backoff;

/* The next delay: base * 2^attempt, at most max, then 75–125 % of it by chance so that a room does
 * not retry in step. */
usec_t backoff_next(Backoff *b);
void backoff_reset(Backoff *b);
