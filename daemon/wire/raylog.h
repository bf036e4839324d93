/* A line of Ray's logs -> how urgent it is, and what it says. Three shapes (ray-facts 13):
 *
 *     [2026-11-23 07:47:09,531 I 11812 11812] (gcs_server) file.cc:916: text          C++
 *     2026-11-23 07:46:50,621<TAB>INFO log_monitor.py:182 -- text                     Python
 *     anything else                                   a print, or the continuation of a dump
 *
 * C++ may put "[state-dump]" before its text; Python may put "(name)" before the file. */
#pragma once

#include "base/macro.h"

typedef enum RayLogShape {
        RAYLOG_PLAIN, /* no head: level is LOG_INFO and text the whole line */
        RAYLOG_CXX,
        RAYLOG_PYTHON,
} RayLogShape;

typedef struct RayLog {
        RayLogShape shape;
        int level;          /* syslog priority */
        char component[32]; /* "gcs_server", "raylet", "core_worker"…; "" = not said */
        const char *text;   /* into the line, behind time, level and component */
        const char *time;   /* into the line: "2026-11-23 07:47:09,531", not ended; NULL = none */
        size_t time_len;
} RayLog;

void raylog_parse(const char *line, RayLog *ret);

/* A line that belongs to the one before it: a dump's body, a traceback, a stack frame. */
bool raylog_continues(const char *line);

/* What the name of a log file says about who wrote it. */
typedef struct RayLogFile {
        char component[48]; /* "raylet", "gcs_server", "worker", "job-driver", … */
        char worker_id[57]; /* hex, "" = none */
        char job_id[32];    /* hex, or the id of a submitted job; "" = none */
        bool prints;        /* what tasks, actors and jobs print: plain text by nature */
} RayLogFile;

/* -EINVAL: not one of Ray's text logs. */
int raylog_file(const char *name, RayLogFile *ret);
