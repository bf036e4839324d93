#include "worker/picture.h"

#include <stdlib.h>

#include "base/str.h"

/* Ray's head is lost for this long: another cluster of the name is joined if there is one. */
#define LOST_OTHER (60 * USEC_PER_SEC)

/* "compute04 (10.0.0.1:6379)", or the address alone while nobody said the name. */
static char *name_head(const Scout *s, const Addr *addr)
{
        const Candidate *c = scout_candidate(s);
        char text[ADDR_PORT_MAX];

        addr_format_port(text, addr);
        if (candidate_has(c, addr) && !startswith(text, c->name))
                return str_printf("%s (%s)", c->name, text);
        return strdup(text);
}

static bool head_is_due(const PictureSources *s)
{
        const EngineArgs *args = keeper_running(s->keeper);
        const Candidate *c = scout_candidate(s->scout);

        return engine_state_is_up(keeper_unit_state(s->keeper)) && args && c &&
               c->source == DISCO_STATIC && !candidate_has(c, &args->head_address);
}

/* The head serves elsewhere: at once if it is the cluster that Ray runs for, or the member's own
 * head by its certificate; after a while if it is another one of the name. */
static bool has_moved(const PictureSources *s)
{
        const EngineArgs *args = keeper_running(s->keeper);
        const WatchFacts *f = scout_facts(s->scout);
        usec_t since = presence_lost_since(s->presence);
        char id[RAY_ID_STR_MAX];

        if (since == 0 || scout_ladder(s->scout) || !f || !watch_is_known(f) || !args)
                return false;
        return s->proven || streq(args->cluster_id, ray_id_format(id, &f->cluster_id)) ||
               usec_sub(now_mono(), since) >= LOST_OTHER;
}

/* Until there is somebody to have a certificate for, it is not what is missing. */
static bool found_any(const Scout *s)
{
        const Candidate *c = scout_candidate(s);
        return c && c->n_addrs > 0;
}

static WorkerFacts facts_of(const PictureSources *from, const char *head, const char *moved)
{
        const WatchFacts *f = presence_facts(from->presence);
        const WatchFacts *s = scout_facts(from->scout);
        const EngineArgs *args = keeper_running(from->keeper);
        const char *why = scout_why(from->scout);
        usec_t now = now_mono(), since = keeper_running_since(from->keeper);
        usec_t missing = presence_missing_since(from->presence);
        char id[RAY_ID_STR_MAX] = "", ray[32];

        if (f && watch_is_known(f))
                ray_id_format(id, &f->cluster_id);
        engine_status_ray(keeper_unit_status(from->keeper), ray);
        return (WorkerFacts){
                .stopping = from->stopping,
                .held = from->held,
                .phase = keeper_phase(from->keeper),
                .keep_text = keeper_text(from->keeper),
                .ladder = scout_ladder(from->scout),
                .failure = keeper_failure(from->keeper),
                .asking = scout_is_asking(from->scout),
                .checked = s && watch_is_known(s),
                .no_address = from->no_address,
                .no_cert = found_any(from->scout) ? from->no_cert : NULL,
                .tested = !from->trial || trial_state(from->trial) == TRIAL_PASSED,
                .refused = from->trial && trial_is_refused(from->trial) ? trial_text(from->trial)
                                                                        : NULL,
                .head = head,
                .ray = f   ? f->versions.ray
                       : s ? s->versions.ray
                           : "",
                .serving = f && f->serving_since != 0,
                .failures = f ? f->failures : 0,
                .gcs_text = !f             ? ""
                            : isempty(why) ? f->text
                                           : why,
                .other_cluster =
                        *id && args && !isempty(args->cluster_id) && !streq(args->cluster_id, id),
                .other_ray = *id && *ray && !streq(f->versions.ray, ray),
                .moved = moved,
                .node_alive = presence_is_alive(from->presence),
                .node_dead = presence_is_dead(from->presence),
                .node_missing = missing != 0 ? usec_sub(now, missing) : 0,
                .running_for = since != 0 ? usec_sub(now, since) : 0,
        };
}

Picture picture_take(const PictureSources *s)
{
        const Addr *watched = presence_addr(s->presence), *found = scout_addr(s->scout);
        const Addr *addr = watched ? watched : found;
        Picture p = {
                .head_due = head_is_due(s),
                .head = addr ? name_head(s->scout, addr) : NULL,
                .moved = watched && has_moved(s) ? name_head(s->scout, found) : NULL,
        };

        p.facts = facts_of(s, strempty(p.head), p.moved);
        return p;
}

void picture_done(Picture *p)
{
        free(p->head);
        free(p->moved);
}
