/* wire/raylog, wire/lines: Ray's own lines, as 2.60 writes them, and any others. */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/str.h"
#include "base/strv.h"
#include "wire/lines.h"
#include "wire/raylog.h"

static void test_cxx(void **state)
{
        RayLog l;

        raylog_parse("[2026-11-23 07:47:09,531 I 11812 11812] (gcs_server) file.cc:916: text", &l);
        assert_int_equal(l.shape, RAYLOG_CXX);
        assert_int_equal(l.level, LOG_INFO);
        assert_string_equal(l.component, "gcs_server");
        assert_string_equal(l.text, "file.cc:916: text");
        assert_memory_equal(l.time, "2026-11-23 07:47:09,531", l.time_len);
        raylog_parse("[2026-11-23 11:12:03,025 W 28399 28399] network_util.cc:330: (x) y", &l);
        assert_int_equal(l.level, LOG_WARNING);
        assert_string_equal(l.component, "");
        assert_string_equal(l.text, "network_util.cc:330: (x) y");
        raylog_parse("[2026-11-23 11:12:03,025 C 1 2] (raylet) Check failed", &l);
        assert_int_equal(l.level, LOG_CRIT);
        raylog_parse("[2026-11-23 11:12:03,025 E 1 2]", &l);
        assert_int_equal(l.level, LOG_ERR);
        assert_string_equal(l.text, "");
}

static void test_python(void **state)
{
        RayLog l;

        raylog_parse("2026-11-23 07:46:50,621\tINFO (log_monitor) log_monitor.py:182 -- Start", &l);
        assert_int_equal(l.shape, RAYLOG_PYTHON);
        assert_string_equal(l.component, "log_monitor");
        assert_string_equal(l.text, "log_monitor.py:182 -- Start");
        raylog_parse("2026-11-23 11:12:06,101\tSUCC scripts.py:1085 -- Ray runtime started.", &l);
        assert_int_equal(l.level, LOG_INFO);
        raylog_parse("2026-11-23 11:12:06,101\tPANIC scripts.py:1 -- x", &l);
        assert_int_equal(l.level, LOG_CRIT);
        raylog_parse("2026-11-23 11:12:06,101\tWARNING x.py:1 -- y", &l);
        assert_int_equal(l.level, LOG_WARNING);
}

static void test_plain(void **state)
{
        static const char *const plain[] = {
                "",
                "[",
                "[2026-11-23",
                "[2026-11-23 07:47:09,531",
                "[2026-11-23 07:47:09,531 I",
                "[2026-11-23 07:47:09,531 I 1 1",
                "[state-dump] Node ID: 8a",
                "2026-11-23 07:46:50,621\tCHEESE x",
                "2026-11-23 07:46:50,621 INFO x",
                "\tat frame",
        };
        RayLog l;

        for (size_t i = 0; i < ELEMENTSOF(plain); i++) {
                raylog_parse(plain[i], &l);
                assert_int_equal(l.shape, RAYLOG_PLAIN);
                assert_ptr_equal(l.text, plain[i]);
                assert_true(raylog_continues(plain[i]));
        }
}

#define ID "3d651c8aae125ef13e0ab39bcb83810e7cadce50a99fa04c773b7748"

static void test_files(void **state)
{
        static const struct {
                const char *name, *component, *worker, *job;
                bool prints;
        } files[] = {
                {"raylet.out", "raylet", "", "", false},
                {"raylet.12.out", "raylet", "", "", false},
                {"raylet.1.1.out", "raylet", "", "", false},
                {"gcs_server.err", "gcs_server", "", "", false},
                {"dashboard_JobHead.log", "dashboard_JobHead", "", "", false},
                {"worker-" ID "-ffffffff-28965.out", "worker", ID, "", true},
                {"worker-" ID "-01000000-29035.err", "worker", ID, "01000000", true},
                {"python-core-worker-" ID "_29035.log", "core-worker", ID, "", false},
                {"python-core-driver-01000000ffffffff_1.log", "core-driver", "", "01000000", false},
                {"job-driver-raysubmit_2Q4TPp28prvsdFss.log", "job-driver", "",
                 "raysubmit_2Q4TPp28prvsdFss", true},
                {"runtime_env_setup-02000000.log", "runtime_env_setup", "", "02000000", false},
        };
        static const char *const refused[] = {
                "debug_state.txt", "raylet.x.out", "dashboard.log.1", ".log",
                ".1.log",          "events",       "worker-xyz.out",  ""};
        RayLogFile f;

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                assert_int_equal(raylog_file(files[i].name, &f), 0);
                assert_string_equal(f.component, files[i].component);
                assert_string_equal(f.worker_id, files[i].worker);
                assert_string_equal(f.job_id, files[i].job);
                assert_int_equal(f.prints, files[i].prints);
        }
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                assert_int_equal(raylog_file(refused[i], &f), -EINVAL);
}

static int on_line(const char *line, void *userdata)
{
        return strv_extend(userdata, line);
}

static void test_lines(void **state)
{
        _cleanup_strv_free_ char **got = NULL;
        _cleanup_(lines_done) Lines l = {};

        assert_int_equal(lines_feed(&l, "a\nb", 3, on_line, &got), 0);
        assert_int_equal(lines_feed(&l, "c\r\n\n\0d  \nrest", 13, on_line, &got), 0);
        assert_int_equal(strv_length(got), 4);
        assert_string_equal(got[1], "bc");
        assert_string_equal(got[2], "");
        assert_string_equal(got[3], "?d");
        assert_int_equal(lines_flush(&l, on_line, &got), 0);
        assert_string_equal(got[4], "rest");
        assert_int_equal(lines_flush(&l, on_line, &got), 0);
        assert_int_equal(strv_length(got), 5);
        /* the limit: a line without end comes in parts */
        for (size_t i = 0; i < LINES_MAX + 10; i++)
                assert_int_equal(lines_feed(&l, "x", 1, on_line, &got), 0);
        assert_int_equal(strv_length(got), 6);
        assert_int_equal(strlen(got[5]), LINES_MAX);
        assert_int_equal(l.n, 10);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cxx),   cmocka_unit_test(test_python),
                cmocka_unit_test(test_plain), cmocka_unit_test(test_files),
                cmocka_unit_test(test_lines),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
