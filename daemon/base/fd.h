/* Files and descriptors. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/macro.h"

/* Closes when >= 0, keeps errno, returns -EBADF: `fd = safe_close(fd)`. */
int safe_close(int fd);

static inline void closep(int *fd)
{
        (void)safe_close(*fd);
}

static inline void fclosep(FILE **f)
{
        if (*f)
                fclose(*f);
}

#define _cleanup_close_  _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* The whole of a file, NUL-ended behind *ret_size bytes (ret_size may be NULL); -E2BIG beyond `max`
 * bytes. */
int read_file(const char *path, size_t max, char **ret, size_t *ret_size);

/* Writes a temporary name beside `path`, sets exactly `mode` (whatever the umask) and, if gid !=
 * (gid_t)-1, the group, syncs and renames: a reader sees the old or the new file, never half of
 * one. */
int write_file_atomic(const char *path, const void *data, size_t size, mode_t mode, gid_t gid);

/* What was made, renamed or removed in the directory outlives a power cut. */
int sync_dir(const char *path);

/* A new string "a/b", or NULL when out of memory. */
char *path_join(const char *a, const char *b) _warn_unused_result_;
