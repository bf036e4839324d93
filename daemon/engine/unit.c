/*
 * What systemd says is the truth; here it is only read. One GetAll a change, at most one under way:
 *
 *   unknown ──first answer──> stopped │ starting │ running │ stopping │ failed │ missing
 *      ^───────────────────────── the bus is gone ─────────────────────────────────┘
 */
#include "engine/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/str.h"

#define SYSTEMD      "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"

static const char *const engine_state_table[_ENGINE_STATE_MAX] = {
        [ENGINE_UNKNOWN] = "unknown",   [ENGINE_STOPPED] = "stopped",
        [ENGINE_STARTING] = "starting", [ENGINE_RUNNING] = "running",
        [ENGINE_STOPPING] = "stopping", [ENGINE_FAILED] = "failed",
        [ENGINE_MISSING] = "missing",
};
DEFINE_STRTAB(engine_state, EngineState);

bool engine_state_is_up(EngineState s)
{
        return s == ENGINE_STARTING || s == ENGINE_RUNNING;
}

typedef struct Properties {
        char *active, *load, *result, *status;
        uint32_t main_pid;
        int32_t main_code, main_status; /* si_code and si_status of the main process */
} Properties;

struct EngineUnit {
        Bus *bus; /* weak */
        BusUser *user;
        const EngineUnitOps *ops;
        void *userdata;
        char *name, *path;
        EngineState state;
        char *status, *result;
        pid_t main_pid;
        int exit_status;
        sd_bus_slot *owner_match, *changed_match, *jobs_match;
        sd_bus_slot *subscribe_call, *get_call, *act_call, *reset_call;
        bool again;         /* something changed while a GetAll was under way */
        const char *acting; /* "start", "stop", "restart": for texts */
};

static void ask(EngineUnit *u);

static void properties_done(Properties *p)
{
        free(p->active);
        free(p->load);
        free(p->result);
        free(p->status);
}

static int read_one(sd_bus_message *m, const char *name, Properties *p)
{
        static const struct {
                const char *name, *sig;
                size_t offset;
        } wanted[] = {
                {"ActiveState", "s", offsetof(Properties, active)},
                {"LoadState", "s", offsetof(Properties, load)},
                {"Result", "s", offsetof(Properties, result)},
                {"StatusText", "s", offsetof(Properties, status)},
                {"MainPID", "u", offsetof(Properties, main_pid)},
                {"ExecMainCode", "i", offsetof(Properties, main_code)},
                {"ExecMainStatus", "i", offsetof(Properties, main_status)},
        };

        for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
                if (!streq(name, wanted[i].name))
                        continue;
                void *to = (char *)p + wanted[i].offset;
                if (*wanted[i].sig != 's')
                        return sd_bus_message_read(m, "v", wanted[i].sig, to);
                const char *s;
                int r = sd_bus_message_read(m, "v", "s", &s);
                return r < 0 ? r : free_and_strdup(to, s);
        }
        return sd_bus_message_skip(m, "v");
}

static int read_all(sd_bus_message *m, Properties *p)
{
        const char *name;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read_basic(m, 's', &name);
                if (r >= 0)
                        r = read_one(m, name, p);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static EngineState to_state(const Properties *p)
{
        static const struct {
                const char *active;
                EngineState state;
        } map[] = {
                {"active", ENGINE_RUNNING},      {"reloading", ENGINE_RUNNING},
                {"inactive", ENGINE_STOPPED},    {"failed", ENGINE_FAILED},
                {"activating", ENGINE_STARTING}, {"deactivating", ENGINE_STOPPING},
        };

        if (streq_ptr(p->load, "not-found"))
                return ENGINE_MISSING;
        for (size_t i = 0; i < ELEMENTSOF(map); i++)
                if (streq_ptr(p->active, map[i].active))
                        return map[i].state;
        return ENGINE_UNKNOWN;
}

static char *to_result(const Properties *p)
{
        const char *said = isempty(p->status) ? "" : p->status;
        const char *colon = *said ? ": " : "";

        if (streq_ptr(p->result, "exit-code"))
                return str_printf("exit status %d%s%s", p->main_status, colon, said);
        if (p->main_code == CLD_KILLED || p->main_code == CLD_DUMPED)
                return str_printf("%s by signal %s%s%s",
                                  p->main_code == CLD_DUMPED ? "dumped" : "killed",
                                  strna(sigabbrev_np(p->main_status)), colon, said);
        return str_printf("%s%s%s", strempty(p->result), colon, said);
}

/* The one door to the state. */
static void engine_unit_set_state(EngineUnit *u, EngineState state, bool touched)
{
        EngineState before = u->state;

        if (before == state && !touched)
                return;
        u->state = state;
        u->ops->on_state(u, before, state, u->userdata);
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_(properties_done) Properties p = {0};
        EngineUnit *u = userdata;

        u->get_call = sd_bus_slot_unref(u->get_call);
        bool again = u->again;
        if (again || sd_bus_message_get_errno(m) == ETIMEDOUT)
                ask(u);
        if (sd_bus_message_is_method_error(m, NULL) || read_all(m, &p) < 0)
                return 0;
        if (again)
                return 0; /* stale: the answer to the second question is on its way */
        _cleanup_free_ char *result = to_result(&p);
        bool touched = free_and_strdup(&u->status, strempty(p.status)) > 0;
        if (result)
                touched = free_and_strdup(&u->result, result) > 0 || touched;
        touched = touched || u->main_pid != (pid_t)p.main_pid;
        u->main_pid = (pid_t)p.main_pid;
        u->exit_status = streq_ptr(p.result, "exit-code") ? p.main_status : -1;
        engine_unit_set_state(u, to_state(&p), touched);
        return 0;
}

static void ask(EngineUnit *u)
{
        sd_bus *bus = bus_get(u->bus);

        if (!bus)
                return;
        if (u->get_call) {
                u->again = true;
                return;
        }
        u->again = false;
        /* the empty interface name asks for the properties of all interfaces of the object at once
         */
        (void)sd_bus_call_method_async(bus, &u->get_call, SYSTEMD, u->path,
                                       "org.freedesktop.DBus.Properties", "GetAll", on_properties,
                                       u, "s", "");
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        ask(userdata);
        return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        EngineUnit *u = userdata;
        const char *unit, *result;

        if (sd_bus_message_read(m, "uoss", NULL, NULL, &unit, &result) < 0 || !streq(unit, u->name))
                return 0;
        ask(u);
        /* a start that never became a process leaves no trace in the unit's state */
        if (streq(result, "dependency") || streq(result, "assert") ||
            streq(result, "unsupported")) {
                _cleanup_free_ char *text =
                        str_printf("systemd could not run the job (%s): see systemctl status %s",
                                   result, u->name);
                if (text)
                        u->ops->on_refused(u, u->acting ? u->acting : "start", text, u->userdata);
        }
        return 0;
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        EngineUnit *u = userdata;

        u->subscribe_call = sd_bus_slot_unref(u->subscribe_call);
        ask(u);
        return 0;
}

static int subscribe(EngineUnit *u, sd_bus *bus)
{
        u->subscribe_call = sd_bus_slot_unref(u->subscribe_call);
        return sd_bus_call_method_async(bus, &u->subscribe_call, SYSTEMD, SYSTEMD_PATH,
                                        SYSTEMD ".Manager", "Subscribe", on_subscribed, u, NULL);
}

/* After a restart of the broker we may be on the bus before systemd is, and what we asked then got
 * no answer. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        EngineUnit *u = userdata;
        const char *now;

        if (sd_bus_message_read(m, "sss", NULL, NULL, &now) >= 0 && !isempty(now))
                (void)subscribe(u, sd_bus_message_get_bus(m));
        return 0;
}

static void on_connected(sd_bus *bus, void *userdata)
{
        EngineUnit *u = userdata;

        int r = sd_bus_add_match_async(bus, &u->owner_match,
                                       "type='signal',sender='org.freedesktop.DBus',"
                                       "interface='org.freedesktop.DBus',"
                                       "member='NameOwnerChanged',arg0='" SYSTEMD "'",
                                       on_owner, NULL, u);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &u->changed_match, SYSTEMD, u->path,
                                              "org.freedesktop.DBus.Properties",
                                              "PropertiesChanged", on_changed, NULL, u);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &u->jobs_match, SYSTEMD, SYSTEMD_PATH,
                                              SYSTEMD ".Manager", "JobRemoved", on_job_removed,
                                              NULL, u);
        if (r >= 0)
                r = subscribe(u, bus);
        if (r < 0)
                u->ops->on_refused(u, "watch", "the system bus does not take our matches",
                                   u->userdata);
}

static void drop_slots(EngineUnit *u)
{
        u->owner_match = sd_bus_slot_unref(u->owner_match);
        u->changed_match = sd_bus_slot_unref(u->changed_match);
        u->jobs_match = sd_bus_slot_unref(u->jobs_match);
        u->subscribe_call = sd_bus_slot_unref(u->subscribe_call);
        u->get_call = sd_bus_slot_unref(u->get_call);
        u->act_call = sd_bus_slot_unref(u->act_call);
        u->reset_call = sd_bus_slot_unref(u->reset_call);
}

static void on_disconnected(void *userdata)
{
        EngineUnit *u = userdata;

        drop_slots(u);
        engine_unit_set_state(u, ENGINE_UNKNOWN, false);
}

int engine_unit_new(Bus *bus, Role role, const EngineUnitOps *ops, void *userdata, EngineUnit **ret)
{
        _cleanup_(engine_unit_freep) EngineUnit *u = new0(EngineUnit, 1);
        if (!u)
                return -ENOMEM;
        *u = (EngineUnit){
                .bus = bus,
                .ops = ops,
                .userdata = userdata,
                .name = str_printf("ray-engine@%s.service", role_to_string(role)),
                .exit_status = -1,
                .status = strdup(""),
                .result = strdup(""),
        };
        if (!u->name || !u->status || !u->result)
                return -ENOMEM;
        int r = sd_bus_path_encode(SYSTEMD_PATH "/unit", u->name, &u->path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(u);
        return 0;
}

EngineUnit *engine_unit_free(EngineUnit *u)
{
        if (!u)
                return NULL;
        drop_slots(u);
        bus_unsubscribe(u->user);
        free(u->name);
        free(u->path);
        free(u->status);
        free(u->result);
        free(u);
        return NULL;
}

int engine_unit_watch(EngineUnit *u)
{
        static const BusOps ops = {on_connected, on_disconnected};

        return u->user ? 0 : bus_subscribe(u->bus, &ops, u, &u->user);
}

static int on_acted(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        EngineUnit *u = userdata;

        u->act_call = sd_bus_slot_unref(u->act_call);
        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (!e)
                return 0;
        _cleanup_free_ char *text = NULL;
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED) ||
            sd_bus_error_has_name(e, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                text = str_printf("polkit does not let this user %s %s: is polkitd installed, and "
                                  "the rule 50-raycluster.rules "
                                  "in place?",
                                  u->acting, u->name);
        else
                text = str_printf("systemd refused to %s %s: %s", u->acting, u->name,
                                  strna(e->message));
        if (text)
                u->ops->on_refused(u, u->acting, text, u->userdata);
        return 0;
}

/* A unit that is not failed cannot be reset: that answer is expected and not looked at. */
static int on_reset(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        EngineUnit *u = userdata;

        u->reset_call = sd_bus_slot_unref(u->reset_call);
        return 0;
}

static int act(EngineUnit *u, const char *what, const char *method)
{
        sd_bus *bus = bus_get(u->bus);

        if (!bus)
                return -ENOTCONN;
        u->acting = what;
        u->act_call = sd_bus_slot_unref(u->act_call);
        return sd_bus_call_method_async(bus, &u->act_call, SYSTEMD, SYSTEMD_PATH,
                                        SYSTEMD ".Manager", method, on_acted, u, "ss", u->name,
                                        "replace");
}

int engine_unit_start(EngineUnit *u)
{
        sd_bus *bus = bus_get(u->bus);

        if (!bus)
                return -ENOTCONN;
        if (u->state == ENGINE_FAILED) {
                u->reset_call = sd_bus_slot_unref(u->reset_call);
                int r = sd_bus_call_method_async(bus, &u->reset_call, SYSTEMD, SYSTEMD_PATH,
                                                 SYSTEMD ".Manager", "ResetFailedUnit", on_reset, u,
                                                 "s", u->name);
                if (r < 0)
                        return r;
        }
        return act(u, "start", "StartUnit");
}

int engine_unit_stop(EngineUnit *u)
{
        return act(u, "stop", "StopUnit");
}

int engine_unit_restart(EngineUnit *u)
{
        return act(u, "restart", "RestartUnit");
}

const char *engine_unit_name(const EngineUnit *u)
{
        return u->name;
}

EngineState engine_unit_state(const EngineUnit *u)
{
        return u->state;
}

const char *engine_unit_status(const EngineUnit *u)
{
        return u->status;
}

const char *engine_unit_result(const EngineUnit *u)
{
        return u->result;
}

/* The word behind `mark`, made of `set`; "" when there is none, or one that does not fit. */
static char *status_word(const char *status, const char *mark, const char *set, char *ret,
                         size_t size)
{
        const char *s = strstr(status, mark);
        size_t n = s ? strspn(s + strlen(mark), set) : 0;

        *ret = 0;
        if (n > 0 && n < size)
                (void)snprintf(ret, size, "%.*s", (int)n, s + strlen(mark));
        return ret;
}

char *engine_status_node(const char *status, char ret[ENGINE_NODE_MAX])
{
        return status_word(status, ", node ", "0123456789abcdef", ret, ENGINE_NODE_MAX);
}

char *engine_status_ray(const char *status, char ret[32])
{
        return status_word(status, "running: Ray ", "0123456789.abcdefghijklmnopqrstuvwxyz+", ret,
                           32);
}

int engine_unit_exit_status(const EngineUnit *u)
{
        return u->exit_status;
}

pid_t engine_unit_main_pid(const EngineUnit *u)
{
        return u->main_pid;
}
