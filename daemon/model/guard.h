/* Who may still try: counts wrong proofs by where they come from, and makes whoever guesses wait.
 *
 * Five wrong ones are a person with a bad day; from then on each costs a pause that doubles, up to
 * an hour. A right one is forgiven all. IPv4 is counted by address, IPv6 by /64, which is what one
 * machine has. A flood from many addresses does not make us keep more: the source that was quiet
 * for longest is forgotten, and all sources together may try GUARD_ALL a minute, so that forgetting
 * helps nobody. Pure: the time is handed in, monotonic. */
#pragma once

#include "base/addr.h"
#include "base/time.h"

#define GUARD_FREE    5
#define GUARD_PAUSE   (10 * USEC_PER_SEC)
#define GUARD_LONGEST (60 * USEC_PER_MIN)
/* More sources than a room has machines. */
#define GUARD_SOURCES 256
/* Wrong proofs from anywhere; a room where more than one in a second goes wrong is under attack. */
#define GUARD_ALL 60

typedef struct GuardSource {
        uint64_t key[2]; /* 0, 0 = nobody */
        unsigned wrong;
        usec_t seen;
        usec_t until; /* locked */
} GuardSource;

typedef struct Guard {
        GuardSource sources[GUARD_SOURCES];
        usec_t minute; /* began */
        unsigned all;  /* wrong ones since */
} Guard;

/* 0: may try; else how long it has to wait. */
usec_t guard_wait(const Guard *g, const Addr *from, usec_t now);
/* Counts one; returns how long the source is locked now, 0 = not yet. */
usec_t guard_wrong(Guard *g, const Addr *from, usec_t now);
void guard_right(Guard *g, const Addr *from);
