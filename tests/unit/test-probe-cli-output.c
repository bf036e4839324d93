/* What ray-probe prints of each verdict, for people and for programs. */
#include "test.h"

#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "probe-cli/output.h"
#include "wire/json.h"

#define OUTPUT_MAX ((size_t)8192)

/* What goes to stdout meanwhile, of a file or of a terminal. */
static int saved;

static void catch (int fd)
{
        fflush(stdout);
        saved = dup(STDOUT_FILENO);
        assert_true(saved >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
}

static void release(void)
{
        fflush(stdout);
        assert_true(dup2(saved, STDOUT_FILENO) >= 0);
        close(saved);
}

static void to_file(const ProbeReport *r, const OutputStyle *style, char buf[OUTPUT_MAX])
{
        _cleanup_fclose_ FILE *f = tmpfile();
        assert_non_null(f);
        catch (fileno(f));
        assert_int_equal(output_report(r, style), 0);
        release();
        rewind(f);
        buf[fread(buf, 1, OUTPUT_MAX - 1, f)] = 0;
}

static void to_terminal(const ProbeReport *r, char buf[OUTPUT_MAX])
{
        int ours, theirs;
        assert_int_equal(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
        catch (theirs);
        assert_int_equal(output_report(r, &(OutputStyle){0}), 0);
        release();
        close(theirs);
        /* the kernel hands it over in pieces, and after the last one says EIO */
        size_t size = 0;
        ssize_t n;
        while ((n = read(ours, buf + size, OUTPUT_MAX - 1 - size)) > 0)
                size += (size_t)n;
        buf[size] = 0;
        close(ours);
}

static ProbeReport report(Verdict v)
{
        static char *facts[] = {(char *)"address=10.77.2.2", (char *)"mtu=1500", NULL};
        static char *missing[] = {(char *)"one: what tells it", (char *)"two: another thing", NULL};
        static ProbeStep steps[] = {
                {.name = (char *)"name", .result = (char *)"10.77.2.2", .took = 300},
                {.name = (char *)"check-alive",
                 .result = (char *)"serving",
                 .at = 300,
                 .took = 2 * USEC_PER_SEC},
        };
        return (ProbeReport){
                .verdict = v,
                .confidence = v == VERDICT_INCONCLUSIVE ? PROBE_INCONCLUSIVE : PROBE_PROVEN,
                .sentence = (char *)"what is wrong",
                .because = (char *)"a fact",
                .hint = (char *)"a command",
                .facts = facts,
                .missing = missing,
                .steps = steps,
                .n_steps = ELEMENTSOF(steps),
        };
}

static void test_colours(void **state)
{
        char buf[OUTPUT_MAX], want[64];

        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        for (Verdict v = 0; v < _VERDICT_MAX; v++) {
                ProbeReport r = report(v);
                int colour = v == VERDICT_OK                                   ? 32
                             : verdict_is_degraded(v) || verdict_code(v) == 90 ? 33
                                                                               : 31;
                snprintf(want, sizeof(want), "\033[1;%dm%s\033[0m  what is wrong\r\n", colour,
                         verdict_to_string(v));
                to_terminal(&r, buf);
                if (strncmp(buf, want, strlen(want)) != 0)
                        fail_msg("%s: %s", verdict_to_string(v), buf);
        }
        ProbeReport r = report(VERDICT_OK);
        setenv("NO_COLOR", "1", 1);
        to_terminal(&r, buf);
        assert_null(strchr(buf, '\033'));
        to_file(&r, &(OutputStyle){0}, buf);
        assert_null(strchr(buf, '\033'));
}

static void test_text(void **state)
{
        char buf[OUTPUT_MAX];
        ProbeReport r = report(VERDICT_PORT_CLOSED);

        to_file(&r, &(OutputStyle){0}, buf);
        assert_string_equal(buf, "PORT_CLOSED  what is wrong\nBecause: a fact\nTry: a command\n");
        r.confidence = PROBE_LIKELY;
        r.hint = r.because = NULL;
        to_file(&r, &(OutputStyle){0}, buf);
        assert_string_equal(buf, "PORT_CLOSED  what is wrong (likely)\n");
        r = report(VERDICT_INCONCLUSIVE);
        to_file(&r, &(OutputStyle){0}, buf);
        assert_string_equal(buf, "INCONCLUSIVE  what is wrong\nBecause: a fact\n"
                                 "Would decide: one: what tells it\n"
                                 "Would decide: two: another thing\nTry: a command\n");
        r = report(VERDICT_FILTERED_SILENTLY);
        r.alternatives[r.n_alternatives++] = VERDICT_BACKLOG_FULL;
        r.alternatives[r.n_alternatives++] = VERDICT_REPLIES_LOST;
        to_file(&r, &(OutputStyle){.verbose = true}, buf);
        assert_string_equal(buf,
                            "FILTERED_SILENTLY  what is wrong\nBecause: a fact\nTry: a command\n\n"
                            "Steps: when, how long, which, what came of it\n"
                            "       0.0 ms      0.3 ms  name         10.77.2.2\n"
                            "       0.3 ms   2000.0 ms  check-alive  serving\n\n"
                            "Facts:\n  address  10.77.2.2\n  mtu      1500\n\n"
                            "Not known, and what would tell:\n  one: what tells it\n"
                            "  two: another thing\n\n"
                            "The same facts allow: BACKLOG_FULL, REPLIES_LOST\n");
        to_file(&r, &(OutputStyle){.stream = true}, buf);
        assert_true(strlen(buf) > 9 && buf[2] == ':' && buf[5] == ':' && buf[8] == ' ');
        assert_true(strncmp(buf + 9, "FILTERED_SILENTLY", 17) == 0);
}

/* Members that stand for something unknown are null, whatever is missing. */
static void test_json(void **state)
{
        char buf[OUTPUT_MAX];
        ProbeReport empty = {.verdict = VERDICT_INCONCLUSIVE, .confidence = PROBE_INCONCLUSIVE};

        for (Verdict v = 0; v < _VERDICT_MAX; v++) {
                ProbeReport r = report(v);
                _cleanup_json_ Json *j = NULL;
                int64_t code;
                to_file(&r, &(OutputStyle){.json = true, .stream = true}, buf);
                char *end = strchr(buf, '\n');
                assert_true(end && !end[1]);
                assert_int_equal(json_parse(buf, strlen(buf), &j), 0);
                assert_string_equal(json_get_str(j, "verdict"), verdict_to_string(v));
                assert_int_equal(json_get_int(j, "code", &code), 0);
                assert_int_equal(code, verdict_code(v));
                assert_int_equal(json_length(json_get(j, "steps")), 2);
                const Json *missing = json_at(json_get(j, "missing_facts"), 0);
                assert_string_equal(json_get_str(missing, "name"), "one");
                assert_string_equal(json_get_str(missing, "needs"), "what tells it");
        }
        to_file(&empty, &(OutputStyle){.json = true}, buf);
        assert_null(strstr(buf, "false"));
        assert_non_null(strstr(buf, "\"direction\": null"));
        assert_non_null(strstr(buf, "\"hint\": null"));
        assert_non_null(strstr(buf, "\"alternatives\": []"));
        assert_non_null(strstr(buf, "\"ports\": null"));
}

static void test_json_ports(void **state)
{
        char buf[OUTPUT_MAX];
        PortRange there[] = {
                {.first = 6379, .last = 6388, .state = PORT_OPEN},
                {.first = 10002, .last = 19999, .state = PORT_REJECTED},
        };
        ProbeReport r = report(VERDICT_REJECTED_AT_HEAD);
        _cleanup_json_ Json *j = NULL, *k = NULL;
        int64_t port;

        assert_int_equal(addr_parse("10.77.2.2", &there[1].icmp.from), 0);
        r.all = true;
        r.ports = there;
        r.n_ports = ELEMENTSOF(there);
        to_file(&r, &(OutputStyle){.json = true, .stream = true}, buf);
        assert_int_equal(json_parse(buf, strlen(buf), &j), 0);
        const Json *forward = json_get(json_get(j, "ports"), "forward");
        assert_int_equal(json_length(forward), 2);
        assert_string_equal(json_get_str(json_at(forward, 0), "state"), "open");
        assert_null(json_get_str(json_at(forward, 0), "from"));
        assert_string_equal(json_get_str(json_at(forward, 1), "state"), "rejected");
        assert_string_equal(json_get_str(json_at(forward, 1), "from"), "10.77.2.2");
        assert_int_equal(json_get_int(json_at(forward, 1), "first", &port), 0);
        assert_int_equal(port, 10002);
        assert_int_equal(json_get_int(json_at(forward, 1), "last", &port), 0);
        assert_int_equal(port, 19999);
        assert_non_null(strstr(buf, "\"back\":null"));

        /* asked for, and not come to */
        r.ports = NULL;
        r.n_ports = 0;
        r.back = there;
        r.n_back = 1;
        to_file(&r, &(OutputStyle){.json = true, .stream = true}, buf);
        assert_int_equal(json_parse(buf, strlen(buf), &k), 0);
        assert_non_null(strstr(buf, "\"forward\":null"));
        assert_int_equal(json_length(json_get(json_get(k, "ports"), "back")), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_colours),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_json_ports),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
