/* From the arguments to READY: the machine, the versions, `ray start`, the GCS, this node. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit.h"
#include "base/fd.h"
#include "base/log.h"
#include "supervisor/command.h"
#include "supervisor/preflight.h"
#include "supervisor/supervisor.h"
#include "sys/notify.h"

/* Questions to a GCS that every worker of a room asks at once: this often at first, then less. */
#define ASK_FIRST (100 * USEC_PER_MSEC)
#define ASK_MAX   (2 * USEC_PER_SEC)

/* Ray's last helpers come a moment after the node is ALIVE, and some may be switched off. */
#define SCAN_MORE (30 * USEC_PER_SEC)

static void launch(Supervisor *s);

/* Marks a call as under way; false: one is, or it is too early. */
static bool may_ask(Supervisor *s)
{
        usec_t now = now_mono();

        if (s->calling || now < s->ask_next)
                return false;
        s->ask_next = now + s->ask_pause;
        s->ask_pause = MIN(s->ask_pause + s->ask_pause / 4, ASK_MAX);
        s->calling = true;
        return true;
}

static void ask_afresh(Supervisor *s)
{
        s->ask_next = 0;
        s->ask_pause = ASK_FIRST;
}

static const char *head_text(const Supervisor *s, char buf[ADDR_PORT_MAX])
{
        return addr_format_port(buf, &s->args->head_address);
}

/* --- checking -------------------------------------------------------------------------------- */

/* Both known: compare and go on. */
static void compare(Supervisor *s, const Versions *head)
{
        _cleanup_free_ char *why = versions_mismatch(head, &s->here);

        if (why)
                supervisor_fail(s, EXIT_ENGINE_VERSIONS, MSG_VERSION_MISMATCH, "%s", why);
        else
                launch(s);
}

static void on_cluster_id(GcsClient *c, const GcsResult *result, const RayId *id, void *userdata)
{
        char buf[RAY_ID_STR_MAX], addr[ADDR_PORT_MAX];
        Supervisor *s = userdata;

        s->calling = false;
        if (s->stage != STAGE_CHECKING || result->status != GCS_OK)
                return; /* asked again, until the deadline */
        if (!streq(ray_id_format(buf, id), s->args->cluster_id)) {
                supervisor_fail(s, EXIT_ENGINE_START, MSG_ENGINE_FAILED,
                                "the GCS at %s is of cluster %s, and this start was meant for %s: "
                                "the head was replaced meanwhile",
                                head_text(s, addr), buf, s->args->cluster_id);
                return;
        }
        s->head_known = true;
        launch(s);
}

static void on_head_versions(GcsClient *c, const GcsResult *result, const Versions *v,
                             void *userdata)
{
        char addr[ADDR_PORT_MAX];
        Supervisor *s = userdata;

        s->calling = false;
        if (s->stage != STAGE_CHECKING)
                return;
        if (result->status == GCS_TOKEN) {
                supervisor_fail(s, EXIT_ENGINE_BLOCKED, MSG_BLOCKED, "the GCS at %s: %s",
                                head_text(s, addr), result->text);
                return;
        }
        if (result->status != GCS_OK) {
                notify_status("checking: the GCS at %s: %s", head_text(s, addr), result->text);
                return;
        }
        ask_afresh(s);
        if (isempty(s->args->cluster_id)) {
                s->head_known = true;
                compare(s, v);
                return;
        }
        _cleanup_free_ char *why = versions_mismatch(v, &s->here);
        if (why) {
                supervisor_fail(s, EXIT_ENGINE_VERSIONS, MSG_VERSION_MISMATCH, "%s", why);
                return;
        }
        s->calling = gcs_client_get_cluster_id(s->gcs, on_cluster_id, s) >= 0;
}

static void ask_head(Supervisor *s)
{
        if (may_ask(s) && gcs_client_get_versions(s->gcs, on_head_versions, s) < 0)
                s->calling = false;
}

static void on_versions(VersionsQuery *q, const Versions *v, const char *why, void *userdata)
{
        char addr[ADDR_PORT_MAX];
        Supervisor *s = userdata;

        if (s->stage != STAGE_CHECKING)
                return;
        if (!v) {
                supervisor_fail(s, EXIT_ENGINE_BLOCKED, MSG_BLOCKED, "%s", why);
                return;
        }
        s->here = *v;
        s->here_known = true;
        log_debug("%s has Ray %s for Python %s.", s->args->venv, v->ray, v->python);
        if (s->args->role == ROLE_HEAD) {
                launch(s);
                return;
        }
        notify_status("checking: asking the GCS at %s for its versions", head_text(s, addr));
        ask_head(s);
}

/* Ray's token for our own questions; the file stays where it is, Ray gets its path. */
static int connect_gcs(Supervisor *s)
{
        _cleanup_free_ char *token = NULL;
        GcsClientPolicy policy = {.addr = s->args->head_address,
                                  .tls = engine_tls_files(&s->tls),
                                  .timeout = GCS_TIMEOUT_USEC};

        if (!isempty(s->args->token_path)) {
                int r = read_file(s->args->token_path, 64 << 10, &token, NULL);
                if (r < 0)
                        return r;
                policy.token = str_strip(token);
        }
        int r = gcs_client_new(s->event, &policy, &s->gcs);
        if (token)
                explicit_bzero(token, strlen(token));
        return r;
}

int start_check(Supervisor *s)
{
        _cleanup_free_ char *why = NULL;

        notify_status("checking: the machine and %s", s->args->venv);
        int r = preflight(s->args, &s->paths, &why);
        if (r == -EAGAIN) {
                supervisor_fail(s, EXIT_ENGINE_BLOCKED, MSG_BLOCKED, "%s", why);
                return 0;
        }
        if (r >= 0)
                r = connect_gcs(s);
        if (r >= 0)
                r = versions_ask(s->event, s->args->venv, on_versions, s, &s->query);
        if (r < 0)
                return log_error_errno(r, "Cannot check the machine: %m");
        ask_afresh(s);
        return 0;
}

/* --- launching ------------------------------------------------------------------------------- */

static char *lost_text(Supervisor *s, ChildKind kind, pid_t pid, int status)
{
        _cleanup_free_ char *text = child_end_text(kind, pid, status);

        if (kind == CHILD_RAY_START && s->output) {
                output_drain(s->output);
                const char *why = output_reason(s->output);
                if (*why && text)
                        return str_printf("%s: %s", text, why);
        }
        return TAKE_PTR(text);
}

static void on_child_lost(Children *c, ChildKind kind, pid_t pid, int status, void *userdata)
{
        Supervisor *s = userdata;

        if (s->stage == STAGE_STOPPING && kind == CHILD_RAY_START) {
                supervisor_end(s);
                return;
        }
        if (s->stage >= STAGE_STOPPING)
                return; /* they end as they were asked to */
        _cleanup_free_ char *text = lost_text(s, kind, pid, status);
        if (s->stage == STAGE_RUNNING)
                supervisor_fail(s, EXIT_ENGINE_LOST, MSG_ENGINE_PROCESS_LOST, "%s", strna(text));
        else
                supervisor_fail(s, EXIT_ENGINE_START, MSG_ENGINE_FAILED, "Ray did not start: %s",
                                strna(text));
}

/* `ray start` refuses while this names an address that any process on the host has in its command
 * line (ray-facts 0.7); nothing of ours runs now. */
static void remove_stale(const Supervisor *s)
{
        _cleanup_free_ char *path = path_join(s->args->engine.temp_dir, "ray_current_cluster");

        if (path && unlink(path) >= 0)
                log_debug("Removed %s of an earlier run.", path);
}

static int run_ray(Supervisor *s)
{
        _cleanup_strv_free_ char **argv = NULL, **env = NULL;

        int r = command_build(s->args, &argv);
        if (r >= 0)
                r = environment_build(s->args, &s->paths, &env);
        if (r >= 0)
                r = logs_new(s->event, s->args->engine.temp_dir, s->args->log_level,
                             streq(s->args->log_ray, "journal"), &s->logs);
        if (r >= 0)
                r = spawn(
                        &(SpawnSpec){
                                .path = argv[0], .argv = argv, .env = env, .cwd = s->paths.home},
                        &s->ray);
        if (r >= 0)
                r = children_new(s->event, s->ray.pid, on_child_lost, s, &s->children);
        if (r >= 0)
                r = output_new(s->event, s->ray.out, logs_out(s->logs), &s->output);
        return r;
}

static void launch(Supervisor *s)
{
        char addr[ADDR_PORT_MAX];
        bool head = s->args->role == ROLE_HEAD;

        remove_stale(s);
        int r = run_ray(s);
        if (r < 0) {
                supervisor_fail_errno(s, r, "start Ray");
                return;
        }
        log_info("Started Ray %s (Python %s) as %s, pid %d.", s->here.ray, s->here.python,
                 role_to_string(s->args->role), (int)s->ray.pid);
        ask_afresh(s);
        notify_status(head ? "starting: waiting for the GCS at %s"
                           : "registering: waiting for the raylet, with the GCS at %s",
                      head_text(s, addr));
        (void)supervisor_set_stage(s, head ? STAGE_STARTING : STAGE_REGISTERING,
                                   head ? STARTING_MAX : REGISTERING_MAX);
}

/* --- the GCS, then this node ----------------------------------------------------------------- */

static void on_gcs_alive(GcsClient *c, const GcsResult *result, const char *ray_version,
                         void *userdata)
{
        char addr[ADDR_PORT_MAX];
        Supervisor *s = userdata;

        s->calling = false;
        if (s->stage != STAGE_STARTING || result->status != GCS_OK)
                return;
        notify_status("registering: the GCS at %s serves, waiting for this node to be ALIVE",
                      head_text(s, addr));
        ask_afresh(s);
        (void)supervisor_set_stage(s, STAGE_REGISTERING, REGISTERING_MAX);
}

static void on_frozen(Health *h, usec_t silent, void *userdata)
{
        Supervisor *s = userdata;
        ChildKind kind = h == s->health[0] ? CHILD_RAYLET : CHILD_GCS_SERVER;
        char t[DURATION_MAX];

        supervisor_fail(s, EXIT_ENGINE_FROZEN, MSG_ENGINE_FROZEN,
                        "%s (pid %d) has not answered for %s: frozen", child_kind_to_string(kind),
                        (int)children_pid(s->children, kind),
                        format_duration(t, silent / USEC_PER_SEC * USEC_PER_SEC));
}

static int watch_health(Supervisor *s)
{
        Addr raylet = s->args->node_address;

        raylet.port = s->args->ports.node_manager;
        int r = health_new(s->event, &raylet, engine_tls_files(&s->tls), on_frozen, s,
                           &s->health[0]);
        /* never the head's GCS from a worker: its outage must not end workers */
        if (r >= 0 && s->args->role == ROLE_HEAD)
                r = health_new(s->event, &s->args->head_address, engine_tls_files(&s->tls),
                               on_frozen, s, &s->health[1]);
        return r;
}

static void running(Supervisor *s)
{
        char t[DURATION_MAX], addr[ADDR_PORT_MAX], id[RAY_ID_STR_MAX];

        if (supervisor_set_stage(s, STAGE_RUNNING, USEC_INFINITY) < 0)
                return;
        s->scan_until = now_mono() + SCAN_MORE;
        int r = watch_health(s);
        if (r < 0) {
                supervisor_fail_errno(s, r, "watch the raylet");
                return;
        }
        const char *node = ray_id_format(id, children_node_id(s->children));
        notify_ready("running: Ray %s, node %.12s, GCS at %s", s->here.ray, node,
                     head_text(s, addr));
        log_info("Ray %s serves after %s as node %s.", s->here.ray,
                 format_duration(t, now_mono() - s->since), node);
        ask_afresh(s);
}

static void on_nodes(GcsClient *c, const GcsResult *result, NodeSet **nodes, void *userdata)
{
        Supervisor *s = userdata;

        s->calling = false;
        const RayId *id = children_node_id(s->children);
        if (s->stage != STAGE_REGISTERING || result->status != GCS_OK || !id)
                return;
        const Node *node = node_set_find(*nodes, id);
        if (node && node->state == NODE_DEAD)
                supervisor_fail(s, EXIT_ENGINE_START, MSG_ENGINE_FAILED,
                                "Ray did not start: the GCS calls this node dead: %s",
                                strna(node->death_reason));
        else if (node)
                running(s);
}

static GcsClient *raylet_client(Supervisor *s);
static void ask_node(Supervisor *s);

static void on_raylet(GcsClient *c, const GcsResult *result, void *userdata)
{
        Supervisor *s = userdata;

        s->calling = false;
        if (s->stage != STAGE_REGISTERING || result->status != GCS_OK)
                return;
        s->raylet_serves = true;
        ask_afresh(s);
        ask_node(s);
}

/* The raylet registers as soon as its agents have told their ports, each in a file of the session.
 * Where a Ray has no such file the node table is asked all the same, only less and less often. */
static bool agent_is_up(const Supervisor *s)
{
        char id[RAY_ID_STR_MAX];
        _cleanup_free_ char *path = str_printf("%s/session_latest/dashboard_agent_listen_port_%s",
                                               s->args->engine.temp_dir,
                                               ray_id_format(id, children_node_id(s->children)));

        return path && access(path, F_OK) == 0;
}

/* First our own raylet, at every tick, which costs the head nothing; then the node table. */
static void ask_node(Supervisor *s)
{
        GcsNodeFilter me = {.id = children_node_id(s->children), .limit = 1};
        int r;

        if (!s->raylet_serves)
                ask_afresh(s);
        else if (me.id && !s->agent_up && agent_is_up(s)) {
                s->agent_up = true;
                ask_afresh(s);
        }
        if (!me.id || !may_ask(s))
                return;
        GcsClient *raylet = raylet_client(s);
        if (s->raylet_serves)
                r = gcs_client_find_nodes(s->gcs, &me, on_nodes, s);
        else
                r = raylet ? gcs_client_health(raylet, on_raylet, s) : -ENOMEM;
        if (r < 0)
                s->calling = false;
}

static GcsClient *raylet_client(Supervisor *s)
{
        GcsClientPolicy policy = {.addr = s->args->node_address,
                                  .tls = engine_tls_files(&s->tls),
                                  .timeout = GCS_TIMEOUT_USEC};

        policy.addr.port = s->args->ports.node_manager;
        if (!s->raylet)
                (void)gcs_client_new(s->event, &policy, &s->raylet);
        return s->raylet;
}

static void on_agents(GcsClient *c, const GcsResult *result, pid_t dashboard_agent,
                      pid_t runtime_env_agent, void *userdata)
{
        Supervisor *s = userdata;

        s->calling = false;
        if (s->stage == STAGE_RUNNING && result->status == GCS_OK)
                (void)children_set_agents(s->children, dashboard_agent, runtime_env_agent);
}

static void ask_agents(Supervisor *s)
{
        if (children_pid(s->children, CHILD_DASHBOARD_AGENT) &&
            children_pid(s->children, CHILD_RUNTIME_ENV_AGENT))
                return;
        GcsClient *raylet = raylet_client(s);
        if (raylet && may_ask(s) && gcs_client_get_agent_pids(raylet, on_agents, s) < 0)
                s->calling = false;
}

/* --- the clock ------------------------------------------------------------------------------- */

void start_tick(Supervisor *s)
{
        bool head = s->args->role == ROLE_HEAD;

        if (s->logs)
                logs_look(s->logs);
        switch (s->stage) {
        case STAGE_CHECKING:
                if (!head && s->here_known && !s->head_known)
                        ask_head(s);
                break;
        case STAGE_STARTING:
                (void)children_scan(s->children, head);
                if (may_ask(s) && gcs_client_check_alive(s->gcs, on_gcs_alive, s) < 0)
                        s->calling = false;
                break;
        case STAGE_REGISTERING:
                (void)children_scan(s->children, head);
                ask_node(s);
                break;
        case STAGE_RUNNING:
                if (now_mono() < s->scan_until)
                        (void)children_scan(s->children, head);
                ask_agents(s);
                supervisor_prune(s);
                break;
        default:
                break;
        }
}

void start_deadline(Supervisor *s)
{
        char addr[ADDR_PORT_MAX], t[DURATION_MAX];

        (void)head_text(s, addr);
        (void)format_duration(t, now_mono() - s->since);
        if (s->stage == STAGE_CHECKING)
                supervisor_fail(s, EXIT_ENGINE_START, MSG_ENGINE_FAILED,
                                "no answer from the GCS at %s within %s: Ray is not started", addr,
                                t);
        else if (s->stage == STAGE_STARTING)
                supervisor_fail(s, EXIT_ENGINE_START, MSG_ENGINE_FAILED,
                                "Ray did not start: its GCS does not answer at %s after %s", addr,
                                t);
        else
                supervisor_fail(s, EXIT_ENGINE_START, MSG_ENGINE_FAILED,
                                "Ray did not start: %s after %s",
                                children_pid(s->children, CHILD_RAYLET)
                                        ? "this node is not ALIVE in the GCS"
                                        : "there is no raylet",
                                t);
}
