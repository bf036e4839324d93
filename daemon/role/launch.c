#include "role/launch.h"

#include "base/str.h"
#include "engine/ready.h"
#include "role/running.h"

static int check(const EnginePlan *plan, const char *head_ray, Engine *ret_engine, char **ret_why,
                 MessageId *ret_id)
{
        const char *token;

        int r = engine_select(&plan->settings->engine, NULL, head_ray, ret_engine, ret_why);
        if (r == 0 && !isempty(head_ray)) {
                /* is it the version, or is there none at all? */
                _cleanup_(engine_done) Engine other = {0};
                _cleanup_free_ char *why = NULL;
                if (engine_select(&plan->settings->engine, NULL, NULL, &other, &why) > 0)
                        *ret_id = MSG_VERSION_MISMATCH;
        }
        if (r <= 0)
                return r;
        if (engine_auth(plan->settings, NULL, &token) == -ENOENT) {
                *ret_why = strdup("auth.mode is \"token\", and there is no " ENGINE_TOKEN_FILE
                                  ": put Ray's token there, 0640 root:ray, the same on all nodes");
                return *ret_why ? 0 : -ENOMEM;
        }
        return engine_ready(plan->settings, plan->role, ret_why);
}

static int order(EngineUnit *unit, const EnginePlan *plan, char **ret_why)
{
        int r = engine_args_write(plan, running_dir(), NULL);
        if (r < 0) {
                *ret_why = str_printf("cannot write to %s: %s: is it there, owned by user "
                                      "raycluster? (systemd-tmpfiles --create)",
                                      running_dir(), strerror(-r));
                return 0;
        }
        r = engine_unit_start(unit);
        if (r < 0) {
                *ret_why = str_printf("systemd cannot be asked to start %s: %s",
                                      engine_unit_name(unit), strerror(-r));
                return 0;
        }
        return 1;
}

int launch(EngineUnit *unit, const EnginePlan *plan, const char *head_ray, Engine *ret_engine,
           char **ret_why, MessageId *ret_id)
{
        EnginePlan whole = *plan;

        int r = check(plan, head_ray, ret_engine, ret_why, ret_id);
        if (r < 0)
                *ret_why = str_printf("the machine cannot be checked: %s", strerror(-r));
        if (r <= 0)
                return 0;
        whole.engine = ret_engine;
        return order(unit, &whole, ret_why);
}
