/* Machines without a token: the list of those that wait, what an admin says, and what the head
 * makes of it. */
#include "member-world.h"

#include "member/waiting.h"
#include "model/key-words.h"

#define NOW ((usec_t)1764000000 * USEC_PER_SEC)

static const uint8_t binding[PROOF_BINDING_SIZE] = {1, 2, 3};

/* --- the list */

static WaitingMachine machine(unsigned n, const char *name, const char *from)
{
        WaitingMachine m = {.pin = {(uint8_t)n, (uint8_t)(n >> 8), 1}, .from = member_addr(from)};

        (void)snprintf(m.node, sizeof(m.node), "node%u", n);
        str_copy(m.name, sizeof(m.name), name);
        return m;
}

static void test_list(void **state)
{
        static WaitingList l;
        WaitingMachine m = machine(1, "w1", "10.0.0.1"), *found;
        char hex[2 * STORE_PIN_SIZE + 1] = "", words[KEY_WORDS_MAX];

        assert_int_equal(waiting_add(&l, &m, NOW), 1);
        assert_int_equal(waiting_add(&l, &m, NOW + USEC_PER_SEC), 0);
        assert_int_equal(l.n, 1);
        assert_true(l.machines[0].first == NOW && l.machines[0].last == NOW + USEC_PER_SEC);
        for (size_t i = 0; i < STORE_PIN_SIZE; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", m.pin[i]);
        assert_int_equal(waiting_find(&l, "w1", &found), 1);
        assert_int_equal(waiting_find(&l, "node1", &found), 1);
        assert_int_equal(waiting_find(&l, hex, &found), 1);
        assert_int_equal(waiting_find(&l, key_words(m.pin, words), &found), 1);
        assert_int_equal(waiting_find(&l, "w2", &found), 0);
        m = machine(2, "w1", "10.0.0.2");
        assert_int_equal(waiting_add(&l, &m, NOW), 1);
        assert_int_equal(waiting_find(&l, "w1", &found), -ENOTUNIQ);
        assert_int_equal(waiting_find(&l, key_words(m.pin, words), &found), 1);
        assert_string_equal(found->node, "node2");
        assert_int_equal(waiting_find(&l, "node2", &found), 1);
        /* approved as one machine is not approved as another */
        found->approved = true;
        assert_int_equal(waiting_add(&l, &m, NOW), 0);
        assert_true(found->approved);
        str_copy(m.name, sizeof(m.name), "w3");
        assert_int_equal(waiting_add(&l, &m, NOW), 1);
        assert_false(found->approved);
        waiting_remove(&l, m.pin);
        assert_int_equal(l.n, 1);
        waiting_expire(&l, NOW + WAITING_FORGOTTEN);
        assert_int_equal(l.n, 1);
        waiting_expire(&l, NOW + WAITING_FORGOTTEN + USEC_PER_SEC);
        assert_int_equal(l.n, 0);
}

static void test_list_is_bounded(void **state)
{
        static WaitingList l;
        WaitingMachine m;
        char from[40];

        for (unsigned i = 0; i < WAITING_PER_NETWORK; i++) { /* a room, or one machine has all */
                (void)snprintf(from, sizeof(from), "fd00:1:2:3::%x", i + 1);
                m = machine(i, "x", from);
                assert_int_equal(waiting_add(&l, &m, NOW), 1);
        }
        m = machine(1000, "x", "fd00:1:2:3:ffff::1");
        assert_int_equal(waiting_add(&l, &m, NOW), -EDQUOT);
        for (unsigned i = 0; i < WAITING_PER_SOURCE; i++) {
                m = machine(WAITING_PER_NETWORK + i, "x", "10.2.0.1");
                assert_int_equal(waiting_add(&l, &m, NOW), 1);
        }
        m = machine(1000, "x", "10.2.0.1");
        assert_int_equal(waiting_add(&l, &m, NOW), -EDQUOT);
        for (unsigned i = WAITING_PER_NETWORK + WAITING_PER_SOURCE; i < WAITING_MAX; i++) {
                (void)snprintf(from, sizeof(from), "10.0.%u.1", i);
                m = machine(i, "x", from);
                assert_int_equal(waiting_add(&l, &m, NOW), 1);
        }
        m = machine(1000, "x", "10.1.0.1");
        assert_int_equal(waiting_add(&l, &m, NOW), -EXFULL);
        assert_int_equal(waiting_add(&l, &m, NOW + WAITING_FORGOTTEN), 1);
        assert_int_equal(l.n, 1);
}

/* --- what was said, on disk */

static void test_verdicts(void **state)
{
        const uint8_t pin[STORE_PIN_SIZE] = {7};
        VerdictRow v = {.verdict = VERDICT_APPROVED, .node = "n", .name = "w1", .takes = "o"}, got;
        MemberWorld w;

        member_world_init(&w, NOW);
        assert_int_equal(approvals_find(w.db, pin, NOW, &got), 0);
        assert_int_equal(got.verdict, VERDICT_NONE);
        assert_int_equal(approvals_put(w.db, pin, &v, NOW), 0);
        assert_int_equal(approvals_find(w.db, pin, NOW + APPROVAL_LIFE - 1, &got), 0);
        assert_memory_equal(&got, &v, sizeof(v));
        assert_int_equal(approvals_find(w.db, pin, NOW + APPROVAL_LIFE, &got), 0);
        assert_int_equal(got.verdict, VERDICT_NONE);
        v.verdict = VERDICT_DENIED;
        assert_int_equal(approvals_put(w.db, pin, &v, NOW), 0);
        assert_int_equal(approvals_find(w.db, pin, NOW, &got), 0);
        assert_int_equal(got.verdict, VERDICT_DENIED);
        member_world_done(&w);
}

static void test_subnets(void **state)
{
        AutoApproval all[STORE_AUTO_MAX + 1];
        Addr in = member_addr("10.0.3.7"), out = member_addr("10.1.3.7");
        Subnet s = {0};
        char text[SUBNET_MAX];
        MemberWorld w;

        member_world_init(&w, NOW);
        assert_int_equal(auto_approvals_put(w.db, &s, NOW + DAY, NOW), -EINVAL); /* not all */
        for (unsigned i = 0; i < STORE_AUTO_MAX; i++) {
                (void)snprintf(text, sizeof(text), "10.0.%u.0/24", i);
                assert_int_equal(subnet_parse(text, &s), 0);
                assert_int_equal(auto_approvals_put(w.db, &s, NOW + DAY, NOW), 0);
        }
        assert_int_equal(subnet_parse("10.1.0.0/16", &s), 0);
        assert_int_equal(auto_approvals_put(w.db, &s, NOW + DAY, NOW), -EXFULL);
        assert_int_equal(auto_approvals_match(w.db, &in, NOW), 1);
        assert_int_equal(auto_approvals_match(w.db, &out, NOW), 0);
        assert_int_equal(auto_approvals_match(w.db, &in, NOW + DAY), 0);
        assert_int_equal(auto_approvals_list(w.db, NOW, all, ELEMENTSOF(all)), STORE_AUTO_MAX);
        /* ended by hand; then there is room */
        assert_int_equal(subnet_parse("10.0.3.0/24", &s), 0);
        assert_int_equal(auto_approvals_put(w.db, &s, 0, NOW), 0);
        assert_int_equal(auto_approvals_match(w.db, &in, NOW), 0);
        assert_int_equal(subnet_parse("10.1.0.0/16", &s), 0);
        assert_int_equal(auto_approvals_put(w.db, &s, NOW + DAY, NOW), 0);
        member_world_done(&w);
}

/* --- decisions */

static MemberEnrol asks(MemberWorld *w, const char *node, const char *name)
{
        MemberEnrol e = member_world_enrol(w, "abcdefgh", binding);

        e.token[0] = 0;
        str_copy(e.node, sizeof(e.node), node);
        str_copy(e.name, sizeof(e.name), name);
        return e;
}

static void decide_from(MemberWorld *w, const char *from, const MemberEnrol *e,
                        EnrolmentAnswer *ret)
{
        EnrolmentClaim c = {.enrol = e,
                            .from = member_addr(from),
                            .now = w->now,
                            .mono = w->now,
                            .can_wait = true};

        memcpy(c.binding, binding, sizeof(binding));
        assert_int_equal(enrolment_decide(&w->desk, &c, ret), 0);
        assert_true(ret->accepted == (ret->cert != NULL));
        assert_int_equal(
                ret->accepted + ret->pending + (ret->refused.reason != MEMBER_REFUSAL_OTHER), 1);
}

static void decide(MemberWorld *w, const MemberEnrol *e, EnrolmentAnswer *ret)
{
        decide_from(w, "10.77.0.11", e, ret);
}

static void new_key(MemberWorld *w)
{
        pki_key_free(w->key);
        buf_done(&w->csr);
        w->csr = (Buf){0};
        assert_int_equal(pki_key_new(&w->key), 0);
        assert_int_equal(pki_request_new(w->key, "w1", &w->csr), 0);
}

static void say(MemberWorld *w, Verdict verdict, const MemberEnrol *e, const char *takes)
{
        VerdictRow v = {.verdict = verdict};
        uint8_t pin[PKI_PIN_SIZE];

        str_copy(v.node, sizeof(v.node), e->node);
        str_copy(v.name, sizeof(v.name), e->name);
        str_copy(v.takes, sizeof(v.takes), takes);
        pki_key_pin(w->key, pin);
        assert_int_equal(approvals_put(w->db, pin, &v, w->now), 0);
}

/* An approval is for the machine that the admin saw, not for whatever its key says next. */
static void test_approved_as_another(void **state)
{
        EnrolmentAnswer a;
        MemberWorld w;
        MemberRow row;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 9);
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", binding);
        decide(&w, &e, &a);
        assert_true(a.accepted); /* w1, of workernode */
        enrolment_answer_done(&a);
        new_key(&w);
        e = asks(&w, "node2", "w2");
        decide(&w, &e, &a);
        assert_true(a.pending && a.news);
        assert_string_equal(a.waits.takes, "");
        say(&w, VERDICT_APPROVED, &e, "");
        MemberEnrol thief = asks(&w, "workernode", "w1");
        decide(&w, &thief, &a);
        assert_true(a.pending && a.news);
        assert_string_equal(a.waits.takes, "w1");
        thief = asks(&w, "node2", "w9"); /* nobody's name, but none that was approved */
        decide(&w, &thief, &a);
        assert_true(a.pending);
        thief = asks(&w, "node2", "w1"); /* the name alone */
        decide(&w, &thief, &a);
        assert_true(a.pending);
        decide(&w, &e, &a);
        assert_true(a.accepted);
        assert_string_equal(a.member.token, ENROLMENT_APPROVED);
        enrolment_answer_done(&a);
        /* a member that asks for another's name, with its own key and a good token */
        thief = member_world_enrol(&w, "abcdefgh", binding);
        str_copy(thief.node, sizeof(thief.node), "node2");
        decide(&w, &thief, &a);
        assert_int_equal(a.refused.reason, MEMBER_REFUSAL_NAME_TAKEN);
        assert_int_equal(roster_find_name(w.db, "w1", &row), 1);
        assert_string_equal(row.node, "workernode");
        member_world_done(&w);
}

/* A machine that waits with a token, and is let in without it, has the token's group; under another
 * name than the token was shown for it has none. */
static void test_group_of_token(void **state)
{
        TokenRow t = {.id = "grouped2", .left = 1, .terms = {.expires = NOW + DAY, .group = "gpu"}};
        EnrolmentAnswer a;
        MemberWorld w;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 9);
        assert_int_equal(proof_key(w.secret, sizeof(w.secret), t.key), 0);
        assert_int_equal(tokens_add(w.db, &t, w.now), 0);
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", binding);
        decide(&w, &e, &a);
        assert_true(a.accepted);
        enrolment_answer_done(&a);
        new_key(&w);
        e = member_world_enrol(&w, "grouped2", binding);
        decide(&w, &e, &a);
        assert_true(a.pending);
        assert_int_equal(tokens_revoke(w.db, "grouped2"), 1);
        decide(&w, &e, &a);
        assert_int_equal(a.refused.reason, MEMBER_REFUSAL_TOKEN_EXPIRED);
        e = asks(&w, "workernode", "w1");
        decide(&w, &e, &a);
        assert_true(a.pending && !a.news);
        say(&w, VERDICT_APPROVED, &e, "workernode");
        decide(&w, &e, &a);
        assert_true(a.accepted);
        assert_string_equal(a.member.group, "gpu");
        assert_string_equal(a.member.token, ENROLMENT_APPROVED);
        enrolment_answer_done(&a);
        member_world_done(&w);
}

static void test_group_of_another_name(void **state)
{
        static WaitingList l;
        WaitingMachine m = machine(1, "w1", "10.0.0.1");

        str_copy(m.group, sizeof(m.group), "gpu");
        assert_int_equal(waiting_add(&l, &m, NOW), 1);
        assert_string_equal(waiting_group(&l, m.pin, "node1", "w1"), "gpu");
        assert_string_equal(waiting_group(&l, m.pin, "node1", "w2"), "");
        m.group[0] = 0;
        assert_int_equal(waiting_add(&l, &m, NOW), 0);
        assert_string_equal(waiting_group(&l, m.pin, "node1", "w1"), "gpu");
        str_copy(m.name, sizeof(m.name), "w2");
        assert_int_equal(waiting_add(&l, &m, NOW), 1);
        assert_string_equal(waiting_group(&l, m.pin, "node1", "w2"), "");
}

static void test_denied(void **state)
{
        EnrolmentAnswer a;
        MemberWorld w;

        member_world_init(&w, NOW);
        MemberEnrol e = asks(&w, "node2", "w2");
        say(&w, VERDICT_DENIED, &e, "");
        decide(&w, &e, &a);
        assert_int_equal(a.refused.reason, MEMBER_REFUSAL_DENIED);
        w.now += APPROVAL_LIFE;
        decide(&w, &e, &a);
        assert_true(a.pending);
        str_copy(e.name, sizeof(e.name), "w 2"); /* it would be shown */
        decide(&w, &e, &a);
        assert_int_equal(a.refused.reason, MEMBER_REFUSAL_BAD);
        member_world_done(&w);
}

/* The node id of one member and the name of another would cost two their places. */
static void test_two_at_once(void **state)
{
        EnrolmentAnswer a;
        MemberWorld w;

        member_world_init(&w, NOW);
        member_world_token(&w, "abcdefgh", 9);
        MemberEnrol e = member_world_enrol(&w, "abcdefgh", binding);
        decide(&w, &e, &a);
        enrolment_answer_done(&a);
        new_key(&w);
        e = member_world_enrol(&w, "abcdefgh", binding);
        str_copy(e.node, sizeof(e.node), "node2");
        str_copy(e.name, sizeof(e.name), "w2");
        decide(&w, &e, &a);
        assert_true(a.accepted);
        enrolment_answer_done(&a);
        new_key(&w);
        e = asks(&w, "workernode", "w2");
        decide(&w, &e, &a);
        assert_int_equal(a.refused.reason, MEMBER_REFUSAL_NAME_TAKEN);
        member_world_done(&w);
}

/* It is told of what there are too many. */
static void check_full(MemberWorld *w, const MemberEnrol *e, const char *from, const char *text)
{
        EnrolmentAnswer a;
        unsigned n = 0;
        WaitingMachine m;

        w->desk.waiting.n = 0;
        do
                m = machine(n++, "x", from);
        while (waiting_add(&w->desk.waiting, &m, w->now) > 0);
        decide_from(w, from, e, &a);
        assert_int_equal(a.refused.reason, MEMBER_REFUSAL_BUSY);
        if (!strstr(a.refused.text, text))
                fail_msg("%s", a.refused.text);
}

static void test_too_many(void **state)
{
        MemberWorld w;

        member_world_init(&w, NOW);
        const MemberEnrol e = asks(&w, "node2", "w2");
        check_full(&w, &e, "10.0.0.1", "too many machines of this address wait");
        check_full(&w, &e, "fd00:1:2:3::1", "too many machines of this network wait");
        member_world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_list_is_bounded),
                cmocka_unit_test(test_verdicts),
                cmocka_unit_test(test_subnets),
                cmocka_unit_test(test_approved_as_another),
                cmocka_unit_test(test_group_of_token),
                cmocka_unit_test(test_group_of_another_name),
                cmocka_unit_test(test_denied),
                cmocka_unit_test(test_two_at_once),
                cmocka_unit_test(test_too_many),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
