/* A daemon of raycluster as D-Bus clients see it, without a cluster behind it: the daemons' own bus
 * object on DBUS_SYSTEM_BUS_ADDRESS, told by lines on standard input what to show.
 *
 *     fake-raycluster head|worker
 *     State serving the GCS serves        a property; what it is set to is the rest of the line
 *     WorkersAlive 2
 *     RestartDue engine.drain log.ray
 *     Source 0 static nothing cluster.head is empty
 *     node ID HOST ADDRESS STATE HEAD CPUS FREE
 *     many 1000                           so many nodes
 *     quit
 * "ready" is printed when the name is owned, "ok" after each line. It ends with its standard input.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strv.h"
#include "role/daemon-bus.h"

typedef struct Fake {
        sd_event *event;
        DaemonBus *object;
        Status status;
        NodeSet nodes;
        usec_t age;
} Fake;

static void on_name(int error, const char *text, void *userdata)
{
        printf("%s%s\n", error == 0 ? "ready" : "failed ", error == 0 ? "" : text);
        fflush(stdout);
}

static void on_get_nodes(void *userdata)
{
        Fake *f = userdata;
        daemon_bus_reply_nodes(f->object, &f->nodes, f->age);
}

static int on_restart_engine(char **reterr_text, void *userdata)
{
        printf("restart-engine\n");
        fflush(stdout);
        return 0;
}

static int on_reload(char **reterr_text, void *userdata)
{
        *reterr_text = strdup("/etc/raycluster.conf:3: ports.gsc: no such key");
        return -EBADMSG;
}

static int add_node(Fake *f, const char *line)
{
        char id[64], host[64], address[64], state[16];
        int head;
        double cpus, unused;

        if (sscanf(line, "%63s %63s %63s %15s %d %lf %lf", id, host, address, state, &head, &cpus,
                   &unused) != 7)
                return -EINVAL;
        Node *nodes = realloc(f->nodes.nodes, (f->nodes.n + 1) * sizeof(Node));
        if (!nodes)
                return -ENOMEM;
        f->nodes.nodes = nodes;
        Node *n = &nodes[f->nodes.n++];
        *n = (Node){.state = node_state_from_string(state),
                    .is_head = head,
                    .hostname = strdup(host),
                    .name = strdup(host),
                    .address = strdup(address),
                    .instance_id = strdup(""),
                    .group = strdup(""),
                    .start_time_ms = 1700000000000,
                    .idle_ms = unused < cpus ? -1 : 1000};
        n->death_reason = strdup(n->state == NODE_DEAD ? "lost" : "");
        n->resources = calloc(1, sizeof(Resource));
        if (!n->resources || ray_id_parse(id, &n->id) < 0)
                return -EINVAL;
        n->n_resources = 1;
        n->resources[0] = (Resource){.name = strdup("CPU"), .total = cpus, .available = unused};
        return 0;
}

static int add_many(Fake *f, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                char line[256];
                snprintf(line, sizeof(line), "%056x n%u 10.0.0.1 alive 0 1 1", i, i);
                int r = add_node(f, line);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_source(Fake *f, char *line)
{
        char source[32], state[32];
        unsigned i;
        int n = 0;

        if (sscanf(line, "%u %31s %31s %n", &i, source, state, &n) < 3)
                return -EINVAL;
        status_set_n_sources(&f->status, i + 1);
        return status_set_source(&f->status, i, source, state, line + n);
}

static int tell(Fake *f, char *line)
{
        char *rest = strchr(line, ' ');
        if (rest)
                *rest++ = 0;
        else
                rest = line + strlen(line);
        if (streq(line, "quit"))
                return sd_event_exit(f->event, 0);
        if (streq(line, "node"))
                return add_node(f, rest);
        if (streq(line, "many"))
                return add_many(f, (unsigned)strtoul(rest, NULL, 10));
        if (streq(line, "age")) {
                f->age = strtoull(rest, NULL, 10);
                return 0;
        }
        if (streq(line, "Source"))
                return add_source(f, rest);
        if (streq(line, "State")) {
                char *reason = strchr(rest, ' ');
                if (reason)
                        *reason++ = 0;
                return status_set_state(&f->status, rest, reason);
        }
        StatusProp p = status_prop_from_string(line);
        if (p < 0)
                return p;
        if (p < _STATUS_TEXT_MAX)
                return status_set(&f->status, p, rest);
        if (p == STATUS_RESTART_DUE) {
                char **keys = NULL;
                int r = strv_split(rest, " ", &keys);
                return r < 0 ? r : status_set_restart_due(&f->status, keys);
        }
        return status_set_count(&f->status, p, (unsigned)strtoul(rest, NULL, 10));
}

static int on_input(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Fake *f = userdata;
        char line[1024];

        /* a line at a time, byte by byte: what is behind it is not swallowed by a buffer */
        size_t n = 0;
        ssize_t r;
        while ((r = read(fd, line + n, 1)) == 1 && line[n] != '\n' && n < sizeof(line) - 1)
                n++;
        if (r <= 0)
                return sd_event_exit(f->event, 0);
        line[n] = 0;
        int k = tell(f, line);
        daemon_bus_emit(f->object, status_take_dirty(&f->status));
        printf("%s\n", k < 0 ? "bad" : "ok");
        fflush(stdout);
        return 0;
}

int main(int argc, char **argv)
{
        static const DaemonBusOps ops = {.on_name = on_name,
                                         .on_get_nodes = on_get_nodes,
                                         .on_restart_engine = on_restart_engine,
                                         .on_reload = on_reload};
        Role role = argc > 1 ? role_from_string(argv[1]) : _ROLE_INVALID;
        Fake f = {};
        Bus *bus = NULL;

        if (role < 0 || sd_event_default(&f.event) < 0 || status_init(&f.status) < 0 ||
            bus_new(f.event, NULL, &bus) < 0 ||
            daemon_bus_new(bus, role, &f.status, &ops, &f, &f.object) < 0 ||
            sd_event_add_io(f.event, NULL, STDIN_FILENO, 1 /* EPOLLIN */, on_input, &f) < 0)
                return 1;
        int r = sd_event_loop(f.event);
        daemon_bus_free(f.object);
        bus_free(bus);
        status_done(&f.status);
        sd_event_unref(f.event);
        return r < 0;
}
