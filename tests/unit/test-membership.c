/* Both real daemons, each on a bus of its own with a fake systemd: a token made at the head, a
 * worker that joins with it, and what becomes of that. */
#include "test.h"

#include "daemon-room.h"

#include "engine/args.h"
#include "model/key-words.h"

static void test_join(void **state)
{
        Room room = room_new();

        wait_for(room.head, "Membership", "no members yet");
        wait_for(room.worker, "Membership", "no member of a cluster");
        assert_null(ray_token(room.worker, MEMBERSHIP));

        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);
        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected to the head at 127.0.0.1:");
        wait_for(room.head, "Membership", "1 of 1 member is here");
        check_member(&room, "here", "gpu");
        _cleanup_free_ char *settings = get(room.worker, "HeadSettings");
        assert_non_null(strstr(settings, "node: {\n    group = \"gpu\";\n};\n"));

        /* one token of Ray for both, and Ray is told where it is */
        _cleanup_free_ char *a = ray_token(room.head, MEMBERS);
        _cleanup_free_ char *b = ray_token(room.worker, MEMBERSHIP);
        assert_non_null(a);
        assert_int_equal(strlen(a), 64);
        assert_string_equal(a, strempty(b));
        wait_for(room.worker, "Auth", "token");

        /* the token is used up, and this machine is in */
        _cleanup_free_ char *again = join(&room, token);
        assert_non_null(strstr(again, "a member already"));

        /* both come back, in either order */
        enter(room.head);
        (void)end(&room.head->daemon, SIGKILL);
        wait_for(room.worker, "Membership", "member, not connected");
        start_head(&room);
        wait_for(room.worker, "Membership", "member, connected");
        (void)end(&room.worker->daemon, SIGKILL);
        wait_for(room.head, "Membership", "0 of 1 member are here");
        start_worker(&room);
        _cleanup_free_ char *kept = ray_token(room.worker, MEMBERSHIP);
        assert_string_equal(strempty(kept), a);
        room_free(&room);
}

static void test_refused(void **state)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Room room = room_new();

        /* a group that no machine could have */
        assert_true(sd_bus_call_method(room.head->bus, "org.raycluster1.Head",
                                       "/org/raycluster1/Head", MEMBERS, "CreateToken", &error,
                                       NULL, "utsss", 1, (uint64_t)0, "", "g p u", "") < 0);
        assert_non_null(strstr(error.message, "g p u is no group's name"));
        sd_bus_error_free(&error);

        /* what is wrong with a token is said before anything is sent */
        _cleanup_free_ char *token = create_token(&room, 2, "");
        _cleanup_free_ char *cut = strndup(token, 60);
        _cleanup_free_ char *why = join(&room, cut);
        assert_non_null(strstr(why, "cut off"));
        _cleanup_free_ char *other = create_token(&room, 1, "10.77.99.0/24");
        _cleanup_free_ char *where = join(&room, other);
        assert_non_null(strstr(where, "10.77.99.0/24"));

        _cleanup_free_ char *good = join(&room, token);
        assert_string_equal(good, "");
        wait_for(room.worker, "Membership", "member, connected");

        /* revoked: cut off, and not let in again; a name that nobody has is said so */
        _cleanup_free_ char *nobody = tell_head(&room, "RevokeMember", "nobody");
        assert_non_null(strstr(nobody, "no member is called nobody"));
        _cleanup_free_ char *host = get(room.worker, "NodeName");
        _cleanup_free_ char *busy = tell_head(&room, "ForgetMember", host);
        assert_non_null(strstr(busy, "is here"));
        _cleanup_free_ char *revoked = tell_head(&room, "RevokeMember", host);
        assert_string_equal(revoked, "");
        wait_for(room.worker, "Membership", "the head at 127.0.0.1:");
        check_member(&room, "revoked", "gpu");
        wait_for_part(room.head, "Membership", "which is out, knows Ray's token");

        /* by its name it is forgotten, too, and another token lets it in again */
        _cleanup_free_ char *gone = tell_head(&room, "ForgetMember", host);
        assert_string_equal(gone, "");
        wait_for(room.head, "Membership", "no members yet");
        _cleanup_free_ char *left = tell_worker(&room, "Leave");
        assert_string_equal(left, "");
        _cleanup_free_ char *second = create_token(&room, 1, "");
        _cleanup_free_ char *in = join(&room, second);
        assert_string_equal(in, "");
        wait_for(room.worker, "Membership", "member, connected");
        room_free(&room);
}

/* Another token of Ray: for both, and Ray is restarted with it. */
static void test_rotate(void **state)
{
        Room room = room_new();
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);

        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected");
        _cleanup_free_ char *before = ray_token(room.head, MEMBERS);
        uint32_t ran = starts(room.head);
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(room.head->bus, "org.raycluster1.Head", "/org/raycluster1/Head",
                                   MEMBERS, "RotateRayToken", &error, NULL, "");
        if (r < 0)
                fail_msg("%s", strempty(error.message));
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        for (;;) {
                _cleanup_free_ char *a = ray_token(room.head, MEMBERS);
                _cleanup_free_ char *b = ray_token(room.worker, MEMBERSHIP);
                if (!streq_ptr(a, before) && streq_ptr(a, b) && starts(room.head) > ran)
                        break;
                assert_true(now_mono() < deadline);
                (void)sd_bus_wait(room.head->bus, 100 * USEC_PER_MSEC);
        }
        room_free(&room);
}

/* A head that cannot read the token does not take its members' away. */
static void test_no_token(void **state)
{
        Room room = room_with_member();
        _cleanup_free_ char *before = ray_token(room.worker, MEMBERSHIP);
        _cleanup_free_ char *run = str_printf("%s/run", room.head->dir);
        _cleanup_free_ char *in_the_way = str_printf("%s/ray-token", run);

        assert_non_null(before);
        (void)end(&room.head->daemon, SIGKILL);
        wait_for(room.worker, "Membership", "member, not connected");
        assert_int_equal(mkdir(run, 0700), 0);
        assert_int_equal(mkdir(in_the_way, 0700), 0);
        enter(room.head);
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", run, 1), 0);
        start_daemon(room.head);
        wait_for(room.head, "Membership", "the control port is closed: Ray's token cannot be had");
        wait_for(room.head, "Auth", "token");
        wait_for_part(room.head, "Reason", "Ray's token cannot be had");
        _cleanup_free_ char *none = ray_token(room.head, MEMBERS);
        assert_null(none);

        assert_int_equal(rmdir(in_the_way), 0); /* seen without being told */
        wait_for(room.worker, "Membership", "member, connected");
        wait_for(room.head, "State", "serving");
        _cleanup_free_ char *after = ray_token(room.worker, MEMBERSHIP);
        assert_string_equal(after, before);
        room_free(&room);
}

/* What the head's file sets holds on the worker, now and after the head went away. */
static void test_settings(void **state)
{
        Room room = room_new();
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);

        assert_string_equal(why, "");
        wait_for(room.worker, "HeadSettings", "ports");
        write_conf(room.head, "auth: { mode = \"auto\"; };\nlog: { ray = \"files\"; };");
        assert_int_equal(kill(room.head->daemon, SIGHUP), 0);
        wait_for_part(room.worker, "HeadSettings", "ray = \"files\"");
        (void)end(&room.head->daemon, SIGKILL);
        (void)end(&room.worker->daemon, SIGKILL);
        start_worker(&room);
        wait_for_part(room.worker, "HeadSettings", "ray = \"files\"");
        room_free(&room);
}

/* The file that makes it a member was removed by hand: what the head gave to a member goes, too,
 * and whoever is found next does not get it. */
static void test_identity_removed(void **state)
{
        Room room = room_with_member();
        _cleanup_free_ char *identity = in_dir(room.worker, "identity.pem");
        _cleanup_free_ char *conf = in_dir(room.worker, "head.conf");
        _cleanup_free_ char *before = ray_token(room.worker, MEMBERSHIP);

        assert_non_null(before);
        wait_for(room.worker, "HeadSettings", "ports");
        (void)end(&room.worker->daemon, SIGKILL);
        assert_int_equal(access(conf, F_OK), 0);
        assert_int_equal(unlink(identity), 0);
        start_worker(&room);
        wait_for(room.worker, "Membership", "no member of a cluster");
        _cleanup_free_ char *settings = get(room.worker, "HeadSettings");
        assert_string_equal(settings, "");
        assert_null(ray_token(room.worker, MEMBERSHIP));
        assert_int_equal(access(conf, F_OK), -1);
        room_free(&room);
}

static void test_leave(void **state)
{
        Room room = room_new();
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);

        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected");
        _cleanup_free_ char *left = tell_worker(&room, "Leave");
        assert_string_equal(left, "");
        wait_for(room.worker, "Membership", "no member of a cluster");
        wait_for(room.head, "Membership", "no members yet");
        assert_null(ray_token(room.worker, MEMBERSHIP));
        _cleanup_free_ char *identity = in_dir(room.worker, "identity.pem");
        assert_int_equal(access(identity, F_OK), -1);
        _cleanup_free_ char *again = tell_worker(&room, "Leave");
        assert_non_null(strstr(again, "no member"));

        /* while the head is away it leaves all the same, and another token lets it in again */
        _cleanup_free_ char *second = create_token(&room, 1, "");
        _cleanup_free_ char *in = join(&room, second);
        assert_string_equal(in, "");
        wait_for(room.worker, "Membership", "member, connected");
        enter(room.head);
        (void)end(&room.head->daemon, SIGKILL);
        wait_for(room.worker, "Membership", "member, not connected");
        _cleanup_free_ char *alone = tell_worker(&room, "Leave");
        _cleanup_free_ char *name = get(room.worker, "NodeName");
        _cleanup_free_ char *want = str_printf("node forget %s", name);
        assert_non_null(strstr(alone, want));
        wait_for(room.worker, "Membership", "no member of a cluster");
        room_free(&room);
}

/* Ray, which runs for the cluster that is left, is stopped, and not started again. */
static void test_leave_ends_ray(void **state)
{
        Room room = room_new();
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);

        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected");
        _cleanup_free_ char *secret = ray_token(room.worker, MEMBERSHIP);
        _cleanup_free_ char *guarded = str_printf("token %s\n", strempty(secret));
        write_text(room.worker, "gcs", guarded);
        start_gcs(room.worker, "aa");
        wait_for(room.worker, "State", "joined");
        check_engine(room.worker, "active");
        _cleanup_free_ char *left = tell_worker(&room, "Leave");
        assert_string_equal(left, "");
        wait_for_part(room.worker, "Reason", "asks for a token");
        check_engine(room.worker, "inactive");
        assert_int_equal(starts(room.worker), 1);
        room_free(&room);
}

/* A certificate that ends in seconds is followed by a later one while the connection stands. */
static void test_renewal(void **state)
{
        _cleanup_free_ char *first = NULL;

        assert_int_equal(setenv("RAYCLUSTER_CERT_LIFE", "6s", 1), 0);
        Room room = room_new();
        assert_int_equal(unsetenv("RAYCLUSTER_CERT_LIFE"), 0);
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);
        assert_string_equal(why, "");
        _cleanup_free_ char *identity = in_dir(room.worker, "identity.pem");
        assert_true(read_file(identity, 1 << 16, &first, NULL) >= 0);
        wait_for(room.worker, "Membership", "member, connected");
        for (usec_t deadline = usec_add(now_mono(), DEADLINE);;) {
                _cleanup_free_ char *now = NULL;
                assert_true(read_file(identity, 1 << 16, &now, NULL) >= 0);
                if (!streq(now, first))
                        break;
                assert_true(now_mono() < deadline);
                (void)usleep(100 * USEC_PER_MSEC);
        }
        check_member(&room, "here", "gpu");
        _cleanup_free_ char *text = get(room.worker, "Membership");
        assert_non_null(startswith(strempty(text), "member, connected"));
        room_free(&room);
}

/* Without a token: both machines show the same words, and nothing is given before a yes. */
static void test_approval(void **state)
{
        char head[KEY_WORDS_MAX], own[KEY_WORDS_MAX], head2[KEY_WORDS_MAX], own2[KEY_WORDS_MAX];
        Room room = room_new();

        ask(&room, head, own);
        wait_for(room.worker, "Membership", "not a member yet: ");
        assert_int_equal(pending(&room, head2, own2), 1);
        assert_string_equal(head, head2);
        assert_string_equal(own, own2);
        assert_true(strlen(own) > 20);
        assert_string_not_equal(head, own);
        _cleanup_free_ char *identity = in_dir(room.worker, "identity.pem");
        assert_int_equal(access(identity, F_OK), -1);

        /* it goes on to wait when its daemon comes back; a yes lets it in */
        (void)end(&room.worker->daemon, SIGKILL);
        start_worker(&room);
        _cleanup_free_ char *nobody = tell_head(&room, "Approve", "nobody");
        assert_non_null(strstr(nobody, "no machine called nobody waits"));
        _cleanup_free_ char *host = get(room.worker, "NodeName");
        _cleanup_free_ char *yes = tell_head(&room, "Approve", host);
        assert_string_equal(yes, "");
        assert_int_equal(pending(&room, head2, own2), 0);
        ask(&room, head, own);
        assert_string_equal(own, "");
        wait_for(room.worker, "Membership", "member, connected");
        wait_for(room.head, "Membership", "1 of 1 member is here");
        wait_for_log(room.head, "became a member: it, or its subnet, was approved");
        assert_int_equal(count_in_log(room.head, "with token"), 0);

        /* a no: refused */
        _cleanup_free_ char *left = tell_worker(&room, "Leave");
        assert_string_equal(left, "");
        ask(&room, head, own);
        _cleanup_free_ char *no = tell_head(&room, "Deny", host);
        assert_string_equal(no, "");
        _cleanup_free_ char *refused = join(&room, "");
        assert_non_null(strstr(refused, "denied"));
        wait_for(room.worker, "Membership", "no member of a cluster: ");
        room_free(&room);
}

/* A machine that an admin gave the head's token by hand runs Ray already: that it becomes a member
 * ends nothing there. */
static void test_same_token(void **state)
{
        Room room = {.head = world_new("Head")};

        write_conf(room.head, "auth: { mode = \"auto\"; };");
        (void)snprintf(room.control, sizeof(room.control), "127.0.0.1:%d", room.head->port + 9);
        start_head(&room);
        _cleanup_free_ char *ray = ray_token(room.head, MEMBERS);
        room.worker = world_new("Worker");
        int port = room.worker->port;
        room.worker->port = room.head->port; /* it is to find the head's GCS */
        write_conf(room.worker, "auth: { mode = \"auto\"; };");
        room.worker->port = port;
        write_text(room.worker, "ray-token", strempty(ray));
        _cleanup_free_ char *kept = in_dir(room.worker, "kept");
        assert_int_equal(mkdir(kept, 0700), 0);
        enter(room.worker);
        assert_int_equal(setenv("STATE_DIRECTORY", kept, 1), 0);
        start_daemon(room.worker);
        wait_for(room.worker, "State", "joined");

        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);
        assert_string_equal(why, "");
        wait_for(room.worker, "Membership", "member, connected");
        _cleanup_free_ char *same = ray_token(room.worker, MEMBERSHIP);
        assert_string_equal(strempty(same), strempty(ray));
        assert_int_equal(count_in_log(room.worker, "Ray is restarted"), 0);
        room_free(&room);
}

/* A room that is installed unattended: workers ask by themselves, a subnet is let in for a while.
 * Who was told to leave does not ask again, until it is told to join. */
static void test_unattended(void **state)
{
        static const char has_left[] = "no member of a cluster: this machine has left";
        char head[KEY_WORDS_MAX], own[KEY_WORDS_MAX];
        Room room = {.head = world_new("Head")};
        int port = room.head->port;

        write_conf(room.head, "auth: { mode = \"auto\"; };");
        (void)snprintf(room.control, sizeof(room.control), "127.0.0.1:%d", port + 9);
        start_head(&room);
        for (int i = 0; i < 2; i++) {
                const char *subnet = i == 0 ? "127.0.0.1/8" : "127.0.0.0/8";
                int r = sd_bus_call_method(room.head->bus, "org.raycluster1.Head",
                                           "/org/raycluster1/Head", MEMBERS, "AutoApprove", NULL,
                                           NULL, "st", subnet, (uint64_t)USEC_PER_MIN);
                assert_int_equal(r >= 0, i == 1);
        }
        room.worker = world_new("Worker");
        room.worker->port = port; /* one plan of ports for the room: the head's control port */
        write_conf(room.worker, "auth: { enrol = \"ask\"; };");
        start_worker(&room);
        wait_for(room.worker, "Membership", "member, connected");
        wait_for(room.head, "Membership", "1 of 1 member is here");

        _cleanup_free_ char *left = tell_worker(&room, "Leave");
        assert_string_equal(left, "");
        wait_for(room.worker, "Membership", has_left);
        /* the answer comes when all that the file says is done */
        assert_true(sd_bus_call_method(room.worker->bus, "org.raycluster1.Worker",
                                       "/org/raycluster1/Worker", "org.raycluster1.Worker",
                                       "Reload", NULL, NULL, "") >= 0);
        _cleanup_free_ char *still = get(room.worker, "Membership");
        assert_true(startswith(still, has_left));
        (void)end(&room.worker->daemon, SIGKILL);
        start_worker(&room);
        wait_for(room.worker, "Membership", has_left);
        wait_for(room.head, "Membership", "no members yet");
        assert_int_equal(count_in_log(room.head, "became a member"), 1);
        ask(&room, head, own);
        wait_for(room.worker, "Membership", "member, connected");
        room_free(&room);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_join),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_settings),
                cmocka_unit_test(test_rotate),
                cmocka_unit_test(test_identity_removed),
                cmocka_unit_test(test_leave),
                cmocka_unit_test(test_approval),
                cmocka_unit_test(test_unattended),
                cmocka_unit_test(test_leave_ends_ray),
                cmocka_unit_test(test_renewal),
                cmocka_unit_test(test_no_token),
                cmocka_unit_test(test_same_token),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
