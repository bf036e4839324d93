/* What the features of a member tell the worker, and what they are told. */
#include "base/log.h"
#include "base/str.h"
#include "sys/mac.h"
#include "worker/worker-private.h"

static void on_membership(Membership *m, void *userdata)
{
        Worker *w = userdata;

        mirror_check(w->mirror);
        worker_schedule(w);
}

static void on_reflect(Membership *m, MemberBytes reply, void *userdata)
{
        Worker *w = userdata;
        mirror_take(w->mirror, reply);
}

static void on_member_token(Membership *m, void *userdata)
{
        Worker *w = userdata;
        /* without authentication Ray runs for whoever is found, member or not */
        w->left = !membership_is_member(m) && !streq(worker_settings(w)->auth_mode, "disabled");
        _cleanup_forget_text_ char *before = w->token ? strdup(w->token) : NULL;
        worker_configure(w);
        /* it was rotated: the head's Ray takes the former one no longer. It may be told again, or
         * be what an admin had given this machine before */
        if (before && w->token && !streq(before, w->token))
                keeper_restart(w->keeper, MSG_DRAINING, false, "Ray has another token");
}

static void on_head_settings(Membership *m, void *userdata)
{
        Worker *w = userdata;
        (void)daemon_reload(w->daemon);
}

static void on_ray_issued(Membership *m, const MemberIssued *issued, void *userdata)
{
        Worker *w = userdata;
        ray_cert_issued(w->ray_cert, issued);
}

static void on_ray_refused(Membership *m, const char *why, void *userdata)
{
        Worker *w = userdata;
        ray_cert_refused(w->ray_cert, why);
}

static void on_ray_cert(RayCert *c, void *userdata)
{
        Worker *w = userdata;

        keeper_kick(w->keeper);
        worker_schedule(w);
}

static void on_command(Membership *m, const MemberCommand *c, void *userdata)
{
        Worker *w = userdata;

        orders_take(w->orders, c);
        worker_schedule(w);
}

static void on_answer(Orders *o, uint64_t number, bool ok, const char *text, void *userdata)
{
        Worker *w = userdata;

        int r = membership_done(w->membership, number, ok, text);
        if (r < 0)
                log_debug_errno(r, "Answering the head's admin: %m");
}

static void on_hold(Orders *o, void *userdata)
{
        worker_schedule(userdata);
}

/* Of the raylet that runs. The supervisor names its Ray; a GCS that counts the node among the
 * living has compared its Python. */
void worker_tell_versions(Worker *w)
{
        const WatchFacts *f = presence_facts(w->presence);
        Versions v = {0};

        engine_status_ray(keeper_unit_status(w->keeper), v.ray);
        if (f && presence_is_alive(w->presence) && streq(f->versions.ray, v.ray))
                str_copy(v.python, sizeof(v.python), f->versions.python);
        membership_set_versions(w->membership, &v);
}

/* --- the way back -------------------------------------------------------------------------------
 */

static void on_trial(Trial *t, void *userdata)
{
        worker_schedule(userdata);
}

bool worker_is_tried(const Worker *w)
{
        return membership_is_member(w->membership);
}

void worker_try_way_back(Worker *w)
{
        const EngineArgs *args = keeper_running(w->keeper);
        const Addr *head = worker_find_served(w);
        const Candidate *c = scout_candidate(w->scout);

        if (worker_is_up(w) && args)
                trial_grant(w->trial, &args->head_address, &args->node_address);
        if (worker_is_up(w) || !worker_is_tried(w) || daemon_is_stopping(w->daemon) || !head ||
            !addr_is_set(&w->address)) {
                trial_want(w->trial, NULL);
                return;
        }
        trial_want(w->trial, &(TrialWant){.head = head,
                                          .own = &w->address,
                                          .name = c ? c->name : "",
                                          .token = w->token,
                                          .tls = &w->tls,
                                          .plan = &worker_settings(w)->ports,
                                          .engine = &worker_settings(w)->engine,
                                          .reflector = mirror_transport(w->mirror)});
}

/* --- the features -------------------------------------------------------------------------------
 */

int worker_new_member(Worker *w)
{
        static const TrialOps trial_ops = {.on_change = on_trial};
        static const MembershipOps membership_ops = {.on_change = on_membership,
                                                     .on_token = on_member_token,
                                                     .on_settings = on_head_settings,
                                                     .on_reflect = on_reflect,
                                                     .on_ray_issued = on_ray_issued,
                                                     .on_ray_refused = on_ray_refused,
                                                     .on_command = on_command};
        static const OrdersOps orders_ops = {.on_answer = on_answer, .on_hold = on_hold};
        const MembershipPolicy policy = {
                .state_dir = daemon_state_dir(),
                .node_id = daemon_node_id(w->daemon),
                .name = daemon_status(w->daemon)->text[STATUS_NODE_NAME],
        };
        sd_event *e = daemon_event(w->daemon);
        Bus *bus = daemon_bus(w->daemon);

        int r = membership_new(e, &policy, &membership_ops, w, &w->membership);
        if (r >= 0)
                r = ray_cert_new(e, policy.state_dir, policy.name, w->membership, on_ray_cert, w,
                                 &w->ray_cert);
        if (r >= 0)
                r = mirror_new(e, w->membership, &w->mirror);
        if (r >= 0)
                r = trial_new(e, &trial_ops, w, &w->trial);
        if (r >= 0)
                r = reflector_bus_new(e, bus, w->mirror, w->trial, &w->reflector_bus);
        if (r >= 0)
                r = membership_bus_new(bus, w->membership, &w->membership_bus);
        if (r >= 0)
                r = reporter_new(e, w->membership, &w->reporter);
        const OrdersPolicy orders = {.state_dir = daemon_state_dir(),
                                     .keeper = w->keeper,
                                     .scout = w->scout,
                                     .presence = w->presence};
        if (r >= 0)
                r = orders_new(e, &orders, &orders_ops, w, &w->orders);
        return r;
}
