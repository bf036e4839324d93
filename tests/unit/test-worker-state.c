/* The worker's decisions and its ladder of reasons. */
#include "test.h"

#include "worker/ladder.h"
#include "worker/worker-state.h"

#define HEAD "compute04 (10.0.0.1:6379)"

static WorkerFacts running(void)
{
        return (WorkerFacts){
                .phase = KEEP_RUNNING,
                .keep_text = "Ray runs",
                .ladder = "waiting: x",
                .head = HEAD,
                .ray = "2.60.0",
                .serving = true,
                .gcs_text = "connection refused",
                .node_alive = true,
                .running_for = USEC_PER_MIN,
        };
}

static WorkerFacts down(void)
{
        return (WorkerFacts){
                .phase = KEEP_IDLE,
                .keep_text = "Ray does not run",
                .checked = true,
                .tested = true,
                .head = HEAD,
                .ray = "2.60.0",
                .gcs_text = "",
        };
}

static void check(WorkerFacts f, WorkerState now, WorkerState want, const char *reason, bool run,
                  WorkerRestart restart)
{
        WorkerPlan p = worker_decide(&f, now);

        assert_int_equal(p.state, want);
        assert_true(worker_state_may(now, p.state));
        assert_non_null(p.reason);
        if (reason)
                assert_string_equal(p.reason, reason);
        assert_int_equal(p.run, run);
        assert_int_equal(p.restart, restart);
        free(p.reason);
}

static void test_tables(void **state)
{
        for (WorkerState s = 0; s < _WORKER_STATE_MAX; s++) {
                assert_int_equal(worker_state_from_string(worker_state_to_string(s)), s);
                assert_true(worker_state_may(s, s));
                if (s != WORKER_STOPPING) {
                        assert_true(worker_state_may(s, WORKER_STOPPING));
                        assert_false(worker_state_may(WORKER_STOPPING, s));
                }
        }
        assert_false(worker_state_may(WORKER_STARTING, _WORKER_STATE_MAX));
        assert_false(worker_state_may(_WORKER_STATE_INVALID, WORKER_STARTING));
}

static void test_down(void **state)
{
        WorkerFacts f = down();

        /* from the first unmet condition to the start */
        f.no_cert = "waiting for Ray's certificate";
        f.ladder = "waiting: TLS is not possible";
        check(f, WORKER_LOOKING, WORKER_BLOCKED, "blocked: waiting for Ray's certificate", false,
              WORKER_RESTART_NO);
        f.no_cert = NULL;
        f.ladder = "waiting: no head";
        f.no_address = "no address";
        f.checked = false;
        check(f, WORKER_STARTING, WORKER_LOOKING, "waiting: no head", false, WORKER_RESTART_NO);
        f.asking = true;
        check(f, WORKER_STARTING, WORKER_CHECKING, "asking head " HEAD, false, WORKER_RESTART_NO);
        f.failure = "exit status 83: raylet (pid 7) was killed by SIGKILL";
        check(f, WORKER_JOINED, WORKER_REPAIRING,
              "ray-engine@worker.service ended: exit status 83: raylet (pid 7) was killed by "
              "SIGKILL; asking head " HEAD,
              false, WORKER_RESTART_NO);
        f.asking = false;
        f.ladder = NULL;
        check(f, WORKER_LOOKING, WORKER_BLOCKED, "blocked: no address", false, WORKER_RESTART_NO);
        f.no_address = NULL;
        check(f, WORKER_LOOKING, WORKER_CHECKING, NULL, false, WORKER_RESTART_NO);
        f.checked = true;
        f.tested = false;
        check(f, WORKER_CHECKING, WORKER_CHECKING,
              "head " HEAD " serves; testing the way back from it", false, WORKER_RESTART_NO);
        f.refused = "the head cannot connect to this machine";
        check(f, WORKER_CHECKING, WORKER_BLOCKED,
              "blocked: the head cannot connect to this machine", false, WORKER_RESTART_NO);
        f.refused = NULL;
        f.tested = true;
        check(f, WORKER_CHECKING, WORKER_ENGINE_STARTING, "starting Ray", true, WORKER_RESTART_NO);
        f.phase = KEEP_BLOCKED;
        f.keep_text = "blocked: the disk is full";
        check(f, WORKER_CHECKING, WORKER_BLOCKED, "blocked: the disk is full", true,
              WORKER_RESTART_NO);
        f.phase = KEEP_REPAIRING;
        check(f, WORKER_CHECKING, WORKER_REPAIRING, NULL, true, WORKER_RESTART_NO);
        f.phase = KEEP_ASKING;
        check(f, WORKER_STARTING, WORKER_STARTING, NULL, false, WORKER_RESTART_NO);
}

static void test_joined(void **state)
{
        WorkerFacts f = running();

        check(f, WORKER_ENGINE_STARTING, WORKER_JOINED, "joined head " HEAD ", Ray 2.60.0", false,
              WORKER_RESTART_NO);
        f.phase = KEEP_STARTING;
        check(f, WORKER_ENGINE_STARTING, WORKER_ENGINE_STARTING, NULL, false, WORKER_RESTART_NO);
}

/* The most important row of design 8: a head outage ends nothing here. */
static void test_head_lost(void **state)
{
        WorkerFacts f = running();

        f.serving = false;
        f.node_alive = false;
        f.failures = 1;
        check(f, WORKER_JOINED, WORKER_JOINED, NULL, false, WORKER_RESTART_NO);
        f.failures = WORKER_FAILURES_MAX;
        check(f, WORKER_JOINED, WORKER_LOST_HEAD,
              "head " HEAD " does not answer, Ray keeps running: connection refused", false,
              WORKER_RESTART_NO);
        f.failures = 100000;
        f.node_missing = f.running_for = 24 * 60 * USEC_PER_MIN;
        check(f, WORKER_LOST_HEAD, WORKER_LOST_HEAD, NULL, false, WORKER_RESTART_NO);
        f.serving = true;
        f.node_alive = true;
        check(f, WORKER_LOST_HEAD, WORKER_JOINED, NULL, false, WORKER_RESTART_NO);
        /* a daemon that comes back while the head is away */
        f = running();
        f.serving = false;
        check(f, WORKER_STARTING, WORKER_ENGINE_STARTING, NULL, false, WORKER_RESTART_NO);
        f.failures = WORKER_FAILURES_MAX;
        check(f, WORKER_STARTING, WORKER_LOST_HEAD, NULL, false, WORKER_RESTART_NO);
}

static void test_rejoin(void **state)
{
        WorkerFacts f = running();

        f.other_cluster = true;
        check(f, WORKER_JOINED, WORKER_REPAIRING, NULL, false, WORKER_RESTART_CLUSTER);
        f.phase = KEEP_STARTING; /* also while it comes up for a cluster that is gone */
        check(f, WORKER_ENGINE_STARTING, WORKER_REPAIRING, NULL, false, WORKER_RESTART_CLUSTER);

        f = running();
        f.other_ray = true;
        check(f, WORKER_JOINED, WORKER_REPAIRING, NULL, false, WORKER_RESTART_RAY);
        f.serving = false; /* what it said last does not count */
        check(f, WORKER_LOST_HEAD, WORKER_LOST_HEAD, NULL, false, WORKER_RESTART_NO);

        f = running();
        f.serving = false;
        f.moved = "compute05 (10.0.0.9:6379)";
        check(f, WORKER_LOST_HEAD, WORKER_REPAIRING, NULL, false, WORKER_RESTART_MOVED);
        f.serving = true; /* the old one answers after all */
        check(f, WORKER_LOST_HEAD, WORKER_JOINED, NULL, false, WORKER_RESTART_NO);

        f = running();
        f.node_alive = false;
        f.node_missing = WORKER_MISSING_MAX - 1;
        check(f, WORKER_JOINED, WORKER_JOINED, NULL, false, WORKER_RESTART_NO);
        f.node_missing = WORKER_MISSING_MAX;
        check(f, WORKER_JOINED, WORKER_REPAIRING, NULL, false, WORKER_RESTART_DEAD);
        f.node_missing = 0;
        f.node_dead = true; /* nothing to wait for */
        check(f, WORKER_JOINED, WORKER_REPAIRING, NULL, false, WORKER_RESTART_DEAD);
        f.node_dead = false;
        f.node_missing = WORKER_MISSING_MAX;
        f.running_for = WORKER_NODE_MAX - 1;
        check(f, WORKER_ENGINE_STARTING, WORKER_ENGINE_STARTING, NULL, false, WORKER_RESTART_NO);
}

static void test_stopping(void **state)
{
        WorkerFacts f = running();

        f.stopping = true;
        f.other_cluster = true;
        for (WorkerState s = 0; s < _WORKER_STATE_MAX; s++)
                check(f, s, WORKER_STOPPING, NULL, false, WORKER_RESTART_NO);
}

static void check_held(const WorkerFacts *f, WorkerState now, const char *reason)
{
        WorkerPlan p = worker_decide(f, now);

        assert_int_equal(p.state, WORKER_HELD);
        assert_true(worker_state_may(now, p.state));
        assert_string_equal(p.reason, reason);
        assert_true(p.hold);
        assert_false(p.run);
        assert_int_equal(p.restart, WORKER_RESTART_NO);
        free(p.reason);
}

static void test_held(void **state)
{
        WorkerFacts up = running(), off = down();

        up.held = off.held = true;
        up.other_cluster = true; /* nothing is repaired */
        for (WorkerState s = 0; s < WORKER_STOPPING; s++) {
                check_held(&up, s, "held: stopped by the head's admin; Ray runs");
                check_held(&off, s, "held: stopped by the head's admin");
                assert_true(worker_state_may(WORKER_HELD, s));
        }
        off.phase = KEEP_REPAIRING;
        check_held(&off, WORKER_HELD, "held: stopped by the head's admin");
        off.stopping = true;
        check(off, WORKER_HELD, WORKER_STOPPING, NULL, false, WORKER_RESTART_NO);
}

static void check_ladder(const LadderFacts *f, const char *want)
{
        _cleanup_free_ char *text = NULL;

        assert_int_equal(ladder_text(f, &text), want ? 1 : 0);
        if (want)
                assert_string_equal(text, want);
        else
                assert_null(text);
}

static void test_ladder(void **state)
{
        Candidate c = {.source = DISCO_DNS,
                       .name = "compute04",
                       .how = "DNS SRV",
                       .addrs = {{.family = AF_INET, .port = 6379}},
                       .n_addrs = 1};
        DiscoReport reports[] = {
                {DISCO_STATIC, SOURCE_IDLE, "not asked: cluster.head is empty"},
                {DISCO_DNS, SOURCE_NOTHING, "no SRV record _raycluster._tcp.lab (NXDOMAIN)"},
                {DISCO_MDNS, SOURCE_FAILED, "avahi-daemon is not running"},
                {DISCO_LAST_KNOWN, SOURCE_NOTHING, ""},
        };
        LadderFacts f = {.cluster = "lab1", .why = "", .reports = reports, .n_reports = 4};

        check_ladder(&f, "waiting: no head of cluster \"lab1\" found (dns: no SRV record "
                         "_raycluster._tcp.lab (NXDOMAIN); mdns: avahi-daemon is not running)");
        f.n_reports = 0;
        check_ladder(&f, "waiting: no head of cluster \"lab1\" found (discovery has just begun)");
        f.candidate = &c;
        check_ladder(&f, "waiting: asking head compute04, found by DNS SRV");
        f.why = "head compute04 (10.0.0.1) answers on port 6379 with a refusal: Ray is not "
                "running there";
        check_ladder(&f, "waiting: head compute04 (10.0.0.1) answers on port 6379 with a refusal: "
                         "Ray is not running there (found by DNS SRV)");
        f.serving = true;
        check_ladder(&f, NULL);
        f.ambiguous = "two heads answer to \"lab1\": a and b";
        check_ladder(&f, "waiting: two heads answer to \"lab1\": a and b");
        f.ambiguous = NULL;
        f.serving = false;
        f.unconfirmed = "member, not connected to the head at 10.0.0.9:6388: it is another";
        check_ladder(&f, "waiting: this machine's own head is not found yet: member, not connected "
                         "to the head at 10.0.0.9:6388: it is another");
        f.unconfirmed = NULL;
        c.n_addrs = 0; /* a name without a usable address is no candidate */
        f.ambiguous = NULL;
        check_ladder(&f, "waiting: no head of cluster \"lab1\" found (discovery has just begun)");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables), cmocka_unit_test(test_down),
                cmocka_unit_test(test_joined), cmocka_unit_test(test_head_lost),
                cmocka_unit_test(test_rejoin), cmocka_unit_test(test_stopping),
                cmocka_unit_test(test_held),   cmocka_unit_test(test_ladder),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
