/* supervisor/tail and supervisor/carry: files that grow, rotate, shrink and vanish; lines that
 * belong together; floods. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "supervisor/carry.h"
#include "supervisor/tail.h"

/* --- carry ----------------------------------------------------------------------------------- */

typedef struct Got {
        char **entries; /* "level identifier text|FIELD=…|FIELD=…" */
        uint64_t held_back;
} Got;

static void got_entry(int priority, const char *identifier, char *const *fields, const char *text,
                      void *userdata)
{
        _cleanup_free_ char *f = strv_join(fields, "|");
        Got *g = userdata;

        assert_int_equal(strv_extendf(&g->entries, "%d %s %s|%s", priority, identifier, text, f),
                         0);
}

static void got_held_back(const char *file, uint64_t lines, void *userdata)
{
        ((Got *)userdata)->held_back += lines;
}

static void feed(Carrier *c, const char *const *lines)
{
        for (; *lines; lines++)
                carrier_line(c, *lines, 1);
        carrier_flush(c, 1);
}

#define CXX(level) "[2026-11-23 07:47:09,531 " level " 1 1] (raylet) "

static void test_fold(void **state)
{
        static const char *const lines[] = {CXX("I") "a.cc:1: [state-dump] NodeManager:",
                                            "[state-dump] Node ID: 1",
                                            "",
                                            "  x",
                                            CXX("E") "b.cc:2: Check failed",
                                            "*** StackTrace ***",
                                            "frame 1",
                                            CXX("D") "c.cc:3: quiet",
                                            CXX("I") "s.cc:5: Event stats:",
                                            "1",
                                            "2",
                                            "3",
                                            "4",
                                            CXX("W") "d.cc:4: end",
                                            NULL};
        Got g = {};
        CarryOut out = {
                .entry = got_entry, .held_back = got_held_back, .userdata = &g, .level = LOG_INFO};
        _cleanup_(carrier_freep) Carrier *c = carrier_new(&out, "raylet.2.out");

        feed(c, lines);
        assert_int_equal(strv_length(g.entries), 3);
        assert_string_equal(g.entries[0], "6 raylet a.cc:1: [state-dump] NodeManager: (+2 lines)|"
                                          "RAY_COMPONENT=raylet|RAY_LOG_FILE=raylet.2.out");
        assert_string_equal(g.entries[1],
                            "3 raylet b.cc:2: Check failed\n*** StackTrace ***\nframe 1|"
                            "RAY_COMPONENT=raylet|RAY_LOG_FILE=raylet.2.out");
        assert_string_equal(g.entries[2], "4 raylet d.cc:4: end|"
                                          "RAY_COMPONENT=raylet|RAY_LOG_FILE=raylet.2.out");
        strv_free(g.entries);
}

static void test_repeats(void **state)
{
        static const char *const lines[] = {CXX("I") "a.cc:1: wrong", CXX("I") "a.cc:1: wrong",
                                            CXX("I") "a.cc:1: wrong", CXX("W") "a.cc:1: wrong",
                                            CXX("W") "a.cc:1: wrong", "with more",
                                            CXX("W") "a.cc:1: wrong", NULL};
        Got g = {};
        CarryOut out = {
                .entry = got_entry, .held_back = got_held_back, .userdata = &g, .level = LOG_INFO};
        _cleanup_(carrier_freep) Carrier *c = carrier_new(&out, "raylet.out");

        feed(c, lines);
        assert_int_equal(strv_length(g.entries), 3);
        assert_true(startswith(g.entries[0], "6 raylet a.cc:1: wrong (3 times)|"));
        assert_true(startswith(g.entries[1], "4 raylet a.cc:1: wrong\nwith more (2 times)|"));
        assert_true(startswith(g.entries[2], "4 raylet a.cc:1: wrong|"));
        strv_free(g.entries);
        g.entries = NULL;
        /* a flood without a pause is told now and then */
        for (usec_t t = 0; t <= 2 * CARRY_INTERVAL; t += CARRY_INTERVAL / 4)
                carrier_line(c, lines[0], 1 + t);
        assert_int_equal(strv_length(g.entries), 2);
        assert_true(startswith(g.entries[1], "6 raylet a.cc:1: wrong (4 times)|"));
        strv_free(g.entries);
}

static void test_fold_limits(void **state)
{
        Got g = {};
        CarryOut out = {
                .entry = got_entry, .held_back = got_held_back, .userdata = &g, .level = LOG_INFO};
        _cleanup_(carrier_freep) Carrier *c = carrier_new(&out, "raylet.err");

        /* what a dying process said, without any head: a warning */
        for (int i = 0; i < FOLD_LINES + 6; i++)
                carrier_line(c, "frame", 1);
        carrier_flush(c, 1);
        assert_int_equal(strv_length(g.entries), 1);
        assert_true(startswith(g.entries[0], "4 raylet frame\nframe"));
        assert_non_null(strstr(g.entries[0], "frame (+5 lines)|"));
        strv_free(g.entries);
}

#define ID "3d651c8aae125ef13e0ab39bcb83810e7cadce50a99fa04c773b7748"

static void test_prints(void **state)
{
        static const char *const lines[] = {":job_id:01000000", ":task_name:f", "hello", " b",
                                            ":actor_name:A",    ":)",           NULL};
        Got g = {};
        /* whatever the level: prints are for people */
        CarryOut out = {
                .entry = got_entry, .held_back = got_held_back, .userdata = &g, .level = LOG_ERR};
        _cleanup_(carrier_freep) Carrier *c = carrier_new(&out, "worker-" ID "-ffffffff-7.out");

        feed(c, lines);
        assert_int_equal(strv_length(g.entries), 3);
        assert_string_equal(g.entries[0],
                            "6 ray-worker hello|RAY_COMPONENT=worker|RAY_LOG_FILE=worker-" ID
                            "-ffffffff-7.out|RAY_JOB_ID=01000000|RAY_WORKER_ID=" ID
                            "|RAY_TASK_NAME=f");
        assert_true(startswith(g.entries[1], "6 ray-worker  b|"));
        assert_true(startswith(g.entries[2], "6 ray-worker :)|"));
        assert_true(endswith(g.entries[2], "RAY_TASK_NAME=A"));
        assert_null(carrier_new(&out, "debug_state.txt"));
        strv_free(g.entries);
}

static void test_pipe(void **state)
{
        static const char *const lines[] = {
                CXX("I") "a.cc:1: head", "a print",
                "[2026-11-23 07:47:09,531 I 1 1] (python-core-worker-" ID ") quiet",
                "[2026-11-23 07:47:09,531 W 1 1] (python-core-worker-" ID ") loud", NULL};
        Got g = {};
        CarryOut out = {
                .entry = got_entry, .held_back = got_held_back, .userdata = &g, .level = LOG_INFO};
        _cleanup_(carrier_freep) Carrier *c = carrier_new(&out, CARRY_PIPE);

        feed(c, lines);
        assert_int_equal(strv_length(g.entries), 3);
        assert_string_equal(g.entries[0], "6 raylet a.cc:1: head|RAY_COMPONENT=raylet");
        assert_string_equal(g.entries[1], "6 ray-start a print|RAY_COMPONENT=ray-start");
        assert_true(startswith(g.entries[2], "4 ray-core-worker "));
        assert_true(endswith(g.entries[2], "loud|RAY_COMPONENT=core-worker"));
        strv_free(g.entries);
}

static void test_flood(void **state)
{
        Got g = {};
        CarryOut out = {
                .entry = got_entry, .held_back = got_held_back, .userdata = &g, .level = LOG_INFO};
        _cleanup_(carrier_freep) Carrier *c = carrier_new(&out, "job-driver-x.log");

        for (int i = 0; i < CARRY_BURST + 100; i++)
                carrier_line(c, "x", 1);
        assert_int_equal(strv_length(g.entries), CARRY_BURST);
        carrier_flush(c, 1);
        assert_int_equal(g.held_back, 100);
        carrier_line(c, "y", 1 + CARRY_INTERVAL);
        assert_int_equal(strv_length(g.entries), CARRY_BURST + 1);
        carrier_skipped(c, 12345, 1 + CARRY_INTERVAL);
        assert_true(startswith(g.entries[CARRY_BURST + 1],
                               "4 ray-job-driver (12345 bytes of job-driver-x.log were not"));
        strv_free(g.entries);
}

/* --- tail ------------------------------------------------------------------------------------ */

typedef struct Seen {
        char **lines; /* "name: line", "name!" when gone, "name~" when quiet, "name +n" */
        int n_full;
} Seen;

static void *seen_file(const char *name, void *userdata)
{
        return endswith(name, ".log") ? strdup(name) : NULL;
}

static void seen_line(void *file, const char *line, void *userdata)
{
        assert_int_equal(strv_extendf(&((Seen *)userdata)->lines, "%s: %s", (char *)file, line), 0);
}

static void seen_skipped(void *file, uint64_t bytes, void *userdata)
{
        assert_int_equal(
                strv_extendf(&((Seen *)userdata)->lines, "%s +%d", (char *)file, (int)bytes), 0);
}

static void seen_quiet(void *file, void *userdata)
{
        assert_int_equal(strv_extendf(&((Seen *)userdata)->lines, "%s~", (char *)file), 0);
}

static void seen_gone(void *file, void *userdata)
{
        (void)strv_extendf(&((Seen *)userdata)->lines, "%s!", (char *)file);
        free(file);
}

static void seen_full(void *userdata)
{
        ((Seen *)userdata)->n_full++;
}

static const TailOps ops = {
        .on_file = seen_file,
        .on_line = seen_line,
        .on_skipped = seen_skipped,
        .on_quiet = seen_quiet,
        .on_gone = seen_gone,
        .on_full = seen_full,
};

typedef struct Fixture {
        char dir[32];
        sd_event *event;
        Seen seen;
} Fixture;

static int setup(void **state)
{
        Fixture *x = new0(Fixture, 1);

        assert_non_null(x);
        strcpy(x->dir, "/tmp/test-tail-XXXXXX");
        assert_non_null(mkdtemp(x->dir));
        assert_true(sd_event_new(&x->event) >= 0);
        *state = x;
        return 0;
}

static int teardown(void **state)
{
        Fixture *x = *state;
        _cleanup_free_ char *rm = str_printf("rm -r %s", x->dir);

        (void)!system(rm);
        strv_free(x->seen.lines);
        sd_event_unref(x->event);
        free(x);
        return 0;
}

static char *at(const Fixture *x, const char *name)
{
        return path_join(x->dir, name);
}

static void put(const Fixture *x, const char *name, const char *text, int flags)
{
        _cleanup_free_ char *path = at(x, name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Runs the loop until `want` was seen. */
static void until(Fixture *x, const char *want)
{
        for (int i = 0; i < 100; i++) {
                if (strv_contains(x->seen.lines, want))
                        return;
                assert_true(sd_event_run(x->event, USEC_PER_SEC) >= 0);
        }
        fail_msg("never seen: %s; last: %s", want,
                 x->seen.lines ? x->seen.lines[strv_length(x->seen.lines) - 1] : "nothing");
}

static void test_follow(void **state)
{
        _cleanup_(tail_freep) Tail *t = NULL;
        Fixture *x = *state;

        put(x, "a.log", "old\n", 0);
        assert_int_equal(tail_new(x->event, x->dir, true, &ops, &x->seen, &t), 0);
        put(x, "a.log", "new\nhal", O_APPEND);
        until(x, "a.log: new");
        until(x, "a.log~");
        put(x, "a.log", "f\n", O_APPEND);
        until(x, "a.log: half");
        put(x, "b.log", "first\n", 0);
        put(x, "c.txt", "not of interest\n", 0);
        until(x, "b.log: first");
        /* the end: unfinished lines too */
        put(x, "b.log", "last", O_APPEND);
        tail_drain(t);
        assert_true(strv_contains(x->seen.lines, "b.log: last"));
        assert_false(strv_contains(x->seen.lines, "a.log: old"));
        assert_false(strv_contains(x->seen.lines, "c.txt: not of interest"));
}

static void test_rotate(void **state)
{
        _cleanup_(tail_freep) Tail *t = NULL;
        Fixture *x = *state;
        _cleanup_free_ char *a = at(x, "a.log"), *b = at(x, "a.1.log");

        put(x, "a.log", "one\n", 0);
        assert_int_equal(tail_new(x->event, x->dir, false, &ops, &x->seen, &t), 0);
        until(x, "a.log: one");
        put(x, "a.log", "two\n", O_APPEND);
        assert_int_equal(rename(a, b), 0);
        put(x, "a.log", "three\n", 0);
        until(x, "a.log: three");
        /* the rest of the renamed one came before, once, and under its old name */
        assert_true(strv_contains(x->seen.lines, "a.log: two"));
        assert_false(strv_contains(x->seen.lines, "a.1.log: one"));
        until(x, "a.log~");
        assert_false(strv_contains(x->seen.lines, "a.1.log: two"));
        /* truncated */
        assert_int_equal(truncate(a, 0), 0);
        put(x, "a.log", "4\n", O_APPEND);
        until(x, "a.log: 4");
        /* deleted and made anew */
        assert_int_equal(unlink(a), 0);
        until(x, "a.log!");
        put(x, "a.log", "5\n", 0);
        until(x, "a.log: 5");
}

static void test_strangers(void **state)
{
        _cleanup_(tail_freep) Tail *t = NULL;
        Fixture *x = *state;
        _cleanup_free_ char *fifo = at(x, "fifo.log"), *link = at(x, "link.log"),
                            *dir = at(x, "dir.log");

        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(symlink("/etc/passwd", link), 0);
        assert_int_equal(mkdir(dir, 0700), 0);
        assert_int_equal(tail_new(x->event, x->dir, false, &ops, &x->seen, &t), 0);
        put(x, "a.log", "good\n", 0);
        until(x, "a.log: good");
        until(x, "a.log~");
        STRV_FOREACH (l, x->seen.lines)
                assert_null(startswith(*l, "link.log: "));
        assert_int_equal(tail_new(x->event, "/nonexistent", false, &ops, &x->seen, &t), -ENOENT);
}

static void test_backlog(void **state)
{
        _cleanup_(tail_freep) Tail *t = NULL;
        Fixture *x = *state;
        _cleanup_free_ char *a = at(x, "a.log");

        put(x, "a.log", "x", 0);
        assert_int_equal(truncate(a, (off_t)TAIL_BACKLOG_MAX + (1 << 20)), 0);
        put(x, "a.log", "\nend\n", O_APPEND);
        assert_int_equal(tail_new(x->event, x->dir, false, &ops, &x->seen, &t), 0);
        until(x, "a.log: end");
        /* all but the last 64 KiB */
        _cleanup_free_ char *skipped =
                str_printf("a.log +%d", (int)TAIL_BACKLOG_MAX + (1 << 20) + 5 - (64 << 10));
        assert_string_equal(x->seen.lines[0], skipped);
}

static void test_full(void **state)
{
        _cleanup_(tail_freep) Tail *t = NULL;
        Fixture *x = *state;
        char name[32];

        for (int i = 0; i < TAIL_FILES_MAX + 2; i++) {
                (void)snprintf(name, sizeof(name), "%d.log", i);
                put(x, name, "", 0);
        }
        assert_int_equal(tail_new(x->event, x->dir, false, &ops, &x->seen, &t), 0);
        assert_int_equal(x->seen.n_full, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fold),
                cmocka_unit_test(test_repeats),
                cmocka_unit_test(test_fold_limits),
                cmocka_unit_test(test_prints),
                cmocka_unit_test(test_pipe),
                cmocka_unit_test(test_flood),
                cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rotate, setup, teardown),
                cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_backlog, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
