/* sys/bus: comes by itself, tells its users once, survives the broker's end and return. */
#include "test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/time.h"
#include "sys/bus.h"

typedef struct Seen {
        sd_event *event;
        int up, down;
        int want_up, want_down;
} Seen;

static void check_done(Seen *s)
{
        if (s->up >= s->want_up && s->down >= s->want_down)
                sd_event_exit(s->event, 0);
}

static void on_connected(sd_bus *bus, void *userdata)
{
        Seen *s = userdata;
        assert_non_null(bus);
        s->up++;
        check_done(s);
}

static void on_disconnected(void *userdata)
{
        Seen *s = userdata;
        s->down++;
        check_done(s);
}

static pid_t broker_start(const char *address)
{
        int ready[2];
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                char print[32], addr[200];
                snprintf(print, sizeof(print), "--print-address=%d", ready[1]);
                snprintf(addr, sizeof(addr), "--address=%s", address);
                execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile", addr,
                       print, NULL);
                _exit(127);
        }
        close(ready[1]);
        char byte;
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return pid;
}

static void broker_stop(pid_t pid)
{
        assert_int_equal(kill(pid, SIGTERM), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
        return sd_event_exit(userdata, -ETIMEDOUT);
}

static void test_come_and_go(void **state)
{
        char dir[] = "/tmp/test-bus.XXXXXX";
        assert_non_null(mkdtemp(dir));
        _cleanup_free_ char *sock = path_join(dir, "bus");
        _cleanup_free_ char *address = str_printf("unix:path=%s", sock);
        static const BusOps ops = {on_connected, on_disconnected};
        sd_event *event = NULL;
        Bus *bus = NULL;
        BusUser *one = NULL, *two = NULL;

        assert_int_equal(sd_event_new(&event), 0);
        assert_true(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, 20 * USEC_PER_SEC, 0,
                                               on_deadline, event) >= 0);
        Seen a = {.event = event, .want_up = 1}, b = {.event = event, .want_up = 1};

        /* no broker yet */
        assert_int_equal(bus_new(event, address, &bus), 0);
        assert_int_equal(bus_subscribe(bus, &ops, &a, &one), 0);
        assert_true(sd_event_run(event, 0) >= 0);
        assert_null(bus_get(bus));
        pid_t pid = broker_start(address);
        assert_int_equal(sd_event_loop(event), 0);
        assert_non_null(bus_get(bus));
        assert_int_equal(a.up, 1);
        sd_event_unref(event);
        bus_unsubscribe(one);
        bus_free(bus);

        /* late subscriber, then the broker's end and return */
        assert_int_equal(sd_event_new(&event), 0);
        assert_true(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, 20 * USEC_PER_SEC, 0,
                                               on_deadline, event) >= 0);
        a = (Seen){.event = event, .want_up = 2, .want_down = 1};
        b = a;
        assert_int_equal(bus_new(event, address, &bus), 0);
        assert_int_equal(bus_subscribe(bus, &ops, &a, &one), 0);
        while (a.up == 0)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        assert_int_equal(bus_subscribe(bus, &ops, &b, &two), 0);
        assert_int_equal(b.up, 0); /* never from inside the call */
        while (b.up == 0)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        two = bus_unsubscribe(two);
        broker_stop(pid);
        while (a.down == 0)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        assert_null(bus_get(bus));
        (void)unlink(sock);
        pid = broker_start(address);
        assert_int_equal(sd_event_loop(event), 0);
        assert_int_equal(a.up, 2);
        assert_int_equal(b.down, 0);

        bus_unsubscribe(one);
        bus_free(bus);
        sd_event_unref(event);
        broker_stop(pid);
        (void)unlink(sock);
        assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_come_and_go)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
