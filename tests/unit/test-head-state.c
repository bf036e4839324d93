/* The head's decisions: every state is reached, every move that is decided is legal. */
#include "test.h"

#include "head/head-state.h"

static HeadFacts running(void)
{
        return (HeadFacts){
                .phase = KEEP_RUNNING,
                .keep_text = "Ray runs",
                .serving = true,
                .gcs_text = "connection refused",
                .node_known = true,
                .node_alive = true,
                .running_for = USEC_PER_MIN,
                .address = "10.0.0.1:6379",
                .workers = 2,
        };
}

static void check(HeadFacts f, HeadState now, HeadState want, const char *reason, bool restarts)
{
        HeadPlan p = head_decide(&f, now);

        assert_int_equal(p.state, want);
        assert_true(head_state_may(now, p.state));
        if (reason)
                assert_string_equal(p.reason, reason);
        assert_int_equal(p.restart != NULL, restarts);
        free(p.reason);
}

static void test_tables(void **state)
{
        for (HeadState s = 0; s < _HEAD_STATE_MAX; s++) {
                assert_int_equal(head_state_from_string(head_state_to_string(s)), s);
                assert_true(head_state_may(s, s));
                if (s != HEAD_STOPPING) {
                        assert_true(head_state_may(s, HEAD_STOPPING));
                        assert_false(head_state_may(HEAD_STOPPING, s));
                }
        }
        assert_false(head_state_may(HEAD_BLOCKED, HEAD_DEGRADED));
        assert_false(head_state_may(HEAD_STARTING, _HEAD_STATE_MAX));
        assert_false(head_state_may(_HEAD_STATE_INVALID, HEAD_STARTING));
}

static void test_serving(void **state)
{
        HeadFacts f = running();

        check(f, HEAD_STARTING, HEAD_SERVING, "serving at 10.0.0.1:6379 with 2 workers", false);
        f.workers = 1;
        f.auth_off = true;
        check(f, HEAD_SERVING, HEAD_SERVING,
              "serving at 10.0.0.1:6379 with 1 worker, authentication is off", false);
        f.phase = KEEP_STARTING; /* the GCS answers long before the unit is ready */
        check(f, HEAD_ENGINE_STARTING, HEAD_SERVING, NULL, false);
}

static void test_lost_answers(void **state)
{
        HeadFacts f = running();

        f.serving = false;
        f.failures = 1; /* one lost answer is not the end */
        check(f, HEAD_SERVING, HEAD_SERVING, NULL, false);
        check(f, HEAD_STARTING, HEAD_ENGINE_STARTING, NULL, false);
        f.phase = KEEP_STARTING;
        check(f, HEAD_SERVING, HEAD_SERVING, NULL, false);
        f.phase = KEEP_RUNNING;
        f.failures = HEAD_FAILURES_MAX;
        check(f, HEAD_SERVING, HEAD_DEGRADED,
              "Ray's unit runs, but its GCS does not serve: connection refused", false);
        f.degraded_for = HEAD_DEGRADED_MAX;
        check(f, HEAD_DEGRADED, HEAD_DEGRADED, NULL, true);
}

static void test_lost_node(void **state)
{
        HeadFacts f = running();

        f.node_alive = false;
        check(f, HEAD_SERVING, HEAD_DEGRADED, NULL, true);
        f.running_for = HEAD_NODE_MAX - 1; /* it may still be coming */
        check(f, HEAD_SERVING, HEAD_SERVING, NULL, false);
        f.running_for = USEC_PER_MIN;
        f.node_known = false; /* the table is older than the unit */
        check(f, HEAD_SERVING, HEAD_SERVING, NULL, false);
}

static void test_phases(void **state)
{
        static const struct {
                KeepPhase phase;
                HeadState state;
        } map[] = {
                {KEEP_ASKING, HEAD_STARTING},    {KEEP_IDLE, HEAD_STARTING},
                {KEEP_BLOCKED, HEAD_BLOCKED},    {KEEP_STARTING, HEAD_ENGINE_STARTING},
                {KEEP_STOPPING, HEAD_REPAIRING}, {KEEP_REPAIRING, HEAD_REPAIRING},
        };
        HeadFacts f = running();

        f.serving = false;
        for (size_t i = 0; i < ELEMENTSOF(map); i++) {
                f.phase = map[i].phase;
                check(f, HEAD_STARTING, map[i].state, "Ray runs", false);
        }
        f.stopping = true;
        check(f, HEAD_SERVING, HEAD_STOPPING, NULL, false);
}

static void test_no_address(void **state)
{
        HeadFacts f = running();

        f.no_address = "set node.address";
        f.serving = false;
        f.phase = KEEP_IDLE;
        check(f, HEAD_STARTING, HEAD_BLOCKED, "blocked: set node.address", false);
        f.phase = KEEP_ASKING; /* what runs already has its address */
        check(f, HEAD_STARTING, HEAD_STARTING, NULL, false);
        f = running();
        f.no_address = "set node.address"; /* an interface went down: what runs is left */
        check(f, HEAD_SERVING, HEAD_SERVING, NULL, false);
}

static void test_no_tls(void **state)
{
        HeadFacts f = running();

        f.no_tls = "ray-authority.pem: is damaged";
        check(f, HEAD_SERVING, HEAD_SERVING, NULL, false);
        f.serving = false;
        f.phase = KEEP_REPAIRING; /* it is not started without */
        check(f, HEAD_REPAIRING, HEAD_BLOCKED, "blocked: ray-authority.pem: is damaged", false);
}

static void test_no_token(void **state)
{
        HeadFacts f = running();

        f.no_token = "Ray's token cannot be had: /run/x: Permission denied";
        f.serving = false; /* nobody asks it */
        f.degraded_for = USEC_INFINITY;
        check(f, HEAD_SERVING, HEAD_DEGRADED,
              "Ray's unit runs, but its GCS cannot be asked: Ray's token cannot be had: /run/x: "
              "Permission denied",
              false);
        check(f, HEAD_BLOCKED, HEAD_BLOCKED, NULL, false);
        f.phase = KEEP_STARTING;
        check(f, HEAD_ENGINE_STARTING, HEAD_DEGRADED, NULL, false);
        f.phase = KEEP_IDLE;
        check(f, HEAD_STARTING, HEAD_BLOCKED,
              "blocked: Ray's token cannot be had: /run/x: Permission denied", false);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables),       cmocka_unit_test(test_serving),
                cmocka_unit_test(test_lost_answers), cmocka_unit_test(test_lost_node),
                cmocka_unit_test(test_phases),       cmocka_unit_test(test_no_address),
                cmocka_unit_test(test_no_tls),       cmocka_unit_test(test_no_token),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
