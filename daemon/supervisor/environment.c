#include "supervisor/environment.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/tls.h"

/* Sets KEY=value: replaces the entry of that key, or appends. */
static int env_set(char ***env, const char *assignment)
{
        const char *eq = strchr(assignment, '=');
        size_t n = eq ? (size_t)(eq - assignment) + 1 : 0;

        if (n == 0)
                return -EINVAL;
        for (char **e = *env; e && *e; e++)
                if (strncmp(*e, assignment, n) == 0)
                        return MIN(free_and_strdup(e, assignment), 0);
        return strv_extend(env, assignment);
}

static int env_setf(char ***env, const char *fmt, ...) _printf_(2, 3);
static int env_setf(char ***env, const char *fmt, ...)
{
        _cleanup_free_ char *s = NULL;
        va_list ap;

        va_start(ap, fmt);
        int n = vasprintf(&s, fmt, ap);
        va_end(ap);
        return n < 0 ? -ENOMEM : env_set(env, s);
}

/* What any program wants, and what keeps Ray's own habits in bounds; a site may change it. */
static int add_base(char ***env, const EngineArgs *a, const EnginePaths *paths)
{
        int r = env_setf(env,
                         "PATH=%s/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                         a->venv);
        if (r >= 0)
                r = env_setf(env, "HOME=%s", paths->home);
        if (r >= 0)
                r = env_set(env, "LANG=C.UTF-8");
        if (r >= 0)
                r = env_set(env, "TMPDIR=/tmp");
        if (r >= 0)
                r = env_setf(env, "VIRTUAL_ENV=%s", a->venv);
        if (r >= 0)
                r = env_setf(env, "RAY_ROTATION_MAX_BYTES=%" PRIu64, RAY_ROTATION_BYTES);
        if (r >= 0)
                r = env_setf(env, "RAY_ROTATION_BACKUP_COUNT=%d", RAY_ROTATION_COUNT);
        /* gRPC's fork handlers start threads in the child that Ray Client's proxy forks for a
         * session. One of them may poll a descriptor that is closed before the exec, and aborts:
         * one session in seventy, measured with grpcio 1.85 */
        if (r >= 0)
                r = env_set(env, "GRPC_ENABLE_FORK_SUPPORT=0");
        return r;
}

static int add_auth(char ***env, const EngineArgs *a)
{
        /* never left to Ray: unset, it would turn itself on by a file in HOME (ray-facts 5) */
        if (isempty(a->token_path))
                return env_set(env, "RAY_AUTH_MODE=disabled");
        int r = env_set(env, "RAY_AUTH_MODE=token");
        return r < 0 ? r : env_setf(env, "RAY_AUTH_TOKEN_PATH=%s", a->token_path);
}

/* Each process of Ray wants all of them, and shows the "server's" certificate as a client, too. */
static int add_tls(char ***env, const EngineArgs *a)
{
        if (isempty(a->tls_dir))
                return 0;
        int r = env_set(env, "RAY_USE_TLS=1");
        if (r >= 0)
                r = env_setf(env, "RAY_TLS_CA_CERT=%s/" ENGINE_TLS_CA, a->tls_dir);
        if (r >= 0)
                r = env_setf(env, "RAY_TLS_SERVER_CERT=%s/" ENGINE_TLS_CERT, a->tls_dir);
        return r < 0 ? r : env_setf(env, "RAY_TLS_SERVER_KEY=%s/" ENGINE_TLS_KEY, a->tls_dir);
}

static int add_identity(char ***env, const EngineArgs *a)
{
        int r = env_setf(env, "RAY_CLOUD_INSTANCE_ID=%s", a->node_id);

        if (r >= 0 && !isempty(a->group))
                r = env_setf(env, "RAY_NODE_TYPE_NAME=%s", a->group);
        return r;
}

static int add_head(char ***env, const EngineArgs *a, const EnginePaths *paths)
{
        /* `ray status` and request_resources() by the GCS, without Ray's own monitor, which would
         * only pretend to scale (ray-facts 6) */
        int r = env_set(env, "RAY_enable_autoscaler_v2=1");

        if (r >= 0 && streq(a->engine.gcs_store, "rocksdb"))
                r = env_set(env, "RAY_gcs_storage=rocksdb");
        if (r >= 0 && streq(a->engine.gcs_store, "rocksdb"))
                r = env_setf(env, "RAY_gcs_storage_path=%s", paths->gcs_dir);
        return r;
}

static int add_owned(char ***env, const EngineArgs *a)
{
        usec_t drain_s = (a->engine.drain + USEC_PER_SEC - 1) / USEC_PER_SEC;
        int r = env_setf(env, "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=%" PRIu64, drain_s);

        if (r >= 0)
                r = env_set(env, "RAY_USAGE_STATS_ENABLED=0");
        /* else Ray's own lines arrive seconds late (room 3) */
        if (r >= 0)
                r = env_set(env, "PYTHONUNBUFFERED=1");
        /* the two ports that no flag pins (ray-facts 9) */
        if (r >= 0)
                r = env_setf(env, "AUTOSCALER_METRIC_PORT=%u", a->ports.autoscaler_metrics);
        if (r >= 0)
                r = env_setf(env, "DASHBOARD_METRIC_PORT=%u", a->ports.dashboard_metrics);
        if (r >= 0 && streq(a->log_ray, "stderr"))
                r = env_set(env, "RAY_LOG_TO_STDERR=1");
        if (r >= 0 && a->role == ROLE_WORKER)
                r = env_setf(env, "RAY_gcs_rpc_server_reconnect_timeout_s=%d", WORKER_PATIENCE_S);
        return r;
}

int environment_build(const EngineArgs *a, const EnginePaths *paths, char ***ret)
{
        _cleanup_strv_free_ char **env = NULL;

        int r = add_base(&env, a, paths);
        for (char **e = a->engine.env; e && *e && r >= 0; e++)
                r = env_set(&env, *e);
        if (r >= 0)
                r = add_auth(&env, a);
        if (r >= 0)
                r = add_tls(&env, a);
        if (r >= 0)
                r = add_identity(&env, a);
        if (r >= 0 && a->role == ROLE_HEAD)
                r = add_head(&env, a, paths);
        if (r >= 0)
                r = add_owned(&env, a);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(env);
        return 0;
}
