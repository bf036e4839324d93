#include "role/daemon-bus.h"

#include "base/log.h"
#include "sys/bus-object.h"

#define ERROR_CONFIG "org.raycluster1.Error.Config"
#define ERROR_ENGINE "org.raycluster1.Error.Engine"

static const struct {
        const char *name, *path;
} roles[_ROLE_MAX] = {
        [ROLE_HEAD] = {"org.raycluster1.Head", "/org/raycluster1/Head"},
        [ROLE_WORKER] = {"org.raycluster1.Worker", "/org/raycluster1/Worker"},
};

struct DaemonBus {
        BusObject *object;
        Role role;
        const Status *status; /* weak */
        DaemonBusOps ops;
        void *userdata;
        sd_bus_slot *call;
        sd_bus_message *waiting[DAEMON_BUS_WAITING_MAX];
        size_t n_waiting;
};

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;
        StatusProp p = status_prop_from_string(property);
        if (p < 0 || p >= _STATUS_TEXT_MAX)
                return -ENOENT;
        return sd_bus_message_append(reply, "s", b->status->text[p]);
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", RAYCLUSTER_VERSION);
}

static int get_since(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;
        return sd_bus_message_append(reply, "t", b->status->state_since);
}

static int get_count(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;
        unsigned n = status_prop_from_string(property) == STATUS_ENGINE_REPAIRS
                             ? b->status->engine_repairs
                             : b->status->workers_alive;
        return sd_bus_message_append(reply, "u", n);
}

static int get_restart_due(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *error)
{
        DaemonBus *b = userdata;
        return sd_bus_message_append_strv(reply, b->status->restart_due);
}

static int get_sources(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;
        int r = sd_bus_message_open_container(reply, 'a', "(sss)");
        for (size_t i = 0; r >= 0 && i < b->status->n_sources; i++) {
                const StatusSource *s = &b->status->sources[i];
                r = sd_bus_message_append(reply, "(sss)", strempty(s->source), strempty(s->state),
                                          strempty(s->text));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_head_settings(sd_bus *bus, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *error)
{
        DaemonBus *b = userdata;
        return sd_bus_message_append(reply, "s", strempty(b->status->head_settings));
}

static int on_get_nodes(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;

        if (b->n_waiting >= ELEMENTSOF(b->waiting))
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                         "%d callers wait for the cluster's nodes already",
                                         DAEMON_BUS_WAITING_MAX);
        b->waiting[b->n_waiting++] = sd_bus_message_ref(m);
        b->ops.on_get_nodes(b->userdata);
        return 1;
}

static int reply_outcome(sd_bus_message *m, int r, const char *name, const char *text)
{
        if (r < 0)
                return sd_bus_reply_method_errorf(m, name, "%s", strempty(text));
        return sd_bus_reply_method_return(m, "");
}

static int on_restart_engine(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;
        _cleanup_free_ char *text = NULL;

        int r = b->ops.on_restart_engine(&text, b->userdata);
        return reply_outcome(m, r, ERROR_ENGINE, text);
}

static int on_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;
        _cleanup_free_ char *text = NULL;

        int r = b->ops.on_reload(&text, b->userdata);
        return reply_outcome(m, r, ERROR_CONFIG, text);
}

#define TEXT(name) SD_BUS_PROPERTY(name, "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

/* UNPRIVILEGED: who may call what is the bus policy's matter (units/dbus/org.raycluster1.conf). */
#define COMMON                                                                                     \
        SD_BUS_VTABLE_START(0),                                                                    \
                SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),     \
                TEXT("State"), TEXT("Reason"),                                                     \
                SD_BUS_PROPERTY("StateSince", "t", get_since, 0,                                   \
                                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),                              \
                TEXT("Cluster"), TEXT("ClusterId"), TEXT("NodeId"), TEXT("NodeName"),              \
                TEXT("Address"), TEXT("HeadAddress"), TEXT("DashboardUrl"), TEXT("RayVersion"),    \
                TEXT("PythonVersion"), TEXT("EnginePath"), TEXT("EngineState"),                    \
                TEXT("EngineStatus"),                                                              \
                SD_BUS_PROPERTY("EngineRepairs", "u", get_count, 0,                                \
                                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),                              \
                TEXT("Auth"), TEXT("Membership"),                                                  \
                SD_BUS_PROPERTY("RestartDue", "as", get_restart_due, 0,                            \
                                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),                              \
                SD_BUS_METHOD_WITH_ARGS("GetNodes", SD_BUS_NO_ARGS,                                \
                                        SD_BUS_RESULT("t", age_usec, "a(sssssbxta(sdd)s)", nodes), \
                                        on_get_nodes, SD_BUS_VTABLE_UNPRIVILEGED),                 \
                SD_BUS_METHOD_WITH_ARGS("RestartEngine", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT,         \
                                        on_restart_engine, SD_BUS_VTABLE_UNPRIVILEGED),            \
                SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_reload,     \
                                        SD_BUS_VTABLE_UNPRIVILEGED),                               \
                SD_BUS_SIGNAL_WITH_ARGS("StateChanged",                                            \
                                        SD_BUS_ARGS("s", before, "s", now, "s", reason), 0)

static const sd_bus_vtable head_vtable[] = {
        COMMON,
        TEXT("Published"),
        SD_BUS_PROPERTY("WorkersAlive", "u", get_count, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable worker_vtable[] = {
        COMMON,
        TEXT("Head"),
        TEXT("HeadSource"),
        TEXT("Verdict"),
        TEXT("Remedy"),
        SD_BUS_PROPERTY("Sources", "a(sss)", get_sources, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("HeadSettings", "s", get_head_settings, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

/* Properties that only one role has. */
static uint32_t role_mask(Role role)
{
        const uint32_t head = UINT32_C(1) << STATUS_PUBLISHED | UINT32_C(1) << STATUS_WORKERS_ALIVE;
        const uint32_t worker = UINT32_C(1) << STATUS_HEAD | UINT32_C(1) << STATUS_HEAD_SOURCE |
                                UINT32_C(1) << STATUS_VERDICT | UINT32_C(1) << STATUS_REMEDY |
                                UINT32_C(1) << STATUS_SOURCES | UINT32_C(1) << STATUS_HEAD_SETTINGS;
        return role == ROLE_HEAD ? ~worker : ~head;
}

static void tell_name(DaemonBus *b, int error, const char *text)
{
        b->ops.on_name(error, text, b->userdata);
}

static int on_name_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;
        _cleanup_free_ char *text = NULL;
        uint32_t result = 0;
        int e = 0;

        b->call = sd_bus_slot_unref(b->call);
        if (sd_bus_message_is_method_error(m, NULL)) {
                e = -EACCES;
                text = str_printf("the bus does not let us have the name %s: %s: is the bus policy "
                                  "of the package in place, and do we run as user raycluster?",
                                  roles[b->role].name, strna(sd_bus_message_get_error(m)->message));
        } else if (sd_bus_message_read(m, "u", &result) < 0 || (result != 1 && result != 4)) {
                e = -EEXIST;
                text = str_printf("another daemon owns %s: only one of a role runs on a machine",
                                  roles[b->role].name);
        }
        tell_name(b, e, strempty(text));
        return 1;
}

static void request_name(DaemonBus *b)
{
        sd_bus *bus = bus_object_bus(b->object);
        int r = bus ? sd_bus_request_name_async(bus, &b->call, roles[b->role].name, 0,
                                                on_name_reply, b)
                    : -ENOTCONN;
        if (r < 0)
                log_debug_errno(r, "Requesting the bus name: %m");
}

/* The other role's daemon on this machine wins: it was there first. */
static int on_other_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        DaemonBus *b = userdata;
        Role other = b->role == ROLE_HEAD ? ROLE_WORKER : ROLE_HEAD;
        int owned = 0;

        b->call = sd_bus_slot_unref(b->call);
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "b", &owned) >= 0 &&
            owned) {
                _cleanup_free_ char *text = str_printf(
                        "this machine is the cluster's %s already: a machine has one role; "
                        "systemctl disable --now ray-%s first",
                        role_to_string(other), role_to_string(other));
                tell_name(b, -EBUSY, strempty(text));
                return 1;
        }
        request_name(b);
        return 1;
}

static void on_connected(sd_bus *bus, void *userdata)
{
        DaemonBus *b = userdata;
        Role other = b->role == ROLE_HEAD ? ROLE_WORKER : ROLE_HEAD;

        b->call = sd_bus_slot_unref(b->call);
        int r = sd_bus_call_method_async(bus, &b->call, "org.freedesktop.DBus",
                                         "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                         "NameHasOwner", on_other_reply, b, "s", roles[other].name);
        if (r < 0)
                log_debug_errno(r, "Asking for %s: %m", roles[other].name);
}

static void drop_waiting(DaemonBus *b)
{
        for (size_t i = 0; i < b->n_waiting; i++)
                sd_bus_message_unref(b->waiting[i]);
        b->n_waiting = 0;
}

static void on_disconnected(void *userdata)
{
        DaemonBus *b = userdata;
        b->call = sd_bus_slot_unref(b->call);
        drop_waiting(b);
}

int daemon_bus_new(Bus *bus, Role role, const Status *status, const DaemonBusOps *ops,
                   void *userdata, DaemonBus **ret)
{
        static const BusOps bus_ops = {.on_connected = on_connected,
                                       .on_disconnected = on_disconnected};
        _cleanup_(daemon_bus_freep) DaemonBus *b = new0(DaemonBus, 1);
        if (!b)
                return -ENOMEM;
        *b = (DaemonBus){.role = role, .status = status, .ops = *ops, .userdata = userdata};
        int r = bus_object_new(bus, roles[role].path, roles[role].name,
                               role == ROLE_HEAD ? head_vtable : worker_vtable, &bus_ops, b,
                               &b->object);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

DaemonBus *daemon_bus_free(DaemonBus *b)
{
        if (!b)
                return NULL;
        on_disconnected(b);
        bus_object_free(b->object);
        free(b);
        return NULL;
}

void daemon_bus_emit(DaemonBus *b, uint32_t dirty)
{
        _cleanup_strv_free_ char **names = NULL;
        sd_bus *bus = bus_object_bus(b->object);

        dirty &= role_mask(b->role);
        if (!dirty || !bus)
                return;
        for (StatusProp p = 0; p < _STATUS_PROP_MAX; p++)
                if ((dirty & UINT32_C(1) << p) && strv_extend(&names, status_prop_to_string(p)) < 0)
                        return;
        int r = names ? sd_bus_emit_properties_changed_strv(bus, roles[b->role].path,
                                                            roles[b->role].name, names)
                      : 0;
        if (r < 0)
                log_debug_errno(r, "Emitting PropertiesChanged: %m");
}

void daemon_bus_emit_state(DaemonBus *b, const char *before, const char *now, const char *reason)
{
        sd_bus *bus = bus_object_bus(b->object);
        if (!bus)
                return;
        int r = sd_bus_emit_signal(bus, roles[b->role].path, roles[b->role].name, "StateChanged",
                                   "sss", before, now, reason);
        if (r < 0)
                log_debug_errno(r, "Emitting StateChanged: %m");
}

/* D-Bus takes no malformed text, and one node's name must not cost the answer of all. */
static int append_text(sd_bus_message *m, const char *text)
{
        text = strempty(text);
        if (utf8_is_printable(text))
                return sd_bus_message_append(m, "s", text);
        _cleanup_free_ char *safe = str_escape(text, strlen(text), strlen(text));
        return safe ? sd_bus_message_append(m, "s", safe) : -ENOMEM;
}

static int append_resources(sd_bus_message *m, const Node *n)
{
        int r = sd_bus_message_open_container(m, 'a', "(sdd)");
        for (size_t i = 0; r >= 0 && i < n->n_resources; i++) {
                const Resource *e = &n->resources[i];
                r = sd_bus_message_open_container(m, 'r', "sdd");
                if (r >= 0)
                        r = append_text(m, e->name);
                if (r >= 0)
                        r = sd_bus_message_append(m, "dd", e->total,
                                                  e->available < 0 ? -1.0 : e->available);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_node(sd_bus_message *m, const Node *n)
{
        char id[RAY_ID_STR_MAX];
        const char *texts[] = {ray_id_format(id, &n->id),
                               isempty(n->hostname) ? n->name : n->hostname, n->address,
                               node_state_to_string(n->state), n->group};

        int r = sd_bus_message_open_container(m, 'r', "sssssbxta(sdd)s");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(texts); i++)
                r = append_text(m, texts[i]);
        if (r >= 0)
                r = sd_bus_message_append(m, "bxt", (int)n->is_head, n->idle_ms, n->start_time_ms);
        if (r >= 0)
                r = append_resources(m, n);
        if (r >= 0)
                r = append_text(m, n->death_reason);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int reply_one(sd_bus_message *call, const NodeSet *nodes, usec_t age)
{
        sd_bus_message *m = NULL;

        int r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "t", age);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sssssbxta(sdd)s)");
        for (size_t i = 0; r >= 0 && nodes && i < nodes->n; i++)
                r = append_node(m, &nodes->nodes[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_send(m);
        sd_bus_message_unref(m);
        return r;
}

void daemon_bus_reply_nodes(DaemonBus *b, const NodeSet *nodes, usec_t age)
{
        for (size_t i = 0; i < b->n_waiting; i++) {
                int r = reply_one(b->waiting[i], nodes, age);
                if (r < 0)
                        log_debug_errno(r, "Answering GetNodes: %m");
        }
        drop_waiting(b);
}
