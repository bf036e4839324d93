/* Both real daemons with Ray's TLS on: a worker gets its certificate by joining, and the fake GCS,
 * which has the head's, is spoken to in TLS alone. */
#include "test.h"

#include "daemon-room.h"

#include "engine/args.h"

/* The worker's file says nothing of it: it comes with the head's settings. */
static Room room_new_tls(void)
{
        Room room = {.head = world_new_tls("Head", true)};

        write_conf(room.head, "auth: { mode = \"auto\"; tls = \"on\"; };");
        (void)snprintf(room.control, sizeof(room.control), "127.0.0.1:%d", room.head->port + 9);
        start_head(&room);
        room.worker = world_new("Worker");
        room.worker->port = room.head->port; /* it is to find the head's GCS */
        write_conf(room.worker, "auth: { mode = \"auto\"; };");
        start_worker(&room);
        return room;
}

static bool has_file(const World *w, const char *name)
{
        _cleanup_free_ char *path = in_dir(w, name);
        return access(path, F_OK) == 0;
}

static char *read_text(const World *w, const char *name)
{
        _cleanup_free_ char *path = in_dir(w, name);
        char *text = NULL;

        if (read_file(path, ENGINE_ARGS_MAX, &text, NULL) < 0)
                return NULL;
        return text;
}

static void wait_for_starts(World *w, uint32_t n)
{
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        while (starts(w) < n) {
                if (now_mono() >= deadline) {
                        show_log(w);
                        fail_msg("%u starts, not %u", starts(w), n);
                }
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
                (void)sd_bus_wait(w->bus, 200 * USEC_PER_MSEC);
        }
}

/* Both ends of the fake GCS speak TLS alone, and each knows the other by Ray's authority. */
static void test_tls(void **state)
{
        Room room = room_new_tls();
        _cleanup_free_ char *token = create_token(&room, 1, "");

        assert_int_equal(starts(room.worker), 0);
        _cleanup_free_ char *why = join(&room, token);
        assert_string_equal(why, "");
        wait_for(room.worker, "State", "joined");
        _cleanup_free_ char *args = read_text(room.worker, "engine-worker.args");
        assert_non_null(strstr(args, "/ray-tls\nTLS_SERIAL="));
        assert_true(has_file(room.worker, "ray-tls.pem"));

        /* as after a boot of both: what is kept comes back, and is not made anew */
        _cleanup_free_ char *kept = read_text(room.worker, "ray-tls.pem");
        _cleanup_free_ char *head = read_text(room.head, "ray-tls.pem");
        _cleanup_free_ char *rm =
                str_printf("rm -r %s/ray-tls %s/ray-tls", room.worker->dir, room.head->dir);
        (void)end(&room.worker->daemon, SIGKILL);
        (void)end(&room.head->daemon, SIGKILL);
        assert_int_equal(system(rm), 0);
        start_head(&room);
        start_worker(&room);
        wait_for(room.worker, "Membership", "member, connected");
        wait_for(room.worker, "State", "joined");
        assert_true(has_file(room.worker, "ray-tls/key.pem"));
        _cleanup_free_ char *again = read_text(room.worker, "ray-tls.pem");
        _cleanup_free_ char *head_again = read_text(room.head, "ray-tls.pem");
        assert_string_equal(strempty(again), kept);
        assert_string_equal(strempty(head_again), head);

        /* nor is it given up when the identity cannot be read for once */
        start_unreadable(&room);
        assert_true(has_file(room.worker, "ray-tls.pem"));
        start_worker(&room);
        wait_for(room.worker, "Membership", "member, connected");

        _cleanup_free_ char *left = tell_worker(&room, "Leave");
        assert_string_equal(left, "");
        wait_for(room.worker, "Membership", "no member of a cluster");
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        while (has_file(room.worker, "ray-tls.pem") || has_file(room.worker, "ray-tls"))
                assert_true(now_mono() < deadline);
        room_free(&room);
}

/* What is in the way where Ray reads goes by and by: the certificate that is kept is handed over
 * then, and no other one is waited for. */
static void test_tls_not_handed_over(void **state)
{
        Room room = room_new_tls();
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *path = in_dir(room.worker, "ray-tls");

        write_text(room.worker, "ray-tls", "in the way");
        _cleanup_free_ char *why = join(&room, token);
        assert_string_equal(why, "");
        wait_for_log(room.worker, "Failed to hand Ray its certificate");
        assert_true(has_file(room.worker, "ray-tls.pem"));
        assert_int_equal(starts(room.worker), 0);
        _cleanup_free_ char *kept = read_text(room.worker, "ray-tls.pem");
        assert_int_equal(unlink(path), 0);
        wait_for(room.worker, "State", "joined");
        _cleanup_free_ char *still = read_text(room.worker, "ray-tls.pem");
        assert_string_equal(strempty(still), kept);
        room_free(&room);
}

/* A certificate of seconds: each side has the next in time, and restarts Ray for it, itself. */
static void test_tls_renewal(void **state)
{
        assert_int_equal(setenv("RAYCLUSTER_CERT_LIFE", "10s", 1), 0);
        Room room = room_new_tls();
        _cleanup_free_ char *token = create_token(&room, 1, "");
        _cleanup_free_ char *why = join(&room, token);

        assert_string_equal(why, "");
        wait_for(room.worker, "State", "joined");
        _cleanup_free_ char *first = read_text(room.worker, "ray-tls/cert.pem");
        wait_for_starts(room.worker, 2);
        wait_for_starts(room.head, 2);
        wait_for(room.head, "State", "serving");
        wait_for(room.worker, "State", "joined");
        _cleanup_free_ char *second = read_text(room.worker, "ray-tls/cert.pem");
        assert_non_null(second);
        assert_string_not_equal(first, second);
        assert_int_equal(unsetenv("RAYCLUSTER_CERT_LIFE"), 0);
        room_free(&room);
}

/* What is missing is said, and nothing runs without TLS in its place. */
static void test_tls_missing(void **state)
{
        World *w = world_new_tls("Head", true);

        write_text(w, "ray-authority.pem", "junk");
        write_conf(w, "auth: { mode = \"auto\"; tls = \"on\"; };");
        start_daemon(w);
        _cleanup_free_ char *want = str_printf("blocked: %s/ray-authority.pem: is damaged", w->dir);
        wait_for(w, "Reason", want);
        assert_int_equal(starts(w), 0);
        _cleanup_free_ char *path = in_dir(w, "ray-authority.pem");
        assert_int_equal(unlink(path), 0);
        wait_for(w, "State", "serving");
        world_free(w);
}

/* No later certificate, and then none that does: each is told once, and that it is over. */
static void test_tls_ends(void **state)
{
        static const char blocked[] = "warning: blocked: ";
        World *w = world_new_tls("Head", true);
        _cleanup_free_ char *kept = in_dir(w, "ray-tls.pem");

        assert_int_equal(setenv("RAYCLUSTER_CERT_LIFE", "6s", 1), 0);
        write_conf(w, "auth: { mode = \"auto\"; tls = \"on\"; };");
        start_daemon(w);
        assert_int_equal(unsetenv("RAYCLUSTER_CERT_LIFE"), 0);
        wait_for(w, "State", "serving");
        assert_int_equal(unlink(kept), 0);
        assert_int_equal(mkdir(kept, 0700), 0);
        wait_for_log(w, "There is no later certificate for Ray's TLS: ");
        assert_int_equal(count_in_log(w, blocked), 0);
        wait_for_log(w, blocked);
        assert_int_equal(rmdir(kept), 0);
        wait_for_log(w, "Ray's TLS has an authority again");
        assert_int_equal(count_in_log(w, "There is no later certificate for Ray's TLS: "), 1);
        assert_int_equal(count_in_log(w, blocked), 1);
        world_free(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tls),         cmocka_unit_test(test_tls_not_handed_over),
                cmocka_unit_test(test_tls_renewal), cmocka_unit_test(test_tls_missing),
                cmocka_unit_test(test_tls_ends),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
