/* The GCS client in TLS against the fake, which wants certificates as Ray does: what goes through,
 * and each way in which it does not, with its sentence. */
#include "test.h"

#include "fake.h"
#include "tls-pki.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "gcs/client.h"

static char dir[] = "/tmp/test-gcs-tls-XXXXXX";
static Identity ca, other_ca;

typedef struct World {
        FakeProc fake;
        sd_event *event;
        GcsClient *client;
        bool done;
        GcsStatus status;
        int error;
        char text[512];
        char ray[32];
} World;

static char *path_of(const char *name)
{
        return path_join(dir, name);
}

/* NAME.pem and NAME.key of a certificate. */
static void issue(const char *name, IdentityWish wish)
{
        char file[64];

        wish.name = name;
        Identity id = identity_new(wish);
        (void)snprintf(file, sizeof(file), "%s.pem", name);
        free(identity_file(dir, file, &id, true, false));
        (void)snprintf(file, sizeof(file), "%s.key", name);
        free(identity_file(dir, file, &id, false, true));
        identity_done(&id);
}

static int make_pki(void **state)
{
        assert_non_null(mkdtemp(dir));
        ca = identity_new((IdentityWish){.name = "Ray's authority"});
        other_ca = identity_new((IdentityWish){.name = "another one"});
        free(identity_file(dir, "ca.pem", &ca, true, false));
        free(identity_file(dir, "other-ca.pem", &other_ca, true, false));
        issue("head", (IdentityWish){.alt = "IP:127.0.0.1", .ca = &ca});
        issue("worker", (IdentityWish){.alt = "IP:10.0.0.2", .ca = &ca});
        issue("late",
              (IdentityWish){.alt = "IP:127.0.0.1", .ca = &ca, .from = -9999, .until = -600});
        issue("early",
              (IdentityWish){.alt = "IP:127.0.0.1", .ca = &ca, .from = 7200, .until = 9999});
        issue("foreign", (IdentityWish){.alt = "IP:127.0.0.1", .ca = &other_ca});
        return 0;
}

static int remove_pki(void **state)
{
        _cleanup_free_ char *command = str_printf("rm -r %s", dir);

        identity_done(&ca);
        identity_done(&other_ca);
        return system(command);
}

static void start(World *w, const char *server)
{
        _cleanup_free_ char *tls =
                server ? str_printf("%s/ca.pem,%s/%s.pem,%s/%s.key", dir, dir, server, dir, server)
                       : NULL;

        *w = (World){.fake = fake_start((const char *[]){tls ? "--tls" : NULL, tls, NULL})};
        assert_true(sd_event_new(&w->event) >= 0);
}

static void connect_as(World *w, const char *authority, const char *who)
{
        _cleanup_free_ char *ca_file = path_of(authority);
        _cleanup_free_ char *cert = str_printf("%s/%s.pem", dir, who);
        _cleanup_free_ char *key = str_printf("%s/%s.key", dir, who);

        w->client = gcs_client_free(w->client);
        assert_int_equal(gcs_client_new(w->event,
                                        &(GcsClientPolicy){.addr = w->fake.addr,
                                                           .tls = &(TlsFiles){ca_file, cert, key},
                                                           .timeout = 5 * USEC_PER_SEC},
                                        &w->client),
                         0);
}

static void stop(World *w)
{
        gcs_client_free(w->client);
        sd_event_unref(w->event);
        fake_stop(&w->fake);
}

static void on_alive(GcsClient *c, const GcsResult *r, const char *ray, void *userdata)
{
        World *w = userdata;

        w->done = true;
        w->status = r->status;
        w->error = r->error;
        str_copy(w->text, sizeof(w->text), r->text);
        str_copy(w->ray, sizeof(w->ray), strempty(ray));
}

static GcsStatus alive(World *w)
{
        usec_t end = now_mono() + 20 * USEC_PER_SEC;

        w->done = false;
        assert_int_equal(gcs_client_check_alive(w->client, on_alive, w), 0);
        while (!w->done) {
                assert_true(now_mono() < end);
                assert_true(sd_event_run(w->event, USEC_PER_SEC) >= 0);
        }
        return w->status;
}

static void expect(World *w, GcsStatus status, const char *text)
{
        GcsStatus got = alive(w);

        if (got != status || !strstr(w->text, text))
                fail_msg("%s %d \"%s\"", gcs_status_to_string(got), w->error, w->text);
}

static void test_answers(void **state)
{
        World w;

        start(&w, "head");
        connect_as(&w, "ca.pem", "worker");
        for (int i = 0; i < 3; i++)
                assert_int_equal(alive(&w), GCS_OK);
        assert_string_equal(w.ray, "2.60.0");
        stop(&w);
}

/* Of the server's certificate. */
static void test_server_that_will_not_do(void **state)
{
        static const struct {
                const char *server, *text;
        } cases[] = {
                {"foreign", "is not of the authority that we have for Ray: it is \"CN=foreign\""},
                {"late", "is not valid any more"},
                {"early", "is not valid yet"},
                {"worker", "does not name this address: it is \"CN=worker\" for IP:10.0.0.2"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                World w;
                start(&w, cases[i].server);
                connect_as(&w, "ca.pem", "head");
                expect(&w, GCS_TLS, cases[i].text);
                assert_int_equal(w.error, -EKEYREJECTED);
                stop(&w);
        }
}

/* It says nothing, and it may be too late for the first call's error to say more than "closed". */
static void test_we_will_not_do(void **state)
{
        World w;

        start(&w, "head");
        connect_as(&w, "ca.pem", "foreign");
        expect(&w, GCS_TLS, "hung up when it saw our certificate");
        connect_as(&w, "ca.pem", "late");
        expect(&w, GCS_TLS, "hung up when it saw our certificate");
        connect_as(&w, "ca.pem", "worker");
        assert_int_equal(alive(&w), GCS_OK);
        stop(&w);
}

static void test_one_side_in_clear(void **state)
{
        World w;

        start(&w, NULL);
        connect_as(&w, "ca.pem", "worker");
        expect(&w, GCS_TLS, "does not speak TLS, and we want it");
        stop(&w);

        start(&w, "head");
        assert_int_equal(
                gcs_client_new(w.event,
                               &(GcsClientPolicy){.addr = w.fake.addr, .timeout = 5 * USEC_PER_SEC},
                               &w.client),
                0);
        expect(&w, GCS_UNREACHABLE, "it may want TLS");
        stop(&w);
}

/* Read at each connect: what was missing may be there the next time. */
static void test_files(void **state)
{
        _cleanup_free_ char *cert = path_of("new.pem"), *key = path_of("new.key");
        World w;

        start(&w, "head");
        connect_as(&w, "ca.pem", "new");
        expect(&w, GCS_TLS, "/new.pem: No such file or directory");
        issue("new", (IdentityWish){.alt = "IP:10.0.0.3", .ca = &ca});
        assert_int_equal(write_file_atomic(key, "x", 1, 0600, (gid_t)-1), 0);
        expect(&w, GCS_TLS, "/new.key: is not PEM");
        issue("new", (IdentityWish){.alt = "IP:10.0.0.3", .ca = &ca});
        assert_int_equal(alive(&w), GCS_OK);
        stop(&w);
        assert_int_equal(unlink(cert) | unlink(key), 0);
}

/* Nobody listens: that is the reason, whatever the files are like. */
static void test_refused_port(void **state)
{
        World w;

        start(&w, "head");
        kill(w.fake.pid, SIGKILL);
        assert_int_equal(waitpid(w.fake.pid, NULL, 0), w.fake.pid);
        connect_as(&w, "no-such.pem", "worker");
        expect(&w, GCS_UNREACHABLE, "Connection refused");
        gcs_client_free(w.client);
        sd_event_unref(w.event);
}

static void test_policy(void **state)
{
        World w;
        GcsClient *c = NULL;

        start(&w, NULL);
        assert_int_equal(gcs_client_new(w.event,
                                        &(GcsClientPolicy){.addr = w.fake.addr,
                                                           .tls = &(TlsFiles){.ca = "/x"},
                                                           .timeout = USEC_PER_SEC},
                                        &c),
                         -EINVAL);
        /* freed while the handshake is under way */
        connect_as(&w, "ca.pem", "worker");
        assert_int_equal(gcs_client_check_alive(w.client, on_alive, &w), 0);
        assert_true(sd_event_run(w.event, USEC_PER_SEC) >= 0);
        stop(&w);
        assert_false(w.done);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_server_that_will_not_do),
                cmocka_unit_test(test_we_will_not_do),
                cmocka_unit_test(test_one_side_in_clear),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_refused_port),
                cmocka_unit_test(test_policy),
        };

        return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
