/* What the journal says of members: not more than somebody reads, whatever strangers do. */
#include "gate-world.h"

#include <signal.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "head/member-log.h"

typedef struct Told {
        unsigned lines, of[_MSG_MAX];
        char last[1000];
} Told;

static void on_log(MessageId id, const char *text, void *userdata)
{
        Told *t = userdata;

        t->lines++;
        t->of[id]++;
        str_copy(t->last, sizeof(t->last), text);
}

static void listen_to_log(Told *t)
{
        *t = (Told){0};
        log_set(LOG_TARGET_STDERR, LOG_CRIT);
        log_set_observer(on_log, t);
}

/* One key under another name each time is news each time. */
static void test_many_ask(void **state)
{
        GatePending p = {.node = "n", .name = "w1", .from = member_addr("10.0.0.1")};
        MemberLog l = {0};
        Told t;

        listen_to_log(&t);
        for (unsigned k = 0; k < 200; k++)
                member_log_pending(&l, &p, "acorn");
        assert_in_range(t.lines, 10, 40);
        assert_non_null(strstr(t.last, "w1 at 10.0.0.1 asks"));
        /* how many there were is told with the next */
        l.pending.begin -= USEC_PER_MIN;
        unsigned before = t.lines;
        member_log_pending(&l, &p, "acorn");
        assert_int_equal(t.lines, before + 2);
        assert_int_equal(l.pending.suppressed, 0);
        /* and keeps nobody's refusal out */
        const MemberRefused r = {.reason = MEMBER_REFUSAL_BAD, .text = "why"};
        member_log_refused(&l, &r, "w1", &p.from, 0, 0);
        assert_non_null(strstr(t.last, "was refused: why"));
        log_set_observer(NULL, NULL);
}

/* Two machines with one key take each other's place for ever: said, and at once, but not for ever.
 */
static void test_alternation(void **state)
{
        const MemberFacts facts = {.name = "w1"}, others = {.name = "w2"};
        const GateMember a = {.node = "n1", .name = "w1", .facts = &facts},
                         b = {.node = "n2", .name = "w2", .facts = &others};
        MemberLog l = {0};
        Told t;

        listen_to_log(&t);
        for (unsigned k = 0; k < 50; k++) {
                member_log_copied(&l, &a, &a);
                member_log_lost(&l, &a, GATE_LOSS_REPLACED);
                member_log_here(&l, &a);
                if (k == 0) {
                        assert_int_equal(t.of[MSG_MEMBER_COPIED], 1);
                        assert_int_equal(t.of[MSG_MEMBER_HERE], 1);
                }
        }
        assert_int_equal(t.of[MSG_MEMBER_COPIED], LINE_LIMIT_BURST);
        assert_int_equal(t.of[MSG_MEMBER_HERE], LINE_LIMIT_BURST);
        /* nobody else's */
        member_log_here(&l, &b);
        member_log_lost(&l, &b, GATE_LOSS_SILENT);
        assert_int_equal(t.of[MSG_MEMBER_HERE], LINE_LIMIT_BURST + 1);
        assert_int_equal(t.of[MSG_MEMBER_LOST], 1);
        member_log_done(&l);
        log_set_observer(NULL, NULL);
}

/* Whoever is at the port, it is a handful of lines. */
static void test_abuse(void **state)
{
        const Addr from = member_addr("192.0.2.66");
        MemberLog l = {0};
        Told t;

        listen_to_log(&t);
        member_log_abused(&l, GATE_ABUSE_NONSENSE, &from, "w1");
        assert_non_null(strstr(t.last, "control port: w1 at 192.0.2.66: it said what makes no"));
        for (unsigned k = 0; k < 10000; k++)
                member_log_abused(&l, GATE_ABUSE_SOURCE, &from, "");
        assert_int_equal(t.of[MSG_GATE_ABUSED], 5);
        assert_non_null(strstr(t.last, "control port: 192.0.2.66: it has more connections"));
        l.abuses.begin -= USEC_PER_MIN;
        for (unsigned k = 0; k < 10000; k++)
                member_log_abused(&l, GATE_ABUSE_FULL, &from, "");
        assert_int_equal(t.of[MSG_GATE_ABUSED], 7); /* how many there were, and the next */
        assert_non_null(strstr(t.last, "control port: 192.0.2.66: all places"));
        log_set_observer(NULL, NULL);
}

/* When it was, not when the head was there again to hear of it. */
static void test_event_time(void **state)
{
        const MemberFacts facts = {.name = "w1"};
        const GateMember m = {
                .node = "n1", .name = "w1", .facts = &facts, .from = member_addr("10.0.0.1")};
        MemberEvent e = {.message_id = "00", .time = 1764000000123456};
        _cleanup_strv_free_ char **fields = member_log_event_fields(&m, &e), **none = NULL;
        _cleanup_free_ char *all = strv_join(fields, " "), *others = NULL;

        assert_string_equal(all, "RAYCLUSTER_NODE=w1 RAYCLUSTER_ADDRESS=10.0.0.1 "
                                 "RAYCLUSTER_EVENT=00 RAYCLUSTER_EVENT_TIME=1764000000123456");
        e.time = 0; /* of a member that does not say */
        none = member_log_event_fields(&m, &e);
        others = strv_join(none, " ");
        assert_null(strstr(others, "RAYCLUSTER_EVENT_TIME"));
}

static unsigned lines_of_a_minute(LineLimits *l, usec_t now, unsigned *ret_more)
{
        unsigned n = 0, more;

        *ret_more = 0;
        for (unsigned k = 0; k < 50; k++)
                if (line_limits_below(l, "n1", now + k, &more)) {
                        *ret_more += more;
                        n++;
                }
        return n;
}

/* One a minute from then on, with how many there were; until a minute is quiet. */
static void test_line_limits(void **state)
{
        usec_t now = 1000 * USEC_PER_MIN;
        LineLimits l = {0};
        unsigned more;

        assert_int_equal(lines_of_a_minute(&l, now, &more), LINE_LIMIT_BURST);
        assert_int_equal(more, 0);
        assert_int_equal(lines_of_a_minute(&l, now + USEC_PER_MIN, &more), 1);
        assert_int_equal(more, 50 - LINE_LIMIT_BURST);
        assert_int_equal(lines_of_a_minute(&l, now + 2 * USEC_PER_MIN, &more), 1);
        assert_int_equal(more, 49);
        assert_true(line_limits_below(&l, "n1", now + 3 * USEC_PER_MIN, &more));
        assert_int_equal(more, 49);
        assert_int_equal(lines_of_a_minute(&l, now + 4 * USEC_PER_MIN, &more), LINE_LIMIT_BURST);
        /* of those who are quiet nothing is kept */
        for (char node[] = "a"; node[0] <= 'z'; node[0]++)
                assert_true(line_limits_below(&l, node, now + 5 * USEC_PER_MIN, &more));
        assert_true(line_limits_below(&l, "n2", now + 200 * USEC_PER_MIN, &more));
        assert_true(line_limits_below(&l, "n2", now + 300 * USEC_PER_MIN, &more));
        line_limits_done(&l);
        assert_null(l.by_node);
}

/* As in the room of members: whoever leaves is forgotten. */
static void on_left_for_good(Gate *g, const GateMember *m, void *userdata)
{
        World *w = userdata;

        w->left++;
        assert_int_equal(roster_forget(w->m.db, m->node), 1);
}

static void on_anybody(Gate *g, const MemberRow *m, const Addr *from, void *userdata)
{
        ((World *)userdata)->enrolled++;
}

static MemberLog two_log;

static void on_two(Gate *g, const GateMember *here, const GateMember *there, void *userdata)
{
        ((World *)userdata)->copied++;
        member_log_copied(&two_log, here, there);
}

/* A gate, a member, and a copy of its disk at another address, which is there now. */
static void copy_of_a_disk(World *w, Raw *original, Raw *copy)
{
        MemberMessage facts = {.kind = MEMBER_FACTS};
        _cleanup_identity_ Identity i = {0};
        GateOps ops = gate_ops;

        world_init(w);
        w->gate = gate_free(w->gate);
        ops.on_left = on_left_for_good;
        ops.on_enrolled = on_anybody;
        ops.on_copied = on_two;
        const GatePolicy p = {
                .authority = w->m.authority, .db = w->m.db, .cluster = "lab1", .beat = BEAT};
        assert_int_equal(gate_new(w->event, listen_on(&w->at), &p, &ops, w, &w->gate), 0);
        const JoinToken t = token_of(w, "abcdefgh");
        join(w, &t);
        load(w, &i);
        str_copy(facts.facts.boot_id, sizeof(facts.facts.boot_id), "b1");
        raw_init(original, w, &i, "127.0.0.1", &facts);
        WAIT(w, original->kinds[MEMBER_WELCOME] == 1);
        str_copy(facts.facts.boot_id, sizeof(facts.facts.boot_id), "b2");
        raw_init(copy, w, &i, "127.0.0.2", &facts);
        WAIT(w, copy->kinds[MEMBER_WELCOME] == 1);
        assert_int_equal(w->copied, 1);
        raw_done(original);
}

static JoinEnd join_copy(World *w, const char *file, const char *node, const char *name)
{
        const JoinToken t = token_of(w, "abcdefgh");
        _cleanup_(join_freep) Join *j = NULL;
        const Addr own = member_addr("127.0.0.1");
        char path[64];

        (void)snprintf(path, sizeof(path), "%s/%s", w->m.dir, file);
        const JoinPolicy p = {.head = w->at,
                              .token = &t,
                              .path = path,
                              .node = node,
                              .name = name,
                              .addrs = &own,
                              .n_addrs = 1};
        w->join_over = false;
        assert_int_equal(join_new(w->event, &p, on_join, w, &j), 0);
        WAIT(w, w->join_over);
        return w->join.end;
}

/* What is said is what helps: key, machine id and name of its own, and not to leave. */
static void test_copied(void **state)
{
        const MemberMessage leave = {.kind = MEMBER_LEAVE};
        Raw original, copy;
        MemberRow row;
        World w;
        Told t;

        listen_to_log(&t);
        copy_of_a_disk(&w, &original, &copy);
        log_set_observer(NULL, NULL);
        /* the same key, or machine id, or name, is not enough of a difference */
        assert_int_equal(join_copy(&w, "worker.pem", "node2", "w2"), JOIN_REFUSED);
        assert_int_equal(join_copy(&w, "a.pem", "workernode", "w2"), JOIN_PENDING);
        assert_int_equal(join_copy(&w, "b.pem", "node2", "w1"), JOIN_PENDING);
        assert_int_equal(join_copy(&w, "c.pem", "node2", "w2"), JOIN_DONE);
        assert_int_equal(roster_find_node(w.m.db, "workernode", &row), 1);
        assert_int_equal(roster_find_node(w.m.db, "node2", &row), 1);
        /* the original has lost its membership when the copy leaves */
        raw_say(&copy, &leave);
        WAIT(&w, w.left == 1);
        assert_int_equal(roster_find_node(w.m.db, "workernode", &row), 0);
        raw_done(&copy);
        world_done(&w);
        member_log_done(&two_log);
}

/* The journal's line, but for its beginning, with the catalog's line breaks. */
static void test_copied_in_the_catalog(void **state)
{
        _cleanup_free_ char *text = NULL;
        const MemberFacts facts = {.name = "NAME"};
        const GateMember m = {.node = "n", .name = "NAME", .facts = &facts};
        MemberLog l = {0};
        size_t n;
        Told t;

        assert_int_equal(read_file(TEST_DATA "/../units/raycluster.catalog", 1 << 20, &text, &n),
                         0);
        size_t k = 0;
        for (size_t i = 0; i < n; i++) /* one blank for what ends lines and paragraphs */
                if (text[i] != '\n')
                        text[k++] = text[i];
                else if (k > 0 && text[k - 1] != ' ')
                        text[k++] = ' ';
        text[k] = 0;
        listen_to_log(&t);
        member_log_copied(&l, &m, &m);
        member_log_done(&l);
        log_set_observer(NULL, NULL);
        const char *advice = strstr(t.last, "On the copy");
        assert_non_null(advice);
        assert_non_null(strstr(text, advice));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_many_ask),
                cmocka_unit_test(test_alternation),
                cmocka_unit_test(test_line_limits),
                cmocka_unit_test(test_abuse),
                cmocka_unit_test(test_event_time),
                cmocka_unit_test(test_copied),
                cmocka_unit_test(test_copied_in_the_catalog),
        };
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
