/* What the journal says of members: not more than somebody reads, whatever strangers do. */
#include "gate-world.h"

#include "base/log.h"
#include "head/member-log.h"

typedef struct Told {
        unsigned lines;
        char last[1000];
} Told;

static void on_log(MessageId id, const char *text, void *userdata)
{
        Told *t = userdata;

        t->lines++;
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_many_ask),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
