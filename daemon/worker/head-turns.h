/* Where the head may be, and whose turn it is: each address is dialled once a round. No loop, no
 * clock, no memory of its own; all zeros is an empty one. */
#pragma once

#include <errno.h>

#include "base/addr.h"

/* Of one source; with it there is room for the place where the head was last. */
#define HEAD_TURNS_MAX 32

typedef struct HeadTurns {
        Addr addrs[HEAD_TURNS_MAX + 1];
        size_t n, at; /* at: whose turn it is; 0 while n is 0 */
        size_t tried; /* of this round */
        Addr last;    /* where the head was last; not set: nowhere yet */
} HeadTurns;

typedef enum HeadTurnsChange {
        HEAD_TURNS_SAME,
        HEAD_TURNS_FEWER, /* some are gone, none is new */
        HEAD_TURNS_NEW,
        _HEAD_TURNS_MAX,
        _HEAD_TURNS_INVALID = -EINVAL,
} HeadTurnsChange;

/* NULL: there is none. */
const Addr *head_turns_now(const HeadTurns *t);
/* This one alone, and the head is there. */
void head_turns_only(HeadTurns *t, const Addr *head);
/* The head is at the one whose turn it is; sure: a new round begins with it. */
void head_turns_found(HeadTurns *t, bool sure);
/* False: all had their turn in this round, and its first one has it again. Not on an empty one. */
bool head_turns_next(HeadTurns *t);
/* The likeliest first; beyond HEAD_TURNS_MAX none is taken. Whose turn it was, has it still, if it
 * is among them; else the first one. Where the head was last stays in, unless it is to be `only`
 * these: what a source does not name any more may be the head all the same. n 0: they stay. */
HeadTurnsChange head_turns_set(HeadTurns *t, const Addr *addrs, size_t n, bool only);
