/* The manager: facts come in from the features, head_decide() says what they mean, the rest carries
 * it out. States and their picture: head-state.h. */
#include "head/head.h"

#include <stdio.h>

#include "base/log.h"
#include "engine/tls.h"
#include "head/announcement.h"
#include "head/head-address.h"
#include "head/head-state.h"
#include "head/head-token.h"
#include "head/members-bus.h"
#include "head/ray-tls.h"
#include "role/changes.h"
#include "role/keeper.h"
#include "role/show.h"
#include "role/watch.h"
#include "sys/deadline.h"

#define GCS_TIMEOUT  (3 * USEC_PER_SEC)
#define LOOK_AGAIN   (5 * USEC_PER_SEC)
#define PACE_SERVING ((WatchPace){.round = USEC_PER_SEC, .nodes = 2 * USEC_PER_SEC})
#define PACE_WAITING ((WatchPace){.round = USEC_PER_SEC / 4, .nodes = USEC_PER_SEC})

struct Head {
        Daemon *daemon;
        Keeper *keeper;
        Watch *watch; /* of our own GCS, while Ray's unit is up */
        Publisher *publisher;
        Members *members;
        MembersBus *members_bus;
        RayTls *ray_tls;
        Changes *changes;
        HeadAddress *address;
        HeadState state;
        HeadToken token;
        usec_t unserved_since; /* the unit runs and the GCS does not serve; 0 = it serves */
        sd_event_source *work;
        Deadline *retry; /* looks for the own address, or the token, again */
};

static const Settings *settings(const Head *h)
{
        return daemon_conf(h->daemon)->settings;
}

static void schedule(void *userdata)
{
        Head *h = userdata;
        (void)sd_event_source_set_enabled(h->work, SD_EVENT_ONESHOT);
}

static bool is_up(const Head *h)
{
        return engine_state_is_up(keeper_unit_state(h->keeper));
}

/* --- the own address ----------------------------------------------------------------------------
 */

static void look_again(Head *h)
{
        (void)deadline_move(h->retry, LOOK_AGAIN);
}

static bool find_address(Head *h, Addr *ret)
{
        const EngineArgs *args = keeper_running(h->keeper);

        int r = head_address_find(h->address, &settings(h)->node,
                                  is_up(h) && args ? &args->node_address : NULL, ret);
        if (r == 0)
                look_again(h);
        return r > 0;
}

/* --- the GCS ------------------------------------------------------------------------------------
 */

static void on_round(Watch *w, void *userdata)
{
        schedule(userdata);
}

static void watch_gcs(Head *h, const Addr *address)
{
        static const WatchOps ops = {.on_round = on_round};
        const EngineArgs *args = keeper_running(h->keeper);

        if (!is_up(h) || !addr_is_set(address) || h->token.missing) {
                h->watch = watch_free(h->watch);
                return;
        }
        if (h->watch)
                return;
        _cleanup_engine_tls_ EngineTls tls = {0};
        int r = args ? engine_tls_of(args->tls_dir, &tls) : engine_tls(settings(h), &tls);
        if (r < 0) {
                (void)log_oom();
                return;
        }
        GcsClientPolicy policy = {.addr = *address,
                                  .token = h->token.text,
                                  .tls = engine_tls_files(&tls),
                                  .timeout = GCS_TIMEOUT};
        policy.addr.port = args ? args->ports.gcs : settings(h)->ports.gcs;
        r = watch_new(daemon_event(h->daemon), &policy, &PACE_WAITING, 0, &ops, h, &h->watch);
        if (r < 0)
                (void)log_error_errno(r, "Failed to watch the GCS: %m");
}

static bool serves(const Head *h)
{
        return h->watch && watch_facts(h->watch)->serving_since != 0;
}

static bool auth_is_on(const Head *h)
{
        return h->token.text || h->token.missing;
}

static void load_token(Head *h)
{
        if (head_token_load(&h->token, settings(h), daemon_state_dir()))
                h->watch = watch_free(h->watch); /* comes back with the token */
        show_auth(daemon_status(h->daemon), auth_is_on(h), true);
        if (h->token.missing)
                look_again(h);
}

/* --- members ------------------------------------------------------------------------------------
 */

static void on_members(Members *m, void *userdata)
{
        Head *h = userdata;
        (void)status_set(daemon_status(h->daemon), STATUS_MEMBERSHIP, members_text(m));
}

static void tell_members(Head *h)
{
        int r = members_configure(
                h->members,
                &(MembersPolicy){.state_dir = daemon_state_dir(),
                                 .node_id = daemon_node_id(h->daemon),
                                 .name = daemon_status(h->daemon)->text[STATUS_NODE_NAME],
                                 .address = *head_address_last(h->address),
                                 .cluster = settings(h)->disco.cluster,
                                 .ray_token = h->token.text,
                                 .no_token = h->token.missing,
                                 .ray_authority = ray_tls_authority(h->ray_tls),
                                 .settings = daemon_conf(h->daemon)->room,
                                 .port = settings(h)->ports.control});
        if (r < 0)
                (void)log_error_errno(r, "Failed to open the control port: %m");
}

/* The authority of Ray's TLS first: members have their certificates of it. */
static void configure_members(Head *h)
{
        const RayTlsPolicy tls = {.on = streq(settings(h)->auth_tls, "on"),
                                  .state_dir = daemon_state_dir(),
                                  .node_id = daemon_node_id(h->daemon),
                                  .name = daemon_status(h->daemon)->text[STATUS_NODE_NAME],
                                  .address = *head_address_last(h->address)};

        if (ray_tls_configure(h->ray_tls, &tls) < 0)
                (void)log_oom();
        tell_members(h);
}

static void on_ray_tls(RayTls *t, void *userdata)
{
        Head *h = userdata;

        tell_members(h);
        keeper_kick(h->keeper);
        schedule(h);
}

/* --- the announcement ---------------------------------------------------------------------------
 */

static void announce(Head *h, HeadState before)
{
        if (h->state == HEAD_SERVING && before != HEAD_SERVING) {
                int r = announcement_make(h->publisher, settings(h), daemon_status(h->daemon),
                                          h->watch);
                if (r < 0)
                        (void)log_warning_errno(r, "Failed to announce the head by mDNS: %m");
        } else if (h->state != HEAD_SERVING && before == HEAD_SERVING)
                publisher_withdraw(h->publisher);
}

static void on_published(Publisher *p, void *userdata)
{
        Head *h = userdata;
        announcement_show(p, daemon_status(h->daemon));
}

/* --- state --------------------------------------------------------------------------------------
 */

static void tell_move(const Head *h, HeadState before, const char *reason)
{
        _cleanup_strv_free_ char **fields = NULL;
        const Status *s = daemon_status(h->daemon);

        (void)strv_extendf(&fields, "RAYCLUSTER_HEAD=%s", s->text[STATUS_HEAD_ADDRESS]);
        (void)strv_extendf(&fields, "RAYCLUSTER_CLUSTER_ID=%s", s->text[STATUS_CLUSTER_ID]);
        if (h->state == HEAD_SERVING)
                log_event(LOG_INFO, MSG_HEAD_SERVING, fields, "%s", reason);
        else if (before == HEAD_SERVING && h->state != HEAD_STOPPING)
                log_event(LOG_WARNING, MSG_HEAD_LOST, fields, "the GCS no longer serves: %s",
                          reason);
        else
                log_debug("%s -> %s: %s", head_state_to_string(before),
                          head_state_to_string(h->state), reason);
}

/* The one door to the state. */
static void head_set_state(Head *h, HeadState state, const char *reason)
{
        HeadState before = h->state;

        if (!head_state_may(before, state)) {
                log_debug("%s -> %s is no legal move", head_state_to_string(before),
                          head_state_to_string(state));
                return;
        }
        h->state = state;
        daemon_set_state(h->daemon, head_state_to_string(state), reason);
        if (state != before)
                tell_move(h, before, reason);
        if (h->watch)
                watch_set_pace(h->watch, state == HEAD_SERVING ? &PACE_SERVING : &PACE_WAITING);
        announce(h, before);
}

static HeadFacts facts_of(Head *h, const char *address)
{
        const WatchFacts *w = h->watch ? watch_facts(h->watch) : NULL;
        usec_t now = now_mono(), since = keeper_running_since(h->keeper);

        if (serves(h) || h->token.missing || keeper_phase(h->keeper) != KEEP_RUNNING)
                h->unserved_since = 0;
        else if (h->unserved_since == 0)
                h->unserved_since = now;
        return (HeadFacts){
                .stopping = daemon_is_stopping(h->daemon),
                .no_address = head_address_missing(h->address),
                .no_tls = ray_tls_missing(h->ray_tls),
                .no_token = h->token.missing,
                .phase = keeper_phase(h->keeper),
                .keep_text = keeper_text(h->keeper),
                .serving = serves(h),
                .failures = w ? w->failures : 0,
                .gcs_text = w ? w->text : "",
                .node_known = w && w->nodes && w->nodes_at > since,
                .node_alive = w && w->nodes &&
                              node_set_find_instance(w->nodes, daemon_node_id(h->daemon)),
                .running_for = since != 0 ? usec_sub(now, since) : 0,
                .degraded_for = h->unserved_since != 0 ? usec_sub(now, h->unserved_since) : 0,
                .address = address,
                .workers = w && w->nodes ? (unsigned)node_set_count_alive(w->nodes, true) : 0,
                .auth_off = !auth_is_on(h),
        };
}

static void show(Head *h, const Addr *address)
{
        Status *s = daemon_status(h->daemon);
        const WatchFacts *w = h->watch ? watch_facts(h->watch) : NULL;
        char own[ADDR_MAX];

        (void)status_set(s, STATUS_ADDRESS, addr_is_set(address) ? addr_format(own, address) : "");
        show_engine(s, h->keeper, NULL);
        show_gcs(s, h->watch ? watch_addr(h->watch) : NULL, w);
        (void)status_set_count(s, STATUS_WORKERS_ALIVE,
                               w && w->nodes ? (unsigned)node_set_count_alive(w->nodes, true) : 0);
        show_dashboard(s, is_up(h) ? keeper_running(h->keeper) : NULL);
}

static int on_work(sd_event_source *source, void *userdata)
{
        Head *h = userdata;
        Addr address = {0};
        char text[ADDR_PORT_MAX] = "";

        bool found = find_address(h, &address);
        if (head_address_moved(h->address)) /* certificates name it */
                configure_members(h);
        bool known = found && !ray_tls_missing(h->ray_tls) && !h->token.missing;
        if (!daemon_is_stopping(h->daemon)) {
                if (known && keeper_want(h->keeper, &(KeeperWant){.address = address}) < 0)
                        (void)log_oom();
                else if (!known)
                        keeper_leave(h->keeper);
        }
        watch_gcs(h, &address);
        if (h->watch)
                addr_format_port(text, watch_addr(h->watch));
        show(h, &address);
        members_set_reflector(h->members, &settings(h)->ports, &address,
                              h->watch ? &watch_facts(h->watch)->versions : NULL);
        HeadFacts f = facts_of(h, text);
        HeadPlan plan = head_decide(&f, h->state);
        _cleanup_free_ char *reason = plan.reason;
        if (reason)
                head_set_state(h, plan.state, reason);
        if (plan.restart)
                keeper_restart(h->keeper, MSG_NODE_DEAD, true, plan.restart);
        return 0;
}

/* --- what the features say ----------------------------------------------------------------------
 */

static bool has_ended(const Head *h)
{
        EngineState s = keeper_unit_state(h->keeper);
        return keeper_phase(h->keeper) == KEEP_IDLE || s == ENGINE_MISSING || s == ENGINE_UNKNOWN;
}

static void on_keeper(Keeper *k, void *userdata)
{
        Head *h = userdata;

        if (daemon_is_stopping(h->daemon) && has_ended(h)) {
                daemon_exit(h->daemon, EXIT_OK);
                return;
        }
        schedule(h);
}

/* Addresses of the machine tell us when they change; a name server does not, nor a token. */
static void on_retry(void *userdata)
{
        Head *h = userdata;

        head_address_look(h->address, &settings(h)->disco);
        if (h->token.missing) {
                load_token(h);
                configure_members(h);
        }
        schedule(h);
}

static void on_changes(void *userdata)
{
        Head *h = userdata;

        load_token(h);
        configure_members(h);
        if (!is_up(h))
                head_address_look(h->address, &settings(h)->disco);
        keeper_kick(h->keeper);
        schedule(h);
}

static void on_rotated(Members *m, void *userdata)
{
        Head *h = userdata;

        on_changes(h);
        keeper_restart(h->keeper, MSG_DRAINING, false, "Ray has another token");
}

static void on_reload(const Conf *before, void *userdata)
{
        Head *h = userdata;

        keeper_configure(h->keeper, settings(h), daemon_status(h->daemon)->text[STATUS_NODE_NAME]);
        on_changes(h);
}

static int on_restart_engine(char **reterr_text, void *userdata)
{
        Head *h = userdata;

        keeper_restart(h->keeper, MSG_DRAINING, false, "asked for over D-Bus");
        keeper_kick(h->keeper);
        return 0;
}

static void on_get_nodes(void *userdata)
{
        Head *h = userdata;
        const WatchFacts *w = h->watch ? watch_facts(h->watch) : NULL;

        daemon_bus_reply_nodes(daemon_object(h->daemon), w ? w->nodes : NULL,
                               w && w->nodes ? usec_sub(now_mono(), w->nodes_at) : USEC_INFINITY);
}

static void on_stop(bool engine_too, const char *text, void *userdata)
{
        Head *h = userdata;

        publisher_withdraw(h->publisher);
        if (!engine_too) {
                log_info("Ending; Ray keeps running (%s).", text);
                daemon_exit(h->daemon, EXIT_OK);
                return;
        }
        log_info("Ending, with Ray (%s).", text);
        keeper_unwant(h->keeper);
        schedule(h);
}

/* --- the object ---------------------------------------------------------------------------------
 */

static int new_features(Head *h)
{
        static const KeeperOps keeper_ops = {.on_change = on_keeper};
        static const PublisherOps publisher_ops = {.on_change = on_published};
        static const MembersOps members_ops = {.on_change = on_members, .on_rotated = on_rotated};
        static const RayTlsOps ray_tls_ops = {.on_change = on_ray_tls};
        sd_event *e = daemon_event(h->daemon);
        Bus *bus = daemon_bus(h->daemon);

        int r = sd_event_add_defer(e, &h->work, on_work, h);
        if (r >= 0)
                r = deadline_new(e, USEC_INFINITY, USEC_PER_SEC, on_retry, h, &h->retry);
        if (r >= 0)
                r = head_address_new(e, schedule, h, &h->address);
        if (r >= 0)
                r = publisher_new(bus, &publisher_ops, h, &h->publisher);
        if (r >= 0)
                r = ray_tls_new(e, &ray_tls_ops, h, &h->ray_tls);
        if (r >= 0)
                r = members_new(e, &members_ops, h, &h->members);
        if (r >= 0)
                r = members_bus_new(bus, h->members, &h->members_bus);
        if (r >= 0)
                r = keeper_new(e, bus, ROLE_HEAD, daemon_node_id(h->daemon), &keeper_ops, h,
                               &h->keeper);
        return r;
}

int head_new(const Options *o, Conf **conf, Head **ret)
{
        static const DaemonOps ops = {
                .on_reload = on_reload,
                .on_restart_engine = on_restart_engine,
                .on_get_nodes = on_get_nodes,
                .on_stop = on_stop,
        };
        _cleanup_(head_freep) Head *h = new0(Head, 1);
        if (!h)
                return log_oom();
        int r = daemon_new(ROLE_HEAD, o, conf, &ops, h, &h->daemon);
        if (r < 0)
                return r;
        r = new_features(h);
        if (r < 0)
                return log_error_errno(r, "Failed to set up: %m");
        *ret = TAKE_PTR(h);
        return 0;
}

int head_start(Head *h)
{
        daemon_set_state(h->daemon, head_state_to_string(h->state), "starting");
        load_token(h);
        configure_members(h);
        keeper_configure(h->keeper, settings(h), daemon_status(h->daemon)->text[STATUS_NODE_NAME]);
        head_address_look(h->address, &settings(h)->disco);
        on_published(h->publisher, h);
        int r = changes_new(daemon_event(h->daemon), on_changes, h, &h->changes);
        if (r >= 0)
                r = keeper_start(h->keeper);
        return r < 0 ? log_error_errno(r, "Failed to start: %m") : 0;
}

int head_run(Head *h)
{
        return daemon_run(h->daemon);
}

Head *head_free(Head *h)
{
        if (!h)
                return NULL;
        changes_free(h->changes);
        members_bus_free(h->members_bus);
        members_free(h->members);
        ray_tls_free(h->ray_tls);
        watch_free(h->watch);
        head_address_free(h->address);
        keeper_free(h->keeper);
        publisher_free(h->publisher);
        sd_event_source_disable_unref(h->work);
        deadline_free(h->retry);
        head_token_done(&h->token);
        daemon_free(h->daemon);
        free(h);
        return NULL;
}
