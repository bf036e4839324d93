/* What the head's admin has a member do, and whether it does. Both real daemons, and Ray's
 * units of a fake systemd. */
#include "daemon-room.h"

static void test_stop_and_start(void **state)
{
        Room room = room_with_member();
        uint32_t before = starts(room.worker);

        check_order(&room, "stop", "Ray is off, and stays off");
        wait_for(room.worker, "State", "held");
        wait_for(room.worker, "Reason", "held: stopped by the head's admin");
        check_engine(room.worker, "inactive");
        check_order(&room, "restart-engine", "! it is held");
        check_order(&room, "drain", "Ray is off");

        /* over a restart of the daemon, too */
        (void)end(&room.worker->daemon, SIGKILL);
        wait_for_part(room.head, "Membership", "0 of 1");
        check_order(&room, "start", "! ");
        start_worker(&room);
        wait_for(room.worker, "State", "held");
        wait_for(room.worker, "Membership", "member, connected");
        assert_int_equal(starts(room.worker), before);

        check_order(&room, "start", "joined head");
        check_engine(room.worker, "active");
        assert_int_equal(starts(room.worker), before + 1);
        check_order(&room, "start", "joined head");
        assert_int_equal(starts(room.worker), before + 1);
        room_free(&room);
}

/* As systemctl stop and a reboot do it: there is nothing to be stopped, and it ends at once. */
static void test_end_while_held(void **state)
{
        Room room = room_with_member();

        check_order(&room, "stop", "Ray is off, and stays off");
        wait_for(room.worker, "State", "held");
        steer(room.worker, "Job", "stop");
        assert_int_equal(end(&room.worker->daemon, SIGTERM), 0);
        assert_int_equal(count_in_log(room.worker, "Ending, with Ray"), 1);
        room_free(&room);
}

/* An identity that cannot be read is none that was given up. */
static void test_hold_outlives_trouble(void **state)
{
        Room room = room_with_member();
        uint32_t before = starts(room.worker);

        check_order(&room, "stop", "Ray is off, and stays off");
        start_unreadable(&room);
        start_worker(&room);
        wait_for(room.worker, "State", "held");
        wait_for(room.worker, "Membership", "member, connected");
        assert_int_equal(starts(room.worker), before);
        room_free(&room);
}

/* Nobody could start it any more. */
static void test_hold_ends_with_membership(void **state)
{
        Room room = room_with_member();

        check_order(&room, "stop", "Ray is off, and stays off");
        _cleanup_free_ char *left = tell_worker(&room, "Leave");
        assert_string_equal(left, "");
        wait_for(room.worker, "Membership", "no member of a cluster");
        _cleanup_free_ char *held = in_dir(room.worker, "held");
        wait_for(room.worker, "State", "joined");
        assert_int_equal(access(held, F_OK), -1);
        room_free(&room);
}

static void test_restart_and_probe(void **state)
{
        Room room = room_with_member();
        uint32_t before = starts(room.worker);

        check_order(&room, "restart-engine", "joined head");
        assert_int_equal(starts(room.worker), before + 1);
        check_order(&room, "probe", "head ");
        check_order(&room, "dance", "! dance is no order: start, stop");
        _cleanup_free_ char *nobody = order(&room, "nobody", "stop");
        assert_string_equal(nobody, "! no member is called nobody; raycluster node list has them");
        _cleanup_free_ char *host = get(room.worker, "NodeName");
        wait_for(room.worker, "State", "joined");
        room_free(&room);
}

/* Both streams of raycluster on the head, and its exit status: "…\n[1]\n". */
static char *tool(Room *room, const char *args)
{
        _cleanup_free_ char *command =
                str_printf("(" TEST_BUILD "/bin/raycluster %s) 2>&1; echo \"[$?]\"", args);
        char text[4096];

        enter(room->head);
        FILE *f = popen(command, "r");
        assert_non_null(f);
        text[fread(text, 1, sizeof(text) - 1, f)] = 0;
        pclose(f);
        return strdup(text);
}

static void test_command_line(void **state)
{
        Room room = room_with_member();
        _cleanup_free_ char *host = get(room.worker, "NodeName");
        _cleanup_free_ char *args = str_printf("node stop %s nobody", host);
        _cleanup_free_ char *want = str_printf(
                "%s: Ray is off, and stays off until raycluster node start\n"
                "raycluster: nobody: no member is called nobody; raycluster node list has them\n"
                "[1]\n",
                host);

        _cleanup_free_ char *stopped = tool(&room, args);
        assert_string_equal(stopped, want);
        _cleanup_free_ char *started = tool(&room, "node start --all");
        _cleanup_free_ char *joined = str_printf("%s: joined head ", host);
        assert_true(startswith(started, joined));
        assert_non_null(strstr(started, "\n[0]\n"));
        _cleanup_free_ char *none = tool(&room, "node start");
        assert_string_equal(none, "raycluster: usage: raycluster node start NAME… | --all\n[2]\n");
        _cleanup_free_ char *list = tool(&room, "node list");
        assert_non_null(strstr(list, " 2.60.0 "));
        /* columns without any text are left out */
        _cleanup_free_ char *tokens = tool(&room, "token list");
        assert_non_null(strstr(tokens, " GROUP"));
        assert_null(strstr(tokens, "NAMES"));
        assert_null(strstr(tokens, "SUBNET"));
        room_free(&room);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stop_and_start),
                cmocka_unit_test(test_end_while_held),
                cmocka_unit_test(test_hold_outlives_trouble),
                cmocka_unit_test(test_hold_ends_with_membership),
                cmocka_unit_test(test_restart_and_probe),
                cmocka_unit_test(test_command_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
