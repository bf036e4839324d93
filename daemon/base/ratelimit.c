#include "base/ratelimit.h"

bool ratelimit_below(RateLimit *r, usec_t now)
{
        if (r->n == 0 || now - r->begin >= r->interval) {
                r->begin = now;
                r->n = 0;
        }
        if (r->n < r->burst) {
                r->n++;
                return true;
        }
        r->suppressed++;
        return false;
}
