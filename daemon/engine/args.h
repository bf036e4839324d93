/* Settings and findings -> the supervisor's arguments, written to /run/raycluster
 * (wire/engine-args.h). */
#pragma once

#include "engine/select.h"
#include "wire/engine-args.h"

#define ENGINE_RUN_DIR "/run/raycluster"
/* Ray's token as an admin gave it, if one did; and the cluster's, where the daemon puts it for Ray,
 * in the folder of the arguments. */
#define ENGINE_TOKEN_FILE "/etc/raycluster/ray-token"
#define ENGINE_TOKEN_NAME "ray-token"

/* The folder that daemon and engine share: ENGINE_RUN_DIR, or RAYCLUSTER_RUN_DIR of a test. */
const char *engine_run_dir(void);

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

/* Whether Ray's token is used, and the file that it is in: the cluster's, else the admin's. 1; 0:
 * authentication is off, by the configuration or, of a worker, since nobody gave it a token;
 * -ENOENT: there has to be a token, and there is none; -ENOMEM. token_file: NULL, or a test's own.
 * *ret_path: caller frees; NULL when it is off. */
int engine_auth(const Settings *s, Role role, const char *token_file, char **ret_path);

/* The text that engine_args_write() would write; caller frees. */
int engine_args_text(const EnginePlan *plan, const char *token_file, char **ret);

/* Writes <dir>/engine-<role>.args, 0640, atomically. dir: NULL = ENGINE_RUN_DIR. Returns 1 when it
 * is other than what was there, 0 when the same. */
int engine_args_write(const EnginePlan *plan, const char *dir, const char *token_file);
