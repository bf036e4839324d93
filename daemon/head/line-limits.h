/* How many lines of the journal one member is worth: LINE_LIMIT_BURST at once, then one a minute
 * until it has been quiet for one. Whoever comes and goes without end fills no disk, and keeps
 * nobody else's lines out. */
#pragma once

#include "base/time.h"

#define LINE_LIMIT_BURST 10
#define LINE_LIMIT_EVERY USEC_PER_MIN

/* Zero: nobody has written anything. Who wrote nothing for an hour or two is forgotten: it holds
 * members of that time, of whom the roster has a bounded number. */
typedef struct LineLimits {
        void *by_node; /* of tsearch(3) */
        struct LineLimit *first;
        usec_t pruned;
} LineLimits;

void line_limits_done(LineLimits *l);
/* Whether there may be a line of this member now. *ret_more: how many were held back since the
 * last. */
bool line_limits_below(LineLimits *l, const char *node, usec_t now, unsigned *ret_more);
