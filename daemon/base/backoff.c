#include "base/backoff.h"

#include <errno.h>
#include <sys/random.h>

usec_t backoff_next(Backoff *b)
{
        usec_t delay = b->base;

        for (unsigned i = 0; i < b->attempt && delay < b->max; i++)
                delay *= 2;
        if (delay > b->max)
                delay = b->max;
        if (b->attempt < 62)
                b->attempt++;

        uint32_t dice = 0;
        if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
                dice = (uint32_t)now_mono();
        return delay * 3 / 4 + delay / 2 * (dice & 0xffff) / 0xffff;
}

void backoff_reset(Backoff *b)
{
        b->attempt = 0;
}
