#include "head/line-limits.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define FORGET_AFTER (60 * USEC_PER_MIN)

bool line_limit_below(RateLimit *l, unsigned burst, usec_t now, unsigned *ret_more)
{
        *ret_more = 0;
        l->interval = LINE_LIMIT_EVERY;
        /* an interval begins: after one in which some were held back, with one line */
        if (l->n == 0 || now - l->begin >= l->interval)
                l->burst = l->suppressed > 0 ? 1 : burst;
        if (!ratelimit_below(l, now))
                return false;
        *ret_more = l->suppressed;
        l->suppressed = 0;
        return true;
}

typedef struct LineLimit LineLimit;
struct LineLimit {
        LineLimit *next;
        char *node;
        RateLimit limit;
        usec_t used;
};

static int compare(const void *a, const void *b)
{
        return strcmp(((const LineLimit *)a)->node, ((const LineLimit *)b)->node);
}

/* Those not used since then, and not before. */
static void prune(LineLimits *l, usec_t since)
{
        for (LineLimit **place = &l->first; *place;) {
                LineLimit *x = *place;
                if (x->used >= since) {
                        place = &x->next;
                        continue;
                }
                *place = x->next;
                (void)tdelete(x, &l->by_node, compare);
                free(x->node);
                free(x);
        }
}

void line_limits_done(LineLimits *l)
{
        prune(l, USEC_INFINITY);
}

static LineLimit *find(LineLimits *l, const char *node)
{
        const LineLimit key = {.node = (char *)node};
        LineLimit *const *found = tfind(&key, &l->by_node, compare);

        if (found)
                return *found;
        LineLimit *x = new0(LineLimit, 1);
        char *copy = strdup(node);
        if (x)
                x->node = copy;
        if (!x || !copy || !tsearch(x, &l->by_node, compare)) {
                free(copy);
                free(x);
                return NULL;
        }
        x->next = l->first;
        l->first = x;
        return x;
}

bool line_limits_below(LineLimits *l, const char *node, usec_t now, unsigned *ret_more)
{
        if (now - l->pruned >= FORGET_AFTER) {
                prune(l, usec_sub(now, FORGET_AFTER));
                l->pruned = now;
        }
        LineLimit *x = find(l, node);
        *ret_more = 0;
        if (!x) /* no memory: better a line too many */
                return true;
        x->used = now;
        return line_limit_below(&x->limit, LINE_LIMIT_BURST, now, ret_more);
}
