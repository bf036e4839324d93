/* What only this unit can see of the machine, since it runs as Ray's user: can Ray work here at
 * all? Quick and synchronous; nothing is started. */
#pragma once

#include "supervisor/environment.h"

/* Longest temp dir. AF_UNIX paths have 107 bytes, and below it come "/session_", date, time,
 * microseconds and a process id of seven digits (42 bytes), "/sockets/" and the longest socket's
 * name, "dash_MetricsHead" (16). */
#define TEMP_DIR_MAX 39

/* 0: ready. -EAGAIN: not, and *ret_why is one sentence with the remedy (caller frees). Else a
 * negative errno. Makes the temp dir when it is not there. */
int preflight(const EngineArgs *a, const EnginePaths *paths, char **ret_why);

/* The part that needs no machine. 0, -EAGAIN. */
int preflight_temp_dir_length(const char *temp_dir, char **ret_why);
