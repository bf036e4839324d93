/* Why a worker waits: the words and the verdict of ray-probe, the same ones on the bus, in STATUS=
 * and in the journal, looked at again while it waits. */
#include "test.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "daemon-world.h"
#include "engine/args.h"
#include "wire/json.h"
#include "worker/teller.h"

#define OUTPUT_MAX ((size_t)1 << 16)

/* What ray-probe itself says of the head of this world. */
static Json *ask_probe(const World *w)
{
        _cleanup_free_ char *command =
                str_printf(TEST_BUILD "/bin/ray-probe --json 127.0.0.1 %d", w->port);
        char text[OUTPUT_MAX];
        Json *j;
        FILE *f = popen(command, "r");

        assert_non_null(f);
        size_t n = fread(text, 1, sizeof(text), f);
        (void)pclose(f);
        assert_int_equal(json_parse(text, n, &j), 0);
        return j;
}

static void check_same_words(World *w)
{
        _cleanup_json_ Json *j = ask_probe(w);
        _cleanup_free_ char *reason = get(w, "Reason"), *remedy = get(w, "Remedy"),
                            *verdict = get(w, "Verdict");
        _cleanup_free_ char *want =
                str_printf("waiting: %s (found by static)", json_get_str(j, "sentence"));

        assert_string_equal(verdict, json_get_str(j, "verdict"));
        assert_string_equal(remedy, strempty(json_get_str(j, "hint")));
        assert_non_null(startswith(reason, "waiting: "));
        if (!startswith(reason + strlen("waiting: "), json_get_str(j, "sentence")))
                fail_msg("%s, not %s", reason, want);
}

/* systemd's ear. */
static int listen_notify(const World *w)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        struct timeval patience = {.tv_sec = 15};
        _cleanup_free_ char *path = in_dir(w, "notify");
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        str_copy(a.sun_path, sizeof(a.sun_path), path);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
        assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
        return fd;
}

static void wait_for_status(int fd, const char *want)
{
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        char text[4096];

        for (;;) {
                ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
                /* WATCHDOG=1 comes all the time */
                if (n < 0 || now_mono() >= deadline)
                        fail_msg("no STATUS= of: %s", want);
                text[n] = 0;
                if (strstr(text, want))
                        return;
        }
}

static void test_same_words(void **state)
{
        if (access(ENGINE_TOKEN_FILE, F_OK) == 0) {
                print_message("this machine has a token of Ray\n");
                skip();
        }
        World *w = world_new("Worker");
        int fd = listen_notify(w);

        write_conf(w, "auth: { mode = \"auto\"; };\n"); /* off, it has words of its own */
        start_daemon(w);
        /* no other daemon is to talk to an ear that may have gone deaf by then */
        (void)unsetenv("NOTIFY_SOCKET");
        wait_for(w, "Verdict", "PORT_CLOSED");
        check_same_words(w);
        _cleanup_free_ char *reason = get(w, "Reason"), *remedy = get(w, "Remedy");
        _cleanup_free_ char *line = str_printf("%s. Try: %s", reason, remedy);
        wait_for_status(fd, line);
        wait_for_log(w, line);

        /* the cause changes: seen by itself, told at once */
        write_text(w, "gcs", "token secret\n");
        start_gcs(w, "aa");
        wait_for(w, "Verdict", "TOKEN_REQUIRED");
        check_same_words(w);
        wait_for_log(w, "this machine has none");

        write_text(w, "gcs", "\n");
        wait_for(w, "State", "joined");
        wait_for(w, "Verdict", "");
        _cleanup_free_ char *none = get(w, "Remedy"), *no_verdict = get(w, "Verdict");
        assert_string_equal(none, "");
        assert_string_equal(no_verdict, "");
        wait_for_status(fd, "STATUS=joined head 127.0.0.1");
        /* each was told once, however often it was looked at */
        assert_int_equal(count_in_log(w, "waiting: "), 2);
        (void)close(fd);
        world_free(w);
}

/* A head that Ray runs for and that falls silent is examined, too. */
static void test_lost_head(void **state)
{
        World *w = world_new("Worker");

        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "joined");
        (void)end(&w->gcs, SIGTERM);
        wait_for(w, "State", "lost-head");
        wait_for(w, "Verdict", "PORT_CLOSED");
        wait_for(w, "Remedy", "on this machine: systemctl status ray-head");
        _cleanup_json_ Json *j = ask_probe(w);
        _cleanup_free_ char *want =
                str_printf("Ray keeps running: %s. Try: %s", json_get_str(j, "sentence"),
                           json_get_str(j, "hint"));
        wait_for_log(w, want);
        check_engine(w, "active");
        assert_int_equal(starts(w), 1);

        start_gcs(w, "aa");
        wait_for(w, "State", "joined");
        _cleanup_free_ char *none = get(w, "Verdict");
        assert_string_equal(none, "");
        world_free(w);
}

/* One message for each family of causes. */
static void test_families(void **state)
{
        static const struct {
                int first, last;
                MessageId id;
        } families[] = {
                {10, 19, MSG_WAIT_NAME},      {20, 29, MSG_WAIT_LOCAL},
                {30, 39, MSG_WAIT_PATH},      {40, 49, MSG_WAIT_FIREWALL},
                {50, 59, MSG_WAIT_SERVICE},   {60, 65, MSG_WAIT_TLS},
                {66, 68, MSG_WAIT_ACCESS},    {69, 69, MSG_VERSION_MISMATCH},
                {70, 79, MSG_WAIT_BACK},      {80, 89, MSG_WAIT_QUALITY},
                {90, 90, MSG_WORKER_WAITING},
        };
        assert_int_equal(teller_message(_VERDICT_INVALID), MSG_WORKER_WAITING);
        for (Verdict v = 0; v < _VERDICT_MAX; v++) {
                MessageId want = MSG_WORKER_WAITING;
                for (size_t i = 0; i < ELEMENTSOF(families); i++)
                        if (verdict_code(v) >= families[i].first &&
                            verdict_code(v) <= families[i].last)
                                want = families[i].id;
                assert_int_equal(teller_message(v), want);
        }
}

/* A changed verdict is told at once, the same one in other words once a minute at most. */
static void test_same_again(void **state)
{
        assert_int_equal(teller_wait_before(VERDICT_LOSSY_OR_SLOW, USEC_PER_SEC, VERDICT_OK), 0);
        assert_int_equal(
                teller_wait_before(VERDICT_LOSSY_OR_SLOW, USEC_PER_SEC, VERDICT_LOSSY_OR_SLOW),
                USEC_PER_MIN - USEC_PER_SEC);
        assert_int_equal(
                teller_wait_before(VERDICT_LOSSY_OR_SLOW, USEC_PER_MIN, VERDICT_LOSSY_OR_SLOW), 0);
        /* reasons without a verdict differ when their words do */
        assert_int_equal(teller_wait_before(_VERDICT_INVALID, 0, _VERDICT_INVALID), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_families),
                cmocka_unit_test(test_same_again),
                cmocka_unit_test(test_same_words),
                cmocka_unit_test(test_lost_head),
        };
        char id[MACHINE_ID_STR_MAX];

        /* as in test-daemons.c */
        if (machine_id_for_app(id) < 0) {
                puts("1..1\nok 1 - waiting # SKIP this machine has no id, see machine-id(5)");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
