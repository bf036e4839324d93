/* Joining without a token, over real TLS: asking, waiting, an admin's word, and taking an old name
 * over. */
#include "gate-world.h"

#include <signal.h>

/* Another machine: its key is in that file. */
static void join_of(World *w, const JoinToken *t, const char *file, const char *node,
                    const char *name)
{
        _cleanup_(join_freep) Join *j = NULL;
        Addr own = member_addr("127.0.0.1");
        char path[64];
        JoinPolicy p = {.head = w->at,
                        .token = t,
                        .path = path,
                        .node = node,
                        .name = name,
                        .addrs = &own,
                        .n_addrs = 1};

        (void)snprintf(path, sizeof(path), "%s/%s", w->m.dir, file);
        w->join_over = false;
        assert_int_equal(join_new(w->event, &p, on_join, w, &j), 0);
        WAIT(w, w->join_over);
}

/* One with the names of the first: it has been installed anew. */
static void join_anew(World *w, const JoinToken *t)
{
        join_of(w, t, "anew.pem", "workernode", "w1");
}

static bool waits(const World *w)
{
        char path[80];

        (void)snprintf(path, sizeof(path), "%s/worker.pem.pending", w->m.dir);
        return access(path, F_OK) == 0;
}

static void test_approve(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        char words[KEY_WORDS_MAX];
        GatePending p;
        MemberRow row;
        World w;

        world_init(&w);
        assert_int_equal(gate_approve(w.gate, "w1"), 0);
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_PENDING);
        assert_true(w.join.retry == WAITING_RETRY);
        assert_true(waits(&w));
        assert_true(gate_pending(w.gate, 0, &p));
        assert_false(gate_pending(w.gate, 1, &p));
        assert_string_equal(p.name, "w1");
        assert_null(p.takes);
        /* the same on both screens */
        assert_string_equal(p.words, w.join.words_own);
        assert_string_equal(gate_words(w.gate, words), w.join.words_head);
        assert_string_not_equal(w.join.words_own, w.join.words_head);
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_PENDING);
        assert_int_equal(w.pending, 1); /* told once */
        assert_int_equal(w.enrolled, 0);
        assert_int_equal(gate_approve(w.gate, "another"), 0);
        assert_int_equal(gate_approve(w.gate, "w1"), 1);
        assert_true(gate_pending(w.gate, 0, &p) && p.approved);
        /* the head starts again before the machine asks again */
        w.gate = gate_free(w.gate);
        open_gate(&w);
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_DONE);
        assert_false(waits(&w));
        assert_false(gate_pending(w.gate, 0, &p));
        assert_int_equal(roster_find_node(w.m.db, "workernode", &row), 1);
        assert_string_equal(row.token, ENROLMENT_APPROVED);
        load(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 1);
        /* whoever is forgotten has to be approved again */
        assert_int_equal(roster_forget(w.m.db, "workernode"), 1);
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_PENDING);
        world_done(&w);
}

static void test_deny(void **state)
{
        GatePending p;
        World w;

        world_init(&w);
        join(&w, NULL);
        assert_int_equal(gate_deny(w.gate, "w1"), 1);
        assert_false(gate_pending(w.gate, 0, &p));
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_REFUSED);
        assert_int_equal(w.join.refusal, MEMBER_REFUSAL_DENIED);
        assert_false(waits(&w));
        assert_int_equal(w.enrolled, 0);
        /* a token is another admin's act, and has its own proof */
        JoinToken t = token_of(&w, "abcdefgh");
        join(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        world_done(&w);
}

/* While it waits nobody else is believed. */
static void test_another_head(void **state)
{
        World w, other;

        world_init(&w);
        world_init(&other);
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_PENDING);
        Addr first = w.at;
        sd_event_unref(w.event); /* the other gate is on that loop */
        w.event = sd_event_ref(other.event);
        Gate *mine = w.gate;
        join_at(&w, NULL, &other.at);
        assert_int_equal(w.join.end, JOIN_WRONG_HEAD);
        assert_non_null(strstr(w.join.text,
                               "not the head that this machine asked first, nothing was "
                               "sent to it"));
        assert_int_equal(other.pending + other.refused + other.enrolled, 0);
        w.gate = mine;
        w.at = first;
        world_done(&w);
        world_done(&other);
}

static void test_subnet(void **state)
{
        Subnet s;
        World w;

        world_init(&w);
        assert_int_equal(subnet_parse("127.0.0.0/8", &s), 0);
        assert_int_equal(gate_auto_approve(w.gate, &s, now_real() + USEC_PER_MIN), 0);
        assert_int_equal(gate_auto_approve(w.gate, &s, now_real() - 1), 0);
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_PENDING);
        assert_int_equal(gate_auto_approve(w.gate, &s, now_real() + USEC_PER_MIN), 0);
        w.gate = gate_free(w.gate);
        open_gate(&w);
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_DONE);
        assert_true(w.join.words_head[0] != 0); /* for whoever wants to look afterwards */
        assert_int_equal(w.enrolled, 1);
        world_done(&w);
}

/* With a token, and a name that is another key's: what neither token nor subnet can give. */
static void test_installed_anew(void **state)
{
        _cleanup_(member_link_freep) MemberLink *l = NULL;
        _cleanup_identity_ Identity i = {0};
        uint8_t pin[STORE_PIN_SIZE];
        GatePending p;
        MemberRow row;
        TokenRow token;
        JoinToken t;
        Subnet s;
        World w;

        member(&w, &i);
        l = link_as(&w, &i, "b1");
        WAIT(&w, w.welcomes == 1);
        t = token_of(&w, "abcdefgh");
        assert_int_equal(subnet_parse("127.0.0.0/8", &s), 0);
        assert_int_equal(gate_auto_approve(w.gate, &s, now_real() + USEC_PER_MIN), 0);
        join_anew(&w, &t);
        assert_int_equal(w.join.end, JOIN_PENDING);
        assert_true(gate_pending(w.gate, 0, &p));
        assert_string_equal(p.takes, "w1");
        assert_true(p.takes_living);
        memcpy(pin, p.pin, sizeof(pin));
        assert_int_equal(w.lost, 0);
        assert_int_equal(tokens_find(w.m.db, "abcdefgh", &token), 1);
        assert_int_equal(token.left, 2);
        assert_int_equal(gate_approve(w.gate, "w1"), 1);
        join_anew(&w, &t);
        assert_int_equal(w.join.end, JOIN_DONE);
        assert_int_equal(w.lost, 1);
        assert_int_equal(w.loss, GATE_LOSS_REVOKED);
        assert_int_equal(tokens_find(w.m.db, "abcdefgh", &token), 1);
        assert_int_equal(token.left, 1);
        assert_int_equal(roster_find_node(w.m.db, "workernode", &row), 1);
        assert_memory_equal(row.pin, pin, sizeof(pin));
        /* the old key is nobody's, and may not ask */
        WAIT(&w, w.link_refusals == 1);
        assert_int_equal(w.link_refusal.reason, MEMBER_REFUSAL_IDENTITY);
        join(&w, NULL);
        assert_int_equal(w.join.refusal, MEMBER_REFUSAL_DENIED);
        world_done(&w);
}

static size_t list(World *w)
{
        GatePending p;
        size_t n = 0;

        while (gate_pending(w->gate, n, &p))
                n++;
        return n;
}

/* The same key under the same name wants a member's place after the admin has looked. */
static void test_asks_for_more(void **state)
{
        _cleanup_identity_ Identity i = {0};
        GatePending p;
        World w;

        member(&w, &i);
        join_of(&w, NULL, "w9.pem", "nodenine", "w9");
        assert_int_equal(list(&w), 1);
        join_of(&w, NULL, "w9.pem", "workernode", "w9");
        assert_int_equal(gate_approve(w.gate, "w9"), -ESTALE);
        /* also when it has gone back, and when it asks again */
        join_of(&w, NULL, "w9.pem", "nodenine", "w9");
        join_of(&w, NULL, "w9.pem", "nodenine", "w9");
        assert_int_equal(gate_approve(w.gate, "w9"), -ESTALE);
        assert_int_equal(list(&w), 1);
        assert_int_equal(gate_approve(w.gate, "w9"), 1);
        join_of(&w, NULL, "w9.pem", "workernode", "w9");
        assert_int_equal(w.join.end, JOIN_PENDING);
        assert_true(gate_pending(w.gate, 0, &p) && !p.approved);
        assert_string_equal(p.takes, "w1");
        /* one that the head has forgotten, or never listed */
        w.gate = gate_free(w.gate);
        open_gate(&w);
        join_of(&w, NULL, "w9.pem", "workernode", "w9");
        assert_int_equal(gate_approve(w.gate, "w9"), -ESTALE);
        assert_int_equal(gate_deny(w.gate, "w9"), 1);
        world_done(&w);
}

/* Two machines of one name and node id are told apart by what stands on their screens. */
static void test_twins(void **state)
{
        char first[KEY_WORDS_MAX], words[KEY_WORDS_MAX];
        GatePending p;
        World w;

        world_init(&w);
        join(&w, NULL);
        str_copy(first, sizeof(first), w.join.words_own);
        join_anew(&w, NULL);
        str_copy(words, sizeof(words), w.join.words_own);
        assert_string_not_equal(first, words);
        assert_int_equal(gate_approve(w.gate, "w1"), -ENOTUNIQ);
        assert_int_equal(gate_approve(w.gate, "workernode"), -ENOTUNIQ);
        assert_int_equal(gate_deny(w.gate, words), 1);
        assert_true(gate_pending(w.gate, 0, &p));
        assert_string_equal(p.words, first);
        assert_int_equal(gate_approve(w.gate, first), 1);
        join(&w, NULL);
        assert_int_equal(w.join.end, JOIN_DONE);
        world_done(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_approve),        cmocka_unit_test(test_deny),
                cmocka_unit_test(test_another_head),   cmocka_unit_test(test_subnet),
                cmocka_unit_test(test_installed_anew), cmocka_unit_test(test_asks_for_more),
                cmocka_unit_test(test_twins),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
