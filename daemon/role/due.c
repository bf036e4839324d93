#include "role/due.h"

#include <errno.h>

#include "base/str.h"

#define BOTH (1U << ROLE_HEAD | 1U << ROLE_WORKER)
#define HEAD (1U << ROLE_HEAD)

/* Not here, because they are findings or take effect without Ray: ROLE HEAD_ADDRESS NODE_ID
 * CLUSTER_ID PORT_CONTROL LOG_LEVEL. */
static const struct {
        const char *line, *key;
        unsigned roles;
} keys[] = {
        {"VENV", "engine.version", BOTH},
        {"NODE_ADDRESS", "node.address", BOTH},
        {"NODE_NAME", "node.name", BOTH},
        {"GROUP", "node.group", BOTH},
        {"PORT_GCS", "ports.gcs", HEAD},
        {"PORT_NODE_MANAGER", "ports.node_manager", BOTH},
        {"PORT_OBJECT_MANAGER", "ports.object_manager", BOTH},
        {"PORT_RUNTIME_ENV_AGENT", "ports.runtime_env_agent", BOTH},
        {"PORT_DASHBOARD_AGENT_GRPC", "ports.dashboard_agent_grpc", BOTH},
        {"PORT_METRICS_EXPORT", "ports.metrics_export", BOTH},
        {"PORT_DASHBOARD_AGENT", "ports.dashboard_agent", BOTH},
        {"PORT_DASHBOARD_METRICS", "ports.dashboard_metrics", HEAD},
        {"PORT_AUTOSCALER_METRICS", "ports.autoscaler_metrics", HEAD},
        {"PORT_DASHBOARD", "ports.dashboard", HEAD},
        {"PORT_CLIENT", "ports.client", HEAD},
        {"WORKER_PORTS", "ports.workers", BOTH},
        {"DASHBOARD_BIND", "dashboard.bind", HEAD},
        {"TEMP_DIR", "engine.temp_dir", BOTH},
        {"GCS_STORE", "engine.gcs_store", HEAD},
        {"DRAIN_USEC", "engine.drain", BOTH},
        {"ENV", "engine.env", BOTH},
        {"START_ARG", "engine.start_args", BOTH},
        {"CPUS", "resources.cpus", BOTH},
        {"GPUS", "resources.gpus", BOTH},
        {"MEMORY", "resources.memory", BOTH},
        {"OBJECT_STORE_MEMORY", "resources.object_store_memory", BOTH},
        {"RESOURCE", "resources.custom", BOTH},
        {"LABEL", "resources.labels", BOTH},
        {"TOKEN_PATH", "auth.mode", BOTH},
        {"TLS_DIR", "auth.tls", BOTH},
        {"TLS_SERIAL", "auth.tls", BOTH}, /* the certificate was renewed */
        {"LOG_RAY", "log.ray", BOTH},
};

static const char *key_of(Role role, const char *line)
{
        size_t n = strcspn(line, "=");

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strlen(keys[i].line) == n && strncmp(keys[i].line, line, n) == 0)
                        return keys[i].roles & (1U << role) ? keys[i].key : NULL;
        return NULL;
}

/* Keys of lines that a has and b has not. */
static int missing(Role role, char *const *a, char *const *b, char ***keys_io)
{
        STRV_FOREACH (line, a) {
                const char *key = strv_contains(b, *line) ? NULL : key_of(role, *line);
                if (!key || strv_contains(*keys_io, key))
                        continue;
                int r = strv_extend(keys_io, key);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

int due_keys(Role role, const char *running, const char *wanted, char ***ret)
{
        _cleanup_strv_free_ char **a = NULL, **b = NULL, **l = NULL;

        int r = strv_split(running, "\n", &a);
        if (r >= 0)
                r = strv_split(wanted, "\n", &b);
        if (r >= 0)
                r = missing(role, a, b, &l);
        if (r >= 0)
                r = missing(role, b, a, &l);
        if (r < 0)
                return r;
        if (l)
                qsort(l, strv_length(l), sizeof(char *), by_name);
        *ret = TAKE_PTR(l);
        return 0;
}
