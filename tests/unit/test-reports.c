/* What a member tells its head by itself. */
#include "daemon-room.h"

static void test_facts(void **state)
{
        Room room = room_with_member();
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        for (;;) {
                const char *name, *node, *st, *group, *from, *ray, *python, *words;
                uint64_t enrolled, until, seen, memory;
                uint32_t cpus, gpus;
                sd_bus_message *m = NULL;

                assert_true(sd_bus_call_method(room.head->bus, "org.raycluster1.Head",
                                               "/org/raycluster1/Head", MEMBERS, "GetMembers", NULL,
                                               &m, "") >= 0);
                assert_true(sd_bus_message_enter_container(m, 'a', "(ssssstttuutsss)") > 0);
                assert_true(sd_bus_message_read(m, "(ssssstttuutsss)", &name, &node, &st, &group,
                                                &from, &enrolled, &until, &seen, &cpus, &gpus,
                                                &memory, &ray, &python, &words) > 0);
                assert_true(cpus > 0);
                _cleanup_free_ char *versions = str_printf("Ray %s, Python %s", ray, python);
                sd_bus_message_unref(m);
                if (streq(versions, "Ray 2.60.0, Python 3.11.2"))
                        break;
                if (now_mono() >= deadline)
                        fail_msg("%s", versions);
                (void)sd_bus_process(room.head->bus, NULL);
                (void)sd_bus_wait(room.head->bus, 100 * USEC_PER_MSEC);
        }
        room_free(&room);
}

static void test_events(void **state)
{
        Room room = room_with_member();
        _cleanup_free_ char *host = get(room.worker, "NodeName");
        _cleanup_free_ char *joined = str_printf("%s: joined head", host);
        _cleanup_free_ char *failed = str_printf("%s: ray-engine@worker.service ended: ", host);
        _cleanup_free_ char *ordered = str_printf("%s: the head's admin orders: probe", host);

        wait_for_log(room.head, joined);
        /* while the head is away, it is kept for it */
        enter(room.head);
        (void)end(&room.head->daemon, SIGKILL);
        wait_for(room.worker, "Membership", "member, not connected");
        steer(room.worker, "Fail", "exit-code");
        wait_for_log(room.worker, "ray-engine@worker.service ended: ");
        start_head(&room);
        wait_for_log(room.head, failed);
        wait_for(room.worker, "State", "joined");
        check_order(&room, "probe", "head ");
        wait_for_log(room.head, ordered);
        room_free(&room);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_facts),
                cmocka_unit_test(test_events),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
