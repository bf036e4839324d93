/* The life of a daemon
 *
 *     new ── bus name ours ──> READY ── SIGHUP, Reload ──> RELOADING ──> READY
 *      │                         │
 *      │ name refused            │ SIGTERM, SIGINT
 *      ▼                         ▼
 *     exit                   asking systemd why ──> on_stop(engine too?) ──> exit
 *                                                   a second signal ───────> exit at once
 */
#include "role/daemon.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "role/stop.h"
#include "sys/machine-id.h"
#include "sys/notify.h"
#include "sys/signals.h"

static const struct {
        const char *name, *unit;
} roles[_ROLE_MAX] = {
        [ROLE_HEAD] = {"ray-headd", "ray-head.service"},
        [ROLE_WORKER] = {"ray-workerd", "ray-worker.service"},
};

struct Daemon {
        Role role;
        const Options *options; /* weak */
        Conf *conf;
        Status status;
        sd_event *event;
        sd_event_source *post;
        Bus *bus;
        DaemonBus *object;
        Signals *signals;
        StopAsk *stop_ask;
        sd_event_source *extend;
        usec_t extend_until;
        DaemonOps ops;
        void *userdata;
        char node_id[MACHINE_ID_STR_MAX];
        bool ready, stopping;
};

const char *daemon_name(Role role)
{
        return roles[role].name;
}

const char *daemon_state_dir(void)
{
        const char *dir = getenv("STATE_DIRECTORY");
        return dir ? dir : "/var/lib/raycluster";
}

/* --- configuration -----------------------------------------------------------------------------
 */

static void tell_mistakes(const ConfErrors *errors)
{
        for (size_t i = 0; i < errors->n; i++) {
                _cleanup_free_ char *text = conf_error_format(&errors->errors[i]);
                log_event(LOG_ERR, MSG_CONFIG_INVALID, NULL, "%s", strna(text));
        }
        if (errors->n_more > 0)
                log_event(LOG_ERR, MSG_CONFIG_INVALID, NULL, "and %zu more mistakes",
                          errors->n_more);
}

static char *join_mistakes(const ConfErrors *errors)
{
        _cleanup_strv_free_ char **l = NULL;

        for (size_t i = 0; i < errors->n; i++)
                if (strv_consume(&l, conf_error_format(&errors->errors[i])) < 0)
                        return NULL;
        if (errors->n_more > 0 && strv_extendf(&l, "and %zu more mistakes", errors->n_more) < 0)
                return NULL;
        return strv_join(l, "\n");
}

/* What this version does not know, or cannot use, is said and left out: a newer head must not keep
 * a machine from starting. */
static void tell_ignored(const ConfErrors *ignored)
{
        for (size_t i = 0; i < ignored->n; i++) {
                _cleanup_free_ char *text = conf_error_format(&ignored->errors[i]);
                log_event(LOG_WARNING, MSG_CONFIG_INVALID, NULL, "ignored: %s", strna(text));
        }
}

static char *read_head_conf(size_t *ret_size)
{
        _cleanup_free_ char *path = path_join(daemon_state_dir(), DAEMON_HEAD_CONF);
        char *text = NULL;

        int r = path ? read_file(path, CONF_ROOM_MAX, &text, ret_size) : -ENOMEM;
        if (r < 0 && r != -ENOENT)
                (void)log_warning_errno(r, "What the head has set cannot be read: %m");
        return text;
}

static int load_conf(Role role, const Options *o, Conf **ret, ConfErrors *errors)
{
        _cleanup_conf_errors_ ConfErrors ignored = {0};
        _cleanup_free_ char *dir = NULL, *room = NULL;
        size_t size = 0;

        if (o->config) {
                dir = str_printf("%s.d", o->config);
                if (!dir)
                        return -ENOMEM;
        }
        if (role == ROLE_HEAD)
                return conf_load(o->config, dir, ret, errors);
        room = read_head_conf(&size);
        int r = conf_load_member(o->config, dir, room, size, ret, errors, &ignored);
        tell_ignored(&ignored);
        return r;
}

int daemon_load_conf(Role role, const Options *o, Conf **ret)
{
        _cleanup_conf_errors_ ConfErrors errors = {0};

        int r = load_conf(role, o, ret, &errors);
        if (r == -EBADMSG)
                tell_mistakes(&errors);
        else if (r < 0)
                log_error_errno(r, "Failed to read the configuration: %m");
        return r;
}

static void set_log(const Daemon *d)
{
        const LogSettings *l = &d->conf->settings->log;
        log_set((LogTarget)(d->options->log_target >= 0 ? d->options->log_target : l->target),
                d->options->log_level >= 0 ? d->options->log_level : l->level);
}

static int set_names(Daemon *d)
{
        const Settings *s = d->conf->settings;
        char host[HOST_NAME_MAX + 1] = "";

        (void)gethostname(host, sizeof(host) - 1);
        int r = status_set(&d->status, STATUS_CLUSTER, s->disco.cluster);
        if (r >= 0)
                r = status_set(&d->status, STATUS_NODE_NAME,
                               isempty(s->node.name) ? host : s->node.name);
        return r;
}

static int reload(Daemon *d, char **reterr_text)
{
        _cleanup_conf_errors_ ConfErrors errors = {0};
        _cleanup_(conf_freep) Conf *new = NULL;

        int r = load_conf(d->role, d->options, &new, &errors);
        if (r < 0) {
                *reterr_text = r == -EBADMSG ? join_mistakes(&errors) : NULL;
                if (!*reterr_text)
                        *reterr_text =
                                str_printf("the configuration cannot be read: %s", strerror(-r));
                tell_mistakes(&errors);
                log_event(LOG_ERR, MSG_CONFIG_INVALID, NULL,
                          "the configuration stays as it was: %s",
                          r == -EBADMSG ? "the new one has mistakes" : strna(*reterr_text));
                return r;
        }
        Conf *before = d->conf;
        d->conf = TAKE_PTR(new);
        set_log(d);
        if (set_names(d) < 0)
                (void)log_oom();
        log_event(LOG_INFO, MSG_CONFIG_RELOADED, NULL, "configuration read again");
        d->ops.on_reload(before, d->userdata);
        conf_free(before);
        return 0;
}

static const char *line_of(const Daemon *d, char **ret)
{
        *ret = status_line(&d->status);
        return *ret ? *ret : d->status.text[STATUS_REASON];
}

static void tell_ready(const Daemon *d)
{
        _cleanup_free_ char *line = NULL;
        notify_ready("%s", line_of(d, &line));
}

static int reload_notified(Daemon *d, char **reterr_text)
{
        if (d->stopping) {
                *reterr_text = strdup("the daemon is stopping");
                return -ESHUTDOWN;
        }
        notify_reloading();
        int r = reload(d, reterr_text);
        tell_ready(d);
        return r;
}

int daemon_reload(Daemon *d)
{
        _cleanup_free_ char *text = NULL;
        return reload_notified(d, &text);
}

/* --- signals, the bus object, the end -----------------------------------------------------------
 */

static void on_signal_reload(void *userdata)
{
        _cleanup_free_ char *text = NULL;
        (void)reload_notified(userdata, &text);
}

/* While Ray drains, systemd hears each second that this is no hang (design 5). */
#define EXTEND_EVERY USEC_PER_SEC
#define EXTEND_BY    (15 * USEC_PER_SEC)
/* On top of engine.drain: what Ray takes to end, twice (ray-facts 4). */
#define EXTEND_MORE (2 * USEC_PER_MIN)

static int on_extend(sd_event_source *s, uint64_t usec, void *userdata)
{
        Daemon *d = userdata;

        if (now_mono() >= d->extend_until) {
                log_error("Ray does not stop; leaving it to systemd.");
                return 0;
        }
        notify_extend_timeout(EXTEND_BY);
        (void)sd_event_source_set_time_relative(s, EXTEND_EVERY);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

static void on_stop_answer(bool engine_too, const char *text, void *userdata)
{
        Daemon *d = userdata;
        _cleanup_free_ char *why = strdup(text);

        d->stop_ask = stop_ask_free(d->stop_ask);
        if (engine_too) {
                d->extend_until = usec_add(now_mono(),
                                           usec_add(d->conf->settings->engine.drain, EXTEND_MORE));
                int r = sd_event_add_time_relative(d->event, &d->extend, CLOCK_MONOTONIC, 0,
                                                   EXTEND_EVERY / 4, on_extend, d);
                if (r < 0)
                        (void)log_warning_errno(r, "No timer to extend the stop: %m");
        }
        d->ops.on_stop(engine_too, strempty(why), d->userdata);
}

static void on_signal_stop(int signo, void *userdata)
{
        Daemon *d = userdata;

        if (d->stopping) {
                log_notice("A second signal: ending at once.");
                daemon_exit(d, EXIT_OK);
                return;
        }
        d->stopping = true;
        notify_stopping("stopping");
        int r = stop_ask_new(d->event, d->bus, roles[d->role].unit, on_stop_answer, d,
                             &d->stop_ask);
        if (r < 0) {
                (void)log_error_errno(r, "Failed to ask systemd why we are to stop: %m");
                d->ops.on_stop(false, "systemd cannot be asked", d->userdata);
        }
}

static void on_name(int error, const char *text, void *userdata)
{
        Daemon *d = userdata;

        if (error < 0) {
                log_error("%s", text);
                daemon_exit(d, error == -EACCES ? EXIT_INTERNAL : EXIT_CONF);
                return;
        }
        if (d->ready)
                return;
        d->ready = true;
        tell_ready(d);
}

static void on_bus_get_nodes(void *userdata)
{
        Daemon *d = userdata;
        d->ops.on_get_nodes(d->userdata);
}

static int on_bus_restart_engine(char **reterr_text, void *userdata)
{
        Daemon *d = userdata;

        if (d->stopping) {
                *reterr_text = strdup("the daemon is stopping");
                return -ESHUTDOWN;
        }
        return d->ops.on_restart_engine(reterr_text, d->userdata);
}

static int on_bus_reload(char **reterr_text, void *userdata)
{
        return reload_notified(userdata, reterr_text);
}

/* After every round of the loop: show what changed, once, with all that changed together. */
static int on_post(sd_event_source *s, void *userdata)
{
        Daemon *d = userdata;
        const uint32_t told = UINT32_C(1) << STATUS_REASON | UINT32_C(1) << STATUS_REMEDY;
        uint32_t dirty = status_take_dirty(&d->status);
        _cleanup_free_ char *line = NULL;

        if (!dirty)
                return 0;
        if (d->ready && (dirty & told))
                notify_status("%s", line_of(d, &line));
        daemon_bus_emit(d->object, dirty);
        return 0;
}

/* --- the object ---------------------------------------------------------------------------------
 */

static int start(Daemon *d)
{
        static const SignalOps signal_ops = {.on_signal_stop = on_signal_stop,
                                             .on_signal_reload = on_signal_reload};
        static const DaemonBusOps bus_ops = {
                .on_name = on_name,
                .on_get_nodes = on_bus_get_nodes,
                .on_restart_engine = on_bus_restart_engine,
                .on_reload = on_bus_reload,
        };

        int r = sd_event_new(&d->event);
        if (r >= 0)
                r = notify_watchdog(d->event);
        if (r >= 0)
                r = signals_new(d->event, &signal_ops, d, &d->signals);
        if (r >= 0)
                r = sd_event_add_post(d->event, &d->post, on_post, d);
        if (r >= 0)
                r = bus_new(d->event, NULL, &d->bus);
        if (r >= 0)
                r = daemon_bus_new(d->bus, d->role, &d->status, &bus_ops, d, &d->object);
        return r;
}

int daemon_new(Role role, const Options *o, Conf **conf, const DaemonOps *ops, void *userdata,
               Daemon **ret)
{
        _cleanup_(daemon_freep) Daemon *d = new0(Daemon, 1);
        if (!d)
                return -ENOMEM;
        *d = (Daemon){.role = role, .options = o, .ops = *ops, .userdata = userdata};
        int r = status_init(&d->status);
        if (r < 0)
                return r;
        r = machine_id_for_app(d->node_id);
        if (r < 0)
                return log_error_errno(r, "This machine has no id (/etc/machine-id: run "
                                          "systemd-machine-id-setup): %m");
        r = status_set(&d->status, STATUS_NODE_ID, d->node_id);
        if (r >= 0)
                r = start(d);
        if (r < 0)
                return log_error_errno(r, "Failed to start: %m");
        d->conf = TAKE_PTR(*conf);
        set_log(d);
        r = set_names(d);
        if (r < 0)
                return log_oom();
        *ret = TAKE_PTR(d);
        return 0;
}

Daemon *daemon_free(Daemon *d)
{
        if (!d)
                return NULL;
        stop_ask_free(d->stop_ask);
        sd_event_source_disable_unref(d->extend);
        daemon_bus_free(d->object);
        bus_free(d->bus);
        signals_free(d->signals);
        sd_event_source_disable_unref(d->post);
        sd_event_unref(d->event);
        status_done(&d->status);
        conf_free(d->conf);
        free(d);
        return NULL;
}

sd_event *daemon_event(const Daemon *d)
{
        return d->event;
}

Bus *daemon_bus(const Daemon *d)
{
        return d->bus;
}

DaemonBus *daemon_object(const Daemon *d)
{
        return d->object;
}

Status *daemon_status(Daemon *d)
{
        return &d->status;
}

const Conf *daemon_conf(const Daemon *d)
{
        return d->conf;
}

const char *daemon_node_id(const Daemon *d)
{
        return d->node_id;
}

bool daemon_is_stopping(const Daemon *d)
{
        return d->stopping;
}

void daemon_set_state(Daemon *d, const char *state, const char *reason)
{
        _cleanup_free_ char *before = strdup(d->status.text[STATUS_STATE]);

        if (status_set_state(&d->status, state, reason) < 0)
                (void)log_oom();
        if (before && !streq(before, state))
                daemon_bus_emit_state(d->object, before, state, reason);
}

int daemon_run(Daemon *d)
{
        int r = sd_event_loop(d->event);
        if (r < 0) {
                (void)log_error_errno(r, "The event loop failed: %m");
                return EXIT_INTERNAL;
        }
        return r;
}

void daemon_exit(Daemon *d, int status)
{
        (void)sd_event_exit(d->event, status);
}
