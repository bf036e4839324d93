#include "role/running.h"

#include <errno.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "role/due.h"

void running_done(Running *r)
{
        engine_args_free(r->args);
        free(r->text);
        *r = (Running){};
}

void running_read(Running *r, Role role)
{
        _cleanup_free_ char *path = NULL, *text = NULL, *why = NULL;
        size_t size = 0;

        running_done(r);
        path = str_printf("%s/engine-%s.args", engine_run_dir(), role_to_string(role));
        int q = path ? read_file(path, ENGINE_ARGS_MAX, &text, &size) : -ENOMEM;
        if (q >= 0)
                q = engine_args_parse(text, size, &r->args, &why);
        if (q < 0)
                log_debug("No arguments of a running engine: %s", why ? why : strerror(-q));
        else
                r->text = TAKE_PTR(text);
}

/* The environment that would be taken now: none when it is written down and not there. */
static int next_engine(const Running *r, const EnginePlan *now, Engine *ret)
{
        const EngineSettings *s = &now->settings->engine;
        bool written = !isempty(s->venv) || !streq(s->version, "auto");
        _cleanup_free_ char *why = NULL;
        int q = 0;

        /* a worker's engine is the head's choice, unless it is written down */
        if (now->role == ROLE_HEAD || written)
                q = engine_select(s, NULL, NULL, ret, &why);
        if (q != 0)
                return q;
        *ret = (Engine){.venv = strdup(written ? "" : r->args->venv)};
        return ret->venv ? 0 : -ENOMEM;
}

int running_due(const Running *r, const EnginePlan *now, char ***ret)
{
        _cleanup_(engine_done) Engine e = {0};
        _cleanup_free_ char *text = NULL;
        EnginePlan plan = *now;

        *ret = NULL;
        if (!r->args)
                return 0;
        int q = next_engine(r, now, &e);
        if (q < 0)
                return q;
        /* an address that was found stays while Ray runs; one that is written down is a setting */
        Addr address = r->args->node_address;
        if (!isempty(now->settings->node.address))
                (void)addr_parse(now->settings->node.address, &address);
        plan.engine = &e;
        plan.address = &address;
        plan.head = now->role == ROLE_WORKER ? &r->args->head_address : NULL;
        plan.cluster_id = r->args->cluster_id;
        q = engine_args_text(&plan, NULL, &text);
        return q < 0 ? q : due_keys(now->role, r->text, text, ret);
}
