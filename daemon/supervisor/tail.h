/* Follows all files of one folder, as they grow, by inotify; whole lines come out. Rotation
 * (rename) and truncation are seen. No file is held open between two looks, so the number of files
 * costs no descriptors; the folder is writable by strangers, so only regular files are read. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/time.h"

/* Files known at a time: a busy machine makes some hundred a day, pruning takes them away. */
#define TAIL_FILES_MAX 16384
/* Unread bytes of one file beyond which the oldest are given up: who writes faster than we read
 * must not make us lag for ever. */
#define TAIL_BACKLOG_MAX ((uint64_t)4 << 20)

typedef struct Tail Tail;

typedef struct TailOps {
        /* a file appeared: what on_line and the others get, or NULL to leave it alone */
        void *(*on_file)(const char *name, void *userdata);
        void (*on_line)(void *file, const char *line, void *userdata);
        void (*on_skipped)(void *file, uint64_t bytes, void *userdata);
        /* nothing came for a quarter of a second */
        void (*on_quiet)(void *file, void *userdata);
        /* deleted, or the Tail ends: free it */
        void (*on_gone)(void *file, void *userdata);
        /* one file more than TAIL_FILES_MAX; said once */
        void (*on_full)(void *userdata);
} TailOps;

/* from_end: what is in the folder's files now is old. ops: a static table. -ENOENT: no folder. */
int tail_new(sd_event *event, const char *dir, bool from_end, const TailOps *ops, void *userdata,
             Tail **ret);
Tail *tail_free(Tail *t);
DEFINE_CLEANUP(Tail *, tail_free);

/* Reads all there is, unfinished last lines too, without the loop. */
void tail_drain(Tail *t);
