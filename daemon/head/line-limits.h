/* How many lines of the journal one member is worth: LINE_LIMIT_BURST at once, then one a minute
 * until it has been quiet for one. Whoever comes and goes without end fills no disk, and keeps
 * nobody else's lines out. */
#pragma once

#include "base/ratelimit.h"

#define LINE_LIMIT_BURST 10
#define LINE_LIMIT_EVERY USEC_PER_MIN

/* Of one kind of line, by whomever; *l is zero before the first. `burst` lines at once, then one in
 * LINE_LIMIT_EVERY until one of these was quiet. *ret_more: how many were held back since the last.
 */
bool line_limit_below(RateLimit *l, unsigned burst, usec_t now, unsigned *ret_more);

/* Zero: nobody has written anything. Who wrote nothing for an hour or two is forgotten: it holds
 * members of that time, of whom the roster has a bounded number. */
typedef struct LineLimits {
        void *by_node; /* of tsearch(3) */
        struct LineLimit *first;
        usec_t pruned;
} LineLimits;

void line_limits_done(LineLimits *l);
/* The same, for lines of this member. */
bool line_limits_below(LineLimits *l, const char *node, usec_t now, unsigned *ret_more);
