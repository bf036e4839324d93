#include "cli/client.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/strv.h"

int client_open(const Cli *cli, sd_bus **ret)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = cli->host ? sd_bus_open_system_remote(&bus, cli->host) : sd_bus_open_system(&bus);

        if (r < 0) {
                errno = -r;
                cli_fail(0,
                         cli->host ? "cannot reach the system bus of %s by ssh: %m"
                                   : "cannot reach the system bus: %m; is dbus running?%s",
                         cli->host ? cli->host : "");
                return r;
        }
        r = sd_bus_set_method_call_timeout(bus, CLIENT_TIMEOUT);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

/* --- properties ---------------------------------------------------------------------------------
 */

static const struct {
        const char *name;
        size_t offset;
} texts[] = {
        {"Version", offsetof(View, version)},
        {"State", offsetof(View, state)},
        {"Reason", offsetof(View, reason)},
        {"Cluster", offsetof(View, cluster)},
        {"ClusterId", offsetof(View, cluster_id)},
        {"NodeId", offsetof(View, node_id)},
        {"NodeName", offsetof(View, node_name)},
        {"Address", offsetof(View, address)},
        {"HeadAddress", offsetof(View, head_address)},
        {"DashboardUrl", offsetof(View, dashboard_url)},
        {"RayVersion", offsetof(View, ray_version)},
        {"PythonVersion", offsetof(View, python_version)},
        {"EnginePath", offsetof(View, engine_path)},
        {"EngineState", offsetof(View, engine_state)},
        {"EngineStatus", offsetof(View, engine_status)},
        {"Auth", offsetof(View, auth)},
        {"Membership", offsetof(View, membership)},
        {"Published", offsetof(View, published)},
        {"Head", offsetof(View, head)},
        {"HeadSource", offsetof(View, head_source)},
        {"Verdict", offsetof(View, verdict)},
        {"Remedy", offsetof(View, remedy)},
        {"HeadSettings", offsetof(View, head_settings)},
};

static char **text_at(View *v, size_t i)
{
        return (char **)((char *)v + texts[i].offset);
}

void view_done(View *v)
{
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                free(*text_at(v, i));
        strv_free(v->restart_due);
        for (size_t i = 0; i < v->n_sources; i++) {
                free(v->sources[i].source);
                free(v->sources[i].state);
                free(v->sources[i].text);
        }
        *v = (View){};
}

static int read_sources(View *v, sd_bus_message *m)
{
        const char *a, *b, *c;
        int r = sd_bus_message_enter_container(m, 'a', "(sss)");

        while (r >= 0 && (r = sd_bus_message_read(m, "(sss)", &a, &b, &c)) > 0) {
                if (v->n_sources >= VIEW_SOURCES_MAX)
                        continue;
                ViewSource *s = &v->sources[v->n_sources++];
                *s = (ViewSource){strdup(a), strdup(b), strdup(c)};
                if (!s->source || !s->state || !s->text)
                        return -ENOMEM;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_strv(sd_bus_message *m, char ***ret)
{
        const char *s;
        int r = sd_bus_message_enter_container(m, 'a', "s");

        while (r >= 0 && (r = sd_bus_message_read(m, "s", &s)) > 0) {
                int k = strv_extend(ret, s);
                if (k < 0)
                        return k;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* The value inside the variant, when it is of the type we know; 0 when it is not ours to read. */
static int read_value(View *v, const char *name, const char *type, sd_bus_message *m)
{
        const char *s;

        if (streq(type, "s")) {
                for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                        if (!streq(texts[i].name, name))
                                continue;
                        int r = sd_bus_message_read(m, "s", &s);
                        if (r < 0)
                                return r;
                        return free_and_strdup(text_at(v, i), s) < 0 ? -ENOMEM : 1;
                }
                return 0;
        }
        if (streq(name, "StateSince") && streq(type, "t"))
                return sd_bus_message_read(m, "t", &v->state_since);
        if (streq(name, "EngineRepairs") && streq(type, "u"))
                return sd_bus_message_read(m, "u", &v->engine_repairs);
        if (streq(name, "WorkersAlive") && streq(type, "u"))
                return sd_bus_message_read(m, "u", &v->workers_alive);
        if (streq(name, "RestartDue") && streq(type, "as")) {
                int r = read_strv(m, &v->restart_due);
                return r < 0 ? r : 1;
        }
        if (streq(name, "Sources") && streq(type, "a(sss)")) {
                int r = read_sources(v, m);
                return r < 0 ? r : 1;
        }
        return 0;
}

static int read_property(View *v, sd_bus_message *m)
{
        const char *name, *type;
        int r = sd_bus_message_read(m, "s", &name);

        if (r < 0)
                return r;
        r = sd_bus_message_peek_type(m, NULL, &type);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, 'v', type);
        if (r < 0)
                return r;
        r = read_value(v, name, type, m);
        if (r == 0)
                r = sd_bus_message_skip(m, type);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

static int read_properties(View *v, sd_bus_message *m)
{
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_property(v, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(texts); i++)
                if (!*text_at(v, i)) {
                        *text_at(v, i) = strdup("");
                        if (!*text_at(v, i))
                                return -ENOMEM;
                }
        return r < 0 ? r : 0;
}

static bool not_there(const sd_bus_error *e)
{
        return sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

int client_view(sd_bus *bus, View *ret, Role *ret_role)
{
        for (Role role = 0; role < _ROLE_MAX; role++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_message_ sd_bus_message *m = NULL;
                _cleanup_view_ View v = {.role = role};

                int r = sd_bus_call_method(bus, CLIENT_NAME(role), CLIENT_PATH(role),
                                           "org.freedesktop.DBus.Properties", "GetAll", &error, &m,
                                           "s", CLIENT_NAME(role));
                if (r < 0 && not_there(&error))
                        continue;
                *ret_role = role;
                if (r < 0)
                        return sd_bus_error_has_name(&error, SD_BUS_ERROR_NO_REPLY) ? -ETIMEDOUT
                                                                                    : r;
                r = read_properties(&v, m);
                if (r < 0)
                        return r;
                *ret = v;
                v = (View){};
                return 1;
        }
        return 0;
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static int read_resources(Node *n, sd_bus_message *m)
{
        size_t cap = 0;
        const char *name;
        double total, available;
        int r = sd_bus_message_enter_container(m, 'a', "(sdd)");

        while (r >= 0 && (r = sd_bus_message_read(m, "(sdd)", &name, &total, &available)) > 0) {
                if (ARRAY_RESERVE(n->resources, cap, n->n_resources + 1) < 0)
                        return -ENOMEM;
                char *copy = strdup(name);
                if (!copy)
                        return -ENOMEM;
                n->resources[n->n_resources++] =
                        (Resource){.name = copy, .total = total, .available = available};
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_node(Node *n, sd_bus_message *m)
{
        const char *id, *host, *address, *state, *group, *why;
        int head, r = sd_bus_message_read(m, "sssssbxt", &id, &host, &address, &state, &group,
                                          &head, &n->idle_ms, &n->start_time_ms);

        if (r < 0)
                return r;
        if (ray_id_parse(id, &n->id) < 0)
                n->id = (RayId){};
        n->state = node_state_from_string(state);
        n->is_head = head;
        n->hostname = strdup(host);
        n->address = strdup(address);
        n->group = strdup(group);
        if (!n->hostname || !n->address || !n->group)
                return -ENOMEM;
        r = read_resources(n, m);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "s", &why);
        if (r < 0)
                return r;
        n->death_reason = strdup(why);
        return n->death_reason ? 0 : -ENOMEM;
}

static int read_nodes(NodeSet *s, sd_bus_message *m)
{
        size_t cap = 0;
        int r = sd_bus_message_enter_container(m, 'a', "(sssssbxta(sdd)s)");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sssssbxta(sdd)s")) > 0) {
                if (s->n >= NODE_SET_MAX)
                        return -E2BIG;
                if (ARRAY_RESERVE(s->nodes, cap, s->n + 1) < 0)
                        return -ENOMEM;
                Node *n = &s->nodes[s->n++];
                *n = (Node){};
                r = read_node(n, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : 0;
}

int client_nodes(sd_bus *bus, Role role, NodeSet **ret, usec_t *ret_age, sd_bus_error *error)
{
        NodeSet *s _cleanup_(node_set_freep) = new0(NodeSet, 1);
        _cleanup_message_ sd_bus_message *m = NULL;
        uint64_t age;

        if (!s)
                return -ENOMEM;
        int r = sd_bus_call_method(bus, CLIENT_NAME(role), CLIENT_PATH(role), CLIENT_NAME(role),
                                   "GetNodes", error, &m, NULL);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "t", &age);
        if (r < 0)
                return r;
        r = read_nodes(s, m);
        if (r < 0)
                return r;
        node_set_sort(s);
        *ret_age = age;
        *ret = TAKE_PTR(s);
        return 0;
}

/* --- commands -----------------------------------------------------------------------------------
 */

static int explain(const Cli *cli, const sd_bus_error *e, int r)
{
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED))
                return cli_fail(EXIT_INTERNAL,
                                "not allowed; it takes root or a member of group raycluster-admin");
        if (sd_bus_error_has_name(e, "org.raycluster1.Error.Config")) {
                fprintf(stderr, "%s\n", strempty(e->message));
                return cli_fail(EXIT_CONF,
                                "the configuration is wrong; the old one stays in force");
        }
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY))
                return cli_fail(EXIT_TIMEOUT, "the daemon%s%s does not answer",
                                cli->host ? " of " : "", strempty(cli->host));
        errno = -r;
        if (e->message)
                return cli_fail(EXIT_INTERNAL, "%s", e->message);
        return cli_fail(EXIT_INTERNAL, "%m");
}

int client_command(const Cli *cli, const char *method, usec_t timeout)
{
        _cleanup_bus_ sd_bus *bus = NULL;

        int r = client_open(cli, &bus);
        if (r < 0)
                return EXIT_INTERNAL;
        if (timeout > 0)
                (void)sd_bus_set_method_call_timeout(bus, timeout);
        for (Role role = 0; role < _ROLE_MAX; role++) {
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

                r = sd_bus_call_method(bus, CLIENT_NAME(role), CLIENT_PATH(role), CLIENT_NAME(role),
                                       method, &error, NULL, NULL);
                if (r >= 0)
                        return EXIT_OK;
                if (!not_there(&error))
                        return explain(cli, &error, r);
        }
        return cli_fail(EXIT_NOT_RUNNING,
                        "neither ray-head nor ray-worker runs here; raycluster status says why");
}

int client_explain(const Cli *cli, Role role, const sd_bus_error *e, int r)
{
        if (!not_there(e))
                return explain(cli, e, r);
        return cli_fail(EXIT_NOT_RUNNING, "ray-%s does not run here: systemctl enable --now ray-%s",
                        role_to_string(role), role_to_string(role));
}

int client_call(const Cli *cli, sd_bus *bus, Role role, const char *interface, const char *method,
                sd_bus_message **ret, const char *types, ...)
{
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list ap;

        va_start(ap, types);
        int r = sd_bus_call_methodv(bus, CLIENT_NAME(role), CLIENT_PATH(role), interface, method,
                                    &error, ret, types, ap);
        va_end(ap);
        return r < 0 ? client_explain(cli, role, &error, r) : EXIT_OK;
}
