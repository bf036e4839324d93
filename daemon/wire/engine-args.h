/* /run/raycluster/engine-<role>.args: what the daemon tells the supervisor, as lines of KEY=VALUE.
 * Written whole, mode 0640.
 *
 *     RAYCLUSTER_ENGINE_ARGS=1           first line: the format's version
 *     ROLE=worker                        keys in any order, each once, unless marked *
 *     VENV=/usr/lib/raycluster-engine/2.60.0
 *     …
 * Values are to the end of the line; \n and \\ are the only escapes. Unknown keys, doubled keys,
 * missing keys, NUL bytes and more than ENGINE_ARGS_MAX bytes are errors that name the line.
 * Nothing secret is in it: the token goes by path. */
#pragma once

#include "base/addr.h"
#include "model/role.h"
#include "model/settings.h"

/* Longest file accepted: 256 KiB; a site's environment and labels fit many times. */
#define ENGINE_ARGS_MAX ((size_t)256 << 10)
/* Most entries of one list (ENV, START_ARG, RESOURCE, LABEL): an environment of a thousand
 * variables is a mistake. */
#define ENGINE_ARGS_LIST_MAX 1024

typedef struct EngineArgs {
        Role role;
        char *venv;           /* VENV: the environment's prefix; bin/ray and bin/python are in it */
        Addr node_address;    /* NODE_ADDRESS, literal */
        Addr head_address;    /* HEAD_ADDRESS with port: worker: the GCS; head: its own */
        char *node_id;        /* NODE_ID: raycluster's node id, becomes RAY_CLOUD_INSTANCE_ID */
        char *node_name;      /* NODE_NAME, "" = the host name */
        char *group;          /* GROUP, may be "" */
        char *cluster_id;     /* CLUSTER_ID: hex; worker: the one it is meant for, "" = any */
        PortPlan ports;       /* PORT_GCS … PORT_CLIENT, WORKER_PORTS=10002-19999 */
        char *dashboard_bind; /* DASHBOARD_BIND, literal address */
        EngineSettings engine; /* TEMP_DIR, GCS_STORE, DRAIN_USEC, ENV* (KEY=value), START_ARG*;
                                  version and venv not used */
        ResourceSettings resources; /* CPUS, GPUS, MEMORY, OBJECT_STORE_MEMORY (left out = auto),
                                       RESOURCE*, LABEL* */
        char *token_path;           /* TOKEN_PATH: "" = auth off */
        char *tls_dir; /* TLS_DIR: where Ray's TLS files are; left out, NULL or "" = in clear */
        uint64_t tls_until; /* TLS_UNTIL: when the certificate there ends, Unix time in usec; may be
                               left out, 0 */
        char *tls_serial;   /* TLS_SERIAL: of the certificate there, hex; may be left out. Ray reads
                               it once: another one waits for a restart */
        char *log_ray;      /* LOG_RAY: journal, files, stderr */
        int log_level;      /* LOG_LEVEL */
} EngineArgs;

EngineArgs *engine_args_free(EngineArgs *a);
DEFINE_CLEANUP(EngineArgs *, engine_args_free);

/* *reterr_text (caller frees) on -EBADMSG: "line 7: PORT_GCS=0: a port is 1 to 65535". */
int engine_args_parse(const char *data, size_t size, EngineArgs **ret, char **reterr_text);
/* The file's text; caller frees. -EMSGSIZE beyond ENGINE_ARGS_MAX. */
int engine_args_format(const EngineArgs *a, char **ret);
