/* What a driver of Ray needs on this machine: which environment, and the variables. */
#pragma once

#include "base/addr.h"
#include "base/strv.h"
#include "cli/client.h"
#include "conf/conf.h"

typedef struct EngineEnv {
        char *venv;     /* prefix of the environment that runs here */
        char **env;     /* "KEY=value" */
        bool found;     /* a head is known, so RAY_ADDRESS is among them */
        char *why;      /* if not found: why */
        Addr dashboard; /* on a worker: where the head's should be; else not set */
} EngineEnv;

void engine_env_done(EngineEnv *e);
#define _cleanup_engine_env_ _cleanup_(engine_env_done)

/* The configuration of this machine, under what its head has set (View.head_settings; NULL: nothing
 * is known of it), or the defaults: a wrong file is no reason not to run a job on a cluster that
 * works. NULL: out of memory. */
Conf *engine_env_conf(const char *room);

/* From the daemon, else from the files of this machine. 0, or an exit status with everything said.
 */
int engine_env(const Cli *cli, EngineEnv *ret);
