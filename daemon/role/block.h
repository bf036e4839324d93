/* Why the machine is not ready for Ray, and when it is looked at again. Told to the journal once a
 * reason, and once when it is mended. */
#pragma once

#include "base/backoff.h"
#include "base/messages.h"

typedef struct Block {
        char *why;    /* NULL = nothing is in the way, as far as is known */
        bool by_unit; /* the unit said so, and only it can see that it is mended */
        usec_t until; /* monotonic: not looked at before */
        Backoff recheck;
} Block;

void block_init(Block *b);
void block_done(Block *b);

void block_set(Block *b, MessageId id, const char *why);
void block_clear(Block *b);
/* It may be mended: looked at now. */
void block_kick(Block *b);
