/* The manager: facts come in from the features, worker_decide() says what they mean, the rest
 * carries it out. States and their picture: worker-state.h. */
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "engine/tls.h"
#include "role/address.h"
#include "role/changes.h"
#include "role/keeper.h"
#include "role/show.h"
#include "role/token.h"
#include "worker/own-head.h"
#include "worker/picture.h"
#include "worker/worker-private.h"

/* A node table younger than this is shown to a client as it is. */
#define NODES_FRESH (2 * USEC_PER_SEC)
/* Ray's head is lost for this long: look whether it serves elsewhere. */
#define LOST_SEEK (3 * USEC_PER_SEC)

/* --- the GCS that Ray runs for ------------------------------------------------------------------
 */

static void reply_nodes(Worker *w, const WatchFacts *f)
{
        const NodeSet *nodes = f ? f->nodes : NULL;

        daemon_bus_reply_nodes(daemon_object(w->daemon), nodes,
                               nodes ? usec_sub(now_mono(), f->nodes_at) : USEC_INFINITY);
}

static void on_round(Presence *p, void *userdata)
{
        Worker *w = userdata;
        const WatchFacts *f = presence_facts(p);

        if (!f->refreshing)
                reply_nodes(w, f);
        worker_schedule(w);
}

static void watch_gcs(Worker *w)
{
        const EngineArgs *args = keeper_running(w->keeper);

        /* Ray runs, and what for was lost (a damaged file): it is the head that is found */
        const Addr *head = args ? &args->head_address : worker_find_served(w);
        const Addr *own = args ? &args->node_address : &w->address;
        if (!worker_is_up(w)) {
                reply_nodes(w, presence_facts(w->presence)); /* whoever waits gets what there is */
                presence_end(w->presence);
                return;
        }
        if (!head || !addr_is_set(own))
                return;
        /* as Ray runs, whatever the configuration says by now */
        _cleanup_engine_tls_ EngineTls tls = {0};
        int r = engine_tls_of(args ? args->tls_dir : w->tls.dir, &tls);
        if (r >= 0)
                r = presence_watch(w->presence, head, own,
                                   own_head_may_hear(w->membership, args, head) ? w->token : NULL,
                                   engine_tls_files(&tls));
        if (r < 0)
                (void)log_error_errno(r, "Failed to watch the GCS: %m");
}

/* --- finding a head -----------------------------------------------------------------------------
 */

static void seek(Worker *w)
{
        usec_t since = presence_lost_since(w->presence);
        bool lost = since != 0 && usec_sub(now_mono(), since) >= LOST_SEEK;
        EngineState s = keeper_unit_state(w->keeper);
        bool down = s == ENGINE_STOPPED || s == ENGINE_FAILED || s == ENGINE_MISSING;

        const Addr *watched = presence_addr(w->presence);
        bool known = watched || keeper_running(w->keeper);

        scout_seek(w->scout, !daemon_is_stopping(w->daemon) && (down || lost || !known), watched);
}

/* The own address towards the head that is to be joined. */
static void find_address(Worker *w)
{
        const EngineArgs *args = keeper_running(w->keeper);
        Addr found = {0};

        if (worker_is_up(w) && args) {
                w->address = args->node_address;
                free(TAKE_PTR(w->no_address));
                return;
        }
        if (!worker_find_served(
                    w)) /* without a way to a head there is no answer; a last one is kept */
                return;
        (void)address_find(&worker_settings(w)->node, ROLE_WORKER, scout_addr(w->scout),
                           &w->no_address, &found);
        w->address = found;
}

static void load_token(Worker *w)
{
        free(TAKE_PTR(w->token));
        int r = token_load(worker_settings(w), ROLE_WORKER, &w->token);
        if (r < 0)
                (void)log_warning_errno(r, "Failed to read Ray's token: %m");
        /* one that has not joined yet runs nothing, either */
        show_auth(daemon_status(w->daemon), r != 0,
                  streq(worker_settings(w)->auth_mode, "disabled"));
}

void worker_configure(Worker *w)
{
        load_token(w);
        own_head_tell(w->membership, w->scout, worker_settings(w)); /* before the token */
        reply_nodes(w, presence_facts(w->presence));
        presence_drop(w->presence); /* comes back with the token */
        engine_tls_done(&w->tls);
        int r = engine_tls(worker_settings(w), &w->tls);
        if (r >= 0)
                r = scout_configure(w->scout, &worker_settings(w)->disco, w->token,
                                    streq(worker_settings(w)->auth_mode, "disabled"), &w->tls);
        if (r >= 0)
                r = orders_configure(w->orders, w->token, &w->tls);
        if (r < 0)
                (void)log_error_errno(r, "Failed to begin discovery: %m");
        scout_set_reflector(w->scout, mirror_transport(w->mirror), &worker_settings(w)->ports);
        keeper_configure(w->keeper, worker_settings(w),
                         daemon_status(w->daemon)->text[STATUS_NODE_NAME]);
        if (streq(worker_settings(w)->auth_enrol, "ask"))
                membership_ask(w->membership);
        worker_schedule(w);
}

/* --- state --------------------------------------------------------------------------------------
 */

/* In these states the reason is what an examination of the head found, if there was one. */
static bool is_about_head(WorkerState s)
{
        return s == WORKER_LOOKING || s == WORKER_LOST_HEAD;
}

static bool is_refused(const Worker *w, WorkerState s)
{
        return s == WORKER_BLOCKED && trial_is_refused(w->trial);
}

static void show_verdict(Worker *w, WorkerState state)
{
        Status *s = daemon_status(w->daemon);
        bool refused = is_refused(w, state);
        Verdict v = refused                ? trial_verdict(w->trial)
                    : is_about_head(state) ? scout_verdict(w->scout)
                                           : _VERDICT_INVALID;
        const char *remedy = refused ? trial_remedy(w->trial) : scout_remedy(w->scout);

        (void)status_set(s, STATUS_VERDICT, v >= 0 ? verdict_to_string(v) : "");
        (void)status_set(s, STATUS_REMEDY, v >= 0 ? remedy : "");
}

/* The one door to the state. */
static void worker_set_state(Worker *w, WorkerState state, const char *reason)
{
        WorkerState before = w->state;

        if (!worker_state_may(before, state)) {
                log_debug("%s -> %s is no legal move", worker_state_to_string(before),
                          worker_state_to_string(state));
                return;
        }
        bool changed =
                state != before || !streq(daemon_status(w->daemon)->text[STATUS_REASON], reason);
        w->state = state;
        show_verdict(w, state);
        daemon_set_state(w->daemon, worker_state_to_string(state), reason);
        if (state != before)
                teller_move(w->teller, before, state, reason, worker_is_up(w));
        if ((is_about_head(state) || is_refused(w, state)) && changed)
                teller_wait(w->teller);
        if (state == WORKER_JOINED && before != WORKER_JOINED)
                scout_remember(w->scout);
        presence_set_pace(w->presence, state == WORKER_JOINED);
}

static void show(Worker *w, bool head_due)
{
        Status *s = daemon_status(w->daemon);
        char own[ADDR_MAX];

        (void)status_set(s, STATUS_ADDRESS,
                         addr_is_set(&w->address) ? addr_format(own, &w->address) : "");
        show_engine(s, w->keeper, head_due ? "cluster.head" : NULL);
        if (presence_addr(w->presence))
                show_gcs(s, presence_addr(w->presence), presence_facts(w->presence));
        else
                show_gcs(s, scout_addr(w->scout), scout_facts(w->scout));
        scout_show(w->scout, s);
        (void)status_set(s, STATUS_MEMBERSHIP, membership_text(w->membership));
        (void)status_set_head_settings(s, membership_settings(w->membership));
}

static bool has_ended(const Worker *w)
{
        EngineState s = keeper_unit_state(w->keeper);
        return keeper_phase(w->keeper) == KEEP_IDLE || s == ENGINE_MISSING || s == ENGINE_UNKNOWN;
}

static void carry_out(Worker *w, const WorkerPlan *plan)
{
        static const struct {
                MessageId id;
                const char *why;
        } restarts[] = {
                [WORKER_RESTART_CLUSTER] = {MSG_CLUSTER_CHANGED, "the head has a new cluster"},
                [WORKER_RESTART_RAY] = {MSG_VERSION_MISMATCH,
                                        "the head runs another version of Ray"},
                [WORKER_RESTART_MOVED] = {MSG_CLUSTER_CHANGED, "the head is at another address"},
                [WORKER_RESTART_DEAD] = {MSG_NODE_DEAD, "the head calls this node dead"},
        };
        const WatchFacts *f = scout_facts(w->scout);

        if (daemon_is_stopping(w->daemon))
                return;
        w->left = w->left && !has_ended(w);
        if (w->left || plan->hold) {
                keeper_unwant(w->keeper);
                return;
        }
        if (plan->restart != WORKER_RESTART_NO)
                keeper_restart(w->keeper, restarts[plan->restart].id, true,
                               restarts[plan->restart].why);
        if (!plan->run || !f) {
                keeper_leave(w->keeper);
                return;
        }
        char id[RAY_ID_STR_MAX];
        KeeperWant want = {.address = w->address,
                           .head = *scout_addr(w->scout),
                           .cluster_id = ray_id_format(id, &f->cluster_id),
                           .head_ray = (char *)f->versions.ray};
        if (keeper_want(w->keeper, &want) < 0)
                (void)log_oom();
}

static int on_work(sd_event_source *source, void *userdata)
{
        Worker *w = userdata;

        own_head_tell(w->membership, w->scout, worker_settings(w));
        find_address(w);
        membership_set_address(w->membership, &w->address);
        watch_gcs(w);
        seek(w);
        own_head_seek(w->membership, w->scout, worker_is_up(w) ? keeper_running(w->keeper) : NULL,
                      worker_settings(w));
        ray_cert_look(w->ray_cert, &w->tls, &w->address, worker_is_up(w));
        mirror_check(w->mirror);
        worker_try_way_back(w);
        worker_tell_versions(w);
        reporter_kick(w->reporter);
        if (!membership_is_bound(w->membership))
                orders_release(w->orders);
        _cleanup_(picture_done) Picture now = picture_take(&(PictureSources){
                .keeper = w->keeper,
                .scout = w->scout,
                .presence = w->presence,
                .trial = worker_is_tried(w) ? w->trial : NULL,
                .proven = membership_is_bound(w->membership),
                .stopping = daemon_is_stopping(w->daemon),
                .held = orders_holds(w->orders),
                .no_address = w->no_address,
                .no_cert = ray_cert_missing(w->ray_cert),
        });
        show(w, now.head_due);
        WorkerPlan plan = worker_decide(&now.facts, w->state);
        _cleanup_free_ char *reason = plan.reason;
        if (reason)
                worker_set_state(w, plan.state, reason);
        carry_out(w, &plan);
        reflector_bus_check(w->reflector_bus);
        orders_look(w->orders, w->state, daemon_status(w->daemon)->text[STATUS_REASON]);
        return 0;
}

/* --- what the features say ----------------------------------------------------------------------
 */

static void on_keeper(Keeper *k, void *userdata)
{
        Worker *w = userdata;

        if (daemon_is_stopping(w->daemon) && has_ended(w)) {
                daemon_exit(w->daemon, EXIT_OK);
                return;
        }
        worker_schedule(w);
}

static void on_scout(Scout *s, void *userdata)
{
        worker_schedule(userdata);
}

static void on_changes(void *userdata)
{
        Worker *w = userdata;
        _cleanup_free_ char *before = w->token ? strdup(w->token) : NULL;

        membership_look_again(w->membership);
        load_token(w);
        if (!streq_ptr(before, w->token)) {
                worker_configure(w);
                return;
        }
        if (!worker_is_up(w) || presence_lost_since(w->presence) != 0)
                scout_kick(w->scout);
        trial_kick(w->trial);
        keeper_kick(w->keeper);
        worker_schedule(w);
}

static void on_reload(const Conf *before, void *userdata)
{
        Worker *w = userdata;

        worker_configure(w);
        trial_kick(w->trial);
}

static int on_restart_engine(char **reterr_text, void *userdata)
{
        Worker *w = userdata;

        if (orders_holds(w->orders)) {
                *reterr_text = strdup("held: stopped by the head's admin, whose raycluster node "
                                      "start starts Ray again");
                return -EBUSY;
        }
        keeper_restart(w->keeper, MSG_DRAINING, false, "asked for over D-Bus");
        keeper_kick(w->keeper);
        return 0;
}

static void on_get_nodes(void *userdata)
{
        Worker *w = userdata;
        const WatchFacts *f = presence_facts(w->presence);

        if (!f || (f->nodes && usec_sub(now_mono(), f->nodes_at) < NODES_FRESH))
                reply_nodes(w, f);
        else /* on_round() answers, with new nodes or with old ones */
                presence_refresh(w->presence);
}

static void on_stop(bool engine_too, const char *text, void *userdata)
{
        Worker *w = userdata;

        if (!engine_too) {
                log_info("Ending; Ray keeps running (%s).", text);
                daemon_exit(w->daemon, EXIT_OK);
                return;
        }
        log_info("Ending, with Ray (%s).", text);
        keeper_unwant(w->keeper);
        keeper_kick(w->keeper); /* a held one is unwanted already; on_keeper() is to come anyway */
        worker_schedule(w);
}

/* --- the object ---------------------------------------------------------------------------------
 */

static int new_features(Worker *w)
{
        static const KeeperOps keeper_ops = {.on_change = on_keeper};
        static const ScoutOps scout_ops = {.on_change = on_scout};
        static const PresenceOps presence_ops = {.on_round = on_round};
        sd_event *e = daemon_event(w->daemon);
        Bus *bus = daemon_bus(w->daemon);

        _cleanup_free_ char *last_known = path_join(daemon_state_dir(), "last-known-head");
        if (!last_known)
                return -ENOMEM;
        int r = sd_event_add_defer(e, &w->work, on_work, w);
        if (r >= 0)
                r = scout_new(e, bus, last_known, &scout_ops, w, &w->scout);
        if (r >= 0)
                r = keeper_new(e, bus, ROLE_WORKER, daemon_node_id(w->daemon), &keeper_ops, w,
                               &w->keeper);
        if (r >= 0)
                r = presence_new(e, w->keeper, daemon_node_id(w->daemon), &presence_ops, w,
                                 &w->presence);
        if (r >= 0)
                r = worker_new_member(w);
        if (r >= 0)
                r = teller_new(e, daemon_status(w->daemon), w->scout, &w->teller);
        return r;
}

int worker_new(const Options *o, Conf **conf, Worker **ret)
{
        static const DaemonOps ops = {
                .on_reload = on_reload,
                .on_restart_engine = on_restart_engine,
                .on_get_nodes = on_get_nodes,
                .on_stop = on_stop,
        };
        _cleanup_(worker_freep) Worker *w = new0(Worker, 1);
        if (!w)
                return log_oom();
        int r = daemon_new(ROLE_WORKER, o, conf, &ops, w, &w->daemon);
        if (r < 0)
                return r;
        r = new_features(w);
        if (r < 0)
                return log_error_errno(r, "Failed to set up: %m");
        *ret = TAKE_PTR(w);
        return 0;
}

int worker_start(Worker *w)
{
        daemon_set_state(w->daemon, worker_state_to_string(w->state), "starting");
        worker_configure(w);
        int r = changes_new(daemon_event(w->daemon), on_changes, w, &w->changes);
        if (r >= 0)
                r = keeper_start(w->keeper);
        return r < 0 ? log_error_errno(r, "Failed to start: %m") : 0;
}

int worker_run(Worker *w)
{
        return daemon_run(w->daemon);
}

Worker *worker_free(Worker *w)
{
        if (!w)
                return NULL;
        changes_free(w->changes);
        orders_free(w->orders);
        reporter_free(w->reporter);
        membership_bus_free(w->membership_bus);
        ray_cert_free(w->ray_cert);
        reflector_bus_free(w->reflector_bus);
        teller_free(w->teller);
        presence_free(w->presence);
        scout_free(w->scout);
        trial_free(w->trial);
        mirror_free(w->mirror);
        membership_free(w->membership);
        keeper_free(w->keeper);
        sd_event_source_disable_unref(w->work);
        free(w->no_address);
        free(w->token);
        engine_tls_done(&w->tls);
        daemon_free(w->daemon);
        free(w);
        return NULL;
}
