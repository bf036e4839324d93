/* role/: what both daemons share, as far as it is pure. */
#include "test.h"

#include "base/log.h"
#include "base/str.h"
#include "role/address.h"
#include "role/due.h"
#include "role/keep.h"
#include "role/options.h"
#include "role/show.h"
#include "role/status.h"

static void test_tables(void **state)
{
        for (StatusProp p = 0; p < _STATUS_PROP_MAX; p++)
                assert_int_equal(status_prop_from_string(status_prop_to_string(p)), p);
        for (KeepPhase p = 0; p < _KEEP_PHASE_MAX; p++)
                assert_int_equal(keep_phase_from_string(keep_phase_to_string(p)), p);
        assert_true(_STATUS_PROP_MAX <= 32); /* bits of the dirty mark */
}

static void test_status_marks(void **state)
{
        Status s;

        assert_int_equal(status_init(&s), 0);
        assert_int_equal(status_take_dirty(&s), 0);
        assert_int_equal(status_set(&s, STATUS_HEAD, "h"), 1);
        assert_int_equal(status_set(&s, STATUS_HEAD, "h"), 0);
        assert_int_equal(status_take_dirty(&s), 1U << STATUS_HEAD);
        assert_int_equal(status_take_dirty(&s), 0);

        assert_int_equal(status_set_state(&s, "looking", "waiting: a"), 1);
        usec_t since = s.state_since;
        assert_int_equal(status_take_dirty(&s),
                         1U << STATUS_STATE | 1U << STATUS_REASON | 1U << STATUS_STATE_SINCE);
        assert_int_equal(status_set_state(&s, "looking", "waiting: b"), 1);
        assert_true(s.state_since == since); /* only the reason moved */
        assert_int_equal(status_take_dirty(&s), 1U << STATUS_REASON);

        assert_int_equal(status_set_count(&s, STATUS_WORKERS_ALIVE, 2), 1);
        assert_int_equal(status_set_count(&s, STATUS_WORKERS_ALIVE, 2), 0);
        assert_int_equal(status_set_source(&s, 0, "dns", "found", "x"), 1);
        assert_int_equal(status_set_source(&s, 0, "dns", "found", "x"), 0);
        status_set_n_sources(&s, 1);
        char **l = NULL;
        assert_int_equal(strv_extend(&l, "ports.gcs"), 0);
        assert_int_equal(status_set_restart_due(&s, l), 1);
        assert_int_equal(status_take_dirty(&s), 1U << STATUS_WORKERS_ALIVE | 1U << STATUS_SOURCES |
                                                        1U << STATUS_RESTART_DUE);
        status_done(&s);
}

typedef struct Told {
        unsigned lines;
        MessageId id;
        char text[400];
} Told;

static void on_log(MessageId id, const char *text, void *userdata)
{
        Told *t = userdata;

        t->lines++;
        t->id = id;
        str_copy(t->text, sizeof(t->text), text);
}

/* Each time that it is turned off, and not each time that somebody looks. */
static void test_auth_off(void **state)
{
        Told t = {0};
        Status s;

        log_set(LOG_TARGET_STDERR, LOG_CRIT);
        log_set_observer(on_log, &t);
        assert_int_equal(status_init(&s), 0);
        show_auth(&s, false, true);
        assert_int_equal(t.lines, 1);
        assert_int_equal(t.id, MSG_AUTH_OFF);
        assert_non_null(strstr(t.text, "authentication of Ray is off: whoever reaches the ports"));
        show_auth(&s, false, true);
        assert_int_equal(t.lines, 1);
        show_auth(&s, true, true);
        assert_int_equal(t.lines, 1);
        show_auth(&s, false, true);
        assert_int_equal(t.lines, 2);
        /* a worker that has no token yet */
        show_auth(&s, true, false);
        show_auth(&s, false, false);
        assert_int_equal(t.lines, 2);
        status_done(&s);
        log_set_observer(NULL, NULL);
}

static void test_foreign_text(void **state)
{
        static const char *const good[] = {"", "a\tb\n", "caf\xc3\xa9", "\xe2\x82\xac",
                                           "\xf0\x9f\x98\x80"};
        static const char *const bad[] = {"\x1b[31m",     "\x80", "\xc0\xaf",
                                          "\xed\xa0\x80", "\xc3", "\xf4\x90\x80\x80",
                                          "\xe2\x82",     "\xff", "\xc2\x85"};
        Status s;

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(utf8_is_printable(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(utf8_is_printable(bad[i]));
        assert_int_equal(status_init(&s), 0);
        assert_int_equal(status_set(&s, STATUS_REASON, "a\x1b[31m"), 1);
        assert_string_equal(s.text[STATUS_REASON], "a\\x1b[31m");
        char *longest = calloc(1, STATUS_TEXT_MAX + 2);
        memset(longest, 'x', STATUS_TEXT_MAX + 1);
        assert_int_equal(status_set(&s, STATUS_REASON, longest), 1);
        assert_int_equal(strlen(s.text[STATUS_REASON]), STATUS_TEXT_MAX + 3);
        free(longest);
        status_done(&s);
}

static void check_keep(KeepFacts f, KeepPhase phase, KeepAction action)
{
        KeepPlan p = keep_decide(&f);
        assert_int_equal(p.phase, phase);
        assert_int_equal(p.action, action);
}

static void test_keep(void **state)
{
        /* a daemon that comes back must not touch what runs before it knows what is wanted */
        check_keep((KeepFacts){.unit = ENGINE_UNKNOWN, .wanted = true}, KEEP_ASKING,
                   KEEP_DO_NOTHING);
        check_keep((KeepFacts){.unit = ENGINE_RUNNING, .wanted = true}, KEEP_RUNNING,
                   KEEP_DO_NOTHING);
        check_keep((KeepFacts){.unit = ENGINE_STARTING, .wanted = true}, KEEP_STARTING,
                   KEEP_DO_NOTHING);
        check_keep((KeepFacts){.unit = ENGINE_STOPPED, .wanted = true}, KEEP_STARTING,
                   KEEP_DO_START);
        check_keep((KeepFacts){.unit = ENGINE_FAILED, .wanted = true}, KEEP_STARTING,
                   KEEP_DO_START);
        check_keep((KeepFacts){.unit = ENGINE_FAILED, .wanted = true, .pause = true},
                   KEEP_REPAIRING, KEEP_DO_NOTHING);
        check_keep((KeepFacts){.unit = ENGINE_FAILED, .wanted = true, .starting = true},
                   KEEP_STARTING, KEEP_DO_NOTHING);
        check_keep((KeepFacts){.unit = ENGINE_STOPPED, .wanted = true, .blocked = true},
                   KEEP_BLOCKED, KEEP_DO_NOTHING);
        check_keep((KeepFacts){.unit = ENGINE_MISSING, .wanted = true}, KEEP_BLOCKED,
                   KEEP_DO_NOTHING);
        check_keep((KeepFacts){.unit = ENGINE_STOPPED}, KEEP_IDLE, KEEP_DO_NOTHING);

        check_keep((KeepFacts){.unit = ENGINE_RUNNING}, KEEP_STOPPING, KEEP_DO_STOP);
        check_keep((KeepFacts){.unit = ENGINE_RUNNING, .stopping = true}, KEEP_STOPPING,
                   KEEP_DO_NOTHING);
        check_keep((KeepFacts){.unit = ENGINE_RUNNING, .wanted = true, .restart = true},
                   KEEP_STOPPING, KEEP_DO_STOP);
        check_keep((KeepFacts){.unit = ENGINE_STOPPING, .wanted = true}, KEEP_STOPPING,
                   KEEP_DO_NOTHING);
        /* told to stop while systemd still has our start in its queue */
        check_keep((KeepFacts){.unit = ENGINE_STOPPED, .starting = true}, KEEP_STOPPING,
                   KEEP_DO_STOP);
}

static void check_words(KeepWords w, const char *text)
{
        w.name = "ray-engine@head.service";
        w.status = strempty(w.status);
        w.result = "killed";
        char *got = keep_describe(&w);
        assert_string_equal(got, text);
        free(got);
}

static void test_words(void **state)
{
        check_words((KeepWords){.phase = KEEP_ASKING},
                    "asking systemd about ray-engine@head.service");
        check_words((KeepWords){.phase = KEEP_IDLE}, "Ray does not run");
        check_words((KeepWords){.phase = KEEP_BLOCKED, .blocked = "no disk"}, "blocked: no disk");
        check_words((KeepWords){.phase = KEEP_BLOCKED, .unit = ENGINE_MISSING},
                    "blocked: systemd does not know ray-engine@head.service: install the package "
                    "raycluster again");
        check_words((KeepWords){.phase = KEEP_RUNNING, .status = "running: x"}, "running: x");
        check_words((KeepWords){.phase = KEEP_STOPPING, .status = "draining"},
                    "stopping Ray: draining");
        check_words((KeepWords){.phase = KEEP_REPAIRING, .unit = ENGINE_FAILED},
                    "ray-engine@head.service ended: killed; starting it again");
        check_words((KeepWords){.phase = KEEP_REPAIRING, .unit = ENGINE_STOPPED},
                    "Ray was stopped by somebody else; starting it again");
        check_words((KeepWords){.phase = KEEP_REPAIRING, .unit = ENGINE_STOPPED, .why = "it moved"},
                    "starting Ray again in a moment: it moved");

        /* what the unit said in its last run counts no more */
        KeepWords w = {.phase = KEEP_STARTING, .unit = ENGINE_STOPPED, .status = "running: x"};
        check_words(w, "starting Ray");
        w.unit = ENGINE_STARTING;
        w.status = "checking the versions";
        check_words(w, "starting Ray: checking the versions");
        /* what the unit refused for stands until it knows better; what we found does not */
        w.blocked = "Python 3.9";
        check_words(w, "starting Ray: checking the versions");
        w.blocked_by_unit = true;
        check_words(w, "blocked: Python 3.9");
        w.status = "waiting for the GCS";
        check_words(w, "starting Ray: waiting for the GCS");
}

static void test_due(void **state)
{
        const char *running = "RAYCLUSTER_ENGINE_ARGS=1\nROLE=worker\nNODE_ADDRESS=10.0.0.2\n"
                              "PORT_GCS=6379\nPORT_CLIENT=10001\nENV=A=1\nENV=B=2\nCPUS=4\n";
        const char *wanted = "RAYCLUSTER_ENGINE_ARGS=1\nROLE=worker\nNODE_ADDRESS=10.0.0.3\n"
                             "PORT_GCS=6380\nPORT_CLIENT=10001\nENV=A=1\nENV=C=3\n";
        _cleanup_strv_free_ char **worker = NULL, **head = NULL, **none = NULL;

        assert_int_equal(due_keys(ROLE_WORKER, running, wanted, &worker), 0);
        assert_true(strv_equal(worker,
                               (char *[]){"engine.env", "node.address", "resources.cpus", NULL}));
        assert_int_equal(due_keys(ROLE_HEAD, running, wanted, &head), 0);
        assert_true(strv_equal(head, (char *[]){"engine.env", "node.address", "ports.gcs",
                                                "resources.cpus", NULL}));
        assert_int_equal(due_keys(ROLE_HEAD, running, running, &none), 0);
        assert_int_equal(strv_length(none), 0);
}

static int parse(Options *o, int argc, char **argv)
{
        return options_parse(argc, argv, "ray-headd", "test", o);
}

static void test_options(void **state)
{
        Options o = {};

        char *all[] = {"x",      "--config", "/a", "--check", "--log-level=debug", "--log-target",
                       "stderr", NULL};
        assert_int_equal(parse(&o, 7, all), 1);
        assert_string_equal(o.config, "/a");
        assert_true(o.check);
        assert_int_equal(o.log_level, LOG_DEBUG);
        assert_int_equal(o.log_target, LOG_TARGET_STDERR);
        options_done(&o);

        char *none[] = {"x", NULL};
        assert_int_equal(parse(&o, 1, none), 1);
        assert_int_equal(o.log_level, -1);
        assert_int_equal(o.log_target, -1);
        options_done(&o);

        char *wrong[] = {"x", "--log-level=loud", NULL};
        assert_int_equal(parse(&o, 2, wrong), -EINVAL);
        char *more[] = {"x", "more", NULL};
        assert_int_equal(parse(&o, 2, more), -EINVAL);
        char *help[] = {"x", "--help", NULL};
        assert_int_equal(parse(&o, 2, help), 0);
}

static NetAddr own_addr(const char *text)
{
        NetAddr a = {.global = true, .usable = true};

        assert_int_equal(addr_parse(text, &a.addr), 0);
        return a;
}

/* A certificate has room for some: the one that Ray is told is never left out. */
static void test_addresses(void **state)
{
        NetAddr list[18] = {};
        Addr own[16], first;
        char text[ADDR_MAX];

        for (unsigned i = 0; i < 17; i++) {
                (void)snprintf(text, sizeof(text), "10.0.%u.1", i);
                list[i] = own_addr(text);
        }
        list[17] = own_addr("2001:db8::1"); /* behind all of IPv4 */
        first = list[17].addr;
        first.port = 6379;
        assert_int_equal(address_order(list, 18, &first, own, 16), 18);
        assert_string_equal(addr_format(text, &own[0]), "2001:db8::1");
        assert_int_equal(own[0].port, 0);
        assert_string_equal(addr_format(text, &own[1]), "10.0.0.1");
        assert_string_equal(addr_format(text, &own[15]), "10.0.14.1");

        assert_int_equal(address_order(list, 2, &list[1].addr, own, 16), 2); /* not twice */
        assert_string_equal(addr_format(text, &own[0]), "10.0.1.1");
        assert_string_equal(addr_format(text, &own[1]), "10.0.0.1");
        assert_int_equal(address_order(list, 2, NULL, own, 16), 2);
        assert_string_equal(addr_format(text, &own[0]), "10.0.0.1");
        list[0].temporary = list[1].global = list[2].usable = false;
        list[0].temporary = true;
        assert_int_equal(address_order(list, 3, &(Addr){0}, own, 16), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables),   cmocka_unit_test(test_status_marks),
                cmocka_unit_test(test_keep),     cmocka_unit_test(test_words),
                cmocka_unit_test(test_due),      cmocka_unit_test(test_foreign_text),
                cmocka_unit_test(test_options),  cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_auth_off),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
