#include "role/block.h"

#include "base/log.h"
#include "base/str.h"

void block_init(Block *b)
{
        *b = (Block){.recheck = {.base = USEC_PER_SEC, .max = 15 * USEC_PER_SEC}};
}

void block_done(Block *b)
{
        free(TAKE_PTR(b->why));
}

void block_set(Block *b, MessageId id, const char *why)
{
        if (free_and_strdup(&b->why, why) != 0)
                log_event(LOG_WARNING, id, NULL, "blocked: %s", why);
        b->until = usec_add(now_mono(), backoff_next(&b->recheck));
}

void block_clear(Block *b)
{
        if (b->why)
                log_event(LOG_INFO, MSG_UNBLOCKED, NULL, "the machine is ready: no longer \"%s\"",
                          b->why);
        free(TAKE_PTR(b->why));
        b->by_unit = false;
        block_kick(b);
}

void block_kick(Block *b)
{
        b->until = 0;
        backoff_reset(&b->recheck);
}
