/* Which of the heads that discovery finds a machine takes: two real heads of one name and a real
 * worker, on addresses of a network of their own, and an avahi-daemon that says what it is told.
 * What a GCS is sent stands in its log. */
#include <poll.h>
#include <sched.h>

#include "test.h"

#include "daemon-world.h"
#include "fake-avahi.h"

#include "base/addr.h"
#include "engine/args.h"

/* Ours; another's of the same name; and one that no certificate names. */
#define OURS    "10.99.0.1"
#define THEIRS  "10.99.0.2"
#define BETWEEN "10.99.0.9"

#define MEMBERS    "org.raycluster1.Members"
#define MEMBERSHIP "org.raycluster1.Membership"

typedef struct Room {
        World *ours, *theirs, *worker;
        pid_t avahi, relay, relay_gcs;
        FakeService services[2];
        char txt[2][32];
} Room;

static bool has_network;

/* The environment is of the world that starts something next. */
static void enter(const World *w)
{
        _cleanup_free_ char *address = str_printf("unix:path=%s/bus", w->dir);

        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", w->dir, 1), 0);
        assert_int_equal(setenv("STATE_DIRECTORY", w->dir, 1), 0);
}

/* --- the network --------------------------------------------------------------------------------
 */

static bool network_new(void)
{
        return unshare(CLONE_NEWNET) == 0 &&
               system("ip link set lo up && ip link add d0 type veth peer name d1 && ip link set "
                      "d0 up && ip link set d1 up && "
                      "ip addr add " OURS "/24 dev d0 && ip addr add " THEIRS "/24 dev d0 && "
                      "ip addr add " BETWEEN "/32 scope host dev lo") == 0;
}

static void announce(Room *room, size_t i, const World *head, const char *name, const char *address)
{
        (void)snprintf(room->txt[i], sizeof(room->txt[i]), "gcs=%d", head->port);
        room->services[i] = (FakeService){.name = name,
                                          .host = name,
                                          .address = address,
                                          .txt = {"cluster=lab1", room->txt[i]},
                                          .ifindex = 1,
                                          .port = (uint16_t)(head->port + 9)};
}

/* In a process of its own, on the worker's bus: the first n are heard. */
static void start_avahi(Room *room, size_t n)
{
        Broker b = {0};
        int up[2];
        char c;

        (void)snprintf(b.address, sizeof(b.address), "unix:path=%s/bus", room->worker->dir);
        assert_int_equal(pipe(up), 0);
        room->avahi = fork();
        assert_true(room->avahi >= 0);
        if (room->avahi == 0) {
                FakeAvahi f = {.services = room->services, .n_services = n};
                sd_event *event = NULL;

                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (sd_event_new(&event) < 0)
                        _exit(1);
                fake_avahi_start(&f, event, &b);
                (void)!write(up[1], "x", 1);
                _exit(sd_event_loop(event) < 0);
        }
        assert_int_equal(read(up[0], &c, 1), 1);
        (void)close(up[0]);
        (void)close(up[1]);
}

/* --- the room -----------------------------------------------------------------------------------
 */

static World *head_new(const char *address, const char *auth)
{
        World *w = world_new_at("Head", address);
        _cleanup_free_ char *more = str_printf("auth: { mode = \"%s\"; };", auth);

        write_conf_full(w, "", more);
        enter(w);
        start_daemon(w);
        wait_for(w, "State", "serving");
        return w;
}

/* Theirs uses no token itself: one that its GCS sees is another's. */
static void room_init(Room *room)
{
        if (!has_network) {
                print_message("skipped: needs root and ip(8), for a network of its own\n");
                skip();
        }
        *room = (Room){.ours = head_new(OURS, "auto"), .theirs = head_new(THEIRS, "disabled")};
        room->worker = world_new_at("Worker", OURS);
        write_conf_full(room->worker, "",
                        "auth: { mode = \"auto\"; };\n"
                        "discovery: { order = [ \"mdns\", \"last-known\" ]; };");
        announce(room, 0, room->theirs, "theirs", THEIRS);
        announce(room, 1, room->ours, "ours", OURS);
}

static void room_done(Room *room)
{
        (void)end(&room->avahi, SIGKILL);
        (void)end(&room->relay, SIGKILL);
        (void)end(&room->relay_gcs, SIGKILL);
        world_free(room->worker);
        world_free(room->theirs);
        world_free(room->ours);
}

static void start_worker(Room *room)
{
        enter(room->worker);
        start_daemon(room->worker);
        wait_for(room->worker, "State", "");
}

/* "" when it worked, else the sentence. head: NULL = where discovery found heads. */
static char *join(Room *room, const char *head)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        const char *id, *token;

        assert_true(sd_bus_call_method(room->ours->bus, "org.raycluster1.Head",
                                       "/org/raycluster1/Head", MEMBERS, "CreateToken", NULL, &m,
                                       "utsss", 1, (uint64_t)0, "", "", "") >= 0);
        assert_true(sd_bus_message_read(m, "ss", &id, &token) > 0);
        sd_bus_message *call = NULL;
        assert_true(
                sd_bus_message_new_method_call(room->worker->bus, &call, "org.raycluster1.Worker",
                                               "/org/raycluster1/Worker", MEMBERSHIP, "Join") >= 0);
        assert_true(sd_bus_message_append(call, "s", token) >= 0);
        assert_true(sd_bus_message_append_strv(call, (char *[]){(char *)head, NULL}) >= 0);
        int r = sd_bus_call(room->worker->bus, call, DEADLINE, &error, NULL);
        char *text = strdup(r < 0 ? strempty(error.message) : "");
        sd_bus_error_free(&error);
        sd_bus_message_unref(call);
        sd_bus_message_unref(m);
        return text;
}

/* Until the property has this in it. */
static void wait_for_part(World *w, const char *property, const char *part)
{
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        for (;;) {
                _cleanup_free_ char *value = get(w, property);
                if (value && strstr(value, part))
                        return;
                if (now_mono() >= deadline) {
                        show_log(w);
                        fail_msg("%s is \"%s\", without \"%s\"", property, strna(value), part);
                }
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
                (void)sd_bus_wait(w->bus, 200 * USEC_PER_MSEC);
        }
}

static void wait_for_starts(World *w, uint32_t n)
{
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        while (starts(w) < n) {
                if (now_mono() >= deadline) {
                        show_log(w);
                        fail_msg("Ray was started %u times, not %u", starts(w), n);
                }
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
                (void)sd_bus_wait(w->bus, 200 * USEC_PER_MSEC);
        }
}

static void check_started_for(Room *room, const char *address)
{
        _cleanup_free_ char *path = in_dir(room->worker, "engine-worker.args"), *text = NULL;
        _cleanup_free_ char *want = str_printf("%s:%d", address, room->ours->port);

        assert_true(read_file(path, 1 << 16, &text, NULL) >= 0);
        if (!strstr(text, want))
                fail_msg("not for %s:\n%s", want, text);
}

/* Of two authorities: eight words each, and not the same. */
static void check_words(Room *room)
{
        _cleanup_free_ char *reason = get(room->worker, "Reason");
        const char *a = strstr(reason, "authority "), *b = a ? strstr(a + 1, "authority ") : NULL;
        size_t n = 0;

        assert_non_null(b);
        size_t length = strcspn(a, ")");
        for (size_t i = 0; i < length; i++)
                n += a[i] == ' ';
        assert_int_equal(n, 8);
        assert_true(strncmp(a, b, length) != 0);
        /* as that head says it */
        _cleanup_free_ char *ours = get(room->ours, "Membership");
        const char *said = strstr(ours, "authority ");
        assert_non_null(said);
        assert_non_null(strstr(reason, said));
        assert_non_null(strstr(reason, "ours (" OURS ", authority "));
}

static bool was_told(const World *w, const char *what)
{
        _cleanup_free_ char *path = in_dir(w, "gcs.log"), *text = NULL;

        return read_file(path, 8 << 20, &text, NULL) >= 0 && strstr(text, what);
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void test_two_heads(void **state)
{
        Room room;

        room_init(&room);
        start_avahi(&room, 2);
        start_worker(&room);

        /* who is no member is told of both, and takes neither */
        wait_for_part(room.worker, "Reason", "2 heads answer to cluster \"lab1\"");
        wait_for_part(room.worker, "Reason", "or join with a token");
        /* with the words of both, which tell them apart */
        wait_for_part(room.worker, "Reason", "theirs (" THEIRS ", authority ");
        check_words(&room);
        assert_int_equal(starts(room.worker), 0);

        /* a token says which of them it is of */
        _cleanup_free_ char *why = join(&room, NULL);
        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected to the head at " OURS ":");
        wait_for_starts(room.worker, 1);
        check_started_for(&room, OURS);
        assert_true(was_told(room.ours, "token=yes"));
        assert_false(was_told(room.theirs, "token=yes"));
        room_done(&room);
}

/* A member whose head is away, and another one of the name is there. */
static void test_alone_with_another(void **state)
{
        Room room;

        room_init(&room);
        start_avahi(&room, 2);
        start_worker(&room);
        wait_for_part(room.worker, "Reason", "2 heads answer");
        _cleanup_free_ char *why = join(&room, NULL);
        assert_string_equal(why, "");
        wait_for_starts(room.worker, 1);
        (void)end(&room.worker->daemon, SIGKILL);
        (void)end(&room.avahi, SIGKILL);
        (void)end(&room.ours->daemon, SIGKILL);
        _cleanup_free_ char *path = in_dir(room.worker, "last-known-head");
        (void)unlink(path);

        /* the address that was confirmed is where Ray's token goes, and nowhere else */
        steer(room.worker, "Fail", "Ray ended");
        start_avahi(&room, 1);
        start_worker(&room);
        wait_for(room.worker, "Membership", "member, not connected to the head at ");
        wait_for_part(room.worker, "Membership", "is not the head of this machine's cluster");
        wait_for_starts(room.worker, 2);
        check_started_for(&room, OURS);
        assert_false(was_told(room.theirs, "token=yes"));
        room_done(&room);
}

/* --- somebody in between ------------------------------------------------------------------------
 */

static int connect_to(const char *address, int port)
{
        Addr a;
        SockAddr sa;

        if (addr_parse(address, &a) < 0)
                return -EINVAL;
        a.port = (uint16_t)port;
        socklen_t len = addr_to_sockaddr(&a, &sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return fd >= 0 && connect(fd, &sa.sa, len) == 0 ? fd : -1;
}

static void pass_on(int a, int b)
{
        struct pollfd p[] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
        char buf[4096];

        for (;;) {
                (void)poll(p, 2, -1);
                for (int i = 0; i < 2; i++) {
                        if (!p[i].revents)
                                continue;
                        ssize_t n = read(p[i].fd, buf, sizeof(buf));
                        if (n <= 0 || write(p[!i].fd, buf, (size_t)n) != n)
                                _exit(0);
                }
        }
}

/* Passes the control port of ours on, word for word, and has a GCS of its own. */
static void start_relay(Room *room)
{
        Addr a;
        SockAddr sa;
        int one = 1;

        assert_int_equal(addr_parse(BETWEEN, &a), 0);
        a.port = (uint16_t)(room->ours->port + 12);
        socklen_t len = addr_to_sockaddr(&a, &sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
        assert_int_equal(bind(fd, &sa.sa, len), 0);
        assert_int_equal(listen(fd, 16), 0);
        room->relay = fork();
        assert_true(room->relay >= 0);
        if (room->relay == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)signal(SIGCHLD, SIG_IGN);
                for (;;) {
                        int in = accept(fd, NULL, NULL);
                        if (in >= 0 && fork() == 0) {
                                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                                int out = connect_to(OURS, room->ours->port + 9);
                                if (out >= 0)
                                        pass_on(in, out);
                                _exit(0);
                        }
                        (void)close(in);
                }
        }
        (void)close(fd);
        char gcs[16];
        (void)snprintf(gcs, sizeof(gcs), "%d", room->ours->port);
        _cleanup_free_ char *log = in_dir(room->worker, "gcs.log");
        char *argv[] = {TEST_BUILD "/tests/fake/fake-gcs",
                        "--port",
                        gcs,
                        "--address",
                        BETWEEN,
                        "--log",
                        log,
                        NULL};
        room->relay_gcs = run_until_line(room->worker, argv);
}

static void test_between(void **state)
{
        char between[32];
        Room room;

        room_init(&room);
        start_relay(&room);
        start_worker(&room);
        (void)snprintf(between, sizeof(between), BETWEEN ":%d", room.ours->port + 12);

        /* the head is who it says, and not where it seems: no reason to start Ray there */
        _cleanup_free_ char *why = join(&room, between);
        assert_string_equal(why, "");
        wait_for_part(room.worker, "Membership",
                      "none of the addresses that its certificate names");

        /* as soon as another address is found, that one is tried */
        announce(&room, 0, room.ours, "between", BETWEEN);
        room.services[0].port = (uint16_t)(room.ours->port + 12);
        start_avahi(&room, 2);
        wait_for(room.worker, "Membership", "member, connected to the head at " OURS ":");
        wait_for_starts(room.worker, 1);
        check_started_for(&room, OURS);
        assert_false(was_told(room.worker, "connect"));
        room_done(&room);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_two_heads),
                cmocka_unit_test(test_alone_with_another),
                cmocka_unit_test(test_between),
        };

        has_network = network_new();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
