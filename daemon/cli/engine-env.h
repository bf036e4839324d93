/* What a driver of Ray needs on this machine: which environment, and the variables. */
#pragma once

#include "base/strv.h"
#include "cli/client.h"

typedef struct EngineEnv {
        char *venv; /* prefix of the environment that runs here */
        char **env; /* "KEY=value" */
        bool found; /* a head is known, so RAY_ADDRESS is among them */
        char *why;  /* if not found: why */
} EngineEnv;

void engine_env_done(EngineEnv *e);
#define _cleanup_engine_env_ _cleanup_(engine_env_done)

/* From the daemon, else from the files of this machine. 0, or an exit status with everything said.
 */
int engine_env(const Cli *cli, EngineEnv *ret);
