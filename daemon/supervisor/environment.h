/* The environment of Ray: built from nothing, so that no variable of whoever started the unit
 * changes what Ray does. Pure. */
#pragma once

#include "wire/engine-args.h"

typedef struct EnginePaths {
        const char *home;    /* HOME of Ray and of its tasks */
        const char *gcs_dir; /* where RocksDB keeps the head's tables */
} EnginePaths;

/* Workers wait this long for a head that reboots before their raylets give up; Ray's own patience
 * is 60 s (design 5). */
#define WORKER_PATIENCE_S 600

/* Ray rotates its own open files; its default of 512 MiB × 5 for each of some forty files fills a
 * disk. A site's engine.env changes it. */
#define RAY_ROTATION_BYTES ((uint64_t)64 << 20)
#define RAY_ROTATION_COUNT 2

/* "KEY=value" list in the order: base, the site's engine.env, what raycluster owns; each key once,
 * the last word wins. Caller frees. */
int environment_build(const EngineArgs *a, const EnginePaths *paths, char ***ret);
