/* The CLI's side of D-Bus: one connection, synchronous, every call with a deadline. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/time.h"
#include "cli/cli.h"
#include "model/node.h"
#include "model/role.h"

/* A daemon answers from memory; one that takes longer than this hangs. GetNodes on a worker may ask
 * the GCS first. */
#define CLIENT_TIMEOUT (5 * USEC_PER_SEC)

#define CLIENT_NAME(role) ((role) == ROLE_HEAD ? "org.raycluster1.Head" : "org.raycluster1.Worker")
#define CLIENT_PATH(role)                                                                          \
        ((role) == ROLE_HEAD ? "/org/raycluster1/Head" : "/org/raycluster1/Worker")

static inline void bus_closep(sd_bus **b)
{
        sd_bus_flush_close_unref(*b);
}
static inline void message_unrefp(sd_bus_message **m)
{
        sd_bus_message_unref(*m);
}
#define _cleanup_bus_       _cleanup_(bus_closep)
#define _cleanup_message_   _cleanup_(message_unrefp)
#define _cleanup_bus_error_ _cleanup_(sd_bus_error_free)

/* What the daemon says of itself: its properties, as in units/dbus. Texts are never NULL. */
typedef struct ViewSource {
        char *source, *state, *text;
} ViewSource;

/* There are four sources; a daemon of a later version may have some more. */
#define VIEW_SOURCES_MAX 32

typedef struct View {
        Role role;
        char *version, *state, *reason, *cluster, *cluster_id, *node_id, *node_name, *address,
                *head_address, *dashboard_url, *ray_version, *python_version, *engine_path,
                *engine_state, *engine_status, *auth, *membership, *published, *head, *head_source,
                *verdict, *remedy, *head_settings;
        uint64_t state_since; /* CLOCK_REALTIME */
        uint32_t engine_repairs, workers_alive;
        char **restart_due;
        ViewSource sources[VIEW_SOURCES_MAX];
        size_t n_sources;
} View;

void view_done(View *v);
#define _cleanup_view_ _cleanup_(view_done)

/* The system bus, here or by ssh on cli->host. Says itself what went wrong. */
int client_open(const Cli *cli, sd_bus **ret);

/* The properties of the daemon that runs. 1; 0: no daemon is on the bus; -ETIMEDOUT: it does not
 * answer; another negative errno. *ret_role is set with 1 and -ETIMEDOUT. */
int client_view(sd_bus *bus, View *ret, Role *ret_role);

/* GetNodes; *ret_age USEC_INFINITY: the daemon never heard of any. */
int client_nodes(sd_bus *bus, Role role, NodeSet **ret, usec_t *ret_age, sd_bus_error *error);

/* A method without arguments of the daemon that runs; says itself what went wrong. An exit status.
 * timeout: 0 = CLIENT_TIMEOUT. */
int client_command(const Cli *cli, const char *method, usec_t timeout);

/* A method of the daemon of that role; says itself what went wrong. EXIT_OK and the answer, the
 * caller's, or an exit status. types, ...: as sd_bus_message_append(3); NULL: no arguments. */
int client_call(const Cli *cli, sd_bus *bus, Role role, const char *interface, const char *method,
                sd_bus_message **ret, const char *types, ...);
/* Says what went wrong with a call to that daemon; an exit status. */
int client_explain(const Cli *cli, Role role, const sd_bus_error *e, int r);
/* Interfaces beside the daemons' own. */
#define CLIENT_MEMBERS    "org.raycluster1.Members"
#define CLIENT_MEMBERSHIP "org.raycluster1.Membership"
#define CLIENT_REFLECTOR  "org.raycluster1.Reflector"
