/* The GCS client against the fake: every call, every misbehaviour. */
#include "test.h"

#include "fake.h"

#include "base/fd.h"
#include "base/str.h"
#include "gcs/client.h"

typedef struct Fixture {
        sd_event *event;
        GcsClient *client;
        FakeProc fake;
        /* what the last callback said */
        unsigned n_done;
        GcsStatus status;
        int error, grpc_status;
        char text[1024];
        char ray[32];
        RayId id;
        NodeSet *nodes;
        GcsDemand demand;
        char value[4096];
        size_t value_size;
        Versions versions;
        pid_t dashboard, runtime_env;
        bool free_client; /* inside the callback */
} Fixture;

#define TIMEOUT (2 * USEC_PER_SEC)

static void fixture_client(Fixture *f, const char *token, usec_t timeout)
{
        gcs_client_free(f->client);
        f->client = NULL;
        assert_int_equal(gcs_client_new(f->event,
                                        &(GcsClientPolicy){.addr = f->fake.addr,
                                                           .token = token,
                                                           .timeout = timeout},
                                        &f->client),
                         0);
}

static void start(Fixture *f, const char *const *args)
{
        *f = (Fixture){0};
        f->fake = fake_start(args);
        assert_true(sd_event_new(&f->event) >= 0);
        fixture_client(f, NULL, TIMEOUT);
}

static void stop(Fixture *f)
{
        gcs_client_free(f->client);
        node_set_free(f->nodes);
        sd_event_unref(f->event);
        if (f->fake.pid)
                fake_stop(&f->fake);
}

static void note(Fixture *f, GcsClient *c, const GcsResult *r)
{
        assert_ptr_equal(c, f->client);
        assert_non_null(r->text);
        f->n_done++;
        f->status = r->status;
        f->error = r->error;
        f->grpc_status = r->grpc_status;
        (void)snprintf(f->text, sizeof(f->text), "%s", r->text);
        if (f->free_client)
                f->client = gcs_client_free(f->client);
}

static void on_alive(GcsClient *c, const GcsResult *r, const char *ray, void *userdata)
{
        Fixture *f = userdata;

        assert_true(!!ray == (r->status == GCS_OK));
        (void)snprintf(f->ray, sizeof(f->ray), "%s", strempty(ray));
        note(f, c, r);
}

static void on_id(GcsClient *c, const GcsResult *r, const RayId *id, void *userdata)
{
        Fixture *f = userdata;

        assert_true(!!id == (r->status == GCS_OK));
        if (id)
                f->id = *id;
        note(f, c, r);
}

static void take_nodes(Fixture *f, NodeSet **nodes)
{
        f->nodes = node_set_free(f->nodes);
        if (nodes)
                f->nodes = TAKE_PTR(*nodes);
}

static void on_nodes(GcsClient *c, const GcsResult *r, NodeSet **nodes, void *userdata)
{
        take_nodes(userdata, nodes);
        note(userdata, c, r);
}

static void on_cluster(GcsClient *c, const GcsResult *r, NodeSet **nodes, const GcsDemand *demand,
                       void *userdata)
{
        Fixture *f = userdata;

        take_nodes(f, nodes);
        if (demand)
                f->demand = *demand;
        note(f, c, r);
}

static void on_kv(GcsClient *c, const GcsResult *r, const void *value, size_t size, void *userdata)
{
        Fixture *f = userdata;

        f->value_size = size;
        if (value)
                memcpy(f->value, value, MIN(size, sizeof(f->value)));
        note(f, c, r);
}

static void on_versions(GcsClient *c, const GcsResult *r, const Versions *v, void *userdata)
{
        Fixture *f = userdata;

        if (v)
                f->versions = *v;
        note(f, c, r);
}

static void on_done(GcsClient *c, const GcsResult *r, void *userdata)
{
        note(userdata, c, r);
}

static void on_agents(GcsClient *c, const GcsResult *r, pid_t dashboard, pid_t runtime_env,
                      void *userdata)
{
        Fixture *f = userdata;

        f->dashboard = dashboard;
        f->runtime_env = runtime_env;
        note(f, c, r);
}

/* Runs until n callbacks came; a callback from inside a call, or none at all, fails. */
static void wait_for(Fixture *f, unsigned n)
{
        usec_t end = now_mono() + 20 * USEC_PER_SEC;

        while (f->n_done < n) {
                assert_true(now_mono() < end);
                assert_true(sd_event_run(f->event, USEC_PER_SEC) >= 0);
        }
        assert_int_equal(f->n_done, n);
}

#define CALL(f, expr)                                                                              \
        do {                                                                                       \
                (f)->n_done = 0;                                                                   \
                assert_int_equal(expr, 0);                                                         \
                assert_int_equal((f)->n_done, 0);                                                  \
                wait_for(f, 1);                                                                    \
        } while (0)

static GcsStatus alive(Fixture *f)
{
        CALL(f, gcs_client_check_alive(f->client, on_alive, f));
        return f->status;
}

static void test_calls(void **state)
{
        Fixture f;
        RayId want;

        start(&f, (const char *[]){
                          "--cluster", "c0ffee", "--agents", "123,124", "--pending", "7", "--node",
                          "id=01,hostname=head,address=10.0.0.1,head=1,instance=h", "--node",
                          "id=02,hostname=w2,address=10.0.0.3,instance=b,idle=5000,gpus=2",
                          "--node", "id=03,hostname=w1,address=10.0.0.2,instance=a,group=g",
                          "--node", "id=04,hostname=w0,address=10.0.0.2,state=dead,reason=lost",
                          "--node", "id=05,hostname=w9,address=10.0.0.9,state=draining", NULL});
        assert_int_equal(alive(&f), GCS_OK);
        assert_string_equal(f.ray, "2.60.0");

        CALL(&f, gcs_client_get_cluster_id(f.client, on_id, &f));
        assert_int_equal(f.status, GCS_OK);
        assert_int_equal(
                ray_id_parse("c0ffee00000000000000000000000000000000000000000000000000", &want), 0);
        assert_true(ray_id_equal(&f.id, &want));

        CALL(&f, gcs_client_get_nodes(f.client, on_nodes, &f));
        assert_int_equal(f.status, GCS_OK);
        assert_int_equal(f.nodes->n, 5);
        assert_int_equal(f.nodes->n_dropped, 0);
        assert_string_equal(f.nodes->nodes[0].hostname, "head");
        assert_true(f.nodes->nodes[0].is_head);
        assert_string_equal(f.nodes->nodes[1].hostname, "w1");
        assert_string_equal(f.nodes->nodes[1].group, "g");
        assert_int_equal(f.nodes->nodes[3].state, NODE_DRAINING);
        assert_string_equal(f.nodes->nodes[4].death_reason, "lost");
        assert_int_equal(f.nodes->nodes[2].idle_ms, 5000);
        assert_int_equal(f.nodes->nodes[2].n_resources, 2);
        assert_true(f.nodes->nodes[2].resources[0].available < 0);

        CALL(&f, gcs_client_get_cluster(f.client, on_cluster, &f));
        assert_int_equal(f.status, GCS_OK);
        assert_int_equal(f.demand.n_shapes, 1);
        assert_int_equal(f.demand.n_requests, 7);
        assert_string_equal(f.nodes->nodes[1].resources[0].name, "CPU");
        assert_true(f.nodes->nodes[1].resources[0].available == 2);

        CALL(&f, gcs_client_kv_get(f.client, "cluster", "nothing", on_kv, &f));
        assert_int_equal(f.status, GCS_NOT_FOUND);
        CALL(&f, gcs_client_kv_get(f.client, "cluster", "CLUSTER_METADATA", on_kv, &f));
        assert_int_equal(f.status, GCS_OK);
        assert_true(f.value_size > 20);

        CALL(&f, gcs_client_get_versions(f.client, on_versions, &f));
        assert_int_equal(f.status, GCS_OK);
        assert_string_equal(f.versions.ray, "2.60.0");
        assert_string_equal(f.versions.python, "3.11.2");

        CALL(&f, gcs_client_health(f.client, on_done, &f));
        assert_int_equal(f.status, GCS_OK);

        CALL(&f, gcs_client_get_agent_pids(f.client, on_agents, &f));
        assert_int_equal(f.status, GCS_OK);
        assert_int_equal(f.dashboard, 123);
        assert_int_equal(f.runtime_env, 124);
        stop(&f);
}

static const RayId node2 = {.b = {2}};

static void test_find_nodes(void **state)
{
        Fixture f;

        start(&f, (const char *[]){"--node", "id=01,address=10.0.0.1,head=1", "--node",
                                   "id=02,address=10.0.0.2", "--node",
                                   "id=03,address=10.0.0.2,state=dead", NULL});
        CALL(&f, gcs_client_find_nodes(f.client, &(GcsNodeFilter){.id = &node2}, on_nodes, &f));
        assert_int_equal(f.nodes->n, 1);
        assert_int_equal(f.nodes->nodes[0].id.b[0], 2);
        CALL(&f, gcs_client_find_nodes(f.client, &(GcsNodeFilter){.address = "10.0.0.2"}, on_nodes,
                                       &f));
        assert_int_equal(f.nodes->n, 2);
        assert_int_equal(f.nodes->n_dropped, 0);
        CALL(&f, gcs_client_find_nodes(f.client, &(GcsNodeFilter){.head = true}, on_nodes, &f));
        assert_int_equal(f.nodes->n, 1);
        CALL(&f, gcs_client_find_nodes(f.client, &(GcsNodeFilter){.limit = 1}, on_nodes, &f));
        assert_int_equal(f.nodes->n, 1);
        assert_int_equal(f.nodes->n_dropped, 2);
        assert_int_equal(gcs_client_find_nodes(f.client,
                                               &(GcsNodeFilter){.id = &node2, .head = true},
                                               on_nodes, &f),
                         -EINVAL);
        stop(&f);
}

/* Nothing of this may reach a GCS: the fake dies of it as Ray does, and stop() would see it. */
static void test_guards(void **state)
{
        uint64_t later = now_real() / USEC_PER_MSEC + 60000;
        char text[202];
        RayId nil;
        Fixture f;

        start(&f, (const char *[]){"--node", "id=02,address=10.0.0.2", NULL});
        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = 0;
        memset(&nil, 0xff, sizeof(nil));
        assert_int_equal(
                gcs_client_drain_node(f.client, &nil, GCS_DRAIN_IDLE, "", later, on_done, &f),
                -EINVAL);
        assert_int_equal(gcs_client_drain_node(f.client, &node2, 0, "", later, on_done, &f),
                         -EINVAL);
        assert_int_equal(gcs_client_drain_node(f.client, &node2, 3, "", later, on_done, &f),
                         -EINVAL);
        assert_int_equal(
                gcs_client_drain_node(f.client, &node2, GCS_DRAIN_IDLE, text, later, on_done, &f),
                -EINVAL);
        assert_int_equal(
                gcs_client_drain_node(f.client, &node2, GCS_DRAIN_IDLE, "", 1, on_done, &f),
                -EINVAL);
        assert_int_equal(
                gcs_client_find_nodes(f.client, &(GcsNodeFilter){.id = &nil}, on_nodes, &f),
                -EINVAL);
        assert_int_equal(
                gcs_client_find_nodes(f.client, &(GcsNodeFilter){.address = ""}, on_nodes, &f),
                -EINVAL);
        assert_int_equal(gcs_client_kv_get(f.client, "cluster", "", on_kv, &f), -EINVAL);
        assert_int_equal(f.n_done, 0);

        CALL(&f, gcs_client_drain_node(f.client, &node2, GCS_DRAIN_PREEMPTION, "test", later,
                                       on_done, &f));
        assert_int_equal(f.status, GCS_OK);
        CALL(&f, gcs_client_get_nodes(f.client, on_nodes, &f));
        assert_int_equal(f.nodes->nodes[0].state, NODE_DRAINING);
        CALL(&f, gcs_client_drain_node(f.client, &(RayId){.b = {9}}, GCS_DRAIN_PREEMPTION, "",
                                       later, on_done, &f));
        assert_int_equal(f.status, GCS_NOT_FOUND);
        stop(&f);
}

static void test_token_and_cluster(void **state)
{
        Fixture f;

        start(&f, (const char *[]){"--token", "secret", NULL});
        assert_int_equal(alive(&f), GCS_TOKEN);
        assert_int_equal(f.grpc_status, 16);
        assert_non_null(strstr(f.text, "missing"));
        CALL(&f, gcs_client_health(f.client, on_done, &f)); /* asks for none */
        assert_int_equal(f.status, GCS_OK);
        fixture_client(&f, "wrong", TIMEOUT);
        assert_int_equal(alive(&f), GCS_TOKEN);
        assert_non_null(strstr(f.text, "wrong"));
        assert_null(strstr(f.text, "secret"));
        fixture_client(&f, "secret", TIMEOUT);
        assert_int_equal(alive(&f), GCS_OK);

        gcs_client_set_cluster(f.client, &node2);
        assert_int_equal(alive(&f), GCS_WRONG_CLUSTER);
        CALL(&f, gcs_client_get_cluster_id(f.client, on_id, &f)); /* sent without it */
        assert_int_equal(f.status, GCS_OK);
        gcs_client_set_cluster(f.client, &f.id);
        assert_int_equal(alive(&f), GCS_OK);

        fixture_client(&f, "no\nheader", TIMEOUT);
        assert_int_equal(gcs_client_check_alive(f.client, on_alive, &f), -EINVAL);
        stop(&f);
}

static void test_misbehaviour(void **state)
{
        static const struct {
                const char *mode;
                GcsStatus status;
                int error;
                const char *text;
        } cases[] = {
                {"silent", GCS_TIMEOUT, -ETIMEDOUT, "did not answer within 300ms"},
                {"mute", GCS_TIMEOUT, -ETIMEDOUT, "did not answer"},
                {"half-header", GCS_TIMEOUT, -ETIMEDOUT, "did not answer"},
                {"drip", GCS_TIMEOUT, -ETIMEDOUT, "did not answer"},
                {"garbage", GCS_NOT_GRPC, -EPROTO, "does not speak HTTP/2"},
                {"zeros", GCS_NOT_GRPC, -EPROTO, "does not speak HTTP/2"},
                {"http1", GCS_NOT_GRPC, -EPROTO, "does not speak HTTP/2"},
                {"ssh", GCS_NOT_GRPC, -EPROTO, "does not speak HTTP/2"},
                {"redis", GCS_NOT_GRPC, -EPROTO, "does not speak HTTP/2"},
                {"eof", GCS_UNREACHABLE, 0, "without a word"},
                {"rst", GCS_UNREACHABLE, -ECONNRESET, "without a word"},
                {"eof-later", GCS_UNREACHABLE, -EPIPE, "closed the connection"},
                {"rst-later", GCS_UNREACHABLE, -ECONNRESET, "the connection broke"},
                {"goaway", GCS_UNREACHABLE, 0, "lost"},
                {"cut", GCS_UNREACHABLE, -EPIPE, "closed the connection"},
                {"http-503", GCS_NOT_GRPC, 0, "HTTP status 503"},
                {"html", GCS_NOT_GRPC, 0, "HTTP status 200"},
                {"no-status", GCS_GARBAGE, 0, "without a status"},
                {"two-messages", GCS_GARBAGE, -EBADMSG, "frame is broken"},
                {"compressed", GCS_GARBAGE, -EBADMSG, "frame is broken"},
                {"long", GCS_GARBAGE, -EBADMSG, "frame is broken"},
                {"huge", GCS_GARBAGE, -EMSGSIZE, "over its limit"},
                {"flood", GCS_GARBAGE, -EMSGSIZE, "over its limit"},
                {"headers", GCS_GARBAGE, -EMSGSIZE, "over its limit"},
                {"bad-proto", GCS_GARBAGE, -EBADMSG, "not as expected"},
                {"status-12", GCS_NOT_RAY, 0, "knows no ray.rpc.NodeInfoGcsService/CheckAlive"},
                {"status-13:Unable to parse request", GCS_REFUSED, 0, "Unable to parse request"},
                {"status-14:Socket closed", GCS_UNREACHABLE, 0, "cannot serve now: Socket closed"},
                {"status-16:InvalidAuthToken: x", GCS_TOKEN, 0, "refused our token"},
                {"status-16:WrongClusterID: x", GCS_WRONG_CLUSTER, 0, "another cluster"},
                {"status-10:Invalid", GCS_REFUSED, 0, "ABORTED Invalid"},
                {"status-4:late", GCS_TIMEOUT, 0, "did not answer"},
                {"status-99", GCS_GARBAGE, 0, "no status that exists"},
                {"codes", GCS_REFUSED, 0, "Timed out while waiting for GCS"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Fixture f;
                start(&f, (const char *[]){"--mode", cases[i].mode, NULL});
                fixture_client(&f, NULL, 300 * USEC_PER_MSEC);
                for (int again = 0; again < 2; again++) {
                        (void)alive(&f);
                        if (f.status != cases[i].status || !strstr(f.text, cases[i].text) ||
                            (cases[i].error && f.error != cases[i].error))
                                fail_msg("%s: %s %d \"%s\"", cases[i].mode,
                                         gcs_status_to_string(f.status), f.error, f.text);
                }
                stop(&f);
        }
}

static void test_refused_port(void **state)
{
        Fixture f;

        start(&f, NULL);
        fake_stop(&f.fake);
        f.fake.pid = 0;
        assert_int_equal(alive(&f), GCS_UNREACHABLE);
        assert_int_equal(f.error, -ECONNREFUSED);
        assert_non_null(strstr(f.text, "Connection refused"));
        stop(&f);
}

static void write_control(const char *path, const char *text)
{
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

/* One connection is kept; a lost, leaving or frozen one is replaced by the next call. */
static void test_reconnect(void **state)
{
        char control[] = "/tmp/test-gcs.XXXXXX";
        int fd = mkstemp(control);
        Fixture f;

        assert_true(fd >= 0);
        (void)close(fd);
        start(&f, (const char *[]){"--control", control, NULL});
        assert_int_equal(alive(&f), GCS_OK);
        write_control(control, "mode goaway-after\n");
        assert_int_equal(alive(&f), GCS_OK);
        assert_int_equal(alive(&f), GCS_OK);
        write_control(control, "mode rst-later\n");
        assert_int_equal(alive(&f), GCS_UNREACHABLE);
        fixture_client(&f, NULL, 300 * USEC_PER_MSEC);
        write_control(control, "mode mute\nversion 1\n");
        assert_int_equal(alive(&f), GCS_TIMEOUT);
        write_control(control, "mode healthy\nversion 2.61.0\n");
        assert_int_equal(alive(&f), GCS_OK);
        assert_string_equal(f.ray, "2.61.0");
        (void)unlink(control);
        stop(&f);
}

static unsigned count_connects(const char *log)
{
        _cleanup_fclose_ FILE *f = fopen(log, "re");
        char line[256];
        unsigned n = 0;

        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
                n += streq(line, "connect\n");
        return n;
}

/* One connection for all calls; another one after a call on which nothing at all came back. */
static void test_connections(void **state)
{
        char control[] = "/tmp/test-gcs.XXXXXX", log[64];
        int fd = mkstemp(control);
        Fixture f;

        assert_true(fd >= 0);
        (void)close(fd);
        (void)snprintf(log, sizeof(log), "%s.log", control);
        start(&f, (const char *[]){"--control", control, "--log", log, NULL});
        fixture_client(&f, NULL, 300 * USEC_PER_MSEC);
        for (int i = 0; i < 5; i++)
                assert_int_equal(alive(&f), GCS_OK);
        assert_int_equal(count_connects(log), 1);
        write_control(control, "mode mute\n");
        assert_int_equal(alive(&f), GCS_TIMEOUT);
        write_control(control, "mode healthy\nversion 2\n");
        assert_int_equal(alive(&f), GCS_OK);
        assert_int_equal(count_connects(log), 2);
        (void)unlink(control);
        (void)unlink(log);
        stop(&f);
}

/* Each method's own garbage. */
static void test_bad_answers(void **state)
{
        static const char *const modes[] = {"bad-proto", "short-id"};
        Fixture f;

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                start(&f, (const char *[]){"--mode", modes[i], "--node", "id=02", NULL});
                CALL(&f, gcs_client_get_cluster_id(f.client, on_id, &f));
                assert_int_equal(f.status, GCS_GARBAGE);
                CALL(&f, gcs_client_get_nodes(f.client, on_nodes, &f));
                assert_int_equal(f.status, GCS_GARBAGE);
                CALL(&f, gcs_client_get_cluster(f.client, on_cluster, &f));
                assert_int_equal(f.status, GCS_GARBAGE);
                stop(&f);
        }
        start(&f, (const char *[]){"--mode", "bad-proto", "--agents", "5,6", NULL});
        CALL(&f, gcs_client_get_versions(f.client, on_versions, &f));
        assert_int_equal(f.status, GCS_GARBAGE);
        CALL(&f, gcs_client_get_agent_pids(f.client, on_agents, &f));
        assert_int_equal(f.status, GCS_GARBAGE);
        CALL(&f, gcs_client_health(f.client, on_done, &f));
        assert_int_equal(f.status, GCS_GARBAGE);
        stop(&f);

        start(&f, (const char *[]){"--mode", "not-serving", NULL});
        CALL(&f, gcs_client_health(f.client, on_done, &f));
        assert_int_equal(f.status, GCS_REFUSED);
        stop(&f);

        start(&f, (const char *[]){"--mode", "not-found", NULL});
        CALL(&f, gcs_client_get_versions(f.client, on_versions, &f));
        assert_int_equal(f.status, GCS_NOT_FOUND);
        stop(&f);

        start(&f, (const char *[]){"--mode", "refuse", "--node", "id=02", NULL});
        CALL(&f, gcs_client_drain_node(f.client, &node2, GCS_DRAIN_IDLE, "",
                                       now_real() / USEC_PER_MSEC + 60000, on_done, &f));
        assert_int_equal(f.status, GCS_REFUSED);
        assert_string_equal(f.text, "The node to be idle terminated is no longer idle.");
        stop(&f);
}

static void test_versions_nobody_has(void **state)
{
        Fixture f;

        start(&f, (const char *[]){"--version", "2.60.0\x1b[31m", NULL});
        assert_int_equal(alive(&f), GCS_GARBAGE);
        stop(&f);
        start(&f, (const char *[]){"--python", "3.11.2; rm -rf", NULL});
        CALL(&f, gcs_client_get_versions(f.client, on_versions, &f));
        assert_int_equal(f.status, GCS_GARBAGE);
        stop(&f);
}

static void test_many_nodes(void **state)
{
        Fixture f;

        start(&f, (const char *[]){"--nodes", "100000", NULL});
        fixture_client(&f, NULL, 15 * USEC_PER_SEC);
        CALL(&f, gcs_client_get_nodes(f.client, on_nodes, &f));
        assert_int_equal(f.status, GCS_OK);
        assert_int_equal(f.nodes->n, NODE_SET_MAX);
        assert_int_equal(f.nodes->n_dropped, 100000 - NODE_SET_MAX);
        CALL(&f, gcs_client_get_cluster(f.client, on_cluster, &f));
        assert_int_equal(f.status, GCS_OK);
        stop(&f);
}

static void test_freed_in_callback(void **state)
{
        static const char *const modes[] = {"healthy", "eof", "rst-later", "garbage", "mute"};

        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                Fixture f;
                start(&f, (const char *[]){"--mode", modes[i], NULL});
                fixture_client(&f, NULL, 200 * USEC_PER_MSEC);
                /* three under way: one callback comes, the others are dropped */
                for (int k = 0; k < 3; k++)
                        assert_int_equal(gcs_client_get_versions(f.client, on_versions, &f), 0);
                f.free_client = true;
                wait_for(&f, 1);
                assert_null(f.client);
                assert_true(sd_event_run(f.event, 50 * USEC_PER_MSEC) >= 0);
                assert_int_equal(f.n_done, 1);
                stop(&f);
        }
}

static void test_freed_under_way(void **state)
{
        Fixture f;

        start(&f, NULL);
        for (int k = 0; k < 10; k++) {
                assert_int_equal(gcs_client_check_alive(f.client, on_alive, &f), 0);
                for (int turn = 0; turn < k; turn++)
                        assert_true(sd_event_run(f.event, 0) >= 0);
                fixture_client(&f, NULL, TIMEOUT);
        }
        stop(&f);
}

static void test_many_calls(void **state)
{
        Fixture f;
        int n = 0, r;

        start(&f, NULL);
        while ((r = gcs_client_check_alive(f.client, on_alive, &f)) == 0)
                n++;
        assert_int_equal(r, -EBUSY);
        assert_int_equal(n, 64);
        wait_for(&f, 64);
        assert_int_equal(f.status, GCS_OK);
        stop(&f);
}

static void test_strtab(void **state)
{
        for (int i = 0; i < _GCS_STATUS_MAX; i++) {
                assert_non_null(gcs_status_to_string(i));
                assert_int_equal(gcs_status_from_string(gcs_status_to_string(i)), i);
        }
        assert_null(gcs_status_to_string(_GCS_STATUS_MAX));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_calls),           cmocka_unit_test(test_find_nodes),
                cmocka_unit_test(test_guards),          cmocka_unit_test(test_token_and_cluster),
                cmocka_unit_test(test_misbehaviour),    cmocka_unit_test(test_refused_port),
                cmocka_unit_test(test_reconnect),       cmocka_unit_test(test_connections),
                cmocka_unit_test(test_bad_answers),     cmocka_unit_test(test_versions_nobody_has),
                cmocka_unit_test(test_many_nodes),      cmocka_unit_test(test_freed_in_callback),
                cmocka_unit_test(test_freed_under_way), cmocka_unit_test(test_many_calls),
                cmocka_unit_test(test_strtab),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
