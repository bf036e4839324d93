/* What the fake GCS plays: its mode and its nodes, by the command line and the control file. The
 * keys stand on top of fake-gcs.c. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "model/node.h"

typedef struct FakeNode {
        uint8_t id[RAY_ID_SIZE];
        char hostname[64], address[64], name[64], instance[64], group[64], reason[64];
        int port, state; /* state: NodeState */
        int object_manager, runtime_env, agent_grpc, agent, metrics;
        bool head;
        double cpus, gpus;
        long long idle, start;
} FakeNode;

typedef struct World {
        char mode[128], version[32], python[32], token[256], log[256];
        uint8_t cluster[RAY_ID_SIZE];
        FakeNode *nodes;
        size_t n_nodes, cap_nodes;
        int agents[2];
        int pending, reflection;
} World;

typedef struct Fake {
        sd_event *event;
        sd_event_source *accept;
        int fd;
        char **settings; /* "key value" from the command line */
        char *control;
        struct ssl_ctx_st *tls; /* NULL = in clear */
        struct stat seen;
        World world;
} Fake;

static void fill_id(uint8_t *id, const char *hex)
{
        memset(id, 0, RAY_ID_SIZE);
        for (size_t i = 0; i < RAY_ID_SIZE && hex[0] && hex[1]; i++, hex += 2) {
                unsigned v;
                if (sscanf(hex, "%2x", &v) != 1)
                        return;
                id[i] = (uint8_t)v;
        }
}

static void set_str(char *dest, size_t size, const char *s)
{
        (void)snprintf(dest, size, "%s", s);
}

static FakeNode *add_node(World *w)
{
        if (ARRAY_RESERVE(w->nodes, w->cap_nodes, w->n_nodes + 1) < 0)
                abort();
        FakeNode *n = &w->nodes[w->n_nodes++];
        *n = (FakeNode){.port = 6380, .cpus = 4, .idle = -1, .start = 1700000000000};
        return n;
}

static void read_node(World *w, const char *spec)
{
        _cleanup_strv_free_ char **pairs = NULL;
        FakeNode *n = add_node(w);

        (void)snprintf((char *)n->id, sizeof(n->id), "node-%zu", w->n_nodes);
        (void)strv_split(spec, ",", &pairs);
        for (char **p = pairs; p && *p; p++) {
                char *v = strchr(*p, '=');
                if (!v)
                        continue;
                *v++ = 0;
                if (streq(*p, "id"))
                        fill_id(n->id, v);
                else if (streq(*p, "hostname"))
                        set_str(n->hostname, sizeof(n->hostname), v);
                else if (streq(*p, "address"))
                        set_str(n->address, sizeof(n->address), v);
                else if (streq(*p, "name"))
                        set_str(n->name, sizeof(n->name), v);
                else if (streq(*p, "instance"))
                        set_str(n->instance, sizeof(n->instance), v);
                else if (streq(*p, "group"))
                        set_str(n->group, sizeof(n->group), v);
                else if (streq(*p, "reason"))
                        set_str(n->reason, sizeof(n->reason), v);
                else if (streq(*p, "port"))
                        n->port = atoi(v);
                else if (streq(*p, "object_manager"))
                        n->object_manager = atoi(v);
                else if (streq(*p, "runtime_env"))
                        n->runtime_env = atoi(v);
                else if (streq(*p, "agent_grpc"))
                        n->agent_grpc = atoi(v);
                else if (streq(*p, "agent"))
                        n->agent = atoi(v);
                else if (streq(*p, "metrics"))
                        n->metrics = atoi(v);
                else if (streq(*p, "head"))
                        n->head = atoi(v);
                else if (streq(*p, "cpus"))
                        n->cpus = atof(v);
                else if (streq(*p, "gpus"))
                        n->gpus = atof(v);
                else if (streq(*p, "idle"))
                        n->idle = atoll(v);
                else if (streq(*p, "start"))
                        n->start = atoll(v);
                else if (streq(*p, "state"))
                        n->state = streq(v, "dead")       ? NODE_DEAD
                                   : streq(v, "draining") ? NODE_DRAINING
                                                          : NODE_ALIVE;
                else
                        fprintf(stderr, "fake-gcs: node has no %s\n", *p);
        }
        if (!n->name[0])
                set_str(n->name, sizeof(n->name), n->address);
}

static void make_nodes(World *w, int count)
{
        for (int i = 0; i < count; i++) {
                FakeNode *n = add_node(w);
                (void)snprintf((char *)n->id, sizeof(n->id), "made-%d", i);
                (void)snprintf(n->hostname, sizeof(n->hostname), "compute%05d", i);
                (void)snprintf(n->address, sizeof(n->address), "10.%d.%d.%d", i >> 16 & 255,
                               i >> 8 & 255, i & 255);
                set_str(n->name, sizeof(n->name), n->address);
        }
}

static void set(World *w, const char *line)
{
        char key[32] = "", value[1024] = "";

        if (sscanf(line, "%31s %1023[^\n]", key, value) < 1 || key[0] == '#')
                return;
        if (streq(key, "mode"))
                set_str(w->mode, sizeof(w->mode), value);
        else if (streq(key, "version"))
                set_str(w->version, sizeof(w->version), value);
        else if (streq(key, "python"))
                set_str(w->python, sizeof(w->python), value);
        else if (streq(key, "token"))
                set_str(w->token, sizeof(w->token), value);
        else if (streq(key, "log"))
                set_str(w->log, sizeof(w->log), value);
        else if (streq(key, "cluster"))
                fill_id(w->cluster, value);
        else if (streq(key, "node"))
                read_node(w, value);
        else if (streq(key, "nodes"))
                make_nodes(w, atoi(value));
        else if (streq(key, "pending"))
                w->pending = atoi(value);
        else if (streq(key, "reflection"))
                w->reflection = atoi(value);
        else if (streq(key, "agents"))
                (void)sscanf(value, "%d,%d", &w->agents[0], &w->agents[1]);
        else {
                fprintf(stderr, "fake-gcs: no such key: %s\n", key);
                exit(2);
        }
}

static void load_world(Fake *f)
{
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *text = NULL;
        struct stat st = {0};

        if (f->world.mode[0]) {
                if (!f->control || stat(f->control, &st) < 0 ||
                    (st.st_mtim.tv_sec == f->seen.st_mtim.tv_sec &&
                     st.st_mtim.tv_nsec == f->seen.st_mtim.tv_nsec && st.st_ino == f->seen.st_ino &&
                     st.st_size == f->seen.st_size))
                        return;
        } else if (f->control)
                (void)stat(f->control, &st);
        f->seen = st;
        free(f->world.nodes);
        f->world = (World){
                .mode = "healthy", .version = "2.60.0", .python = "3.11.2", .reflection = 7728};
        memset(f->world.cluster, 0xaa, sizeof(f->world.cluster));
        for (char **s = f->settings; s && *s; s++)
                set(&f->world, *s);
        if (f->control && read_file(f->control, 16 << 20, &text, NULL) >= 0 &&
            strv_split(text, "\n", &lines) >= 0)
                for (char **s = lines; s && *s; s++)
                        set(&f->world, *s);
}

static const char *mode_is(const Fake *f, const char *prefix)
{
        return startswith(f->world.mode, prefix);
}

static bool in_mode(const Fake *f, const char *mode)
{
        return streq(f->world.mode, mode);
}
