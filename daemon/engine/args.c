#include "engine/args.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

int engine_auth(const Settings *s, const char *token_file, const char **ret_path)
{
        if (!token_file)
                token_file = ENGINE_TOKEN_FILE;
        *ret_path = "";
        if (streq(s->auth_mode, "off"))
                return 0;
        if (access(token_file, F_OK) == 0) {
                *ret_path = token_file;
                return 1;
        }
        return streq(s->auth_mode, "token") ? -ENOENT : 0;
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
        const char *token;

        int r = engine_auth(s, token_file, &token);
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
                .token_path = (char *)token,
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
