#include "role/launch.h"

#include "base/str.h"
#include "engine/ready.h"
#include "engine/tls.h"
#include "role/running.h"

static int check(const EnginePlan *plan, const char *head_ray, Engine *ret_engine, char **ret_why,
                 MessageId *ret_id)
{
        _cleanup_free_ char *token = NULL;
        _cleanup_engine_tls_ EngineTls tls = {0};

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
        if (engine_auth(plan->settings, plan->role, NULL, &token) == -ENOENT) {
                *ret_why = plan->role == ROLE_HEAD
                                   ? strdup("Ray's token could not be made or kept; the journal "
                                            "of this daemon says why")
                                   : strdup("auth.mode is \"token\", and this machine has none: "
                                            "raycluster join, with a token of the head, gets it");
                return *ret_why ? 0 : -ENOMEM;
        }
        r = engine_tls(plan->settings, &tls);
        if (r > 0)
                r = engine_tls_check(&tls, now_real(), ret_why);
        else if (r == 0) {
                engine_tls_remove();
                r = 1;
        }
        return r <= 0 ? r : engine_ready(plan->settings, plan->role, ret_why);
}

static int order(EngineUnit *unit, const EnginePlan *plan, char **ret_why)
{
        int r = engine_args_write(plan, engine_run_dir(), NULL);
        if (r < 0) {
                *ret_why = str_printf("cannot write to %s: %s: is it there, owned by user "
                                      "raycluster? (systemd-tmpfiles --create)",
                                      engine_run_dir(), strerror(-r));
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
