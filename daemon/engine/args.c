#include "engine/args.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/tls.h"

const char *engine_run_dir(void)
{
        const char *dir = getenv("RAYCLUSTER_RUN_DIR");
        return dir ? dir : ENGINE_RUN_DIR;
}

int engine_auth(const Settings *s, Role role, const char *token_file, char **ret_path)
{
        _cleanup_free_ char *path = NULL;

        *ret_path = NULL;
        if (streq(s->auth_mode, "disabled"))
                return 0;
        path = token_file ? strdup(token_file) : path_join(engine_run_dir(), ENGINE_TOKEN_NAME);
        if (!path)
                return -ENOMEM;
        /* whoever may not look into the folder is not told that there is none */
        if (!token_file && access(path, F_OK) < 0 && errno == ENOENT &&
            free_and_strdup(&path, ENGINE_TOKEN_FILE) < 0)
                return -ENOMEM;
        if (access(path, F_OK) == 0 || errno != ENOENT) {
                *ret_path = TAKE_PTR(path);
                return 1;
        }
        /* a head makes one when it has none: that it is missing is a failure, and no wish */
        return role == ROLE_HEAD || streq(s->auth_mode, "token") ? -ENOENT : 0;
}

/* "auto": everybody may ask a dashboard that asks for a token; without one it stays on this
 * machine. */
static const char *dashboard_bind(const Settings *s, bool token)
{
        if (!streq(s->dashboard_bind, "auto"))
                return s->dashboard_bind;
        return token ? "0.0.0.0" : "127.0.0.1";
}

int engine_args_text(const EnginePlan *plan, const char *token_file, char **ret)
{
        const Settings *s = plan->settings;
        _cleanup_free_ char *token = NULL;
        _cleanup_engine_tls_ EngineTls tls = {0};
        EngineCert cert = {0};

        int r = engine_tls(s, &tls);
        if (r > 0)
                (void)engine_tls_cert(&tls, &cert); /* engine_tls_check() says what is wrong */
        if (r >= 0)
                r = engine_auth(s, plan->role, token_file, &token);
        if (r < 0)
                return r;
        Addr head = plan->head ? *plan->head : *plan->address;
        if (!plan->head)
                head.port = s->ports.gcs;
        /* borrows every string; only formatted */
        EngineArgs a = {
                .role = plan->role,
                .venv = plan->engine->venv,
                .node_address = *plan->address,
                .head_address = head,
                .node_id = (char *)plan->node_id,
                .node_name = (char *)plan->node_name,
                .group = s->node.group,
                .cluster_id = (char *)strempty(plan->cluster_id),
                .ports = s->ports,
                .dashboard_bind = (char *)dashboard_bind(s, r > 0),
                .engine = s->engine,
                .resources = s->resources,
                .token_path = (char *)strempty(token),
                .tls_dir = tls.dir,
                .tls_serial = cert.serial,
                .tls_until = cert.until,
                .log_ray = s->log.ray,
                .log_level = s->log.level,
        };
        return engine_args_format(&a, ret);
}

int engine_args_write(const EnginePlan *plan, const char *dir, const char *token_file)
{
        _cleanup_free_ char *text = NULL, *old = NULL, *path = NULL;

        int r = engine_args_text(plan, token_file, &text);
        if (r < 0)
                return r;
        path = str_printf("%s/engine-%s.args", dir ? dir : ENGINE_RUN_DIR,
                          role_to_string(plan->role));
        if (!path)
                return -ENOMEM;
        if (read_file(path, ENGINE_ARGS_MAX, &old, NULL) >= 0 && streq(old, text))
                return 0;
        r = write_file_atomic(path, text, strlen(text), 0640, (gid_t)-1);
        return r < 0 ? r : 1;
}
