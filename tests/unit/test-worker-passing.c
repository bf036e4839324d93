/* A worker's membership in a network of its own: a head that is reached at an address which is none
 * of its own. Needs a privilege. */
#include "machine-world.h"

#include <sched.h>
#include <signal.h>

#include "worker/membership-private.h"

#define FORWARDER "10.77.3.9"

static bool has_network;

static bool network_new(void)
{
        return unshare(CLONE_NEWNET) == 0 &&
               system("ip link set lo up && ip addr add " FORWARDER "/32 dev lo") == 0;
}

static int on_hole(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        (void)safe_close(accept(fd, NULL, NULL));
        ++*(unsigned *)userdata;
        return 0;
}

/* A head behind a forwarder is left for its other address, where nobody is: once a round, and ever
 * more seldom, until it is where it says. */
static void test_forwarder_and_nobody(void **state)
{
        sd_event_source *source = NULL;
        Addr forwarder = member_addr(FORWARDER), hole;
        unsigned dialled = 0;
        World front;
        Machine o;

        if (!has_network) { /* of loopback's addresses each counts as the head's own */
                print_message("skipped: needs root and ip(8), for a network of its own\n");
                skip();
        }
        machine_init(&o);
        enter(&o);
        front = (World){.m = {.authority = o.w.m.authority, .db = o.w.m.db}, .event = o.w.event};
        open_gate_at(&front, &forwarder);
        int fd = listen_on(&hole);
        assert_true(sd_event_add_io(o.w.event, &source, fd, EPOLLIN, on_hole, &dialled) >= 0);

        Addr heads[] = {front.at, hole};
        membership_set_heads(o.m, heads, 2, true);
        for (unsigned round = 1; round <= 2; round++) {
                WAIT(&o.w, o.m->passing && o.m->unnamed);
                check_text(&o, "none of the addresses that its certificate names");
                assert_int_equal(dialled, round);
                assert_int_equal(o.m->pass_pause.attempt, round);
                assert_int_equal(deadline_move(o.m->passing, 0), 0);
                WAIT(&o.w, !o.m->passing);
        }
        membership_set_heads(o.m, &o.w.at, 1, true);
        WAIT(&o.w, strstr(membership_text(o.m), "connected to the head at 127.0.0.1:"));
        assert_int_equal(o.m->pass_pause.attempt, 0);
        sd_event_source_disable_unref(source);
        (void)safe_close(fd);
        gate_free(front.gate);
        machine_done(&o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forwarder_and_nobody),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        has_network = network_new();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
