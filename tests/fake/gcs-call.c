/* Calls a GCS or a raylet by hand, with the client the daemons use; for scripts of tests.
 *
 *     gcs-call [--token T] [--ca F --cert F --key F] [--timeout D] ADDRESS:PORT VERB [ARG]…
 *
 *     alive · id · versions · nodes · head · at ADDRESS · node ID · cluster · kv NAMESPACE KEY ·
 *     health · agents · drain ID idle|preemption TEXT MS · raw PATH FILE (request and answer as
 *     bytes; FILE is the message, - none; the answer goes to stdout)
 *
 * Prints what came, ends with 0; on failure the status and the sentence on stderr, 1. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "gcs/client.h"
#include "sys/grpc-call.h"

static sd_event *event;
static const char *token;
static TlsFiles tls;
static usec_t timeout = 5 * USEC_PER_SEC;

static bool failed(const GcsResult *r)
{
        if (r->status == GCS_OK)
                return false;
        fprintf(stderr, "%s: %s (errno %d, grpc-status %d)\n", gcs_status_to_string(r->status),
                r->text, -r->error, r->grpc_status);
        (void)sd_event_exit(event, 1);
        return true;
}

static void done(void)
{
        (void)sd_event_exit(event, 0);
}

static void on_alive(GcsClient *c, const GcsResult *r, const char *ray, void *userdata)
{
        if (failed(r))
                return;
        printf("%s\n", ray);
        done();
}

static void on_id(GcsClient *c, const GcsResult *r, const RayId *id, void *userdata)
{
        char s[RAY_ID_STR_MAX];

        if (failed(r))
                return;
        printf("%s\n", ray_id_format(s, id));
        done();
}

static void on_versions(GcsClient *c, const GcsResult *r, const Versions *v, void *userdata)
{
        if (failed(r))
                return;
        printf("ray %s python %s\n", v->ray, v->python);
        done();
}

static void print_nodes(const NodeSet *set)
{
        for (size_t i = 0; i < set->n; i++) {
                const Node *n = &set->nodes[i];
                char id[RAY_ID_STR_MAX];
                printf("%s %s%s %s:%u hostname=%s name=%s instance=%s group=%s idle=%lld",
                       ray_id_format(id, &n->id), node_state_to_string(n->state),
                       n->is_head ? " head" : "", n->address, n->node_manager_port, n->hostname,
                       n->name, n->instance_id, n->group, (long long)n->idle_ms);
                for (size_t k = 0; k < n->n_resources; k++)
                        printf(" %s=%g/%g", n->resources[k].name, n->resources[k].available,
                               n->resources[k].total);
                if (!isempty(n->death_reason))
                        printf(" reason=\"%s\"", n->death_reason);
                printf("\n");
        }
        printf("nodes %zu dropped %zu alive %zu\n", set->n, set->n_dropped,
               node_set_count_alive(set, false));
}

static void on_nodes(GcsClient *c, const GcsResult *r, NodeSet **nodes, void *userdata)
{
        if (failed(r))
                return;
        print_nodes(*nodes);
        done();
}

static void on_cluster(GcsClient *c, const GcsResult *r, NodeSet **nodes, const GcsDemand *demand,
                       void *userdata)
{
        if (failed(r))
                return;
        print_nodes(*nodes);
        printf("pending %llu in %zu shapes\n", (unsigned long long)demand->n_requests,
               demand->n_shapes);
        done();
}

static void on_kv(GcsClient *c, const GcsResult *r, const void *value, size_t size, void *userdata)
{
        if (failed(r))
                return;
        (void)fwrite(value, 1, size, stdout);
        printf("\n");
        done();
}

static void on_done(GcsClient *c, const GcsResult *r, void *userdata)
{
        if (failed(r))
                return;
        printf("ok\n");
        done();
}

static void on_agents(GcsClient *c, const GcsResult *r, pid_t dashboard, pid_t runtime_env,
                      void *userdata)
{
        if (failed(r))
                return;
        printf("%d %d\n", dashboard, runtime_env);
        done();
}

static void on_raw(GrpcCall *call, const GrpcResult *r, void *userdata)
{
        if (r->outcome != GRPC_ANSWERED || r->status != 0)
                fprintf(stderr, "%s: %s (errno %d, grpc-status %d)\n",
                        grpc_outcome_to_string(r->outcome), r->text, -r->error, r->status);
        (void)fwrite(r->message, 1, r->size, stdout);
        (void)sd_event_exit(event, r->outcome != GRPC_ANSWERED || r->status != 0);
}

static int raw(const Addr *addr, const char *path, const char *file)
{
        _cleanup_(grpc_call_freep) GrpcCall *call = NULL;
        _cleanup_(h2_freep) H2 *h = NULL;
        _cleanup_free_ char *message = NULL;
        size_t size = 0;
        int r;

        if (!streq(file, "-")) {
                r = read_file(file, 1 << 20, &message, &size);
                if (r < 0)
                        return r;
        }
        r = h2_connect(event, addr, NULL, NULL, &h);
        if (r < 0)
                return r;
        r = grpc_call_new(event, h,
                          &(GrpcRequest){.path = path,
                                         .message = message,
                                         .size = size,
                                         .token = token,
                                         .timeout = timeout,
                                         .reply_max = 32 << 20},
                          on_raw, NULL, &call);
        return r < 0 ? r : sd_event_loop(event);
}

static int call_id(GcsClient *c, const char *verb, char **args)
{
        RayId id;
        int r = ray_id_parse(args[0], &id);

        if (r < 0)
                return r;
        if (streq(verb, "node"))
                return gcs_client_find_nodes(c, &(GcsNodeFilter){.id = &id}, on_nodes, NULL);
        if (!args[1] || !args[2] || !args[3])
                return -EINVAL;
        return gcs_client_drain_node(
                c, &id, streq(args[1], "idle") ? GCS_DRAIN_IDLE : GCS_DRAIN_PREEMPTION, args[2],
                now_real() / USEC_PER_MSEC + strtoull(args[3], NULL, 10), on_done, NULL);
}

static int call(GcsClient *c, const char *verb, char **args)
{
        if (streq(verb, "alive"))
                return gcs_client_check_alive(c, on_alive, NULL);
        if (streq(verb, "id"))
                return gcs_client_get_cluster_id(c, on_id, NULL);
        if (streq(verb, "versions"))
                return gcs_client_get_versions(c, on_versions, NULL);
        if (streq(verb, "nodes"))
                return gcs_client_get_nodes(c, on_nodes, NULL);
        if (streq(verb, "head"))
                return gcs_client_find_nodes(c, &(GcsNodeFilter){.head = true}, on_nodes, NULL);
        if (streq(verb, "cluster"))
                return gcs_client_get_cluster(c, on_cluster, NULL);
        if (streq(verb, "health"))
                return gcs_client_health(c, on_done, NULL);
        if (streq(verb, "agents"))
                return gcs_client_get_agent_pids(c, on_agents, NULL);
        if (!args[0])
                return -EINVAL;
        if (streq(verb, "at"))
                return gcs_client_find_nodes(c, &(GcsNodeFilter){.address = args[0]}, on_nodes,
                                             NULL);
        if (streq(verb, "kv") && args[1])
                return gcs_client_kv_get(c, args[0], args[1], on_kv, NULL);
        if (streq(verb, "node") || streq(verb, "drain"))
                return call_id(c, verb, args);
        return -EINVAL;
}

static int run(const Addr *addr, const char *verb, char **args)
{
        _cleanup_(gcs_client_freep) GcsClient *c = NULL;

        if (streq(verb, "raw") && args[0] && args[1])
                return raw(addr, args[0], args[1]);
        int r = gcs_client_new(event,
                               &(GcsClientPolicy){.addr = *addr,
                                                  .token = token,
                                                  .tls = tls.key ? &tls : NULL,
                                                  .timeout = timeout},
                               &c);
        if (r < 0)
                return r;
        r = call(c, verb, args);
        return r < 0 ? r : sd_event_loop(event);
}

int main(int argc, char **argv)
{
        Addr addr;
        char *port;
        int i = 1;

        for (; argv[i] && argv[i + 1] && startswith(argv[i], "--"); i += 2)
                if (streq(argv[i], "--token"))
                        token = argv[i + 1];
                else if (streq(argv[i], "--ca"))
                        tls.ca = argv[i + 1];
                else if (streq(argv[i], "--cert"))
                        tls.cert = argv[i + 1];
                else if (streq(argv[i], "--key"))
                        tls.key = argv[i + 1];
                else if (parse_duration(argv[i + 1], &timeout) < 0)
                        return 2;
        port = argv[i] ? strrchr(argv[i], ':') : NULL;
        if (!port || !argv[i + 1]) {
                fprintf(stderr, "usage: gcs-call [--token T] [--ca F --cert F --key F] [--timeout "
                                "D] ADDRESS:PORT VERB…\n");
                return 2;
        }
        *port++ = 0;
        if (addr_parse(argv[i], &addr) < 0 || sd_event_new(&event) < 0)
                return 2;
        addr.port = (uint16_t)atoi(port);
        int r = run(&addr, argv[i + 1], argv + i + 2);
        if (r < 0)
                fprintf(stderr, "gcs-call: %s\n", strerror(-r));
        sd_event_unref(event);
        return r < 0 ? 1 : r;
}
