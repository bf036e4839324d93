/* The test that a member's machine takes before Ray starts: what a report means, and the whole of
 * it against a fake GCS and a reflector that says what it is told. */
#include "test.h"

#include <systemd/sd-event.h>

#include "daemon-world.h"

#include "wire/reflect-codec.h"
#include "worker/trial.h"

/* --- values -------------------------------------------------------------------------------------
 */

static void test_states(void **state)
{
        static const TrialState path[] = {TRIAL_IDLE,  TRIAL_WAITING, TRIAL_TESTING, TRIAL_REFUSED,
                                          TRIAL_AGAIN, TRIAL_PASSED,  TRIAL_IDLE};

        for (TrialState s = 0; s < _TRIAL_STATE_MAX; s++)
                assert_int_equal(trial_state_from_string(trial_state_to_string(s)), s);
        for (size_t i = 0; i + 1 < ELEMENTSOF(path); i++)
                assert_true(trial_state_may(path[i], path[i + 1]));
        assert_false(trial_state_may(TRIAL_REFUSED, TRIAL_PASSED));
        assert_false(trial_state_may(TRIAL_PASSED, TRIAL_REFUSED));
        assert_false(trial_state_may(TRIAL_IDLE, TRIAL_TESTING));
}

static void test_judge(void **state)
{
        static const struct {
                Verdict verdict;
                TrialOutcome proven, likely;
        } rows[] = {
                {VERDICT_NAT_NO_WAY_BACK, TRIAL_BAD, TRIAL_DOUBTFUL},
                {VERDICT_REVERSE_BLOCKED, TRIAL_BAD, TRIAL_DOUBTFUL},
                {VERDICT_REVERSE_PORTS_PARTIAL, TRIAL_BAD, TRIAL_DOUBTFUL},
                {VERDICT_WRONG_PEER, TRIAL_BAD, TRIAL_DOUBTFUL},
                {VERDICT_NAT_FORWARDED, TRIAL_BAD, TRIAL_DOUBTFUL},
                {VERDICT_NAT_ONE_WAY, TRIAL_DOUBTFUL, TRIAL_DOUBTFUL},
                {VERDICT_VERSION_MISMATCH, TRIAL_BAD, TRIAL_BAD},
                {VERDICT_MTU_HOLE_OUT, TRIAL_DOUBTFUL, TRIAL_DOUBTFUL},
                {VERDICT_INCONCLUSIVE, TRIAL_UNKNOWN, TRIAL_UNKNOWN},
                {VERDICT_FILTERED_SILENTLY, TRIAL_UNKNOWN, TRIAL_UNKNOWN},
                {VERDICT_OK, TRIAL_UNKNOWN, TRIAL_UNKNOWN}, /* nobody connected back */
        };
        Reflection o = {.answered = true, .clock_known = true};
        ProbeReport r = {.other = &o};

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                r.verdict = rows[i].verdict;
                r.confidence = PROBE_PROVEN;
                assert_int_equal(trial_judge(&r), rows[i].proven);
                r.confidence = PROBE_LIKELY;
                assert_int_equal(trial_judge(&r), rows[i].likely);
        }
        r = (ProbeReport){.verdict = VERDICT_OK, .confidence = PROBE_PROVEN, .other = &o};
        o.n_back = 1;
        assert_int_equal(trial_judge(&r), TRIAL_UNKNOWN);
        o.back[0].result = BACK_REFUSED;
        assert_int_equal(trial_judge(&r), TRIAL_GOOD);

        /* seconds are told of, minutes keep it out */
        r.verdict = VERDICT_CLOCK_SKEW;
        o.clock_offset_usec = -5 * (int64_t)USEC_PER_SEC;
        assert_int_equal(trial_judge(&r), TRIAL_DOUBTFUL);
        o.clock_offset_usec = -3 * (int64_t)USEC_PER_MIN;
        assert_int_equal(trial_judge(&r), TRIAL_BAD);
        r.other = NULL;
        assert_int_equal(trial_judge(&r), TRIAL_DOUBTFUL);
}

/* --- a reflector --------------------------------------------------------------------------------
 */

typedef struct Fake {
        Transport base;
        sd_event *event;
        bool away;         /* it does not reach the head now */
        BackResult result; /* of every connect-back */
        unsigned requests, lines;
} Fake;

typedef struct FakeLine {
        Line base;
        Fake *fake;
        LineOps ops;
        void *userdata;
        sd_event_source *later;
        ReflectRequest q;
        bool up;
} FakeLine;

static int on_later(sd_event_source *s, void *userdata)
{
        FakeLine *l = userdata;
        const Addr here = {.family = AF_INET, .in.s_addr = htonl(INADDR_LOOPBACK), .port = 4};
        int64_t now = (int64_t)now_real();
        ReflectReply p = {.observed = here, .local = here, .t2_usec = now, .t3_usec = now};
        _cleanup_buf_ Buf out = {0};

        if (!l->up) {
                l->up = true;
                l->ops.on_up(&l->base, l->userdata);
                return 0;
        }
        for (size_t i = 0; l->q.kind == REFLECT_BACK && i < l->q.n_back; i++) {
                p.back[i] = (BackTry){.addr = here, .result = l->fake->result};
                p.back[i].addr.port = l->q.back[i].port;
                p.n_back = i + 1;
        }
        assert_int_equal(reflect_encode_reply(&out, &p), 0);
        l->ops.on_reply(&l->base, buf_data(&out), buf_size(&out), l->userdata);
        return 0;
}

static int fake_send(Line *line, const void *body, size_t size)
{
        FakeLine *l = CONTAINER_OF(line, FakeLine, base);

        l->fake->requests++;
        assert_int_equal(reflect_decode_request(body, size, &l->q), 0);
        return sd_event_source_set_enabled(l->later, SD_EVENT_ONESHOT);
}

static void fake_ends(const Line *line, Addr *ret_here, Addr *ret_there)
{
        *ret_here = *ret_there =
                (Addr){.family = AF_INET, .in.s_addr = htonl(INADDR_LOOPBACK), .port = 4};
}

static void fake_progress(const Line *line, LineProgress *ret)
{
        *ret = (LineProgress){0};
}

static Line *fake_free(Line *line)
{
        FakeLine *l = CONTAINER_OF(line, FakeLine, base);

        l->fake->lines--;
        sd_event_source_disable_unref(l->later);
        free(l);
        return NULL;
}

static int fake_open(const Transport *t, sd_event *event, const LinePolicy *policy,
                     const LineOps *ops, void *userdata, Line **ret)
{
        static const LineVtable vtable = {
                .send = fake_send, .ends = fake_ends, .progress = fake_progress, .free = fake_free};
        FakeLine *l = new0(FakeLine, 1);

        *l = (FakeLine){.base = {.vtable = &vtable},
                        .fake = (Fake *)CONTAINER_OF(t, const Fake, base),
                        .ops = *ops,
                        .userdata = userdata};
        l->fake->lines++;
        assert_true(sd_event_add_defer(event, &l->later, on_later, l) >= 0);
        *ret = &l->base;
        return 0;
}

static bool fake_reaches(const Transport *t, const Addr *to)
{
        return !CONTAINER_OF(t, const Fake, base)->away;
}

/* --- trials -------------------------------------------------------------------------------------
 */

typedef struct Court {
        World *w;
        sd_event *event;
        Fake fake;
        Trial *trial;
        PortPlan plan;
        Addr head, own;
        EngineTls tls;
        EngineSettings engine;
} Court;

static void want(Court *c)
{
        trial_want(c->trial, &(TrialWant){.head = &c->head,
                                          .own = &c->own,
                                          .name = "h",
                                          .tls = &c->tls,
                                          .plan = &c->plan,
                                          .engine = &c->engine,
                                          .reflector = &c->fake.base});
}

static void on_change(Trial *t, void *userdata)
{
        want(userdata);
}

static void court_init(Court *c, BackResult result)
{
        static const TrialOps ops = {.on_change = on_change};
        int base;

        *c = (Court){.w = world_new("Worker")};
        start_gcs(c->w, "0a0b");
        base = c->w->port;
        assert_true(sd_event_new(&c->event) >= 0);
        c->fake = (Fake){.base = {.open = fake_open, .reaches = fake_reaches, .single = true},
                         .event = c->event,
                         .result = result};
        assert_int_equal(addr_parse("127.0.0.1", &c->head), 0);
        c->own = c->head;
        c->head.port = (uint16_t)base;
        c->plan = (PortPlan){.gcs = (uint16_t)base,
                             .node_manager = (uint16_t)(base + 1),
                             .object_manager = (uint16_t)(base + 2),
                             .runtime_env_agent = (uint16_t)(base + 3),
                             .worker_first = (uint16_t)(base + 15),
                             .worker_last = (uint16_t)(base + 39)};
        /* whatever is installed on the machine of this test */
        c->engine = (EngineSettings){.version = "auto", .venv = "/srv/venv"};
        assert_int_equal(trial_new(c->event, &ops, c, &c->trial), 0);
}

static void court_done(Court *c)
{
        trial_free(c->trial);
        assert_int_equal(c->fake.lines, 0);
        sd_event_unref(c->event);
        world_free(c->w);
}

static void wait_over(Court *c)
{
        usec_t end = now_mono() + DEADLINE;

        want(c);
        while (!trial_is_over(c->trial)) {
                assert_true(now_mono() < end);
                assert_true(sd_event_run(c->event, USEC_PER_SEC) >= 0);
        }
}

static void test_good(void **state)
{
        Court c;

        court_init(&c, BACK_NONCE_OK);
        assert_int_equal(trial_state(c.trial), TRIAL_IDLE);
        wait_over(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_PASSED);
        if (trial_verdict(c.trial) != VERDICT_OK)
                fail_msg("%s", trial_text(c.trial));
        assert_non_null(strstr(trial_text(c.trial), "can connect to this machine"));
        assert_int_equal(c.fake.requests, 2); /* BEGIN and BACK; no transfers */

        /* once is enough, until an address is another */
        trial_want(c.trial, NULL);
        want(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_PASSED);
        assert_int_equal(addr_parse("127.0.0.2", &c.own), 0);
        want(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_TESTING);
        trial_want(c.trial, NULL);
        assert_int_equal(trial_state(c.trial), TRIAL_IDLE);
        court_done(&c);
}

static void test_blocked(void **state)
{
        Court c;

        court_init(&c, BACK_SILENT);
        wait_over(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_REFUSED);
        assert_int_equal(trial_verdict(c.trial), VERDICT_REVERSE_BLOCKED);
        assert_false(isempty(trial_text(c.trial)));
        assert_false(isempty(trial_remedy(c.trial)));
        want(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_REFUSED);
        /* the head goes away: what was known is of yesterday */
        trial_want(c.trial, NULL);
        assert_int_equal(trial_state(c.trial), TRIAL_IDLE);
        assert_string_equal(trial_text(c.trial), "");
        /* and another time it gets through */
        c.fake.result = BACK_OPEN;
        wait_over(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_PASSED);
        court_done(&c);
}

/* A machine whose links come and go all the time, as containers' do, is tested again as well. */
static void test_kicked(void **state)
{
        Court c;

        court_init(&c, BACK_SILENT);
        wait_over(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_REFUSED);
        c.fake.result = BACK_NONCE_OK;
        for (usec_t end = now_mono() + 2 * DEADLINE; trial_state(c.trial) != TRIAL_PASSED;) {
                assert_true(now_mono() < end);
                assert_true(sd_event_run(c.event, USEC_PER_SEC) >= 0);
                trial_kick(c.trial);
        }
        court_done(&c);
}

/* Where the way is fine, and Ray would not run: the fake head's is 2.60.0. */
static void test_version(void **state)
{
        Court c;

        court_init(&c, BACK_NONCE_OK);
        c.engine = (EngineSettings){.version = "2.59.0", .venv = ""};
        wait_over(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_REFUSED);
        assert_int_equal(trial_verdict(c.trial), VERDICT_VERSION_MISMATCH);
        assert_string_equal(trial_text(c.trial),
                            "the head runs Ray 2.60.0, and engine.version says 2.59.0");
        assert_non_null(strstr(trial_remedy(c.trial), "engine.version to \"auto\""));
        court_done(&c);

        court_init(&c, BACK_NONCE_OK);
        c.engine = (EngineSettings){.version = "2.60.0", .venv = ""};
        wait_over(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_PASSED);
        court_done(&c);
}

/* Nobody to ask, and what runs already: Ray is not kept waiting. */
static void test_untested(void **state)
{
        Court c;

        court_init(&c, BACK_NONCE_OK);
        c.fake.away = true;
        wait_over(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_PASSED);
        assert_int_equal(trial_verdict(c.trial), _VERDICT_INVALID);
        assert_non_null(strstr(trial_text(c.trial), "was not tested"));
        assert_int_equal(c.fake.requests, 0);

        c.fake.away = false;
        c.head.port++;
        trial_grant(c.trial, &c.head, &c.own);
        want(&c);
        assert_int_equal(trial_state(c.trial), TRIAL_PASSED);
        assert_string_equal(trial_text(c.trial), "");
        assert_int_equal(c.fake.requests, 0);
        court_done(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_states),   cmocka_unit_test(test_judge),
                cmocka_unit_test(test_good),     cmocka_unit_test(test_blocked),
                cmocka_unit_test(test_untested), cmocka_unit_test(test_kicked),
                cmocka_unit_test(test_version),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
