/* Keeps Ray's files within bounds: sessions that are over, and closed files of the session that
 * runs. Never a file that a process holds open, never the session that session_latest names (a head
 * with a store takes it up again). Ray itself rotates the files it has open, and removes nothing.
 *
 * Blocks on the disk: run in a process of its own (ray-engine --prune=DIR), or when there is
 * nothing to do before there is room. */
#pragma once

#include "base/time.h"

typedef struct PruneItem {
        char *path;
        uint64_t bytes;
        usec_t changed; /* last change, realtime */
        bool gone;      /* plan: remove it */
} PruneItem;

typedef struct PruneLimits {
        uint64_t bytes; /* of all that is kept */
        usec_t age;     /* older ones go */
        usec_t grace;   /* younger ones stay, whatever their size: somebody may still read them */
        size_t count;
} PruneLimits;

/* A week is what people look back; a gibibyte is what a small disk has to spare. */
#define PRUNE_SESSIONS                                                                             \
        ((PruneLimits){.bytes = UINT64_C(1) << 30,                                                 \
                       .age = 7 * 24 * 60 * USEC_PER_MIN,                                          \
                       .grace = 10 * USEC_PER_MIN,                                                 \
                       .count = 10})
#define PRUNE_FILES                                                                                \
        ((PruneLimits){.bytes = UINT64_C(1) << 30,                                                 \
                       .age = 7 * 24 * 60 * USEC_PER_MIN,                                          \
                       .grace = 10 * USEC_PER_MIN,                                                 \
                       .count = 10000})

/* How often it is looked at while Ray runs. */
#define PRUNE_INTERVAL (60 * USEC_PER_MIN)

/* Pure: sets `gone` of those beyond the limits, the oldest first; sorts the newest to the front. */
void prune_plan(PruneItem *items, size_t n, const PruneLimits *limits, usec_t now);

typedef struct PruneResult {
        size_t sessions, files;
        uint64_t bytes;
} PruneResult;

/* proc: NULL = "/proc". Best effort; the first error. */
int prune_run(const char *temp_dir, const char *proc, usec_t now, PruneResult *ret);
