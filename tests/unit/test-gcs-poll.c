/* The poll: what it tells, and when, while the GCS comes, changes, goes. */
#include "test.h"

#include "fake.h"

#include "base/str.h"
#include "gcs/poll.h"

typedef struct Fixture {
        sd_event *event;
        GcsPoll *poll;
        FakeProc fake;
        char control[32], log[40];
        unsigned changes, n_calls;
        bool free_poll;
} Fixture;

static void on_change(GcsPoll *p, unsigned changes, void *userdata)
{
        Fixture *f = userdata;

        f->changes |= changes;
        f->n_calls++;
        if (f->free_poll)
                f->poll = gcs_poll_free(f->poll);
}

static void write_control(Fixture *f, const char *text)
{
        char temp[64];

        (void)snprintf(temp, sizeof(temp), "%s.new", f->control);
        FILE *file = fopen(temp, "w");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(rename(temp, f->control), 0);
}

static void start(Fixture *f, const char *control)
{
        *f = (Fixture){.control = "/tmp/test-gcs-poll.XXXXXX"};
        int fd = mkstemp(f->control);
        assert_true(fd >= 0);
        (void)close(fd);
        (void)snprintf(f->log, sizeof(f->log), "%s.log", f->control);
        write_control(f, control);
        f->fake = fake_start((const char *[]){"--control", f->control, "--log", f->log, NULL});
        assert_true(sd_event_new(&f->event) >= 0);
}

static void start_poll(Fixture *f, const char *address, const char *instance_id)
{
        assert_int_equal(gcs_poll_new(f->event,
                                      &(GcsPollPolicy){.client = {.addr = f->fake.addr,
                                                                  .timeout = 500 * USEC_PER_MSEC},
                                                       .interval = 20 * USEC_PER_MSEC,
                                                       .retry = 10 * USEC_PER_MSEC,
                                                       .retry_max = 40 * USEC_PER_MSEC,
                                                       .address = address,
                                                       .instance_id = instance_id},
                                      on_change, f, &f->poll),
                         0);
        assert_int_equal(f->n_calls, 0);
}

static void stop(Fixture *f)
{
        gcs_poll_free(f->poll);
        sd_event_unref(f->event);
        (void)unlink(f->control);
        (void)unlink(f->log);
        if (f->fake.pid)
                fake_stop(&f->fake);
}

static void wait_for(Fixture *f, unsigned changes)
{
        usec_t end = now_mono() + 10 * USEC_PER_SEC;

        while ((f->changes & changes) != changes) {
                assert_true(now_mono() < end);
                assert_true(sd_event_run(f->event, USEC_PER_SEC) >= 0);
        }
}

/* Some rounds in which nothing new is told. */
static void run_for(Fixture *f, usec_t t)
{
        usec_t end = now_mono() + t;

        while (now_mono() < end)
                assert_true(sd_event_run(f->event, 10 * USEC_PER_MSEC) >= 0);
}

static void test_whole(void **state)
{
        Fixture f;

        start(&f, "cluster 01\npending 3\nnode id=01,hostname=a,head=1\n");
        start_poll(&f, NULL, NULL);
        assert_false(gcs_poll_is_up(f.poll));
        assert_null(gcs_poll_nodes(f.poll));
        assert_null(gcs_poll_cluster_id(f.poll));
        assert_true(gcs_poll_age(f.poll) == USEC_INFINITY);
        wait_for(&f, GCS_POLL_UP | GCS_POLL_CLUSTER | GCS_POLL_NODES);
        assert_int_equal(f.n_calls, 1);
        assert_true(gcs_poll_is_up(f.poll));
        assert_int_equal(gcs_poll_nodes(f.poll)->n, 1);
        assert_int_equal(gcs_poll_demand(f.poll)->n_requests, 3);
        assert_int_equal(gcs_poll_cluster_id(f.poll)->b[0], 1);
        assert_true(gcs_poll_age(f.poll) < 10 * USEC_PER_SEC);

        run_for(&f, 100 * USEC_PER_MSEC); /* nothing new, nothing told */
        assert_int_equal(f.n_calls, 1);

        f.changes = 0;
        write_control(&f, "cluster 01\nnode id=01,hostname=a,head=1\nnode id=02,hostname=b\n");
        wait_for(&f, GCS_POLL_NODES);
        assert_int_equal(f.changes, GCS_POLL_NODES);
        assert_int_equal(gcs_poll_nodes(f.poll)->n, 2);

        f.changes = 0;
        write_control(&f, "cluster 02\nnode id=03,hostname=a,head=1\n");
        wait_for(&f, GCS_POLL_CLUSTER);
        assert_int_equal(f.changes, GCS_POLL_CLUSTER | GCS_POLL_NODES);
        stop(&f);
}

static void test_down_and_up(void **state)
{
        Fixture f;

        start(&f, "mode status-14:starting\n");
        start_poll(&f, NULL, NULL);
        wait_for(&f, GCS_POLL_DOWN);
        assert_int_equal(f.changes, GCS_POLL_DOWN);
        run_for(&f, 200 * USEC_PER_MSEC); /* the same again and again: told once */
        assert_int_equal(f.n_calls, 1);
        assert_true(gcs_poll_failures(f.poll) > 2);
        assert_non_null(strstr(gcs_poll_result(f.poll)->text, "starting"));

        f.changes = 0;
        write_control(&f, "mode status-16:InvalidAuthToken\n"); /* another reason is told */
        wait_for(&f, GCS_POLL_DOWN);
        assert_int_equal(gcs_poll_result(f.poll)->status, GCS_TOKEN);

        f.changes = 0;
        write_control(&f, "cluster 01\nnode id=01,hostname=a\n");
        wait_for(&f, GCS_POLL_UP);
        assert_int_equal(f.changes, GCS_POLL_UP | GCS_POLL_CLUSTER | GCS_POLL_NODES);
        assert_int_equal(gcs_poll_failures(f.poll), 0);

        f.changes = 0;
        fake_stop(&f.fake);
        f.fake.pid = 0;
        wait_for(&f, GCS_POLL_DOWN);
        assert_int_equal(gcs_poll_result(f.poll)->status, GCS_UNREACHABLE);
        assert_int_equal(gcs_poll_nodes(f.poll)->n, 1); /* what was known stays */
        stop(&f);
}

static void test_own_node(void **state)
{
        Fixture f;

        start(&f, "cluster 01\nnode id=01,address=10.0.0.1,head=1\n"
                  "node id=02,address=10.0.0.2,instance=me,state=dead\n"
                  "node id=03,address=10.0.0.2,instance=other,start=9999999999999\n");
        start_poll(&f, "10.0.0.2", "me");
        wait_for(&f, GCS_POLL_UP);
        assert_int_equal(gcs_poll_nodes(f.poll)->n, 2); /* the head's row was not asked for */
        assert_null(gcs_poll_self(f.poll));
        assert_null(gcs_poll_demand(f.poll));

        f.changes = 0;
        write_control(&f, "cluster 01\nnode id=04,address=10.0.0.2,instance=me\n"
                          "node id=05,address=10.0.0.2\n");
        wait_for(&f, GCS_POLL_NODES);
        assert_int_equal(gcs_poll_self(f.poll)->id.b[0], 4);
        f.changes = 0;
        wait_for(&f, GCS_POLL_NODES); /* from now on by id: one row */
        assert_int_equal(gcs_poll_nodes(f.poll)->n, 1);

        f.changes = 0;
        write_control(&f, "cluster 01\nnode id=04,address=10.0.0.2,instance=me,state=dead,"
                          "reason=lost\n");
        wait_for(&f, GCS_POLL_NODES);
        assert_int_equal(gcs_poll_self(f.poll)->state, NODE_DEAD);
        assert_string_equal(gcs_poll_self(f.poll)->death_reason, "lost");
        run_for(&f, 100 * USEC_PER_MSEC); /* by address again, and still known as dead */
        assert_int_equal(gcs_poll_self(f.poll)->state, NODE_DEAD);

        f.changes = 0;
        write_control(&f, "cluster 02\nnode id=06,address=10.0.0.2,instance=me\n");
        wait_for(&f, GCS_POLL_CLUSTER);
        assert_int_equal(gcs_poll_self(f.poll)->id.b[0], 6);

        f.changes = 0; /* also while the old one lives: its id is not asked for again */
        write_control(&f, "cluster 03\nnode id=07,address=10.0.0.2,instance=me\n");
        wait_for(&f, GCS_POLL_CLUSTER);
        assert_non_null(gcs_poll_self(f.poll));
        assert_int_equal(gcs_poll_self(f.poll)->id.b[0], 7);
        stop(&f);
}

static void test_now(void **state)
{
        Fixture f;

        start(&f, "cluster 01\n");
        assert_int_equal(gcs_poll_new(f.event,
                                      &(GcsPollPolicy){.client = {.addr = f.fake.addr,
                                                                  .timeout = 500 * USEC_PER_MSEC},
                                                       .interval = 3600 * USEC_PER_SEC,
                                                       .retry = USEC_PER_SEC,
                                                       .retry_max = USEC_PER_SEC},
                                      on_change, &f, &f.poll),
                         0);
        wait_for(&f, GCS_POLL_UP);
        write_control(&f, "cluster 02\n");
        f.changes = 0;
        gcs_poll_now(f.poll);
        gcs_poll_now(f.poll);
        wait_for(&f, GCS_POLL_CLUSTER);
        stop(&f);
}

static void test_freed_in_callback(void **state)
{
        static const char *const controls[] = {"cluster 01\n", "mode eof\n"};

        for (size_t i = 0; i < ELEMENTSOF(controls); i++) {
                Fixture f;
                start(&f, controls[i]);
                f.free_poll = true;
                start_poll(&f, NULL, NULL);
                wait_for(&f, i == 0 ? GCS_POLL_UP : GCS_POLL_DOWN);
                assert_null(f.poll);
                run_for(&f, 50 * USEC_PER_MSEC);
                assert_int_equal(f.n_calls, 1);
                stop(&f);
        }
}

static void test_policy(void **state)
{
        Fixture f;

        start(&f, "");
        assert_int_equal(
                gcs_poll_new(f.event,
                             &(GcsPollPolicy){.client = {.addr = f.fake.addr, .timeout = 1},
                                              .retry = 1,
                                              .retry_max = 1},
                             on_change, &f, &f.poll),
                -EINVAL);
        stop(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whole),    cmocka_unit_test(test_down_and_up),
                cmocka_unit_test(test_own_node), cmocka_unit_test(test_now),
                cmocka_unit_test(test_policy),   cmocka_unit_test(test_freed_in_callback),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
