#include "worker/own-head.h"

#include "base/fd.h"
#include "base/str.h"

void own_head_seek(Membership *m, const Scout *s, const EngineArgs *running, const Settings *conf)
{
        Addr heads[HEAD_TURNS_MAX];
        size_t n = scout_control(s, conf->ports.control, heads, ELEMENTSOF(heads));

        if (n == 0 && running) {
                heads[n] = running->head_address;
                heads[n++].port = conf->ports.control;
        }
        membership_set_heads(m, heads, n, !isempty(conf->disco.head));
}

void own_head_tell(const Membership *m, Scout *s, const Settings *conf)
{
        const Addr *at = membership_head(m);
        ScoutHead h = {.member = membership_is_bound(m), .why = membership_text(m)};

        if (at) {
                h.addr = *at;
                h.addr.port = conf->ports.gcs;
        }
        scout_set_head(s, &h);
}

/* The cluster's own, which only members have. */
static bool has_cluster_token(const EngineArgs *a)
{
        _cleanup_free_ char *path = path_join(engine_run_dir(), ENGINE_TOKEN_NAME);

        return path && streq_ptr(a->token_path, path);
}

bool own_head_may_hear(const Membership *m, const EngineArgs *running, const Addr *gcs)
{
        const Addr *at = membership_head(m);

        return !membership_is_bound(m) || (at && addr_equal(at, gcs)) ||
               (running && addr_equal(&running->head_address, gcs) && has_cluster_token(running));
}
