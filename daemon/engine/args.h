/* Settings and findings -> the supervisor's arguments, written to /run/raycluster
 * (wire/engine-args.h). */
#pragma once

#include "engine/select.h"
#include "wire/engine-args.h"

#define ENGINE_RUN_DIR    "/run/raycluster"
#define ENGINE_TOKEN_FILE "/etc/raycluster/ray-token"

typedef struct EnginePlan {
        Role role;
        const Settings *settings;
        const Engine *engine;
        const Addr *address; /* own, without port */
        const Addr *head;    /* the GCS with port (worker); head: NULL */
        const char *node_id;
        const char *node_name;
        const char *cluster_id; /* hex or "" */
} EnginePlan;

/* Whether Ray's token is used: auth.mode, and whether the file is there. Returns 1 and the path; 0:
 * off; -ENOENT: "token" is asked for and there is none. token_file: NULL = ENGINE_TOKEN_FILE. */
int engine_auth(const Settings *s, const char *token_file, const char **ret_path);

/* The text that engine_args_write() would write; caller frees. */
int engine_args_text(const EnginePlan *plan, const char *token_file, char **ret);

/* Writes <dir>/engine-<role>.args, 0640, atomically. dir: NULL = ENGINE_RUN_DIR. Returns 1 when it
 * is other than what was there, 0 when the same. */
int engine_args_write(const EnginePlan *plan, const char *dir, const char *token_file);
